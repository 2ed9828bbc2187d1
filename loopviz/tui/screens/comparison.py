"""Scenarios side by side: the same load on each in turn, stacked and aligned at the first request sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar, Literal

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.raster import raster, request_stretches
from loopviz.draw.safe import printable
from loopviz.errors import InputError
from loopviz.model import Request, Timeline
from loopviz.model.comparison import Entry, Ranking, ranking
from loopviz.model.sample import sample_of
from loopviz.scenario import ScenarioFile
from loopviz.stream.source import Source
from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.keymap import Keys
from loopviz.tui.scene import Line, fitted
from loopviz.tui.surface import Surface

__all__ = ["Comparison", "Lineup", "compose_lineup"]

_LONGEST_END = 30 * NS
"""How long what the run before has left behind is waited for (ns)."""


@dataclass(slots=True)
class Lineup:
    """One scenario's run in a comparison."""

    file: ScenarioFile
    fired: int | None = None
    """When it was fired (ns); None while it waits for its turn."""
    requests: list[Request] = field(default_factory=list)
    over: bool = False
    failure: str = ""
    """Why it could not be fired, if so."""
    sent: Future[None] | None = None
    """Done when the requests have been answered."""
    entry: Entry | None = None
    """What was measured; None until it is over."""
    waits_for: str = ""
    """The request of a run before that it waits for, since it would be measured beside it."""
    waits_since: int = 0

    def may_fire(self, before: Sequence[Lineup], now: int) -> bool:
        """Whether nothing of the runs before still runs; it is given up if that takes too long."""
        left = next((r for run in before for r in run.requests if not r.ended), None)
        self.waits_for = words.headline(left) if left is not None else ""
        if left is None:
            return True
        self.waits_since = self.waits_since or now
        if now - self.waits_since > _LONGEST_END:
            self.fired = now
            still = f"{self.waits_for} still runs, and this would be measured beside it"
            self.failure, self.over = f"Not measured: {still}.", True
        return False

    def fire(self, source: Source, requests: int, now: int) -> None:
        """Send its requests."""
        self.fired = now
        try:
            self.sent = source.fire(self.file, requests)
        except InputError as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.failure, self.over = words.one_line(str(error)) or type(error).__name__, True

    def follow(self, timeline: Timeline, wanted: int, threads: int) -> None:
        """Collect its requests; it is over when `wanted` of them have been answered.

        `threads` is the thread limit.
        """
        fired = self.fired
        if fired is None or self.over:
            return
        if self.sent is not None and self.sent.done() and not self.sent.cancelled():
            error = self.sent.exception()
            if error is not None:
                self._fail(error)
                return
        self.requests = [
            request
            for request in timeline.requests.values()
            if request.own
            and request.start >= fired
            and (request.method, request.path) == (self.file.method, self.file.path)
        ]
        answered = sum(1 for request in self.requests if request.received is not None)
        self.over = answered >= wanted
        if self.over:
            sample = sample_of(timeline, self.requests, {}, threads=threads)
            self.entry = Entry(self.file.name, sample, timeline.sees_iterations)

    def makespan(self, now: int) -> int:
        """From the first request sent to the last one done, or up to `now`."""
        if not self.requests:
            return 0
        end = max((r.done or now) if self.over else now for r in self.requests)
        return end - min(r.start for r in self.requests)


def compose_lineup(
    palette: Palette,
    keys: Keys,
    timeline: Timeline,
    lineups: Sequence[Lineup],
    now: int,
    width: int,
    height: int,
) -> list[Line]:
    """The frame: `height` lines of `width` cells; every run on the same scale of time."""
    title, dim, text = palette.text("title"), palette.text("dim"), palette.text("text")
    label, says = 9, 9
    cells = max(10, width - label - says)
    longest = max((lineup.makespan(now) for lineup in lineups), default=0)
    half = max(1, -(-max(longest, NS) // (2 * cells)))
    ranked = ranking([lineup.entry for lineup in lineups if lineup.entry is not None])
    room = max(1, (height - 3) // max(1, len(lineups)) - 2)
    lines: list[Line] = [[Segment(" Side by side, from the first request sent", title)], []]
    for lineup in lineups:
        lines.append(_title(palette, lineup, now, ranked))
        shown = lineup.requests[:room]
        for request in shown:
            zero = min(r.start for r in lineup.requests)
            shifted = (
                (start - zero, end - zero, code)
                for start, end, code in request_stretches(request, timeline.threshold, now)
            )
            codes = raster(shifted, half, 0, 2 * cells)
            line: Line = [Segment(f" #{request.id:<{label - 2}}", dim)]
            for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
                character, style = palette.cell(*pair)
                line.append(Segment(character * len(list(run)), style))
            line.append(Segment(f"{words.duration(request.latency(now)):>{says}}", text))
            lines.append(line)
        if len(lineup.requests) > room:
            lines.append([Segment(f" and {len(lineup.requests) - room} more", dim)])
        lines.append([])
    lines = lines[: height - 1]
    lines += [[] for _ in range(height - 1 - len(lines))]
    again, close = keys.shown("comparison.again"), keys.shown("comparison.close")
    lines.append([Segment(f" {again} compare others  {close} back to the picture", dim)])
    return [fitted(line, width, palette) for line in lines]


def _title(palette: Palette, lineup: Lineup, now: int, ranked: Ranking) -> Line:
    line = [
        Segment(f" {printable(lineup.file.name)}", palette.text("title")),
        Segment(f"  {printable(lineup.file.facts.title)}  ", palette.text("dim")),
    ]
    if lineup.fired is None:
        waits = f"waits until {lineup.waits_for} has ended" if lineup.waits_for else "waits for its turn"
        line.append(Segment(waits, palette.text("dim")))
    elif lineup.failure:
        line.append(Segment(printable(lineup.failure), palette.text("alarm")))
    else:
        entry = lineup.entry
        took = words.duration(lineup.makespan(now) if entry is None else entry.sample.makespan * NS)
        said = _standing(entry, ranked) if entry is not None else ""
        roles: dict[bool, Literal["alarm", "good", "text"]] = {
            entry is not None and bool(entry.sample.errors): "alarm",
            entry is not None and entry is ranked.winner: "good",
        }
        line.append(Segment(f"{took}: {said}" if said else took, palette.text(roles.get(True, "text"))))
    return line


def _standing(entry: Entry, ranked: Ranking) -> str:
    """How it compares with the others that are over; empty while there is nothing to say."""
    errors = entry.sample.errors
    if errors:
        return f"{len(errors)} of {len(entry.sample.requests)} failed: {printable(errors[0], 60)}"
    if entry is ranked.winner:
        return "the fastest"
    if entry in ranked.behind:
        return f"{ranked.factor(entry) or 1:.1f} times as long"
    return "no clear winner, within the noise" if len(ranked.first) > 1 else ""


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
        self.surface = Surface()

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    def follow(self, now: int) -> None:
        """One frame: fire the next one when the one before is over, and draw."""
        picture = self._picture
        for place, lineup in enumerate(self._lineups):
            if lineup.fired is None and lineup.may_fire(self._lineups[:place], now):
                lineup.fire(picture.source, self._requests, now)
            lineup.follow(picture.timeline, self._requests, picture.source.threads)
            if not lineup.over:
                break
        width, height = self.surface.size
        if width > 0 and height > 0:
            self.surface.show(
                compose_lineup(
                    picture.palette, picture.keys, picture.timeline, self._lineups, now, width, height
                )
            )

    def action_again(self) -> None:
        """Choose others."""
        self.dismiss()
        self._choose_again()
