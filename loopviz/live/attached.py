"""A server that runs already, as a `loopviz.stream.source.Source`: it is watched, and nothing else."""

from __future__ import annotations

import itertools
import linecache
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import psutil

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.incoming import FROM_PROCESS, Incoming
from loopviz.live.link import Link
from loopviz.live.numbers import Renumber
from loopviz.recording import Place, Recorder
from loopviz.scenario import THREAD_LIMIT, ScenarioFile
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import STOPPED, Event
from loopviz.stream.source import Death, Environment, Vitals
from loopviz.wire.frames import Message
from loopviz.wire.messages import PROTOCOL

__all__ = ["Attached", "Worker"]

_HELLO = 20.0
"""How long a server may take to answer (s): its first viewer's has to load the probe."""
_UNKNOWN = Environment("", "", "", True, "", "", "", "", "", "")


class Attached:
    """A view of a foreign server. It sends no request, and never ends the server.

    `workers` are connections to agents that know that they are watched, each with the number of its process,
    or 0 if that is unknown.
    """

    mode = "attached"
    live = True
    application: str | None = None
    load = None
    scenarios: Sequence[ScenarioFile] = ()

    def __init__(self, *workers: tuple[socket.socket, int]) -> None:
        self.environment = _UNKNOWN
        self.address = ""
        self.threads = THREAD_LIMIT
        self.death: Death | None = None
        self.stopped: str | None = None
        self._workers: list[Worker] = []
        self._numbers = itertools.count(1)
        self._buffer = Buffer(1_000_000)
        self._incoming = Incoming(self._buffer, FROM_PROCESS)
        self._known = threading.Event()
        self._failed: str | None = None
        self._started = self._leaving = False
        for connection, pid in workers:
            self._workers.append(self._worker(connection, pid))

    def _worker(self, connection: socket.socket, pid: int) -> Worker:
        return Worker(self, connection, pid, Renumber(self._numbers))

    @property
    def pid(self) -> int:
        """The process of the server; of several workers, the first one's."""
        return self._workers[0].pid if self._workers else 0

    @property
    def written(self) -> int:
        """What it writes goes where it went before."""
        return 0

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen in any of its processes, and why."""
        return list(dict.fromkeys(pair for worker in self._workers for pair in worker.blind))

    def start(self) -> None:
        """Begin to take in what the server reports, unless that has begun; returns at once."""
        if self._started:
            return
        self._started = True
        for worker in self._workers:
            worker.link.start()

    def wait(self) -> None:
        """Wait until the server has answered. Raises `InputError` if it cannot be watched."""
        answered = self._known.wait(_HELLO)
        if self._failed is not None:
            raise InputError(self._failed)
        if not answered:
            raise InputError(f"The server's event loop has had no time for {_HELLO:.0f} s.\nTry again later.")

    def stop(self) -> bool:
        """Detach: the server goes on without hooks."""
        self._leaving = True
        for worker in self._workers:
            worker.link.close()
        return True

    # -- what the server reports, in the links' threads --------------------------------------------

    def take(self, events: list[Event]) -> None:
        """Events of a worker's."""
        self._buffer.queue.extend(events)

    def introduced(self, worker: Worker, said: Mapping[str, Any]) -> None:
        """A worker has said what it is."""
        if said.get("protocol") != PROTOCOL:
            self.failed("The server has another version of loopviz.\nInstall the same one on both sides.")
            return
        worker.known = True
        if worker is next(iter(self._workers), worker):
            known = said.get("environment") or {}
            self.environment = Environment(
                **{field.name: known.get(field.name, "") for field in fields(Environment)}
            )
            self.address = str(said.get("address", ""))
            if said.get("threads"):
                self.threads = int(said["threads"])
        if said.get("installed"):
            self._known.set()

    def refused(self, worker: Worker, reason: str) -> None:
        """A worker cannot be watched."""
        self.failed(reason)

    def failed(self, reason: str) -> None:
        """The server cannot be watched, or no longer."""
        if self._known.is_set():
            self.stopped = self.stopped or reason.replace("\n", " ")
        else:
            self._failed = self._failed or reason
            self._known.set()

    def over(self, worker: Worker, wrong: str | None) -> None:
        """The connection to a worker has ended."""
        if self._leaving:
            return
        if wrong is not None:
            self.failed(f"What listens there is no loopviz: {wrong}.\n'loopviz attach' lists servers.")
        elif not self._known.is_set():
            self.failed(
                "The server has ended, or has closed the connection.\n'loopviz attach' lists servers."
            )
        elif all(one.ended for one in self._workers):
            if _has_ended(worker.pid):
                self.death = Death(now_ns(), "it was ended, or has ended itself")
            else:
                self.stopped = "The server has closed the connection: it is not watched any more."

    # -- what the view asks for --------------------------------------------------------------------

    def drain(self) -> list[Event]:
        """The new events, in the order of their time; the newest ones are held back."""
        return self._incoming.drain()

    def drain_all(self) -> list[Event]:
        """All new events, none held back."""
        return self._incoming.drain_all()

    def record(self, place: str | Path | Place, report: Callable[[str], None] | None = None) -> Recorder:
        """Write the events to a file from now on; see `loopviz.recording.Recorder`."""
        return self._incoming.record(self, place, report)

    def end_recording(self) -> None:
        """Record no more than what has been drained so far."""
        self._incoming.end_recording(self)

    def save(self, path: str | Path) -> int:
        """Write the last minutes to a file. May be called in any thread."""
        return self._incoming.save(self, path)

    def present(self) -> int:
        """The present moment (ns)."""
        return now_ns()

    def vitals(self) -> Vitals:
        """The probe's figures, as the server's process reports them, and what was lost on the way."""
        said = [worker.figures for worker in self._workers]
        return Vitals(
            sum(one.events for one in said),
            sum(one.dropped for one in said) + self._buffer.dropped,
            sum(one.cost_ns for one in said),
            tuple(failure for one in said for failure in one.failures),
        )

    def source_lines(self, file: str) -> Sequence[str]:
        """The text of a source file of the server's, which may be in a container."""
        found = linecache.getlines(file)
        if not found and self.pid:
            with suppress(OSError, ValueError):
                inside = Path(f"/proc/{self.pid}/root{file}")
                return inside.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        return found

    def was_paused(self, since: int, until: int) -> None:
        """The viewer was stopped, and perhaps the server with it."""
        if _is_child(self.pid):
            self._buffer.emit((until, STOPPED, since))

    def preparing(self, name: str) -> None:
        """Nothing is fired."""

    def fire(self, scenario: ScenarioFile, requests: int) -> NoReturn:
        """Raises `InputError`: the server gets its requests from others."""
        raise InputError("A server that is attached to gets no requests from loopviz.\nSend them yourself.")

    def change_request(self, scenario: ScenarioFile) -> NoReturn:
        """Raises `InputError`: the server gets its requests from others."""
        self.fire(scenario, 0)

    def set_load(self, scenario: ScenarioFile, per_second: float) -> NoReturn:
        """Raises `InputError`: the server gets its requests from others."""
        self.fire(scenario, 0)

    def reload(self, scenario: ScenarioFile) -> Future[None] | None:
        """Nothing of loopviz's is served there."""
        return None

    def give_up(self) -> int:
        """No request is loopviz's."""
        return 0

    def set_threads(self, limit: int) -> None:
        """Does nothing: the limit is the server's own."""

    def output(self) -> Sequence[str]:
        """What the server writes goes where it went before."""
        return ()

    def move(self) -> Future[None] | None:
        """It stays where it is."""
        return None

    def restart(self) -> Future[None] | None:
        """It is not loopviz's to start."""
        return None


class Worker:
    """The connection to one process of the server."""

    def __init__(self, view: Attached, connection: socket.socket, pid: int, renumber: Renumber) -> None:
        self.pid = pid
        self.known = False
        """Whether it has said what it is."""
        self.blind: Sequence[tuple[str, str]] = ()
        self.figures = Vitals(0, 0, 0, ())
        self.ended = False
        self._view = view
        self._renumber = renumber
        self.link = Link(connection, self._heard, self._over)

    def _heard(self, message: Message) -> None:
        match message:
            case ("events", list(events), int(accepted), int(dropped), int(cost), list(failures)):
                self.figures = Vitals(accepted, dropped, cost, tuple(map(str, failures)))
                self._view.take(self._renumber.events(events))
            case ("blind", list(pairs)):
                self.blind = [(str(what), str(why)) for what, why in pairs]
            case ("hello", dict(said)):
                self.pid = self.pid or int(said.get("pid", 0))
                self._view.introduced(self, said)
            case ("failed", str(reason), str(advice)):
                self._view.refused(self, "\n".join(part for part in (reason, advice) if part))

    def _over(self, wrong: str | None) -> None:
        self.ended = True
        self._view.over(self, wrong)


def _has_ended(pid: int) -> bool:
    """Whether a process is gone: the end of its connection is a moment before its own."""
    try:
        process = psutil.Process(pid)
        process.wait(0.5)
    except psutil.TimeoutExpired:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True
    return True


def _is_child(pid: int) -> bool:
    with suppress(psutil.Error):
        return any(one.pid == pid for one in psutil.Process().children(recursive=True))
    return False
