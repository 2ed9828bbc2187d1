"""A helper process that is started again when it ends, a few times."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from loopviz.errors import InputError
from loopviz.stream.endings import how_ended
from loopviz.stream.events import Change

__all__ = ["BACKOFF", "Helper", "Report"]

BACKOFF: Final = (0.1, 0.5, 2.0)
"""How long after its end a helper is started again (s); when all are used, it is given up."""
LONG: Final = 60.0
"""After so many seconds in which it ran, the ends before are forgotten."""
_PATIENCE: Final = 20.0
"""How long a helper may take to be ready (s)."""

Report = Callable[[str, Change, str], object]
"""Called in any thread with the name of a process, what has become of it, and why."""


class Helper:
    """Runs a process: `start` starts it, and `ready` is asked whether it is ready.

    One that is killed is started again; one that ends by itself before it was ever ready is not. `explain`
    returns the reason of such an end, and `given_up` is called when the process will not run any more.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        report: Report,
        *,
        ready: Callable[[], bool] = lambda: True,
        explain: Callable[[], str] = lambda: "",
        given_up: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self.failed: str | None = None
        """Why it does not run any more; None while it runs, or will be started again."""
        self._start = start
        self._report = report
        self._ready = ready
        self._explain = explain
        self._given_up = given_up
        self._is_ready = threading.Event()
        self._was_ready = False
        self._ending = threading.Event()
        self._launch()
        self._thread = threading.Thread(target=self._run, name="loopviz helper", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its process runs now."""
        return self.process is not None and self.process.poll() is None

    def wait(self) -> None:
        """Wait until it is ready. Raises `InputError` if it is given up, or when it is closed."""
        while not self._is_ready.wait(0.02):
            if self._ending.is_set():
                raise InputError(f"{self.name[:1].upper()}{self.name[1:]} did not start: loopviz ends.")
            if self.failed is not None:
                raise InputError(self.failed)

    def ending(self) -> None:
        """Its process may end from now on: nothing is reported, and it is not started again."""
        self._ending.set()

    def close(self) -> None:
        """End it now, with all processes that it has started."""
        self._ending.set()
        self._end_process()
        self._thread.join(0.3)  # it may have been starting another process
        self._end_process()

    # -- the thread ----------------------------------------------------------------------------

    def _launch(self) -> None:
        self.process = self._start()

    def _run(self) -> None:
        ends = 0
        why = ""
        while self.process is not None:
            process, began = self.process, time.monotonic()
            ready = self._await_ready(process)
            late = not ready and process.poll() is None
            if late:
                process.kill()
            if ready and ends:
                self._say("restarted", why)
            code = process.wait()
            self._is_ready.clear()
            if self._ending.is_set():
                return
            _kill_group(process)
            _close(process)
            why = how_ended(code)
            ends = 1 if time.monotonic() - began > LONG else ends + 1
            if late or (not ready and code >= 0) or ends > len(BACKOFF):
                reason = self._explain() if not ready else ""
                self._give_up(reason or f"it has ended {ends} times ({why})")
                return
            self._say("ended", why)
            if self._ending.wait(BACKOFF[ends - 1]):
                return
            try:
                self._launch()
            except (OSError, ValueError) as error:  # ValueError: its socket has just been closed
                self._give_up(str(error))
                return
            if self._ending.is_set():  # it has been closed meanwhile
                self._end_process()
                return

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it has become ready in time."""
        until = time.monotonic() + _PATIENCE
        while not self._ready():
            if process.poll() is not None or self._ending.is_set() or time.monotonic() > until:
                return False
            time.sleep(0.02)
        self._was_ready = True
        self._is_ready.set()
        return True

    def _give_up(self, reason: str) -> None:
        name = self.name[:1].upper() + self.name[1:]
        self.failed = f"{name} is not started again: {reason}" if self._was_ready else reason
        self._given_up()
        if self._was_ready:  # else `wait` raises the reason
            self._say("given up", reason)

    def _end_process(self) -> None:
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            with suppress(OSError):
                process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
            _kill_group(process)
        _close(process)

    def _say(self, change: Change, reason: str) -> None:
        if not self._ending.is_set():
            self._report(self.name, change, reason)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what a process that has ended leaves: each is the leader of a session of its own."""
    if hasattr(os, "killpg"):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe to a process that has ended."""
    if process.stdin is not None:
        process.stdin.close()
