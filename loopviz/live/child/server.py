"""The server in a process of its own: it begins with an order, reports what its probe sees, and ends."""

from __future__ import annotations

import io
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from loopviz.agent.blackbox import BlackBox
from loopviz.agent.reporter import Reporter
from loopviz.agent.stacks import Stacks
from loopviz.agent.viewer import Viewer
from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.environment import environment
from loopviz.live.hosts.copying import of_application, of_scenario
from loopviz.live.hosts.host import Served
from loopviz.live.hosts.serving import Serving
from loopviz.live.server.thread import AS_UVICORN
from loopviz.scenario import ScenarioFile, find, read
from loopviz.stream.blind import KEEPER
from loopviz.stream.buffer import Buffer
from loopviz.stream.copies import Changed
from loopviz.stream.events import PROCESS, Change
from loopviz.stream.source import Vitals
from loopviz.target.application import Application, load
from loopviz.target.routes import Route, known_paths, routes
from loopviz.wire.frames import Decoder
from loopviz.wire.messages import FAILED, HELLO, PROTOCOL, SERVING, STOPPED, Hello

__all__ = ["main"]

_GRACE: Final = 0.7
"""How long the server has to stop (s); then the process ends itself."""


def main(connection: int) -> None:
    """Serve until the server ends; the connection's other end is the program that shows it."""
    sock = socket.socket(fileno=connection)
    order = _order(sock)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # as on a terminal: its lines are shown at once
    _Child(sock, order).run()


def _order(sock: socket.socket) -> Mapping[str, Any]:
    """What is to be served: the first message."""
    decoder = Decoder()
    while data := sock.recv(1 << 16):
        for message in decoder.feed(data):
            order: Mapping[str, Any] = message[3][0]
            return order
    sys.exit(1)


class _Child:
    """The server, and what reports of it."""

    def __init__(self, sock: socket.socket, order: Mapping[str, Any]) -> None:
        self._over = threading.Event()
        self._buffer = Buffer(box=BlackBox(order["box"]))
        os.close(order["box"])
        self._stacks = Stacks(order["stacks"])
        files = _scenarios(order["scenarios"])
        served = Served(
            files,
            order["threads"],
            order["loop"],
            order["secret"],
            itertools.count(order["numbers"]),
            order["lazily"],
            order["base"],
            self._process_changed,
        )
        listening = _listening(order["socket"])
        calls: dict[str, Callable[..., Any]]
        if order["application"] is not None:
            application = Application(**order["application"])
            sys.argv = ["uvicorn", application.name]
            own = {str(Path(application.app_dir).resolve()), *filter(None, [application.file])}
            offered: list[Route] = []
            paths: list[str] = []
            loaded: list[Any] = []

            since = time.time()

            def loading() -> Any:
                app = load(application)
                paths.extend(known_paths(app))
                offered.extend(routes(app))  # now: while it serves, it would take the GIL from requests
                loaded.append(app)
                return app

            def offers() -> list[Route]:
                # A lifespan may have added routes: then they are read again.
                return offered if known_paths(loaded[0]) == paths else routes(loaded[0])

            settings = AS_UVICORN | dict(application.settings)
            self._serving = Serving(served, listening, self._buffer, loading, own=own, settings=settings)
            self._routes: Callable[[], list[Any]] = offers
            self._leave: Callable[[], object] = lambda: None

            def copy(plain: Mapping[str, Any]) -> Future[None]:
                return self._serving.copy(*of_application(Changed(**plain), application, since), apart=False)

            calls = {"copy": copy}
        else:
            from loopviz.live.hosts.scenarios import Scenarios  # noqa: PLC0415 - it imports FastAPI

            scenarios = Scenarios(served)
            own = {str(file.file.resolve()) for file in files}
            self._serving = Serving(served, listening, self._buffer, lambda: scenarios.apps, own=own)
            server = self._serving.server
            self._routes = list
            self._leave = scenarios.workspace.leave
            scenarios.workspace.enter()

            def copy(plain: Mapping[str, Any]) -> Future[None]:
                changed = Changed(**plain)
                file = scenarios.apps.file(changed.scenario)
                if file is None:
                    raise InputError(f"{changed.scenario} is not served here.")
                return self._serving.copy(*of_scenario(changed, file.file), apart=True)

            calls = {
                "copy": copy,
                "prepare": partial(scenarios.prepare, server),
                "replace": lambda path, name: scenarios.replace(server, *_scenarios([(path, name)])),
            }
        calls |= {
            "end_copy": self._serving.end_copy,
            "give_up": self._serving.give_up,
            "set_threads": self._serving.server.set_threads,
            "resize": self._serving.probe.resize,
            "answered": self._serving.probe.answered,
            "stop": self._stop,
            "reported": lambda: None,  # its reply comes after the events up to then
        }
        self._reporter = Reporter(self._buffer.drain, self._vitals, self._blind, calls)
        self._viewer = Viewer(sock, self._stop)
        self._hello = Hello(
            protocol=PROTOCOL,
            pid=os.getpid(),
            environment=asdict(environment(order["loop"])),
            threads=order["threads"],
            loop_thread=threading.get_native_id(),
            own=sorted(own),
            signal=self._stacks.signal,
        )

    def run(self) -> None:
        """Serve on this thread, the main one, as uvicorn does."""
        self._reporter.start()
        self._hello["reporter"] = self._reporter.native
        self._reporter.add(self._viewer, (HELLO, dict(self._hello)))
        starting = threading.Thread(target=self._await_start, name="loopviz start", daemon=True)
        starting.start()
        server = self._serving.server
        try:
            server.run()
        finally:
            self._over.set()
            starting.join(1.0)  # if it could not start, the reason is reported before the end
            self._leave()
            if server.stopped is not None:
                self._reporter.say((STOPPED, server.stopped))
            self._reporter.stop()

    def _process_changed(self, name: str, change: Change, reason: str) -> None:
        self._buffer.emit((now_ns(), PROCESS, 0, name, change, reason))

    def _await_start(self) -> None:
        try:
            self._serving.server.wait()
        except InputError as error:
            self._reporter.say((FAILED, str(error)))
        else:
            self._reporter.say((SERVING, self._routes()))

    def _vitals(self) -> Vitals:
        buffer, probe = self._buffer, self._serving.probe
        return Vitals(buffer.emitted, buffer.dropped, probe.cost_ns, tuple(probe.failures))

    def _blind(self) -> list[tuple[str, str]]:
        """What cannot be seen, and that the signal is not to be sent any more if the application uses it."""
        if self._stacks.intact():
            return list(self._serving.probe.blind)
        if self._hello["signal"]:
            self._hello["signal"] = 0
            self._reporter.say((HELLO, dict(self._hello)))
        return [*self._serving.probe.blind, (KEEPER, self._stacks.why)]

    def _stop(self) -> None:
        """End the server; if it does not end, end the process."""
        threading.Thread(target=self._end, name="loopviz end", daemon=True).start()

    def _end(self) -> None:
        self._serving.server.end()
        if not self._over.wait(_GRACE):
            self._reporter.stop()
            os._exit(0)


def _listening(number: int) -> socket.socket:
    """The socket with this file descriptor, with its protocol: see `loopviz.live.server.bind`."""
    found = socket.socket(fileno=number)
    return socket.socket(found.family, found.type, socket.IPPROTO_TCP, fileno=found.detach())


def _scenarios(listed: list[tuple[str, str]]) -> list[ScenarioFile]:
    """The scenario files, with the names that they have in the program."""
    files = []
    for path, name in listed:
        (file,) = read(find(path))
        files.append(replace(file, name=name))
    return files
