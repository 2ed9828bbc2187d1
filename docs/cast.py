"""Makes the README's moving pictures: ``uv run python -m docs.cast`` writes docs/cast.svg and docs/five.svg.

The real program runs in a pseudo-terminal, and is played as `docs.stories` says. What the README says about
a picture is checked against the screen: if it was not there at its time, nothing is written, and the script
says what is missing.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from docs.film import Frame, animated_svg
from docs.screen import Player, Projector
from docs.stories import FILMS, Check, Film, Step

ROOT = Path(__file__).resolve().parent.parent
PERIOD = 0.2
"""Seconds between two frames."""


@dataclass
class Take:
    """A step as it was played."""

    step: Step
    began: float
    zero: float = 0.0
    """When its sign was on the screen."""
    ended: float = 0.0


_BETWEEN = 0.25
"""Seconds after each key."""
_HOLD = 2.0
"""How long the last picture stays before it begins again (s)."""
_ATTEMPTS = 6
"""A busy machine may spoil a performance."""


def perform(film: Film) -> tuple[Player, list[Take]]:
    """Play the story; what was written, and when each step was played."""
    takes = []
    with Player(*film.arguments, columns=film.columns, rows=film.rows) as player:
        player.expect(film.ready, 20)
        player.play(2.0)  # the first second, while it starts, is not worth showing
        for step in film.steps:
            player.text()  # it draws what was written so far, which takes a moment
            take = Take(step, time.monotonic())
            for key in step.keys:
                player.press(key)
                player.play(_BETWEEN)
            if step.sign:
                player.play_until(step.sign, step.within)
            take.zero = time.monotonic()
            player.play(step.seconds)
            take.ended = time.monotonic()
            takes.append(take)
        for key in film.leave:
            player.press(key)
            player.play(_BETWEEN)
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


def develop(film: Film, player: Player, takes: Sequence[Take]) -> tuple[list[Frame], int, list[str]]:
    """The frames, the number of the still one, and what was not on the screen."""
    projector = Projector(player.output, film.columns, film.rows)
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
        if take is takes[film.still_step] and moment <= take.zero + film.still:
            still = len(frames) - 1
    frames[-1] = Frame(frames[-1].lines, frames[-1].caption, frames[-1].seconds + _HOLD)
    return frames, still, missing


def main() -> int:
    """Play, check, write; the exit code: 0 written, 1 something was not on the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=list(FILMS), default=list(FILMS))
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs", help="the folder to write to")
    options = parser.parse_args()
    return max(_make(FILMS[name], options.output / f"{name}.svg") for name in options.names)


def _make(film: Film, output: Path) -> int:
    for _ in range(_ATTEMPTS):
        frames, still, missing = develop(film, *perform(film))
        if not missing:
            break
    else:
        print(f"{output}: the screen does not show what the README says.\n", file=sys.stderr)
        print("\n\n".join(missing), file=sys.stderr)
        return 1
    svg = animated_svg(frames, still, film.title, film.description)
    output.write_text(svg, encoding="utf-8")
    seconds = sum(frame.seconds for frame in frames)
    print(f"{output}: {len(frames)} frames, {seconds:.1f} s, {len(svg) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
