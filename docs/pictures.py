"""Makes docs/pictures.md: every scenario of the catalogue at 80x24, at the instant of its point.

``uv run python -m docs.pictures`` plays all scenarios, ``uv run python -m docs.pictures sync cpu`` two. The
real program runs in a pseudo-terminal. A picture is written only if it shows what `POINTS` says of it;
pictures that are the same but for their headline are refused, unless `gallery.ALIKE` says why. It takes about
seven minutes, on a machine that does nothing else: otherwise requests take longer than expected.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from docs.film import Cell, still_svg
from docs.gallery import FOLDER, PAGE, file_of, page, same, screen_of, sentences
from docs.screen import Player, Projector
from loopviz.scenario import ScenarioFile, find, read

COLUMNS, ROWS = 80, 24
_ATTEMPTS = 3
"""A busy machine may spoil a performance."""
_PATIENCE = 60.0
"""Seconds until a scenario must be over."""
_AFTER = 1.2
"""The picture is still drawn for a moment (s): for what requests do after their responses."""
_FRAME_END = b"\x1b[?2026l"
_OVER = r"^▌ (Done|\d+ of \d+ failed)"
_GROUP = r"^ ▾ .* ×\d+ .*?(\d+ of|all) "


@dataclass(frozen=True)
class Point:
    """What a picture must show."""

    claims: tuple[str, ...]
    """A regular expression for a line, each."""
    during: float = 0.0
    """At this part of the burst's time, as near as the claims hold; 0: when it is over."""


_EXPECTED = r"^▌ Done: .*(as expected|, expected |expected\))"
"""The verdict: it took the time that is declared for it."""


_DONE = r"^▌ Done: "


def _block(line: str, kind: str, during: float = 0.55) -> Point:
    """A block, named with its line and its kind, while others wait."""
    claims = (
        rf"^▌ #\d+ {kind}.*{line}.* [2-9] others wait",
        r"^ LOOP .*╱╱.*BLOCKED",
        r"(ready|queued) +\d",
    )
    return Point(claims, during)


def _over(*claims: str) -> Point:
    return Point((_EXPECTED, *claims))


_THREADS = Point((r"^  worker 5 .*═══.*on CPU 0%", r"#8 .*═══.*in thread"), 0.6)

POINTS: dict[str, Point] = {
    "blocking": _block(r"blocking\.py:\d+", "sleeps on"),
    "cpu": _block(r"cpu\.py:\d+", "computes on"),
    "http_blocking": _block(r"http_blocking\.py:\d+", "(sleeps|waits)"),
    "sync": _THREADS,
    "threadpool": _THREADS,
    "cpu_threads": Point((r"worker 5 .*═══.*on CPU [1-9]", r"^▌ .*threads share the GIL"), 0.6),
    "tokens": Point((r"×\d+ .*░░.*no thread", r"^ THREADS .*40 of 40"), 0.4),
    "to_thread": _over(r"░░.*══.*2\.\d s"),
    "cpu_chunks": Point((r"^  #8 .*▚█▚", r"^▌ 8 requests take turns"), 0.6),
    "background_async": _over(r"^  #1 .*◂──"),
    "background_sync": _over(r"^  #1 .*◂══"),
    "background_blocking": _over(r"◂╱"),
    "timer_asgi": _over(r"#8 .*timer (2\d\d ms|0\.2 s).* 1\.\d s"),
    "timer_base": _over(r"#1 .*timer 1\.\d s.* 1\.\d s"),
    "gather": _over(r"└ fetch"),
    "task_group": _over(r"└ fetch"),
    "timeout": _over(r"└ fetch"),
    "dependency_yield": _over(r"══▌?◂═"),
    "cpu_processes": Point((r"^  process 2 .*≡≡", r"░░.*≡≡")),
    "cpu_native": Point((r"^  worker 6 .*═══", r"^▌ Done")),
    "cpu_executor": Point((r"░░.*══", r"^▌ Done")),
}
"""What the pictures of these scenarios must show; the others: that they took the time expected."""


def main() -> int:
    """Play, check, write; the exit code: 0 written, 1 something was not on a picture."""
    known = {found.name: found for found in read(find())}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help="scenarios (default: all)")
    parser.add_argument("--busy", action="store_true", help="accept bursts that took longer than expected")
    options = parser.parse_args()
    names = options.name or list(known)
    FOLDER.mkdir(exist_ok=True)
    wrong = [f"there is no scenario {name}" for name in names if name not in known]
    wrong += filter(None, (_made(known[name], busy=options.busy) for name in names if name in known))
    wrong += same({name: screen_of(name) for name in known if file_of(name).exists()})
    PAGE.write_text(page(list(known.values())), encoding="utf-8")
    print("\n\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


# -- a picture -----------------------------------------------------------------------------------


def _made(scenario: ScenarioFile, *, busy: bool) -> str:
    """Play the scenario and write its picture; what was missing on it, or nothing."""
    missing = ""
    point = POINTS.get(scenario.name, _over())
    if busy:
        point = replace(point, claims=tuple(_DONE if claim == _EXPECTED else claim for claim in point.claims))
    for _ in range(_ATTEMPTS):
        output = _played(scenario.name)
        found, missing = _chosen(output, point, scenario.name)
        if found is not None:
            text, cells = found
            title = f"{scenario.name}: {scenario.facts.title}"
            svg = still_svg(cells, title, " ".join(sentences(text)), "\n".join(text))
            file_of(scenario.name).write_text(svg, encoding="utf-8")
            print(f"{scenario.name}: {len(svg):,} bytes. {' '.join(sentences(text))}", flush=True)
            return ""
    return missing


def _played(name: str) -> bytes:
    """What the program writes while this scenario is fired from the list, until it is over."""
    with Player("run", columns=COLUMNS, rows=ROWS) as player:
        player.play_until("Press a letter", 30)
        player.play(1.0)
        player.press("\t")
        player.play(0.4)
        player.press(name)
        player.play_until(rf"^.*{name} .*▌?", 3)
        player.play(0.4)
        player.press("\r")
        player.play_until(_OVER, _PATIENCE)
        player.play(_AFTER)
        output = player.output
        player.press("q")
        player.wait(15)
    return output


_Screen = tuple[list[str], tuple[tuple[Cell, ...], ...]]


def _chosen(output: bytes, point: Point, name: str) -> tuple[_Screen | None, str]:
    """The screen that shows the point, or None and what was missing."""
    ends = [match.end() for match in re.finditer(re.escape(_FRAME_END), output)]
    projector = Projector(output, COLUMNS, ROWS)
    shown: list[tuple[int, list[str]]] = []
    for end in ends:
        projector.draw(end)
        text = projector.text()
        if any(re.search(_GROUP, line) for line in text):
            shown.append((end, text))
    if not shown:
        return None, f"{name}: no request was on the screen"
    over = next((n for n, (_, text) in enumerate(shown) if _matches(text, _OVER)), len(shown) - 1)
    wanted = int(point.during * over) if point.during else len(shown) - 1
    near = sorted(range(over + 1), key=lambda n: abs(n - wanted)) if point.during else [wanted]
    for number in near[: max(1, over // 2)]:
        end, text = shown[number]
        if all(_matches(text, claim) for claim in point.claims):
            projector = Projector(output, COLUMNS, ROWS)
            projector.draw(end)
            return (projector.text(), projector.cells()), ""
    text = shown[near[0]][1]
    missing = [claim for claim in point.claims if not _matches(text, claim)]
    return None, f"{name}: no line matches {missing}:\n" + "\n".join(text)


def _matches(text: Sequence[str], pattern: str) -> bool:
    return any(re.search(pattern, line) for line in text)


if __name__ == "__main__":
    sys.exit(main())
