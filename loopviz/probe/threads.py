"""Worker threads: the hooks on AnyIO's worker calls and limiter, and on the loop's executors."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, update_wrapper
from threading import get_ident, get_native_id, local
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.pools import Pools
from loopviz.probe.state import ATTRIBUTE, Joins, ProbeState, Trace, next_call, put_on
from loopviz.stream.events import (
    AWAITS_CALL,
    CALL,
    CPU,
    RESULT,
    RETURN,
    SUBMIT,
    THREAD,
    TOKEN_WAIT,
    TOKENS,
    Role,
)

if TYPE_CHECKING:
    from anyio import CapacityLimiter

__all__ = ["Thread", "Threads", "definition"]

_FRAMEWORKS = ("fastapi.", "starlette.")
_FUNCTIONS = (FunctionType, MethodType, partial)
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
    native: int = 0
    """Its number in the operating system."""


class Threads:
    """The threads of one server, and the hooks through which work reaches them."""

    def __init__(self, state: ProbeState) -> None:
        self.state = state
        self.pools = Pools(state)
        self.default: Any = None
        """The loop's default executor, once it has been set."""
        self.numbers = itertools.count(state.base + 1)
        """Numbers for threads and processes."""
        self.by_ident: dict[int, Thread] = {}
        self.processes: list[Thread] = []
        """Worker processes whose CPU clock is to be read; those that have ended are removed."""
        self._mine = local()
        self._counts: tuple[int, int, int] | None = None
        """The default limiter's counts as they were last reported."""

    def register(self, role: Role) -> Thread:
        """Report the calling thread. The identity of a thread that has ended is used again."""
        ident = get_ident()
        known = self.by_ident.get(ident)
        number = known.number if known else next(self.numbers)
        # Asked for by the thread itself: the clock of a thread that has ended is undefined.
        thread = Thread(number, ident, _clock_of(ident) if _clock_of else None, native=get_native_id())
        self.by_ident[ident] = thread
        self._mine.thread = thread
        self.state.emit((clock(), THREAD, number, role))
        if (box := self.state.buffer.box) is not None:
            box.thread(number, thread.native)
        if role == "worker" and thread.clock is not None:  # what it uses from now on is the server's
            self.state.emit((clock(), CPU, number, time.thread_time_ns()))
        return thread

    @classmethod
    def worker_code(cls) -> CodeType:
        """The code that runs in a worker thread in place of a function."""
        return cls._run.__code__

    def _run_submitted(self, begun: list[int], *args: Any) -> Any:
        """As `_run`, for an executor's call: it can no longer be cancelled."""
        begun.append(1)
        return self._run(*args)

    def _run(self, number: int, task: int, request: int, func: Callable[..., Any], *args: Any) -> Any:
        """Run in the worker thread in place of `func`."""
        emit = self.state.emit
        try:
            thread: Thread = self._mine.thread
        except AttributeError:
            thread = self.register("worker")
        state = self.state
        thread.since = began = clock()
        thread.call = number
        state.report_long_step(began)
        emit((began, CALL, number, task, request, thread.number, *definition(func)))
        try:
            return func(*args)
        finally:
            thread.call = 0
            now = clock()
            state.report_long_step(now)
            emit((now, RETURN, number))

    def make_run_sync(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """AnyIO's ``run_sync_in_worker_thread`` on this loop, with the call watched."""
        current_task = asyncio.current_task
        state, run = self.state, self._run

        def run_sync_in_worker_thread(cls: Any, func: Any, args: Any, *rest: Any, **options: Any) -> Any:
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
        state, run, pools, loop = self.state, self._run_submitted, self.pools, self.state.loop

        def run_in_executor(executor: Any, func: Callable[..., Any], *args: Any) -> Any:
            if executor is not None and not isinstance(executor, ThreadPoolExecutor):
                return original(executor, func, *args)
            number, task, request = next_call(), 0, state.request.get()
            current = asyncio.current_task()
            if current is not None:
                trace = state.trace_of(current)
                task, request = trace.number, trace.request
            state.report_step()
            state.emit((clock(), SUBMIT, number, task, request))
            default = self.default or compat.default_executor(loop)
            if executor is not None and executor is not default:
                pools.submitted(executor, "executor", number, task)
            elif default is not None:
                pools.submitted(default, "default-executor", number, task)
            begun: list[int] = []
            try:
                watched = partial(run, begun, number, task, request, func)
                used = default if executor is None else executor
                if used is not None and type(used) is not ThreadPoolExecutor:
                    _name_like(watched, func)  # its `submit` may look at the function
                future = original(executor, watched, *args)
            except BaseException:
                state.emit((clock(), AWAITS_CALL, task, number, 0))
                state.emit((clock(), RESULT, number, task))
                raise
            if executor is default is None:  # this call has made it; uvloop does not show it
                pools.submitted(compat.default_executor(loop) or loop, "default-executor", number, task)
            if current is not None:
                state.submitted(number, future, begun)
            return future

        return run_in_executor

    def make_set_default_executor(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        """The loop's `set_default_executor`: uvloop does not show which one it is."""

        def set_default_executor(executor: Any) -> None:
            original(executor)
            self.default = executor

        return set_default_executor

    def make_acquire(
        self, original: Callable[[Any, Any], None], limiter: CapacityLimiter
    ) -> Callable[[Any, Any], None]:
        """The limiter's ``acquire_on_behalf_of_nowait``: it gives a thread, or the task has to wait."""
        pools = self.pools
        emit, count = self.state.emit, compat.limiter_counts(limiter)
        threads = self

        def recount() -> None:
            counts = count()
            if counts != threads._counts:
                threads._counts = counts
                emit((clock(), TOKENS, *counts))

        def acquire_on_behalf_of_nowait(self: Any, borrower: Any) -> None:
            try:
                original(self, borrower)
            except compat.WouldBlock:
                trace = _trace_of(borrower)
                if trace is not None and trace.wants_thread:
                    pools.takes(self, trace.number, default=self is limiter, waits=True)
                    emit((clock(), TOKEN_WAIT, trace.number))
                    if self is limiter:
                        total, borrowed, waiting = count()
                        threads._counts = counts = (total, borrowed, waiting + 1)
                        emit((clock(), TOKENS, *counts))
                        if trace.joins is None:
                            trace.joins = Joins()
                        trace.joins.recount, trace.joins.recount_due = recount, False
                raise
            if self is limiter:
                threads._counts = counts = count()
                emit((clock(), TOKENS, *counts))
            else:
                trace = _trace_of(borrower)
                if trace is not None and trace.wants_thread:
                    pools.takes(self, trace.number, default=False)

        return acquire_on_behalf_of_nowait

    def make_release(
        self, original: Callable[[Any, Any], None], limiter: CapacityLimiter
    ) -> Callable[[Any, Any], None]:
        """The limiter's ``release_on_behalf_of``."""
        emit, count = self.state.emit, compat.limiter_counts(limiter)
        threads = self

        def release_on_behalf_of(self: Any, borrower: Any) -> None:
            original(self, borrower)
            trace = _trace_of(borrower)
            if trace is not None:
                trace.wants_thread = False
            if self is limiter:
                threads._counts = counts = count()
                emit((clock(), TOKENS, *counts))

        return release_on_behalf_of

    def make_set_total(
        self, original: Callable[[Any, float], None], limiter: CapacityLimiter
    ) -> Callable[[Any, float], None]:
        """The setter of the limiter's ``total_tokens``, so that a change is seen when it is made."""
        emit, count = self.state.emit, compat.limiter_counts(limiter)

        def set_total_tokens(self: Any, value: float) -> None:
            original(self, value)
            if self is limiter:
                emit((clock(), TOKENS, *count()))

        emit((clock(), TOKENS, *count()))
        return set_total_tokens


def _name_like(watched: partial[Any], func: Any) -> None:
    """Give a call the names of its function."""
    with suppress(Exception):  # a callable object may do anything
        update_wrapper(watched, func)


def _trace_of(borrower: object) -> Trace | None:
    """The trace of the task that takes a thread; None if it is no task: it may be any object."""
    return put_on(borrower, ATTRIBUTE) if compat.is_a(borrower, asyncio.Task) else None


def definition(func: Any) -> tuple[str, int, str]:
    """File, line and name of the function in `func`, which may be any callable."""
    try:
        return _definition(func)
    except Exception:  # a callable object may do anything
        return "", 0, type(func).__name__


def _definition(func: Any) -> tuple[str, int, str]:
    """As `definition`, of a partial, a method or a function.

    FastAPI and Starlette wrap the user's function in one of theirs, and hand it on as an argument.
    """
    while isinstance(func, partial):
        handed_on = None
        if str(getattr(func.func, "__module__", "")).startswith(_FRAMEWORKS):
            handed_on = next(
                (value for value in func.keywords.values() if isinstance(value, _FUNCTIONS)), None
            )
        func = handed_on or func.func
    code = getattr(getattr(func, "__func__", func), "__code__", None)
    if not isinstance(code, CodeType):  # a callable object, whose attributes may be anything
        name = getattr(func, "__qualname__", None)
        return "", 0, name if isinstance(name, str) else type(func).__name__
    return code.co_filename, code.co_firstlineno, code.co_qualname
