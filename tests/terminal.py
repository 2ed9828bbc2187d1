"""A program in a real pseudo-terminal: keys in, a screen out."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pyte

ROOT = Path(__file__).parent.parent
_SYNC_QUERY = b"\x1b[?2026$p"
_FRAME = b"\x1b[?2026h"
# Sequences that pyte would print instead of skipping.
_UNKNOWN = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Terminal:
    """Runs ``python -m loopviz`` with `arguments` until it is left; it never outlives the test.

    Unless it is `controlling`, the terminal sends no SIGHUP when it hangs up. The program runs in `folder`. A
    `program` is run instead of Python.
    """

    def __init__(
        self,
        *arguments: str,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
        controlling: bool = True,
        program: str | None = None,
        folder: Path = ROOT,
    ) -> None:
        self._controlling = controlling
        self._folder = folder
        self._program = program or sys.executable
        self._arguments = [program, *arguments] if program else [sys.executable, "-m", "loopviz", *arguments]
        self._size = struct.pack("HHHH", rows, columns, 0, 0)
        self._environment = environment or {}
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._undrawn = ""
        self.output = b""
        """Everything that the program has written."""
        self.exit_code: int | None = None
        self._gone = False

    def __enter__(self) -> Self:
        self._master, self._slave = pty.openpty()  # kept open here, so that its modes can be read at the end
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, self._size)
        self.modes_before = termios.tcgetattr(self._slave)
        left_out = {"NO_COLOR", "COLUMNS", "LINES", "EDITOR", "VISUAL"}
        inherited = {k: v for k, v in os.environ.items() if k not in left_out}
        environment = {**inherited, "TERM": "xterm-256color", "COLORTERM": "truecolor", **self._environment}
        self.pid = os.fork()
        if self.pid == 0:
            os.chdir(self._folder)
            if self._controlling:
                os.login_tty(self._slave)
            else:
                os.setsid()
                for number in range(3):
                    os.dup2(self._slave, number)
                os.closerange(3, 100)
            os.execve(self._program, self._arguments, environment)
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if not self._gone:
            self._close()

    def _close(self) -> None:
        os.close(self._master)
        os.close(self._slave)
        self._gone = True

    def hang_up(self, seconds: float) -> float:
        """Close the terminal and wait for the program's end; how long that took."""
        self._close()
        began = time.monotonic()
        while not self._ended():
            assert time.monotonic() - began < seconds, f"still there after {seconds} s"
            time.sleep(0.02)
        return time.monotonic() - began

    def pump(self, seconds: float) -> None:
        """Let the program run, and read what it writes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._master], [], [], left)[0]:
                data = os.read(self._master, 1 << 16)
                self.output += data
                self._undrawn += self._decoder.decode(data)
                if _SYNC_QUERY in data:
                    self.press("\x1b[?2026;2$y")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def paste(self, data: bytes) -> None:
        """Send bytes as fast as the program takes them, and read what it writes meanwhile."""
        os.set_blocking(self._master, False)
        try:
            while data:
                try:
                    data = data[os.write(self._master, data) :]
                except BlockingIOError:
                    self.pump(0.002)
        finally:
            os.set_blocking(self._master, True)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; what it showed is gone."""
        self._undrawn = ""
        self._screen.resize(rows, columns)
        self._screen.reset()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def ended(self) -> bool:
        """Whether the program has ended; unlike `wait`, nothing is read."""
        return self._ended()

    def frames(self) -> int:
        """How many frames have been drawn so far."""
        return self.output.count(_FRAME)

    def text(self) -> str:
        """What the screen shows."""
        drawn, self._undrawn = self._undrawn, ""
        self._stream.feed(_UNKNOWN.sub("", drawn))
        return "\n".join(line.rstrip() for line in self._screen.display)

    def expect(self, pattern: str, seconds: float = 10.0) -> re.Match[str]:
        """Wait until the regular expression matches the screen."""
        until = time.monotonic() + seconds
        while (found := re.search(pattern, self.text(), re.MULTILINE)) is None:
            in_time = time.monotonic() < until and not self._ended()
            assert in_time, f"{pattern!r} is not on the screen:\n{self.text()}"
            self.pump(0.05)
        return found

    def wait(self, seconds: float) -> float:
        """Wait for the program's end; how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            self.pump(0.02)
            if self._ended():
                took = time.monotonic() - began
                self.pump(0.1)
                return took
        raise AssertionError(f"still there after {seconds} s:\n{self.text()}")

    def _ended(self) -> bool:
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is not None

    def modes(self) -> list[object]:
        """The terminal's modes now."""
        return termios.tcgetattr(self._slave)
