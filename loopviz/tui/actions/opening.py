"""Open the other screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopviz.scenario import ScenarioFile
from loopviz.tui.actions.firing import Firing
from loopviz.tui.keys import Context
from loopviz.tui.screens.detail import Detail
from loopviz.tui.screens.help import Help
from loopviz.tui.screens.main import MainScreen

if TYPE_CHECKING:
    from loopviz.tui.screens.claim_text import Quiz
    from loopviz.tui.screens.claims import Experimenter

# Other screens are imported when they are opened: before the first frame each of them would delay it.

__all__ = ["Opening"]


_CONTEXTS: dict[str, Context] = {
    "Detail": "request", "Comparison": "comparison", "Repair": "repair", "Claims": "claims",
    "TalkScreen": "talk",
}  # fmt: skip
"""The screens where keys other than those of the picture work."""


_PICTURE: Context = "picture"


class Opening(Firing):
    """The actions that open a screen, or a part of one."""

    experimenter: Experimenter | None = None
    """Makes the laboratory for the claims, where a server can be started."""
    _quiz: Quiz | None = None

    def action_detail(self) -> None:
        """Open the selected request, or the last one; for an application, the list of routes."""
        number = self.view.cursor
        main = self.screen
        if number is None and self.scene.facts.has_routes and isinstance(main, MainScreen):
            main.open_catalogue()
            return
        if number is None:
            self.view.point(self.timeline, -1)
            number = self.view.cursor
        if number is None:
            self.say("There is no request yet.")
        elif number in self.timeline.requests:
            self.push_screen(Detail(self, number))

    def action_help(self) -> None:
        """Open the legend and the keys, those of this screen first."""
        context = _CONTEXTS.get(type(self.screen).__name__, _PICTURE)
        self.push_screen(Help(self, context))

    def action_catalogue(self) -> None:
        """Show the list of scenarios, or hide it."""
        if isinstance(self.screen, MainScreen) and self.needs_client():
            self.screen.toggle_catalogue()

    def action_compare(self) -> None:
        """Choose scenarios, and run them side by side."""
        if not self.needs_client():
            return
        from loopviz.tui.screens.pick import Pick  # noqa: PLC0415 - see above

        ready = [file for file in self.source.scenarios if file.servable]
        self.push_screen(Pick(self.palette, ready, self.keys), self._compare)

    def _compare(self, names: list[str] | None) -> None:
        known = {file.name: file for file in self.source.scenarios}
        chosen = [known[name] for name in names or () if name in known]
        if len(chosen) > 1:
            from loopviz.tui.screens.comparison import Comparison  # noqa: PLC0415 - see above

            self.push_screen(Comparison(self, chosen, self.action_compare))

    def action_claims(self) -> None:
        """Open the claims quiz."""
        if self.experimenter is None:
            self.say("Claims can only be tested where a server can be started.")
        else:
            from loopviz.tui.screens.claim_text import Quiz  # noqa: PLC0415 - see above
            from loopviz.tui.screens.claims import Claims  # noqa: PLC0415

            self._quiz = self._quiz or Quiz()
            self.push_screen(Claims(self, self.experimenter, self._quiz), self._fire_live)

    def _fire_live(self, file: ScenarioFile | None) -> None:
        if file is not None:
            self.fire(file)
