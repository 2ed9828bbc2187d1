"""Fire scenarios, and change how many requests there are."""

from __future__ import annotations

from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.giving_up import given_up
from loopviz.draw.words import one_line
from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile
from loopviz.tui.actions.knobs import Knobs
from loopviz.tui.asked import Asked
from loopviz.tui.keymap import Keys
from loopviz.tui.screens.prompt import RequestPrompt

__all__ = ["Firing"]


class Firing(Knobs):
    """The actions that change what the server has to do."""

    def fire(self, file: ScenarioFile, requests: int | None = None) -> None:
        """Fire a scenario, and show the present.

        `requests` is how many; without it, as many as were asked for, or the scenario's own number.
        """
        if file.missing:
            self.say(f"{file.name} needs {', '.join(file.missing)}: {file.install}")
            return
        if file.lacking is not None and self.source.application is not None:
            self.edit_request(file, requests)
            return
        count = requests or self.view.count_of(file.facts.requests)
        asked = Asked(file, count, self.view.threads, now_ns())
        try:
            asked.answered = self.source.fire(file, count)
        except InputError as error:
            self.say(one_line(str(error)), seconds=8)
            return
        self.pending.add(asked.answered)
        self.view.asked = asked
        self.hush()
        if self.view.behind is not None:
            self.view.remember()
        self.view.follow()
        self.view.cursor = self.view.column_ns = None
        self.view.scrolls = self.view.load is not None

    def edit_request(self, file: ScenarioFile, requests: int | None = None) -> None:
        """Ask for the request of an application's route; then fire it, and remember the answer."""
        if self.source.application is None:
            self.say(f"{file.name} is a scenario: what it requests is in {file.file.name}.", seconds=4)
            return

        def answered(asked: ScenarioFile | None) -> None:
            if asked is None:
                return
            try:
                self.source.change_request(asked)
            except InputError as error:  # it is used, and not remembered
                self.say(one_line(str(error)), seconds=8)
            self.fire(asked, requests)

        self.push_screen(RequestPrompt(self.palette, file, self.keys), answered)

    def follow_asked(self) -> None:
        """Find out what the scenario that was fired last waits for, or whether it was refused."""
        asked = self.view.asked
        if asked is None:
            return
        asked.waits = self.source.preparing(asked.file.name)
        newest = self.timeline.newest_burst(self.present)
        asked.sent = asked.sent or (newest is not None and newest.fired >= asked.at)
        if asked.refused:
            self.view.asked = None

    def action_give_up(self) -> None:
        """Give up what was fired and is not answered: the client goes away, and nothing more is begun."""
        if not self.needs_client():
            return
        number = self.source.give_up()
        if number:
            self.say(lambda: given_up(self.timeline, self.present, number), seconds=5)
        else:
            self.say("Nothing is running that was fired here.")

    def action_more_requests(self) -> None:
        """Fire more requests at once from now on; while a load is sent, more of them a second."""
        self._count(1)

    def action_fewer_requests(self) -> None:
        """Fire fewer requests at once from now on; while a load is sent, fewer of them a second."""
        self._count(-1)

    def _count(self, by: int) -> None:
        """Take a step, if it changes how many requests a key or the last scenario fires; or of a load."""
        if not self.needs_client():
            return
        if self.source.load is not None:
            self.change_load(by)
            return
        view, newest = self.view, self.view.asked.file if self.view.asked is not None else None
        files = [file for file in self.source.scenarios if file.facts.key or file == newest]
        files = files or list(self.source.scenarios)
        before = [view.count_of(file.facts.requests) for file in files]
        view.steps += by
        if before == [view.count_of(file.facts.requests) for file in files]:
            view.steps -= by
        example = newest or (files[0] if files else None)
        if example is not None and view.requests is None:
            self.say(_steps(view.steps, example, view.count_of(example.facts.requests), self.keys))


def _steps(steps: int, file: ScenarioFile, count: int, keys: Keys) -> str:
    """How many requests are fired now, for example of a scenario."""
    own, every = f"{file.name} {count}", keys.said("every scenario")
    if not steps:
        return f"{every[:1].upper()}{every[1:]} has its own number of requests again: {own}."
    where = f"{words.count(abs(steps), 'step')} {'above' if steps > 0 else 'below'}"
    return f"{where} {every}'s own number of requests: {own} (own number {file.facts.requests})."
