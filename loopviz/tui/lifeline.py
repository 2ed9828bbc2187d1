"""The lifeline: a small process that restores the terminal if loopviz ends without doing so.

SIGKILL, `os._exit` and a crash in C leave no time for it. The process is started as a plain script, with the
standard library only. It waits for loopviz's end; loopviz dismisses it when it has restored the terminal.

It restores only a terminal that is still as loopviz has set it, or as it was before: a terminal that another
program has set up since then is left alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

__all__ = ["Lifeline"]

_PERIOD = 0.05
"""How often the parent is looked at where its end cannot be waited for (s)."""
_RESET = (
    b"\x1b[?2026l"  # show what has been drawn
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # no reports of the mouse
    b"\x1b[?2004l\x1b[?2048l\x1b[?1004l"  # nor of pastes, sizes and the focus
    b"\x1b[<u\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"  # keys, line wrap, style, main screen, cursor
)
_READ = 1 << 16
"""Bytes of the application's last output that are looked at."""
_SHOWN = 20
"""Lines of it that are shown."""
_CRASH = "Fatal Python error"
"""With this, `faulthandler` begins to report a crash; its first lines say most."""

_Modes = list[Any]


class Lifeline:
    """Starts the process for the terminal `terminal`; without one if that fails, as in a jail.

    `written` is the file with what the application has written, which is shown after a crash; -1 for none.
    """

    def __init__(self, terminal: int, written: int = -1) -> None:
        self._terminal = terminal
        self._before = _modes_of(terminal)
        self._process: subprocess.Popen[bytes] | None = None
        if os.name != "posix" or self._before is None:
            return
        with suppress(OSError):
            self._process = subprocess.Popen(  # noqa: S603 - this file
                [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(terminal), str(written)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[number for number in (terminal, written) if number >= 0],
                start_new_session=True,  # so that a Ctrl+C does not reach it
            )

    @property
    def pid(self) -> int | None:
        """The process; None without one."""
        return None if self._process is None else self._process.pid

    def hold(self, *, screen: bool) -> None:
        """From now on the terminal's present modes are loopviz's; whether it also shows the `screen`."""
        self._send({"before": self._before, "ours": _modes_of(self._terminal), "screen": screen})

    def dismiss(self) -> None:
        """The terminal has been restored."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with suppress(OSError):
            process.stdin.write(b"\n")
            process.stdin.close()
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # it was killed
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
                self._process.stdin.flush()


def _modes_of(terminal: int) -> _Modes | None:
    """The terminal's modes, in a form that JSON knows; None if it is none, or gone."""
    try:
        import termios  # noqa: PLC0415 - not on Windows

        modes: _Modes = termios.tcgetattr(terminal)
    except (ImportError, OSError, ValueError, termios.error):
        return None
    modes[6] = [code if isinstance(code, int) else code[0] for code in modes[6]]
    return modes


def main(parent: str, terminal: str, written: str) -> None:
    """Wait for the parent's end, and restore the terminal."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGTTOU"):  # they are sent to loopviz
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    said = _until_end(int(parent))
    if said:
        _restore(int(terminal), json.loads(said), int(written))


def _until_end(parent: int) -> bytes:
    """The last message of the parent, which has ended without dismissing this process; b"" if it has."""
    # The end of the file is not enough: processes that it has forked hold the pipe too.
    end = -1
    if hasattr(os, "pidfd_open") and os.getppid() == parent:
        with suppress(OSError):  # it has just ended, or the system forbids it
            end = os.pidfd_open(parent)
    watched = [0] if end < 0 else [0, end]
    said, partial, dismissed = b"", b"", False
    while not dismissed:
        ready = select.select(watched, [], [], _PERIOD if end < 0 else None)[0]
        if 0 in ready:
            data = os.read(0, 1 << 16)
            if not data:
                watched.remove(0)
                if not watched:  # nobody holds the pipe: it has ended, or is about to
                    time.sleep(_PERIOD)
                    return said
            *lines, partial = (partial + data).split(b"\n")
            for line in lines:
                said, dismissed = line or said, not line
        elif os.getppid() != parent:
            return said
    return b""


def _restore(terminal: int, said: dict[str, Any], written: int) -> None:
    now = _modes_of(terminal)
    before = said["before"]
    if now is None or now not in (said["ours"], before):
        return
    if now != before:
        import termios  # noqa: PLC0415 - not on Windows

        codes = [
            code if index in {termios.VMIN, termios.VTIME} else bytes([code])
            for index, code in enumerate(before[6])
        ]
        termios.tcsetattr(terminal, termios.TCSANOW, [*before[:6], codes])
    if said["screen"]:
        _write(terminal, _RESET + _last_words(written))
        _write(terminal, b"loopviz: The program was ended from outside, crashed, or called os._exit.\r\n")


def _last_words(written: int) -> bytes:
    """The end of what the application has written, or the report of a crash, safe to print."""
    if written < 0:
        return b""
    with suppress(OSError):
        size = os.fstat(written).st_size
        text = os.pread(written, _READ, max(size - _READ, 0)).decode(errors="replace")
        _, crash, after = text.rpartition(_CRASH)
        lines = (crash + after).splitlines()
        lines = lines[:_SHOWN] if crash else lines[-_SHOWN:]
        shown = ("".join(c if c.isprintable() else "?" for c in line[:1000]) for line in lines)
        return "".join(f"{line}\r\n" for line in shown).encode(errors="replace")
    return b""


def _write(terminal: int, data: bytes) -> None:
    """Write without waiting for a terminal that takes nothing."""
    with suppress(OSError):
        if select.select([], [terminal], [], 1.0)[1]:
            os.write(terminal, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
