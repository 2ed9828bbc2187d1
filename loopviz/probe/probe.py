"""Putting the hooks on a loop, and taking them off again."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import anyio.to_thread
from anyio._core._eventloop import get_async_backend

from loopviz.probe.processes import Processes
from loopviz.probe.requests import ExceptionNames, make_adopt, make_data_received
from loopviz.probe.sampler import Sampler
from loopviz.probe.selector import make_select
from loopviz.probe.source import Lines
from loopviz.probe.state import State
from loopviz.probe.steps import hook_steps, hook_timers
from loopviz.probe.threads import Threads
from loopviz.stream.buffer import Buffer

__all__ = ["Blind", "Probe"]

_MISSING: Any = object()


class Blind(NamedTuple):
    """Something that this probe cannot see here, and why."""

    what: str
    why: str


class Probe:
    """Watches one event loop.

    `install` runs on that loop, inside a coroutine; `uninstall` may run there or, once the loop
    has stopped, anywhere. `numbers` gives foreign clients' requests their numbers, and `token`
    is what our own load puts before a number in the `HEADER` of a request. `own` are folders
    whose code counts as the user's.
    """

    def __init__(
        self,
        buffer: Buffer,
        *,
        numbers: Iterator[int] | None = None,
        token: str = "",
        own: Iterable[str] = (),
    ) -> None:
        self.buffer = buffer
        self.blind: list[Blind] = []
        self._numbers = numbers if numbers is not None else itertools.count(1)
        self._token = token
        self._lines = Lines(own)
        self._undo: list[tuple[Any, str, Any]] = []
        self._state: State | None = None
        self._sampler: Sampler | None = None
        self._processes: Processes | None = None
        self._names: ExceptionNames | None = None
        self._event_ns = 0.0

    @property
    def failures(self) -> list[str]:
        """What went wrong inside the probe so far; the watched program never heard of it."""
        return self._state.failures if self._state else []

    @property
    def cost_ns(self) -> int:
        """CPU time that watching has cost so far.

        The sampler's is measured; the hooks' is the number of events times the cost of one, as
        `install` measured it on this machine.
        """
        sampler = self._sampler.cpu_ns if self._sampler else 0
        return sampler + int(self.buffer.emitted * self._event_ns)

    def install(self, protocol_class: type | None = None) -> None:
        """Hook the running loop, and uvicorn's `protocol_class` for its requests."""
        if self._undo:
            raise RuntimeError("this probe is installed already")
        loop = asyncio.get_running_loop()
        self._event_ns = self._event_ns or _event_cost()
        state = self._state = State(self.buffer, loop)
        threads = Threads(state)
        self._processes = Processes(state, threads, lambda what, why: self.blind.append(Blind(what, why)))
        thread = threads.register("loop")
        adopt = make_adopt(state, self._numbers, self._token, self._set)
        self._hook_threads(threads, self._processes)
        for name, hook in (hook_timers(state) | hook_steps(state, adopt)).items():
            self._set(loop, name, hook)
        selector = getattr(loop, "_selector", None)
        if selector is not None:
            self._set(selector, "select", make_select(state, selector.select))
        else:
            kind = type(loop).__module__.partition(".")[0]
            self.blind.append(
                Blind(
                    "the loop's idle time and its callbacks outside tasks", f"{kind} has no selector to watch"
                )
            )
        if protocol_class is not None:
            received = protocol_class.data_received  # type: ignore[attr-defined]
            self._set(protocol_class, "data_received", make_data_received(state, received))
        if thread.clock is None:
            self.blind.append(
                Blind(
                    "threads' CPU time, and so whether a block sleeps or computes",
                    "this platform has no CPU clock for each thread",
                )
            )
        self._names = ExceptionNames(state)
        logging.getLogger("uvicorn.error").addHandler(self._names)
        self._sampler = Sampler(state, threads, self._lines, thread)
        self._sampler.start()

    def _hook_threads(self, threads: Threads, processes: Processes) -> None:
        limiter = anyio.to_thread.current_default_thread_limiter()
        kind = type(limiter)
        backend: Any = get_async_backend()
        name = "run_sync_in_worker_thread"
        method = vars(backend).get(name)
        if isinstance(method, classmethod):
            self._set(backend, name, classmethod(threads.make_run_sync(method.__func__)))
        else:
            self.blind.append(Blind("worker threads", "this version of AnyIO starts them differently"))
        acquire, release = "acquire_on_behalf_of_nowait", "release_on_behalf_of"
        self._set(kind, acquire, threads.make_acquire(getattr(kind, acquire), limiter))
        self._set(kind, release, threads.make_release(getattr(kind, release), limiter))
        self._set(kind, "total_tokens", threads.make_total(vars(kind)["total_tokens"], limiter))
        loop = threads.state.loop
        in_process = processes.make_run_in_executor(loop.run_in_executor)
        self._set(loop, "run_in_executor", threads.make_run_in_executor(in_process))

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def uninstall(self) -> None:
        """Put everything back. Steps and calls that are under way end unharmed."""
        if not self._undo:
            return
        if self._sampler is not None:
            self._sampler.stop()
        if self._processes is not None:
            self._processes.close()
        if self._names is not None:
            logging.getLogger("uvicorn.error").removeHandler(self._names)
        while self._undo:
            owner, name, value = self._undo.pop()
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _event_cost() -> float:
    """What one event costs its hook on this machine (ns): a loop of steps with and without."""

    async def steps() -> None:
        for _ in range(300):
            await asyncio.sleep(0)

    def measure(buffer: Buffer | None) -> int:
        loop = asyncio.SelectorEventLoop()
        try:
            if buffer is not None:
                for name, hook in hook_steps(State(buffer, loop), lambda _: 0).items():
                    setattr(loop, name, hook)
            began = time.thread_time_ns()
            loop.run_until_complete(steps())
            return time.thread_time_ns() - began
        finally:
            loop.close()

    cost = 0.0

    def calibrate() -> None:
        nonlocal cost
        bare = watched = 1 << 62
        for _ in range(5):
            buffer = Buffer()
            bare = min(bare, measure(None))
            watched = min(watched, measure(buffer))
        cost = max(0, watched - bare) / max(1, buffer.emitted)

    # In a thread of its own, since a thread runs one loop at a time.
    thread = threading.Thread(target=calibrate, name="loopviz calibration", daemon=True)
    thread.start()
    thread.join()
    return cost
