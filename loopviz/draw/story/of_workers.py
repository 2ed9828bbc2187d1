"""Sentences about worker threads and processes: requests that wait for one, and those that have one."""

from __future__ import annotations

from loopviz.draw.safe import printable
from loopviz.draw.story.moment import FREE, Moment, Wait
from loopviz.draw.words import count, duration, fitting
from loopviz.model import State
from loopviz.model.pools import Pool

__all__ = ["cores", "full", "gil", "in_processes", "in_threads", "not_full", "repair_of_pool"]

_NARROW = 77
"""Columns of a brief sentence."""
_REMEDIES = {
    "default-limiter": "A higher thread limit (]) would let them start.",
    "limiter": "A higher total_tokens of it would let them start.",
    "default-executor": "loop.set_default_executor can set a larger one.",
    "executor": "A higher max_workers of it would let them start.",
    "processes": "More processes than cores would not be faster.",
}
_REPAIRS = {
    "default-limiter": "async def and await; or a higher thread limit (]).",
    "limiter": "a higher total_tokens of it, or await without a thread.",
    "default-executor": "loop.set_default_executor, or await without a thread.",
    "executor": "a higher max_workers of it, or await without a thread.",
}


def full(moment: Moment) -> list[str]:
    """All workers of a pool are in use: which pool, its size, who waits, and what would help."""
    wait = _wait(moment)
    pool = wait.pool
    if pool is None:
        return not_full(moment)
    brief = moment.brief
    waits, lasts, worker = _waits(moment, wait)
    remedy = f"{_loop_is(moment)} {_REMEDIES[pool.kind]}"
    if brief and len(remedy) > _NARROW:
        remedy = _REMEDIES[pool.kind]
    workers = f"worker {worker}es" if worker == "process" else f"{worker}s"
    in_use = f"All {pool.size} {workers}"
    if pool.size == 1:
        in_use = f"The only {'worker ' if worker == 'process' else ''}{worker}"
    of = f" of {_pool_name(pool, brief=brief)}" if pool.kind != "default-limiter" else ""
    if brief and pool.kind == "processes":
        of = ""
    use = " is in use" if pool.size == 1 else " are in use"
    if not brief:
        return [f"{in_use}{of}{use}, and {waits} for one: {lasts}", remedy]
    short = _pool_name(pool, brief=True)
    return [
        fitting(
            f"{in_use}{of}{use}; {waits} for one: {lasts}",
            f"{in_use}{of}{use}; {waits}, {lasts}",
            f"{in_use}{of} in use; {waits}, {lasts}",
            f"{short} is full ({pool.size}): {waits}, {lasts}",
        ),
        remedy,
    ]


def not_full(moment: Moment) -> list[str]:
    """Requests wait for a worker of a pool that was not seen to be full."""
    wait = _wait(moment)
    waits, lasts, worker = _waits(moment, wait)
    whose = f" of {_pool_name(wait.pool, brief=moment.brief)}" if wait.pool is not None else ""
    return [f"{waits} for a {worker}{whose}: {lasts}", _loop_is(moment)]


def repair_of_pool(moment: Moment) -> str:
    """What lets those start that wait for a worker of the pool; empty where that is not known."""
    wait = _wait(moment)
    return _REPAIRS.get(wait.pool.kind, "") if wait.pool is not None else ""


def gil(moment: Moment) -> list[str]:
    """Threads that compute, and were measured to wait for the GIL."""
    found = moment.computing
    each, waits = found.cores / len(found.shares), found.waits_for_gil
    if moment.brief:
        return [
            f"{len(found.shares)} threads share the GIL: on average each computes {each:.0%} of the time.",
            f"Each waits for it up to {waits:.0%} of the time, on average: only one can hold it.",
        ]
    return [
        f"{len(found.shares)} worker threads compute at once, and on average each gets {each:.0%} of a core.",
        f"Only one can hold the GIL at a time: each waits for it up to {waits:.0%} of the time, on average.",
    ]


def cores(moment: Moment) -> list[str]:
    """Threads that compute, and that are not known to wait for the GIL: what they use."""
    found = moment.computing
    number, each = len(found.shares), found.cores / len(found.shares)
    first = f"{number} worker threads compute at once, and on average each gets {each:.0%} of a core."
    second = f"Together they use {found.cores:.1f} cores."
    if found.waits_for_core > 2 * FREE:
        core = "one" if moment.brief else "a free core"
        second += f" On average each waits for {core} {found.waits_for_core:.0%} of the time."
    return [first, second]


def in_processes(moment: Moment) -> list[str]:
    """Requests whose calls execute in worker processes."""
    own = "a worker process, with a GIL of its own"
    if moment.states[State.IN_PROCESS] > 1:
        own = "worker processes, each with its own GIL"
    return [f"{_are(moment, State.IN_PROCESS)} in {own}.", _loop_is(moment)]


def in_threads(moment: Moment) -> list[str]:
    """Requests whose calls execute in worker threads."""
    where = "worker threads" if moment.states[State.IN_THREAD] > 1 else "a worker thread"
    return [f"{_are(moment, State.IN_THREAD)} in {where}.", _loop_is(moment)]


def _loop_is(moment: Moment) -> str:
    """How busy the event loop was, as measured."""
    if not moment.timeline.sees_iterations:
        return "How busy the event loop is cannot be seen here."
    if moment.busy < FREE:
        return "The event loop is free."
    return f"The event loop was busy for {moment.busy:.0%} of the last second."


def _waits(moment: Moment, wait: Wait) -> tuple[str, str, str]:
    """How many wait, which one has waited longest, and for a thread or a process."""
    number, longest = len(wait.since), wait.longest
    lasts = f"{moment.tag(longest)} for {duration(moment.now - wait.since[longest])}."
    waits = f"{count(number, 'request')} {'waits' if number == 1 else 'wait'}"
    if not moment.brief:
        waits = f"{count(number, 'request is', 'requests are')} waiting"
    return waits, lasts, "process" if wait.pool is not None and wait.pool.kind == "processes" else "thread"


def _are(moment: Moment, state: State) -> str:
    return count(moment.states[state], "request is", "requests are")


def _pool_name(pool: Pool, *, brief: bool) -> str:
    """A pool in the middle of a sentence; in at most 20 columns if it is to be brief."""
    if pool.kind == "default-executor" and brief:
        return "asyncio's executor"
    return printable(pool.title, 18 if brief else 40)


def _wait(moment: Moment) -> Wait:
    if moment.wait is None:
        raise LookupError("no request waits for a worker")
    return moment.wait
