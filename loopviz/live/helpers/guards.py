"""The two guards of a session: they are started here, started again if they end, and asked to clean up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loopviz.live.helpers import guard
from loopviz.live.helpers.helper import Helper, Report

if TYPE_CHECKING:
    import psutil

__all__ = ["Guards"]

_COUNT: Final = 2
_PATIENCE: Final = 0.8
"""How long the guards are waited for at the end (s)."""

_pipes: set[int] = set()
"""The pipes to all guards of this process."""


class Guards:
    """The guards of a session, and the token by which they find its processes.

    The folder is given before it exists: there is no moment at which nothing would remove it. `report` is
    called when a guard has ended; see `loopviz.live.helpers.helper.Helper`.
    """

    def __init__(self, token: str, folder: Path, report: Report) -> None:
        libraries = str(Path(_place_of_psutil()).parent.parent)
        self._cleaner = guard.Cleaner(os.getpid(), token, str(folder), libraries)
        order = {name: value for name, value in asdict(self._cleaner).items() if name != "forked"}
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != guard.MARK},
            guard.ORDER: json.dumps(order),  # not an argument: those can be read by all users
        }
        self._guards = [_Guard(self._environment, report) for _ in range(_COUNT)]

    def clean_up(self) -> None:
        """Have everything killed and removed. If no guard does it in time, do it here."""
        for each in self._guards:
            each.ask()
        until = time.monotonic() + _PATIENCE
        while all(each.helper.alive for each in self._guards) and time.monotonic() < until:
            time.sleep(0.005)
        done = any(each.done for each in self._guards)
        for each in self._guards:
            each.close()
        if not done:
            for process in _forked():
                self._cleaner.report(process.pid)
            self._cleaner.clean_up(0.3)


class _Guard:
    """One of the guards."""

    def __init__(self, environment: dict[str, str], report: Report) -> None:
        self._environment = environment
        self._pipe: int | None = None
        self.helper = Helper("a guard process of loopviz", self._start, report)

    def _start(self) -> subprocess.Popen[bytes]:
        # In a session of its own, so that a Ctrl+C in the terminal does not reach it.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
            bufsize=0,
        )
        again = self._pipe is not None
        self._forget()
        if process.stdin is not None:
            if os.name == "posix":  # a guard that is stopped must not stop anything else
                os.set_blocking(process.stdin.fileno(), False)
            self._pipe = os.dup(process.stdin.fileno())  # the other is closed as soon as the guard has ended
            _pipes.add(self._pipe)
            if again:
                for forked in _forked():  # what had been said to the one before
                    with suppress(OSError):
                        os.write(self._pipe, f"{forked.pid}\n".encode())
        return process

    def ask(self) -> None:
        """Ask it to clean up."""
        self.helper.ending()
        if self._pipe is not None:
            with suppress(OSError):
                os.write(self._pipe, guard.DONE + b"\n")

    @property
    def done(self) -> bool:
        """Whether it has cleaned up."""
        return self.helper.process is not None and self.helper.process.poll() == 0

    def close(self) -> None:
        """End it."""
        self.helper.close()
        self._forget()

    def _forget(self) -> None:
        if self._pipe is not None:
            _pipes.discard(self._pipe)
            os.close(self._pipe)
            self._pipe = None


def _place_of_psutil() -> str:
    """The file of the package, which is not imported for that."""
    spec = find_spec("psutil")
    return (spec and spec.origin) or ""


def _forked() -> list[psutil.Process]:
    """The processes that were forked from this one without a new program."""
    import psutil  # noqa: PLC0415 - at the end only: it takes long to import

    this = psutil.Process()
    mine = this.cmdline()
    found = []
    for process in this.children(recursive=True):
        with suppress(psutil.Error):
            if process.cmdline() == mine:
                found.append(process)
    return found


def _report_fork() -> None:
    """Say to the guards, in a process that was forked, that they are to kill it at the end."""
    for pipe in tuple(_pipes):
        with suppress(OSError):
            os.write(pipe, f"{os.getpid()}\n".encode())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_report_fork)
