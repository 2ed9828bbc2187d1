"""Findings: code in threads that keeps the GIL, or shares it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import call, cpu, executes, gil, ns, returns, step, suspend, switched, waited, wake


def in_threads(*lanes: float, until: float = 1_000, core: float = 0) -> list[Event]:
    """Request n executes in a thread from 5 ms on; for each, how long it has computed (ms) by then.

    The rest of its time it waited for the GIL; of that, `core` for a core.
    """
    found: list[Event] = []
    for number, _ in enumerate(lanes, 1):
        found += [step(4, number), call(5, number, number, number, 10 + number), suspend(5, number)]
        found += [cpu(5, 10 + number, 0), switched(5, 10 + number, 0), waited(5, 10 + number)]
    found += [streams.idle(6)]
    for number, used in enumerate(lanes, 1):
        found += [executes(500, number, 8), cpu(until, 10 + number, used)]
        found += [switched(until, 10 + number, until - 5 - used), waited(until, 10 + number, core)]
    found += [streams.iteration(until)]
    for number, _ in enumerate(lanes, 1):
        found += [returns(until, number), wake(until, number)]
    for number, _ in enumerate(lanes, 1):
        found += [step(until + number, number), *ends(until + number, number)]
    return found


def test_threads_that_compute_share_the_gil():
    """Threads that each waited for the GIL most of the time are found, and what requests lost by it."""
    (found,) = findings(burst(4, in_threads(250, 250, 250, 245)))
    assert (found.id, found.severity, found.repair) == ("computing-in-threads", "high", "process-pool")
    assert found.what == (
        "4 threads computed at app.py:8 and used 1.0 cores together: on average each waited for the GIL for "
        "up to 75% of the time."
    )
    assert len(found.requests) == 4


def test_threads_that_use_several_cores_are_no_finding():
    """C code that releases the GIL uses a core in each thread."""
    assert ids(burst(2, in_threads(900, 900))) == []


def test_threads_that_wait_for_a_core_are_no_finding():
    """On a busy machine threads wait for a core: that is not the GIL's doing."""
    assert ids(burst(4, in_threads(240, 240, 240, 240, core=700))) == []


def test_one_thread_is_no_finding():
    """A single thread that computes shares the GIL with nobody but the loop."""
    assert ids(burst(1, in_threads(900))) == []


def test_without_a_gil_there_is_no_finding():
    """A free-threaded interpreter has no GIL that threads could share."""
    assert ids(burst(4, in_threads(250, 250, 250, 245)), gil=False) == []


def keeping(until: float) -> Iterable[Event]:
    """Request 1 keeps the GIL in a thread from 10 ms on; request 2 waits to be run."""
    yield step(4, 1)
    yield call(5, 1, 1, 1, 11)
    yield suspend(5, 1)
    yield from (step(6, 2), suspend(7, 2, due=20), streams.idle(8))
    yield gil(until, 10, 11, 23)
    yield from (streams.iteration(until), wake(until, 2), step(until + 1, 2), *ends(until + 2, 2))
    yield from (returns(until + 3, 1), wake(until + 3, 1), step(until + 4, 1), *ends(until + 5, 1))


def test_code_that_keeps_the_gil():
    """C code in a thread that keeps the GIL is found: the loop could not run, and who was due waited."""
    (found,) = findings(burst(2, keeping(800)))
    assert (found.id, found.requests, found.culprits) == ("gil-kept", (2,), (1,))
    assert found.where is not None
    assert found.where.line == 23
    assert "kept the GIL once, for 790 ms" in found.what
    assert "gil-kept" not in ids(burst(2, keeping(800)), gil=False)


def test_a_gil_that_is_kept_briefly_is_no_finding():
    """Threads take turns in less than a block: no request loses more than that."""
    assert ids(burst(2, keeping(70))) == []


def standing(used: float, looks: int, rivalry: float = 0) -> Iterable[Event]:
    """A step of request 3 lasts a second while two threads work, and request 4 is ready.

    Each thread uses so much of the CPU (ms), and the step was looked at so often. With `rivalry`, the loop's
    thread has waited for the GIL for so long (ms).
    """
    for number in (1, 2):
        yield from (step(4, number), call(5, number, number, number, 10 + number), suspend(5, number))
        yield cpu(5, 10 + number, 0)
    yield from (step(6, 3), cpu(6, 1, 0), switched(6, 1, 0), waited(6, 1))
    for look in range(looks):
        yield streams.holds(30 + look * 960 / looks, 3, 6)
    yield from (cpu(1_006, 1, 2), switched(1_006, 1, rivalry), waited(1_006, 1, 0, rivalry))
    yield from (cpu(1_006, 11, used), cpu(1_006, 12, used), *ends(1_006, 3))
    yield from (step(1_007, 4), *ends(1_008, 4), *(returns(1_009, number) for number in (1, 2)))
    for number in (1, 2):
        yield from (wake(1_009, number), step(1_009 + number, number), *ends(1_009 + number, number))


@pytest.mark.parametrize("rivalry", [0, 950], ids=["it was not read in time", "it was measured"])
def test_threads_that_keep_the_gil_one_after_the_other(rivalry):
    """The loop's thread uses no CPU, threads do, and the sampler cannot run: they keep the GIL in turn."""
    (found,) = findings(burst(4, standing(490, 1, rivalry)))
    assert (found.id, found.requests[0]) == ("gil-kept", 4)
    assert found.lost >= 1_000_000_000


def test_threads_that_take_turns_do_not_keep_the_gil():
    """Where the sampler has its turns, threads give the GIL away: together they compute."""
    (found,) = findings(burst(4, standing(490, 30, 950)))
    assert found.id == "computing-in-threads"


@pytest.mark.parametrize(("used", "looks"), [(490, 30), (10, 1)], ids=["it is seen", "threads sleep"])
def test_a_loop_that_sleeps_beside_threads(used, looks):
    """A step whose line is seen all the time, or beside threads that do not compute, is a blocking call."""
    assert ids(burst(4, standing(used, looks))) == ["blocking-call"]


def test_one_thread_that_computes_beside_a_step_does_not_keep_the_gil():
    """It takes turns with the step and with the sampler, which then looks every 25 ms or more."""
    one = [event for event in standing(950, 35, 950) if event[1:3] != ("cpu", 12)]
    assert ids(burst(4, one)) == []


def test_without_a_gil_a_step_that_was_not_seen_is_a_call():
    """Threads that compute beside it have nothing to do with it."""
    (found,) = findings(burst(4, standing(490, 1)), gil=False)
    assert found.id == "blocking-call"


def test_a_gil_that_was_not_measured_to_be_kept_is_likely():
    """That threads kept it follows from what the loop, the threads and the sampler did."""
    (found,) = findings(burst(4, standing(490, 1)))
    assert found.confidence == "likely"


def test_a_clock_that_is_read_late():
    """What a thread used is put where it worked: its clock may be read long after its call."""
    late = [event for event in standing(490, 1) if event[1] != "cpu" or event[2] == 1 or event[0] < ns(6)]
    late += [cpu(5_000, 11, 490), cpu(5_000, 12, 490)]
    assert ids(burst(4, late)) == ["gil-kept"]
