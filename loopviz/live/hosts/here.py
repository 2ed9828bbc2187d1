"""A server in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from loopviz.errors import InputError
from loopviz.live.environment import environment
from loopviz.live.hosts.copying import of_application, of_scenario
from loopviz.live.hosts.host import Served
from loopviz.live.hosts.scenarios import Scenarios
from loopviz.live.hosts.serving import Serving
from loopviz.live.sockets import named
from loopviz.scenario import ScenarioFile
from loopviz.stream.buffer import Buffer
from loopviz.stream.copies import Changed
from loopviz.stream.source import Death, Vitals
from loopviz.target.application import Application, load
from loopviz.target.listing import scenario_files
from loopviz.target.remembering import known
from loopviz.target.routes import routes

__all__ = ["ThreadHost"]


class ThreadHost:
    """Serves scenarios in a thread; its probe writes to `buffer`. It is a `loopviz.live.hosts.host.Host`."""

    mode = "in a thread"
    pid = 0
    written = 0
    death: Death | None = None

    def __init__(
        self,
        served: Served,
        sock: socket.socket,
        buffer: Buffer,
        application: Application | None = None,
    ) -> None:
        self.environment = environment(served.loop)
        self.address = named(sock)
        self.routes: Sequence[ScenarioFile] = served.scenarios
        self._buffer = buffer
        self._application = application
        self._since = 0.0
        """When the application was imported (s)."""
        self.scenarios: Scenarios | None = None
        if application is not None:
            loading = partial(self._load, application)
            own = {application.app_dir, *filter(None, [application.file])}  # it may be installed
            self.serving = Serving(served, sock, buffer, loading, own=own, settings=application.settings)
            return
        self.scenarios = scenarios = Scenarios(served)
        own = {str(file.file.resolve()) for file in served.scenarios}
        self.serving = Serving(served, sock, buffer, lambda: scenarios.apps, own=own)

    def _load(self, application: Application) -> Any:
        self._since = time.time()
        app = load(application)
        self.routes = scenario_files(application, routes(app), known(application.folder))
        return app

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen here, and why."""
        return self.serving.probe.blind

    @property
    def stopped(self) -> str | None:
        """What has stopped the server."""
        return self.serving.server.stopped

    @property
    def starting(self) -> bool:
        """Whether it neither serves yet nor has failed."""
        return self.serving.server.starting

    @property
    def ended(self) -> bool:
        """Whether its thread does not run."""
        return self.serving.server.ended

    def output(self) -> Sequence[str]:
        """A thread has no output of its own."""
        return ()

    def vitals(self) -> Vitals:
        """The probe's own figures."""
        buffer, probe = self._buffer, self.serving.probe
        return Vitals(buffer.emitted, buffer.dropped, probe.cost_ns, tuple(probe.failures))

    def identify(self) -> None:
        """It is complete."""

    def start(self) -> None:
        """Start the thread."""
        if self.scenarios is not None:
            self.scenarios.workspace.enter()
        self.serving.server.start()

    def wait(self) -> None:
        """Wait until it serves."""
        self.serving.server.wait()

    def preparing(self, name: str) -> str | None:
        """What the scenario that is being prepared waits for."""
        return None if self.scenarios is None else self.scenarios.preparing(name)

    def ready(self, name: str) -> bool:
        """Whether the scenario is served at once."""
        return not self.starting if self.scenarios is None else self.scenarios.apps.ready(name)

    def serves(self, file: ScenarioFile) -> bool:
        """Whether this version is served."""
        return self.scenarios is not None and self.scenarios.apps.serves(file)

    def prepare(self, name: str) -> Future[None]:
        """Prepare the scenario."""
        if self.scenarios is None:  # a route is ready when the application serves
            done = Future[None]()
            done.set_result(None)
            return done
        return self.scenarios.prepare(self.serving.server, name)

    def replace(self, file: ScenarioFile) -> Future[None]:
        """Serve this version from now on."""
        if self.scenarios is None:
            raise RuntimeError("an application has no scenarios")
        return self.scenarios.replace(self.serving.server, file)

    def copy(self, changed: Changed) -> Future[None]:
        """Serve a changed copy of the application, or of a scenario."""
        if self._application is not None:
            making = of_application(changed, self._application, self._since)
            return self.serving.copy(*making, apart=False)
        file = self.scenarios.apps.file(changed.scenario) if self.scenarios is not None else None
        if file is None:
            raise InputError(f"{changed.scenario} is not served here.")
        return self.serving.copy(*of_scenario(changed, file.file), apart=True)

    def end_copy(self) -> Future[None]:
        """Serve it no longer."""
        return self.serving.end_copy()

    def give_up(self, numbers: Iterable[int]) -> None:
        """Do not begin these requests."""
        self.serving.give_up(numbers)

    def set_threads(self, limit: int) -> None:
        """Change the thread limit."""
        self.serving.server.set_threads(limit)

    def resize(self, pool: int, size: int) -> Future[bool]:
        """Change the size of a pool, in a thread of its own: the executor may be busy."""
        done = Future[bool]()

        def work() -> None:
            try:
                done.set_result(self.serving.probe.resize(pool, size))
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=work, name="loopviz resize", daemon=True).start()
        return done

    def answered(self) -> None:
        """The probe must have seen a request."""
        self.serving.probe.answered()

    def reported(self) -> Future[None]:
        """It is in the same buffer at once."""
        done = Future[None]()
        done.set_result(None)
        return done

    def not_seen(self, what: str, why: str) -> None:
        """Something that the client cannot measure."""
        self.serving.probe.not_seen(what, why)

    def responds(self, timeout: float) -> bool:
        """Whether its loop runs something in that time (s)."""
        server, ran = self.serving.server, threading.Event()
        server.call(ran.set)
        return server.ended or ran.wait(timeout)

    def stop(self) -> bool:
        """End it within a second; False if its loop is blocked."""
        ended = self.serving.server.stop()
        if self.scenarios is not None:
            self.scenarios.workspace.leave()
        return ended
