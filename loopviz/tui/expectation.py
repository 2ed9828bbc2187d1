"""How long a burst may take: answers to choose from before it is fired, and which one the measurement is."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.scenario import Load, Scenario

__all__ = ["answers", "nearest", "question", "said"]

_MOST = 4
_APART = 1.4
"""Two answers differ at least by this factor."""


def question(requests: int) -> str:
    """What is asked."""
    return f"How long until all {requests} are done?" if requests > 1 else "How long until it is done?"


def answers(facts: Scenario, requests: int, threads: int) -> list[int]:
    """Four times (ns), the shortest first: what the scenario's law gives, and what one may believe instead.

    That is all at once, one after the other, as many at once as there are threads or cores, and whatever
    else differs clearly. The CPU time of a request is not measured yet: its declared time stands for it.
    """
    load = Load.here(requests, threads, facts.seconds, facts.seconds)
    one = facts.seconds
    try:
        expected = facts.expected(load)
    except ValueError:
        expected = one
    rounds = -(-requests // threads), -(-requests // load.cores)
    believed = [expected, one, requests * one, *(number * one for number in rounds)]
    believed += [expected * factor for factor in (2, 0.5, 4, 0.25, 8)]
    chosen: list[float] = []
    for seconds in believed:
        if 1e-4 < seconds < 1e6 and all(abs(log(seconds / other)) >= log(_APART) for other in chosen):
            chosen.append(seconds)
    return sorted(round(seconds * NS) for seconds in chosen[:_MOST])


def nearest(times: Sequence[int], measured: int) -> int:
    """The position, from 1, of the time that differs least from what was measured, as a factor."""
    return 1 + min(range(len(times)), key=lambda at: abs(log(max(1, measured) / times[at])))


def said(times: Sequence[int], guess: int, measured: int) -> str:
    """What was guessed, by its position from 1, and what was measured, in a sentence or two."""
    took = f"it took {words.duration(measured)}"
    if nearest(times, measured) == guess:
        return f"You said {words.ordinary(times[guess - 1])}, and {took}. Right!"
    return f"You said {words.ordinary(times[guess - 1])}, but {took}."
