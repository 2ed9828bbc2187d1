"""Several workers: processes that serve the same application on one socket, as ``uvicorn --workers``.

The kernel has one queue of new connections for all of them. A worker that is idle takes what is in it; from
then on, the connection is that worker's, whatever the others do.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.hosts.host import Served
from loopviz.live.hosts.mark import WorkerBuffer
from loopviz.live.hosts.process import ProcessHost
from loopviz.live.sockets import named
from loopviz.scenario import ScenarioFile
from loopviz.stream.buffer import Buffer
from loopviz.stream.copies import Changed
from loopviz.stream.events import WORKER
from loopviz.stream.several import letter
from loopviz.stream.source import Environment, Vitals
from loopviz.target.application import Application

__all__ = ["WorkersHost"]

_PERIOD: Final = 0.1
"""Seconds between two looks at the workers."""
_AGAIN: Final = 0.5
"""So long (s) after its end a worker is started again; longer each time if it does not serve."""
_SELDOM: Final = 8.0
_UNSEEN: Final = 1.0
"""So long (s) after an answer a worker must have reported a request; else none can see them."""
_LINES: Final = 2_000


class WorkersHost:
    """Serves in `count` processes. It is a `loopviz.live.hosts.host.Host`.

    One that has ended is started again, as uvicorn's supervisor does it.
    """

    death = None
    stopped = None

    def __init__(
        self, served: Served, sock: socket.socket, buffer: Buffer, application: Application | None, count: int
    ) -> None:
        self.mode = f"in {count} worker processes"
        self.address = named(sock)
        self._served = served
        self._sock = sock
        self._buffer = buffer
        self._application = application
        self._started = 0
        self._before = 0
        """Events that were lost in workers that have ended."""
        self._ended = threading.Event()
        self._answered: float | None = None
        self._unseen: dict[str, str] = {}
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._written = 0
        self._taken = [0] * count
        """How many lines were taken from each worker's present process."""
        self._supervised = threading.Lock()
        self._hosts: list[ProcessHost] = []
        self._marks: list[WorkerBuffer] = []
        for worker in range(count):
            mark = WorkerBuffer(buffer, worker)
            self._marks.append(mark)
            self._hosts.append(self._new(worker, mark))
        self._routes: Sequence[ScenarioFile] = self._hosts[0].routes
        self._supervisor = threading.Thread(target=self._supervise, name="loopviz workers", daemon=True)

    def _new(self, worker: int, mark: WorkerBuffer) -> ProcessHost:
        """A process for this worker; its numbers are those of no other one."""
        served = replace(self._served, base=self._served.base + (self._started << 48))
        if worker:  # what happens to helpers of all of them is reported once
            served = replace(served, process_changed=lambda *_: None)
        self._started += 1
        return ProcessHost(served, self._sock.dup(), mark, self._application)

    # -- what is known of them -----------------------------------------------------------------

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._hosts)

    @property
    def pid(self) -> int:
        """The process of the first worker."""
        return self._hosts[0].pid

    @property
    def environment(self) -> Environment:
        """That of the first worker: all have the same."""
        return self._hosts[0].environment

    @property
    def routes(self) -> Sequence[ScenarioFile]:
        """What the application offers: every worker offers the same."""
        return self._hosts[0].routes or self._routes

    @routes.setter
    def routes(self, routes: Sequence[ScenarioFile]) -> None:
        self._routes = routes

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen in one of them, at least."""
        return list(dict.fromkeys(pair for host in self._hosts for pair in host.blind))

    @property
    def written(self) -> int:
        """How many lines all of them have written."""
        self._take_lines()
        return self._written

    def output(self) -> Sequence[str]:
        """The last of them, each with the letter of its worker; nearly in the order of their time."""
        self._take_lines()
        return list(self._lines)

    def _take_lines(self) -> None:
        for worker, host in enumerate(list(self._hosts)):
            new = host.written - self._taken[worker]
            if new > 0:
                self._taken[worker] += new
                self._written += new
                self._lines += [f"{letter(worker)}: {line}" for line in list(host.output())[-new:]]

    @property
    def starting(self) -> bool:
        """Whether one of them neither serves yet nor has failed."""
        return any(host.starting for host in self._hosts)

    @property
    def ended(self) -> bool:
        """Whether none of them runs."""
        return all(host.ended for host in self._hosts)

    def vitals(self) -> Vitals:
        """The sums of their figures."""
        every = [host.vitals() for host in self._hosts]
        failures = tuple(failure for vitals in every for failure in vitals.failures)
        dropped = self._before + self._buffer.dropped + sum(vitals.dropped for vitals in every)
        return Vitals(self._buffer.emitted, dropped, sum(vitals.cost_ns for vitals in every), failures)

    # -- their lives ---------------------------------------------------------------------------

    def identify(self) -> None:
        """See to it that the environment is complete."""
        self._hosts[0].identify()

    def start(self) -> None:
        """Start all of them; returns at once."""
        for worker, host in enumerate(self._hosts):
            self._start(worker, host)
        self._supervisor.start()

    def _start(self, worker: int, host: ProcessHost) -> None:
        host.start()
        self._buffer.emit((now_ns(), WORKER, worker, host.pid, "started", ""))

    def wait(self) -> None:
        """Wait until all of them serve."""
        for host in list(self._hosts):
            host.wait()

    def responds(self, timeout: float) -> bool:
        """Processes can always be ended."""
        return True

    def stop(self) -> bool:
        """End all of them together."""
        self._ended.set()
        with self._supervised:
            stops = [threading.Thread(target=host.stop, daemon=True) for host in self._hosts]
            for stop in stops:
                stop.start()
            for stop in stops:
                stop.join(2.5)
            self._sock.close()
        return True

    def _supervise(self) -> None:
        """Start those again that have ended, once all have served."""
        with suppress(Exception):
            self.wait()
        delays = [_AGAIN] * len(self._hosts)
        due: dict[int, float] = {}
        while not self._ended.wait(_PERIOD):
            self._look_for_unseen()
            for worker, host in enumerate(self._hosts):
                if host.death is None:
                    if not host.starting:
                        delays[worker] = _AGAIN
                elif worker not in due:
                    due[worker] = time.monotonic() + delays[worker]
                elif time.monotonic() >= due[worker]:
                    del due[worker]
                    delays[worker] = min(_SELDOM, 2 * delays[worker])
                    self._replace(worker)

    def _replace(self, worker: int) -> None:
        with self._supervised:
            if self._ended.is_set():
                return
            before = self._hosts[worker]
            self._take_lines()
            before.stop()
            self._before += before.vitals().dropped
            host = self._new(worker, self._marks[worker])
            host.routes = before.routes
            self._hosts[worker], self._taken[worker] = host, 0
            self._start(worker, host)

    # -- what they are asked for ---------------------------------------------------------------

    def preparing(self, name: str) -> str | None:
        """What the scenario waits for is not known here."""
        return self._hosts[0].preparing(name)

    def ready(self, name: str) -> bool:
        """Whether the scenario is served at once, by every worker that runs."""
        return all(host.ready(name) for host in self._running())

    def serves(self, file: ScenarioFile) -> bool:
        """Whether this version is served."""
        return all(host.serves(file) for host in self._running())

    def prepare(self, name: str) -> Future[None]:
        """Prepare the scenario in all of them."""
        return _joined([host.prepare(name) for host in self._running()])

    def replace(self, file: ScenarioFile) -> Future[None]:
        """Serve this version from now on."""
        return _joined([host.replace(file) for host in self._running()])

    def copy(self, changed: Changed) -> Future[None]:
        """The kernel chooses who gets a request, so that it is not known which worker answers."""
        raise InputError(
            f"There are {self.workers} workers, and the kernel chooses which one gets a request.\n"
            "Run it with one worker to measure a repair."
        )

    def end_copy(self) -> Future[None]:
        """There is none."""
        return _joined([])

    def give_up(self, numbers: Iterable[int]) -> None:
        """Do not begin these requests; it is not known which worker has which."""
        every = list(numbers)
        for host in self._running():
            host.give_up(every)

    def set_threads(self, limit: int) -> None:
        """Change the thread limit of each worker."""
        self._served = replace(self._served, threads=limit)
        for host in self._hosts:
            host.set_threads(limit)

    def resize(self, pool: int, size: int) -> Future[bool]:
        """Change the size of a pool, which is in one of them."""
        done: Future[bool] = Future()
        asked = [host.resize(pool, size) for host in self._running()]

        def joined(over: Future[None]) -> None:
            error = over.exception()
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(any(future.result() for future in asked))

        _joined(asked).add_done_callback(joined)
        return done

    def answered(self) -> None:
        """The probe of one of them must have seen a request; which one is not known."""
        if self._answered is None:
            self._answered = time.monotonic()

    def _look_for_unseen(self) -> None:
        seen = any(mark.has_read for mark in self._marks)
        if not seen and self._answered is not None and time.monotonic() - self._answered > _UNSEEN:
            for host in self._running():
                host.answered()

    def reported(self) -> Future[None]:
        """Done when all is here that all of them have seen up to now."""
        return _joined([host.reported() for host in self._running()])

    def not_seen(self, what: str, why: str) -> None:
        """Something that the client cannot measure."""
        self._hosts[0].not_seen(what, why)

    def _running(self) -> Iterator[ProcessHost]:
        return (host for host in list(self._hosts) if host.death is None)


def _joined(futures: list[Future[Any]]) -> Future[None]:
    """Done when all of them are; it has the first exception."""
    done: Future[None] = Future()
    left = len(futures)
    lock = threading.Lock()

    def one_less(over: Future[Any]) -> None:
        nonlocal left
        error = None if over.cancelled() else over.exception()
        with lock:
            left -= 1
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            elif not left:
                done.set_result(None)

    if not futures:
        done.set_result(None)
    for future in futures:
        future.add_done_callback(one_less)
    return done
