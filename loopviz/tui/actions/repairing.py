"""Repair what was fired last: find what can be repaired, and show it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from loopviz.clock import NS
from loopviz.findings import Finding
from loopviz.model import Burst
from loopviz.scenario import ScenarioFile
from loopviz.stream.marked import original_of
from loopviz.stream.source import Load
from loopviz.tui.actions.firing import Firing
from loopviz.tui.screens.main import MainScreen

__all__ = ["Repairing"]

_LATELY: Final = 10 * NS
"""Of a steady load, so much time is looked at (ns)."""


@dataclass(frozen=True, slots=True)
class _Meant:
    """What is to be repaired."""

    file: ScenarioFile
    burst: Burst | None
    count: int
    load: Load | None = None


class Repairing(Firing):
    """The action that opens the repairs."""

    _making: threading.Thread | None = None

    def action_repaired(self) -> None:
        """Show the repair of what was fired last, which can be fired there with as many requests."""
        if not self.needs_client() or not isinstance(self.screen, MainScreen):
            return
        if self._making is not None and self._making.is_alive():
            return
        if (load := self.source.load) is not None:
            self._repair(_Meant(load.scenario, None, max(1, round(load.per_second)), load))
            return
        burst = self.timeline.newest_burst(self.view.moment)
        name, count = (original_of(burst.scenario), burst.count) if burst is not None else ("", 0)
        if (unsent := self.view.unsent(burst)) is not None:
            name, count, burst = unsent.file.name, unsent.count, None
        file = next((scenario for scenario in self.source.scenarios if scenario.name == name), None)
        if not name:
            self.say("Nothing has been fired yet, so there is nothing to repair.")
        elif file is None:
            self.say(f"{name} is not served here: its repair is not known.")
        else:
            self._repair(_Meant(file, burst, count))

    def _repair(self, meant: _Meant) -> None:
        from loopviz.findings.table import of_burst, of_time  # noqa: PLC0415
        from loopviz.tui.screens.repair.plans import Refusals, declared, nothing  # noqa: PLC0415 - see `Opening`

        file, burst = meant.file, meant.burst
        now, lines = self.present, self.source.source_lines
        found: Sequence[Finding] = ()
        if meant.load is not None:
            found = of_time(self.timeline, now - _LATELY, now, lines)
        elif burst is not None:
            found = of_burst(self.timeline, burst, lines, now=now, repaired=file.facts.repaired)
        plan = declared(self.source, file, found)
        if isinstance(plan, Refusals):
            self.say(" ".join(plan.why), seconds=4)
        elif plan is not None:
            self._show([plan], meant)
        elif not found:
            self.say(nothing(file.name, burst, now, steady=meant.load is not None), seconds=4)
        else:
            self._make(meant, found)

    def _make(self, meant: _Meant, found: Sequence[Finding]) -> None:
        """Make the repairs in a thread: what parses the source takes a while to load."""
        from loopviz.tui.screens.repair.plans import Refusals, plans  # noqa: PLC0415

        lines = self.source.source_lines

        def work() -> None:
            made = plans(lines, meant.file, found)
            with suppress(RuntimeError):  # the program ends
                if isinstance(made, Refusals):
                    self.call_from_thread(self.say, " ".join(made.why), 8)
                else:
                    self.call_from_thread(self._show, made, meant)

        self._making = threading.Thread(target=work, name="loopviz repair", daemon=True)
        self._making.start()

    def _show(self, made: Sequence[object], meant: _Meant) -> None:
        from loopviz.tui.screens.repair import Repair  # noqa: PLC0415
        from loopviz.tui.screens.repair.plans import Plan  # noqa: PLC0415

        if isinstance(self.screen, MainScreen):
            plans = [plan for plan in made if isinstance(plan, Plan)]
            self.push_screen(Repair(self, plans, meant.burst, meant.count, meant.load))
