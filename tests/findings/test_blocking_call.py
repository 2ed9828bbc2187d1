"""Findings: a call in `async def` that holds the event loop."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import cpu, holds, ns, step, suspend, wake

SOURCE = {
    "app.py": ["import time", *["pass"] * 11, "async def handler():", "    time.sleep(1)  # a while"],
}


def held(number: int, at: float, until: float, used: float = 0, calls: str = "time.sleep") -> Iterable[Event]:
    """A step that holds the loop, and uses so much of the CPU (ms); the clock was at `at` before."""
    yield step(at, number)
    yield cpu(at, 1, 0)
    for sample in range(5):
        yield holds(at + 20 + sample * (until - at - 30) / 5, number, at, calls=calls)
    yield cpu(until, 1, used)
    yield from ends(until, number)


def test_a_call_that_sleeps_on_the_loop():
    """A call that sleeps on the loop is found, with its line, what it delays, and its repair."""
    line = burst(2, held(1, 4, 1_004), held(2, 1_005, 2_005))
    (found,) = findings(line, SOURCE)
    assert (found.id, found.severity, found.confidence) == ("blocking-call", "high", "measured")
    assert found.what == (
        "app.py:14 (time.sleep) held the event loop twice, for 2.0 s in all; 1 request waited for it, 1.0 s."
    )
    assert (found.requests, found.culprits) == ((2,), (1, 2))
    assert found.lost == 1_001_000_000  # between two blocks it waits as well
    assert found.change == (("time.sleep(1)  # a while",), ("await asyncio.sleep(1)  # a while",))
    assert (found.repair, found.scenario) == ("async-sleep", "async")
    assert ("CPU of the loop's thread meanwhile", "0%") in found.evidence


def test_a_call_that_computes_is_said_to_compute():
    """A block whose thread used the CPU computes: it is not repaired by an await."""
    line = burst(2, held(1, 4, 1_004, used=980, calls=""), step(1_005, 2), ends(1_006, 2))
    (found,) = findings(line)
    assert (found.title, found.repair) == ("Computing in async def", "process-pool")


def test_a_call_that_nobody_waits_for_is_no_finding():
    """A block that delays no request is no loss, and so no finding."""
    assert ids(burst(1, held(1, 4, 1_004))) == []


def test_c_code_that_hides_its_line_is_one_finding():
    """While C code keeps the GIL no line is seen: what was hardly seen is one finding for its endpoint."""
    seen: list[Event] = []
    for number, function in ((1, "handler"), (2, "stamp"), (3, "handler")):
        at = 4 + (number - 1) * 1_001
        seen += [step(at, number), (ns(at + 990), "holds", number, ns(at), "app.py", 20, function, "")]
        seen += ends(at + 1_000, number)
    (found,) = findings(burst(3, seen))
    assert (found.id, found.where and found.where.function) == ("blocking-call", "handler")
    assert "held the event loop 3 times" in found.what


@pytest.mark.parametrize(
    ("file", "expected"),
    [("/usr/lib/python3.13/asyncio/selector_events.py", []), ("app.py", ["blocking-call"])],
)
def test_callbacks_of_libraries_are_no_blocking_call(file, expected):
    """A server that is busy with accepting connections has no line of the application to blame."""
    held: list[Event] = []
    for at in range(0, 300, 20):
        held += [streams.callback(20 + at, 5, 0, 4), (ns(21 + at), "holds", 0, ns(4), file, 9, "f", "")]
    done = [step(330, 1), *ends(331, 1), step(332, 2), *ends(333, 2)]
    assert ids(burst(2, streams.iteration(4), held, streams.iteration(329), done)) == expected


def test_an_await_is_no_finding():
    """Who awaits as long as that does not hold the loop."""
    awaited = [
        step(4, 1),
        suspend(5, 1),
        step(5, 2),
        suspend(6, 2),
        streams.idle(7),
        streams.iteration(1_000),
    ]
    for number in (1, 2):
        awaited += [wake(1_000 + number, number), step(1_000 + number, number), *ends(1_001 + number, number)]
    assert ids(burst(2, awaited)) == []


def test_a_block_of_no_weight_is_no_finding():
    """A block that is a small part of what a request takes anyway is no finding."""
    waits = [step(4, 2), suspend(5, 2), streams.idle(6), streams.iteration(3_000), wake(3_000, 2)]
    line = burst(2, waits, held(1, 3_001, 3_110), step(3_111, 2), ends(3_112, 2))
    assert line.blocks[0].victims == [2]
    assert ids(line) == []


def short(requests: int, length: float, used: float, few: int = 0) -> list[Event]:
    """Requests that hold the loop for so long (ms) each, one after the other; the last `few` do not."""
    found: list[Event] = [cpu(4, 1, 0)]
    at = 4.0
    for number in range(1, requests + 1):
        until = at + (length if number <= requests - few else 0.2)
        found += [step(at, number)]
        found += [holds(at + 22, number, at, calls="requests.get")] if until > at + 22 else []
        found += ends(until, number)
        at = until
    return [*found, cpu(at, 1, used)]


def test_a_short_call_that_every_request_makes():
    """A call that is shorter than a block blocks as well, if every request makes it."""
    (found,) = findings(burst(8, short(8, 50, 20)))
    assert (found.id, found.repair) == ("blocking-call", "async-client")
    assert found.what == (
        "app.py:14 (requests.get) held the event loop 8 times, for up to 50 ms each; "
        "7 requests waited for it, up to 350 ms."
    )


def through(number: int, at: float, *functions: str) -> Iterable[Event]:
    """A step of half a second that computes, and is seen at these functions, one after the other."""
    yield from (step(at, number), cpu(at, 1, at))
    for index, function in enumerate(functions):
        seen = at + 20 + index * 400 / len(functions)
        yield (ns(seen), "holds", number, ns(at), "app.py", 20 + len(function), function, "")
    yield from (cpu(at + 500, 1, at + 500), *ends(at + 500, number))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["load", "load", "clean"], ["clean", "clean", "load"], 1),
        (["handler"] * 3, ["handler.<locals>.<lambda>"] * 3, 1),
        (["load"] * 3, ["clean"] * 3, 2),
    ],
    ids=["both", "lambda", "apart"],
)
def test_a_step_that_goes_through_several_functions(first, second, expected):
    """Blocks that are seen at the same functions are one finding, whichever takes the most time in each."""
    line = burst(3, through(1, 4, *first), through(2, 505, *second), step(1_006, 3), ends(1_007, 3))
    assert ids(line) == ["blocking-call"] * expected


@pytest.mark.parametrize(("used", "expected"), [(380, []), (20, ["blocking-call"])])
def test_short_steps_beside_threads_that_compute(used, expected):
    """While threads compute, a step that uses no CPU may have waited for the GIL: nothing is said of it."""
    beside = [streams.thread(0, 11, "worker"), cpu(4, 11, 0), cpu(404, 11, used)]
    events = sorted([*short(8, 50, 20), *beside], key=lambda event: event[0])
    assert ids(burst(8, events)) == expected


def test_a_short_call_that_few_requests_make_is_no_finding():
    """A cold start, which only the first requests have, is none."""
    assert ids(burst(12, short(12, 50, 20, few=8))) == []


def test_a_call_whose_line_was_not_seen_is_named_by_its_requests():
    """If all of them ask for the same; what was seen of it is its time."""
    (found,) = findings(burst(2, step(4, 1), ends(1_004, 1), step(1_005, 2), ends(1_006, 2)))
    assert found.what.startswith("A call for GET /, whose line could not be seen, held the event loop once,")
    assert (found.where, found.confidence) == (None, "likely")


def test_a_step_whose_line_was_not_seen_belongs_to_those_of_its_kind():
    """A short call that was not sampled in some of the requests is one finding all the same."""
    events = [event for event in short(8, 50, 20) if not (event[1] == "holds" and event[2] in (3, 5))]
    assert len(events) < len(short(8, 50, 20))
    (found,), (all_seen,) = findings(burst(8, events)), findings(burst(8, short(8, 50, 20)))
    assert (found.what, found.lost) == (all_seen.what, all_seen.lost)
