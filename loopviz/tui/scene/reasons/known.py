"""What was found at the moment that is shown: one answer for the reasons view and for the verdict."""

from __future__ import annotations

from functools import partial

from loopviz.draw.found import Findings, Interpreter
from loopviz.draw.source import lines_of
from loopviz.findings import Finding
from loopviz.model import Burst, Timeline
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.reasons.subject import Subject
from loopviz.tui.view import View

__all__ = ["Known"]


class Known:
    """Keeps what was found from one frame to the next."""

    def __init__(self) -> None:
        self._findings = Findings()

    def forget(self) -> None:
        """Look again."""
        self._findings.forget()

    def of(self, facts: Facts, timeline: Timeline, view: View, about: Subject) -> list[Finding] | None:
        """The findings of a subject, the gravest first; None if that needs some frames more."""
        if about.burst is not None:
            return self.of_burst(facts, timeline, view, about.burst)
        lines = partial(lines_of, timeline)
        return self._findings.of_time(
            timeline, about.start, about.end, lines, _interpreter(facts, view), moves=about.moves
        )

    def of_burst(self, facts: Facts, timeline: Timeline, view: View, burst: Burst) -> list[Finding] | None:
        """The findings of a burst at the moment that is shown, as above."""
        file = facts.scenario(burst.scenario)
        return self._findings.of_burst(
            timeline, burst, partial(lines_of, timeline), view.moment, _interpreter(facts, view),
            repaired=file.facts.repaired if file is not None else None,
            moves=view.moves and view.at is None,
        )  # fmt: skip


def _interpreter(facts: Facts, view: View) -> Interpreter:
    return Interpreter(gil=facts.environment.gil, dropped=view.pace.dropped)
