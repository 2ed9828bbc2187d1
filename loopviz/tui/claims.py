"""Predict, then reveal: a claim stands still, the room commits to an answer, a key runs it live."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.screen import Screen

from loopviz.claims import CLAIMS, Answer, Claim, Laboratory, Outcome, run_claim
from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.stream.events import Event
from loopviz.tui.scene import Line, Scene, fitted
from loopviz.tui.surface import Surface
from loopviz.tui.view import View

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from loopviz.tui.app import LoopvizApp

__all__ = ["Claims", "Experimenter", "compose_claim", "compose_list"]

Watch = Callable[[], Callable[[list[Event]], None]]
Experimenter = Callable[[Watch, Callable[[str], None], threading.Event], Laboratory]
"""Makes a laboratory of what takes its events in, what hears of its progress, and what cancels it."""

_ANSWERS = {"t": Answer.TRUE, "f": Answer.FALSE, "d": Answer.DEPENDS}
_LIVE = 12
"""Lines that the live picture needs."""


class Claims(Screen[None]):
    """The claims, one after the other, or as a list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "back"),
        Binding("t", "predict('t')", "true"),
        Binding("f", "predict('f')", "false"),
        Binding("d", "predict('d')", "it depends"),
        Binding("enter", "go", "open, run"),
        Binding("right,l,n", "turn(1)", "next claim"),
        Binding("left,h,p", "turn(-1)", "claim before"),
        Binding("down,j", "turn(1)", "next claim", show=False),
        Binding("up,k", "turn(-1)", "claim before", show=False),
        Binding("pagedown", "turn(10)", "ten on", show=False),
        Binding("pageup", "turn(-10)", "ten back", show=False),
    ]

    def __init__(self, owner: LoopvizApp, experimenter: Experimenter) -> None:
        super().__init__()
        self._owner = owner
        self._cancelled = threading.Event()
        self._lab = experimenter(self._watch, self._tell, self._cancelled)
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
        self._scene = Scene(owner.palette, owner.scene.facts)
        self.surface = Surface()

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    # -- the experiment's thread ---------------------------------------------------------------

    def _watch(self) -> Callable[[list[Event]], None]:
        self._server += 1
        server = self._server
        return lambda events: self._events.append((server, events))

    def _tell(self, text: str) -> None:
        self._progress = text

    def _run(self, claim: Claim) -> None:
        try:
            self._outcomes[claim.id] = run_claim(claim, self._lab)
        except Exception as error:  # whatever it is, it shall not take the screen down
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
        palette = self._owner.palette
        if not self._open:
            lines = compose_list(palette, self._at, self._outcomes, width, height)
        else:
            lines = self._compose_open(palette, now, width, height)
        self.surface.show(lines)

    def _compose_open(self, palette: Palette, now: int, width: int, height: int) -> list[Line]:
        claim = CLAIMS[self._at]
        lines = compose_claim(
            palette,
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
        return [fitted(line, width, palette) for line in lines[:height]]

    # -- actions -------------------------------------------------------------------------------

    def action_predict(self, key: str) -> None:
        """Commit to an answer; once it runs, that is it."""
        claim = CLAIMS[self._at]
        if self._open and claim.id not in self._outcomes and self._testing is None:
            self._predictions[claim.id] = _ANSWERS[key]

    def action_go(self) -> None:
        """Open the claim; then, with an answer, run it; then, with a verdict, take the next one."""
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
        """Turn to another claim."""
        if self._testing is None:
            self._at = max(0, min(len(CLAIMS) - 1, self._at + by))

    def action_back(self) -> None:
        """Back to the list, or to the picture. What runs is given up."""
        if self._open and self._testing is None:
            self._open = False
        else:
            self._cancelled.set()
            self.dismiss()


def compose_list(
    palette: Palette, at: int, outcomes: dict[str, Outcome], width: int, height: int
) -> list[Line]:
    """The claims with the verdicts that there are, the chosen one marked."""
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
        line.append(Segment(words.printable(claim.claim), title if index == at else text))
        lines.append(line)
    lines += [[] for _ in range(height - 1 - len(lines))]
    lines = lines[: height - 1]
    lines.append([Segment(" up/down choose   enter open   esc back to the picture", dim)])
    return [fitted(line, width, palette) for line in lines]


def compose_claim(
    palette: Palette,
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
    """A claim, its question, the room's answer, and the verdict once there is one."""
    title, dim, text = palette.text("title"), palette.text("dim"), palette.text("text")
    lines: list[Line] = [[Segment(f" claim {position}", dim)], []]
    lines += [[Segment(f"   {part}", title)] for part in _wrapped([f"“{claim.claim}”"], width, 3)]
    lines.append([])
    lines += [[Segment(f"   {part}", text)] for part in _wrapped([claim.question], width, 3)]
    lines.append([])
    if outcome is None:
        said = f"You say: {prediction.value}." if prediction else "What do you say?"
        lines.append([Segment(f"   {said}", title)])
        lines.append([])
        hint = " t true   f false   d it depends   " + ("enter runs it   " if prediction else "")
        hint += "left/right another claim   esc the list"
        if running:
            hint = f" running: {words.printable(progress or claim.id, 60)}   esc gives up"
        if failure:
            alarm = palette.text("alarm")
            told = [f"It could not be run: {failure}"]
            lines += [[Segment(f"   {part}", alarm)] for part in _wrapped(told, width, 3)]
        lines.append([Segment(hint, dim)])
        return lines
    verdict = outcome.verdict
    lines.append([Segment(f"   {verdict.answer.value.upper()}", _style(palette, outcome))])
    if prediction is not None and verdict.answer is not Answer.UNDECIDED:
        right = prediction is verdict.answer
        lines.append([Segment(f"   You said: {prediction.value}. {'Right!' if right else 'Not so.'}", dim)])
    lines.append([])
    name = max((len(figure.name) for figure in verdict.figures), default=0)
    for figure in verdict.figures:
        lines.append(
            [
                Segment(f"   {words.printable(figure.name):<{name}}  ", text),
                Segment(words.figure(figure.value, figure.unit), title),
            ]
        )
    if verdict.figures:
        lines.append([])
    sentences = [verdict.why]
    if verdict.depends_on:
        sentences.append(f"It depends on {verdict.depends_on}.")
    lines += [[Segment(f"   {part}", text)] for part in _wrapped(sentences, width, 5)]
    lines.append([Segment(f"   The criterion: {words.printable(claim.rule)}.", dim)])
    lines.append([Segment(f"   See it live: {words.printable(', '.join(claim.scenarios))}", dim)])
    lines.append([])
    lines.append([Segment(" enter the next claim   left/right another claim   esc the list", dim)])
    return lines


def _wrapped(sentences: list[str], width: int, lines: int) -> list[str]:
    return words.wrapped([words.printable(sentence, 600) for sentence in sentences], width - 6, lines)


def _style(palette: Palette, outcome: Outcome | None) -> Style:
    if outcome is None or outcome.verdict.answer is Answer.UNDECIDED:
        return palette.text("dim")
    if outcome.verdict.answer is Answer.DEPENDS:
        return palette.text("title")
    return palette.text("good" if outcome.verdict.answer is Answer.TRUE else "alarm")
