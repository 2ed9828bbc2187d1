"""Where the server runs: move it, start it again when its process has ended, and show what it writes."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.draw import serving
from loopviz.scenario import ScenarioFile
from loopviz.stream.source import Death
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.aside import Aside
from loopviz.tui.screens.main import MainScreen

__all__ = ["Serving"]


class Serving(PictureApp):
    """The actions on the server's process."""

    aside: Aside
    _died: Death | None = None
    """The end that the picture shows."""
    _listed: tuple[Sequence[ScenarioFile], str] | None = None
    """What is in the list of scenarios."""
    _read = 0
    """How many lines of the application were there when they were looked at last."""

    def action_move(self) -> None:
        """Move the server to a process of its own, or back into a thread of this program."""
        if not self.needs_server():
            return
        mode = self.source.mode
        moving = self.source.move()
        if moving is None:
            self.say("The server stays where it is: it cannot be moved from here.", seconds=4)
            return
        self.pending.add(moving, serving.moved(mode))
        self.say(serving.moving(mode), seconds=10)

    def action_restart(self) -> None:
        """Start the server's process again, if it has ended."""
        if not self.needs_server():
            return
        starting = self.source.restart() if self.source.death is not None else None
        if starting is None:
            ended = "cannot be started again from here" if self.source.death is not None else "has not ended"
            self.say(f"The server {ended}.", seconds=4)
            return
        self.pending.add(starting, "The server's process was started again.")
        self.say("The server's process is started again.", seconds=10)

    def action_output(self) -> None:
        """Show what the application writes, or hide it."""
        if isinstance(self.screen, MainScreen) and self.needs_server():
            self.screen.toggle_output()

    def output(self) -> tuple[int, Sequence[str]]:
        """What the application has written; without a process of its own, what this program has."""
        written = self.source.written
        if written or not self.aside.written:
            return written, self.source.output()
        return self.aside.written, self.aside.lines()[0]

    def follow_server(self) -> None:
        """Show where the server is, what it offers, how its process has ended, what it has written."""
        main, death = self.screen_stack[0], self.source.death
        if not isinstance(main, MainScreen):
            return
        self._follow_facts(main)
        if death is not self._died:
            self._died = death
            if death is not None:
                self.hush()
                self.source.give_up()
                if death.tail:
                    main.show_output()
        written = self.source.written
        if main.output.display:
            self._read = written
        self.view.unread = max(0, written - self._read)

    def _follow_facts(self, main: MainScreen) -> None:
        """The routes of an application, and where it is served, are known only when it serves."""
        before = self.scene.facts
        self.refresh_facts()
        facts = self.scene.facts
        if facts == before:
            self.scene.facts = before  # what was made of it is still right
        # At first as well: they may have become known since the list was made.
        if self._listed != (facts.scenarios, facts.address):
            main.catalogue.show(facts.scenarios, facts.address)
        self._listed = (facts.scenarios, facts.address)
