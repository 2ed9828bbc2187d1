"""Who a block delays and whose it is: wakes from threads, sockets and steps; callbacks; many short steps."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio.from_thread
import pytest
from fastapi import FastAPI

from loopviz.model import Block, Request, Timeline
from loopviz.probe import wakes
from loopviz.stream import events as ev
from tests.probe_support import DEBUG, PLAIN, UVLOOP, Served, Setup, of_kind

MS = 1_000_000

both_loops = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, UVLOOP)]
)


def watched(app: Any, *paths: str, setup: Setup = PLAIN, apart: float = 0.05) -> tuple[Served, Timeline]:
    """A server and what the model makes of it, when it was asked for `paths`, `apart` seconds apart."""
    with Served(app, setup) as served, ThreadPoolExecutor(len(paths)) as clients:
        answers = []
        for path in paths:
            answers.append(clients.submit(served.get, path))
            time.sleep(apart)
        for answer in answers:
            assert answer.result()[0] == 200
        served.settle(len(paths))
    assert served.probe.failures == []
    line = Timeline()
    line.feed(served.events)
    return served, line


def the_request(line: Timeline, path: str) -> Request:
    """The one request for `path`."""
    (found,) = [request for request in line.requests.values() if request.path == path]
    return found


def longest(line: Timeline) -> Block:
    """The longest block."""
    return max(line.blocks, key=lambda block: block.lasted(line.last))


def ready_time(request: Request) -> float:
    """How long it was ready (s)."""
    return sum(s.end - s.start for s in request.segments if s.state.value == "ready") / 1e9


def app_with(**endpoints: Callable[[], Awaitable[Any]]) -> FastAPI:
    """An application with these endpoints, each at its own name."""
    app = FastAPI()
    for name, endpoint in endpoints.items():
        app.get(f"/{name}")(endpoint)
    return app


async def block() -> None:
    """Hold the loop from 0.1 s to 0.8 s after the beginning."""
    await asyncio.sleep(0.1)
    time.sleep(0.7)


# -- woken by the blocking step itself -----------------------------------------------------------


@both_loops
def test_whom_a_block_wakes_it_has_not_delayed(setup: Setup) -> None:
    """A request that waits for what the blocking step makes is no victim of it; one that was ready is."""
    made = asyncio.Event()

    async def consumer() -> None:
        await made.wait()

    async def sleeper() -> None:
        await asyncio.sleep(0.2)

    async def producer() -> None:
        await asyncio.sleep(0.05)
        time.sleep(0.4)
        made.set()

    _, line = watched(
        app_with(consumer=consumer, sleeper=sleeper, producer=producer),
        "/consumer", "/sleeper", "/producer", setup=setup,
    )  # fmt: skip
    found = longest(line)
    assert found.request == the_request(line, "/producer").id
    assert found.victims == [the_request(line, "/sleeper").id]


@both_loops
def test_a_request_that_was_ready_before_is_a_victim(setup: Setup) -> None:
    """Two consumers of one event: the first one's long step delays the second, which was woken before."""
    made = asyncio.Event()

    async def consumer() -> None:
        await made.wait()
        time.sleep(0.2)

    async def producer() -> None:
        made.set()

    _, line = watched(
        app_with(first=consumer, second=consumer, producer=producer),
        "/first", "/second", "/producer", setup=setup,
    )  # fmt: skip
    first, second = sorted(line.blocks, key=lambda found: found.start)
    assert first.victims == [second.request]
    assert first.request not in second.victims


# -- woken from outside --------------------------------------------------------------------------


def _own_submit(pool: ThreadPoolExecutor) -> Awaitable[None]:
    return asyncio.wrap_future(pool.submit(time.sleep, 0.3))


def _gathered(pool: ThreadPoolExecutor) -> Awaitable[Any]:
    return asyncio.gather(_own_submit(pool), _own_submit(pool))


def _event_set(pool: ThreadPoolExecutor) -> Awaitable[Any]:
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        time.sleep(0.3)
        loop.call_soon_threadsafe(done.set)

    pool.submit(work)
    return done.wait()


@both_loops
@pytest.mark.parametrize("way", [_own_submit, _gathered, _event_set])
def test_a_thread_that_is_done_while_the_loop_is_blocked(
    way: Callable[[ThreadPoolExecutor], Awaitable[Any]], setup: Setup
) -> None:
    """What awaits a thread of its own is ready when the thread is done, and delayed by the block."""
    with ThreadPoolExecutor(2) as pool:

        async def waits() -> None:
            await way(pool)

        _, line = watched(app_with(waits=waits, block=block), "/waits", "/block", setup=setup)
    waiting = the_request(line, "/waits")
    assert longest(line).victims == [waiting.id]
    assert (
        0.3 < ready_time(waiting) < 0.7
    )  # about 0.5 s: the thread is done at 0.3 s, and the block at 0.85 s


@both_loops
def test_a_thread_that_is_done_is_known_while_the_block_lasts(setup: Setup) -> None:
    """That a thread of one's own is done is reported at once, and not only when the loop notices."""
    with ThreadPoolExecutor(2) as pool:

        async def waits() -> None:
            await _own_submit(pool)

        served, line = watched(app_with(waits=waits, block=block), "/waits", "/block", setup=setup)
    found = longest(line)
    before = Timeline()
    assert found.end is not None
    before.feed(event for event in served.events if event[0] < found.end)
    assert before.victims(found, found.end) == [the_request(line, "/waits").id]
    (open_block,) = list(before.blocks_until(found.end))
    assert before.victims(open_block, found.end) == [the_request(line, "/waits").id]


@both_loops
def test_a_coroutine_started_from_a_thread(setup: Setup) -> None:
    """A coroutine that a worker thread starts belongs to its request, and is delayed by the block."""
    app = FastAPI()

    async def inner() -> str:
        return "done"

    @app.get("/worker")
    def worker() -> str:
        time.sleep(0.3)
        return anyio.from_thread.run(inner)

    app.get("/block")(block)
    served, line = watched(app, "/worker", "/block", setup=setup)
    waiting = the_request(line, "/worker")
    assert longest(line).victims == [waiting.id]
    (task,) = [event for event in of_kind(served.events, ev.TASK) if "task_wrapper" in event[5]]
    assert task[4] == waiting.id
    (late,) = [event for event in of_kind(served.events, ev.LATE_WAKE) if event[2] == task[2]]
    assert late[0] - late[3] > 200 * MS
    # Whenever it is asked, the block's victim is one only from the time on at which it could have run.
    found = longest(line)
    assert line.victims(found, late[3] + MS) == [waiting.id]
    assert line.victims(found, late[3] - 50 * MS) == []


@contextlib.contextmanager
def upstream(delay: float) -> Iterator[int]:
    """A server that answers every line after `delay` seconds; its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(10)

        def answer(connection: socket.socket) -> None:
            with connection:
                while connection.recv(100):
                    time.sleep(delay)
                    connection.sendall(b"answer\n")

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


needs_tcp_info = pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="no TCP_INFO")


@needs_tcp_info
@pytest.mark.parametrize("setup", [PLAIN, DEBUG], ids=lambda setup: setup.name)
@pytest.mark.parametrize("raw", [False, True], ids=["stream", "sock_recv"])
def test_a_socket_that_has_data_while_the_loop_is_blocked(raw: bool, setup: Setup) -> None:
    """What awaits a socket is ready when the answer has arrived, and delayed by the block."""
    with upstream(0.3) as port:

        async def calls() -> str:
            if raw:
                loop = asyncio.get_running_loop()
                with socket.socket() as sock:
                    sock.setblocking(False)
                    await loop.sock_connect(sock, ("127.0.0.1", port))
                    await loop.sock_sendall(sock, b"x\n")
                    return (await loop.sock_recv(sock, 100)).decode()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x\n")
            answer = await reader.readline()
            writer.write(b"y\n")  # the reader's callback is its own again
            answer += await reader.readline()
            writer.close()
            return answer.decode()

        served, line = watched(app_with(calls=calls, block=block), "/calls", "/block", setup=setup)
    waiting = the_request(line, "/calls")
    assert longest(line).victims == [waiting.id]
    assert 0.3 < ready_time(waiting) < 0.75
    assert served.probe.blind == []


@needs_tcp_info
def test_a_socket_whose_answer_comes_after_the_block() -> None:
    """What awaits a socket that has not answered is awaiting: no block delays it."""
    with upstream(1.2) as port:

        async def calls() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x\n")
            await reader.readline()
            writer.close()

        _, line = watched(app_with(calls=calls, block=block), "/calls", "/block")
    assert longest(line).victims == []


@needs_tcp_info
def test_a_connection_that_ends_has_no_data_to_date_it() -> None:
    """The end of a connection is not dated by the data that was read long before."""
    ends = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"line\n")
            ends.wait(5)
            time.sleep(0.3)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()

        async def calls() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await reader.readline()
            await asyncio.sleep(0.02)
            ends.set()
            await reader.read()
            writer.close()

        served, line = watched(app_with(calls=calls, block=block), "/calls", "/block")
    tasks = {
        event[2] for event in of_kind(served.events, ev.TASK) if event[4] == the_request(line, "/calls").id
    }
    assert [event for event in of_kind(served.events, ev.LATE_WAKE) if event[2] in tasks] == []


@needs_tcp_info
def test_a_reader_that_is_removed_stays_removed() -> None:
    """A reader that a callback removes before its turn is not called, although it was marked."""
    called: list[str] = []

    async def readers() -> list[str]:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            ends = []
            for name in ("one", "other"):
                client = stack.enter_context(socket.create_connection(listener.getsockname()))
                served, _ = listener.accept()
                ends.append((stack.enter_context(served), client, name))

            def only(name: str) -> None:
                called.append(name)
                for served, _, _ in ends:
                    loop.remove_reader(served)

            for served, _, name in ends:
                loop.add_reader(served, only, name)
            await asyncio.sleep(0.01)
            for _, client, _ in ends:
                client.send(b"x")
            time.sleep(0.05)
            await asyncio.sleep(0.05)
        return called

    watched(app_with(readers=readers), "/readers")
    assert len(called) == 1


def test_uvloop_says_that_sockets_cannot_be_asked() -> None:
    """On uvloop it is reported that the arrival of data is not visible while the loop is busy."""
    for mark in UVLOOP.marks():
        pytest.skip(str(mark.kwargs["reason"]))
    with Served(app_with(block=block), UVLOOP) as served:
        assert "when data came for a task while the loop was busy" in dict(served.probe.blind)


class Callbacks:
    """Has a callback."""

    def method(self) -> None:
        """Fail."""
        raise ValueError("on purpose")


def keep(messages: list[str], _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep the message that an exception handler is given."""
    messages.append(context["message"])


def test_debug_messages_name_the_callback() -> None:
    """A callback that another thread schedules has the `repr` and the messages that it has unwatched."""

    def callback() -> None:
        raise ValueError("on purpose")

    callbacks: list[Any] = [callback, partial(callback), Callbacks().method]
    said: list[list[str]] = []
    for probed in (False, True):
        messages: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            """Serve nothing."""

        with Served(app, DEBUG, probed=probed) as served:
            served.loop.set_exception_handler(partial(keep, messages))
            messages += [repr(served.loop.call_soon_threadsafe(one)) for one in callbacks]
            for wrong in (block, None):
                with pytest.raises(TypeError) as error:
                    served.loop.call_soon_threadsafe(wrong)  # type: ignore[arg-type]
                messages.append(str(error.value))
            time.sleep(0.05)
        said.append(sorted(messages))
    assert said[0] == said[1]
    assert len(said[0]) == 8


def test_hostile_callbacks_are_called_as_without_a_probe() -> None:
    """A callback with any attributes, or none, is called once and with its own arguments."""

    class Odd:
        __slots__ = ("calls",)

        def __init__(self) -> None:
            self.calls: list[Any] = []

        def __call__(self, *args: Any) -> None:
            self.calls.append(args)

        def __getattribute__(self, name: str) -> Any:
            if name in ("calls", "__class__"):
                return object.__getattribute__(self, name)
            raise RuntimeError(name)

        def __hash__(self) -> int:
            raise RuntimeError("no hash")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no comparison")

    odd = Odd()
    with Served(app_with(block=block)) as served:
        served.loop.call_soon_threadsafe(odd, 1, None, context=contextvars.Context())
        time.sleep(0.05)
        assert served.probe.failures == []
    assert odd.calls == [(1, None)]


# -- callbacks -----------------------------------------------------------------------------------


def short() -> None:
    """Take 2 ms."""
    time.sleep(0.002)


def test_many_callbacks_are_not_one_block() -> None:
    """Many short callbacks hold the loop for long, and none of them blocks it: they starve the sleeper."""

    async def many() -> None:
        for _ in range(150):
            asyncio.get_running_loop().call_soon(short)
        await asyncio.sleep(0.01)

    _, line = watched(app_with(many=many), "/many")
    assert [found for found in line.blocks if found.by == "callback"] == []
    (starved,) = line.starvations
    assert starved.victims == [the_request(line, "/many").id]
    assert starved.longest > 200 * MS
    assert starved.culprits[0].where is not None
    assert starved.culprits[0].where.function == "short"


def test_a_long_callback_is_one_block_of_its_request() -> None:
    """A callback that blocks is one block, belongs to the request in whose context it runs, and says so."""

    async def later() -> None:
        asyncio.get_running_loop().call_later(0.1, time.sleep, 0.4)
        await asyncio.sleep(0.6)

    async def sleeper() -> None:
        await asyncio.sleep(0.1)

    served, line = watched(app_with(later=later, sleeper=sleeper), "/later", "/sleeper")
    found = longest(line)
    assert (found.by, found.request) == ("callback", the_request(line, "/later").id)
    assert found.victims == [the_request(line, "/sleeper").id]
    assert len({event[2] for event in of_kind(served.events, ev.CALLBACK)}) == 1


def test_a_callback_after_many_short_ones_is_not_blamed_for_them() -> None:
    """A block by a callback begins when the callback does, and not when the loop turned to callbacks."""

    async def mixed() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(100):
            loop.call_soon(short)
        loop.call_soon(time.sleep, 0.3)
        await asyncio.sleep(0)

    _, line = watched(app_with(mixed=mixed), "/mixed")
    found = longest(line)
    assert found.by == "callback"
    assert 200 * MS < found.lasted(line.last) < 400 * MS


# -- tasks with a context of their own -----------------------------------------------------------


@both_loops
def test_a_child_task_with_an_empty_context_is_its_creators(setup: Setup) -> None:
    """A task that a request creates with an empty context belongs to the request, and so does its block."""

    async def child() -> None:
        await asyncio.sleep(0.1)
        time.sleep(0.2)

    async def parent() -> None:
        await asyncio.create_task(child(), context=contextvars.Context())

    _, line = watched(app_with(parent=parent), "/parent", setup=setup)
    found = longest(line)
    assert found.request == the_request(line, "/parent").id
    assert found.victims == []


# -- many short steps ----------------------------------------------------------------------------


@both_loops
def test_short_steps_that_starve_others(setup: Setup) -> None:
    """Steps of 60 ms in a row are no blocks, and starve the others: with victims, and with their lines."""

    async def steps() -> None:
        for _ in range(3):
            time.sleep(0.06)  # a short step
            await asyncio.sleep(0.001)

    async def idle() -> None:
        await asyncio.sleep(0.01)

    paths = {f"n{number}": steps for number in range(6)}
    _, line = watched(
        app_with(**paths, idle=idle), *(f"/{path}" for path in paths), "/idle", setup=setup, apart=0.0
    )
    assert line.starvations
    assert sum(s.lasted(line.last) for s in line.starvations) > 600 * MS
    worst = max(line.starvations, key=lambda s: s.longest)
    assert worst.longest > 200 * MS
    assert len(worst.victims) >= 4
    by_line: dict[object, float] = {}
    for _, where, share in worst.culprits:
        by_line[where and where.function] = by_line.get(where and where.function, 0.0) + share
    named = [share for function, share in by_line.items() if str(function).endswith("steps")]
    assert sum(named) > 0.8
    assert sum(share for _, _, share in worst.culprits) == pytest.approx(1)


def test_a_calm_server_starves_nobody() -> None:
    """Short steps with pauses between them are no starvation."""

    async def calm() -> None:
        for _ in range(10):
            time.sleep(0.01)
            await asyncio.sleep(0.02)

    _, line = watched(app_with(calm=calm), "/calm")
    assert not line.starvations


def test_the_marked_callback_is_transparent() -> None:
    """A marked callback has the attributes, class and equality of the callback."""

    def callback() -> int:
        return 7

    marked = wakes.Marked(object(), callback, 1)  # type: ignore[arg-type]
    assert marked == callback
    assert marked.__name__ == "callback"
    assert isinstance(marked, type(callback))
    assert repr(marked) == repr(callback)
