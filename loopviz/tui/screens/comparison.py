"""Scenarios side by side: the same load on each in turn, stacked and aligned at the first request sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.draw import words
from loopviz.model import Request
from loopviz.scenario import ScenarioFile
from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.scene import fitted
from loopviz.tui.screens.hints import Clickable, Hint, hint_lines
from loopviz.tui.screens.lineup import Lineup
from loopviz.tui.screens.lineup_lines import compose_lineup
from loopviz.tui.surface import Surface

__all__ = ["Comparison"]

_BURSTS = 50
"""So many bursts before it may still run when a comparison begins."""


class Comparison(Screen[None]):
    """Runs the chosen scenarios one after the other, and shows them stacked while it does."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("comparison")
    CSS = "Comparison { background: $background; }"

    def __init__(
        self, picture: Picture, files: Sequence[ScenarioFile], choose_again: Callable[[], None]
    ) -> None:
        super().__init__()
        self._picture = picture
        self._choose_again = choose_again
        self._lineups = [Lineup(file) for file in files]
        counts = {picture.view.count_of(file.facts.requests) for file in files}
        self._requests = max(counts)
        self._clicks: dict[int, list[Clickable]] = {}
        self.surface = Surface()

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    def follow(self, now: int) -> None:
        """One frame: fire the next one when the one before is over, and draw."""
        picture = self._picture
        for place, lineup in enumerate(self._lineups):
            if lineup.fired is None and lineup.may_fire(self._lineups[:place], now, self._fired_before(now)):
                lineup.fire(picture.source, self._requests, now)
            lineup.follow(picture.timeline, self._requests, picture.source.threads)
            if not lineup.over:
                break
        width, height = self.surface.size
        if width > 0 and height > 0:
            self._draw(now, width, height)

    def _fired_before(self, now: int) -> Iterator[Request]:
        """The requests of the latest bursts that go on: what is fired now would be measured beside them."""
        for burst in list(self._picture.timeline.bursts)[-_BURSTS:]:
            if not burst.settled(now):
                yield from burst.requests

    def _draw(self, now: int, width: int, height: int) -> None:
        """Draw the title, the runs, and the keys in the last lines."""
        picture, keys, palette = self._picture, self._picture.keys, self._picture.palette
        hints = [
            Hint(keys.shown("comparison.again"), "compare others", "again"),
            Hint(keys.shown("comparison.close"), "back to the picture", "dismiss"),
            Hint(keys.shown("app.help"), "help", "app.help"),
        ]
        load = f" Side by side: {words.count(self._requests, 'request')} to each, from the first request sent"
        head = [[Segment(load, palette.text("title"))]]
        foot = hint_lines(palette, hints, width)
        room = max(0, height - len(head) - len(foot))
        lines = head + compose_lineup(palette, picture.timeline, self._lineups, now, width, room)
        self._clicks = {len(lines) + at: clicks for at, (_, clicks) in enumerate(foot)}
        lines = [fitted(line, width, palette) for line in (*lines, *(line for line, _ in foot))]
        self.surface.show(lines[:height])

    async def on_click(self, event: events.Click) -> None:
        """Do what a key of the last lines does."""
        for start, end, action in self._clicks.get(event.screen_y, ()):
            if start <= event.screen_x < end:
                await self.run_action(action)
                return

    def action_again(self) -> None:
        """Choose others."""
        self.dismiss()
        self._choose_again()
