"""Predict first: a question before the picture of what is fired next."""

from __future__ import annotations

from dataclasses import dataclass

from loopviz.scenario import ScenarioFile
from loopviz.tui.actions.firing import Firing
from loopviz.tui.expectation import answers, said

__all__ = ["Predicting"]


@dataclass(slots=True)
class _Guess:
    """What was answered, for what was fired at that time (ns)."""

    times: list[int]
    answer: int
    fired: int


class Predicting(Firing):
    """The actions of predicting."""

    _armed = False
    _guess: _Guess | None = None

    def fire(self, file: ScenarioFile, requests: int | None = None) -> None:
        """Fire a scenario; if that was asked for, hide its picture behind a question."""
        before = self.view.asked
        self._guess, self.view.guessed = None, ""
        super().fire(file, requests)
        asked = self.view.asked
        if not self._armed or asked is None or asked is before:
            return
        self._armed = False
        times = answers(file.facts, asked.count, asked.threads)

        def answered(answer: int | None) -> None:
            if answer:
                self._guess = _Guess(times, answer, asked.at)

        from loopviz.tui.screens.prediction import Prediction  # noqa: PLC0415 - not before the first frame

        self.push_screen(Prediction(self, file, asked.count, times), answered)

    def action_predict(self) -> None:
        """Ask before the next picture, or do not after all."""
        if not self.needs_client():
            return
        self._armed = not self._armed
        key = self.keys.shown("picture.predict")
        self.say(
            f"Predict first: the next picture is hidden until you answer. {key} again: not hidden."
            if self._armed
            else "The next picture is shown at once.",
            seconds=5,
        )

    def follow_guess(self, now: int) -> None:
        """Say what was guessed and what was measured, once the burst is over and until it is removed."""
        guess = self._guess
        burst = self.timeline.newest_burst(now) if guess is not None or self.view.guessed else None
        if burst is None:
            self.view.guessed = ""
        if guess is not None and burst is not None and burst.fired >= guess.fired and burst.over(now):
            self.view.guessed = said(guess.times, guess.answer, burst.makespan(now))
            self._guess = None
