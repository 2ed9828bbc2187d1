"""What the probe says of awaits and of library code: the kind of thing, its holder, and the user's line."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import importlib.util
import json
import multiprocessing
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from loopviz.probe import compat, selftest
from loopviz.stream import events as ev
from tests.probe_support import PLAIN, UVLOOP, RawEvent, Served, Setup, of_kind

_SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()
both_loops = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, UVLOOP)]
)
NAP = 0.15


def line_of(mark: str) -> int:
    """The number of the line of this file that ends with a comment."""
    (number,) = [n for n, line in enumerate(_SOURCE, 1) if line.endswith(f"# {mark}")]
    return number


def serve(handler: Callable[..., Any], setup: Setup = PLAIN, method: str = "GET") -> Served:
    """A server whose only endpoint is /x."""
    app = FastAPI()
    app.add_api_route("/x", handler, response_model=None, methods=[method])
    return Served(app, setup)


def ask(handler: Callable[..., Any], setup: Setup = PLAIN) -> list[RawEvent]:
    """The events of one request."""
    with serve(handler, setup) as served:
        assert served.get("/x")[0] == 200
        events = served.settle()
        assert served.probe.failures == []
    return events


def root_of(events: list[RawEvent], request: int = 1) -> int:
    """The number of the task that serves a request."""
    number: int = next(event[2] for event in of_kind(events, ev.TASK) if event[4] == request)
    return number


def awaited(events: list[RawEvent], request: int = 1) -> list[tuple[str, str]]:
    """What the root of the request has awaited: kinds and names."""
    root = root_of(events, request)
    return [(event[3], event[4]) for event in of_kind(events, ev.AWAITED) if event[2] == root]


def of_requests(events: list[RawEvent]) -> Counter[tuple[str, str]]:
    """How often tasks of requests have awaited what: kinds and names."""
    tasks = {event[2] for event in of_kind(events, ev.TASK) if event[4]}
    return Counter((event[3], event[4]) for event in of_kind(events, ev.AWAITED) if event[2] in tasks)


def lines(events: list[RawEvent]) -> list[int]:
    """The lines of this file at which the root of the first request has awaited."""
    root = root_of(events)
    return [e[4] for e in of_kind(events, ev.AWAITS) if e[2] == root and e[3] == __file__]


# -- kinds -----------------------------------------------------------------------------------------


async def later(function: Callable[[], object]) -> None:
    """Call a function after a while."""
    await asyncio.sleep(NAP)
    function()


async def event() -> Any:
    """Await an event."""
    done = asyncio.Event()
    helper = asyncio.create_task(later(done.set))
    await done.wait()
    return helper


async def event_of_anyio() -> Any:
    """Await one of AnyIO's events."""
    done = anyio.Event()
    helper = asyncio.create_task(later(done.set))
    await done.wait()
    return helper


async def queue_get() -> Any:
    """Await an item."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    helper = asyncio.create_task(later(lambda: queue.put_nowait(1)))
    await queue.get()
    return helper


async def queue_put() -> Any:
    """Await room for an item."""
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    queue.put_nowait(1)
    helper = asyncio.create_task(later(queue.get_nowait))
    await queue.put(2)
    return helper


async def queue_join() -> Any:
    """Await the end of the work."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    queue.put_nowait(1)
    helper = asyncio.create_task(later(queue.task_done))
    await queue.join()
    return helper


async def future() -> Any:
    """Await a future of which nothing is known."""
    bare = asyncio.get_running_loop().create_future()
    helper = asyncio.create_task(later(lambda: bare.set_result(1)))
    await bare
    return helper


async def condition() -> Any:
    """Await a notification."""
    changed = asyncio.Condition()

    async def notify() -> None:
        await asyncio.sleep(NAP)
        async with changed:
            changed.notify_all()

    helper = asyncio.create_task(notify())
    async with changed:
        await changed.wait()
    return helper


async def stream() -> Any:
    """Await an item of a memory stream."""
    sender, receiver = anyio.create_memory_object_stream[int](1)
    with sender, receiver:
        helper = asyncio.create_task(later(lambda: sender.send_nowait(1)))
        await receiver.receive()
    return helper


async def named_task() -> None:
    """Await a task that has a name."""
    await asyncio.create_task(asyncio.sleep(NAP), name="nap")


async def unnamed_tasks() -> None:
    """Await tasks that have none."""
    await asyncio.gather(later(int), later(int))


async def waits() -> None:
    """Await a task by asyncio.wait."""
    await asyncio.wait([asyncio.create_task(later(int))])


async def task_group() -> None:
    """Await the tasks of a group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(later(int))


async def thread() -> None:
    """Await a thread of asyncio's executor."""
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, NAP)


async def thread_of_anyio() -> None:
    """Await one of AnyIO's threads."""
    await anyio.to_thread.run_sync(time.sleep, NAP)


async def process() -> None:
    """Await a call that was submitted to a process pool."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        await asyncio.wrap_future(pool.submit(time.sleep, NAP))


async def subprocess() -> None:
    """Await a subprocess."""
    started = await asyncio.create_subprocess_exec(sys.executable, "-c", f"import time; time.sleep({NAP})")
    await started.wait()


async def sock() -> None:
    """Await bytes of a socket, by the loop's own method."""
    mine, other = socket.socketpair()
    with mine, other:
        mine.setblocking(False)
        helper = asyncio.create_task(later(lambda: other.send(b"x")))
        await asyncio.get_running_loop().sock_recv(mine, 1)
        await helper


async def stream_reader() -> None:
    """Await bytes of a stream."""
    mine, other = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=mine)
    helper = asyncio.create_task(later(lambda: other.send(b"x")))
    await reader.read(1)
    await helper
    writer.close()
    other.close()


async def drain() -> None:
    """Await that the other side takes what was sent."""
    mine, other = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=mine)
    writer.write(b"x" * 10_000_000)
    helper = asyncio.create_task(later(other.close))
    with contextlib.suppress(OSError):
        await writer.drain()
    await helper
    writer.close()


KINDS: list[tuple[Callable[[], Awaitable[Any]], str, str]] = [
    (lambda: asyncio.sleep(NAP), "timer", ""),
    (lambda: anyio.sleep(NAP), "timer", ""),
    (event, "event", ""),
    (event_of_anyio, "event", ""),
    (queue_get, "queue", "get"),
    (queue_put, "queue", "put"),
    (queue_join, "queue", "join"),
    (future, "future", ""),
    (condition, "condition", ""),
    (stream, "stream", "receive"),
    (named_task, "task", "nap"),
    (unnamed_tasks, "task", "later"),
    (waits, "task", "later"),
    (task_group, "task", "later"),
    (thread, "thread", ""),
    (thread_of_anyio, "thread", ""),
    (process, "process", ""),
    (subprocess, "subprocess", ""),
    (sock, "socket", ""),
    (stream_reader, "socket", ""),
    (drain, "drain", ""),
]


@both_loops
def test_every_kind(setup):
    """What a request awaits is reported once for each await, by its kind and its name."""

    async def handler() -> None:
        for kind, _, _ in KINDS:
            await kind()
            await asyncio.sleep(0)

    events = ask(handler, setup)
    reported = awaited(events)
    expected = [(what, name) for _, what, name in KINDS]
    # A slow machine may stop between two awaits for longer than 20 ms, but every kind has its turn.
    rest = iter(reported)
    assert [each for each in expected if each in rest] == expected, reported
    assert len(reported) <= len(expected) + 5


@pytest.mark.parametrize("call_it", [True, False])
def test_a_thread_for_a_dependency(call_it):
    """A thread that FastAPI needs for a dependency has that name; one that a dependency asks for has none."""

    def plain() -> Iterator[int]:
        time.sleep(NAP)
        yield 1

    async def asks() -> None:
        await run_in_threadpool(time.sleep, NAP)

    dependency = plain if call_it else asks

    async def handler(_: int = Depends(dependency)) -> None:
        pass

    assert awaited(ask(handler)) == [("thread", "dependency" if call_it else "")]


def test_a_timeout_hides_nothing():
    """Under a timeout, what is awaited is reported; in 3.11 `wait_for` runs it in a task of its own."""

    async def handler() -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(NAP)
        await asyncio.wait_for(asyncio.sleep(NAP), 5)

    what = "timer" if sys.version_info >= (3, 12) else "task"
    reported = awaited(ask(handler))
    assert [reported[0][0], reported[-1][0]] == ["timer", what]


def test_the_connection_of_a_pool():
    """A request that waits for a connection of httpx's pool awaits that, and not an event."""
    httpx = pytest.importorskip("httpx")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(10_000)
                    time.sleep(NAP)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        async def handler() -> None:
            async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), trust_env=False) as client:
                await asyncio.gather(client.get(url), client.get(url))

        events = ask(handler)
    found = of_requests(events)
    assert found["connection", "httpcore"] == 1
    assert found["socket", ""] >= 1
    assert not found["event", ""]


def test_the_connection_of_a_database(tmp_path):
    """A request that waits for a connection of SQLAlchemy's pool awaits that, and not a queue."""
    asyncio_ = pytest.importorskip("sqlalchemy.ext.asyncio")
    pytest.importorskip("aiosqlite")

    async def handler() -> None:
        engine = asyncio_.create_async_engine(
            f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", pool_size=1, max_overflow=0
        )

        async def use() -> None:
            async with engine.connect():
                await asyncio.sleep(NAP)

        await asyncio.gather(use(), use())
        await engine.dispose()

    found = of_requests(ask(handler))
    if sys.version_info < (3, 12):  # there `wait_for` gives what it awaits a task of its own
        assert found["task", "Queue.get"] + found["connection", "sqlalchemy"] == 1
        return
    assert found["connection", "sqlalchemy"] == 1
    assert not found["queue", "get"]


POOL = """
import asyncio

class ConnectionPool:
    def __init__(self):
        self.free = asyncio.Queue()
        self.cond = asyncio.Condition()

    async def acquire(self):
        return await self.free.get()

    async def get_connection(self):
        async with self.cond:
            await self.cond.wait()

    async def query(self):
        async with asyncio.Lock():
            await self.free.get()
"""


def test_any_librarys_pool(tmp_path, monkeypatch):
    """A pool of a library that loopviz does not know is recognised by its names; what is no taking is not."""
    folder = tmp_path / "site-packages" / "somedb"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(POOL)
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    somedb = importlib.import_module("somedb")

    async def handler() -> None:
        pool = somedb.ConnectionPool()
        for take in (pool.acquire, pool.get_connection, pool.query):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NAP):
                    await take()

    reported = awaited(ask(handler))
    assert [each for each in reported if each[0] != "timer"] == [
        ("connection", "somedb"),
        ("connection", "somedb"),
        ("queue", "get"),
    ]


@both_loops
def test_the_body_that_has_not_come(setup):
    """A request whose body is still on its way awaits its body, at the user's line."""

    async def handler(request: Request) -> int:
        return len(await request.body())  # the body

    with serve(handler, setup, "POST") as served:
        with served.connect() as client:
            client.sendall(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nconnection: close\r\n\r\nab")
            time.sleep(NAP)
            client.sendall(b"cd")
            assert b"200 OK" in client.recv(10_000)
        events = served.settle()
    assert ("body", "") in awaited(events)
    assert lines(events) == [line_of("the body")]


@both_loops
def test_the_client_that_does_not_take_its_response(setup):
    """A stream whose client does not read awaits the drain, and listens for the disconnect meanwhile."""

    async def handler() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 1_000_000

        return StreamingResponse(chunks())

    with serve(handler, setup) as served:
        with served.connect() as client:
            client.sendall(b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            time.sleep(0.4)
            while client.recv(1 << 20):
                pass
        events = served.settle()
    found = {(event[3], event[4]) for event in of_kind(events, ev.AWAITED)}
    assert ("drain", "") in found
    assert ("body", "") not in found


# -- lines -----------------------------------------------------------------------------------------


@both_loops
def test_awaits_inside_asynchronous_generators(setup):
    """A dependency with `yield`, a stream and an `async for` have the line inside their generator."""

    async def dependency() -> AsyncIterator[int]:
        await asyncio.sleep(NAP)  # in the dependency
        yield 1
        await asyncio.sleep(NAP)  # after the dependency

    async def items() -> AsyncIterator[int]:
        await asyncio.sleep(NAP)  # in the items
        yield 1

    async def handler(_: int = Depends(dependency)) -> None:
        async for _item in items():
            pass

    found = lines(ask(handler, setup))
    assert found == [
        line_of(f"{where}") for where in ("in the dependency", "in the items", "after the dependency")
    ]


async def slow_then_quick() -> None:
    """Call a function of this file that is mostly at one line."""
    await asyncio.to_thread(mostly)


def mostly() -> None:
    """Be at one line most of the time."""
    time.sleep(0.5)  # the long line
    time.sleep(0.06)


async def libraries() -> None:
    """Hand functions of libraries to threads."""
    await asyncio.to_thread(time.sleep, NAP)  # A
    await run_in_threadpool(time.sleep, NAP)  # B
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, NAP)  # C
    await run_in_threadpool(json.JSONEncoder(default=lambda _: time.sleep(NAP)).encode, object)
    await asyncio.to_thread(threading.Event().wait, NAP)  # E
    await asyncio.gather(asyncio.to_thread(time.sleep, NAP))  # F
    async with asyncio.TaskGroup() as group:  # G
        group.create_task(asyncio.to_thread(time.sleep, NAP))
    async with anyio.create_task_group() as others:
        others.start_soon(anyio.to_thread.run_sync, time.sleep, NAP)  # H


@both_loops
def test_library_functions_in_threads(setup):
    """A call of a library's function in a thread is reported by the line that awaits it, and by its name."""
    events = ask(libraries, setup)
    found = list(dict.fromkeys((event[4], event[6]) for event in of_kind(events, ev.WITHIN)))
    calls = [(line_of(mark), "time.sleep") for mark in "ABC"]
    calls += [(line_of("E"), "threading.Event.wait"), (line_of("F"), "time.sleep")]
    assert found[:5] == calls
    assert [call for _, call in found[5:]] == ["time.sleep"] * 2
    assert all(event[3] == __file__ for event in of_kind(events, ev.WITHIN, ev.EXECUTES))
    # The lambda that the encoder calls is the user's own code.
    assert {event[4] for event in of_kind(events, ev.EXECUTES)} == {line_of("B") + 2}


def test_a_call_that_nobody_awaits_is_the_endpoints():
    """While the task awaits something else, a call of a library's is reported by the endpoint."""

    async def handler() -> None:
        running = asyncio.get_running_loop().run_in_executor(None, time.sleep, NAP)
        await asyncio.sleep(2 * NAP)
        await running

    found = {event[3:] for event in of_kind(ask(handler), ev.WITHIN)}
    code = handler.__code__
    assert found == {(__file__, code.co_firstlineno, code.co_qualname, "time.sleep")}


def test_work_before_the_endpoint_is_named_by_the_endpoint():
    """A large body is parsed by libraries before the handler is called: both are named, and no finalizer."""

    async def handler(items: list[dict[str, Any]]) -> int:
        return len(items)

    body = json.dumps([{"a": i, "b": str(i), "c": [i] * 5} for i in range(80_000)]).encode()
    with serve(handler, method="POST") as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/x", body, {"content-type": "application/json"})
            assert connection.getresponse().read() == b"80000"
        events = served.settle()
    root = root_of(events)
    held = [event for event in of_kind(events, ev.HOLDS) if event[2] == root]
    assert held
    assert not any("__del__" in event[6] or "loopviz/probe" in event[4] for event in held)
    known = [event for event in held if event[4] == __file__]
    assert {event[6] for event in known} == {handler.__qualname__}
    assert {event[7].partition(".")[0] for event in known} & {"starlette", "fastapi", "json", "pydantic"}


@both_loops
def test_the_self_test_leaves_no_loop_behind(setup):
    """The loops of the self-test are gone when it ends: no finalizer of theirs runs in a user's step."""
    kind: Any = asyncio.SelectorEventLoop
    if setup.loop == "uvloop":
        kind = pytest.importorskip("uvloop").Loop
    gc.collect()
    before = sum(isinstance(each, asyncio.AbstractEventLoop) for each in gc.get_objects())
    gc.disable()
    loop = kind()
    try:
        assert selftest.run(loop).tasks == ""
        after = sum(isinstance(each, asyncio.AbstractEventLoop) for each in gc.get_objects())
    finally:
        loop.close()
        gc.enable()
    assert after == before + 1


# -- who holds a lock ------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def entered(lock: Any) -> AsyncIterator[None]:
    """Hold a lock by way of a context manager."""
    async with lock:
        yield


async def plainly(lock: Any) -> None:
    """Hold a lock."""
    async with lock:
        await asyncio.sleep(2 * NAP)


async def by_a_context_manager(lock: Any) -> None:
    """Hold a lock by way of another context manager."""
    async with entered(lock):
        await asyncio.sleep(2 * NAP)


async def by_a_stack(lock: Any) -> None:
    """Hold a lock by way of an exit stack."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lock)
        await asyncio.sleep(2 * NAP)


async def by_hand(lock: Any) -> None:
    """Hold a lock without `async with`."""
    await lock.acquire()
    await asyncio.sleep(2 * NAP)
    lock.release()


LOCKS: list[Callable[[], Any]] = [
    asyncio.Lock,
    asyncio.Condition,
    lambda: asyncio.Semaphore(1),
    anyio.Lock,
    lambda: anyio.Semaphore(1),
]


@both_loops
@pytest.mark.parametrize("hold", [plainly, by_a_context_manager, by_a_stack])
def test_who_holds_a_lock(setup, hold):
    """Who is inside a lock, a semaphore or a condition's lock is reported for each task that waits for it."""
    app = FastAPI()
    locks: list[Any] = []

    @app.get("/{number}")
    async def handler(number: int) -> None:
        while len(locks) <= number:
            locks.append(LOCKS[len(locks)]())
        await hold(locks[number])

    with Served(app, setup) as served:
        served.get_all([f"/{number}" for number in range(len(LOCKS))] * 2)
        events = served.settle(2 * len(LOCKS))
        assert served.probe.failures == []
    for number in range(len(LOCKS)):
        pair = {root_of(events, event[2]) for event in of_kind(events, ev.READ) if event[4] == f"/{number}"}
        reported = [
            (event[2], event[5])
            for event in of_kind(events, ev.AWAITED)
            if event[2] in pair and event[3] in {"lock", "semaphore"}
        ]
        assert reported, number
        # A holder that runs at that moment is not seen, and named a moment later.
        assert {frozenset(each) for each in dict(reported).items()} == {frozenset(pair)}, number


def test_a_holder_that_cannot_be_seen_is_not_guessed():
    """A lock that is held without `async with` has no holder that is reported."""
    app = FastAPI()
    lock = asyncio.Lock()

    @app.get("/x")
    async def handler() -> None:
        await by_hand(lock)

    with Served(app) as served:
        served.get_all(["/x"] * 3)
        events = served.settle(3)
    reported = [event[5] for event in of_kind(events, ev.AWAITED) if event[3] == "lock"]
    assert len(reported) >= 2
    assert set(reported) == {0}


def test_a_queue_for_a_lock_has_each_holder_reported():
    """While a lock passes from one to the next, each holder is reported for the last one in the queue."""
    app = FastAPI()
    lock, complete = asyncio.Lock(), asyncio.Event()

    @app.get("/x")
    async def handler() -> None:
        async with lock:
            await complete.wait()  # the queue
            await asyncio.sleep(NAP)

    with Served(app) as served:
        clients = []
        for number in range(1, 5):
            clients.append(threading.Thread(target=served.get, args=("/x", number)))
            clients[-1].start()
            served.wait_for(lambda events: len(of_kind(events, ev.READ)) == len(clients))
        served.on_loop(complete.set)
        for client in clients:
            client.join()
        events = served.settle(4)
    roots = [root_of(events, number) for number in range(1, 5)]
    last = [e[5] for e in of_kind(events, ev.AWAITED) if e[2] == roots[3] and e[3] == "lock" and e[5]]
    assert last == roots[:3]


# -- without the private names ---------------------------------------------------------------------


async def gathers_in_a_generator() -> None:
    """Await tasks inside an asynchronous generator."""

    async def items() -> AsyncIterator[int]:
        await asyncio.gather(later(int), later(int))  # the gather
        yield 1

    async for _ in items():  # the loop over it
        pass


@pytest.mark.parametrize(
    ("name", "value", "reported", "seen"),
    [
        ("PIPE", "_pipe", [("task", "later")], "the gather"),
        ("CHILDREN", "_gone", [("future", "")], "the gather"),
        ("AWAIT_WRAPPERS", frozenset(), [("task", "later")], "the loop over it"),
        ("awaited_future", lambda _: None, [], "the gather"),
        ("callbacks_of", lambda _: [], [("task", "later")], "the gather"),
    ],
)
def test_without_a_private_name_less_is_reported(monkeypatch, name, value, reported, seen):
    """Where a version has renamed what the probe reads, less is reported, and nothing that is wrong."""
    monkeypatch.setattr(compat, name, value)
    events = ask(gathers_in_a_generator)
    assert awaited(events) == reported
    assert lines(events) == [line_of(seen)]
