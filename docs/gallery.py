"""The pictures of the scenarios: what they say, whether two are the same, and the page with all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby
from pathlib import Path
from xml.etree import ElementTree as ET

from loopviz.scenario import ScenarioFile

__all__ = ["FOLDER", "PAGE", "file_of", "look", "page", "same", "screen_of", "sentences"]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "pictures.md"
SVG = "{http://www.w3.org/2000/svg}"

ALIKE: dict[frozenset[str], str] = {
    frozenset({"sync", "threadpool"}): "The same threads, with the same limit: so it is the same picture.",
    frozenset({"async", "http_async", "dependency_async", "dependency_cached"}): (
        "Each awaits once, and all at the same time: the same picture as of `async`, whatever is awaited."
    ),
    frozenset(
        {"gather", "task_group"}
    ): "Ten tasks at the same time, as with `gather`, until one of them fails.",
}
"""Scenarios whose pictures are the same, and why that is so: it is said beside all but the first one."""


def file_of(name: str) -> Path:
    """Where a scenario's picture is."""
    return FOLDER / f"{name}.svg"


def screen_of(name: str) -> list[str]:
    """The text of a scenario's picture."""
    tree = ET.fromstring(file_of(name).read_text(encoding="utf-8"))  # noqa: S314 - our own file
    text = tree.findtext(f"{SVG}metadata")
    return (text or "").splitlines()


def sentences(screen: Sequence[str]) -> list[str]:
    """What the program says of what is seen, without the repair."""
    said = " ".join(line[1:].strip() for line in screen if line.startswith("▌"))
    return [part for part in re.split(r"(?<=\.) ", said.partition("Repair:")[0].strip()) if part]


# -- distinct ------------------------------------------------------------------------------------


def same(screens: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The pairs of pictures that cannot be told apart but by their headline, without those in `ALIKE`."""
    looks = {name: look(screen, name) for name, screen in screens.items()}
    for one, other in combinations(looks, 2):
        if looks[one] == looks[other] and not any({one, other} <= alike for alike in ALIKE):
            yield f"{one} and {other} have the same picture, but for the headline"


def look(screen: Sequence[str], name: str) -> list[str]:
    """What is drawn and said below the headline, without names, times, and lengths of less than a sixth.

    How many requests there are, and ticks at awaits, are a part of it.
    """
    found = []
    for line in screen[4:-2]:
        words = re.sub(r"\d+(\.\d+)?( [mµ]?s)?%?", "0", line.replace(name, "NAME"))
        drawn = "".join(
            texture + str(round(length / 6))
            for texture, run in groupby(re.sub("[▌▏▎▍▋▊▉┆│ ]", "", line[18:52]))
            if texture in "·╱▚░─═≡█«»" and (length := len(list(run))) > 3
        )
        drawn += "│" * ("─│─" in line) + "".join(re.findall(r"^ ▾.*(×\d+)", line))
        kept = (words if line.startswith("▌") else words[:3]) + drawn
        if kept.strip() and kept not in found:
            found.append(kept)
    return found


# -- the page ------------------------------------------------------------------------------------


def reasons(name: str, seen: Sequence[str]) -> list[str]:
    """Why its picture is the same as one of those `seen` before."""
    return [why for pair, why in ALIKE.items() if name in pair and any(other in pair for other in seen)]


def page(scenarios: Sequence[ScenarioFile]) -> str:
    """The page with all pictures."""
    lines = [
        "# Every scenario as a picture",
        "",
        "The real program in a terminal of 80 by 24, at the instant of a scenario's point, and what it says.",
        "Made by `uv run python -m docs.pictures`, which checks that the pictures show it.",
        "[Scenarios](scenarios.md) has what is expected of each, [states](states.md) what the colours mean.",
        "",
        "| scenario | picture | what is seen |",
        "|---|---|---|",
    ]
    seen: list[str] = []
    for scenario in scenarios:
        if file_of(scenario.name).exists():
            said = " ".join([*sentences(screen_of(scenario.name)), *reasons(scenario.name, seen)])
            picture = f"![{scenario.facts.title}](pictures/{scenario.name}.svg)"
            lines.append(f"| `{scenario.name}` | {picture} | {said} |")
            seen.append(scenario.name)
    return "\n".join(lines) + "\n"
