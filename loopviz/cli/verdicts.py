"""The text of ``loopviz claims``: a verdict for each claim, and the figures that decide it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from loopviz.claims import CLAIMS, Answer, Claim, Outcome, run_claim
from loopviz.cli.console import console_for, shown
from loopviz.draw.look import Palette
from loopviz.draw.words import count
from loopviz.draw.words import figure as figure_text
from loopviz.errors import InputError
from loopviz.experiment.lab import Lab
from loopviz.experiment.measure import Progress
from loopviz.scenario import nearest
from loopviz.stream.source import Environment

__all__ = ["FORMAT", "VERSION", "chosen", "document", "run_claims"]

FORMAT = "loopviz-claims"
VERSION = 1

_ROLES: dict[Answer, Literal["good", "alarm", "title", "dim"]] = {
    Answer.TRUE: "good",
    Answer.FALSE: "alarm",
    Answer.DEPENDS: "title",
    Answer.UNDECIDED: "dim",
}


def chosen(ids: Sequence[str]) -> list[Claim]:
    """The claims of these ids, in the order asked for; all if there are none. Raises `InputError`."""
    known = {claim.id: claim for claim in CLAIMS}
    for name in ids:
        if name not in known:
            raise InputError(nearest("claim", name, list(known)))
    return [known[name] for name in dict.fromkeys(ids)] or list(CLAIMS)


def run_claims(
    ids: Sequence[str],
    *,
    loop: str,
    palette: Palette,
    as_json: bool,
    folder: str | None = None,
    progress: Progress,
) -> int:
    """Run these claims, or all, and print each verdict as soon as it is known."""
    wanted = chosen(ids)
    console = console_for(palette)
    began = time.monotonic()
    outcomes: list[Outcome] = []

    def report(text: str) -> None:
        at = len(outcomes)
        where = f"claim {at + 1} of {len(wanted)}, {time.monotonic() - began:.0f} s"
        progress(f"{where}: {wanted[at].id}{f', {text}' if text else ''}")

    lab = Lab(folder=folder, loop=loop, progress=report)
    for claim in wanted:
        report("")
        outcome = run_claim(claim, lab)
        outcomes.append(outcome)
        progress("")
        if not as_json:
            _print(console, palette, outcome)
    if as_json:
        print(json.dumps(document(outcomes, lab.environment), indent=2))
    else:
        _print_count(console, palette, outcomes, time.monotonic() - began)
    return 0


def document(outcomes: Sequence[Outcome], environment: Environment) -> dict[str, Any]:
    """The JSON document that ``loopviz claims --json`` prints."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": asdict(environment),
        "claims": [
            {
                "id": outcome.claim.id,
                "claim": outcome.claim.claim,
                "question": outcome.claim.question,
                "verdict": outcome.verdict.answer.value,
                "depends_on": outcome.verdict.depends_on,
                "why": outcome.verdict.why,
                "figures": [asdict(figure) for figure in outcome.verdict.figures],
                "criterion": outcome.claim.rule,
                "scenarios": list(outcome.claim.scenarios),
            }
            for outcome in outcomes
        ],
    }


def _print(console: Console, palette: Palette, outcome: Outcome) -> None:
    claim, verdict = outcome.claim, outcome.verdict
    width = max(40, min(100, console.width))

    def lines(text: str, style: Literal["text", "dim"] = "text") -> None:
        for part in wrap(shown(text, palette), width - 4):
            console.print(Text(f"    {part}", palette.text(style)))

    answer = verdict.answer.value.upper()
    console.print(
        Text.assemble(
            (f"{answer:<15}", palette.text(_ROLES[verdict.answer])), (claim.claim, palette.text("title"))
        )
    )
    if verdict.figures:
        name = max(len(figure.name) for figure in verdict.figures)
        for figure in verdict.figures:
            lines(f"{figure.name:<{name}}  {figure_text(figure.value, figure.unit):>8}")
    lines(verdict.why)
    if verdict.depends_on:
        lines(f"It depends on {verdict.depends_on}.")
    lines(f"{claim.id}; scenarios: {', '.join(claim.scenarios)}", "dim")
    console.print()


def _print_count(console: Console, palette: Palette, outcomes: Sequence[Outcome], took: float) -> None:
    counts = {answer: sum(o.verdict.answer is answer for o in outcomes) for answer in Answer}
    answers = ", ".join(f"{found} {answer.value}" for answer, found in counts.items() if found)
    console.print(Text(f"{count(len(outcomes), 'claim')} in {took:.0f} s: {answers}", palette.text("dim")))
