"""A command of the user's that starts a server, with the agent in every process of it that serves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import loopviz
from loopviz.agent.door import folder_in
from loopviz.errors import InputError
from loopviz.live.hosts.output import Output

__all__ = ["Command"]

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
        self._place = Path(tempfile.mkdtemp(prefix="loopviz-"))
        bring = Path(loopviz.__file__).resolve().parent / "agent" / "bring"
        before = os.environ.get("PYTHONPATH")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(bring), *([before] if before else [])]),
            "LOOPVIZ_WATCH": str(self._place),
        }
        environment.setdefault("PYTHONUNBUFFERED", "1")  # what it writes is shown when it is written
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(reading)
            self._place.rmdir()
            words = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{command[0]} cannot be started: {words}.\nIs it installed here?") from None
        finally:
            os.close(writing)
        self._output = Output(reading)

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code, negative if a signal has ended it; None while it runs."""
        return self._process.poll()

    @property
    def written(self) -> int:
        """How many lines it has written."""
        return self._output.written

    def output(self) -> list[str]:
        """The last of them."""
        return self._output.lines()

    def read_all(self) -> None:
        """Wait until all is read that a command has written which has ended."""
        self._output.end()

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
        self.read_all()
        shutil.rmtree(self._place, ignore_errors=True)

    def _signal(self, number: int) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, number)
