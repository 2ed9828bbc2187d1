"""Makes the README's picture: ``uv run python -m docs.cast`` plays the talk, and writes docs/cast.svg.

The real program, ``loopviz talk``, runs in a pseudo-terminal. What the README says about the picture is
checked against the screen: if it was not there at its time, nothing is written, and the script says what is
missing.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from docs.film import Caption, Frame, animated_svg
from docs.screen import Player, Projector

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 100, 29
PERIOD = 0.2
"""Seconds between two frames."""

_STILL = 4.4
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
    """How many lines it must match, at least."""
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
    """A regular expression. The step's clock starts when this is on the screen: that may take a moment."""


@dataclass
class Take:
    """A step as it was played."""

    step: Step
    began: float
    zero: float = 0.0
    """When its sign was on the screen."""
    ended: float = 0.0


_FIRED = r"^ EVENT LOOP"
"""The picture of a step is there."""
_HOLDS = rf"(sleeps on|has held) .*: blocking\.py:{_LINE}"

STORY = (
    Step("", Caption((), "loopviz talk: the code of a step"), 1.6),
    Step(" ", Caption(("space",), "the question: everybody guesses"), 1.6),
    Step(
        " ",
        Caption(("space",), "eight requests await at the same time: the event loop is idle"),
        2.8,
        (
            Check(0.6, r"^ #\d+ .*──.*awaiting", 8, "eight requests are awaiting"),
            Check(0.6, r"^ EVENT LOOP [^╱]*$", 1, "the event loop is not blocked"),
            Check(2.7, r"8 requests in 1\.\d s", 1, "all were answered after 1 s"),
        ),
        sign=_FIRED,
    ),
    Step(" ", Caption(("space",), "the next step: one word is different"), 1.6),
    Step(" ", Caption(("space",), "the question: everybody guesses"), 1.6),
    Step(
        " ",
        Caption(("space",), "time.sleep(1) holds the event loop; the others are ready, and wait"),
        10.5,
        (
            Check(2.5, _HOLDS, 1, "the sentence names the line that blocks"),
            Check(2.5, rf"^▶ +{_LINE} .*BLOCKS", 1, "the line that blocks is marked in the code"),
            Check(2.5, r"^ EVENT LOOP .*╱╱.*BLOCKED", 1, "the loop is drawn as blocked"),
            Check(2.5, r"^ #\d+ .*(▚▚|··).*(ready|queued)", 4, "at least four requests are delayed"),
            Check(_STILL, _HOLDS, 1, "the still picture names the line that blocks"),
            Check(_STILL, r"^ #\d+ .*▚▚.*ready", 2, "requests are delayed on the still picture"),
            Check(10.4, r"8 requests in 8\.\d s", 1, "all were answered after 8 s"),
        ),
        sign=_FIRED,
    ),
)
_BETWEEN = 0.25
"""Seconds after each key."""
_HOLD = 2.0
"""How long the last picture stays before it begins again (s)."""
_ATTEMPTS = 6
"""A busy machine may spoil a performance."""
_DESCRIPTION = (
    "loopviz in a terminal, two steps of its talk. Eight requests await together on an idle event loop, and "
    "take one second. Then time.sleep in an async def holds the event loop: its line is marked in the code, "
    f"the sentence below names it, blocking.py:{_LINE}, and the other requests, which could run, are drawn "
    "as ready. They take eight seconds."
)


def perform() -> tuple[Player, list[Take]]:
    """Play the story; what was written, and when each step was played."""
    takes = []
    with Player("talk", columns=COLUMNS, rows=ROWS) as player:
        player.expect("1 of ", 20)
        player.play(2.0)  # the first second, while it starts, is not worth showing
        for step in STORY:
            player.text()  # it draws what was written so far, which takes a moment
            take = Take(step, time.monotonic())
            for key in step.keys:
                player.press(key)
                player.play(_BETWEEN)
            if step.sign:
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
    projector = Projector(player.output, COLUMNS, ROWS)
    frames: list[Frame] = []
    missing: list[str] = []
    still = 0
    for moment, take, check, seconds in _moments(takes):
        projector.draw(player.written(moment))
        if check is not None:
            lines = projector.text()
            found = sum(1 for line in lines if re.search(check.pattern, line))
            if found < check.lines:
                shown = "\n".join(lines)
                missing.append(
                    f"{check.claim}: {found} lines match {check.pattern!r}, not {check.lines} or more, "
                    f"{check.at} s after the key of {take.step.caption.text!r}:\n{shown}"
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
    svg = animated_svg(frames, still, "loopviz talk: which request holds the event loop", _DESCRIPTION)
    output.write_text(svg, encoding="utf-8")
    seconds = sum(frame.seconds for frame in frames)
    print(f"{output}: {len(frames)} frames, {seconds:.1f} s, {len(svg) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
