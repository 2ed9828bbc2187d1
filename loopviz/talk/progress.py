"""Where a talk is: the step, and what the next key press does there."""

from __future__ import annotations

from enum import Enum

from loopviz.talk.steps import Question, Step, Talk

__all__ = ["Phase", "Progress"]


class Phase(Enum):
    """What is shown of a step."""

    CODE = "code"
    """The code, or, of a step that fires nothing, its headline."""
    QUESTION = "question"
    """The room is asked."""
    RUNNING = "running"
    """The scenario was fired, and is not over."""
    OVER = "over"
    """The picture stays, with what was measured."""


class Progress:
    """The place in a talk. It fires nothing itself: `advance` says when to."""

    def __init__(self, talk: Talk, first: int = 1) -> None:
        """`first` is the step to begin with, from 1; past the last one, the last one."""
        self.talk = talk
        self.position = max(1, min(first, len(talk.steps)))
        """The present step, from 1."""
        self.phase = Phase.CODE
        self.guesses: dict[int, int] = {}
        """For each step, what the room has chosen, from 1."""

        self.extra: dict[int, Question] = {}
        """For each step, a question that the talk does not have."""

    @property
    def question(self) -> Question | None:
        """What the room is asked at the present step."""
        return self.step.predict or self.extra.get(self.position)

    @property
    def step(self) -> Step:
        """The present step."""
        return self.talk.steps[self.position - 1]

    @property
    def following(self) -> Step | None:
        """The step after it."""
        return self.talk.steps[self.position] if self.position < len(self.talk.steps) else None

    @property
    def ended(self) -> bool:
        """Whether there is nothing left: the last step is over."""
        return self.following is None and (self.phase is Phase.OVER or self.step.file is None)

    def advance(self) -> bool:
        """Do what comes next: ask, fire, or go to the next step. Returns whether to fire now."""
        step = self.step
        if self.phase is Phase.CODE and self.question is not None:
            self.phase = Phase.QUESTION
        elif self.phase in {Phase.CODE, Phase.QUESTION} and step.file is not None:
            self.phase = Phase.RUNNING
            return True
        elif self.phase is not Phase.RUNNING:
            self.go(self.position + 1)
        return False

    def back(self) -> None:
        """Go to the previous step; from the middle of a step, to its beginning."""
        self.go(self.position - (self.phase is Phase.CODE))

    def go(self, position: int) -> bool:
        """Go to the beginning of a step, if there is one with this number; returns whether there is."""
        if not 1 <= position <= len(self.talk.steps):
            return False
        self.position, self.phase = position, Phase.CODE
        return True

    def again(self) -> bool:
        """Fire the present step, or fire it again; returns whether there is something to fire."""
        if self.step.file is None:
            return False
        self.phase = Phase.RUNNING
        return True

    def over(self) -> None:
        """What was fired is over."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.OVER

    def ask(self, question: Question) -> None:
        """Ask this at the present step, which has no question of its own."""
        self.extra[self.position] = question
        self.phase = Phase.QUESTION

    def guess(self, number: int) -> bool:
        """Take what the room says, by its number from 1; returns whether it was asked that."""
        predict = self.question
        if self.phase is not Phase.QUESTION or predict is None or not 1 <= number <= len(predict.choices):
            return False
        self.guesses[self.position] = number
        return True
