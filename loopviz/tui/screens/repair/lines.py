"""The lines of a repair: its diff, and what came out when it was fired."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw import answers, words
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.model.comparison import AT_LEAST, CLEARLY
from loopviz.model.sample import Sample, percentile
from loopviz.tui.scene import Line
from loopviz.tui.scene.code.ink import inked, style_of
from loopviz.tui.screens.repair.loads import LONG, LoadTrial, Steady
from loopviz.tui.screens.repair.plans import Plan
from loopviz.tui.screens.repair.trial import Stage, Trial

__all__ = ["diff_lines", "factor_said", "head_lines", "result_lines", "stage_said"]

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_FASTER: Final = 1.0


def head_lines(palette: Palette, plan: Plan, place: int, of: int, requests: int, width: int) -> list[Line]:
    """What is repaired, why, and what the repair changes."""
    what = f" Repair of {printable(plan.scenario.name, 60)}"
    title: Line = [Segment(what, palette.text("title"))]
    if of > 1:
        title.append(Segment(f"   {place + 1} of {of}", palette.text("dim")))
    lines = [title]
    change = printable(plan.change, 400)
    for text, role in ((printable(plan.reason, 400), "alarm"), (change, "good")):
        style = palette.text("alarm" if role == "alarm" else "good")
        bar = "▌ " if palette.unicode else "| "
        parts = words.wrapped([_plain(palette, text)], width - 3, 3)
        lines += [[Segment(bar, style), Segment(part, palette.text("text"))] for part in parts]
    if plan.scenario.method not in _SAFE:
        again = f" {plan.scenario.method} is sent again: at most {2 * requests} times more in all."
        lines.append([Segment(again[: width - 1], palette.text("title"))])
    return lines


def diff_lines(palette: Palette, plan: Plan, width: int) -> list[Line]:
    """The diff, each line with its number before or after, and a mark; no line is wider than `width`."""
    files = [line[4:] for line in plan.diff[:2]]
    if plan.twin is not None:
        heading = f" {printable(plan.scenario.file.name)} -> {printable(plan.twin.file.name)}"
    else:
        heading = f" {printable(files[0][2:] if files else Path(plan.file).name, 200)}"
    title = [Segment(_plain(palette, heading), palette.text("title"))]
    return [title, *(_drawn(palette, row, width) for row in _rows(plan.diff))]


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a diff."""

    mark: str
    number: int
    """In the file before, or, of an added line, after."""
    text: str


def _rows(diff: Sequence[str]) -> Iterator[_Row]:
    old = new = 0
    for line in diff[2:]:
        hunk = _HUNK.match(line)
        if hunk is not None:
            if old:
                yield _Row("@", 0, "")
            old, new = int(hunk[1]), int(hunk[2])
        elif line.startswith("-"):
            yield _Row("-", old, line[1:])
            old += 1
        elif line.startswith("+"):
            yield _Row("+", new, line[1:])
            new += 1
        elif not line.startswith("\\"):
            yield _Row(" ", old, line[1:])
            old, new = old + 1, new + 1


def _drawn(palette: Palette, row: _Row, width: int) -> Line:
    if row.mark == "@":
        return [Segment("      ···" if palette.unicode else "      ...", palette.text("dim"))]
    role: Literal["alarm", "good", "dim"] = "dim"
    if row.mark != " ":
        role = "alarm" if row.mark == "-" else "good"
    line = [Segment(f"{row.number:>5} ", palette.text("dim")), Segment(f"{row.mark} ", palette.text(role))]
    (pieces,) = inked([row.text])
    left = max(0, width - 9)
    for text, kind in pieces:
        shown = _plain(palette, text)
        if cell_len(shown) > left:
            shown = set_cell_size(shown, max(0, left - 1)) + ("…" if palette.unicode else "~")
        line.append(Segment(shown, style_of(palette, kind) if row.mark == " " else palette.text(role)))
        left -= cell_len(shown)
        if left <= 0:
            break
    return line


def result_lines(palette: Palette, trial: Trial, width: int, most: int) -> list[Line]:
    """The factor, the answers, and whether the finding is gone; while it runs, what it does."""
    bar = "▌ " if palette.unicode else "| "
    if trial.failure or not trial.over:
        role = palette.text("alarm" if trial.failure else "dim")
        parts = words.wrapped(
            [_plain(palette, printable(trial.failure or stage_said(trial), 600))], width - 3, most
        )
        return [[], *([Segment(bar, role), Segment(part, palette.text("text"))] for part in parts)]
    lines: list[Line] = [[]]
    for sentence, style in _sentences(palette, trial):
        for part in words.wrapped([_plain(palette, sentence)], width - 3, 3):
            lines.append(
                [Segment(bar, style), Segment(part, palette.text("text" if len(lines) > 1 else "title"))]
            )
    return lines[: most + 1]


def _sentences(palette: Palette, trial: Trial) -> Iterator[tuple[str, Style]]:
    good, alarm, dim = palette.text("good"), palette.text("alarm"), palette.text("dim")
    entries = [lineup.entry for lineup in trial.lineups]
    if isinstance(trial, LoadTrial) and len(trial.steady) > 1:
        before, after = trial.steady
        clearly = after.median * CLEARLY <= before.median
        yield steady_said(before, after, trial.per_second), good if clearly else dim
    elif all(entry is not None for entry in entries):
        one, other = (entry.sample for entry in entries if entry is not None)
        factor = one.makespan / other.makespan if other.makespan else 0.0
        yield factor_said(one, other), good if factor >= CLEARLY else alarm if factor < _FASTER else dim
    if trial.compared is not None:
        first, *more = answers.said(trial.compared)
        yield " ".join([first, *more]), good if trial.compared.same == trial.compared.of else alarm
    finding = trial.plan.finding
    if trial.left is not None:
        yield f"It is still found: {printable(trial.left.what, 300)}", alarm
    elif finding is not None:
        yield f"The finding is gone: {printable(finding.title.lower(), 80)}.", good


def factor_said(before: Sample, after: Sample) -> str:
    """How many times as fast it is: by the makespan, and by the median of the latencies."""
    one, other = before.makespan, after.makespan
    figures = f"{_took(one)} -> {_took(other)}"
    medians = [percentile(sample.latencies, 50) for sample in (before, after)]
    median = f"median latency {_took(medians[0])} -> {_took(medians[1])}"
    longer, shorter = max(one, other), min(one, other)
    if longer < CLEARLY * shorter or longer - shorter < AT_LEAST:
        return f"No clear difference: {figures}; {median}."
    how = "faster" if other < one else "slower"
    return f"{words.figure(longer / shorter, 'x').replace(' x', 'x')} {how}: {figures}; {median}."


def steady_said(before: Steady, after: Steady, per_second: float) -> str:
    """How many times as short the median of the latencies is under the same load."""
    one, other = before.median, after.median
    longer, shorter = max(one, other), min(one, other)
    figures = f"median latency {_took(one)} -> {_took(other)} at {per_second:g} requests a second"
    if shorter <= 0 or longer < CLEARLY * shorter or longer - shorter < AT_LEAST:
        said = f"No clear difference: {figures}."
    else:
        how = "faster" if other < one else "slower"
        least = "At least " if other < one and before.unanswered and not after.unanswered else ""
        said = f"{least}{words.figure(longer / shorter, 'x').replace(' x', 'x')} {how}: {figures}."
    for whose, of in (("The original", before), ("The repaired code", after)):
        if of.unanswered:
            said += f" {whose} had not answered {of.unanswered} of {of.requests}."
    return said


def _took(seconds: float) -> str:
    return words.figure(seconds, "s")


def _plain(palette: Palette, text: str) -> str:
    return text if palette.unicode else words.ascii_only(text)


def stage_said(trial: Trial) -> str:
    """What it does now, in a sentence."""
    name = Path(trial.plan.file).name
    if isinstance(trial, LoadTrial) and trial.stage in {Stage.ORIGINAL, Stage.REPAIRED}:
        who = "The original" if trial.stage is Stage.ORIGINAL else "The repaired code"
        return f"{who} gets {trial.per_second:g} requests a second, for {LONG} s."
    number, others = words.count(trial.requests, "request"), trial.waits_for or "what runs"
    return {
        Stage.WAITS: f"Waiting until {others} has ended: it would be measured beside it.",
        Stage.SERVING: f"Serving a copy with the repaired {name} beside the original.",
        Stage.ORIGINAL: f"Firing the original: {number}.",
        Stage.ASKING: "Asking the original for answers to compare with.",
        Stage.REPAIRED: f"Firing the repaired code: {number}.",
        Stage.OVER: "",
    }[trial.stage]
