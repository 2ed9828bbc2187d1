"""Steps on the loop that are shorter than a block, and so long, or so many, that others wait as for one.

They are looked for in each kind of request, by method and path: what only some requests of a kind do is a
cold start, or an accident of a busy machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from loopviz.findings.loss import Loss, merged
from loopviz.findings.seen import Seen
from loopviz.model import BLOCK_THRESHOLD, Segment, State, Where

__all__ = ["Steps", "long_steps", "many_steps"]

_SAMPLED = 20_000_000
"""A step of this length (ns) has a line: the sampler looks that often. On a busy machine, its wait for a core
is no part of it."""
_USUAL = 0.5
"""A kind of request has such steps if this part of its requests has."""
_COMPUTES = 0.25
"""Steps compute if the loop's thread used the CPU for this part of their time: a call that waits uses some of
it as well, and on a busy machine one that computes does not get all of it."""
_BESIDE = 0.5
"""Worker threads that use so much of a core together may have had the GIL when a step needed it."""
_APART = 50_000_000
"""Steps with less than this in between (ns) are one stretch: the CPU clock is not read between them."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of requests."""

    of: dict[int, list[Segment]]
    """By the number of the request."""

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.of.values()))

    @property
    def length(self) -> int:
        """How long all of them are together (ns)."""
        return sum(map(_length, self.of.values()))

    @property
    def longest(self) -> int:
        """The length of the longest one (ns)."""
        return max(s.end - s.start for one in self.of.values() for s in one)

    @property
    def where(self) -> Where | None:
        """The line at which they were seen for the longest time."""
        return _most((s.where, s.end - s.start) for one in self.of.values() for s in one)

    @property
    def culprits(self) -> list[int]:
        """The requests, those that ran longest first."""
        return sorted(self.of, key=lambda number: -_length(self.of[number]))

    def loss(self, seen: Seen) -> Loss:
        """What requests waited for the loop while it executed these steps, without its waits for a core."""
        if not seen.several:
            return seen.behind(self._stretches(), share=self.own(seen))
        loss, of = Loss(), dict[int, dict[int, list[Segment]]]()
        for number, steps in self.of.items():
            of.setdefault(seen.by_number[number].worker, {})[number] = steps
        for worker, own in of.items():
            loss.include(seen.behind(Steps(own)._stretches(), worker=worker))
        return loss

    def own(self, seen: Seen) -> float:
        """The part of their time in which the loop's thread did not wait for a free core, about."""
        stretches, lane = self._stretches(_APART), seen.timeline.loop
        start, end = stretches[0][0], stretches[-1][1]
        core = lane.waited_for_core(start, end)
        if seen.several or core is None:
            return 1.0
        return max(0.01, 1 - core * (end - start) / sum(until - since for since, until in stretches))

    def cpu(self, seen: Seen) -> float | None:
        """The part of their time in which the loop's thread computed, about; None if that is not known.

        Its CPU clock is read ten times a second: that says what it did in all of them together.
        """
        stretches, lane = self._stretches(_APART), seen.timeline.loop
        if seen.several or not stretches or not lane.measures(stretches[0][0]):
            return None
        used = lane.used(stretches[0][0], stretches[-1][1])
        return min(1.0, used / sum(end - start for start, end in stretches))

    def takes_turns(self, seen: Seen) -> bool:
        """Whether requests compute in several of them, and give way in between; else each one blocks."""
        return self.count >= 2 * len(self.of) and self.computes(seen) is not False

    def computes(self, seen: Seen) -> bool | None:
        """Whether they compute; None if that is not known."""
        cpu = self.cpu(seen)
        return None if cpu is None else cpu >= _COMPUTES

    def beside_threads(self, seen: Seen) -> bool:
        """Whether worker threads computed for most of their time: which of them had the GIL is not known.

        Only where the server has one worker: of several, it is not known whether the steps compute.
        """
        stretches = self._stretches(_APART)
        lanes = [lane for lane in seen.timeline.workers.values() if lane.role == "thread"]
        used = sum(lane.used(start, end) for lane in lanes for start, end in stretches)
        return used >= _BESIDE * sum(end - start for start, end in stretches)

    def _stretches(self, touch: int | None = None) -> list[tuple[int, int]]:
        steps = ((s.start, s.end) for one in self.of.values() for s in one)
        return merged(steps) if touch is None else merged(steps, touch)


def many_steps(seen: Seen) -> Steps:
    """Steps of requests that compute on the loop as long as a block, in several steps.

    What counts is the CPU time: on a busy machine every step takes longer.
    """
    short = _short(seen)
    cpu = Steps(short).cpu(seen)
    enough = BLOCK_THRESHOLD / (1.0 if cpu is None else max(cpu, 0.01))
    return Steps(
        _usual(seen, {n: ran for n, ran in short.items() if len(ran) > 1 and _length(ran) >= enough})
    )


def long_steps(seen: Seen) -> list[Steps]:
    """Steps of other requests that were long enough to be sampled, put together by their functions."""
    others = many_steps(seen).of
    if len(others) == len(_short(seen)):
        return []
    least = _SAMPLED / Steps(_short(seen)).own(seen)
    sampled = {
        number: [s for s in ran if s.end - s.start >= least]
        for number, ran in _short(seen).items()
        if number not in others
    }
    functions: dict[object, dict[int, list[Segment]]] = {}
    for number, ran in _usual(seen, {n: ran for n, ran in sampled.items() if ran}).items():
        where = _most((s.where, s.end - s.start) for s in ran)
        functions.setdefault(where and (where.file, where.function), {})[number] = ran
    _add_unseen(seen, functions)
    return [Steps(of) for of in functions.values()]


def _add_unseen(seen: Seen, functions: dict[object, dict[int, list[Segment]]]) -> None:
    """Put steps whose lines were not seen to those of their kind of request, if these are of one function.

    A step that is hardly longer than the time between two samples has no line now and then.
    """
    unseen = functions.pop(None, {})
    for number, ran in unseen.items():
        same = [
            of
            for function, of in functions.items()
            if function is not None and any(_kind(seen, other) == _kind(seen, number) for other in of)
        ]
        (same[0] if len(same) == 1 else functions.setdefault(None, {}))[number] = ran


def _kind(seen: Seen, number: int) -> tuple[str, str]:
    return seen.by_number[number].method, seen.by_number[number].path


def _short(seen: Seen) -> dict[int, list[Segment]]:
    """Of each request that ran long enough to matter: its steps that are no blocks."""
    known: dict[int, list[Segment]] | None = seen.worked_out.get(__name__)
    if known is None:
        known = seen.worked_out[__name__] = {}
        for request in seen.requests:
            ran = [
                s
                for s in seen.segments(request)
                if s.state is State.RUNNING and s.end - s.start < seen.timeline.threshold
            ]
            if _length(ran) >= _SAMPLED:
                known[request.id] = ran
    return known


def _usual(seen: Seen, steps: dict[int, list[Segment]]) -> dict[int, list[Segment]]:
    """Those whose kind of request usually has such steps."""
    kinds = Counter((request.method, request.path) for request in seen.requests) if steps else Counter()
    kind = {number: _kind(seen, number) for number in steps}
    have = Counter(kind.values())
    return {n: ran for n, ran in steps.items() if have[kind[n]] >= _USUAL * kinds[kind[n]]}


def _length(steps: list[Segment]) -> int:
    return sum(s.end - s.start for s in steps)


def _most(lines: Iterable[tuple[Where | None, int]]) -> Where | None:
    """The line with the longest time."""
    times: Counter[Where] = Counter()
    for where, time in lines:
        if where is not None:
            times[where] += time
    return times.most_common(1)[0][0] if times else None
