"""Worker threads: the hooks on AnyIO's worker calls and limiter, and on the loop's executors."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import get_ident, local
from types import CodeType
from typing import Any

from anyio import CapacityLimiter, WouldBlock

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.state import ATTRIBUTE, ProbeState, next_call
from loopviz.stream.events import CALL, CPU, RETURN, SUBMIT, THREAD, TOKEN_WAIT, TOKENS, Role

__all__ = ["Thread", "Threads", "definition"]

_clock_of: Callable[[int], int] | None = getattr(time, "pthread_getcpuclockid", None)


@dataclass(slots=True)
class Thread:
    """A thread, or a worker process, that works for the server."""

    number: int
    ident: int
    """The thread's identity, or the process's."""
    clock: int | None
    """The id of its CPU clock; None where the platform has none."""
    call: int = 0
    """The call it executes now; 0 for none."""
    since: int = 0
    """When that call began (ns)."""


class Threads:
    """The threads of one server, and the hooks through which work reaches them."""

    def __init__(self, state: ProbeState) -> None:
        self.state = state
        self.numbers = itertools.count(1)
        """Numbers for threads and processes."""
        self.by_ident: dict[int, Thread] = {}
        self.processes: list[Thread] = []
        """Worker processes whose CPU clock is to be read; those that have ended are removed."""
        self._mine = local()

    def register(self, role: Role) -> Thread:
        """Report the calling thread. The identity of a thread that has ended is used again."""
        ident = get_ident()
        known = self.by_ident.get(ident)
        number = known.number if known else next(self.numbers)
        # Asked for by the thread itself: the clock of a thread that has ended is undefined.
        thread = Thread(number, ident, _clock_of(ident) if _clock_of else None)
        self.by_ident[ident] = thread
        self._mine.thread = thread
        self.state.emit((clock(), THREAD, number, role))
        if role == "worker" and thread.clock is not None:  # what it uses from now on is the server's
            self.state.emit((clock(), CPU, number, time.thread_time_ns()))
        return thread

    @classmethod
    def worker_code(cls) -> CodeType:
        """The code that runs in a worker thread in place of a function."""
        return cls._run.__code__

    def _run(self, number: int, task: int, request: int, func: Callable[..., Any], *args: Any) -> Any:
        """Run in the worker thread in place of `func`."""
        emit = self.state.emit
        try:
            thread: Thread = self._mine.thread
        except AttributeError:
            thread = self.register("worker")
        thread.since = began = clock()
        thread.call = number
        emit((began, CALL, number, task, request, thread.number, *definition(func)))
        try:
            return func(*args)
        finally:
            thread.call = 0
            emit((clock(), RETURN, number))

    def make_run_sync(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """AnyIO's ``run_sync_in_worker_thread``, with the call watched."""
        running, current_task = compat.running_loop, asyncio.current_task
        state, run, loop = self.state, self._run, self.state.loop

        def run_sync_in_worker_thread(cls: Any, func: Any, args: Any, *rest: Any, **options: Any) -> Any:
            if running() is not loop:
                return original(cls, func, args, *rest, **options)
            task = current_task()
            if task is None:
                return original(cls, func, args, *rest, **options)
            trace = state.trace_of(task)
            trace.wants_thread = True
            args = (next_call(), trace.number, trace.request, func, *args)
            return original(cls, run, args, *rest, **options)

        return run_sync_in_worker_thread

    def make_run_in_executor(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The loop's ``run_in_executor`` (and so ``asyncio.to_thread``), with the call watched."""
        state, run = self.state, self._run

        def run_in_executor(executor: Any, func: Callable[..., Any], *args: Any) -> Any:
            if executor is not None and not isinstance(executor, ThreadPoolExecutor):
                return original(executor, func, *args)
            number, task, request = next_call(), 0, state.request.get()
            current = asyncio.current_task()
            if current is not None:
                trace = state.trace_of(current)
                task, request = trace.number, trace.request
            state.emit((clock(), SUBMIT, number, task, request))
            return original(executor, partial(run, number, task, request, func), *args)

        return run_in_executor

    def make_acquire(
        self, original: Callable[[Any, Any], None], limiter: CapacityLimiter
    ) -> Callable[[Any, Any], None]:
        """The limiter's ``acquire_on_behalf_of_nowait``: it gives a thread, or the task has to wait."""
        emit, count = self.state.emit, compat.limiter_counts(limiter)

        def acquire_on_behalf_of_nowait(self: Any, borrower: Any) -> None:
            try:
                original(self, borrower)
            except WouldBlock:
                trace = getattr(borrower, ATTRIBUTE, None)
                if trace is not None and trace.wants_thread:
                    emit((clock(), TOKEN_WAIT, trace.number))
                    if self is limiter:
                        total, borrowed, waiting = count()
                        emit((clock(), TOKENS, total, borrowed, waiting + 1))
                raise
            if self is limiter:
                emit((clock(), TOKENS, *count()))

        return acquire_on_behalf_of_nowait

    def make_release(
        self, original: Callable[[Any, Any], None], limiter: CapacityLimiter
    ) -> Callable[[Any, Any], None]:
        """The limiter's ``release_on_behalf_of``."""
        emit, count = self.state.emit, compat.limiter_counts(limiter)

        def release_on_behalf_of(self: Any, borrower: Any) -> None:
            original(self, borrower)
            if self is limiter:
                trace = getattr(borrower, ATTRIBUTE, None)
                if trace is not None:
                    trace.wants_thread = False
                emit((clock(), TOKENS, *count()))

        return release_on_behalf_of

    def make_total(self, original: property, limiter: CapacityLimiter) -> property:
        """The limiter's ``total_tokens``, so that a change of the thread limit is seen when it is made."""
        emit, count = self.state.emit, compat.limiter_counts(limiter)
        get, change = original.fget, original.fset
        if get is None or change is None:
            return original

        def set_total_tokens(self: Any, value: float) -> None:
            change(self, value)
            if self is limiter:
                emit((clock(), TOKENS, *count()))

        emit((clock(), TOKENS, *count()))
        return property(get, set_total_tokens)


def definition(func: Any) -> tuple[str, int, str]:
    """File, line and name of the function in `func`, which may be a partial or a method."""
    while isinstance(func, partial):
        func = func.func
    code = getattr(getattr(func, "__func__", func), "__code__", None)
    if not isinstance(code, CodeType):  # a callable object, whose attributes may be anything
        name = getattr(func, "__qualname__", None)
        return "", 0, name if isinstance(name, str) else type(func).__name__
    return code.co_filename, code.co_firstlineno, code.co_qualname
