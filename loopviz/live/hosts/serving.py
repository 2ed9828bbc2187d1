"""A probed server, in the process and the thread in which it is to run."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from loopviz.live.helpers.workspace import Workspace
from loopviz.live.hosts.host import Served
from loopviz.live.server import Abandoning, Apps, ServerThread
from loopviz.live.server.compat import as_called
from loopviz.probe import HEADER, Probe
from loopviz.scenario import ScenarioFile, executed
from loopviz.stream.buffer import Buffer

__all__ = ["Serving"]


class Serving:
    """Scenarios, or one application, under uvicorn with a probe.

    Without `application`, the scenarios are served. `application` is called on the server's loop and returns
    the application; `settings` are uvicorn's.
    """

    def __init__(
        self,
        served: Served,
        sock: socket.socket,
        buffer: Buffer,
        *,
        own: Iterable[str] = (),
        application: Callable[[], Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._awaited: dict[str, str] = {}
        self.probe = Probe(buffer, numbers=served.numbers, secret=served.secret, own=own, base=served.base)
        self.workspace = Workspace(served.process_changed)
        self.apps = Apps(served.scenarios, self._execute, lazily=served.lazily)
        self._application = application
        self._abandoning = Abandoning(self.apps, HEADER, f"{served.secret}-")
        self.server = ServerThread(
            self._abandoning,
            sock,
            threads=served.threads,
            loop=served.loop,
            watch=self.probe.install,
            unwatch=self.probe.uninstall,
            load=None if application is None else self._load,
            settings=settings,
        )

    def preparing(self, name: str) -> str | None:
        """What a scenario that is being prepared waits for."""
        return self._awaited.get(name)

    def ready(self, name: str) -> bool:
        """Whether a request to this scenario is served at once. A route of an application always is."""
        return self._application is not None or self.apps.ready(name)

    def prepare(self, name: str) -> Future[None]:
        """Prepare a scenario."""
        if self._application is not None:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        self._awaited.setdefault(name, "")
        done = self.server.submit(self.apps.prepare(name))
        done.add_done_callback(lambda _: self._awaited.pop(name, None))
        return done

    def replace(self, file: ScenarioFile) -> Future[None]:
        """Serve this version of a scenario."""
        return self.server.submit(self.apps.replace(file))

    def give_up(self, numbers: Iterable[int]) -> None:
        """Do not begin these requests, and cancel what they await."""
        self._abandoning.give_up(numbers)
        self.server.call(self._abandoning.cancel)

    def _load(self) -> None:
        """Load the one application, which is then served in place of the scenarios."""
        if self._application is not None:
            self._abandoning.app = as_called(self._application())

    def _execute(self, scenario: ScenarioFile) -> ScenarioFile:
        fired, facts = scenario.name in self._awaited, scenario.facts
        if fired and (facts.upstream or facts.worker):
            what = "a worker process" if facts.worker else "a server to call"
            self._awaited[scenario.name] = f"starting {what}"
        self.workspace.provide(scenario)
        if fired:
            self._awaited[scenario.name] = f"reading {scenario.file.name}"
        done = executed(scenario)
        if fired:
            self._awaited[scenario.name] = "starting its application"
        return done
