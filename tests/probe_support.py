"""A probed uvicorn server in a thread, and its events as text."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.util
import itertools
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Self, TypeAlias

import anyio.to_thread
import pytest
import uvicorn

from loopviz.probe import Probe
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer
from loopviz.stream.marked import HEADER

RawEvent: TypeAlias = tuple[Any, ...]
"""An event of any kind: the tests take a field by its index, before they know which kind it is of."""

SECRET = "secret"
"""What the tests' own client puts before a request's number."""


@dataclass(frozen=True)
class Setup:
    """What a server runs on."""

    name: str
    loop: str = "asyncio"
    http: str = "h11"
    debug: bool = False
    eager: str = ""
    """When the eager task factory is set: "before" the probe is installed, or in the app's "lifespan"."""

    def marks(self) -> list[pytest.MarkDecorator]:
        """Skip what is not installed here."""
        missing = [
            name
            for name in (self.loop, self.http)
            if name != "asyncio" and not importlib.util.find_spec(name)
        ]
        marks = [pytest.mark.skip(reason=f"{name} is not installed") for name in missing]
        if self.eager and sys.version_info < (3, 12):
            marks.append(pytest.mark.skip(reason="eager tasks came with Python 3.12"))
        return marks


PLAIN = Setup("asyncio")
DEBUG = Setup("debug, httptools", http="httptools", debug=True)
EAGER = Setup("eager", eager="before")
LATE_EAGER = Setup("eager in lifespan", http="httptools", eager="lifespan")
UVLOOP = Setup("uvloop", loop="uvloop", http="httptools")
SETUPS = [PLAIN, DEBUG, EAGER, LATE_EAGER, UVLOOP]

every_setup = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in SETUPS]
)


def _make_eager(loop: asyncio.AbstractEventLoop) -> None:
    if sys.version_info >= (3, 12):  # else the test is skipped
        loop.set_task_factory(asyncio.eager_task_factory)


class _Server(uvicorn.Server):
    """uvicorn's server, but it starts and ends without waiting for tenths of a second."""

    tick = 0.01

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(self.tick)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in [*self.servers, *(sockets or ())]:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.01)
        await self.lifespan.shutdown()


class Served:
    """`app` under uvicorn with a probe, while the `with` block lasts.

    `around` is called on the loop before the probe is installed and again after it is removed.
    """

    def __init__(
        self,
        app: Any,
        setup: Setup = PLAIN,
        *,
        threads: int = 40,
        capacity: int = 200_000,
        numbers: Iterator[int] | None = None,
        around: Callable[[asyncio.AbstractEventLoop, type], object] = lambda *_: None,
        probed: bool = True,
        tick: float = 0.01,
    ) -> None:
        self.app = app
        self.setup = setup
        self.threads = threads
        self.buffer = Buffer(capacity)
        self.probe = Probe(self.buffer, numbers=numbers or itertools.count(1), secret=SECRET)
        self.events: list[RawEvent] = []
        self._reported: set[RawEvent] = set()
        self.around = around
        self.seen: list[Any] = []
        """What `around` has returned."""
        self.probed = probed
        self.error: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self._started = threading.Event()
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self._sock.listen(100)
        self.port: int = self._sock.getsockname()[1]
        self._config = uvicorn.Config(
            app,
            loop=setup.loop,
            http=setup.http,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )
        self._server = _Server(self._config)
        self._server.tick = tick
        self._thread = threading.Thread(target=self._run, name="tested server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10), "the server did not start in time"
        if self.error is not None:
            self.__exit__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._sock.close()
        assert not self._thread.is_alive(), "the server did not end"
        if self.error is not None:
            raise self.error
        self.gather()

    def _run(self) -> None:
        try:
            factory = self._config.get_loop_factory()
            with asyncio.Runner(debug=self.setup.debug, loop_factory=factory) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self.error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        loop = self.loop = asyncio.get_running_loop()
        if self.setup.eager == "before":
            _make_eager(loop)
        self._config.load()
        anyio.to_thread.current_default_thread_limiter().total_tokens = self.threads
        protocol = self._config.http_protocol_class
        self.seen.append(self.around(loop, protocol))
        if self.probed:
            self.probe.install(protocol)
        try:
            if self.setup.eager == "lifespan":
                _make_eager(loop)  # as a lifespan would, a moment later
            serving = asyncio.create_task(self._server.serve(sockets=[self._sock]))
            while not (self._server.started or serving.done()):
                await asyncio.sleep(0.002)
            self._started.set()
            await serving
        finally:
            self.probe.uninstall()
            self.seen.append(self.around(loop, protocol))

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """Call `function` on the server's loop, outside any task; its result."""
        done = threading.Event()
        result: list[Any] = []

        def call() -> None:
            result.append(function())
            done.set()

        self.loop.call_soon_threadsafe(call)
        assert done.wait(5)
        return result[0]

    # -- clients -------------------------------------------------------------------------------

    def get(self, path: str, number: int | None = None, method: str = "GET") -> tuple[int, str]:
        """One request on a connection of its own: status and body."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            headers = {} if number is None else {HEADER: f"{SECRET}-{number}"}
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def get_all(self, paths: Iterable[str]) -> list[tuple[int, str]]:
        """Requests at the same time, each on a connection of its own."""
        paths = list(paths)
        with ThreadPoolExecutor(len(paths)) as pool:
            return list(pool.map(self.get, paths))

    def connect(self) -> socket.socket:
        """A foreign client's connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    # -- events --------------------------------------------------------------------------------

    def gather(self) -> list[RawEvent]:
        """All events up to now, in the order of their time."""
        expand = getattr(ev, "expand", iter)  # a step may be reported as one event, when it is over
        for event in expand(self.buffer.drain()):
            # A wake-up and the begin of a step may be reported before the step ends, and again then.
            if event[1] not in (ev.WAKE, ev.STEP) or event not in self._reported:
                self._reported.update([event] if event[1] in (ev.WAKE, ev.STEP) else ())
                self.events.append(event)
        self.events.sort(key=itemgetter(0))
        return self.events

    def wait_for(self, condition: Callable[[list[RawEvent]], object], timeout: float = 8.0) -> list[RawEvent]:
        """All events, once `condition` holds for them."""
        deadline = time.monotonic() + timeout
        while not condition(self.gather()):
            if time.monotonic() > deadline:
                pytest.fail(f"not seen in time; events: {self.events[-60:]}")
            time.sleep(0.005)
        return self.events

    def settle(self, requests: int = 1) -> list[RawEvent]:
        """All events, once that many requests have been read and all their tasks have ended."""
        return self.wait_for(lambda events: ended(events) >= requests)


def ended(events: list[RawEvent]) -> int:
    """How many requests have been read, and have no task left."""
    tasks = {event[2]: event[4] for event in events if event[1] == ev.TASK}
    over = {event[2] for event in events if event[1] == ev.END}
    running = {request for task, request in tasks.items() if task not in over}
    return sum(event[1] == ev.READ and event[2] not in running for event in events)


def of_kind(events: Iterable[RawEvent], *kinds: str) -> list[RawEvent]:
    """The events of some kinds."""
    return [event for event in events if event[1] in kinds]


def since(events: list[RawEvent], kind: str) -> list[RawEvent]:
    """The events from the first of a kind on."""
    return events[next(at for at, event in enumerate(events) if event[1] == kind) :]


def kinds(events: Iterable[RawEvent]) -> Counter[str]:
    """How many there are of each kind."""
    return Counter(event[1] for event in events)


@dataclass
class Telling:
    """Turns events into words: without times, and with numbers from 1 in each kind."""

    events: list[RawEvent]
    tasks: dict[int, int] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)

    def task(self, number: int) -> str:
        """A task's letter; a dash for none."""
        if number == 0:
            return "-"
        return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[self.tasks.setdefault(number, len(self.tasks))]

    def call(self, number: int) -> int:
        """A call's number, from 1."""
        return self.calls.setdefault(number, len(self.calls) + 1)

    def story(self, request: int) -> tuple[list[str], list[str]]:  # noqa: C901 - a case a kind
        """What happened on the loop for a request, and what in worker threads."""
        mine = {event[2] for event in of_kind(self.events, ev.TASK) if event[4] == request}
        calls = {event[2] for event in of_kind(self.events, ev.CALL, ev.SUBMIT) if event[4] == request}
        loop: list[str] = []
        workers: list[str] = []
        for _, kind, *rest in self.events:
            match kind, rest:
                case (ev.READ, [number, method, path, _]) if number == request:
                    loop.append(f"read {method} {path}")
                case (ev.STATUS, [number, status]) if number == request:
                    loop.append(f"status {status}")
                case (ev.RAISED, [number, name, message]) if number == request:
                    loop.append(f"raised {name}: {message}")
                case (ev.RESPONDED, [number]) if number == request:
                    loop.append("responded")
                case (ev.TASK, [task, parent, number, _]) if number == request:
                    loop.append(f"task {self.task(task)} of {self.task(parent)}")
                case (ev.WAKE | ev.STEP | ev.END | ev.TOKEN_WAIT, [task]) if task in mine:
                    loop.append(f"{kind} {self.task(task)}")
                case (ev.YIELD, [task, awaited, due]) if task in mine:
                    until = " until due" if due else ""
                    if not awaited and loop[-1] == f"wake {self.task(task)}":
                        loop.pop()  # to give way is to be woken at once
                    loop.append(f"yield {self.task(task)} {awaited or '-'}{until}")
                case (ev.TOKENS, [_, borrowed, waiting]) if loop:
                    loop.append(f"tokens {borrowed} taken, {waiting} waiting")
                case (ev.SUBMIT, [call, task, number]) if number == request:
                    loop.append(f"submit {self.call(call)} by {self.task(task)}")
                case (ev.CALL, [call, task, number, _, _, _, function]) if number == request:
                    function = function.rpartition(".")[2]
                    workers.append(f"call {self.call(call)} by {self.task(task)}: {function}")
                case (ev.RETURN, [call]) if call in calls:
                    workers.append(f"return {self.call(call)}")
        return loop, workers


def story(events: list[RawEvent], request: int = 1) -> tuple[list[str], list[str]]:
    """What happened on the loop for a request, and what in worker threads."""
    return Telling(events).story(request)
