"""What the stage shows of a talk's step: from the talk, the timeline and the keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.draw.raster import code_of
from loopviz.draw.safe import printable
from loopviz.draw.story import story
from loopviz.draw.verdict import Verdicts
from loopviz.model import Burst
from loopviz.scenario import ScenarioFile
from loopviz.talk import Phase, Progress, Step
from loopviz.talk.slide import endpoint
from loopviz.tui.clock import BurstClock
from loopviz.tui.host import Firer
from loopviz.tui.scene import Poster

__all__ = ["Posters", "requests_of"]


def requests_of(step: Step, file: ScenarioFile) -> int:
    """How many requests a step fires."""
    return step.requests or file.facts.requests


class Posters:
    """Makes a poster for each frame."""

    def __init__(self, host: Firer, files: Mapping[Path, ScenarioFile]) -> None:
        self._host = host
        self._files = files
        self._clock = BurstClock(host.timeline, lambda: host.source.scenarios)
        self._verdicts = Verdicts()

    def file(self, step: Step) -> ScenarioFile | None:
        """The scenario of a step; None if it has none."""
        return self._files.get(step.file) if step.file is not None else None

    def poster(self, progress: Progress, burst: Burst | None, now: int) -> Poster:
        """What is shown; `burst` is what the step has fired."""
        step, host = progress.step, self._host
        file = self.file(step)
        shown = progress.phase in {Phase.RUNNING, Phase.OVER}
        poster = Poster(
            place=f"{progress.position} of {len(progress.talk.steps)}",
            headline=step.headline,
            hint=self._hint(progress),
        )
        if file is not None:
            if progress.question is not None and not shown:
                poster.headline = file.name  # the headline would give the answer away
            poster.name = printable(f"{file.name}  {file.facts.title}")
            requests = words.count(requests_of(step, file), "request")
            poster.load = f"{requests} · {words.count(host.view.threads, 'thread')}"
            if step.view != "picture":
                poster.code = endpoint(host.source.source_lines(str(file.file.resolve())))
        if progress.phase is Phase.QUESTION and progress.question is not None:
            poster.question, poster.choices = progress.question.text, progress.question.choices
            poster.guess = progress.guesses.get(progress.position, 0)
        if shown and file is not None:
            poster.picture = step.view != "code"
            self._add_burst(poster, step, burst, now)
            poster.live = self._live(file, burst, now)
            poster.sentences, poster.mood = self._sentences(progress, file, burst, now)
        if host.view.notice:
            poster.sentences, poster.mood = [host.view.notice], "dim"
        return poster

    def _add_burst(self, poster: Poster, step: Step, burst: Burst | None, now: int) -> None:
        clock = self._clock.at(burst.fired, now) if burst is not None else None
        if clock is not None:
            poster.burst = burst
            poster.window = _grown(step.window, burst, now) or clock.window
            poster.expected = clock.expected.ns if clock.expected is not None else 0

    def _live(self, file: ScenarioFile, burst: Burst | None, now: int) -> dict[int, Counter[str]]:
        """For each line of the file, in which states the requests of the burst are there."""
        found: dict[int, Counter[str]] = {}
        threshold, name = self._host.timeline.threshold, str(file.file.resolve())
        for request in burst.requests if burst is not None else ():
            segment = request.state_at(now)
            if segment is None or segment.where is None or segment.where.file != name:
                continue
            code = code_of(segment.state, now - segment.start, threshold)
            found.setdefault(segment.where.line, Counter())[code] += 1
        return found

    def _sentences(
        self, progress: Progress, file: ScenarioFile, burst: Burst | None, now: int
    ) -> tuple[list[str], words.Mood]:
        """What happens, or, when it is over, what was measured, what was guessed, and why."""
        asked = self._host.view.asked
        if burst is None or not burst.began:
            waits = asked.waits if asked is not None else None
            return [f"{file.name} is sent when it is ready: {waits}." if waits else file.facts.expect], "dim"
        if not burst.over(now):
            mood, said = story(self._host.timeline, now, brief=True)
            return said, mood
        found = self._verdicts.of(self._host.timeline, burst, file.facts, now)
        predict = progress.question
        guess = progress.guesses.get(progress.position, 0)
        if predict is None or not guess:
            return [found.measured, *filter(None, [found.why])], found.mood
        right = f" The answer: {predict.answer}." if predict.answer else ""
        you = f"You said {predict.choices[guess - 1]}.{right}"
        return [found.measured, you, *filter(None, [found.why])], found.mood

    def _hint(self, progress: Progress) -> str:
        """What the keys do now."""
        keys, phase, asked = self._host.keys, progress.phase, progress.question
        if phase is Phase.CODE and asked is not None:
            what = "ask the room"
        elif phase in {Phase.CODE, Phase.QUESTION} and progress.step.file is not None:
            what = "fire"
        else:
            what = "next step" if progress.following else "the end"
        running = phase is Phase.RUNNING
        parts = ["running …" if running else f"{keys.shown('talk.next')} {what}"]
        if phase is Phase.QUESTION and asked is not None and asked.choices:
            parts.append(f"1–{len(asked.choices)} what the room says")
        if running or phase is Phase.OVER:
            parts.append(f"{keys.shown('talk.again')} again")
        parts.append(f"{keys.shown('talk.back')} back")
        parts.append(f"{keys.shown('talk.close')} picture")
        return "  ".join(parts)


def _grown(seconds: float | None, burst: Burst | None, now: int) -> int:
    """The window that a step asks for (ns), doubled until the burst has room; 0 if it asks for none."""
    window = int((seconds or 0) * NS)
    while burst is not None and 0 < window < burst.makespan(now):
        window *= 2
    return window
