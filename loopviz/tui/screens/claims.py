"""The claims quiz: a claim is shown, the user predicts the verdict, and a key runs it live."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.claims import CLAIMS, Answer, Claim, Laboratory, run_claim
from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.model import Timeline
from loopviz.scenario import ScenarioFile
from loopviz.stream.events import Event
from loopviz.tui.bindings import bindings
from loopviz.tui.clock import BurstClock
from loopviz.tui.host import Picture
from loopviz.tui.scene import Line, Scene, fitted
from loopviz.tui.screens.claim_text import Quiz, claim_hints, claim_lines, list_hints, list_lines
from loopviz.tui.screens.hints import Clickable, hint_lines
from loopviz.tui.surface import Surface
from loopviz.tui.view import View

__all__ = ["Claims", "Experimenter"]

Watch = Callable[[], Callable[[list[Event]], None]]
Experimenter = Callable[[Watch, Callable[[str], None], threading.Event], Laboratory]
"""Makes a laboratory; called with what takes its events in, what is called with its progress, and what
cancels it."""

_ANSWERS = {"t": Answer.TRUE, "f": Answer.FALSE, "d": Answer.DEPENDS}
_LIVE = 6
"""How many lines the live picture needs."""


class Claims(Screen[ScenarioFile]):
    """The claims, one after the other, or as a list. The result is a scenario to be fired, or None."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("claims")
    CSS = "Claims { background: $background; }"

    def __init__(self, picture: Picture, experimenter: Experimenter, quiz: Quiz) -> None:
        super().__init__()
        self._picture = picture
        self._quiz = quiz
        self._cancelled = threading.Event()
        self._lab = experimenter(self._watch, self._show_progress, self._cancelled)
        self._testing: str | None = None
        self._progress = ""
        self._events: deque[tuple[int, list[Event]]] = deque(maxlen=2_000)
        self._server = 0
        self._drawn = 0
        self._clock = self._new_clock()
        self._scene = Scene(picture.palette, picture.scene.facts)
        self._clicks: dict[int, list[Clickable]] = {}
        self.surface = Surface()

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    def _new_clock(self) -> BurstClock:
        return BurstClock(self._quiz.timeline, lambda: self._picture.source.scenarios)

    # -- the experiment's thread ---------------------------------------------------------------

    def _watch(self) -> Callable[[list[Event]], None]:
        self._server += 1
        server = self._server
        return lambda events: self._events.append((server, events))

    def _show_progress(self, text: str) -> None:
        self._progress = text

    def _run(self, claim: Claim) -> None:
        try:
            self._quiz.outcomes[claim.id] = run_claim(claim, self._lab)
        except Exception as error:  # no error of an experiment may end the screen
            if not self._cancelled.is_set():
                self._quiz.failures[claim.id] = f"{type(error).__name__}: {words.one_line(str(error))}"
        finally:
            self._quiz.end = now_ns()
            self._testing = None

    # -- frames --------------------------------------------------------------------------------

    def follow(self, now: int) -> None:
        """One frame."""
        while self._events:
            server, events = self._events.popleft()
            if server != self._drawn:
                self._drawn = server
                self._quiz.timeline = Timeline()
                self._clock = self._new_clock()
                self._scene.forget()
            self._quiz.timeline.feed(events)
        width, height = self.surface.size
        if width > 0 and height > 0:
            lines = (
                self._compose_open(now, width, height)
                if self._quiz.open
                else self._compose_list(width, height)
            )
            self.surface.show([fitted(line, width, self._picture.palette) for line in lines[:height]])

    def _compose_list(self, width: int, height: int) -> list[Line]:
        picture = self._picture
        foot = hint_lines(picture.palette, list_hints(picture.keys), width)
        lines, places = list_lines(picture.palette, CLAIMS, self._quiz, width, height - len(foot))
        self._clicks = {y: [(0, width, f"open({claim})")] for y, claim in places.items()}
        return self._with_foot(lines, foot, height)

    def _compose_open(self, now: int, width: int, height: int) -> list[Line]:
        picture, quiz = self._picture, self._quiz
        claim = CLAIMS[quiz.at]
        testing = self._testing
        running = self._progress if testing == claim.id else None
        served = [file.name for file in picture.source.scenarios]
        groups = claim_hints(picture.keys, claim, quiz, running, served)
        foot = [line for group in groups for line in hint_lines(picture.palette, group, width)]
        position = f"{quiz.at + 1} of {len(CLAIMS)}"
        lines = claim_lines(picture.palette, claim, quiz, position, width, height)
        room = height - len(lines) - len(foot)
        if quiz.tested == claim.id and room >= _LIVE:
            moment = now if testing is not None else quiz.end
            view = View(now=moment, clock=self._clock.at(moment, moment))
            lines += self._scene.compose_lanes(quiz.timeline, view, width, room)
        self._clicks = {}
        return self._with_foot(lines, foot, height)

    def _with_foot(
        self, lines: list[Line], foot: list[tuple[Line, list[Clickable]]], height: int
    ) -> list[Line]:
        """The lines and the keys in exactly `height` lines; the keys are the last ones."""
        room = max(0, height - len(foot))
        lines = [*lines[:room], *([[]] * (room - len(lines)))]
        for line, clicks in foot:
            self._clicks[len(lines)] = clicks
            lines.append(line)
        return lines

    # -- actions -------------------------------------------------------------------------------

    def action_predict(self, key: str) -> None:
        """Take a prediction; it cannot be changed once the claim runs."""
        quiz = self._quiz
        claim = CLAIMS[quiz.at]
        if quiz.open and claim.id not in quiz.outcomes and self._testing is None:
            quiz.predictions[claim.id] = _ANSWERS[key]

    def action_go(self) -> None:
        """Open the claim; with a prediction, run it; with a verdict, go to the next one."""
        quiz = self._quiz
        claim = CLAIMS[quiz.at]
        if not quiz.open:
            quiz.open = True
        elif claim.id in quiz.outcomes:
            self.action_turn(1)
        elif self._testing is None and claim.id in quiz.predictions:
            self._testing = quiz.tested = claim.id
            quiz.failures.pop(claim.id, None)
            threading.Thread(target=self._run, args=(claim,), name="loopviz claim", daemon=True).start()

    def action_open(self, claim: int) -> None:
        """Open a claim of the list."""
        self._quiz.at, self._quiz.open = claim, True

    def action_turn(self, by: int) -> None:
        """Go to another claim."""
        if self._testing is None:
            self._quiz.at = max(0, min(len(CLAIMS) - 1, self._quiz.at + by))

    def action_live(self, place: int) -> None:
        """Fire one of the scenarios that show the claim, in the picture."""
        claim = CLAIMS[self._quiz.at]
        if self._quiz.open and claim.id in self._quiz.outcomes and place <= len(claim.scenarios):
            name = claim.scenarios[place - 1]
            file = next((file for file in self._picture.source.scenarios if file.name == name), None)
            if file is not None:
                self.dismiss(file)

    def action_back(self) -> None:
        """Go back to the list, or to the picture; cancel what runs."""
        if self._quiz.open and self._testing is None:
            self._quiz.open = False
        else:
            self._cancelled.set()
            self.dismiss()

    async def on_click(self, event: events.Click) -> None:
        """Do what a key of the last lines does, or open a claim of the list."""
        for start, end, action in self._clicks.get(event.screen_y, ()):
            if start <= event.screen_x < end:
                await self.run_action(action)
                return
