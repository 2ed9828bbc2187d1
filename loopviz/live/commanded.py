"""A server that a command of the user's starts, as a `loopviz.stream.source.Source`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.live.attach.command import Command
from loopviz.live.attach.reach import reach
from loopviz.live.attached import Attached, Worker
from loopviz.live.helpers.workspace import Workspace
from loopviz.stream.several import MOST_WORKERS
from loopviz.stream.source import Death

__all__ = ["Commanded"]

_EVERY = 0.05
_AGAIN = 0.3
"""How long to wait before a process is asked again that does not serve (s)."""
_PATIENCE = 60.0
"""How long the command may take until a process of it serves (s)."""
_TAIL = 12


class Commanded(Attached):
    """As `Attached`; its processes are attached to as they appear, and end with it.

    One that appears after another has ended has the same lane: most often its master has started it again.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Starts the command. Raises `InputError` if that is not possible."""
        super().__init__()
        self._workspace = Workspace(lambda *_: None)
        self._workspace.enter()  # its guards end the command even if this process is killed
        try:
            self._command = Command(command)
        except InputError:
            self._workspace.leave()
            raise
        self.application = self._command.name
        self._ready = threading.Event()
        self._unusable: str | None = None
        self._tried: dict[Path, float] = {}
        self._places: dict[Worker, Path] = {}
        self._thread = threading.Thread(target=self._follow, name="loopviz workers", daemon=True)

    @property
    def written(self) -> int:
        """How many lines the command has written so far."""
        return self._command.written

    def output(self) -> Sequence[str]:
        """The last of them."""
        return self._command.output()

    def start(self) -> None:
        """Look for processes that serve; returns at once."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until one serves. Raises `InputError` if none does."""
        self._ready.wait()
        if self._unusable is not None:
            raise InputError(self._unusable)

    def stop(self) -> bool:
        """End the command, and all that it has started."""
        super().stop()
        self._command.stop()
        self._workspace.leave()
        return True

    def _follow(self) -> None:
        """In a thread: attach to each process that appears, until the command has ended."""
        began = time.monotonic()
        while not self._leaving:
            for path in self._command.doors():
                if time.monotonic() >= self._tried.get(path, 0.0):
                    self._try(path)
            code = self._command.ended
            if code is not None and not self._leaving:
                self._has_ended(code)
                return
            if not self._ready.is_set() and time.monotonic() - began > _PATIENCE:
                self._unusable = (
                    f"No process of {self.application} that serves has appeared in {_PATIENCE:.0f} s.\n"
                    "Seen are uvicorn and hypercorn, unless Python ignores PYTHONPATH (python -I, -E)."
                )
                self._ready.set()
            time.sleep(_EVERY)

    def _try(self, path: Path) -> None:
        """Attach to a process. One that does not serve says so: a master never does, a worker soon."""
        self._tried[path] = time.monotonic() + _AGAIN
        if len(self._workers) >= MOST_WORKERS:
            return
        try:
            reached = reach(str(path), serving=True)
        except InputError:  # it is about to open the door, or gone
            return
        self._tried[path] = float("inf")
        worker = self._worker(reached.connection, 0)
        self._places[worker] = path
        self._workers.append(worker)
        worker.link.start()

    def introduced(self, worker: Worker, said: Mapping[str, Any]) -> None:
        """A process serves."""
        super().introduced(worker, said)
        if self._known.is_set():
            self._unusable = self._failed
            self._ready.set()

    def refused(self, worker: Worker, reason: str) -> None:
        """A process does not serve, or not yet."""
        self.over(worker, reason)

    def over(self, worker: Worker, wrong: str | None) -> None:
        """A worker has ended, or was refused: the command may start another one."""
        if self._gone(worker):
            self._tried[self._places.pop(worker)] = time.monotonic() + _AGAIN

    def _has_ended(self, code: int) -> None:
        self._command.read_all()
        tail = tuple(line for line in self._command.output() if line.strip())[-_TAIL:]
        how = f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
        if self._ready.is_set():
            self.death = Death(now_ns(), how, tail)
        else:
            last = tail[-1] if tail else "it has written nothing"
            self._unusable = (
                f"{self.application} has ended before it served: {how}: {last}\nCheck the command."
            )
            self._ready.set()
