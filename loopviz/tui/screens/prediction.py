"""Predict first: what was fired is hidden behind a question until it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopviz.clock import now_ns
from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.scenario import ScenarioFile
from loopviz.talk.slide import endpoint
from loopviz.tui.bindings import bindings
from loopviz.tui.expectation import question
from loopviz.tui.host import Picture
from loopviz.tui.scene import Poster, Stage
from loopviz.tui.surface import Surface

__all__ = ["Prediction"]


class Prediction(Screen[int]):
    """The scenario with its code, and the question. Its result is the answer's position from 1, or 0."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings("prediction")
    CSS = "Prediction { background: $background; }"

    def __init__(self, picture: Picture, file: ScenarioFile, requests: int, times: Sequence[int]) -> None:
        """`times` are the answers (ns)."""
        super().__init__()
        self.surface = Surface()
        self._picture = picture
        self._stage = Stage(picture.palette)
        keys = picture.keys
        self._poster = Poster(
            place="predict",
            headline=printable(file.name, 40),
            name=printable(file.facts.title),
            load=f"{words.count(requests, 'request')} · {words.count(picture.view.threads, 'thread')}",
            code=endpoint(picture.source.source_lines(str(file.file.resolve()))),
            question=question(requests),
            choices=[words.ordinary(time) for time in times],
            hint=f"1–{len(times)} answer  {keys.shown('prediction.show')} show it without an answer",
        )

    def compose(self) -> ComposeResult:
        """One surface."""
        yield self.surface

    def on_mount(self) -> None:
        """Draw it."""
        self.follow(now_ns())

    def follow(self, now: int) -> None:
        """Draw it at the size of the terminal; the run goes on behind it."""
        width, height = self.surface.size
        if width > 0 and height > 0:
            self.surface.show(self._stage.compose(self._picture.timeline, self._poster, now, width, height))

    def on_key(self, event: events.Key) -> None:
        """Take a digit as the answer."""
        if event.key in set("1234") and int(event.key) <= len(self._poster.choices):
            event.stop()
            self.dismiss(int(event.key))

    def action_show(self) -> None:
        """Show the picture without an answer."""
        self.dismiss(0)
