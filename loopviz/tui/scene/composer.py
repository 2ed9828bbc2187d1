"""The whole screen: headline, picture, sentences and keys, and which part is in which line."""

from __future__ import annotations

from itertools import islice

from loopviz.draw.linking import known_lines, linked
from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.tui.scene.body import Body
from loopviz.tui.scene.foot import HitLine, foot
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.header import header, together
from loopviz.tui.scene.lesson import lesson_lines, lesson_of
from loopviz.tui.scene.pen import Hit, Line, Pen, fitted
from loopviz.tui.scene.picture import Picture
from loopviz.tui.scene.reasons.known import Known
from loopviz.tui.scene.story import Story
from loopviz.tui.view import Look, View

__all__ = ["Scene"]

_NEWEST = 8
"""Of so many bursts the foot line knows whether they can be given up."""
_ROOMY = 30
"""From this height on there are empty lines, and two for the loop."""


class Scene:
    """Composes frames, and caches what the next one can reuse."""

    def __init__(self, palette: Palette, facts: Facts) -> None:
        self.palette = palette
        self.facts = facts
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """For each line of the last frame: columns from and to, and what can be clicked there."""
        self._lines = range(0)
        """The lines of the picture in the last frame."""
        self._pen = Pen(palette)
        self._picture = Picture(self._pen)
        self._known = Known()
        self._bodies: dict[Look, Body] = {"timeline": self._picture}
        self._story = Story(self._known)
        self._foot_key: tuple[object, ...] = ()
        self._foot_lines: list[HitLine] = []

    def forget(self) -> None:
        """Discard everything that was drawn: the palette or the timeline has changed."""
        for body in list(self._bodies.values()):
            body.forget()

    def compose(self, timeline: Timeline, view: View, width: int, height: int) -> list[Line]:
        """The frame: exactly `height` lines, each exactly `width` cells wide."""
        roomy = height >= _ROOMY
        gap: list[Line] = [[]] if roomy else []
        lesson = lesson_of(self.facts, timeline, view)
        workers = together(timeline, view.moment)
        top, headline = header(self._pen, self.facts, view, width, lesson, workers)
        head = [headline]
        head += [*lesson_lines(self._pen, lesson, width), *gap] if lesson is not None else gap
        said = self._story.lines(self._pen, self.facts, timeline, view, width, 3 if roomy else 2)
        story = [*gap, *said, *gap]
        story = [linked(line, known_lines(timeline, view.moment)) for line in story]
        keys = self._foot(view, width, unanswered=_unanswered(timeline, view))
        room = max(0, height - len(head) - len(story) - len(keys))
        body = self._body(view.look)
        picture = body.lines(self.facts, timeline, view, width, room, roomy=roomy)
        picture += [[]] * (room - len(picture))
        lines = [*head, *picture, *story]
        self._lines = range(len(head), len(head) + room) if body.has_lanes else range(0)
        self.hits = {y + len(head): hits for y, hits in body.hits.items()} | {0: top}
        if self._story.fires is not None:
            press = Hit(key=self.facts.keys.of("picture.repaired")[0])
            self.hits[len(head) + room + len(gap) + self._story.fires] = [(0, width, press)]
        for hits, line in keys:
            self.hits[len(lines)] = hits
            lines.append(line)
        return [fitted(line, width, self.palette) for line in lines[:height]]

    def prepare(self, look: Look) -> None:
        """Make ready for drawing this view; may be called in any thread."""
        self._body(look)

    def _body(self, look: Look) -> Body:
        """What draws this view. The first frame is there sooner if the modules of the others come later."""
        body = self._bodies.get(look)
        if body is None:
            body = self._bodies.setdefault(look, self._made(look))
        return body

    def _made(self, look: Look) -> Body:
        if look == "code":
            from loopviz.tui.scene.code import Beside, CodeBody  # noqa: PLC0415 - see `_body`

            return Beside(self._pen, self._picture, CodeBody(self._pen))
        if look == "machine":
            from loopviz.tui.scene.machine import MachineBody  # noqa: PLC0415

            return MachineBody(self._pen)
        from loopviz.tui.scene.reasons.body import ReasonsBody  # noqa: PLC0415

        return ReasonsBody(self._pen, self._known)

    def _foot(self, view: View, width: int, *, unanswered: bool) -> list[HitLine]:
        """The foot lines, which are made anew only if they say something else."""
        key = (
            self.palette.theme.name, self.facts, self._pen, width,
            view.requests, view.steps, view.threads, view.moves, unanswered, view.unread,
            view.load and view.load.per_second, view.knob, view.knobs,
        )  # fmt: skip
        if self._foot_key != key:
            self._foot_key, self._foot_lines = (
                key,
                foot(self._pen, self.facts, view, width, unanswered=unanswered),
            )
        return self._foot_lines

    def column(self, x: int, y: int) -> tuple[int, int] | None:
        """The first moment of the column there, and the one after its last (ns); None outside of lanes."""
        return self._picture.column(x) if y in self._lines else None

    def compose_lanes(self, timeline: Timeline, view: View, width: int, height: int) -> list[Line]:
        """The lanes alone, without head and foot, in exactly `height` lines."""
        lines = self._picture.lines(self.facts, timeline, view, width, height, roomy=height >= _ROOMY)
        self.hits, self._lines = self._picture.hits, range(height)
        return [fitted(line, width, self.palette) for line in lines]


def _unanswered(timeline: Timeline, view: View) -> bool:
    """Whether one of the newest bursts is not over."""
    newest = islice(reversed(timeline.bursts), _NEWEST)
    return any(burst.fired <= view.now and not burst.over(view.now) for burst in newest)
