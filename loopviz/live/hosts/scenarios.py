"""Scenarios on a server: what they need around them, and which of them are ready."""

from __future__ import annotations

from concurrent.futures import Future

from loopviz.live.helpers.workspace import Workspace
from loopviz.live.hosts.host import Served
from loopviz.live.server.apps import Apps
from loopviz.live.server.thread import ServerThread
from loopviz.scenario import ScenarioFile, executed

__all__ = ["Scenarios"]


class Scenarios:
    """The scenarios of a server. `apps` is the application that serves them.

    Methods that prepare or replace one need the server on which that is done.
    """

    def __init__(self, served: Served) -> None:
        self._awaited: dict[str, str] = {}
        self.workspace = Workspace(served.process_changed)
        self.apps = Apps(served.scenarios, self._execute, lazily=served.lazily)

    def preparing(self, name: str) -> str | None:
        """What a scenario that is being prepared waits for."""
        return self._awaited.get(name)

    def prepare(self, server: ServerThread, name: str) -> Future[None]:
        """Prepare a scenario; the future has what its file raises."""
        self._awaited.setdefault(name, "")
        done = server.submit(self.apps.prepare(name))
        done.add_done_callback(lambda _: self._awaited.pop(name, None))
        return done

    def replace(self, server: ServerThread, file: ScenarioFile) -> Future[None]:
        """Serve this version of a scenario from now on."""
        return server.submit(self.apps.replace(file))

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
