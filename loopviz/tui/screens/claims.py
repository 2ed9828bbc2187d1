"""The claims quiz: a claim is shown, the user predicts the verdict, and a key runs it live."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.claims import CLAIMS, Answer, Claim, Laboratory, Outcome, run_claim
from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.model import Timeline
from loopviz.stream.events import Event
from loopviz.tui.bindings import bindings
from loopviz.tui.host import Picture
from loopviz.tui.keymap import Keys
from loopviz.tui.scene import Line, Scene, fitted
from loopviz.tui.surface import Surface
from loopviz.tui.view import View

__all__ = ["Claims", "Experimenter", "compose_claim", "compose_list"]

Watch = Callable[[], Callable[[list[Event]], None]]
Experimenter = Callable[[Watch, Callable[[str], None], threading.Event], Laboratory]
"""Makes a laboratory; called with what takes its events in, what is called with its progress, and what
cancels it."""

_ANSWERS = {"t": Answer.TRUE, "f": Answer.FALSE, "d": Answer.DEPENDS}
_LIVE = 12
"""How many lines the live picture needs."""


class Claims(Screen[None]):
    """The claims, one after the other, or as a list."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("claims")
    CSS = "Claims { background: $background; }"

    def __init__(self, picture: Picture, experimenter: Experimenter) -> None:
        super().__init__()
        self._picture = picture
        self._cancelled = threading.Event()
        self._lab = experimenter(self._watch, self._show_progress, self._cancelled)
        self._at = 0
        self._open = False
        self._predictions: dict[str, Answer] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._failures: dict[str, str] = {}
        self._testing: str | None = None
        self._progress = ""
        self._events: deque[tuple[int, list[Event]]] = deque(maxlen=2_000)
        self._server = 0
        self._drawn = 0
        self._tested: str | None = None
        self._end = 0
        self._timeline = Timeline()
        self._scene = Scene(picture.palette, picture.scene.facts)
        self.surface = Surface()

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    # -- the experiment's thread ---------------------------------------------------------------

    def _watch(self) -> Callable[[list[Event]], None]:
        self._server += 1
        server = self._server
        return lambda events: self._events.append((server, events))

    def _show_progress(self, text: str) -> None:
        self._progress = text

    def _run(self, claim: Claim) -> None:
        try:
            self._outcomes[claim.id] = run_claim(claim, self._lab)
        except Exception as error:  # no error of an experiment may end the screen
            if not self._cancelled.is_set():
                self._failures[claim.id] = f"{type(error).__name__}: {words.one_line(str(error))}"
        finally:
            self._end = now_ns()
            self._testing = None

    # -- frames --------------------------------------------------------------------------------

    def follow(self, now: int) -> None:
        """One frame."""
        while self._events:
            server, events = self._events.popleft()
            if server != self._drawn:
                self._drawn = server
                self._timeline = Timeline()
                self._scene.forget()
            self._timeline.feed(events)
        width, height = self.surface.size
        if width <= 0 or height <= 0:
            return
        if not self._open:
            lines = compose_list(
                self._picture.palette, self._picture.keys, self._at, self._outcomes, width, height
            )
        else:
            lines = self._compose_open(now, width, height)
        self.surface.show(lines)

    def _compose_open(self, now: int, width: int, height: int) -> list[Line]:
        claim = CLAIMS[self._at]
        lines = compose_claim(
            self._picture.palette,
            self._picture.keys,
            claim,
            position=f"{self._at + 1} of {len(CLAIMS)}",
            prediction=self._predictions.get(claim.id),
            outcome=self._outcomes.get(claim.id),
            running=self._testing == claim.id,
            progress=self._progress,
            failure=self._failures.get(claim.id),
            width=width,
        )
        room = height - len(lines)
        if self._tested == claim.id and room >= _LIVE:
            running = self._testing is not None
            view = View(now=now if running else self._end, behind=None if running else now - self._end)
            lines += self._scene.compose_lanes(self._timeline, view, width, room)
        lines += [[] for _ in range(height - len(lines))]
        return [fitted(line, width, self._picture.palette) for line in lines[:height]]

    # -- actions -------------------------------------------------------------------------------

    def action_predict(self, key: str) -> None:
        """Take a prediction; it cannot be changed once the claim runs."""
        claim = CLAIMS[self._at]
        if self._open and claim.id not in self._outcomes and self._testing is None:
            self._predictions[claim.id] = _ANSWERS[key]

    def action_go(self) -> None:
        """Open the claim; with a prediction, run it; with a verdict, go to the next one."""
        claim = CLAIMS[self._at]
        if not self._open:
            self._open = True
        elif claim.id in self._outcomes:
            self.action_turn(1)
        elif self._testing is None and claim.id in self._predictions:
            self._testing = self._tested = claim.id
            self._failures.pop(claim.id, None)
            threading.Thread(target=self._run, args=(claim,), name="loopviz claim", daemon=True).start()

    def action_turn(self, by: int) -> None:
        """Go to another claim."""
        if self._testing is None:
            self._at = max(0, min(len(CLAIMS) - 1, self._at + by))

    def action_back(self) -> None:
        """Go back to the list, or to the picture; cancel what runs."""
        if self._open and self._testing is None:
            self._open = False
        else:
            self._cancelled.set()
            self.dismiss()


def compose_list(
    palette: Palette, keys: Keys, at: int, outcomes: dict[str, Outcome], width: int, height: int
) -> list[Line]:
    """The claims with the verdicts so far, the current one marked."""
    title, dim, text = palette.text("title"), palette.text("dim"), palette.text("text")
    lines: list[Line] = [[Segment(" What people say about FastAPI. What do you say?", title)], []]
    room = max(1, height - 4)
    first = max(0, min(at - room // 2, len(CLAIMS) - room))
    for index, claim in enumerate(CLAIMS[first : first + room], first):
        outcome = outcomes.get(claim.id)
        answer = outcome.verdict.answer.value if outcome else ""
        mark = "▌" if palette.unicode else ">"
        line = [Segment(f"{mark if index == at else ' '}{index + 1:>3}  ", title if index == at else dim)]
        line.append(Segment(f"{answer:<15}", _style(palette, outcome)))
        line.append(Segment(printable(claim.claim), title if index == at else text))
        lines.append(line)
    lines += [[] for _ in range(height - 1 - len(lines))]
    lines = lines[: height - 1]
    hint = f" {keys.shown('claims.up', 'claims.down')} choose  {keys.shown('claims.go')} open  "
    lines.append([Segment(f"{hint}{keys.shown('claims.back')} back to the picture", dim)])
    return [fitted(line, width, palette) for line in lines]


def compose_claim(
    palette: Palette,
    keys: Keys,
    claim: Claim,
    *,
    position: str,
    prediction: Answer | None,
    outcome: Outcome | None,
    running: bool,
    progress: str,
    failure: str | None,
    width: int,
) -> list[Line]:
    """A claim, its question, the prediction, and the verdict once there is one."""
    title, dim, text = palette.text("title"), palette.text("dim"), palette.text("text")
    lines: list[Line] = [[Segment(f" claim {position}", dim)], []]
    lines += [[Segment(f"   {part}", title)] for part in _wrapped([f"“{claim.claim}”"], width, 3)]
    lines.append([])
    lines += [[Segment(f"   {part}", text)] for part in _wrapped([claim.question], width, 3)]
    lines.append([])
    go, back = keys.shown("claims.go"), keys.shown("claims.back")
    elsewhere = f"{keys.shown('claims.previous', 'claims.next')} browse  {back} the list"
    if outcome is None:
        said = f"You say: {prediction.value}." if prediction else "What do you say?"
        lines.append([Segment(f"   {said}", title)])
        lines.append([])
        hint = f" {keys.shown('claims.true')} true  {keys.shown('claims.false')} false  "
        hint += f"{keys.shown('claims.depends')} it depends  "
        hint += (f"{go} runs it  " if prediction else "") + elsewhere
        if running:
            hint = f" running: {printable(progress or claim.id, 60)}  {back} cancels"
        if failure:
            alarm = palette.text("alarm")
            why = [f"It could not be run: {failure}"]
            lines += [[Segment(f"   {part}", alarm)] for part in _wrapped(why, width, 3)]
        lines.append([Segment(hint, dim)])
        return lines
    verdict = outcome.verdict
    lines.append([Segment(f"   {verdict.answer.value.upper()}", _style(palette, outcome))])
    if prediction is not None and verdict.answer is not Answer.UNDECIDED:
        right = prediction is verdict.answer
        lines.append([Segment(f"   You said: {prediction.value}. {'Right!' if right else 'Wrong.'}", dim)])
    lines.append([])
    name = max((len(figure.name) for figure in verdict.figures), default=0)
    for figure in verdict.figures:
        lines.append(
            [
                Segment(f"   {printable(figure.name):<{name}}  ", text),
                Segment(words.figure(figure.value, figure.unit), title),
            ]
        )
    if verdict.figures:
        lines.append([])
    sentences = [verdict.why]
    if verdict.depends_on:
        sentences.append(f"It depends on {verdict.depends_on}.")
    lines += [[Segment(f"   {part}", text)] for part in _wrapped(sentences, width, 5)]
    lines.append([Segment(f"   The criterion: {printable(claim.rule)}.", dim)])
    lines.append([Segment(f"   See it live: {printable(', '.join(claim.scenarios))}", dim)])
    lines.append([])
    lines.append([Segment(f" {go} the next claim  {elsewhere}", dim)])
    return lines


def _wrapped(sentences: list[str], width: int, lines: int) -> list[str]:
    return words.wrapped([printable(sentence, 600) for sentence in sentences], width - 6, lines)


def _style(palette: Palette, outcome: Outcome | None) -> Style:
    if outcome is None or outcome.verdict.answer is Answer.UNDECIDED:
        return palette.text("dim")
    if outcome.verdict.answer is Answer.DEPENDS:
        return palette.text("title")
    return palette.text("good" if outcome.verdict.answer is Answer.TRUE else "alarm")
