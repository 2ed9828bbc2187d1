"""The stage: a talk's steps, one after the other, each predicted, fired and explained."""

from __future__ import annotations

from collections import Counter
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
from loopviz.draw.raster import code_of
from loopviz.draw.safe import printable
from loopviz.draw.story import story
from loopviz.model import Burst
from loopviz.scenario import THREAD_LIMIT, ScenarioFile
from loopviz.talk import Note, Phase, Progress, Question, Talk
from loopviz.talk.slide import endpoint
from loopviz.tui.bindings import bindings
from loopviz.tui.clock import BurstClock
from loopviz.tui.expectation import answers, question
from loopviz.tui.host import Firer
from loopviz.tui.keymap import written
from loopviz.tui.scene import Line, Poster, Stage
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
        self._clock = BurstClock(host.timeline, lambda: host.source.scenarios)
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
            self.surface.show(self._lines(now, width, height))

    def _look(self, now: int) -> None:
        """Find the burst that was fired, and whether it is over."""
        if self._fired is None:
            return
        burst = self._host.timeline.newest_burst(now)
        if burst is None or burst.fired < self._fired:
            return
        self._burst = burst
        if burst.over(now):
            self.progress.over()

    def _lines(self, now: int, width: int, height: int) -> list[Line]:
        poster = self._poster(now)
        return self._stage.compose(self._host.timeline, poster, now, width, height)

    def _poster(self, now: int) -> Poster:
        progress, step, file = self.progress, self.progress.step, self._file
        total = len(progress.talk.steps)
        shown = progress.phase in {Phase.RUNNING, Phase.OVER}
        spoils = progress.question is not None and not shown and file is not None
        poster = Poster(
            place=f"{progress.position} of {total}",
            headline=file.name if spoils and file is not None else step.headline,
            hint=self._hint(),
            badge=self._badge if now < self._badge_until else "",
        )
        if file is not None:
            poster.name = printable(f"{file.name}  {file.facts.title}")
            limit = self._host.view.threads
            poster.load = f"{words.count(self._requests(file), 'request')} · {words.count(limit, 'thread')}"
            if step.view != "picture":
                poster.code = endpoint(self._host.source.source_lines(str(file.file.resolve())))
        if progress.phase is Phase.QUESTION and progress.question is not None:
            poster.question, poster.choices = progress.question.text, progress.question.choices
            poster.guess = progress.guesses.get(progress.position, 0)
        if shown and file is not None:
            poster.picture = step.view != "code"
            poster.burst = self._burst
            clock = self._clock.at(now, now) if self._burst is not None else None
            if clock is not None:
                poster.window = _grown(step.window, self._burst, now) or clock.window
                poster.expected = clock.expected.ns if clock.expected is not None else 0
            poster.live = self._live(file, now)
            poster.sentences, poster.good = self._sentences(now)
        if self._host.view.notice:
            poster.sentences, poster.good = [self._host.view.notice], False
        return poster

    def _live(self, file: ScenarioFile, now: int) -> dict[int, Counter[str]]:
        """For each line of the file, in which states the requests of the burst are there."""
        found: dict[int, Counter[str]] = {}
        timeline, name = self._host.timeline, str(file.file.resolve())
        for request in self._burst.requests if self._burst is not None else ():
            segment = request.state_at(now)
            if segment is None or segment.where is None or segment.where.file != name:
                continue
            code = code_of(segment.state, now - segment.start, timeline.threshold)
            found.setdefault(segment.where.line, Counter())[code] += 1
        return found

    def _sentences(self, now: int) -> tuple[list[str], bool]:
        """What happens, or, when it is over, what was measured and what was guessed."""
        burst, predict = self._burst, self.progress.question
        if burst is None or not burst.over(now):
            mood, said = story(self._host.timeline, now, brief=True)
            return said, mood != "alarm"
        took = f"{words.count(burst.count, 'request')} in {words.duration(burst.makespan(now))}."
        if predict is None:
            return [took], True
        guess = self.progress.guesses.get(self.progress.position, 0)
        you = f" You said {predict.choices[guess - 1]}." if guess else ""
        right = f" The answer: {predict.answer}." if predict.answer else ""
        wrong = bool(guess and predict.answer and predict.choices[guess - 1] != predict.answer)
        return [f"{took}{you}{right}"], not wrong

    def _hint(self) -> str:
        """What the keys do now."""
        keys, progress = self._host.keys, self.progress
        step, phase = progress.step, progress.phase
        if phase is Phase.CODE and progress.question is not None:
            what = "ask the room"
        elif phase is Phase.RUNNING:
            what = ""
        elif phase in {Phase.CODE, Phase.QUESTION} and step.file is not None:
            what = "fire"
        else:
            what = "next step" if progress.following else "the end"
        parts = [f"{keys.shown('talk.next')} {what}"] if what else ["running …"]
        if phase is Phase.QUESTION and progress.question is not None and progress.question.choices:
            parts.append(f"1–{len(progress.question.choices)} what the room says")
        if phase in {Phase.RUNNING, Phase.OVER}:
            parts.append(f"{keys.shown('talk.again')} again")
        parts.append(f"{keys.shown('talk.back')} back")
        parts.append(f"{keys.shown('talk.close')} picture")
        return "  ".join(parts)

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
        """Go to the next or previous step at once."""
        self._go(lambda: self.progress.go(self.progress.position + by))

    def action_again(self) -> None:
        """Fire this step again."""
        if self.progress.again():
            self._fire()

    def action_predict(self) -> None:
        """Ask how long it takes, at a step that asks nothing."""
        file, limit = self._file, self.progress.step.threads or THREAD_LIMIT
        if file is None or self.progress.question is not None or self.progress.phase is not Phase.CODE:
            return
        requests = self._requests(file)
        times = answers(file.facts, requests, limit)
        self.progress.ask(Question(question(requests), tuple(map(words.duration, times))))

    def _go(self, where: Callable[[], object]) -> None:
        where()
        self._forget()

    def _forget(self) -> None:
        """Show nothing of what was fired before, and give it up."""
        if self._fired is not None:
            self._host.source.give_up()
        self._fired = self._burst = None

    def _fire(self) -> None:
        file, step, host = self._file, self.progress.step, self._host
        if file is None:
            return
        self._forget()
        threads = step.threads or THREAD_LIMIT
        if host.view.threads != threads:
            host.view.threads = threads
            host.source.set_threads(threads)
        self._fired = self._now
        host.fire(file, self._requests(file))

    # -- playing by itself -----------------------------------------------------------------------

    def _still(self, now: int) -> bool:
        """Whether what stands still was shown for long enough."""
        return self.progress.phase is not Phase.RUNNING and now - self._since > (self._lecture.play or 0) * NS

    def _go_on(self) -> None:
        if self.progress.ended:
            self._host.exit(0)
        else:
            self.action_next()

    # -- the step's scenario -------------------------------------------------------------------

    @property
    def _file(self) -> ScenarioFile | None:
        path = self.progress.step.file
        return self._lecture.files.get(path) if path is not None else None

    def _requests(self, file: ScenarioFile) -> int:
        return self.progress.step.requests or file.facts.requests


def _grown(seconds: float | None, burst: Burst | None, now: int) -> int:
    """The window that a step asks for (ns), doubled until the burst has room; 0 if it asks for none."""
    window = int((seconds or 0) * NS)
    while burst is not None and 0 < window < burst.makespan(now):
        window *= 2
    return window
