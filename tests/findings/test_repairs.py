"""Findings: what is advised about a blocking call, and what its line becomes."""

from __future__ import annotations

import pytest

from loopviz.findings.repairs import of_call
from loopviz.findings.seen import Seen
from loopviz.model import Timeline, Where

SLEEPS = ["import time", "async def one():", "    time.sleep(delay(1))  # (not long", "    return 1"]
CALLS = ["import httpx", "async def one():", "    answer = httpx.get(f'{URL}/x', timeout=3)", "    return 1"]
READS = ["async def one(file):", "    text = open(file, 'rb').read()", "    await other()", "    return text"]
SPLIT = ["import time", "async def one():", "    time.sleep(", "        1)"]


def advised(lines: list[str], where: Where | None, *, computes: bool = False, gil: bool = True):
    """What is advised for a line of this file."""
    seen = Seen(Timeline(), [], 0, 1, 1, lambda file: lines if file == "app.py" else (), gil=gil)
    return of_call(seen, where, computes=computes)


@pytest.mark.parametrize(
    ("lines", "where", "kind", "after"),
    [
        (SLEEPS, ("app.py", 3, "one", "time.sleep"), "async-sleep",
         ("await asyncio.sleep(delay(1))  # (not long",)),
        (CALLS, ("app.py", 3, "one", "httpx.get"), "async-client",
         ("client = httpx.AsyncClient()  # one for all requests",
          "answer = await client.get(f'{URL}/x', timeout=3)")),
        (SPLIT, ("app.py", 3, "one", "time.sleep"), "async-sleep", None),
        ([], ("app.py", 3, "one", "time.sleep"), "async-sleep", None),
        ([], ("app.py", 3, "one", "requests.get"), "async-client", None),
        ([], ("app.py", 3, "one", "session.scalar"), "to-thread", None),
        ([], ("app.py", 3, "one", ""), None, None),
    ],
)  # fmt: skip
def test_the_kind_of_a_repair_and_its_lines(lines, where, kind, after):
    """A call that sleeps is awaited, one of a client gets a client that can be, any other gets a thread."""
    found = advised(lines, Where(*where))
    assert (found.kind, found.change and found.change[1]) == (kind, after)


def test_a_call_in_a_longer_line_gets_a_thread():
    """What is called is passed on with its arguments, and the rest of the line stays."""
    found = advised(READS, Where("app.py", 2, "one", "open"))
    assert found.change == (
        ("text = open(file, 'rb').read()",),
        ("text = (await asyncio.to_thread(open, file, 'rb')).read()",),
    )


def test_what_computes_needs_a_process():
    """What computes is repaired by no await and no thread; so is what is not known by neither."""
    assert advised(SLEEPS, Where("app.py", 3, "one"), computes=True).kind == "process-pool"
    assert advised(SLEEPS, Where("app.py", 3, "one"), computes=True, gil=False).kind == "to-thread"
    assert advised(SLEEPS, None).change is None
