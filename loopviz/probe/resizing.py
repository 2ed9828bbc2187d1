"""The size of a pool, changed while it works: what is in its queue and what executes goes on as it is."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty
from threading import current_thread
from typing import Any

from loopviz.errors import InputError
from loopviz.probe import compat

__all__ = ["resize_executor", "resize_limiter"]


def resize_limiter(limiter: Any, size: int, loop: asyncio.AbstractEventLoop, done: Any) -> None:
    """Let a limiter of AnyIO's give so many threads, when its loop has time; then `done()` is called.

    Threads that are in use stay in use until their calls return.
    """

    def change() -> None:
        limiter.total_tokens = size
        done()

    try:
        loop.call_soon_threadsafe(change)
    except RuntimeError:
        raise InputError("Its event loop has ended, so the limiter is not changed.") from None


def resize_executor(executor: Any, size: int) -> None:
    """Let a `ThreadPoolExecutor` have `size` threads at most. Raises `InputError` if that cannot be.

    More: as many threads begin at once as what waits in its queue can use. Fewer: those that are too many
    end, idle ones at once, others as soon as their call has returned; the queue keeps its order.
    """
    pool = compat.thread_pool(executor)
    if pool is None:
        name = type(executor).__name__
        raise InputError(f"{name} makes its threads in a way of its own, so its size cannot be changed.")
    with pool.lock, compat.EXECUTORS:
        if compat.is_shut_down(executor):
            raise InputError("The pool is shut down: it takes no more work, so its size is not changed.")
        compat.set_pool_size(executor, size)
        if len(pool.threads) > size:
            _fewer(executor, pool, len(pool.threads) - size)
            return
        for _ in range(pool.queue.qsize()):
            if len(pool.threads) >= size:
                break
            compat.add_thread(executor)


def _fewer(executor: Any, pool: compat.ThreadPool, surplus: int) -> None:
    """Ask so many threads to leave before they take anything else from the queue."""
    _say_nothing_of_leaving()
    waiting: list[Any] = []
    try:
        with suppress(Empty):
            while True:
                waiting.append(pool.queue.get_nowait())
        for _ in range(surplus):
            pool.queue.put(_Leave(executor))
            pool.idle.acquire(timeout=0)  # as `submit`: an idle thread will take it
    finally:
        for item in waiting:
            pool.queue.put(item)
    if waiting:  # then no thread is idle: one that found it empty just now has something to do again
        while pool.idle.acquire(timeout=0):
            continue


class _Left(BaseException):
    """Ends a worker thread, and is not logged."""


class _Leave:
    """In the place of a call: the thread that takes it ends, if it is still one too many."""

    def __init__(self, executor: Any) -> None:
        self.future: Future[None] = Future()
        """An executor that is shut down cancels what is in its queue."""
        self._executor = executor

    def run(self, *_: Any) -> None:
        """Leave. It is called by the worker thread, in CPython's own loop."""
        executor, self._executor = self._executor, None  # a pool that is not used any more must be collected
        pool = compat.thread_pool(executor)
        if pool is None:
            return
        with pool.lock:
            too_many = len(pool.threads) > compat.pool_size(executor)
            if not too_many or compat.is_shut_down(executor):
                return
            pool.threads.discard(current_thread())
        raise _Left


class _Quiet(logging.Filter):
    """Leaves out that a thread has ended which was asked to."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be logged."""
        return not (record.exc_info and record.exc_info[0] is _Left)


_quiet = _Quiet()


def _say_nothing_of_leaving() -> None:
    logging.getLogger(compat.EXECUTOR_LOG).addFilter(_quiet)  # once, however often
