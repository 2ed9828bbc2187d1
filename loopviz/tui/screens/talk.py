"""The stage: a talk's steps, one after the other, each predicted, fired and explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.clock import NS, now_ns
from loopviz.draw import words
from loopviz.model import Burst
from loopviz.scenario import THREAD_LIMIT, ScenarioFile
from loopviz.talk import Note, Phase, Progress, Question, Talk
from loopviz.tui.bindings import bindings
from loopviz.tui.expectation import answers, question
from loopviz.tui.host import Firer
from loopviz.tui.keymap import written
from loopviz.tui.posters import Posters, requests_of
from loopviz.tui.scene import Stage
from loopviz.tui.surface import Surface

__all__ = ["Lecture", "TalkScreen"]

_BADGE = 1_500_000_000
"""How long a pressed key is shown (ns)."""


@dataclass(frozen=True, slots=True)
class Lecture:
    """A talk that is held: how, and with which scenarios."""

    talk: Talk
    files: Mapping[Path, ScenarioFile]
    """The scenario of each file that the talk names."""
    first: int = 1
    """The step to begin with."""
    play: float | None = None
    """If it plays by itself: for how many seconds it shows what stands still. Then it ends the program."""
    publish: Callable[[Note], None] | None = None
    """Called after each change of the step or its phase."""


class TalkScreen(Screen[None]):
    """A talk. It fires its scenarios on the server of the application behind it."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings("talk")
    DEFAULT_CSS = "TalkScreen { width: 100%; height: 100%; background: $background; }"

    def __init__(self, host: Firer, lecture: Lecture) -> None:
        super().__init__()
        self.progress = Progress(lecture.talk, lecture.first)
        self.surface = Surface()
        self._host = host
        self._lecture = lecture
        self._stage = Stage(host.palette)
        self._fired: int | None = None
        self._burst: Burst | None = None
        self._posters = Posters(host, lecture.files)
        self._badge, self._badge_until = "", 0
        self._seen: tuple[int, Phase] | None = None
        self._since = self._entered = self._began = 0
        self._now = now_ns()

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    # -- frames --------------------------------------------------------------------------------

    def follow(self, now: int) -> None:
        """One frame."""
        self._now = now
        self._look(now)
        seen = self.progress.position, self.progress.phase
        if self._seen is None or self._seen[0] != seen[0]:
            self._entered = now
            self._began = self._began or now
        if self._seen != seen:
            self._seen, self._since = seen, now
            if self._lecture.publish is not None:
                self._lecture.publish(Note.of(self.progress, self._began, self._entered))
        if self._lecture.play is not None and self._still(now):
            self._go_on()
        width, height = self.surface.size
        if width > 0 and height > 0:
            poster = self._posters.poster(self.progress, self._burst, now)
            poster.badge = self._badge if now < self._badge_until else ""
            self.surface.show(self._stage.compose(self._host.timeline, poster, now, width, height))

    def _look(self, now: int) -> None:
        """Find the burst that was fired, and whether it is over."""
        if self._fired is None or self.progress.phase is not Phase.RUNNING:
            return
        if self._burst is None:
            burst, file = self._host.timeline.newest_burst(now), self._posters.file(self.progress.step)
            if burst is not None and file is not None and burst.scenario == file.name:
                self._burst = burst if burst.fired >= self._fired else None
        if self._burst is None and self._host.view.asked is None:
            # It could not be fired: the notice says why.
            if self._lecture.play is None:
                self.progress.go(self.progress.position)
            else:
                self.progress.over()
        elif self._burst is not None and self._burst.over(now):
            self.progress.over()

    # -- actions -------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Show the key; a digit answers the question, or goes to a step."""
        self._badge, self._badge_until = written(event.key), self._now + _BADGE
        if event.key in set("123456789"):
            event.stop()
            number = int(event.key)
            if not self.progress.guess(number):
                self._go(lambda: self.progress.go(number))

    def action_next(self) -> None:
        """Ask, fire, or go to the next step."""
        before = self.progress.position
        if self.progress.advance():
            self._fire()
        elif self.progress.position != before:
            self._forget()

    def action_back(self) -> None:
        """Go to the beginning of this step, or to the previous one."""
        self._go(self.progress.back)

    def action_step(self, by: int) -> None:
        """Go to the previous or next step at once."""
        self._go(lambda: self.progress.go(self.progress.position + by))

    def action_again(self) -> None:
        """Fire this step again."""
        if self.progress.again():
            self._fire()

    def action_predict(self) -> None:
        """Ask how long it takes, at a step that asks nothing."""
        file, limit = self._posters.file(self.progress.step), self.progress.step.threads or THREAD_LIMIT
        if file is None or self.progress.question is not None or self.progress.phase is not Phase.CODE:
            return
        requests = requests_of(self.progress.step, file)
        times = answers(file.facts, requests, limit)
        self.progress.ask(Question(question(requests), tuple(map(words.ordinary, times))))

    def _go(self, where: Callable[[], object]) -> None:
        where()
        self._forget()

    def _forget(self) -> None:
        """Show nothing of what was fired before, and give it up."""
        if self._fired is not None:
            self._host.source.give_up()
        self._fired = self._burst = None

    def _fire(self) -> None:
        file, step, host = self._posters.file(self.progress.step), self.progress.step, self._host
        if file is None:
            return
        self._forget()
        threads = step.threads or THREAD_LIMIT
        if host.view.threads != threads:
            host.view.threads = threads
            host.source.set_threads(threads)
        self._fired = self._now
        host.view.asked = None
        host.fire(file, requests_of(self.progress.step, file))

    # -- playing by itself -----------------------------------------------------------------------

    def _still(self, now: int) -> bool:
        """Whether what stands still was shown for long enough."""
        return self.progress.phase is not Phase.RUNNING and now - self._since > (self._lecture.play or 0) * NS

    def _go_on(self) -> None:
        if self.progress.ended:
            self._host.exit(0)
        else:
            self.action_next()
