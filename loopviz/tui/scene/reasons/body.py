"""The reasons view: what was found at the moment that is shown, the gravest first, one of them opened."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment

from loopviz.draw.safe import printable
from loopviz.draw.words import count
from loopviz.findings import Finding
from loopviz.model import Timeline
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Hit, Line, Pen
from loopviz.tui.scene.reasons.known import Known
from loopviz.tui.scene.reasons.page import looking, nothing, opened, titled
from loopviz.tui.scene.reasons.subject import Subject, subject
from loopviz.tui.view import View

__all__ = ["ReasonsBody"]


class ReasonsBody:
    """Draws the reasons view, and caches what the next frame can reuse."""

    def __init__(self, pen: Pen, known: Known) -> None:
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last frame, counted from its first: what can be clicked, and where."""
        self._pen = pen
        self._known = known
        self._about: object = None

    @property
    def has_lanes(self) -> bool:
        """It has no lanes."""
        return False

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        self._known.forget()

    def lines(
        self, facts: Facts, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool
    ) -> list[Line]:
        """The view in at most `height` lines."""
        pen, about = self._pen, subject(timeline, view)
        self.hits = {}
        found = self._known.of(facts, timeline, view, about)
        gap: list[Line] = [[]] if roomy else []
        if about.key != self._about:  # something else was fired or selected: its gravest one is opened
            self._about, view.finding = about.key, 0 if self._about is not None else view.finding
        if not found:
            view.found = None
            said = [looking(pen, about.name)] if found is None else nothing(pen, facts, about.name, width)
            return [*gap, *said][:height]
        view.finding = max(0, min(view.finding, len(found) - 1))
        lines = [self._head(facts, found, about), *gap]
        chosen = view.finding
        view.found = found[chosen].where
        parts = opened(pen, facts, found[chosen], width, _twin(facts, about), roomy=roomy)
        titles = [titled(pen, one, width, chosen=at == chosen) for at, one in enumerate(found)]
        room = height - len(lines) - len(parts[0]) - 1
        before, after = _around(len(found), chosen, max(0, room - sum(map(len, parts[1:4]))))
        room = height - len(lines) - (1 + after - before)
        kept = _fitting(parts, room)
        for at in range(before, after + 1):
            if at < len(titles):
                lines.append(titles[at])
            if at == chosen:
                lines += kept
                lines += gap if len(found) > 1 else []
        return lines[:height]

    def _head(self, facts: Facts, found: Sequence[Finding], about: Subject) -> Line:
        """How many there are, of what, and how another one is chosen."""
        pen = self._pen
        said = f" {count(len(found), 'finding')} in {printable(about.name, 80)}"
        line: Line = [Segment(said, pen.title)]
        keys = facts.keys.shown("picture.next-request"), facts.keys.shown("picture.previous-request")
        if len(found) > 1 and all(keys):
            line.append(Segment(f"   {keys[0]} {keys[1]} choose another one", pen.dim))
        return line


def _twin(facts: Facts, about: Subject) -> str:
    """The scenario that shows the repair of what was fired, as it declares, if it is served here."""
    file = facts.scenario(about.burst.scenario) if about.burst is not None else None
    name = (file.facts.repaired or "") if file is not None else ""
    return name if facts.scenario(name) is not None else ""


def _around(count: int, chosen: int, room: int) -> tuple[int, int]:
    """The first and the last of the titles that are shown around the chosen one, in so many lines more."""
    first = last = chosen
    while room > 0 and (first > 0 or last < count - 1):
        if last < count - 1:
            last, room = last + 1, room - 1
        if first > 0 and room > 0:
            first, room = first - 1, room - 1
    return first, last


def _fitting(parts: Sequence[Sequence[Line]], room: int) -> list[Line]:
    """The parts that fit into so many lines, from the first on; one that does not is left out."""
    kept: list[Line] = []
    for part in parts:
        if len(kept) + len(part) <= room:
            kept += part
    return kept
