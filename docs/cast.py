"""Makes the README's picture: ``uv run python -m docs.cast`` plays a story and writes docs/cast.svg.

The real program runs in a pseudo-terminal. What the README says about the picture is checked against the
screen: if it was not there at its time, nothing is written, and the script says what is missing.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

from docs.film import BACKGROUND, TEXT, Caption, Cell, Frame, animated_svg
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 104, 29
PERIOD = 0.2
"""Seconds between two frames."""
_FRAME_END = b"\x1b[?2026l"
_UNKNOWN = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")

_STILL = 3.4
"""The picture for viewers without motion: this many seconds after the last step's first request."""
_LINE = next(
    number
    for number, line in enumerate((ROOT / "scenarios/blocking.py").read_text("utf-8").splitlines(), 1)
    if line.strip().startswith("time.sleep")
)


@dataclass(frozen=True)
class Check:
    """What must be on the screen `at` seconds after the step's first request is there."""

    at: float
    pattern: str
    """A regular expression for a line."""
    lines: int
    """How many lines it must match."""
    claim: str
    """The same in words, for the message."""


@dataclass(frozen=True)
class Step:
    """Some keys, a caption, and what is then to be seen."""

    keys: str
    caption: Caption
    seconds: float
    checks: tuple[Check, ...] = ()
    sign: str = ""
    """The step's clock starts when this is on the screen: a busy machine may take a moment."""


@dataclass
class Take:
    """A step as it was played."""

    step: Step
    began: float
    zero: float = 0.0
    """When its sign was on the screen."""
    ended: float = 0.0


STORY = (
    Step("z", Caption((), "loopviz run --threads 4: a FastAPI server, and every request as a row"), 1.0),
    Step(
        "a",
        Caption(("a",), "async def + asyncio.sleep(1): all wait together, and the event loop is idle"),
        2.0,
        (
            Check(
                0.7,
                r"GET /async .*── ?▌?[▏▎▍▋▊▉█]? ?(awaiting|awaits timer)",
                8,
                "eight async requests are awaiting",
            ),
            Check(0.7, r"^ LOOP [^╱]*$", 1, "the event loop is not blocked"),
            Check(1.9, r"GET /async +200 .* done +1\.\d s", 8, "eight async requests were done after 1 s"),
        ),
        sign="GET /async",
    ),
    Step("x", Caption(("x",), "clear"), 0.4),
    Step(
        "s",
        Caption(("s",), "def + time.sleep(1), thread limit 4: half of the requests wait for a thread"),
        2.8,
        (
            Check(0.7, r"GET /sync .*══", 4, "four def requests run in worker threads"),
            Check(0.7, r"GET /sync .*░░", 4, "four def requests wait for a thread"),
            Check(2.7, r"GET /sync +200 .* done +2\.\d s", 4, "four def requests took 2 s"),
        ),
        sign="GET /sync",
    ),
    Step("x", Caption(("x",), "clear"), 0.4),
    Step(
        "ab",
        Caption(
            ("a", "b"), "time.sleep(1) in async def holds the loop: the async requests are ready, and late"
        ),
        5.6,
        (
            Check(0.6, rf"held the event loop .* at blocking\.py:{_LINE} ", 1, "the blocking line is named"),
            Check(2.0, rf"held the event loop .* at blocking\.py:{_LINE} ", 1, "the blocking line is named"),
            Check(2.0, r"^ LOOP .*╱╱.*BLOCKED", 1, "the loop is drawn as blocked"),
            Check(2.0, r"GET /async .*▚▚", 8, "eight async requests are drawn as ready"),
            Check(2.0, r"GET /blocking .*(··|▚▚)", 7, "seven blocking requests were queued or ready"),
            Check(
                _STILL,
                rf"held the event loop .* at blocking\.py:{_LINE} ",
                1,
                "the still picture names the line",
            ),
            Check(4.6, r"GET /async .*▚▚▚▚", 8, "eight async requests are still drawn as ready"),
        ),
        sign="GET /blocking",
    ),
)
_BETWEEN = 0.25
"""Seconds after each key."""
_HOLD = 2.0
"""How long the last picture stays before it begins again (s)."""
_ATTEMPTS = 3
"""A busy machine may spoil a performance."""
_DESCRIPTION = (
    "loopviz in a terminal. Eight async requests wait together on an idle event loop. With a thread limit "
    "of four, eight def requests need two rounds. Then time.sleep in an async def holds the event loop: its "
    f"line, blocking.py:{_LINE}, is named, and eight async requests that could run are drawn as ready."
)


class Player(Terminal):
    """The program, and when it wrote what."""

    def __init__(self) -> None:
        super().__init__("run", "--threads", "4", columns=COLUMNS, rows=ROWS)
        self.marks: list[tuple[float, int]] = []
        """Times, and how many bytes had been written at each."""

    def play(self, seconds: float) -> None:
        """Let the program run."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.pump(min(0.02, max(0.001, until - time.monotonic())))
            self.marks.append((time.monotonic(), len(self.output)))

    def play_until(self, sign: str) -> None:
        """Let the program run until this is on the screen."""
        until = time.monotonic() + 10
        while sign not in self.text() and time.monotonic() < until:
            self.play(0.02)

    def written(self, moment: float) -> int:
        """How many bytes of whole frames had been written at that time."""
        size = max((size for at, size in self.marks if at <= moment), default=0)
        return self.output.rfind(_FRAME_END, 0, size) + len(_FRAME_END)


class Projector:
    """Draws what was written, up to any point, in order."""

    def __init__(self, output: bytes) -> None:
        self._output = output
        self._drawn = 0
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)

    def draw(self, until: int) -> None:
        """Draw everything up to this byte."""
        part = self._output[self._drawn : until].decode("utf-8", "replace")
        self._stream.feed(_UNKNOWN.sub("", part))
        self._drawn = max(self._drawn, until)

    def text(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self._screen.display]

    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """The screen with its colours."""
        return tuple(
            tuple(map(_cell, map(self._screen.buffer[y].__getitem__, range(COLUMNS)))) for y in range(ROWS)
        )


def _cell(char: pyte.screens.Char) -> Cell:
    ink, fill = _hex(char.fg, TEXT), _hex(char.bg, BACKGROUND)
    if char.reverse:
        ink, fill = fill, ink
    if char.data == " ":  # it has no ink: so that blanks of all colours are the same
        return Cell(" ", TEXT, fill)
    return Cell(char.data, ink, fill, char.bold)


def _hex(colour: str, default: str) -> str:
    return f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else default


def perform() -> tuple[Player, list[Take]]:
    """Play the story; what was written, and when each step was played."""
    takes = []
    with Player() as player:
        player.expect("Press a letter", 20)
        player.play(2.0)  # the first second, while it starts, is not worth showing
        for step in STORY:
            player.text()  # it draws what was written so far, which takes a moment
            take = Take(step, time.monotonic())
            for key in step.keys:
                player.press(key)
                player.play(_BETWEEN)
            player.play_until(step.sign)
            take.zero = time.monotonic()
            player.play(step.seconds)
            take.ended = time.monotonic()
            takes.append(take)
        player.press("q")
        player.wait(15)
    return player, takes


def _moments(takes: Sequence[Take]) -> Iterator[tuple[float, Take, Check | None, float]]:
    """In order of time: a moment, its step, what is checked then or None, and how long it is shown."""
    for take in takes:
        checks = [(take.zero + check.at, check) for check in take.step.checks]
        count = round((take.ended - take.began) / PERIOD)
        frames = [(take.began + (number + 1) * PERIOD, None) for number in range(count)]
        for moment, check in sorted([*checks, *frames], key=lambda item: item[0]):
            yield moment, take, check, 0.0 if check else PERIOD


def develop(player: Player, takes: Sequence[Take]) -> tuple[list[Frame], int, list[str]]:
    """The frames, the number of the still one, and what was not on the screen."""
    projector = Projector(player.output)
    frames: list[Frame] = []
    missing: list[str] = []
    still = 0
    for moment, take, check, seconds in _moments(takes):
        projector.draw(player.written(moment))
        if check is not None:
            lines = projector.text()
            found = sum(1 for line in lines if re.search(check.pattern, line))
            if found != check.lines:
                shown = "\n".join(lines)
                missing.append(
                    f"{check.claim}: {found} lines match {check.pattern!r}, not {check.lines}, "
                    f"{check.at} s after {take.step.keys!r}:\n{shown}"
                )
            continue
        cells = projector.cells()
        if frames and frames[-1].lines == cells and frames[-1].caption == take.step.caption:
            frames[-1] = Frame(cells, take.step.caption, frames[-1].seconds + seconds)
        else:
            frames.append(Frame(cells, take.step.caption, seconds))
        if take is takes[-1] and moment <= take.zero + _STILL:
            still = len(frames) - 1
    frames[-1] = Frame(frames[-1].lines, frames[-1].caption, frames[-1].seconds + _HOLD)
    return frames, still, missing


def main() -> int:
    """Play, check, write; the exit code: 0 written, 1 something was not on the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "cast.svg")
    output: Path = parser.parse_args().output
    for _ in range(_ATTEMPTS):
        frames, still, missing = develop(*perform())
        if not missing:
            break
    else:
        print("docs/cast.py: the screen does not show what the README says.\n", file=sys.stderr)
        print("\n\n".join(missing), file=sys.stderr)
        return 1
    svg = animated_svg(frames, still, "loopviz: which request holds the event loop", _DESCRIPTION)
    output.write_text(svg, encoding="utf-8")
    seconds = sum(frame.seconds for frame in frames)
    print(f"{output}: {len(frames)} frames, {seconds:.1f} s, {len(svg) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
