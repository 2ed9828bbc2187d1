"""What scenarios need around them: a folder, an upstream server, and worker processes.

All of it is removed when the workspace is left, and when loopviz is killed. Guard processes do it, in
the same way in both cases (see `loopviz.live.helpers.guard`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from loopviz.errors import InputError
from loopviz.live.helpers import upstream
from loopviz.live.helpers.folder import create, name_for_folder
from loopviz.live.helpers.guard import MARK
from loopviz.live.helpers.guards import Guards
from loopviz.live.helpers.helper import Helper, Report
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Change

__all__ = ["FOLDER", "UPSTREAM", "Workspace"]

FOLDER = "LOOPVIZ_WORKSPACE"
"""The environment variable with the folder in which scenarios may write."""
UPSTREAM = "UPSTREAM_URL"
"""The environment variable with the upstream server's address, which ends in the secret that it requires."""

_SECRET: Final = 16
"""Bytes of randomness in a secret."""


class Workspace:
    """A context manager. Workspaces that are entered at the same time share their resources.

    Scenario files are executed within it: the environment has its folder and the upstream server's
    address. `report` is called, in any thread, when one of the processes has ended, was started again or is
    given up.
    """

    _lock: ClassVar = threading.RLock()
    _shared: ClassVar[_Shared | None] = None
    _users: ClassVar[list[Workspace]] = []

    def __init__(self, report: Report | None = None) -> None:
        self._within = False
        self._report = report

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def enter(self) -> None:
        """Set it up, or share the one that exists."""
        with self._lock:
            if not self._within:
                self._within = True
                if Workspace._shared is None:
                    Workspace._shared = _Shared(self._announce)
                Workspace._users.append(self)

    def leave(self) -> None:
        """Leave it; the last one cleans up. Does nothing the second time."""
        with self._lock:
            if self._within:
                self._within = False
                Workspace._users.remove(self)
                if not Workspace._users:
                    self._clean_up()

    @property
    def folder(self) -> Path:
        """The folder, which is removed at the end."""
        return self._current().folder

    def provide(self, file: ScenarioFile) -> None:
        """Start the processes that the scenario declares, unless they run; returns when they are ready."""
        self._current().provide(file)

    def environment(self) -> dict[str, str]:
        """The environment as it is outside of the workspace, marked so that the guards end what has it."""
        shared = self._current()
        environment = dict(os.environ)
        for name, value in shared.before.items():
            if name == MARK:
                continue
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        return environment

    @classmethod
    def abandon(cls) -> None:
        """Clean up now, even if a workspace is still in use: the program ends."""
        if cls._lock.acquire(timeout=1.0):
            cls._clean_up()
            cls._lock.release()

    @classmethod
    def _clean_up(cls) -> None:
        shared, cls._shared = cls._shared, None
        if shared is not None:
            shared.close()

    @classmethod
    def _announce(cls, name: str, change: Change, reason: str) -> None:
        for user in list(cls._users):
            if user._report is not None:
                user._report(name, change, reason)

    @classmethod
    def _current(cls) -> _Shared:
        if cls._shared is None:
            raise RuntimeError("not within a workspace")
        return cls._shared


class _Shared:
    """The resources of all workspaces that are entered at the same time."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._closed = False
        token, secret = os.urandom(_SECRET).hex(), os.urandom(_SECRET).hex()
        self.folder = name_for_folder()
        self._guards = Guards(token, self.folder, report)
        self._secret = secret
        try:
            create(self.folder)
            # It listens from now on, so that no connection is refused while the process starts.
            self._socket = _listen(0)
        except BaseException:
            self._guards.clean_up()
            raise
        self._port = self._socket.getsockname()[1]
        self._upstream: Helper | None = None
        self._workers: dict[Path, Helper] = {}
        variables = {
            MARK: token,
            FOLDER: str(self.folder),
            UPSTREAM: f"http://127.0.0.1:{self._port}/{secret}",
        }
        for name in ("NO_PROXY", "no_proxy"):  # the upstream server is not reached through a proxy
            variables[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
        self.before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def provide(self, file: ScenarioFile) -> None:
        needed = []
        with self._lock:
            if self._closed:
                raise InputError("loopviz ends.")
            if file.facts.upstream:
                needed.append(self._provide_upstream())
            if file.facts.worker is not None:
                needed.append(self._provide_worker(file.file.resolve(), file.facts.worker))
        for helper in needed:  # without the lock: it takes long, and loopviz may be ended meanwhile
            helper.wait()

    # -- the upstream server -------------------------------------------------------------------

    def _provide_upstream(self) -> Helper:
        if self._upstream is None or self._upstream.failed is not None:
            if self._upstream is not None:
                self._upstream.close()
            if self._socket.fileno() < 0:
                self._socket = _listen(self._port)
            self._upstream = Helper(
                "the upstream server", self._start_upstream, self._report, given_up=self._refuse_connections
            )
        return self._upstream

    def _start_upstream(self) -> subprocess.Popen[bytes]:
        number = self._socket.fileno()
        # Without site-packages, which it does not need: so it starts in a third of the time. In a session of
        # its own, so that a Ctrl+C in the terminal does not reach it.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", upstream.__file__, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[number],
            start_new_session=True,
            bufsize=0,
        )
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.write(f"{self._secret}\n".encode())
        return process

    def _refuse_connections(self) -> None:
        """End what waits for a server that will not come, and what will connect."""
        self._socket.close()

    # -- worker processes ----------------------------------------------------------------------

    def _provide_worker(self, file: Path, name: str) -> Helper:
        worker = self._workers.get(file)
        if worker is None or worker.failed is not None:
            if worker is not None:
                worker.close()
            worker = self._workers[file] = self._start_worker(file, name)
        return worker

    def _start_worker(self, file: Path, name: str) -> Helper:
        place = self.folder / f"worker-{len(self._workers) + 1}"
        ready, log = place.with_suffix(".ready"), place.with_suffix(".log")

        def start() -> subprocess.Popen[bytes]:
            ready.unlink(missing_ok=True)  # a worker that ended was ready once
            with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
                return subprocess.Popen(
                    # -P: not what lies in the folder is imported
                    [sys.executable, "-P", "-m", _WORKER, str(file), name, str(ready)],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=os.environ | {"TMPDIR": str(self.folder)},
                    cwd=self.folder,
                    start_new_session=True,
                )

        def explain() -> str:
            words = log.read_text(errors="replace").split("\n") if log.exists() else []
            reason = next((line for line in reversed(words) if line.strip()), "it gave no reason")
            return f"The worker process of {file.name} did not start: {reason.strip()}"

        return Helper(
            f"the Celery worker of {file.name}", start, self._report, ready=ready.exists, explain=explain
        )

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        with self._lock:
            self._closed = True
            helpers = [helper for helper in (self._upstream, *self._workers.values()) if helper is not None]
        for helper in helpers:
            helper.ending()
        self._socket.close()
        self._guards.clean_up()
        for helper in helpers:
            helper.close()


_WORKER: Final = "loopviz.live.helpers.celery_worker"


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError as error:
        raise InputError(f"The upstream server has no port: {error.strerror}.") from None
