"""A server in a process of its own: what it does cannot delay the picture."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.environment import environment
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.hog import Channel, Watch
from loopviz.live.hosts.ending import described, last_line, out_of_memory
from loopviz.live.hosts.host import Served
from loopviz.live.hosts.output import Output
from loopviz.live.link import Link
from loopviz.live.numbers import FOREIGN, Renumber
from loopviz.live.sockets import named
from loopviz.scenario import ScenarioFile
from loopviz.stream.buffer import Buffer
from loopviz.stream.copies import Changed
from loopviz.stream.events import WORKER, Event
from loopviz.stream.source import Death, Environment, Vitals
from loopviz.target.application import Application
from loopviz.target.listing import scenario_files
from loopviz.target.remembering import known
from loopviz.wire.frames import Message, encode
from loopviz.wire.messages import BLIND, CALL, EVENTS, FAILED, HELLO, PROTOCOL, SERVING, STOPPED

__all__ = ["ProcessHost", "patience"]

_PATIENCE: Final = 1.0
"""How long the process has to stop (s); then it is killed."""
_LEAST: Final = 0.3
"""The same for one that has not answered for long: what keeps it from answering keeps it from stopping."""
_LAST_WORDS: Final = 0.2
"""How long what a process has sent is read after its end (s)."""
_NEWEST: Final = 16
"""So many batches of events are kept."""
_TAIL: Final = 12
"""So many lines of a process that has ended are shown."""


class ProcessHost:
    """Serves scenarios, or an application, in a child process. It is a `loopviz.live.hosts.host.Host`.

    The child has the listening socket, and a private connection on which its events come.
    """

    mode = "in a process of its own"

    def __init__(
        self,
        served: Served,
        sock: socket.socket,
        buffer: Buffer,
        application: Application | None,
    ) -> None:
        self._served = served
        self._application = application
        self._buffer = buffer
        self._sock: socket.socket | None = sock
        self._renumber = Renumber(served.numbers)
        self._workspace = Workspace(served.process_changed)
        self.address = named(sock)
        self.environment: Environment = environment(served.loop, brief=True)
        """Brief until the process has said what it runs on, or until `identify`."""
        self._introduced = False
        self.routes: Sequence[ScenarioFile] = () if application is not None else served.scenarios
        self.blind: Sequence[tuple[str, str]] = ()
        self.stopped: str | None = None
        self.death: Death | None = None
        self._noticed: list[tuple[str, str]] = []
        self._vitals = Vitals(0, 0, 0, ())
        self._ready = threading.Event()
        self._failed: str | None = None
        self._served_once = False
        self._asked = False
        self._newest: deque[list[Event]] = deque(maxlen=_NEWEST)
        """The last events, which say where it was when it ended."""
        self._killed = 0
        """How many processes the kernel has killed for lack of memory when this one ended."""
        self._prepared: set[str] = set()
        self._serves: dict[str, ScenarioFile] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Output | None = None
        self._link: Link | None = None
        self._watch: Watch | None = None

    # -- what is known of it -------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process; 0 before it has started."""
        return self._process.pid if self._process is not None else 0

    @property
    def written(self) -> int:
        """How many lines it has written."""
        return self._output.written if self._output is not None else 0

    def output(self) -> Sequence[str]:
        """The last of them."""
        return self._output.lines() if self._output is not None else ()

    @property
    def starting(self) -> bool:
        """Whether it neither serves yet nor has failed."""
        return not self._ready.is_set()

    @property
    def ended(self) -> bool:
        """Whether the process does not run."""
        return self._process is None or self._process.poll() is not None

    def vitals(self) -> Vitals:
        """The figures of the probe there, as they came last."""
        there = self._vitals
        return Vitals(
            self._buffer.emitted, there.dropped + self._buffer.dropped, there.cost_ns, there.failures
        )

    # -- its life ------------------------------------------------------------------------------

    def identify(self) -> None:
        """Look up what the process has not said yet: it runs on the same."""
        if not self._introduced:
            self.environment = environment(self._served.loop)

    def start(self) -> None:
        """Start the process; returns at once."""
        if self._sock is None:
            raise RuntimeError("it has been started before")
        self._workspace.enter()  # its guards end the process, even if this one is killed
        mine, its = socket.socketpair()
        reading, writing = os.pipe()
        channel = Channel()
        try:
            self._process = subprocess.Popen(
                # -P: not what lies in this folder is imported in place of a library
                [sys.executable, "-P", "-m", "loopviz.live.child", str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=[its.fileno(), self._sock.fileno(), *channel.inherited],
                env=self._environment(),
                start_new_session=True,  # a Ctrl+C in the terminal does not reach it
            )
        finally:
            its.close()
            os.close(writing)
        self._output = Output(reading)
        order = {
            "socket": self._sock.fileno(),
            "box": channel.box,
            "stacks": channel.writes,
            "base": self._served.base,
            "secret": self._served.secret,
            "threads": self._served.threads,
            "loop": self._served.loop,
            "lazily": self._served.lazily,
            "numbers": FOREIGN,
            "scenarios": [(str(f.file), f.name) for f in self._served.scenarios if f.broken is None],
            "application": None if self._application is None else self._application.as_dict(),
        }
        with suppress(OSError):  # it has ended already, which is noticed below
            mine.sendall(encode((CALL, 0, "begin", (order,))))
        self._sock.close()  # when the process has ended, its port refuses connections, as without loopviz
        self._sock = None
        channel.started()
        watch = self._watch = Watch(self._process.pid, self._take, channel)
        self._link = Link(mine, self._heard, self._over, lambda: watch.look(now_ns()))
        self._link.start()
        threading.Thread(
            target=self._await_end, args=(self._process, self._link), name="loopviz wait", daemon=True
        ).start()

    def _environment(self) -> dict[str, str]:
        """The environment of the process: for the user's own application the user's own."""
        if self._application is None:
            return dict(os.environ)
        environment = self._workspace.environment()
        environment.pop("LOOPVIZ_FOLDERS", None)
        return environment

    def _await_end(self, process: subprocess.Popen[bytes], link: Link) -> None:
        """End the connection when the process has ended: one that it has forked may hold it open."""
        while True:
            before = out_of_memory()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
                break
        self._killed = out_of_memory() - before
        time.sleep(_LAST_WORDS)
        link.close()

    def wait(self) -> None:
        """Wait until it serves."""
        self._ready.wait()
        if self._failed is not None:
            raise InputError(self._failed)

    def responds(self, timeout: float) -> bool:
        """A process can always be ended."""
        return True

    def stop(self) -> bool:
        """End it: it has a second at most, then it is killed."""
        self._asked = True
        if self._sock is not None:
            self._sock.close()
        if self._process is not None and self._link is not None:
            self._link.post("stop")
            try:
                self._process.wait(patience(time.monotonic() - self._link.last))
            except subprocess.TimeoutExpired:
                self._kill()
            self._link.close()
        self._workspace.leave()
        return True

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)

    # -- what it says --------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        kind = message[0]
        if kind == EVENTS:
            _, events, accepted, dropped, cost, failures = message
            self._vitals = Vitals(accepted, dropped, cost, tuple(failures))
            if self._watch is not None:
                events = self._watch.heard(now_ns(), events)
            if events:
                self._take(events)
        elif kind == BLIND:
            self.blind = [*((what, why) for what, why in message[1]), *self._noticed]
        elif kind == HELLO:
            self._introduce(message[1])
        elif kind == SERVING:
            if self._application is not None:
                self.routes = scenario_files(self._application, message[1], known(self._application.folder))
            self._served_once = True
            self._ready.set()
        elif kind == FAILED:
            self._failed = message[1]
            self._ready.set()
        elif kind == STOPPED:
            self.stopped = message[1]

    def _introduce(self, hello: Mapping[str, Any]) -> None:
        if hello.get("protocol") != PROTOCOL:
            self._failed = "The server's process has another version of loopviz.\nInstall one version."
            self._ready.set()
            return
        self._introduced = True
        self.environment = Environment(**hello["environment"])
        if self._watch is not None:
            self._watch.hello(hello)

    def _take(self, events: list[Any]) -> None:
        buffer = self._buffer
        room = buffer.capacity - len(buffer.queue)
        if len(events) > room:
            buffer.dropped += len(events) - max(room, 0)
            events = events[: max(room, 0)]
        events = self._renumber.events(events)
        buffer.queue.extend(events)
        self._newest.append(events)

    def _over(self, wrong: str | None) -> None:
        """The connection has ended, and so has the process."""
        if self._watch is not None:
            self._watch.close()
        process, output = self._process, self._output
        if process is None or output is None:
            return
        try:
            code = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:  # it has closed what it did not open
            self._kill()
            code = process.poll() or 0
        with suppress(OSError):  # what it has forked, which would keep its port
            os.killpg(process.pid, signal.SIGKILL)
        output.end()
        tail = tuple(line for line in output.lines() if line.strip())[-_TAIL:]
        how = wrong or described(code, self._killed)
        if not self._served_once:
            last = tail[-1] if tail else "it has written nothing"
            self._failed = self._failed or f"The server did not start: {how}: {last}\nCheck the application."
            how = self._failed.partition("\n")[0]
        if not self._asked:
            now = now_ns()
            where = last_line((event for events in self._newest for event in events), now)
            self.death = Death(now, how, tail, where)
            self._buffer.emit((self.death.at, WORKER, 0, process.pid, "ended", how))
        self._ready.set()

    # -- what it is asked for ------------------------------------------------------------------

    def preparing(self, name: str) -> str | None:
        """What the scenario waits for is not known here."""

    def ready(self, name: str) -> bool:
        """Whether the scenario is served at once."""
        return (self._application is not None and not self.starting) or name in self._prepared

    def serves(self, file: ScenarioFile) -> bool:
        """Whether this version is served."""
        return self._serves.get(file.name) is file

    def prepare(self, name: str) -> Future[None]:
        """Prepare the scenario."""
        done = self._call("prepare", name)
        done.add_done_callback(lambda over: self._note_prepared(over, name))
        return done

    def _note_prepared(self, over: Future[None], name: str) -> None:
        if not over.cancelled() and over.exception() is None:
            self._prepared.add(name)

    def replace(self, file: ScenarioFile) -> Future[None]:
        """Serve this version from now on."""
        done = self._call("replace", str(file.file), file.name)
        done.add_done_callback(lambda over: self._note_replaced(over, file))
        return done

    def _note_replaced(self, over: Future[None], file: ScenarioFile) -> None:
        if not over.cancelled() and over.exception() is None:
            self._prepared.add(file.name)
            self._serves[file.name] = file

    def copy(self, changed: Changed) -> Future[None]:
        """Serve a changed copy there."""
        return self._call("copy", changed.as_dict())

    def end_copy(self) -> Future[None]:
        """Serve it no longer."""
        return self._call("end_copy")

    def give_up(self, numbers: Iterable[int]) -> None:
        """Do not begin these requests."""
        if self._link is not None:
            self._link.post("give_up", list(numbers))

    def set_threads(self, limit: int) -> None:
        """Change the thread limit."""
        if self._link is not None:
            self._link.post("set_threads", limit)

    def resize(self, pool: int, size: int) -> Future[bool]:
        """Change the size of a pool."""
        return self._call("resize", pool, size)

    def answered(self) -> None:
        """The probe must have seen a request."""
        if self._link is not None:
            self._link.post("answered")

    def reported(self) -> Future[None]:
        """Done when all is here that the process has seen up to now."""
        return self._call("reported")

    def not_seen(self, what: str, why: str) -> None:
        """Something that the client cannot measure."""
        if what not in {known for known, _ in self._noticed}:
            self._noticed.append((what, why))
            self.blind = [*self.blind, (what, why)]

    def _call(self, name: str, *arguments: Any) -> Future[Any]:
        if self._link is None:
            raise RuntimeError("the server has not been started")
        return self._link.call(name, *arguments)


def patience(silent: float) -> float:
    """How long a process that has been silent for so long has to stop before it is killed (s)."""
    return max(_LEAST, _PATIENCE - silent)
