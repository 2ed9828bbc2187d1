"""What scenarios need around them: a folder, an upstream server, and worker processes.

All of it is removed when the workspace is left, and when loopviz is killed. A guard process does it, in
the same way in both cases (see `loopviz.live.helpers.guard`).
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from loopviz.errors import InputError
from loopviz.live.helpers import guard, upstream
from loopviz.live.helpers.guard import MARK
from loopviz.scenario import ScenarioFile

__all__ = ["FOLDER", "UPSTREAM", "Workspace"]

FOLDER = "LOOPVIZ_WORKSPACE"
"""The environment variable with the folder in which scenarios may write."""
UPSTREAM = "UPSTREAM_URL"
"""The environment variable with the upstream server's address."""

_PATIENCE = 20.0
"""How long a worker process may take to be ready (s)."""


class Workspace:
    """A context manager. Workspaces that are entered at the same time share their resources.

    Scenario files are executed within it: the environment has its folder and the upstream server's
    address.
    """

    _lock: ClassVar = threading.RLock()
    _shared: ClassVar[_Shared | None] = None
    _users: ClassVar[int] = 0

    def __init__(self) -> None:
        self._within = False

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
                    Workspace._shared = _Shared()
                Workspace._users += 1

    def leave(self) -> None:
        """Leave it; the last one cleans up. Does nothing the second time."""
        with self._lock:
            if self._within:
                self._within = False
                Workspace._users -= 1
                if not Workspace._users:
                    self._clean_up()

    @property
    def folder(self) -> Path:
        """The folder, which is removed at the end."""
        return self._current().folder

    def provide(self, file: ScenarioFile) -> None:
        """Start the processes that the scenario declares, unless they run; returns when they are ready."""
        with self._lock:
            self._current().provide(file)

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
    def _current(cls) -> _Shared:
        if cls._shared is None:
            raise RuntimeError("not within a workspace")
        return cls._shared


class _Shared:
    """The resources of all workspaces that are entered at the same time."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="loopviz-"))
        token = secrets.token_hex(8)
        self._guard = self._start([guard.__file__, str(os.getpid()), token, str(self.folder)])
        # It listens from now on, so that no connection is refused while the process starts.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self._upstream: subprocess.Popen[bytes] | None = None
        self._workers: dict[Path, subprocess.Popen[bytes]] = {}
        variables = {
            MARK: token,
            FOLDER: str(self.folder),
            UPSTREAM: "http://{}:{}".format(*self._socket.getsockname()),
        }
        for name in ("NO_PROXY", "no_proxy"):  # the upstream server is not reached through a proxy
            variables[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))
        self._before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def provide(self, file: ScenarioFile) -> None:
        if file.facts.upstream and (self._upstream is None or self._upstream.poll() is not None):
            number = self._socket.fileno()
            _close(self._upstream)
            self._upstream = self._start([upstream.__file__, str(number)], sockets=[number])
        if file.facts.worker is not None:
            self._provide_worker(file.file.resolve(), file.facts.worker)

    def _provide_worker(self, file: Path, name: str) -> None:
        worker = self._workers.get(file)
        if worker is not None and worker.poll() is None:
            return
        _close(worker)
        ready, log = self.folder / f"{file.stem}.ready", self.folder / f"{file.stem}.log"
        ready.unlink(missing_ok=True)  # a worker that ended was ready once
        environment = os.environ | {"TMPDIR": str(self.folder)}
        with log.open("wb") as output:
            worker = self._workers[file] = subprocess.Popen(
                [sys.executable, "-m", "loopviz.live.helpers.celery_worker", str(file), name, str(ready)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        until = time.monotonic() + _PATIENCE
        while not ready.exists():
            if worker.poll() is not None or time.monotonic() > until:
                words = log.read_text(errors="replace").split("\n")
                reason = next((line for line in reversed(words) if line.strip()), "it gave no reason")
                raise InputError(f"The worker process of {file.name} did not start: {reason.strip()}")
            time.sleep(0.02)

    @staticmethod
    def _start(arguments: list[str], sockets: list[int] | None = None) -> subprocess.Popen[bytes]:
        # Without site-packages, which they do not need: so they start in a third of the time. In a session
        # of their own, so that a Ctrl+C in the terminal does not reach them.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=sockets or (),
            start_new_session=True,
        )

    def close(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._socket.close()
        if self._guard.stdin is not None:
            with suppress(OSError):
                os.write(self._guard.stdin.fileno(), b".")
        for process in (self._guard, self._upstream, *self._workers.values()):
            if process is not None and process.stdin is not None:
                with suppress(subprocess.TimeoutExpired):
                    self._guard.wait(3.0)
                process.stdin.close()
                try:
                    process.wait(1.0)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _close(process: subprocess.Popen[bytes] | None) -> None:
    """Close the pipe to a process that ended."""
    if process is not None and process.stdin is not None:
        process.stdin.close()
