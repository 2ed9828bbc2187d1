"""All threads of a limit are taken, and requests wait for one: by what the threads are held.

Endpoints, dependencies, files, streams, background tasks and validation share AnyIO's default limiter. A WSGI
bridge has threads of its own, one for each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from loopviz.clock import duration
from loopviz.findings.as_async import as_async
from loopviz.findings.finding import Finding
from loopviz.findings.kinds import Kind, kind_of
from loopviz.findings.loss import Loss
from loopviz.findings.seen import Seen
from loopviz.findings.source import is_library
from loopviz.findings.waits import SHORT, Holder, Waits, calls, computes, holders, waits_by_pool
from loopviz.findings.words import at, count, named
from loopviz.model import State, Where

__all__ = ["look"]

_WHY: Final[dict[Kind, str]] = {
    "endpoint": "A def endpoint has one of {pool} from its first line to its last, even while it waits.",
    "dependency": "A def dependency runs in one of {pool} as well, before the endpoint can begin.",
    "file": "A file is opened and read in {pool}, every step of it by a call of its own.",
    "stream": "The stream of a plain generator takes one of {pool} for every piece that it sends.",
    "background": "A def background task has one of {pool} after the response; new requests need the same.",
    "validation": "FastAPI validates the response of a def endpoint in one of {pool}, after the endpoint.",
    "call": "Calls of run_in_threadpool and anyio.to_thread have the same limit as def endpoints: {pool}.",
    "wsgi": "A WSGI application needs a thread for as long as a request lasts, and its bridge has {size}.",
}
_RAISE = "raise the limit (current_default_thread_limiter().total_tokens)"
_DO: Final[dict[Kind, str]] = {
    "endpoint": f"Make {{name}} async def and await what it waits for, or {_RAISE}.",
    "dependency": f"Make the dependency {{name}} async def and await what it waits for, or {_RAISE}.",
    "file": f"Serve large files from a proxy or a CDN, or {_RAISE}.",
    "stream": f"Make the generator async, so that it needs no thread, or {_RAISE}.",
    "background": "Make {name} async def and await what it waits for, or hand it to a task queue.",
    "validation": f"Make the endpoint async def, or {_RAISE}.",
    "call": f"Await without a thread, use a CapacityLimiter for these calls alone, or {_RAISE}.",
    "wsgi": "Serve it with ASGI and await, or give the bridge more workers.",
}
_HOLDS: Final[dict[Kind, str]] = {
    "endpoint": "the endpoint {name}", "dependency": "the dependency {name}", "file": "reading files",
    "stream": "streams of plain generators", "background": "the background task {name}",
    "validation": "validating responses", "call": "calls of {name}", "wsgi": "the WSGI application's {name}",
}  # fmt: skip
_TWICE = ("dependency", "endpoint", "validation")
"""What is in a thread once, so that who waits again waits for something else."""


def look(seen: Seen) -> Iterator[Finding]:
    """The limits whose threads were all taken while these requests waited for one."""
    for waits in waits_by_pool(seen):
        held = holders(seen, waits)
        kind: Kind = kind_of(seen, waits.pool, held[0]) if held else "call"
        if not (waits.pool.is_limiter or kind == "wsgi") or not seen.matters(waits.loss):
            continue
        if not computes(seen, waits):
            yield _finding(seen, waits, held, kind)


def _finding(seen: Seen, waits: Waits, held: Sequence[Holder], kind: Kind) -> Finding:
    loss, size, main = waits.loss, waits.size, held[0] if held else None
    whose = "AnyIO's" if waits.pool.kind == "default-limiter" else "the limiter's"
    pool = f"{whose} threads" if size < 0 else f"{whose} {size} threads"
    taken = f"all {pool} were" if size < 0 else f"all {size} of {whose} threads were"
    if size == 1:
        pool, taken = f"{whose} threads, of which there is one", f"{whose} only thread was"
    if kind == "wsgi":
        taken = f"all {size} threads of the bridge were"
    where, name = _where(main), _name(main)
    change = as_async(seen, where) if kind in {"endpoint", "dependency", "background"} else None
    again = _again(seen, loss.requests) if kind in _TWICE else 0
    what = (
        f"{count(len(loss.requests), 'request')} waited for a thread, up to {duration(loss.longest)}: {taken}"
        " taken"
    )
    if main is not None:
        what += f" by {_HOLDS[kind].format(name=name)}" + (f" ({at(where)})" if where is not None else "")
    what += "."
    if again:
        what += (
            f" {again} of them had been in a thread before, and what follows the endpoint needs one as well."
        )
    return Finding(
        id="thread-limit",
        severity=seen.severity(loss),
        confidence="measured",
        title="All threads are taken",
        what=what,
        why=_WHY[kind].format(pool=pool, size=size),
        do=_DO[kind].format(name=name),
        where=where,
        requests=named(loss.requests),
        culprits=named(main.requests) if main is not None else (),
        evidence=(
            ("waited for a thread", count(len(loss.requests), "request")),
            ("longest wait", duration(loss.longest)),
            ("threads", str(size) if size >= 0 else "not seen"),
            ("most that waited at once", str(waits.at_once)),
            *((("threads held by", _HOLDS[kind].format(name=name)),) if main is not None else ()),
            *((("waited a second time", count(again, "request")),) if again else ()),
        ),
        lost=loss.total,
        change=change,
        repair="async-sleep" if change is not None else None,
        scenario=seen.repaired or _SHOWN.get(kind, "async"),
        loss=loss,
        explains=_of_dependency(seen, loss, main) if kind == "dependency" and main is not None else None,
    )


def _of_dependency(seen: Seen, loss: Loss, main: Holder) -> Loss:
    """The waits, and the time in the dependency itself: that it is slow need not be said again."""
    whole = Loss()
    whole.include(loss)
    for span in calls(seen):
        if span.called == main.called and span.request in seen.by_number:
            whole.add(span.request, max(seen.start, span.start), min(seen.end, span.end))
    return whole


_SHOWN: Final[dict[Kind, str]] = {
    "wsgi": "asgi", "dependency": "dependency_async", "stream": "stream_async",
    "background": "background_async",
}  # fmt: skip


def _where(holder: Holder | None) -> Where | None:
    """The line that held the threads longest, if it is the user's; else the function's definition."""
    for one in () if holder is None else (holder.where, holder.called):
        if one is not None and not is_library(one.file):
            return one
    return None


def _name(holder: Holder | None) -> str:
    """The function that held the threads, by its own name."""
    where = _where(holder) or (holder.called if holder is not None else None)
    return where.function.rpartition(".")[2] if where is not None and where.function else "a function"


def _again(seen: Seen, waited: Sequence[int]) -> int:
    """How many of these requests waited for a thread after they had been in one."""
    again = 0
    for number in waited:
        been = False
        for segment in seen.segments(seen.by_number[number]):
            been = been or segment.state is State.IN_THREAD
            if been and segment.state is State.TOKEN_WAIT and segment.end - segment.start > SHORT:
                again += 1
                break
    return again
