"""The probe's events of requests, one by one, on every kind of loop."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

from loopviz.clock import NS, now_ns
from loopviz.stream import events as ev
from tests.probe_support import PLAIN, UVLOOP, Served, Setup, Telling, every_setup, kinds, of_kind, story

MS = NS // 1000


def serve(handler: Callable[..., Any], setup: Setup = PLAIN, **options: Any) -> Served:
    """A server whose only endpoint is GET /x."""
    app = FastAPI()
    app.add_api_route("/x", handler, response_model=None)
    return Served(app, setup, **options)


def one(handler: Callable[..., Any], setup: Setup) -> tuple[list[str], list[str]]:
    """The story of one request to `handler`, on the loop and in worker threads."""
    with serve(handler, setup) as served:
        assert served.get("/x")[0] == 200
        served.settle()
        assert served.probe.failures == []
        return story(served.events)


def steps(*story: str) -> list[str]:
    """The story of a request that begins as all do."""
    return ["read GET /x", "task A of -", "step A", *story]


def without_pauses(lines: list[str]) -> list[str]:
    """Without the places at which a task gives way, and goes on."""
    for at in range(len(lines) - 2, -1, -1):
        match [words.split() for words in lines[at : at + 2]]:
            case [["yield", a, "-"], ["step", b]] if a == b:
                del lines[at : at + 2]
    return lines


ANSWERED = ["status 200", "responded", "end A"]


@every_setup
def test_trivial(setup: Setup) -> None:
    """A trivial `async def` is read, runs in one step, and answers within it."""

    async def handler() -> None:
        pass

    assert one(handler, setup) == (steps(*ANSWERED), [])


@every_setup
def test_sleep(setup: Setup) -> None:
    """`asyncio.sleep` ends a step with the time at which it is due."""

    async def handler() -> None:
        await asyncio.sleep(0.2)

    with serve(handler, setup) as served:
        served.get("/x")
        events = served.settle()
    assert story(events)[0] == steps("yield A Future until due", "wake A", "step A", *ANSWERED)
    (root,) = {event[2] for event in of_kind(events, ev.TASK) if event[4] == 1}
    (suspended,) = [event for event in of_kind(events, ev.YIELD) if event[2] == root]
    (woken,) = [event for event in of_kind(events, ev.WAKE) if event[2] == root]
    due = suspended[4]
    assert 50 * MS < due - suspended[0] <= 201 * MS
    assert woken[0] > due - 5 * MS


@every_setup
def test_sleep_0(setup: Setup) -> None:
    """`asyncio.sleep(0)` gives way: the step ends awaiting nothing, and another follows."""

    async def handler() -> None:
        await asyncio.sleep(0)

    assert one(handler, setup)[0] == steps("yield A -", "step A", *ANSWERED)


@every_setup
def test_future_done_before_it_is_awaited(setup: Setup) -> None:
    """Awaiting what is done already does not end the step."""

    async def handler() -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        await future

    assert one(handler, setup)[0] == steps(*ANSWERED)


@every_setup
def test_def_endpoint(setup: Setup) -> None:
    """A `def` endpoint takes a thread, runs as a call in it, and gives it back."""

    def handler() -> None:
        pass

    with serve(handler, setup) as served:
        served.get("/x")
        events = served.settle()
    loop, workers = story(events)
    assert without_pauses(loop) == steps(
        "tokens 1 taken, 0 waiting",
        "yield A Future",
        "wake A",
        "step A",
        "tokens 0 taken, 0 waiting",
        *ANSWERED,
    )
    assert [words.partition(":")[0] for words in workers] == ["call 1 by A", "return 1"]
    (call,), (back,) = of_kind(events, ev.CALL), of_kind(events, ev.RETURN)
    roles = {event[2]: event[3] for event in of_kind(events, ev.THREAD)}
    assert roles[call[5]] == "worker"
    assert sorted(roles.values()) == ["loop", "worker"]
    woken = [event for event in of_kind(events, ev.WAKE) if event[2] == call[3] and event[0] >= call[0]]
    assert back[0] <= woken[-1][0]


@every_setup
def test_more_def_requests_than_tokens(setup: Setup) -> None:
    """Requests beyond the thread limit wait for a thread, and the counts of the limiter show it."""
    gate = threading.Event()

    def handler() -> None:
        gate.wait(5)

    with serve(handler, setup, threads=2) as served, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(served.get, "/x") for _ in range(4)]
        served.wait_for(lambda events: kinds(events)[ev.TOKEN_WAIT] == kinds(events)[ev.CALL] == 2)
        gate.set()
        assert {answer.result()[0] for answer in answers} == {200}
        events = served.settle(4)
    count = kinds(events)
    assert (count[ev.CALL], count[ev.RETURN], count[ev.TOKEN_WAIT]) == (4, 4, 2)
    tokens = [event[2:] for event in of_kind(events, ev.TOKENS)]
    assert {total for total, _, _ in tokens} == {2}
    assert [(borrowed, waiting) for _, borrowed, waiting in tokens] == [
        (0, 0),  # as it was when the probe came
        (1, 0),
        (2, 0),
        (2, 1),
        (2, 2),
        (2, 1),
        (2, 0),
        (1, 0),
        (0, 0),
    ]
    waiters = {event[2] for event in of_kind(events, ev.TOKEN_WAIT)}
    first_return = of_kind(events, ev.RETURN)[0][0]
    assert all(event[0] > first_return for event in of_kind(events, ev.CALL) if event[3] in waiters)


@every_setup
@pytest.mark.parametrize("way", ["run_in_executor", "to_thread"])
def test_executor(setup: Setup, way: str) -> None:
    """Work for the loop's executor is submitted by a task, called in a thread, and wakes the task."""

    def work() -> None:
        time.sleep(0.01)  # from Python 3.14 on, nothing waits for what is done before it is awaited

    async def run_in_executor() -> None:
        await asyncio.get_running_loop().run_in_executor(None, work)

    async def to_thread() -> None:
        await asyncio.to_thread(work)

    loop, workers = one({"run_in_executor": run_in_executor, "to_thread": to_thread}[way], setup)
    assert loop == steps("submit 1 by A", "yield A Future", "wake A", "step A", *ANSWERED)
    assert [words.partition(":")[0] for words in workers] == ["call 1 by A", "return 1"]


@every_setup
def test_a_call_that_raises_returns(setup: Setup) -> None:
    """A worker's call that raises ends as one that returns, and the exception reaches the task as it is."""
    mistake = LookupError("in the thread")
    caught: list[BaseException] = []

    def work() -> None:
        raise mistake

    async def handler() -> None:
        for attempt in (asyncio.to_thread(work), anyio.to_thread.run_sync(work)):
            try:
                await attempt
            except LookupError as error:
                caught.append(error)

    _, workers = one(handler, setup)
    assert [words.partition(":")[0] for words in workers] == [
        "call 1 by A",
        "return 1",
        "call 2 by A",
        "return 2",
    ]
    assert [error is mistake for error in caught] == [True, True]


async def by_gather(child: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Two children by `asyncio.gather`."""
    await asyncio.gather(child(), child())


async def by_task_group(child: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Two children in asyncio's task group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(child())
        group.create_task(child())


async def by_anyio(child: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Two children in AnyIO's task group."""
    async with anyio.create_task_group() as group:
        group.start_soon(child)
        group.start_soon(child)


@every_setup
@pytest.mark.parametrize("spawn", [by_gather, by_task_group, by_anyio])
def test_child_tasks(setup: Setup, spawn: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """Child tasks belong to the request of the task that makes them, and name it as their parent."""
    parents = []

    async def child() -> None:
        parents.append(asyncio.current_task())
        await asyncio.sleep(0.05)

    async def handler() -> None:
        await spawn(child)

    lines, _ = one(handler, setup)
    awaited = "_GatheringFuture" if spawn is by_gather else "Future"
    if setup.eager and spawn is not by_anyio:  # AnyIO's groups start no task eagerly
        beginning = [
            "task B of A",
            "yield B Future until due",
            "task C of A",
            "yield C Future until due",
            f"yield A {awaited}",
        ]
    else:
        beginning = [
            "task B of A",
            "task C of A",
            f"yield A {awaited}",
            "step B",
            "yield B Future until due",
            "step C",
            "yield C Future until due",
        ]
    assert lines[: 3 + len(beginning)] == steps(*beginning)
    assert lines[-5:] == ["wake A", "step A", *ANSWERED]
    # The timers may fire in one iteration or in two.
    assert sorted(lines[3 + len(beginning) : -5]) == [
        "end B",
        "end C",
        "step B",
        "step C",
        "wake B",
        "wake C",
    ]
    assert len(parents) == 2


@every_setup
def test_a_childs_child_in_a_thread(setup: Setup) -> None:
    """The request reaches a task's task's worker thread."""

    async def child() -> None:
        await asyncio.gather(anyio.to_thread.run_sync(time.sleep, 0), asyncio.to_thread(time.sleep, 0))

    async def handler() -> None:
        await asyncio.create_task(child())

    with serve(handler, setup) as served:
        served.get("/x", number=77)
        events = served.settle()
    assert [event[4] for event in of_kind(events, ev.CALL)] == [77, 77]
    assert [event[4] for event in of_kind(events, ev.SUBMIT)] == [77]
    tasks = {event[2]: event for event in of_kind(events, ev.TASK)}
    for call in of_kind(events, ev.CALL):
        grandparent = tasks[tasks[tasks[call[3]][3]][3]]
        assert grandparent[4] == 77


@every_setup
def test_streaming(setup: Setup) -> None:
    """A streamed response has sent its head before its first pause and its last byte after the last."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"chunk"
            await asyncio.sleep(0.01)

    async def handler() -> StreamingResponse:
        return StreamingResponse(body())

    lines, _ = one(handler, setup)
    lines = [words for words in lines if words.endswith("due") or words.startswith(("status", "responded"))]
    assert [words.split()[0] for words in lines] == ["status", "yield", "yield", "yield", "responded"]


@every_setup
def test_background_task(setup: Setup) -> None:
    """A background task continues in the request's task after the response."""

    async def later() -> None:
        await asyncio.sleep(0.01)

    async def handler(tasks: BackgroundTasks) -> None:
        tasks.add_task(later)

    lines, _ = one(handler, setup)
    assert lines == steps("status 200", "responded", "yield A Future until due", "wake A", "step A", "end A")


@every_setup
def test_raising(setup: Setup) -> None:
    """An exception that the app lets out is a 500, and is reported by its name and message."""

    async def handler() -> None:
        raise LookupError("no such thing")

    with serve(handler, setup) as served:
        assert served.get("/x")[0] == 500
        served.settle()
    lines, _ = story(served.events)
    assert lines == steps("status 500", "raised LookupError: no such thing", "responded", "end A")


@every_setup
def test_disconnect(setup: Setup) -> None:
    """A client that disconnects early is not answered, and its task still ends."""

    async def handler() -> None:
        await asyncio.sleep(0.15)

    with serve(handler, setup) as served:
        with served.connect() as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            served.wait_for(lambda events: any(event[4] for event in of_kind(events, ev.TASK)))
        events = served.settle()
        lines, _ = story(events)
        assert [words for words in lines if words != "status 200"] == steps(
            "yield A Future until due", "wake A", "step A", "end A"
        )
        assert served.get("/x")[0] == 200


@every_setup
def test_keep_alive(setup: Setup) -> None:
    """Two requests on one connection are two requests."""

    async def handler() -> None:
        pass

    with serve(handler, setup) as served:
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        ) as connection:
            for _ in range(2):
                connection.request("GET", "/x")
                assert connection.getresponse().read() == b"null"
        events = served.settle(2)
    assert [event[2] for event in of_kind(events, ev.READ)] == [1, 2]
    assert story(events, 1)[0] == steps(*ANSWERED)
    assert story(events, 2)[0] == steps(*ANSWERED)


@every_setup
def test_pipelining(setup: Setup) -> None:
    """Two requests sent at once on one connection are two requests, each with its own number."""

    async def handler() -> None:
        await asyncio.sleep(0.01)

    with serve(handler, setup) as served:
        with served.connect() as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            events = served.settle(2)
            answer = client.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 200")
        assert served.probe.failures == []
    ends = ("status 200", "responded")
    for number in (1, 2):
        lines = story(events, number)[0]
        assert lines[0] == "read GET /x"
        assert [words for words in lines if words in ends] == list(ends)
        assert sum(words.startswith("task") for words in lines) == 1


@every_setup
def test_own_load(setup: Setup) -> None:
    """The numbers of our own client are taken from its header; others' headers are ignored."""

    async def handler() -> None:
        pass

    with serve(handler, setup) as served:
        served.get("/x", number=41)
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        ) as connection:
            connection.request("GET", "/x", headers={"X-Loopviz-Request": "guess-7"})
            connection.getresponse().read()
        events = served.settle(2)
        assert served.probe.failures == []
    assert next((event[2], event[5]) for event in of_kind(events, ev.READ)) == (41, 0)
    assert [event[2] for event in of_kind(events, ev.READ)] == [41, 1]


@every_setup
def test_a_malformed_own_header(setup: Setup) -> None:
    """A header that starts like ours and is invalid does no harm to the request."""

    async def handler() -> None:
        pass

    with serve(handler, setup) as served, served.connect() as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Loopviz-Request: secret-x\r\n\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 200")


@every_setup
@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="needs Linux's TCP_INFO")
@pytest.mark.parametrize("new", [True, False], ids=["new connection", "old connection"])
def test_arrival_during_a_block(setup: Setup, new: bool) -> None:
    """Another client's request that came while the loop was blocked is given its time of arrival."""
    blocking = threading.Event()

    async def handler() -> None:
        if not blocking.is_set():
            blocking.set()
            time.sleep(0.5)

    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serve(handler, setup))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        client = None if new else stack.enter_context(served.connect())
        first = pool.submit(served.get, "/x")
        assert blocking.wait(5)
        client = client or stack.enter_context(served.connect())
        sent = now_ns()
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(10_000)
        assert first.result()[0] == 200
        read, _, number, _, _, arrived = of_kind(served.settle(2), ev.READ)[1]
    assert number == 2
    assert -20 * MS < arrived - sent < 150 * MS
    assert read - arrived > 200 * MS


def test_steps_alternate() -> None:
    """Each task's steps begin and end in turn, and on the loop one at a time."""

    async def child() -> None:
        await asyncio.sleep(0.001)
        await asyncio.sleep(0)

    async def handler() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(child())

    with serve(handler) as served:
        served.get_all(["/x"] * 8)
        events = served.settle(8)
    running = 0
    for event in of_kind(events, ev.STEP, ev.YIELD, ev.END):
        if event[1] == ev.STEP:
            assert running == 0
            running = event[2]
        elif running or event[1] == ev.YIELD:
            assert running in (event[2], 0)
            running = 0


def test_idle_and_iteration() -> None:
    """The loop goes to sleep only between iterations, and a quiet one sleeps most of the time."""

    async def handler() -> None:
        await asyncio.sleep(0.3)

    with serve(handler) as served:
        served.get("/x")
        events = of_kind(served.settle(), ev.IDLE, ev.ITERATION)
    slept = 0
    for one_event, next_event in itertools.pairwise(events):
        if one_event[1] == ev.IDLE:
            assert next_event[1] == ev.ITERATION
            slept += next_event[0] - one_event[0]
    assert slept > 0.5 * (events[-1][0] - events[0][0])


@pytest.mark.parametrize("setup", [pytest.param(UVLOOP, marks=UVLOOP.marks())])
def test_blindness_on_uvloop(setup: Setup) -> None:
    """What uvloop hides is not reported, and the probe says that it is not visible, and why."""

    async def handler() -> None:
        pass

    with serve(handler, setup) as served:
        served.get("/x")
        events = served.settle()
        idle, sockets = served.probe.blind
    assert "idle" in idle.what
    assert "data came" in sockets.what
    assert "uvloop" in idle.why
    assert "uvloop" in sockets.why
    assert not of_kind(events, ev.IDLE, ev.ITERATION)


def test_no_blindness_on_asyncio() -> None:
    """On asyncio's own loop everything is visible."""

    async def handler() -> None:
        pass

    with serve(handler) as served:
        assert [blind.what for blind in served.probe.blind if "CPU" not in blind.what] == []
        if sys.platform == "linux":
            assert served.probe.blind == []


@every_setup
def test_many_at_once(setup: Setup) -> None:
    """Thirty requests at once have thirty complete stories that do not mix."""

    async def handler() -> None:
        await asyncio.sleep(0.01)
        await asyncio.gather(asyncio.sleep(0.01), asyncio.to_thread(time.sleep, 0.001))

    with serve(handler, setup) as served:
        assert {status for status, _ in served.get_all(["/x"] * 30)} == {200}
        events = served.settle(30)
        assert served.buffer.dropped == 0
    tasks = of_kind(events, ev.TASK)
    number_of = {task[2]: task[4] for task in tasks}
    for number in range(1, 31):
        lines, workers = Telling(events).story(number)
        assert [words for words in lines if words[:3] in ("rea", "sta", "res")] == [
            "read GET /x",
            "status 200",
            "responded",
        ]
        assert sum(words.startswith("task") for words in lines) == 3
        assert sum(words.startswith("end") for words in lines) == 3
        assert len(workers) == 2
    for task in tasks:
        if task[4] and number_of.get(task[3]):
            assert number_of[task[3]] == task[4]


def test_plain_starlette_response() -> None:
    """A response's status is reported as it is, not only 200 and 500."""

    async def handler() -> PlainTextResponse:
        return PlainTextResponse("tea", 418)

    with serve(handler) as served:
        assert served.get("/x") == (418, "tea")
        assert served.get("/nowhere")[0] == 404
        events = served.settle(2)
    assert [event[3] for event in of_kind(events, ev.STATUS)] == [418, 404]
