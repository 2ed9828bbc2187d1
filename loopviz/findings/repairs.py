"""How a blocking call is repaired: which kind of repair fits, its advice, and what the line becomes."""

from __future__ import annotations

from typing import NamedTuple

from loopviz.findings.finding import Change
from loopviz.findings.seen import Seen
from loopviz.findings.snippets import rewritten
from loopviz.model import Where

__all__ = ["Advice", "of_call"]

_CLIENTS = ("requests.", "httpx.", "urllib.", "urllib3.", "http.client.")


class Advice(NamedTuple):
    """What to do about a blocking call."""

    do: str
    kind: str
    """A kind of repair of `loopviz.repair`."""
    change: Change | None
    scenario: str
    """The built-in scenario that shows it."""


def of_call(seen: Seen, where: Where | None, *, computes: bool) -> Advice:
    """What to do about a call that sleeps, or computes, on the event loop."""
    lines = seen.lines(where.file) if where is not None else ()
    if computes:
        do = "Compute in a process pool, or in a worker thread if it is C code that releases the GIL."
        return Advice(do, "process-pool", None, seen.repaired or "cpu_processes")
    calls = where.calls if where is not None else ""
    if where is not None and calls in ("time.sleep", "sleep"):
        change = rewritten(lines, where, "await asyncio.sleep({args})")
        do = "Use await asyncio.sleep(...): it gives the loop to others until the time is over."
        return Advice(do, "async-sleep", change, seen.repaired or "async")
    change = None if where is None else rewritten(lines, where, "await asyncio.to_thread({call}{rest})")
    if calls.startswith(_CLIENTS):
        do = "Use an asynchronous client, one for all requests, and await it; or call it in a worker thread."
        return Advice(do, "async-client", change, seen.repaired or "http_async")
    do = "Call it in a worker thread, await asyncio.to_thread(...), or make the function a plain def."
    return Advice(do, "to-thread", change, seen.repaired or "sync")
