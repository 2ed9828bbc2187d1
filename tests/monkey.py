"""A monkey: random keys, clicks, resizes and pastes from a seed, and what it must find when it has left.

A terminal sends complete sequences, and a slow line sends them in parts: the monkey does both, and sends
bytes that are no text as well. It does not press what ends the program (q, ctrl+c, ctrl+q) nor ctrl+z, and it
types no line that would stay open for ever (a paste without its end).
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

from loopviz.tui.keys import TABLE
from tests.terminal import Terminal

__all__ = ["Home", "Play", "Wild", "events", "processes"]

Play = tuple[str, bytes | tuple[int, int]]
"""What the monkey did, and the bytes that it typed, or the new size (columns, rows)."""

_NAMED: Final = {
    "tab": "\t", "enter": "\r", "escape": "\x1b", "backspace": "\x7f", "space": " ",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
    "shift+left": "\x1b[1;2D", "shift+right": "\x1b[1;2C", "home": "\x1b[H", "end": "\x1b[F",
    "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "ctrl+p": "\x10",
    "plus": "+", "minus": "-", "equals_sign": "=", "left_square_bracket": "[", "right_square_bracket": "]",
    "full_stop": ".", "comma": ",", "less_than_sign": "<", "greater_than_sign": ">", "apostrophe": "'",
    "slash": "/", "question_mark": "?", "upper_z": "Z", "upper_n": "N",
    "upper_f": "F", "upper_t": "T", "ctrl+t": "\x14",
}  # fmt: skip
_ENDING: Final = {"q", "ctrl+c", "ctrl+q"}

BOUND: Final = sorted(
    {
        _NAMED.get(name, name)
        for section in TABLE
        for row in section.rows
        for key in row.keys
        for name in [*key.keys.split(","), *filter(None, key.unwritten.split(","))]
        if name not in _ENDING
    }
)
"""What a terminal sends for each key that is bound anywhere."""

_LETTERS: Final = "sabc"
"""The letters of scenarios."""
_FUNCTION: Final = [
    "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~", "\x1b[17~", "\x1b[18~", "\x1b[19~", "\x1b[20~",
    "\x1b[21~", "\x1b[23~", "\x1b[24~", "\x1b[2~", "\x1b[3~", "\x1b[Z", "\x1b[1;5A", "\x1b[1;3B", "\x1b[1;6C",
    "\x1b[97;5u", "\x1b[13;2u", "\x1b[57358u", "\x1bx", "\x1b\r",
]  # fmt: skip
_REPORTS: Final = [
    "\x1b[I", "\x1b[O", "\x1b[?2026;2$y", "\x1b[?2026;0$y", "\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[10;20R",
    "\x1b]11;rgb:0000/0000/0000\x1b\\", "\x1bP1+r544e=78\x1b\\", "\x1b[0n", "\x1b[?62;4c", "\x1b[999;999H",
]  # fmt: skip
_ODD: Final = [
    "\x1b", "\x1b[", "\x1b[<", "\x1b[<0;5", "\x1bO", "\x1b]", "\x1bP", "\x1b[1;", "\x1b[M", "\x1b[M   ",
    "\x1b[<0;0;0M", "\x1b[<0;-3;-7M", "\x1b[<999;99999;99999M", "\x1b[<;;M", "\x1b[<64;1M", "\x1b[1114112u",
    "\x1b[;u", "\x1b[97:65;2u", "\x1b[99999999999999999999u", "\x1b[0u", "\x1b[1:2:3;4:5;6:7u", "\x1b[201~",
    "\x00", "\x01", "\x04", "\x0f", "\x12", "\x15", "\x17", "\x1c", "\x1d", "\x1e", "\x1f", "\x7f",
    "\x1b\x1b\x1b",
    "\x1b[999999999999999~", "\x1b[38;5;1m", "\x1b" + "[" * 40,
]  # fmt: skip
_BYTES: Final = [
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f",
    b"\x80\x80",
    b"\xe9t\xe9",
    b"\xed\xa0\x80",
    b"\x9b1;2A",
]
"""No text in UTF-8: the beginning of a character, another encoding, half of a pair."""
_WORDS: Final = [
    "blocking", "[red]", "[/]", "[/red]", "[bold", "\\[", "\x1b[31m", "\x1b]0;x\x07", "\x07", "\r\n", "\t",
    "#1", "ready", "200", "\u200b", "\u202e", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "日本", "e\u0301", "{}", "%s",
    "q", "\x11", "\x9b", "\u2028", "\ufeff", "' OR 1", "$(x)", "../..", "x" * 300,
]  # fmt: skip

_RANGES: Final = [
    (32, 126),
    (0xA1, 0x2FF),
    (0x300, 0x36F),
    (0x3040, 0x30FF),
    (0x1F300, 0x1F6FF),
    (0x2500, 0x259F),
]
_SIZES: Final = [(1, 1), (2, 1), (1, 50), (300, 1), (300, 100), (20, 5), (80, 24), (149, 30), (150, 30)]


def events(random: Random) -> Callable[[int, int], Play]:
    """What makes the next event in a terminal of so many columns and rows."""
    mouse = _Mouse(random)

    def text(length: int) -> str:
        return "".join(chr(random.randint(*random.choice(_RANGES))) for _ in range(length)).replace("q", "")

    def paste() -> str:
        words = range(random.randint(0, 8))
        parts = [random.choice([random.choice(_WORDS), text(random.randint(0, 30))]) for _ in words]
        return f"\x1b[200~{''.join(parts) * random.choice([1] * 19 + [20])}\x1b[201~"

    def size() -> tuple[int, int]:
        if random.random() < 0.3:
            return random.choice(_SIZES)
        return random.randint(1, 150), random.randint(1, 45)

    typed: dict[str, tuple[int, Callable[[], str]]] = {
        "bound": (43, lambda: random.choice(BOUND)),
        "letter": (5, lambda: random.choice(_LETTERS)),
        "function": (7, lambda: random.choice(_FUNCTION)),
        "text": (7, lambda: text(random.randint(1, 3))),
        "report": (3, lambda: random.choice(_REPORTS)),
        "odd": (5, lambda: random.choice(_ODD)),
        "paste": (6, paste),
    }
    kinds = [*typed, "bytes", "mouse", "size"]
    weights = [*(weight for weight, _ in typed.values()), 1, 20, 3]

    def event(columns: int, rows: int) -> Play:
        (kind,) = random.choices(kinds, weights)
        if kind == "size":
            return kind, size()
        if kind == "bytes":
            return kind, random.choice(_BYTES)
        return kind, (mouse.event(columns, rows) if kind == "mouse" else typed[kind][1]()).encode()

    return event


class _Mouse:
    """Clicks, drags, the wheel and movements, mostly within the screen."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def event(self, columns: int, rows: int) -> str:
        """What the terminal sends."""
        choice = self._random.choice
        here, there = self._cell(columns, rows), self._cell(columns, rows)
        extra = choice([0, 0, 0, 4, 8, 16])  # shift, alt, ctrl
        button = choice([0, 0, 0, 1, 2]) + extra
        click = f"\x1b[<{button};{here}M\x1b[<{button};{here}m"
        drag = f"\x1b[<{button};{here}M\x1b[<{button + 32};{there}M"
        wheel = f"\x1b[<{choice([64, 65, 64, 65, 66, 67]) + extra};{here}M"
        dropped = f"\x1b[<{button};{there}m"
        return choice(
            [click, click, click, click * 2, drag, drag + dropped, wheel, wheel * 4, f"\x1b[<35;{here}M"]
        )

    def _cell(self, columns: int, rows: int) -> str:
        choice, within = self._random.choice, self._random.randint
        if self._random.random() < 0.1:
            return f"{choice([1, columns + 1, 400, 5000])};{choice([1, rows + 1, 300, 5000])}"
        return f"{within(1, columns)};{within(1, rows)}"


class Home:
    """A folder for all that a program writes, what marks its processes, and the errors that nobody saw."""

    def __init__(self, folder: Path) -> None:
        self.mark = f"LOOPVIZ_MONKEY={os.getpid()}-{time.monotonic_ns()}"
        self.work, self._home, self._temp, self._site = (folder / n for n in ("work", "home", "temp", "site"))
        self._faults = folder / "faults"
        self.stacks = folder / "stacks"
        for path in (self.work, self._home, self._temp, self._site):
            path.mkdir(parents=True)
        (self._site / "sitecustomize.py").write_text(_SITE)
        name, _, value = self.mark.partition("=")
        self.environment: Mapping[str, str] = {
            name: value,
            "HOME": str(self._home),
            "TMPDIR": str(self._temp),
            "XDG_CACHE_HOME": str(self._home),
            "PYTHONPATH": str(self._site),
            "MONKEY_FAULTS": str(self._faults),
            "MONKEY_STACKS": str(self.stacks),
        }

    @property
    def faults(self) -> str:
        """The tracebacks of errors in threads and destructors, and what asyncio reported."""
        return self._faults.read_text() if self._faults.exists() else ""

    def left(self) -> list[str]:
        """What is left: files other than recordings and screenshots, which keys write, and processes."""
        files = [str(p) for folder in (self._temp, self._home) for p in folder.rglob("*")]
        asked = ("loopviz-*.lvr.gz", "loopviz-*.svg")
        files += [str(p) for p in self.work.rglob("*") if not any(p.match(name) for name in asked)]
        return files + [f"process {pid}: {command}" for pid, command in processes(self.mark).items()]


_SITE = """
import faulthandler, os, signal, sys, threading, traceback
faults = os.environ["MONKEY_FAULTS"]

def note(words):
    with open(faults, "a") as file:
        file.write(words + "\\n")

def unraisable(found):
    note(f"unraisable in {found.object!r}: " + "".join(traceback.format_exception(found.exc_value)))

def in_thread(found):
    note(f"in {found.thread}: " + "".join(traceback.format_exception(found.exc_value)))

if hasattr(signal, "SIGUSR1") and "loopviz" in sys.orig_argv:
    sys.unraisablehook = unraisable
    threading.excepthook = in_thread
    stacks = open(os.environ["MONKEY_STACKS"], "a")
    faulthandler.register(signal.SIGUSR1, stacks)
"""


def processes(mark: str) -> dict[int, str]:
    """The processes, forked ones included, that have `mark` in their environment, and their commands."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark.encode() not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            if (entry / "stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


class Wild(Terminal):
    """A terminal that is resized, and whose program may be slow to read or write a lot.

    What the program writes is drawn only after `watch`: to draw all of it would take longer than the program.
    """

    def __init__(self, *arguments: str, home: Home, columns: int = 120, rows: int = 36) -> None:
        super().__init__(
            *arguments, columns=columns, rows=rows, environment=home.environment, folder=home.work
        )
        self.size = (columns, rows)
        self._parts: list[bytes] = []
        self._watched = True
        self._queried = b""
        self.received = 0
        """How many bytes the program has written."""

    def pump(self, seconds: float) -> None:
        """Let the program run, and read what it writes."""
        until = time.monotonic() + seconds
        while select.select([self._master], [], [], max(0.0, until - time.monotonic()))[0]:
            data = os.read(self._master, 1 << 16)
            self._parts.append(data)
            self.received += len(data)
            if self._watched:
                self._undrawn += self._decoder.decode(data)
            query = self._queried + data
            if b"\x1b[?2026$p" in query:
                os.write(self._master, b"\x1b[?2026;2$y")
            self._queried = data[-7:] if b"\x1b[?2026$p" not in query else b""
            if seconds <= 0 or time.monotonic() > until:
                break

    def watch(self, *, watched: bool) -> None:
        """Draw what is written from now on, or do not; what was drawn is forgotten."""
        self._watched = watched
        self._undrawn = ""
        self._decoder.reset()
        columns, rows = self.size
        self._screen.resize(rows, columns)
        self._screen.reset()

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the program gets SIGWINCH."""
        self.size = (columns, rows)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return not self._ended()

    def type(self, data: bytes, seconds: float = 10.0) -> None:
        """Type bytes, reading meanwhile: a program that does not read lets nothing in."""
        until = time.monotonic() + seconds
        while data and self.running:
            assert time.monotonic() < until, f"it has read no key for {seconds} s"
            if select.select([], [self._master], [], 0.05)[1]:
                data = data[os.write(self._master, data[:512]) :]
            self.pump(0)

    def written(self) -> bytes:
        """Everything that the program has written."""
        self.output = b"".join(self._parts)
        return self.output
