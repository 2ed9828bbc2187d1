"""The repair of what was fired: first the change, then both bursts from the same zero, and their answers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, Final

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.errors import InputError
from loopviz.model import Burst
from loopviz.stream.source import Load
from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.scene import Line, fitted
from loopviz.tui.screens.hints import Clickable, Hint, hint_lines
from loopviz.tui.screens.lineup_lines import compose_lineup
from loopviz.tui.screens.repair.lines import diff_lines, head_lines, result_lines
from loopviz.tui.screens.repair.loads import LoadTrial
from loopviz.tui.screens.repair.patches import write
from loopviz.tui.screens.repair.plans import Plan
from loopviz.tui.screens.repair.trial import Trial
from loopviz.tui.surface import Surface

__all__ = ["Repair"]

_RESULT: Final = 8
"""The result has so many lines at most."""


class Repair(Screen[None]):
    """Shows the repairs of a burst, fires the one that is shown, and compares."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("repair")
    CSS = "Repair { background: $background; }"

    def __init__(
        self,
        picture: Picture,
        plans: Sequence[Plan],
        burst: Burst | None,
        requests: int,
        load: Load | None = None,
    ) -> None:
        """`burst` is what was fired, and had so many `requests`; or there is a steady `load`."""
        super().__init__()
        self._load = load
        self._picture = picture
        self._plans = plans
        self._burst = burst
        self._requests = requests
        self._at = 0
        self._top = 0
        self._most = 0
        self._notice = ""
        self._clicks: dict[int, list[Clickable]] = {}
        self._writing: threading.Thread | None = None
        self.trial: Trial | None = None
        """What is fired, or was; None while the change is shown."""
        self.surface = Surface()

    @property
    def plan(self) -> Plan:
        """The repair that is shown."""
        return self._plans[self._at]

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    def on_unmount(self) -> None:
        """Leave nothing behind."""
        if self.trial is not None:
            self.trial.end()

    # -- frames --------------------------------------------------------------------------------

    def follow(self, now: int) -> None:
        """One frame: go on with what is fired, and draw."""
        if self.trial is not None:
            self.trial.follow(self._picture.timeline, now)
        width, height = self.surface.size
        if width > 0 and height > 0:
            self._draw(now, width, height)

    def _draw(self, now: int, width: int, height: int) -> None:
        palette = self._picture.palette
        foot = hint_lines(palette, self._hints(), width)
        said = [_notice(self._picture, part) for part in self._said(width)]
        room = max(1, height - len(foot) - len(said))
        lines = (
            self._change(width, room) if self.trial is None else self._measured(self.trial, now, width, room)
        )
        lines = [*lines[:room], *([[]] * (room - len(lines))), *said]
        self._clicks = {len(lines) + at: clicks for at, (_, clicks) in enumerate(foot)}
        lines += [line for line, _ in foot]
        self.surface.show([fitted(line, width, palette) for line in lines[:height]])

    def _said(self, width: int) -> list[str]:
        return words.wrapped([self._notice], width - 2, 2) if self._notice else []

    def _change(self, width: int, room: int) -> list[Line]:
        palette = self._picture.palette
        head = head_lines(palette, self.plan, self._at, len(self._plans), self._requests, width)
        diff = diff_lines(palette, self.plan, width)
        head = [*head, []] if room > 16 else head
        visible = max(1, room - len(head))
        self._most = max(0, len(diff) - visible)
        self._top = min(self._top, self._most)
        return [*head, *diff[self._top : self._top + visible]]

    def _measured(self, trial: Trial, now: int, width: int, room: int) -> list[Line]:
        palette = self._picture.palette
        name, load = printable(self.plan.scenario.name, 60), words.count(self._requests, "request")
        load = load if self._load is None else f"{self._load.per_second:g} requests a second to"
        title = f" Repair of {name}: {load} each, from the first request sent"
        result = result_lines(palette, trial, width, min(_RESULT, max(3, room // 3)))
        lines: list[Line] = [[Segment(title, palette.text("title"))]]
        timeline = self._picture.timeline
        return lines + compose_lineup(palette, timeline, trial.lineups, now, width, room - 1, result)

    def _hints(self) -> list[Hint]:
        keys, trial = self._picture.keys, self.trial
        hints = []
        if trial is None:
            hints.append(Hint(keys.shown("repair.fire"), "fire it", "fire"))
            if len(self._plans) > 1:
                hints.append(Hint(keys.shown("repair.next"), "next repair", "turn(1)"))
        elif trial.over:
            hints.append(Hint(keys.shown("repair.fire"), "again", "fire"))
        else:
            hints.append(Hint(keys.shown("repair.give-up"), "give up", "give_up"))
        if self.plan.twin is None:
            hints.append(Hint(keys.shown("repair.write"), "write a patch", "write"))
        back = "back to the change" if trial is not None else "back to the picture"
        hints.append(Hint(keys.shown("repair.close"), back, "back"))
        hints.append(Hint(keys.shown("app.help"), "help", "app.help"))
        return hints

    async def on_click(self, event: events.Click) -> None:
        """Do what a key of the last lines does."""
        for start, end, action in self._clicks.get(event.screen_y, ()):
            if start <= event.screen_x < end:
                await self.run_action(action)
                return

    # -- keys ----------------------------------------------------------------------------------

    def action_fire(self) -> None:
        """Fire the repair; when it is over, once more."""
        picture = self._picture
        if self.trial is None or self.trial.over:
            again = self.trial is not None
            self._notice = ""
            if self._load is not None:
                self.trial = LoadTrial(picture.source, self.plan, self._load)
            else:
                burst = None if again else self._burst
                self.trial = Trial(picture.source, self.plan, burst, self._requests)

    def action_give_up(self) -> None:
        """Give up what is fired."""
        if self.trial is not None and not self.trial.over:
            self.trial.give_up()

    def action_turn(self, by: int) -> None:
        """Show another repair."""
        if self.trial is None:
            self._at = (self._at + by) % len(self._plans)
            self._top, self._notice = 0, ""

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the change."""
        if self.trial is None:
            self._top = max(0, min(self._most, self._top + lines))

    def action_scroll_page(self, pages: int) -> None:
        """Scroll by the height of the screen."""
        self.action_scroll_by(pages * max(1, self.surface.size.height - 10))

    def action_back(self) -> None:
        """Back to the change, or to the picture."""
        self._notice = ""
        if self.trial is None:
            self.dismiss()
        else:
            self.trial.end()
            self.trial = None

    def action_write(self) -> None:
        """Write the patch, in a thread: a slow disk does not stop the picture."""
        if self._writing is not None and self._writing.is_alive():
            return
        plan = self.plan

        def work() -> None:
            try:
                said = (
                    f"Written: {write(plan)}. In its folder, 'git apply' or 'patch -p1 <' makes the change."
                )
            except InputError as error:
                said = words.one_line(str(error))
            with suppress(RuntimeError):  # the program ends
                self.app.call_from_thread(self._say, said)

        self._writing = threading.Thread(target=work, name="loopviz patch", daemon=True)
        self._writing.start()

    def _say(self, said: str) -> None:
        self._notice = printable(said, 600)


def _notice(picture: Picture, text: str) -> Line:
    palette = picture.palette
    return [Segment(f" {text if palette.unicode else words.ascii_only(text)}", palette.text("title"))]
