"""A block: the event loop is held for as long as the threshold, or longer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from loopviz.model.limits import MAX_LINES
from loopviz.model.segments import Where

__all__ = ["BLOCK_THRESHOLD", "NOTABLE", "Block", "By", "Keeper", "Shares"]

NOTABLE = 0.1
"""A part of a block that is smaller than this is not worth a word: it may be an error of measurement."""

By: TypeAlias = Literal["step", "callback", "callbacks"]

BLOCK_THRESHOLD = 100_000_000
"""A stretch of the loop that lasts at least this long (ns) is a block."""


class Shares(NamedTuple):
    """Which part of a block the loop's thread spent on what. What is left, it slept."""

    cpu: float
    """It used the CPU."""
    core: float = 0.0
    """It could have, but no core was free: it was computing."""
    gil: float | None = 0.0
    """It waited for the GIL; None where it is not known whether it waited or slept."""


class Keeper(NamedTuple):
    """A thread that has kept the GIL, so that no other thread ran Python code."""

    thread: int
    request: int
    """The request that its call serves; 0 for none."""
    where: Where | None
    """The line of that call, where it is known."""
    kept: int
    """For how long, within the block (ns)."""


@dataclass(slots=True)
class Block:
    """A stretch (ns) in which a step, or callbacks, held the loop at least as long as the threshold."""

    start: int
    end: int | None
    """None while it lasts."""
    request: int
    """The request whose step or callback it is; 0 for none, and for a task that no request awaits."""
    task: str = ""
    """The name of the coroutine of the task whose step it is; "" for a callback."""
    started_by: int = 0
    """The request that has started that task and does not await it; 0 for none."""
    shares: Shares | None = None
    """What the loop's thread did meanwhile; None where that cannot be seen."""
    classified: bool = False
    """Whether all readings are there that can say something about `shares`."""
    keeper: Keeper | None = None
    """The call that kept the GIL longest meanwhile, where one can be named."""
    gil: int = 0
    """For how long the loop's own thread was seen to keep the GIL meanwhile (ns)."""
    lines: Counter[Where] = field(default_factory=Counter)
    """The lines at which it was seen, and how often."""
    victims: list[int] = field(default_factory=list)
    """The requests that could have run meanwhile; `delays` and `spares` add one and remove it."""
    late: dict[int, int] = field(default_factory=dict)
    """Those of them that were known only afterwards, and since when each could have run."""
    by: By = "step"
    """What held the loop: a step of a task, one callback, or callbacks of which it is not known whether
    they were one."""
    worker: int = 0
    """The worker of the server whose loop it holds; see `loopviz.stream.several`."""
    letter: str = ""
    """The letter of that worker; empty where there is one only."""

    _gil_until: int = field(default=0, init=False, compare=False, repr=False)
    """Up to when `gil` is counted."""
    _known: set[int] = field(default_factory=set, init=False, compare=False, repr=False)
    """The victims as a set, while it is of use."""

    @property
    def where(self) -> Where | None:
        """The line at which it was seen most often."""
        return self.lines.most_common(1)[0][0] if self.lines else None

    @property
    def kind(self) -> str | None:
        """``sleeping``, ``computing`` or ``waiting_for_gil``: what it did longest; else None."""
        if self.shares is None:
            return None
        cpu, core, gil = self.shares.cpu, self.shares.core, self.shares.gil
        if gil is None:
            return "computing" if cpu + core >= 0.5 else None
        return max(_kinds(cpu + core, gil), key=lambda kind: kind[1])[0]

    @property
    def keeps_gil(self) -> bool:
        """Whether it holds the GIL as well, for most of the time or for so long that others suffer."""
        return self.gil >= BLOCK_THRESHOLD and self.kind != "waiting_for_gil"

    @property
    def culprit(self) -> tuple[int, Where | None]:
        """The request and the line to blame: of the call that keeps the GIL, if the loop waits for that."""
        if self.kind == "waiting_for_gil" and self.keeper is not None:
            return self.keeper.request, self.keeper.where
        return self.request, self.where

    @property
    def mixed(self) -> list[tuple[str, float]]:
        """The kinds with a notable share, the largest first; empty unless there are several."""
        if self.shares is None or self.shares.gil is None:
            return []
        cpu, core, gil = self.shares.cpu, self.shares.core, self.shares.gil
        kinds = sorted(_kinds(cpu + core, gil), key=lambda kind: -kind[1])
        notable = [kind for kind in kinds if kind[1] >= NOTABLE]
        return notable if len(notable) > 1 else []

    @property
    def line_shares(self) -> list[tuple[Where, float]]:
        """The lines at which it was seen, and the part of the samples at each, the most frequent first."""
        seen = self.lines.total()
        return [(where, number / seen) for where, number in self.lines.most_common()]

    def delays(self, number: int) -> bool:
        """Add a request to the victims; returns whether it was none of them yet."""
        if len(self._known) != len(self.victims):
            self._known = set(self.victims)
        if number in self._known:
            return False
        self._known.add(number)
        self.victims.append(number)
        return True

    def spares(self, number: int) -> None:
        """Remove a request from the victims, if it was added last."""
        if self.victims[-1:] == [number]:
            self.victims.pop()
            self._known.discard(number)

    def settle(self) -> None:
        """Few more victims are expected: what makes adding them cheap is released."""
        self._known = set()

    def seen_at(self, where: Where) -> None:
        """A sample found it at this line."""
        if where in self.lines or len(self.lines) < MAX_LINES:
            self.lines[where] += 1

    def kept_gil(self, since: int, t: int) -> None:
        """The loop's own thread kept the GIL for that time; what is counted already is not counted again."""
        end = t if self.end is None else min(self.end, t)
        self.gil += max(0, end - max(self.start, since, self._gil_until))
        self._gil_until = max(self._gil_until, end)

    def lasted(self, now: int) -> int:
        """Its length up to `now`."""
        return (now if self.end is None else min(self.end, now)) - self.start


def _kinds(computing: float, gil: float) -> list[tuple[str, float]]:
    return [("computing", computing), ("waiting_for_gil", gil), ("sleeping", 1 - computing - gil)]
