"""A steady load: so many requests a second of one scenario, up and down; and health probes."""

from __future__ import annotations

from loopviz.draw import serving
from loopviz.draw.safe import printable
from loopviz.draw.words import one_line
from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile
from loopviz.stream.marked import OWN_ENDPOINT
from loopviz.tui.actions.base import PictureApp
from loopviz.tui.amounts import FIRST_RATE, neighbour_rate

__all__ = ["Loading"]


class Loading(PictureApp):
    """The actions of what is sent steadily."""

    def action_load(self) -> None:
        """Send requests of the selected or the last scenario steadily, or send no more."""
        if not self.needs_client():
            return
        load = self.source.load
        if load is not None:
            self._set_load(load.scenario, 0)
            self.say(serving.LOADED, seconds=4)
            return
        file = self._meant()
        if file is None:
            self.say(
                f"A load needs a {self.keys.said('scenario')}: fire one, or select one of its requests.", 4
            )
        else:
            self.begin_load(file, FIRST_RATE)

    def begin_load(self, file: ScenarioFile, per_second: float) -> None:
        """Send so many requests of it a second from now on, and show the present."""
        if not self._set_load(file, per_second):
            return
        view = self.view
        if view.behind is not None:
            view.remember()
        view.follow()
        view.cursor = view.column_ns = None
        view.scrolls = True
        more, fewer, end = (
            self.keys.shown(f"picture.{name}") for name in ("more-requests", "fewer-requests", "load")
        )
        name, often = printable(file.name, 40), serving.rate(per_second)
        self.say(f"{name}: {often}. {more} {fewer} change that, {end} ends it.", seconds=4)

    def change_load(self, by: int) -> None:
        """Send more requests a second (1), or fewer (-1)."""
        if (load := self.source.load) is not None:
            self._set_load(load.scenario, neighbour_rate(load.per_second, by))

    def follow_load(self) -> None:
        """Show what is sent steadily now."""
        self.view.load = self.source.load

    def action_health(self) -> None:
        """Send health probes, or no more."""
        if not self.needs_client():
            return
        try:
            self.source.set_probing(self.source.probing is None)
        except InputError as error:
            self.say(one_line(str(error)), seconds=8)
            return
        probing = self.source.probing
        if probing is None:
            self.say("No more health probes are sent.")
        else:
            key, own = self.keys.shown("picture.health"), probing.path == OWN_ENDPOINT
            where = "an endpoint of the server's own" if own else printable(probing.path, 60)
            fails = f"without an answer within {probing.timeout:g} s it has failed"
            self.say(f"Ten probes a second at {where}: {fails}. {key} ends them.", seconds=4)

    def _set_load(self, file: ScenarioFile, per_second: float) -> bool:
        """Whether it was accepted."""
        try:
            self.source.set_load(file, per_second)
        except InputError as error:
            self.say(one_line(str(error)), seconds=8)
            return False
        self.follow_load()
        return True

    def _meant(self) -> ScenarioFile | None:
        """The scenario of the selected request, or what was fired last; or the only one."""
        files, timeline = self.source.scenarios, self.timeline
        selected = timeline.requests.get(self.view.cursor or 0)
        if selected is not None:
            asked = (selected.method, selected.path)
            burst = timeline.burst_of(selected.id)
            for file in files:
                if (burst is not None and file.name == burst.scenario) or (file.method, file.path) == asked:
                    return file
        burst = timeline.newest_burst(self.view.moment)
        if (unsent := self.view.unsent(burst)) is not None:
            return unsent.file
        name = burst.scenario if burst is not None else ""
        return next((file for file in files if file.name == name or len(files) == 1), None)
