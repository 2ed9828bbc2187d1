"""A host that can be replaced by another one while the program runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.hosts.host import Host, Served
from loopviz.live.hosts.process import ProcessHost
from loopviz.live.hosts.workers import WorkersHost
from loopviz.live.sockets import bind
from loopviz.scenario import ScenarioFile
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import WORKER
from loopviz.target.application import Application

__all__ = ["Movable"]

_RESPONSE: Final = 1.0
"""How long an event loop has to show that it is not blocked (s)."""
_SERVER: Final = 1 << 40
"""How many numbers each server of a session has for its tasks."""


class Movable:
    """Where the server runs now, and how it gets elsewhere: at the same address, with the same application.

    `changed` is called with whether the server is in another process, before a new one starts.
    """

    def __init__(
        self,
        served: Served,
        address: tuple[str, int],
        buffer: Buffer,
        application: Application | None,
        *,
        isolate: bool,
        workers: int,
        changed: Callable[[bool], object],
    ) -> None:
        self.served = served
        self._buffer = buffer
        self._application = application
        self._workers = workers
        self._changed = changed
        self._moving = threading.Lock()
        sock = bind(*address)
        self.place: tuple[str, int] = sock.getsockname()[:2]
        self.now = self._hosted(sock, isolate=isolate or workers > 1)

    def _hosted(self, sock: socket.socket, *, isolate: bool) -> Host:
        """A server at this socket."""
        if self._workers > 1:
            return WorkersHost(self.served, sock, self._buffer, self._application, self._workers)
        if isolate:
            return ProcessHost(self.served, sock, self._buffer, self._application)
        from loopviz.live.hosts.here import ThreadHost  # noqa: PLC0415 - it imports uvicorn and FastAPI

        return ThreadHost(self.served, sock, self._buffer, self._application)

    @property
    def isolated(self) -> bool:
        """Whether the server runs in another process."""
        return isinstance(self.now, ProcessHost | WorkersHost)

    def move(
        self, give_up: Callable[[], object], scenarios: Sequence[ScenarioFile], threads: int
    ) -> Future[None] | None:
        """Move it to a process of its own, or back into a thread. Several workers stay where they are: None.

        The future has an `InputError` if the loop is blocked, or if the port was taken meanwhile.
        """
        if self._workers > 1:
            return None
        return self._again(give_up, scenarios, threads, isolate=not self.isolated)

    def restart(
        self, give_up: Callable[[], object], scenarios: Sequence[ScenarioFile], threads: int
    ) -> Future[None] | None:
        """Start its process again; None if it has none."""
        return self._again(give_up, scenarios, threads, isolate=True) if self.isolated else None

    def _again(
        self,
        give_up: Callable[[], object],
        scenarios: Sequence[ScenarioFile],
        threads: int,
        *,
        isolate: bool,
    ) -> Future[None]:
        done: Future[None] = Future()

        def work() -> None:
            try:
                with self._moving:
                    self._require_response()
                    give_up()
                    self._end()
                    self.served = replace(
                        self.served, scenarios=scenarios, threads=threads, base=self.served.base + _SERVER
                    )
                    self._begin(isolate=isolate)
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        threading.Thread(target=work, name="loopviz move", daemon=True).start()
        return done

    def _require_response(self) -> None:
        """Raise `InputError` if the server cannot be ended, before anything is given up for that."""
        if not self.now.responds(_RESPONSE):
            raise InputError(
                "The event loop is blocked, so the server's thread cannot end.\nTry again later."
            )

    def _end(self) -> None:
        self.now.stop()
        for worker in range(self._workers):
            self._buffer.emit((now_ns(), WORKER, worker, 0, "ended", "to be started again"))

    def _begin(self, *, isolate: bool) -> None:
        before = self.now
        host = self._hosted(bind(*self.place), isolate=isolate)
        host.routes = before.routes
        self._changed(isolate)
        self.now = host
        host.start()
        if self._workers == 1:  # several announce themselves
            self._buffer.emit((now_ns(), WORKER, 0, host.pid, "started", ""))
        host.wait()
