"""Worker processes: the hook on ``loop.run_in_executor`` with a ``ProcessPoolExecutor``.

The function is wrapped in `loopviz.remote.run`, which reports its begin and its end from the worker
process, over the loopback interface, when they happen: CLOCK_MONOTONIC is one clock for all processes of
a machine. Lost reports cost accuracy and nothing else, since the arrival of the result is seen here. A
call of ``executor.submit`` without the loop is not seen.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from loopviz import remote
from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.state import ProbeState, next_call
from loopviz.probe.threads import Thread, Threads, definition
from loopviz.stream.endings import how_ended
from loopviz.stream.events import AWAITS_CALL, CALL, CPU, PROCESS, RESULT, RETURN, SUBMIT, THREAD

__all__ = ["Processes"]

_MOST = 10_000
"""Calls and processes that are kept; the oldest are removed, which a worker's crash may have left."""


@dataclass(slots=True)
class _Call:
    task: int
    request: int
    where: tuple[str, int, str]
    begun: bool = False
    arrived: bool = False
    """Whether its result is here."""


class Processes:
    """The worker processes of one server. Socket and thread are made for the first call to one.

    `blind(what, why)` reports what cannot be seen here.
    """

    def __init__(self, state: ProbeState, threads: Threads, blind: Callable[[str, str], None]) -> None:
        self._state = state
        self._threads = threads
        self._blind = blind
        self._calls: dict[int, _Call] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._broken: weakref.WeakSet[Executor] = weakref.WeakSet()
        self.strangers = 0
        """Datagrams without the secret, which were dropped."""
        self._secret = secrets.token_bytes(remote.SECRET)
        self._mailbox: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._closed = False

    def make_run_in_executor(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The loop's ``run_in_executor``, with calls to process pools watched."""

        def run_in_executor(executor: Any, func: Callable[..., Any], *args: Any) -> Any:
            if not _is_process_pool(executor) or self._closed:
                return original(executor, func, *args)
            watched = _Watched(self, executor)
            future = original(watched, func, *args)
            if watched.number:
                self._state.submitted(watched.number, future, begun=[1])
            return future

        return run_in_executor

    def submit(
        self, executor: Executor, func: Callable[..., Any], args: tuple[Any, ...]
    ) -> tuple[Future[Any], int]:
        """Submit `func` to a process pool for the current task.

        Returns the future, and the call's number, or 0 if it is not seen.
        """
        try:
            recipient = self._open()
            number, task = self._announce(func)
            self._threads.pools.submitted(executor, "processes", number, task)
        except Exception as error:
            self._state.failed("process", error)
            return executor.submit(func, *args), 0
        try:
            future = executor.submit(remote.run, recipient, number, func, *args)
        except BaseException:
            self._state.emit((clock(), AWAITS_CALL, task, number, 0))
            self._arrived(number, task)
            self._look_for_ends(executor, compat.pool_processes(executor))
            raise
        workers = compat.pool_processes(executor)

        def arrived(done: Future[Any]) -> None:
            self._arrived(number, task)
            if not done.cancelled() and isinstance(done.exception(), BrokenExecutor):
                self._look_for_ends(executor, workers)

        future.add_done_callback(arrived)
        return future, number

    def _announce(self, func: Callable[..., Any]) -> tuple[int, int]:
        state = self._state
        number, task, request = next_call(), 0, state.request.get()
        current = asyncio.current_task()
        if current is not None:
            trace = state.trace_of(current)
            task, request = trace.number, trace.request
        while len(self._calls) >= _MOST:
            self._calls.pop(next(iter(self._calls)), None)
        self._calls[number] = _Call(task, request, definition(func))
        state.report_step()
        state.emit((clock(), SUBMIT, number, task, request))
        return number, task

    def _arrived(self, number: int, task: int) -> None:
        """The result is here, or will never be. Runs in any thread, before the loop is notified."""
        self._state.emit((clock(), RESULT, number, task))
        call = self._calls.get(number)
        if call is not None:
            call.arrived = True

    def _look_for_ends(self, executor: Executor, workers: dict[int, Any]) -> None:
        """Report which processes of a pool have ended, if it is broken. Runs in any thread."""
        try:
            if not workers or executor in self._broken:
                return
            self._broken.add(executor)
            for pid, process in list(workers.items()):
                process.join(0.001)  # its pipe is closed a moment before it has an exit code
                code = process.exitcode
                if code is None or code == -signal.SIGTERM:  # the pool ends the others by SIGTERM
                    continue
                lane = next((number for (known, _), number in list(self._known.items()) if known == pid), 0)
                self._state.emit((clock(), PROCESS, lane, "", "ended", how_ended(code)))
        except Exception as error:
            self._state.failed("process", error)

    # -- reports -------------------------------------------------------------------------------

    def _open(self) -> remote.Recipient:
        mailbox = self._mailbox
        if mailbox is None:
            mailbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            mailbox.bind(("127.0.0.1", 0))
            with suppress(OSError):
                mailbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self._mailbox = mailbox
            self._reader = threading.Thread(
                target=self._read, args=(mailbox,), name="loopviz processes", daemon=True
            )
            self._reader.start()
        return mailbox.getsockname()[1], self._secret

    def close(self) -> None:
        """Take no more reports: the thread ends, and the socket is closed."""
        self._closed = True
        mailbox, reader = self._mailbox, self._reader
        if mailbox is None or reader is None:
            return
        with suppress(OSError):
            mailbox.sendto(b"", mailbox.getsockname())  # so that it wakes up
        reader.join(1.0)
        mailbox.close()
        self._mailbox = self._reader = None

    def _read(self, mailbox: socket.socket) -> None:
        while True:
            try:
                report = mailbox.recv(remote.REPORT.size + 1)
            except OSError:
                return
            if self._closed:
                return
            try:
                if self._is_own(report):
                    self._take(*remote.REPORT.unpack(report)[1:])
            except Exception as error:
                self._state.failed("process", error)

    def _is_own(self, report: bytes) -> bool:
        """Whether it has the secret: nothing else of a datagram is looked at before."""
        if compare_digest(report[: remote.SECRET], self._secret) and len(report) == remote.REPORT.size:
            return True
        self.strangers += 1
        self._blind(
            "datagrams to the port at which worker processes report",
            "they lack the secret of this run: another program sends them, and they are dropped",
        )
        return False

    def _take(self, number: int, pid: int, born: int, cpu: int, began: int, ended: int) -> None:
        call = self._calls.get(number)
        if call is None:
            return
        if call.arrived and not ended:  # the begin is late: the report of the end has both
            return
        emit = self._state.emit
        lane = self._known.get((pid, born)) or self._register(pid, born, began)
        if not call.begun:
            call.begun = True
            emit((began, CALL, number, call.task, call.request, lane, *call.where))
        emit((ended or began, CPU, lane, cpu))
        if ended:
            emit((ended, RETURN, number))
            self._calls.pop(number, None)

    def _register(self, pid: int, born: int, t: int) -> int:
        number = next(self._threads.numbers)
        while len(self._known) >= _MOST:
            self._known.pop(next(iter(self._known)))
        self._known[pid, born] = number
        self._state.emit((t, THREAD, number, "process"))
        if sys.platform == "linux":
            # See clock_getcpuclockid(3): the clock of all threads of another process.
            self._threads.processes.append(Thread(number, pid, (~pid << 3) | 2))
        elif len(self._known) == 1:
            self._blind(
                "worker processes' CPU time while they compute",
                "this platform has no CPU clock for another process; it is reported when a call ends",
            )
        return number


class _Watched:
    """Replaces a process pool in one ``run_in_executor``, which calls only its `submit`.

    In this way the loop still checks the user's own function.
    """

    def __init__(self, processes: Processes, executor: Executor) -> None:
        self._processes = processes
        self._executor = executor
        self.number = 0

    def submit(self, func: Callable[..., Any], *args: Any) -> Future[Any]:
        """As the pool's own."""
        future, self.number = self._processes.submit(self._executor, func, args)
        return future


def _is_process_pool(executor: object) -> bool:
    """Whether it is a ``ProcessPoolExecutor``, without importing that module."""
    module = sys.modules.get("concurrent.futures.process")
    return module is not None and isinstance(executor, module.ProcessPoolExecutor)
