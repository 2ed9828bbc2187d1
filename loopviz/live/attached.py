"""A server that runs already, as a `loopviz.stream.source.Source`: it is watched, and nothing else."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import psutil

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.hosts.mark import WorkerBuffer
from loopviz.live.incoming import FROM_PROCESS, Incoming
from loopviz.live.lanes import Lanes
from loopviz.live.link import Link
from loopviz.live.numbers import Renumber, shifted
from loopviz.recording import Place, Recorder
from loopviz.scenario import THREAD_LIMIT, ScenarioFile
from loopviz.sources import lines_in
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import STOPPED, WORKER, Event
from loopviz.stream.several import MOST_WORKERS
from loopviz.stream.source import Death, Environment, Vitals
from loopviz.wire.frames import Message
from loopviz.wire.messages import PROTOCOL

__all__ = ["Attached", "Worker"]

_HELLO = 20.0
"""How long a server may take to answer (s): its first viewer's has to load the probe."""
_OTHERS = 3.0
"""How long the others of its workers may take after the first one (s): a loop that is blocked has no time."""
_UNKNOWN = Environment("", "", "", True, "", "", "", "", "", "")


class Attached:
    """A view of a foreign server. It sends no request, and never ends the server.

    `workers` are connections to agents that know that they are watched, each with the number of its process,
    or 0 if that is unknown. The first has the first lane.
    """

    mode = "attached"
    live = True
    application: str | None = None
    load = None
    probing = None
    scenarios: Sequence[ScenarioFile] = ()

    def __init__(self, *workers: tuple[socket.socket, int]) -> None:
        self.environment = _UNKNOWN
        self.address = ""
        self.threads = THREAD_LIMIT
        self.death: Death | None = None
        self.stopped: str | None = None
        self._workers: list[Worker] = []
        """Those that are connected."""
        self._lanes = Lanes()
        self._pids: dict[int, int] = {}
        self._past = Vitals(0, 0, 0, ())
        self._unseen: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._buffer = Buffer(1_000_000)
        self._incoming = Incoming(self._buffer, FROM_PROCESS)
        self._known = threading.Event()
        self._failed: str | None = None
        self._started = self._leaving = False
        for connection, pid in workers:
            worker = self._worker(connection, pid)
            if self._joins(worker):
                self._workers.append(worker)

    def _worker(self, connection: socket.socket, pid: int) -> Worker:
        return Worker(self, connection, pid, Renumber(self._numbers))

    def _joins(self, worker: Worker) -> bool:
        """Give a worker its lane; False if there are too many."""
        lane = self._lanes.take()
        if lane is None:
            self._unseen["more workers"] = f"only {MOST_WORKERS} have a lane"
            worker.link.close()
            return False
        worker.joins(self._buffer, *lane)
        return True

    @property
    def pid(self) -> int:
        """The process of the server; of several workers, that of the first one that runs."""
        running = sorted((worker.lane, worker.pid) for worker in list(self._workers) if worker.lane >= 0)
        return running[0][1] if running else next(iter(self.pids), 0)

    @property
    def pids(self) -> Sequence[int]:
        """The processes of all workers, by their lanes; of those that have ended, the last ones."""
        return [pid for _, pid in sorted(self._pids.items())]

    @property
    def written(self) -> int:
        """What it writes goes where it went before."""
        return 0

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen in any of its processes, and why."""
        found = (pair for worker in list(self._workers) for pair in worker.blind)
        return list(dict.fromkeys((*found, *self._unseen.items())))

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
        until = time.monotonic() + _OTHERS
        while time.monotonic() < until and not all(worker.watched for worker in list(self._workers)):
            time.sleep(0.01)

    def stop(self) -> bool:
        """Detach: the server goes on without hooks."""
        self._leaving = True
        for worker in list(self._workers):
            worker.link.close()
        return True

    # -- what the server reports, in the links' threads --------------------------------------------

    def introduced(self, worker: Worker, said: Mapping[str, Any]) -> None:
        """A worker has said what it is, and perhaps that it is watched from now on."""
        if said.get("protocol") != PROTOCOL:
            self.failed("The server has another version of loopviz.\nInstall the same one on both sides.")
            return
        if worker.lane < 0 and not self._joins(worker):
            return
        worker.known = True
        if self.environment is _UNKNOWN or worker.lane == 0:
            known = said.get("environment") or {}
            self.environment = Environment(
                **{field.name: known.get(field.name, "") for field in fields(Environment)}
            )
            self.address = str(said.get("address", ""))
            if said.get("threads"):
                self.threads = int(said["threads"])
        if said.get("installed") and not worker.watched:
            worker.watched = True
            self._pids[worker.lane] = worker.pid
            self._buffer.emit((now_ns(), WORKER, worker.lane, worker.pid, "started", ""))
            self._known.set()

    def refused(self, worker: Worker, reason: str) -> None:
        """A worker cannot be watched."""
        self._gone(worker)
        if worker.known:
            self._unseen[f"process {worker.pid}"] = reason.replace("\n", " ")
        if not self._workers:
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
        if not self._gone(worker) or self._leaving or self._workers:
            return
        if wrong is not None:
            self.failed(f"What listens there is no loopviz: {wrong}.\n'loopviz attach' lists servers.")
        elif not self._known.is_set():
            self.failed(
                "The server has ended, or has closed the connection.\n'loopviz attach' lists servers."
            )
        elif _has_ended(worker.pid):
            self.death = Death(now_ns(), "it was ended, or has ended itself")
        else:
            self.stopped = "The server has closed the connection: it is not watched any more."

    def _gone(self, worker: Worker) -> bool:
        """A worker is not connected any more. False if that is known."""
        try:
            self._workers.remove(worker)
        except ValueError:
            return False
        before, said = self._past, worker.figures
        self._past = Vitals(
            before.events + said.events,
            before.dropped + said.dropped,
            before.cost_ns + said.cost_ns,
            tuple(dict.fromkeys((*before.failures, *said.failures))),
        )
        if worker.lane >= 0 and not self._leaving:
            if worker.watched:
                self._buffer.emit((now_ns(), WORKER, worker.lane, worker.pid, "ended", ""))
            self._lanes.leave(worker.lane)
        return True

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
        """The probes' figures, as the server's processes report them, and what was lost on the way."""
        said = [self._past, *(worker.figures for worker in list(self._workers))]
        return Vitals(
            sum(one.events for one in said),
            sum(one.dropped for one in said) + self._buffer.dropped,
            sum(one.cost_ns for one in said),
            tuple(failure for one in said for failure in one.failures),
        )

    def source_lines(self, file: str) -> Sequence[str]:
        """The text of a source file of the server's, which may be in a container."""
        inside = lines_in(f"/proc/{self.pid}/root{file}") if self.pid and file.startswith("/") else ()
        return inside or lines_in(file)

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

    def set_probing(self, on: bool) -> NoReturn:
        """Raises `InputError`: the server gets its requests from others."""
        raise InputError("A server that is attached to gets no probes from loopviz.\nSend them yourself.")

    def reload(self, scenario: ScenarioFile) -> Future[None] | None:
        """Nothing of loopviz's is served there."""
        return None

    def give_up(self) -> int:
        """No request is loopviz's."""
        return 0

    def resize(self, pool: int, size: int) -> None:
        """Changes nothing."""

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
        self.lane = -1
        """Its lane, from 0; -1 while it has none."""
        self.known = False
        """Whether it has said what it is."""
        self.watched = False
        """Whether its loop is watched by now."""
        self.blind: Sequence[tuple[str, str]] = ()
        self.figures = Vitals(0, 0, 0, ())
        self._base = 0
        self._buffer: Buffer | None = None
        self._view = view
        self._renumber = renumber
        self.link = Link(connection, self._heard, self._over)

    def joins(self, whole: Buffer, lane: int, base: int) -> None:
        """From now on its events are those of this lane, with numbers from `base`."""
        self.lane, self._base, self._buffer = lane, base, WorkerBuffer(whole, lane)

    def _heard(self, message: Message) -> None:
        match message:
            case ("events", list(events), int(accepted), int(dropped), int(cost), list(failures)):
                self.figures = Vitals(accepted, dropped, cost, tuple(map(str, failures)))
                if self._buffer is not None:
                    self._buffer.queue.extend(shifted(self._renumber.events(events), self._base))
            case ("blind", list(pairs)):
                self.blind = [(str(what), str(why)) for what, why in pairs]
            case ("hello", dict(said)):
                self.pid = self.pid or int(said.get("pid", 0))
                self._view.introduced(self, said)
            case ("failed", str(reason), str(advice)):
                self._view.refused(self, "\n".join(part for part in (reason, advice) if part))

    def _over(self, wrong: str | None) -> None:
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
