"""What is at work at a moment: which functions, who is at which of their lines, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass

from loopviz.draw import words
from loopviz.draw.look import BLOCK, CODES, KINDS
from loopviz.draw.safe import printable
from loopviz.model import Block, State, Timeline, Where
from loopviz.model.heat import NOWHERE, Heat, Spot, Warmth
from loopviz.model.positions import Position, position, positions
from loopviz.tui.scene.code.endpoints import Endpoints
from loopviz.tui.scene.code.files import Files
from loopviz.tui.scene.code.libraries import Libraries
from loopviz.tui.scene.code.places import Places, placed
from loopviz.tui.scene.code.sections import Reader, Section, Sections
from loopviz.tui.scene.code.subject import Subject, subject
from loopviz.tui.scene.frame import Facts
from loopviz.tui.view import View

__all__ = ["Now", "Work"]

_MOST_CHILDREN = 1_000
_HANDLERS = 100
"""Of so many requests, the latest, the endpoints are shown where there is no burst."""
_PAUSES = ((30, 1), (100, 100_000_000), (400, 250_000_000))
_LONGEST = 500_000_000
"""While up to so many requests and tasks are alive, how often it is looked (ns); and where there are more."""


@dataclass(frozen=True, slots=True)
class Now:
    """A moment, beside the functions."""

    about: Subject
    found: Places
    most: int
    """The longest time at any line, and at none (ns)."""
    alarms: Mapping[Spot, str]
    """The lines that block, and what is said of each."""
    begun: Collection[int]
    """Requests without a line that are ready, and have run before."""
    fresh: bool
    """Whether other functions are shown than before."""


class Work:
    """Finds it, and keeps what the next moment can use."""

    def __init__(self) -> None:
        self.files = Files()
        self.pause = _PAUSES[0][1]
        """How long a moving picture may go without another look (ns): the more there is, the longer."""
        self._heat = Heat()
        self._endpoints = Endpoints()
        self._sections = Sections()

    @property
    def sections(self) -> Sequence[Section]:
        """The functions, and what is at their lines."""
        return self._sections.shown

    def forget(self) -> None:
        """Discard everything: the timeline has changed."""
        self._heat = Heat()
        self.files.forget()
        self._endpoints.forget()
        self._sections.forget()

    def at(self, facts: Facts, timeline: Timeline, view: View) -> Now:
        """What is at work at the moment of this view."""
        moment, about = view.moment, subject(timeline, view)

        def read(file: str) -> Sequence[str] | None:
            return self.files.lines(timeline, facts, file)

        def handler(number: int) -> Where | None:
            return self._endpoints.of(timeline, facts, read, number)

        endpoints = self._answering(facts, timeline, about, read, handler)
        hidden: Container[str] = () if view.expanded else Libraries(endpoints)
        block = timeline.block_at(moment)
        everything = positions(timeline, moment)
        children = _children(timeline, everything, moment)
        found = placed(everything, handler, block, children, hidden)
        heat = _without(self._heat.of(timeline, about.requests, moment, about.key), hidden)
        fresh = self._sections.update((about.of, view.expanded), read, endpoints, found, heat)
        begun = {
            mark.request
            for marks in found.above.values()
            for mark in marks
            if mark.code == CODES[State.READY] and _has_begun(timeline, mark.request, moment)
        }
        count = len(everything) + sum(map(len, children.values()))
        self.pause = next((pause for most, pause in _PAUSES if count <= most), _LONGEST)
        most = max((warmth.total for warmth in heat.values()), default=0)
        return Now(about, found, most, _alarms(block, found, moment), begun, fresh)

    def _answering(
        self,
        facts: Facts,
        timeline: Timeline,
        about: Subject,
        read: Reader,
        handler: Callable[[int], Where | None],
    ) -> list[Where]:
        """The endpoints of the requests that are shown."""
        if about.burst is not None:
            of_burst = self._endpoints.of_burst(timeline, facts, read, about.burst)
            return [] if of_burst is None else [of_burst]
        known = (handler(request.id) for request in about.requests[-_HANDLERS:])
        return list(dict.fromkeys(where for where in known if where is not None))


def _without(heat: Mapping[Spot, Warmth], hidden: Container[str]) -> dict[Spot, Warmth]:
    """The time at the lines of these files is at none."""
    found: dict[Spot, Warmth] = {}
    for spot, warmth in heat.items():
        if spot[0] not in hidden:
            found.setdefault(spot, Warmth(warmth.where)).add(warmth)
        else:
            found.setdefault(NOWHERE, Warmth(None)).add(warmth)
    return found


def _children(timeline: Timeline, everything: Sequence[Position], moment: int) -> dict[int, list[Position]]:
    """Where the tasks are that these requests await."""
    found: dict[int, list[Position]] = {}
    count = 0
    for one in everything:
        if one.request < 0 or count >= _MOST_CHILDREN:
            continue
        for child in timeline.children(one.request):
            if child.start < moment and (child.end is None or child.end > moment):
                at = position(timeline, child.row, moment)
                if at is not None:
                    found.setdefault(one.request, []).append(at)
                    count += 1
    return found


def _has_begun(timeline: Timeline, number: int, moment: int) -> bool:
    """Whether a request has run before the moment."""
    request = timeline.requests.get(number)
    if request is None:
        return True
    return any(segment.state is State.RUNNING and segment.start < moment for segment in request.segments)


def _alarms(block: Block | None, found: Places, moment: int) -> dict[Spot, str]:
    """The lines that block at the moment, and what is said of each."""
    if block is None:
        return {}
    _, blamed = block.culprit
    said = []
    if blamed is not None and blamed.calls:
        said.append(printable(blamed.calls, 60))
    if block.kind is not None:
        said.append(KINDS[block.kind][1])
    said.append(words.duration(block.lasted(moment)))
    text = " ".join(said)
    spots = {spot: text for spot, marks in found.lines.items() if any(mark.code == BLOCK for mark in marks)}
    if blamed is not None and (blamed is not block.where or not spots):
        spots[blamed.file, blamed.line] = text
    return spots
