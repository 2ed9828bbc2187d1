"""How a blocking call is repaired: which kind of repair fits, its advice, and what the line becomes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from loopviz.findings.finding import Change
from loopviz.findings.seen import Seen
from loopviz.findings.snippets import definition, line_at, rewritten
from loopviz.model import Where
from loopviz.repair import possible

__all__ = ["Advice", "of_call"]

_LIBRARIES = ("requests", "httpx")
_CLIENTS = tuple(f"{name}." for name in (*_LIBRARIES, "urllib", "urllib3", "http.client"))
_LONGEST = 2_000_000
"""A source that has more characters than this is not examined."""


class Advice(NamedTuple):
    """What to do about a blocking call."""

    do: str
    kind: str | None
    """A kind of repair of `loopviz.repair`; None if none fits."""
    change: Change | None
    scenario: str
    """The built-in scenario that shows it."""


def of_call(seen: Seen, where: Where | None, *, computes: bool) -> Advice:
    """What to do about a call that sleeps, or computes, on the event loop."""
    if computes and not seen.gil:
        do = "Compute in a worker thread, await asyncio.to_thread(...): this build of Python has no GIL."
        return Advice(do, "to-thread", None, seen.repaired or "cpu_threads")
    if computes:
        do = "Compute in a process pool, or in a worker thread if it is C code that releases the GIL."
        return Advice(do, "process-pool", None, seen.repaired or "cpu_processes")
    lines = seen.lines(where.file) if where is not None else ()
    kind = _kind(lines, where)
    do, twin = _ADVICE[kind]
    change = None if where is None or kind is None else _change(lines, where, kind)
    return Advice(do, kind, change, seen.repaired or twin)


_ADVICE: dict[str | None, tuple[str, str]] = {
    "async-sleep": (
        "Use await asyncio.sleep(...): it gives the loop to others until the time is over.",
        "async",
    ),
    "async-client": (
        "Use an asynchronous client, one for all requests, and await it; or call it in a worker thread.",
        "http_async",
    ),
    "to-thread": (
        "Call it in a worker thread, await asyncio.to_thread(...), or use a library that can be awaited.",
        "threadpool",
    ),
    "plain-def": (
        "Make it a plain def: then it is called in a worker thread. Or use a library that can be awaited.",
        "sync",
    ),
    None: ("Call it in a worker thread, or use a library that can be awaited.", "threadpool"),
}


def _kind(lines: Sequence[str], where: Where | None) -> str | None:
    """The kind of repair that fits; where the source is not there, by the name of what is called."""
    calls = where.calls if where is not None else ""
    if where is not None and lines:
        return _possible("\n".join(lines)[:_LONGEST], where)
    if calls in ("time.sleep", "sleep"):
        return "async-sleep"
    if calls.startswith(_CLIENTS):
        return "async-client"
    return "to-thread" if calls else None


@lru_cache(maxsize=256)
def _possible(source: str, where: Where) -> str | None:
    return possible(source, line=where.line, function=where.function, calls=where.calls)


def _change(lines: Sequence[str], where: Where, kind: str) -> Change | None:
    """The lines before and after such a repair; its own diff is exact, and takes longer to make."""
    if kind == "async-sleep":
        return rewritten(lines, where, "await asyncio.sleep({args})")
    if kind == "to-thread":
        return rewritten(lines, where, "await asyncio.to_thread({call}{rest})")
    library, _, method = where.calls.rpartition(".")
    if kind == "async-client" and library in _LIBRARIES:
        change = rewritten(lines, where, f"await client.{method}({{args}})")
        before, after = change or ((), ())
        return (before, ("client = httpx.AsyncClient()  # one for all requests", *after)) if change else None
    if kind == "plain-def":
        line = line_at(lines, definition(lines, where))
        return ((line,), (line.replace("async def", "def", 1),)) if line.startswith("async def") else None
    return None
