"""At which line each request is at a moment: what the positions of the model are in the code."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loopviz.draw.look import APPEARANCES, BLOCK, CODES
from loopviz.model import Block, Where
from loopviz.model.positions import Position, Station
from loopviz.model.sightings import Frames

__all__ = ["ORDER", "Mark", "Places", "Spot", "placed"]

Spot = tuple[str, int]
"""A file, and the number of a line."""
ORDER = {
    appearance.code: at for at, appearance in enumerate(sorted(APPEARANCES, key=lambda a: a.code != BLOCK))
}
"""The order in which states are named at a line: a block first."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A request, or a task of one, at a line."""

    request: int
    """The number of the request; negative for a task that one has started, 0 for a callback."""
    code: str
    """The code of its state, or of a block."""
    task: int = 0
    """The child task; 0 for the request itself."""
    position: Position | None = None

    @property
    def callers(self) -> Frames:
        """The user's lines that have led to its line, outermost first."""
        return () if self.position is None else self.position.callers

    @property
    def inside(self) -> Frames:
        """The lines of libraries inside of its line, outermost first."""
        return () if self.position is None else self.position.inside


@dataclass(slots=True)
class Places:
    """Where everything is that is alive."""

    lines: dict[Spot, list[Mark]] = field(default_factory=dict)
    above: dict[Spot | None, list[Mark]] = field(default_factory=dict)
    """What is at no line yet, by the endpoint that answers it: in the socket, or not seen at a line."""
    through: dict[Spot, list[Mark]] = field(default_factory=dict)
    """What is in a function that was called at a line, by that line."""
    wheres: dict[Spot, Where] = field(default_factory=dict)
    """What is known of each line in `lines` and `through`, and of each endpoint in `above`."""

    @property
    def count(self) -> int:
        """How many marks there are."""
        return sum(map(len, self.lines.values())) + sum(map(len, self.above.values()))

    def at(self, where: Where, mark: Mark) -> None:
        """This is at a line."""
        spot = where.file, where.line
        self.wheres.setdefault(spot, where)
        self.lines.setdefault(spot, []).append(mark)
        for caller in mark.callers:
            spot = caller.file, caller.line
            self.wheres.setdefault(spot, caller)
            self.through.setdefault(spot, []).append(mark)

    def before(self, endpoint: Where | None, mark: Mark) -> None:
        """This is at no line yet."""
        spot = None if endpoint is None else (endpoint.file, endpoint.line)
        if endpoint is not None:
            self.wheres.setdefault((endpoint.file, endpoint.line), endpoint)
        self.above.setdefault(spot, []).append(mark)


def placed(
    positions: Iterable[Position],
    handler: Callable[[int], Where | None],
    block: Block | None,
    children: Mapping[int, Sequence[Position]] | None = None,
    hidden: Container[str] = (),
) -> Places:
    """Where each of these is. `handler` knows the endpoint of a request; `block` holds the loop.

    `children` are the tasks that a request awaits: they stand for the request where it is at the same line,
    or at none. What is in a file that is `hidden` is at none.
    """
    found = Places()
    held, blamed = (block.request, block.where) if block is not None else (0, None)
    seen = False
    for position in positions:
        code, where = CODES[position.state], position.where
        if block is not None and position.station is Station.LOOP and _holds(block, position):
            code, where, seen = BLOCK, where or blamed, True
        if position.station is Station.SOCKET or (where is not None and where.file in hidden):
            where = None
        stands = False
        for task in (children or {}).get(position.request, ()):
            if task.where is not None and task.where.file not in hidden:
                held_by = code == BLOCK and task.station is Station.LOOP
                mark = Mark(position.request, BLOCK if held_by else CODES[task.state], -task.request, task)
                found.at(task.where, mark)
                stands = stands or where is None or (mark.code == code and task.where[:2] == where[:2])
        if stands:
            continue
        endpoint = handler(position.request)
        if where is None and position.station is Station.POOL_QUEUE:
            where = endpoint  # it waits before the first line
        mark = Mark(position.request, code, 0, position)
        if where is not None:
            found.at(where, mark)
        else:
            found.before(endpoint, mark)
    if block is not None and blamed is not None and not seen and not held and blamed.file not in hidden:
        found.at(blamed, Mark(0, BLOCK))
    return found


def _holds(block: Block, position: Position) -> bool:
    """Whether this is what holds the loop: a request, or a task that one has started."""
    if block.request:
        return position.request == block.request
    return position.request < 0
