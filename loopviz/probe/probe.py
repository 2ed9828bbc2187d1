"""Installs the hooks on a loop, and removes them."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from loopviz.probe import compat, selftest
from loopviz.probe.classes import Hook, hook
from loopviz.probe.counters import ThreadWaits
from loopviz.probe.lines import Lines
from loopviz.probe.logged import watch_log
from loopviz.probe.pools import Pools
from loopviz.probe.processes import Processes
from loopviz.probe.reading import make_data_received
from loopviz.probe.readings import LoopReadings
from loopviz.probe.requests import make_adopt, unread
from loopviz.probe.sampler import Sampler
from loopviz.probe.selector import make_select
from loopviz.probe.state import ProbeState, count_from
from loopviz.probe.steps import hook_steps, hook_timers
from loopviz.probe.threads import Threads
from loopviz.probe.transports import make_connection_lost
from loopviz.probe.wakes import SocketTimes, hook_threadsafe
from loopviz.stream.blind import IDLE, REQUESTS, SOCKETS, TASKS, Blind
from loopviz.stream.buffer import Buffer

__all__ = ["Probe"]

_MISSING: Any = object()
_watched: set[asyncio.AbstractEventLoop] = set()
"""The loops that have a probe."""


class Probe:
    """Watches one event loop; a process may have a probe for each of its loops.

    `install` runs on that loop, inside a coroutine; `uninstall` may run there or, once the loop
    has stopped, anywhere. `numbers` gives other clients' requests their numbers, and `secret`
    is what our own client puts before a number in the `HEADER` of a request. `own` are files and folders
    whose code counts as the user's. The numbers of tasks, calls, threads and pools are larger than `base`.
    """

    def __init__(
        self,
        buffer: Buffer,
        *,
        numbers: Iterator[int] | None = None,
        secret: str = "",
        own: Iterable[str] = (),
        base: int = 0,
    ) -> None:
        if base:
            count_from(base)
        self._base = base
        self.buffer = buffer
        self.blind: list[Blind] = []
        """What cannot be seen here. Requests are added when one has been served without being seen."""
        self._numbers = numbers if numbers is not None else itertools.count(1)
        self._secret = secret
        self._lines = Lines(own)
        self._undo: list[Callable[[], None]] = []
        self._state: ProbeState | None = None
        self._sampler: Sampler | None = None
        self._pools: Pools | None = None
        self._waits: ThreadWaits | None = None
        self._processes: Processes | None = None
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

    def test(self, loop: asyncio.AbstractEventLoop) -> None:
        """Test the hooks on a loop of the same kind, in another thread than `loop`'s: it need not wait."""
        self._tested = selftest.run(loop)

    def install(self, protocol_class: type | None = None) -> None:
        """Hook the running loop, and uvicorn's `protocol_class` for its requests.

        Raises RuntimeError if it is installed already, or if another probe watches this loop.
        """
        if self._undo:
            raise RuntimeError("this probe is installed already")
        loop = asyncio.get_running_loop()
        if loop in _watched:
            raise RuntimeError("another probe watches this loop")
        if self._tested is None:
            self._tested = selftest.run(loop)
        state = self._state = ProbeState(self.buffer, loop, self._base, sees_tasks=not self._tested.tasks)
        state.writes_later = compat.writes_later(loop)
        threads = Threads(state)
        self._pools = threads.pools
        self._processes = Processes(state, threads, self.not_seen)
        _watched.add(loop)
        self._undo.append(partial(_watched.discard, loop))
        thread = threads.register("loop")
        self._hook_tasks(state, self._tested)
        self._hook_worker_calls(threads, self._processes)
        self._hook_limiter(threads)
        self._hook_selector(state)
        self._undo.append(watch_log(state))
        if protocol_class is not None:
            self._hook_protocol(state, protocol_class)
        if thread.clock is None:
            self.not_seen(
                "threads' CPU time, and so whether a block sleeps or computes",
                "this platform has no CPU clock for each thread",
            )
        readings = None
        if thread.clock is not None:
            self._waits = state.loop_waits = ThreadWaits(threading.get_native_id())
            readings = LoopReadings(state, thread.number, self._waits)
            state.read_clocks, state.read_due = readings.step_ended, 0
        self._sampler = Sampler(state, threads, self._lines, thread, readings)
        self._sampler.start()

    def answered(self) -> None:
        """The server has answered a request. If none was recognised, `blind` says so from now on.

        May be called in any thread.
        """
        state = self._state
        if state is not None and state.sees_tasks and not state.request_seen:
            self.not_seen(REQUESTS, unread(state))

    def resize(self, pool: int, size: int) -> bool:
        """Let a pool that was reported have so many workers at most; False if it is none of this loop's.

        Raises `InputError` if it is gone, or cannot be changed. May be called in any thread.
        """
        return self._pools is not None and self._pools.resize(pool, size)

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
        replace = partial(self._hook, state.loop)
        adopt = make_adopt(state, self._numbers, self._secret, replace, self.not_seen)
        hooks = hook_timers(state) | hook_threadsafe(state) | hook_steps(state, adopt)
        for name, method in hooks.items():
            self._set(state.loop, name, method)

    def _hook_selector(self, state: ProbeState) -> None:
        selector = compat.selector_of(state.loop)
        why = "this platform does not report it"
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
        if compat.WouldBlock is None:
            pass  # without AnyIO nobody uses its threads
        elif worker_call is not None:
            backend, name = worker_call
            self._hook(threads.state.loop, backend, name, threads.make_run_sync)
        else:
            self.not_seen("worker threads", f"{compat.installed('anyio')} starts them in another way")
        loop = threads.state.loop
        in_process = processes.make_run_in_executor(loop.run_in_executor)
        self._set(loop, "run_in_executor", threads.make_run_in_executor(in_process))
        set_default = threads.make_set_default_executor(loop.set_default_executor)
        self._set(loop, "set_default_executor", set_default)

    def _hook_limiter(self, threads: Threads) -> None:
        limiter = compat.default_limiter()
        if limiter is None:
            return
        kind, loop = type(limiter), threads.state.loop
        if hasattr(kind, compat.ACQUIRE) and hasattr(kind, compat.RELEASE):
            self._hook(loop, kind, compat.ACQUIRE, partial(threads.make_acquire, limiter=limiter))
            self._hook(loop, kind, compat.RELEASE, partial(threads.make_release, limiter=limiter))
        else:
            self.not_seen(
                "waiting for a thread, and how many threads are in use",
                f"the limiter of {compat.installed('anyio')} was not recognised",
            )
        total = vars(kind).get(compat.TOTAL)
        if isinstance(total, property) and total.fset is not None:
            self._hook(loop, kind, compat.TOTAL, partial(threads.make_set_total, limiter=limiter))

    def _hook_protocol(self, state: ProbeState, protocol_class: type) -> None:
        if hasattr(protocol_class, compat.DATA_RECEIVED):
            make = partial(make_data_received, state, unseen=self.answered, blind=self.not_seen)
            self._hook(state.loop, protocol_class, compat.DATA_RECEIVED, make)
        else:
            self.not_seen(
                "when the first byte of a request is read",
                f"{protocol_class.__name__} of {compat.installed('uvicorn')} has no {compat.DATA_RECEIVED}",
            )

        if hasattr(protocol_class, compat.CONNECTION_LOST):
            make_lost = partial(make_connection_lost, state)
            self._hook(state.loop, protocol_class, compat.CONNECTION_LOST, make_lost)

    def _hook(
        self, loop: asyncio.AbstractEventLoop, owner: type, name: str, make: Callable[[Hook], Hook]
    ) -> None:
        """Put a hook on a class, for this loop only."""
        self._undo.append(hook(owner, name, loop, make))

    def _set(self, owner: Any, name: str, value: Any) -> None:
        """Put a hook on an object that belongs to this loop."""
        self._undo.append(partial(_put_back, owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def uninstall(self) -> None:
        """Remove every hook. Steps and calls that are in progress end as without the probe."""
        if not self._undo:
            return
        if self._sampler is not None:
            self._sampler.stop()
        if self._waits is not None:
            self._waits.close()
        if self._processes is not None:
            self._processes.close()
        while self._undo:
            self._undo.pop()()


def _put_back(owner: Any, name: str, value: Any) -> None:
    if value is not _MISSING:
        setattr(owner, name, value)
    else:
        with suppress(AttributeError):  # somebody else has removed it
            delattr(owner, name)
