"""A command of the user's that starts a server, with the agent in every process of it that serves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import loopviz
from loopviz.agent.door import folder_in
from loopviz.errors import InputError

__all__ = ["Command"]

_LINES = 2_000
_LONGEST = 4_000
"""Characters of a line."""
_GRACE = 1.0
"""How long the command may take to end when it is asked to (s)."""


class Command:
    """Starts a command in a session of its own; its output is kept."""

    def __init__(self, command: Sequence[str]) -> None:
        """Raises `InputError` if it cannot be started."""
        if not command:
            raise InputError(
                "--cmd needs a command.\nSay for example: loopviz run --cmd -- gunicorn shop:app"
            )
        self.name = Path(command[0]).name
        self._lines: deque[str] = deque(maxlen=_LINES)
        self.written = 0
        self._place = Path(tempfile.mkdtemp(prefix="loopviz-"))
        bring = Path(loopviz.__file__).resolve().parent / "agent" / "bring"
        before = os.environ.get("PYTHONPATH")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(bring), *([before] if before else [])]),
            "LOOPVIZ_WATCH": str(self._place),
        }
        environment.setdefault("PYTHONUNBUFFERED", "1")  # what it writes is shown when it is written
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._place.rmdir()
            words = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{command[0]} cannot be started: {words}.\nIs it installed here?") from None
        self._reader = threading.Thread(target=self._read, name="loopviz output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code, negative if a signal has ended it; None while it runs."""
        return self._process.poll()

    def output(self) -> list[str]:
        """The last lines that it has written."""
        for _ in range(20):
            with suppress(RuntimeError):  # another line came meanwhile
                return list(self._lines)
        return []

    def doors(self) -> list[Path]:
        """The sockets of its processes that serve, or could, by the time at which they appeared."""
        found = []
        for path in folder_in(self._place).glob("*.sock"):
            with suppress(OSError):
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def stop(self) -> None:
        """End it, and everything that it has started: kindly, and after a second by force."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + _GRACE
        while self._process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._reader.join(0.5)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def _signal(self, number: int) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        for line in iter(lambda: stream.readline(_LONGEST), b""):
            self._lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            self.written += 1
