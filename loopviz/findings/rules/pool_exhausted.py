"""A pool of the application's own is exhausted: asyncio's default executor, or one that it has made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from loopviz.clock import duration
from loopviz.findings.finding import Change, Finding
from loopviz.findings.kinds import kind_of
from loopviz.findings.seen import Seen
from loopviz.findings.source import is_library
from loopviz.findings.waits import Holder, Waits, computes, holders, waits_by_pool
from loopviz.findings.words import called, count, named
from loopviz.model import State, Where

__all__ = ["look"]

_EXECUTOR = re.compile(r"(ThreadPoolExecutor\(\s*(?:max_workers\s*=\s*)?)\d+")


def look(seen: Seen) -> Iterator[Finding]:
    """The executors whose threads were all taken while these requests waited for one.

    A pool of processes is none: more of them than cores would not be faster.
    """
    for waits in waits_by_pool(seen):
        if waits.pool.kind not in {"default-executor", "executor"} or not seen.matters(waits.loss):
            continue
        held = holders(seen, waits)
        if (not held or kind_of(seen, waits.pool, held[0]) != "wsgi") and not computes(seen, waits):
            yield _finding(seen, waits, held[0] if held else None)


def _finding(seen: Seen, waits: Waits, held: Holder | None) -> Finding:
    pool, loss, size = waits.pool, waits.loss, waits.size
    default = pool.kind == "default-executor"
    title = "asyncio's default executor" if default else f"the pool {pool.name}"
    waiter = _waiter(seen, loss.requests)
    where = held.where if held is not None else None
    if where is None or is_library(where.file):
        where = waiter
    threads = "thread" if size < 0 else count(size, "thread")
    taken = "all of its threads were taken" if size < 0 else f"all {size} were taken"
    if size == 1:
        taken = "its only one was taken"
    needed = max(0, size) + waits.at_once
    who = count(len(loss.requests), "request")
    return Finding(
        id="pool-exhausted",
        severity=seen.severity(loss),
        confidence="measured",
        title="A thread pool is exhausted",
        what=f"{who} waited for a thread of {title}, up to {duration(loss.longest)}: {taken}"
        + (f", at {called(where)}." if where is not None else "."),
        why=(
            f"asyncio.to_thread and run_in_executor(None, ...) share one executor with {threads}: unless the"
            " application sets another one, as many as the machine has cores and 4 more, at most 32."
            if default
            else f"The application has made it with {threads}, for all requests together."
        ),
        do=(
            "Use run_in_threadpool, which has 40 threads, or give the loop a larger executor"
            " (loop.set_default_executor)."
            if default
            else f"Give it a higher max_workers ({needed} for this load), or await without a thread."
        ),
        where=where,
        requests=named(loss.requests),
        culprits=named(held.requests) if held is not None else (),
        evidence=(
            ("waited for a thread", who),
            ("longest wait", duration(loss.longest)),
            ("threads", str(size) if size >= 0 else "not seen"),
            ("most that waited at once", str(waits.at_once)),
            ("pool", title),
        ),
        lost=loss.total,
        change=_change(seen, waiter or where, needed, default=default),
        repair="async-sleep" if _sleeps(seen, where) else None,
        scenario=seen.repaired or "threadpool",
        loss=loss,
    )


def _waiter(seen: Seen, waited: list[int]) -> Where | None:
    """The line at which a request waited."""
    for number in waited:
        for segment in seen.segments(seen.by_number[number]):
            if segment.state is State.TOKEN_WAIT and segment.where is not None:
                return segment.where
    return None


def _sleeps(seen: Seen, where: Where | None) -> bool:
    """Whether a thread is needed only to sleep: then a repair does without one."""
    lines = seen.lines(where.file) if where is not None else ()
    return where is not None and 0 < where.line <= len(lines) and "time.sleep" in lines[where.line - 1]


def _change(seen: Seen, where: Where | None, needed: int, *, default: bool) -> Change | None:
    """The line before and after, with another pool or a larger one; None where it is not found."""
    lines = seen.lines(where.file) if where is not None else ()
    if default and where is not None:
        text = lines[where.line - 1] if 0 < where.line <= len(lines) else ""
        if "asyncio.to_thread(" not in text:
            return None
        return (text.strip(),), (text.strip().replace("asyncio.to_thread(", "run_in_threadpool("),)
    made = [text.strip() for text in lines if _EXECUTOR.search(text)]
    return ((made[0],), (_EXECUTOR.sub(rf"\g<1>{needed}", made[0]),)) if len(made) == 1 else None
