"""Worker processes: the probe's events of a call to one, while it lasts, and the model's states."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from loopviz import remote
from loopviz.clock import NS
from loopviz.draw.incidents import sentence
from loopviz.draw.look import CODES
from loopviz.draw.raster import lane_stretches
from loopviz.model import State, Timeline
from loopviz.model.summary import summarise
from loopviz.stream import events as ev
from loopviz.stream.events import Role
from tests import work
from tests.probe_support import PLAIN, RawEvent, Served, Setup, every_setup, of_kind
from tests.streams import call, cpu, end, made, read, responded, returns, step, submit, suspend, thread, wake
from tests.streams import ms as at
from tests.streams import ns as when

MS = NS // 1000
METHODS = [m for m in ("spawn", "forkserver", "fork") if m in multiprocessing.get_all_start_methods()]
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux reads another process's CPU clock")

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*fork\\(\\):DeprecationWarning"),
]


@contextlib.contextmanager
def processes(method: str = "spawn", count: int = 2) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes are up."""
    with ProcessPoolExecutor(count, multiprocessing.get_context(method)) as executor:
        for future in [executor.submit(work.nap, 0.1) for _ in range(count)]:
            future.result(20)
        yield executor


@pytest.fixture(scope="module", name="pool")
def _pool() -> Iterator[ProcessPoolExecutor]:
    with processes() as executor:
        yield executor


def serve(
    executor: Executor, func: Callable[..., Any], *args: Any, setup: Setup = PLAIN, **options: Any
) -> Served:
    """A server whose only endpoint, GET /x, has `func` run by an executor."""
    app = FastAPI()

    @app.get("/x", response_model=None)
    async def handler():
        result = await asyncio.get_running_loop().run_in_executor(executor, func, *args)
        return str(result)

    return Served(app, setup, **options)


def kinds_of_call(events: list[RawEvent]) -> list[str]:
    """The kinds of events from the submission of a call to the end of its request, by time."""
    mine = {e[2] for e in of_kind(events, ev.TASK) if e[4]}
    of_tasks = {ev.YIELD, ev.WAKE, ev.STEP, ev.END}
    story = [e for e in events if e[1] in KINDS and (e[1] not in of_tasks or e[2] in mine)]
    first = next(i for i, e in enumerate(story) if e[1] == ev.SUBMIT)
    kinds = [e[1] for e in story[first:]]
    if kinds[1:3] == [ev.CALL, ev.YIELD]:  # an idle process can be faster than the end of the step
        kinds[1:3] = [ev.YIELD, ev.CALL]
    return kinds


KINDS = {
    ev.SUBMIT,
    ev.YIELD,
    ev.CALL,
    ev.RETURN,
    ev.RESULT,
    ev.WAKE,
    ev.STEP,
    ev.STATUS,
    ev.RESPONDED,
    ev.END,
    ev.RAISED,
}
STORY = [
    ev.SUBMIT, ev.YIELD, ev.CALL, ev.RETURN, ev.RESULT, ev.WAKE, ev.STEP, ev.STATUS, ev.RESPONDED, ev.END,
]  # fmt: skip


def timeline(events: list[RawEvent]) -> Timeline:
    """A timeline with all of these events."""
    line = Timeline()
    line.feed(sorted(events, key=lambda e: e[0]))
    return line


def states(line: Timeline, request: int = 1) -> list[State]:
    """The states that a request went through."""
    return [segment.state for segment in line.requests[request].segments]


def conserved(line: Timeline) -> bool:
    """Whether every request's states add up to its latency, without a gap."""
    for request in line.requests.values():
        parts = list(request.segments)
        assert request.done is not None
        assert sum(request.totals.values()) == request.done - request.start
        assert all(a.end == b.start for a, b in pairwise(parts))
    return True


# -- the story of a call -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_call_is_reported_in_order(method: str):
    """Submitted, begun and ended in its process, its result here: however the processes are started."""
    with processes(method) as executor, serve(executor, work.nap) as served:
        assert served.get("/x") == (200, '"slept"')
        events = served.settle()
    assert kinds_of_call(events) == STORY
    assert served.probe.failures == []
    line = timeline(events)
    after = [s for s in states(line) if s is not State.TOKEN_WAIT]
    assert after[after.index(State.IN_PROCESS) - 1] is State.RUNNING
    assert conserved(line)


@every_setup
def test_on_every_loop(setup: Setup, pool: ProcessPoolExecutor):
    """On uvloop, in debug mode and with eager tasks, the call's own events are the same."""
    with serve(pool, work.nap, 0.05, setup=setup) as served:
        assert served.get("/x")[0] == 200
        events = served.settle()
    mine = {ev.SUBMIT, ev.CALL, ev.RETURN, ev.RESULT}
    assert [e[1] for e in sorted(events, key=lambda e: e[0]) if e[1] in mine] == STORY[:1] + STORY[2:5]
    assert State.IN_PROCESS in states(timeline(events))
    assert conserved(timeline(events))


def test_times_are_the_workers_own(pool: ProcessPoolExecutor):
    """Begin and end are taken in the worker, by the clock that all processes share."""
    with serve(pool, work.nap, 0.2) as served:
        before = time.monotonic_ns()
        served.get("/x")
        after = time.monotonic_ns()
        events = served.settle()
    (begun,), (over,) = of_kind(events, ev.CALL), of_kind(events, ev.RETURN)
    assert before < begun[0] < over[0] < after
    assert 0.2 * NS <= over[0] - begun[0] < 0.4 * NS


def test_a_call_is_seen_while_it_runs(pool: ProcessPoolExecutor):
    """The request is in a process, and the process's lane is in use, long before the call returns."""
    with serve(pool, work.nap, 1.0) as served:
        client = threading.Thread(target=served.get, args=("/x",))
        client.start()
        events = list(served.wait_for(lambda events: of_kind(events, ev.CALL)))
        assert not of_kind(events, ev.RETURN, ev.RESULT)
        time.sleep(0.1)
        now = time.monotonic_ns()
        line = timeline(list(served.gather()))
        assert line.requests[1].state is State.IN_PROCESS
        (lane,) = line.workers.values()
        assert (lane.role, lane.name, lane.busy_at(now)) == ("process", "process 1", True)
        assert lane.number == line.requests[1].thread
        client.join()
        served.settle()


def test_the_function_is_named(pool: ProcessPoolExecutor):
    """A call is reported with the file, line and name of the user's function, not of what wraps it."""
    with serve(pool, work.nap) as served:
        served.get("/x")
        (begun,) = of_kind(served.settle(), ev.CALL)
    code = work.nap.__code__
    assert begun[6:] == (code.co_filename, code.co_firstlineno, "nap")


def test_every_process_has_a_lane(pool: ProcessPoolExecutor):
    """Two busy processes are two lanes; a second call to the same process is in the same lane."""
    with serve(pool, work.nap, 0.3) as served:
        served.get_all(["/x"] * 4)
        events = served.settle(4)
    roles = [e[2:] for e in of_kind(events, ev.THREAD)]
    assert sorted(role for _, role in roles) == ["loop", "process", "process"]
    assert len({number for number, _ in roles}) == 3
    line = timeline(events)
    assert [lane.name for lane in line.workers.values()] == ["process 1", "process 2"]
    assert [len(lane.spans) for lane in line.workers.values()] == [2, 2]
    assert max(request.totals[State.TOKEN_WAIT] for request in line.requests.values()) > 0.2 * NS
    assert conserved(line)


def test_threads_and_processes_side_by_side(pool: ProcessPoolExecutor):
    """A request that uses both is now in a thread and now in a process."""
    app = FastAPI()

    @app.get("/x")
    async def handler():
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(work.nap)
        await loop.run_in_executor(pool, work.nap)

    with Served(app) as served:
        served.get("/x")
        line = timeline(served.settle())
    in_a_worker = [s for s in states(line) if s in (State.IN_THREAD, State.IN_PROCESS)]
    assert in_a_worker == [State.IN_THREAD, State.IN_PROCESS]
    assert [(lane.role, lane.name) for lane in line.workers.values()] == [
        ("thread", "worker 1"),
        ("process", "process 1"),
    ]


def test_fan_out_of_one_request(pool: ProcessPoolExecutor):
    """A request with several calls is in a process until the last of them ends."""
    app = FastAPI()

    @app.get("/x")
    async def handler():
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, work.nap, 0.1) for _ in range(4)))

    with Served(app) as served:
        served.get("/x")
        events = served.settle()
    assert len(of_kind(events, ev.CALL)) == len(of_kind(events, ev.RETURN)) == 4
    line = timeline(events)
    assert line.requests[1].totals[State.IN_PROCESS] > 0.18 * NS
    assert conserved(line)


# -- CPU time ----------------------------------------------------------------------------------


@linux
def test_cpu_time_is_read_while_it_computes(pool: ProcessPoolExecutor):
    """The process's CPU clock is read from outside, several times a second."""
    with serve(pool, work.compute, 0.6) as served:
        served.get("/x")
        events = served.settle()
    (begun,), (over,) = of_kind(events, ev.CALL), of_kind(events, ev.RETURN)
    readings = [e for e in of_kind(events, ev.CPU) if e[2] == begun[5] and begun[0] < e[0] < over[0]]
    assert len(readings) >= 3
    used = [e[3] for e in readings]
    assert used == sorted(used)
    assert used[-1] > used[0]


def test_cpu_time_of_a_call_is_exact(pool: ProcessPoolExecutor):
    """What a lane has used is what the call used, since the worker reports it at begin and end."""
    with serve(pool, work.compute, 0.3) as served:
        served.get("/x")
        line = timeline(served.settle())
    (lane,) = line.workers.values()
    assert lane.cpu == pytest.approx(0.3 * NS, abs=0.05 * NS)
    assert line.computed == pytest.approx(0.3 * NS, abs=0.1 * NS)


def test_waiting_uses_no_cpu(pool: ProcessPoolExecutor):
    """A process that sleeps is seen to use no CPU."""
    with serve(pool, work.nap, 0.5) as served:
        served.get("/x")
        line = timeline(served.settle())
    (lane,) = line.workers.values()
    assert lane.busy >= 0.5 * NS
    assert lane.cpu < 0.1 * NS


# -- what goes wrong ---------------------------------------------------------------------------


def _outcome(executor: Executor, func: Callable[..., Any], *args: Any, probed: bool) -> list[object]:
    """How a call ends: kind and message of the exception."""
    seen: list[object] = []
    app = FastAPI()

    @app.get("/x")
    async def handler():
        try:
            seen.append(await asyncio.get_running_loop().run_in_executor(executor, func, *args))
        except BaseException as error:
            seen.extend((type(error), str(error)))
            raise

    with Served(app, probed=probed) as served:
        served.get("/x")
        if probed:
            served.settle()
            assert served.probe.failures == []
            assert kinds_of_call(served.events)[0] == ev.SUBMIT
            assert ev.RESULT in kinds_of_call(served.events)
    return seen


def test_unpicklable_functions_fail_as_ever(pool: ProcessPoolExecutor):
    """A lambda cannot be sent to a process: the error is the one that it is without the probe."""
    for func, args in ((lambda: 1, ()), (work.nap, (threading.Lock(),))):
        watched = _outcome(pool, func, *args, probed=True)
        assert watched == _outcome(pool, func, *args, probed=False)
        assert isinstance(watched[0], type)
        assert issubclass(watched[0], Exception)
    assert _outcome(pool, work.nap, 0, probed=True) == ["slept"]


def test_unpicklable_results_fail_as_ever(pool: ProcessPoolExecutor):
    """A result that cannot be sent back fails as without the probe."""
    assert _outcome(pool, work.give_lock, probed=True) == _outcome(pool, work.give_lock, probed=False)


def test_exceptions_come_back(pool: ProcessPoolExecutor):
    """What the function raises reaches the handler, and the end of the call is reported."""
    with serve(pool, work.fail) as served:
        assert served.get("/x")[0] == 500
        events = served.settle()
    assert of_kind(events, ev.RAISED)[0][3:] == ("LookupError", "nothing there")
    assert [kind for kind in kinds_of_call(events) if kind in (ev.CALL, ev.RETURN, ev.RESULT)] == [
        ev.CALL,
        ev.RETURN,
        ev.RESULT,
    ]
    assert timeline(events).requests[1].status == 500


def test_a_worker_that_crashes():
    """A process that dies breaks its pool: 500, the exception's name, and no lane stays in use."""
    with processes(count=1) as executor, serve(executor, work.crash) as served:
        assert served.get("/x")[0] == 500
        events = served.settle()
        assert served.get("/x")[0] == 500  # the pool is broken: it refuses
        events = served.settle(2)
    first, second = of_kind(events, ev.RAISED)
    assert first[3] == second[3] == "BrokenProcessPool"
    line = timeline(events)
    (lane,) = line.workers.values()
    assert lane.open is None
    assert lane.spans[0].end - lane.spans[0].start >= 0.1 * NS
    assert line.requests[1].totals[State.IN_PROCESS] >= 0.1 * NS
    assert conserved(line)


def test_a_worker_that_is_killed():
    """The process and the signal are named, once; every call of the pool fails, and no row stays in it."""
    with processes() as executor, serve(executor, work.nap, 20) as served:
        answers: list[tuple[int, str]] = []
        clients = [
            threading.Thread(target=lambda: answers.append(served.get("/x"))) for _ in range(3)
        ]  # the third waits for a process
        for client in clients:
            client.start()
        (first, _) = of_kind(served.wait_for(lambda events: len(of_kind(events, ev.CALL)) == 2), ev.CALL)
        assert served.probe._processes is not None
        pids = {number: pid for (pid, _), number in served.probe._processes._known.items()}
        os.kill(pids[first[5]], signal.SIGKILL)
        for client in clients:
            client.join(20)
        assert [status for status, _ in answers] == [500, 500, 500]
        events = served.settle(3)
        assert served.probe.failures == []
    assert [event[2:] for event in of_kind(events, ev.PROCESS)] == [(first[5], "", "ended", "SIGKILL")]
    line = timeline(events)
    assert {event[3] for event in of_kind(events, ev.RAISED)} == {"BrokenProcessPool"}
    assert [lane.open for lane in line.workers.values()] == [None, None]
    assert conserved(line)
    name = line.workers[first[5]].name
    assert sentence(line, line.incidents[0]) == (
        f"A worker process of the application, {name}, has ended (SIGKILL):"
        " its pool is broken, and every call in it fails."
    )


def test_an_idle_worker_that_is_killed():
    """The next call is refused by the pool, and the signal is named."""
    with processes() as executor, serve(executor, work.nap, 0.1) as served:
        assert served.get("/x")[0] == 200
        os.kill(next(iter(executor._processes)), signal.SIGKILL)
        while not executor._broken:
            time.sleep(0.01)
        assert served.get("/x")[0] == 500
        events = served.settle(2)
    assert [event[3:] for event in of_kind(events, ev.PROCESS)] == [("", "ended", "SIGKILL")]


def test_a_call_that_is_cancelled_in_the_queue(pool: ProcessPoolExecutor):
    """One that never begins has no lane; its request waited for a process until it gave up."""
    app = FastAPI()

    @app.get("/x")
    async def handler():
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(pool, work.nap, 0.5) for _ in range(12)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(calls[-1], 0.1)
        calls[-2].cancel()
        await asyncio.gather(*calls[:4])
        for waiting in calls[4:]:
            waiting.cancel()

    with Served(app) as served:
        assert served.get("/x")[0] == 200
        events = served.wait_for(lambda events: len(of_kind(events, ev.RESULT)) == 12)
    begun = {e[2] for e in of_kind(events, ev.CALL)}
    submitted = [e[2] for e in of_kind(events, ev.SUBMIT)]
    assert submitted[-1] not in begun
    assert submitted[-2] not in begun
    assert conserved(timeline(events))


def test_a_pool_that_is_shut_down():
    """It refuses the call, and no request waits for it."""
    executor = ProcessPoolExecutor(1)
    executor.shutdown()
    with serve(executor, work.nap) as served:
        assert served.get("/x")[0] == 500
        events = served.settle()
    assert of_kind(events, ev.RAISED)[0][3] == "RuntimeError"
    assert State.TOKEN_WAIT not in states(timeline(events))


def test_debug_mode_still_refuses_coroutine_functions(pool: ProcessPoolExecutor):
    """Asyncio's own check looks at the user's function, not at what the probe puts around it."""

    async def wrong() -> None:
        """Cannot be run by an executor."""

    with serve(pool, wrong, setup=Setup("debug", debug=True)) as served:
        assert served.get("/x")[0] == 500
        events = served.settle()
    assert of_kind(events, ev.RAISED)[0][3] == "TypeError"


# -- reports that are lost, late or not ours ---------------------------------------------------


def test_without_reports_the_result_still_comes(pool: ProcessPoolExecutor, monkeypatch: pytest.MonkeyPatch):
    """If every datagram is lost, the request waits, is answered, and its life adds up."""
    monkeypatch.setattr("loopviz.probe.processes.Processes._take", lambda *_: None)
    with serve(pool, work.nap, 0.2) as served:
        assert served.get("/x") == (200, '"slept"')
        events = served.settle()
    line = timeline(events)
    assert line.requests[1].totals[State.TOKEN_WAIT] > 0.1 * NS
    assert line.workers == {}
    assert conserved(line)


def test_datagrams_of_strangers_are_ignored(pool: ProcessPoolExecutor):
    """A report without the secret is ignored, whatever its length."""
    with serve(pool, work.nap, 0.4) as served, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        client = threading.Thread(target=served.get, args=("/x",))
        client.start()
        (begun,) = of_kind(served.wait_for(lambda events: of_kind(events, ev.CALL)), ev.CALL)
        assert served.probe._processes is not None
        assert served.probe._processes._mailbox is not None
        address = served.probe._processes._mailbox.getsockname()
        for length in (0, 1, remote.REPORT.size - 1, remote.REPORT.size + 1, 2000):
            stranger.sendto(b"\0" * length, address)
        own = served.probe._processes._secret
        for secret in (b"wrong", own[:-1], bytes([own[0] ^ 1]) + own[1:]):
            stranger.sendto(remote.REPORT.pack(secret, begun[2], 1, 1, 1, 1, 1), address)
        client.join()
        events = served.settle()
        assert served.probe._processes.strangers == 8
        assert [what for what, _ in served.probe.blind] == [
            "datagrams to the port at which worker processes report"
        ]
    assert kinds_of_call(events) == STORY
    assert served.probe.failures == []


def test_uninstall_leaves_nothing(pool: ProcessPoolExecutor):
    """The socket is closed, the thread has ended, and the loop's method is its own again."""
    with serve(pool, work.nap) as served:
        served.get("/x")
        served.settle()
        processes = served.probe._processes
        assert processes is not None
        mailbox, reader = processes._mailbox, processes._reader
        assert mailbox is not None
        assert reader is not None
        assert reader.is_alive()
    assert mailbox.fileno() == -1
    assert not reader.is_alive()
    assert "run_in_executor" not in vars(served.loop)


def test_no_socket_and_no_thread_without_a_process():
    """A server that uses no worker process has no socket and no thread for them."""
    app = FastAPI()
    app.add_api_route("/x", work.nap)
    with Served(app) as served:
        served.get("/x")
        assert served.probe._processes is not None
        assert served.probe._processes._mailbox is None
        assert "loopviz processes" not in [t.name for t in threading.enumerate()]


def test_uninstall_while_a_call_runs(pool: ProcessPoolExecutor):
    """The call ends as without the probe, and its reports are lost."""
    with serve(pool, work.nap, 0.5) as served:
        answers: list[tuple[int, str]] = []
        client = threading.Thread(target=lambda: answers.append(served.get("/x")))
        client.start()
        served.wait_for(lambda events: of_kind(events, ev.CALL))
        served.on_loop(served.probe.uninstall)
        client.join()
    assert answers == [(200, '"slept"')]


def test_other_executors_are_left_alone():
    """An executor that is neither threads nor processes is called as ever."""

    class Here(Executor):
        def submit(self, func: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result((func, args))
            return future

    with serve(Here(), work.nap, 1) as served:
        assert "nap" in served.get("/x")[1]
        assert not of_kind(served.settle(), ev.SUBMIT)


def test_what_is_sent_along_imports_next_to_nothing():
    """A worker process that runs a watched call does not import the probe, asyncio or FastAPI for it."""
    code = (
        "import sys, loopviz.remote; "
        "print(*sorted(m for m in sys.modules if m.startswith(('loopviz', 'asyncio', 'fastapi'))))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=Path(__file__).parents[1])
    assert out.split() == ["loopviz", "loopviz.remote"]


# -- the model, by hand ------------------------------------------------------------------------


def result(at_ms: float, number: int = 1, task: int = 1) -> RawEvent:
    """A process's result is here."""
    return (when(at_ms), ev.RESULT, number, task)


BEGIN = [read(0), made(0), step(1), submit(2), suspend(3), thread(4, 2, "process")]
FINISH = [wake(60), step(60), responded(61), end(62)]


def parts(events: list[RawEvent]) -> list[tuple[str, float, float]]:
    """A request's segments, in the tests' milliseconds."""
    line = Timeline()
    line.feed(events)
    return [(s.state.value, at(s.start), at(s.end)) for s in line.requests[1].segments]


def test_the_states_of_a_call():
    """Waiting for a process, in it, its result on its way, and ready while the loop is busy."""
    assert parts([*BEGIN, call(10), returns(40), result(45), *FINISH]) == [
        ("ready", 0, 1),
        ("running", 1, 3),
        ("token_wait", 3, 10),
        ("in_process", 10, 40),
        ("awaiting", 40, 45),
        ("ready", 45, 60),
        ("running", 60, 61),
    ]


def test_a_result_ends_a_call_whose_end_was_lost():
    """The request is in the process until the result is here, and the lane is free from then on."""
    line = Timeline()
    line.feed([*BEGIN, call(10), result(45), *FINISH])
    assert [(s.state.value, at(s.end)) for s in line.requests[1].segments][3:5] == [
        ("in_process", 45),
        ("ready", 60),
    ]
    (lane,) = line.workers.values()
    assert lane.open is None
    assert lane.busy == 35 * MS


def test_a_result_of_a_call_that_was_never_seen_to_begin():
    """As far as is known, it waited for a process all the time."""
    assert parts([*BEGIN, result(45), *FINISH])[2:4] == [("token_wait", 3, 45), ("ready", 45, 60)]


def test_reports_that_come_after_the_result():
    """They change nothing that has been reported, and leave nothing open."""
    line = Timeline()
    line.feed([*BEGIN, result(45), call(10), returns(40), *FINISH])
    request = line.requests[1]
    assert request.done is not None
    assert sum(request.totals.values()) == request.done - request.start
    (lane,) = line.workers.values()
    assert lane.open is None
    assert line.processes[0].threads.calls == {}


def test_a_late_reading_of_a_process_clock_counts_for_nothing():
    """Reports and samples of one clock may cross: it never goes back, and nothing is counted twice."""
    line = Timeline()
    line.feed([thread(0, 2, "process"), cpu(1, 2, 500), cpu(20, 2, 540), cpu(21, 2, 530), cpu(30, 2, 545)])
    assert line.workers[2].cpu == 45 * MS


def test_names_are_counted_by_role():
    """Threads and processes have names of their own, whatever their numbers."""
    line = Timeline()
    roles: list[Role] = ["worker", "process", "worker", "process"]
    line.feed([thread(n, n + 2, role) for n, role in enumerate(roles)])
    assert [lane.name for lane in line.workers.values()] == ["worker 1", "process 1", "worker 2", "process 2"]


def test_the_summary_lists_processes_apart():
    """The JSON document has threads in one list and processes in another; segments name their lane."""
    line = Timeline()
    line.feed([*BEGIN, cpu(10, 2, 1000), call(10), cpu(40, 2, 1025), returns(40), result(45), *FINISH])
    document = summarise(line, scenario=None, environment={}, limit=40)
    assert document["threadpool"]["threads"] == []
    assert document["processes"] == [{"name": "process 1", "busy_s": 0.03, "cpu_s": 0.025}]
    (request,) = document["requests"]
    assert [s["thread"] for s in request["segments"] if s["state"] == "in_process"] == ["process 1"]
    assert request["states"]["in_process"] == 0.03


def test_a_lane_is_drawn_in_the_colour_of_its_role():
    """A process's calls have the code of "in process", a thread's that of "in thread"."""
    line = Timeline()
    line.feed(
        [*BEGIN, call(10), thread(20, 3), call(20, 2, thread=3), returns(30, 2), returns(40), result(45)]
    )
    drawn = {
        lane.name: [code for *_, code in lane_stretches(lane, when(60))] for lane in line.workers.values()
    }
    assert drawn == {"process 1": [CODES[State.IN_PROCESS]], "worker 1": [CODES[State.IN_THREAD]]}
