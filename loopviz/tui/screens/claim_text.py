"""A claim as lines of text: the question, the prediction, the verdict with its figures, and the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.claims import Answer, Claim, Outcome
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.model import Timeline
from loopviz.tui.keymap import Keys
from loopviz.tui.scene import Line
from loopviz.tui.screens.hints import Hint

__all__ = ["LIVE", "Quiz", "claim_hints", "claim_lines", "list_hints", "list_lines"]

LIVE = 4
"""How many of a claim's scenarios have a key that fires them."""
_ROOMY = 30
"""From this height on there are empty lines, and the criterion."""


@dataclass(slots=True)
class Quiz:
    """What was predicted and measured so far. It is kept while the program runs."""

    at: int = 0
    """The claim that is chosen, counted from 0."""
    open: bool = False
    """Whether that claim is shown, and not the list."""
    predictions: dict[str, Answer] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Why claims could not be tested."""
    tested: str | None = None
    """The claim that was tested last."""
    timeline: Timeline = field(default_factory=Timeline)
    """What its experiment's server did."""
    end: int = 0
    """When the experiment ended (ns)."""

    @property
    def score(self) -> str:
        """How many predictions were right, of those that the machine could decide; empty if none."""
        decided = {
            name: outcome.verdict.answer
            for name, outcome in self.outcomes.items()
            if outcome.verdict.answer is not Answer.UNDECIDED and name in self.predictions
        }
        right = sum(self.predictions[name] is answer for name, answer in decided.items())
        return f"{right} of {len(decided)} right" if decided else ""


# -- the list ------------------------------------------------------------------------------------


def list_lines(
    palette: Palette, claims: Sequence[Claim], quiz: Quiz, width: int, height: int
) -> tuple[list[Line], dict[int, int]]:
    """The claims with the verdicts so far, the current one marked; and which claim is in which line."""
    title, dim, text = palette.text("title"), palette.text("dim"), palette.text("text")
    below: Line = []
    lines: list[Line] = [[Segment(" What people say about FastAPI. What do you say?", title)], below]
    room = max(1, height - len(lines))
    first = max(0, min(quiz.at - room // 2, len(claims) - room))
    if room < len(claims):
        below.append(Segment(f" {first + 1} to {first + room} of {len(claims)}  ", dim))
    if quiz.score:
        below.append(Segment(f" you: {quiz.score}", text))
    answers = [outcome.verdict.answer.value for outcome in quiz.outcomes.values()]
    column = max((len(answer) + 1 for answer in answers), default=0)
    places = {}
    for index, claim in enumerate(claims[first : first + room], first):
        outcome = quiz.outcomes.get(claim.id)
        answer = outcome.verdict.answer.value if outcome else ""
        mark = "▌" if palette.unicode else ">"
        here = index == quiz.at
        line = [Segment(f"{mark if here else ' '}{index + 1:>3}  ", title if here else dim)]
        line.append(Segment(f"{answer:<{column}}", _style(palette, outcome)))
        said = _cut(printable(claim.claim), width - column - 6)
        line.append(Segment(said, title if here else text))
        places[len(lines)] = index
        lines.append(line)
    return lines, places


def list_hints(keys: Keys) -> list[Hint]:
    """The keys of the list."""
    return [
        Hint(keys.shown("claims.up", "claims.down"), "choose"),
        Hint(keys.shown("claims.go"), "open", "go"),
        Hint(keys.shown("claims.back"), "back to the picture", "back"),
    ]


# -- a claim -------------------------------------------------------------------------------------


def claim_lines(
    palette: Palette, claim: Claim, quiz: Quiz, position: str, width: int, height: int
) -> list[Line]:
    """A claim; its question until there is a verdict, then the verdict and its figures."""
    gap: list[Line] = [[]] if height >= _ROOMY else []
    title, dim = palette.text("title"), palette.text("dim")
    where = f" claim {position}" + (f"   you: {quiz.score}" if quiz.score else "")
    lines: list[Line] = [[Segment(where, dim)], *gap]
    lines += [[Segment(f"   {part}", title)] for part in _wrapped([f"“{claim.claim}”"], width, 3)]
    lines += gap
    outcome, failure = quiz.outcomes.get(claim.id), quiz.failures.get(claim.id)
    text = palette.text("text")
    question: list[Line] = [[Segment(f"   {part}", text)] for part in _wrapped([claim.question], width, 3)]
    if outcome is not None:
        asked = [*question, *gap] if gap else []
        verdict = _verdict(palette, outcome, quiz.predictions.get(claim.id), width, height)
        return [*lines, *asked, *verdict, *gap]
    lines += question
    prediction = quiz.predictions.get(claim.id)
    said = f"You say: {prediction.value}." if prediction else "What do you say?"
    lines += [[], [Segment(f"   {said}", title)], *gap]
    if failure:
        why = _wrapped([f"It could not be run: {failure}"], width, 3)
        lines += [[Segment(f"   {part}", palette.text("alarm"))] for part in why]
    return lines


def _verdict(
    palette: Palette, outcome: Outcome, prediction: Answer | None, width: int, height: int
) -> list[Line]:
    verdict, claim = outcome.verdict, outcome.claim
    dim, text = palette.text("dim"), palette.text("text")
    head: Line = [Segment(f"   {verdict.answer.value.upper()}", _style(palette, outcome))]
    if prediction is not None and verdict.answer is not Answer.UNDECIDED:
        right = prediction is verdict.answer
        head.append(Segment(f"   You said: {prediction.value}. {'Right!' if right else 'Wrong.'}", text))
    lines = [head]
    sentences = [verdict.why]
    if verdict.depends_on:
        sentences.append(f"It depends on {verdict.depends_on}.")
    lines += [[Segment(f"   {part}", text)] for part in _wrapped(sentences, width, 5)]
    lines += _figures(palette, outcome, width)
    if height >= _ROOMY:
        lines += [
            [Segment(f"   {part}", dim)] for part in _wrapped([f"The criterion: {claim.rule}."], width, 3)
        ]
    return lines


def _figures(palette: Palette, outcome: Outcome, width: int) -> list[Line]:
    """The figures, as many in a line as have room."""
    text, title = palette.text("text"), palette.text("title")
    lines: list[Line] = []
    at = width
    for figure in outcome.verdict.figures:
        name, value = printable(figure.name, 60), words.figure(figure.value, figure.unit)
        length = cell_len(name) + cell_len(value) + 4
        if at + length > width - 3:
            lines.append([Segment("   ", text)])
            at = 3
        lines[-1] += [Segment(f"{name} ", text), Segment(f"{value}   ", title)]
        at += length
    return lines


def claim_hints(
    keys: Keys, claim: Claim, quiz: Quiz, running: str | None, served: Sequence[str]
) -> list[list[Hint]]:
    """The keys of a claim, in groups that begin a line each.

    `running` is what the experiment does, if it runs; `served` are the scenarios that can be fired here.
    """
    go, back = keys.shown("claims.go"), keys.shown("claims.back")
    if running is not None:
        return [[Hint("", f"running: {printable(running or claim.id, 60)}"), Hint(back, "cancels", "back")]]
    browse = Hint(keys.shown("claims.previous", "claims.next"), "browse")
    elsewhere = [browse, Hint(back, "the list", "back")]
    if claim.id in quiz.outcomes:
        return [_live(keys, claim, served), [Hint(go, "next claim", "go"), *elsewhere]]
    answers = [
        Hint(keys.shown("claims.true"), "true", "predict('t')"),
        Hint(keys.shown("claims.false"), "false", "predict('f')"),
        Hint(keys.shown("claims.depends"), "it depends", "predict('d')"),
    ]
    runs = [Hint(go, "run it", "go")] if claim.id in quiz.predictions else []
    return [[*answers, *runs, *elsewhere]]


def _live(keys: Keys, claim: Claim, served: Sequence[str]) -> list[Hint]:
    """The scenarios that show the claim, each with the key that fires it, if it is served here."""
    hints = [Hint("", "See it live:")]
    for place, name in enumerate(claim.scenarios[:LIVE], 1):
        here = name in served
        key = keys.shown(f"claims.live-{place}") if here else ""
        hints.append(Hint(key, printable(name, 40), f"live({place})" if here else ""))
    if not any(hint.action for hint in hints):
        hints.append(Hint("", "(in loopviz run without a target)"))
    return hints


def _cut(text: str, room: int) -> str:
    return text if cell_len(text) <= room else set_cell_size(text, max(0, room - 1)).rstrip() + "…"


def _wrapped(sentences: list[str], width: int, lines: int) -> list[str]:
    return words.wrapped([printable(sentence, 600) for sentence in sentences], width - 6, lines)


def _style(palette: Palette, outcome: Outcome | None) -> Style:
    if outcome is None or outcome.verdict.answer is Answer.UNDECIDED:
        return palette.text("dim")
    if outcome.verdict.answer is Answer.DEPENDS:
        return palette.text("title")
    return palette.text("good" if outcome.verdict.answer is Answer.TRUE else "alarm")
