"""The table of sentences: what is said while requests are in progress, and under which condition.

The first row whose condition holds is said. ``docs/sentences.md`` is written from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loopviz.draw.story import of_calm, of_loop, of_workers
from loopviz.draw.story.moment import Moment
from loopviz.draw.words import Mood
from loopviz.model import State

__all__ = ["GIL_WAIT", "MORE_THAN_ONE_CORE", "TABLE", "Sentence"]

GIL_WAIT = 0.25
"""Threads wait for the GIL if each was measured to wait for it in this part of the time, on average."""
MORE_THAN_ONE_CORE = 1.25
"""Threads that use more cores than this together do not wait for the GIL only."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A row: what is said, and when."""

    id: str
    when: str
    """The condition, in words."""
    holds: Callable[[Moment], bool]
    """The condition."""
    say: Callable[[Moment], list[str]]
    """One or two sentences; of at most 77 columns each if the moment asks for brief ones."""
    mood: Mood
    repair: Callable[[Moment], str] | None = None
    """What repairs it, as far as the condition alone shows; empty where it does not. None if nothing is
    to be repaired. A scenario that declares its repair says it better."""


def _never(_: Moment) -> str:
    return ""


TABLE: tuple[Sentence, ...] = (
    Sentence(
        "stopped", "The server's process is stopped, as by SIGSTOP: seen from another process.",
        lambda m: m.timeline.stopped_since(m.now) is not None,
        of_loop.stopped, "alarm", _never,
    ),
    Sentence(
        "gil-block", "A block holds the loop, and the loop was measured to wait for the GIL.",
        lambda m: m.block is not None and m.block.kind == "waiting_for_gil",
        of_loop.gil_block, "alarm", lambda _: "code that releases the GIL, or a process pool.",
    ),
    Sentence(
        "gil-kept", "A block holds the loop, and its code keeps the GIL for the threshold or longer.",
        lambda m: m.block is not None and m.block.keeps_gil,
        of_loop.gil_kept, "alarm", of_loop.repair_of_gil_kept,
    ),
    Sentence(
        "block-elsewhere",
        "A step or a callback holds the loop of one worker, requests wait for it, and another loop is idle.",
        lambda m: m.elsewhere is not None,
        of_loop.elsewhere, "alarm", of_loop.repair_of_block,
    ),
    Sentence(
        "block", "A step or a callback holds the loop for the threshold or longer.",
        lambda m: m.block is not None,
        of_loop.block, "alarm", of_loop.repair_of_block,
    ),
    Sentence(
        "starvation", "Requests wait long for the loop, and no step or callback is long.",
        lambda m: m.starvation is not None,
        of_loop.starvation, "alarm", _never,
    ),
    Sentence(
        "pool-full", "Requests wait for a worker of a pool whose workers are all in use.",
        lambda m: m.wait is not None and m.wait.full,
        of_workers.full, "alarm", of_workers.repair_of_pool,
    ),
    Sentence(
        "pool", "Requests wait for a worker of a pool that was not seen to be full.",
        lambda m: m.wait is not None,
        of_workers.not_full, "alarm", _never,
    ),
    Sentence(
        "gil",
        "Two or more worker threads compute, use no more than about one core together, and were measured to"
        " wait for the GIL.",
        lambda m: len(m.computing.shares) > 1
        and m.computing.cores <= MORE_THAN_ONE_CORE
        and m.computing.waits_for_gil > GIL_WAIT,
        of_workers.gil, "alarm", lambda _: "compute in a process pool: each has a GIL of its own.",
    ),
    Sentence(
        "cores", "Two or more worker threads compute, and are not known to wait for the GIL.",
        lambda m: len(m.computing.shares) > 1,
        of_workers.cores, "good",
    ),
    Sentence(
        "turns", "Two or more requests run on the loop in many short steps, and are ready in between.",
        lambda m: len(m.turns) > 1,
        of_calm.taking_turns, "good",
    ),
    Sentence(
        "processes", "Calls of requests execute in worker processes.",
        lambda m: bool(m.states[State.IN_PROCESS]),
        of_workers.in_processes, "good",
    ),
    Sentence(
        "threads", "Calls of requests execute in worker threads.",
        lambda m: bool(m.states[State.IN_THREAD]),
        of_workers.in_threads, "good",
    ),
    Sentence(
        "clients", "Requests wait for their clients: to take the response, or to send the body.",
        lambda m: bool(m.states[State.SENDING] or m.states[State.RECEIVING]),
        of_calm.clients, "good",
    ),
    Sentence(
        "awaiting", "Requests are suspended at an await.",
        lambda m: bool(m.states[State.AWAITING]),
        of_calm.awaiting, "good",
    ),
    Sentence(
        "progress", "Requests are in progress, and nothing above holds.",
        lambda m: bool(m.live),
        of_calm.progress, "good",
    ),
    Sentence(
        "nothing", "No request is in progress.",
        lambda _: True,
        of_calm.nothing, "dim",
    ),
)  # fmt: skip
"""The order matters: what holds the loop comes first, then what waits, then what works."""
