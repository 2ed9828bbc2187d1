"""Installs the hooks on a loop, and removes them."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import anyio.to_thread

from loopviz.probe import compat, selftest
from loopviz.probe.lines import Lines
from loopviz.probe.processes import Processes
from loopviz.probe.requests import ExceptionNames, make_adopt, make_data_received, unread
from loopviz.probe.sampler import Sampler
from loopviz.probe.selector import make_select
from loopviz.probe.state import ProbeState
from loopviz.probe.steps import hook_steps, hook_timers
from loopviz.probe.threads import Threads
from loopviz.probe.wakes import SocketTimes, hook_threadsafe
from loopviz.stream.blind import IDLE, REQUESTS, SOCKETS, TASKS, Blind
from loopviz.stream.buffer import Buffer

__all__ = ["Probe"]

_MISSING: Any = object()


class Probe:
    """Watches one event loop.

    `install` runs on that loop, inside a coroutine; `uninstall` may run there or, once the loop
    has stopped, anywhere. `numbers` gives other clients' requests their numbers, and `secret`
    is what our own client puts before a number in the `HEADER` of a request. `own` are folders
    whose code counts as the user's.
    """

    def __init__(
        self,
        buffer: Buffer,
        *,
        numbers: Iterator[int] | None = None,
        secret: str = "",
        own: Iterable[str] = (),
    ) -> None:
        self.buffer = buffer
        self.blind: list[Blind] = []
        """What cannot be seen here. Requests are added when one has been served without being seen."""
        self._numbers = numbers if numbers is not None else itertools.count(1)
        self._secret = secret
        self._lines = Lines(own)
        self._undo: list[tuple[Any, str, Any]] = []
        self._state: ProbeState | None = None
        self._sampler: Sampler | None = None
        self._processes: Processes | None = None
        self._names: ExceptionNames | None = None
        self._tested: selftest.Findings | None = None

    @property
    def failures(self) -> list[str]:
        """What went wrong inside the probe so far; it never raises in the watched program."""
        return self._state.failures if self._state else []

    @property
    def cost_ns(self) -> int:
        """CPU time that watching has cost so far.

        The sampler's is measured; the hooks' is the number of events times the cost of one, as
        `install` measured it on this machine.
        """
        sampler = self._sampler.cpu_ns if self._sampler else 0
        event = self._tested.event_ns if self._tested else 0
        return sampler + int(self.buffer.emitted * event)

    def install(self, protocol_class: type | None = None) -> None:
        """Hook the running loop, and uvicorn's `protocol_class` for its requests."""
        if self._undo:
            raise RuntimeError("this probe is installed already")
        loop = asyncio.get_running_loop()
        if self._tested is None:
            self._tested = selftest.run(loop)
        state = self._state = ProbeState(self.buffer, loop, sees_tasks=not self._tested.tasks)
        threads = Threads(state)
        self._processes = Processes(state, threads, self.not_seen)
        thread = threads.register("loop")
        self._hook_tasks(state, self._tested)
        self._hook_worker_calls(threads, self._processes)
        self._hook_limiter(threads)
        self._hook_selector(state)
        if protocol_class is not None:
            self._hook_protocol(state, protocol_class)
        if thread.clock is None:
            self.not_seen(
                "threads' CPU time, and so whether a block sleeps or computes",
                "this platform has no CPU clock for each thread",
            )
        self._names = ExceptionNames(state)
        logging.getLogger(compat.ERROR_LOG).addHandler(self._names)
        self._sampler = Sampler(state, threads, self._lines, thread)
        self._sampler.start()

    def answered(self) -> None:
        """The server has answered a request. If none was recognised, `blind` says so from now on.

        May be called in any thread.
        """
        state = self._state
        if state is not None and state.sees_tasks and not state.request_seen:
            self.not_seen(REQUESTS, unread(state))

    def not_seen(self, what: str, why: str) -> None:
        """Add to `blind`, unless it is there already."""
        if what not in {blind.what for blind in self.blind}:
            self.blind.append(Blind(what, why))

    def _hook_tasks(self, state: ProbeState, tested: selftest.Findings) -> None:
        if not state.sees_tasks:
            self.not_seen(TASKS, tested.tasks)
            self.not_seen(REQUESTS, "a request is recognised by its task, and tasks are not visible here")
            return
        if tested.sleeps:
            self.not_seen("when the timer of a sleep is due", tested.sleeps)
        adopt = make_adopt(state, self._numbers, self._secret, self._set, self.not_seen)
        for name, hook in (hook_timers(state) | hook_threadsafe(state) | hook_steps(state, adopt)).items():
            self._set(state.loop, name, hook)

    def _hook_selector(self, state: ProbeState) -> None:
        selector = compat.selector_of(state.loop)
        why = "this platform cannot tell"
        if selector is not None:
            self._set(selector, "select", make_select(state, selector.select))
        else:
            kind = type(state.loop).__module__.partition(".")[0]
            why = f"{kind} has no selector to watch"
            self.not_seen(IDLE, why)
        if not SocketTimes.visible(state.loop):
            self.not_seen(SOCKETS, why)

    def _hook_worker_calls(self, threads: Threads, processes: Processes) -> None:
        worker_call = compat.worker_call()
        if worker_call is not None:
            backend, name, function = worker_call
            self._set(backend, name, classmethod(threads.make_run_sync(function)))
        else:
            self.not_seen("worker threads", f"{compat.installed('anyio')} starts them in another way")
        loop = threads.state.loop
        in_process = processes.make_run_in_executor(loop.run_in_executor)
        self._set(loop, "run_in_executor", threads.make_run_in_executor(in_process))

    def _hook_limiter(self, threads: Threads) -> None:
        limiter = anyio.to_thread.current_default_thread_limiter()
        kind = type(limiter)
        acquire, release = getattr(kind, compat.ACQUIRE, None), getattr(kind, compat.RELEASE, None)
        if acquire is not None and release is not None:
            self._set(kind, compat.ACQUIRE, threads.make_acquire(acquire, limiter))
            self._set(kind, compat.RELEASE, threads.make_release(release, limiter))
        else:
            self.not_seen(
                "waiting for a thread, and how many threads are in use",
                f"the limiter of {compat.installed('anyio')} was not recognised",
            )
        total = vars(kind).get(compat.TOTAL)
        if isinstance(total, property):
            self._set(kind, compat.TOTAL, threads.make_total(total, limiter))

    def _hook_protocol(self, state: ProbeState, protocol_class: type) -> None:
        received = getattr(protocol_class, compat.DATA_RECEIVED, None)
        if received is not None:
            self._set(
                protocol_class, compat.DATA_RECEIVED, make_data_received(state, received, self.answered)
            )
        else:
            self.not_seen(
                "when the first byte of a request is read",
                f"{protocol_class.__name__} of {compat.installed('uvicorn')} has no {compat.DATA_RECEIVED}",
            )

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def uninstall(self) -> None:
        """Remove every hook. Steps and calls that are in progress end as without the probe."""
        if not self._undo:
            return
        if self._sampler is not None:
            self._sampler.stop()
        if self._processes is not None:
            self._processes.close()
        if self._names is not None:
            logging.getLogger(compat.ERROR_LOG).removeHandler(self._names)
        while self._undo:
            owner, name, value = self._undo.pop()
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
