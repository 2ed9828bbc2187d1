"""The headline and the lesson above the picture: what was fired last, and what it teaches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.segment import Segment

from loopviz.draw.safe import printable
from loopviz.draw.serving import rate
from loopviz.draw.words import count, wrapped
from loopviz.model import Timeline
from loopviz.scenario import ScenarioFile
from loopviz.stream.source import Load
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Line, Pen
from loopviz.tui.view import View

__all__ = ["Lesson", "lesson_lines", "lesson_of"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was fired last: the facts that its scenario declares, and its load."""

    name: str
    title: str
    says: str
    """The lesson, in one sentence."""
    requests: int
    threads: int
    waits: str | None = None
    """What it waits for before its first request is sent."""
    steady: Load | None = None
    """What is sent steadily, in place of a number of requests."""

    @property
    def load(self) -> tuple[str, ...]:
        """How many requests, and the thread limit."""
        threads = count(self.threads, "thread")
        if self.steady is not None:
            unanswered = self.steady.unanswered
            return (f"{unanswered} not answered", threads) if unanswered else (threads,)
        return count(self.requests, "request"), threads


def lesson_of(facts: Facts, timeline: Timeline, view: View) -> Lesson | None:
    """What was fired last at the moment that is shown; a key that was pressed counts at once."""
    if view.load is not None and view.behind is None:
        file = view.load.scenario
        lesson = _lesson(file, file.name, 0, view.threads)
        return replace(lesson, name=f"load {lesson.name} {rate(view.load.per_second)}", steady=view.load)
    burst = timeline.newest_burst(view.moment)
    unsent = view.unsent(burst)
    if unsent is not None:
        return _lesson(unsent.file, unsent.file.name, unsent.count, unsent.threads, unsent.waits)
    if burst is None:
        return None
    return _lesson(facts.scenario(burst.scenario), burst.scenario, burst.count, burst.threads)


def _lesson(
    file: ScenarioFile | None, name: str, requests: int, threads: int, waits: str | None = None
) -> Lesson:
    """The lesson of a scenario; only its name where the scenario is not known."""
    if file is None:
        return Lesson(printable(name, 40), "", "", requests, threads, waits)
    facts = file.facts
    return Lesson(
        printable(name, 40), printable(facts.title, 80), printable(facts.expect, 200), requests, threads,
        waits and printable(waits, 60),
    )  # fmt: skip


def lesson_lines(pen: Pen, lesson: Lesson | None, width: int) -> list[Line]:
    """The lesson, in one line where it fits; empty before anything was fired."""
    if lesson is None or not lesson.says:
        return [[]]
    return [[Segment(f" {text}", pen.text)] for text in wrapped([lesson.says], width - 2, 2)]
