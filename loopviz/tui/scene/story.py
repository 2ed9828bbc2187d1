"""The lines below the rows: one or two sentences on what happens, and why."""

from __future__ import annotations

from rich.segment import Segment

from loopviz.draw import incidents, words
from loopviz.draw.safe import printable
from loopviz.model import Timeline
from loopviz.stream.blind import nothing_visible
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Line, Pen
from loopviz.tui.view import View

__all__ = ["story_lines"]


def story_lines(pen: Pen, facts: Facts, timeline: Timeline, view: View, width: int) -> list[Line]:
    """Two lines, each sentence in one of its own if they fit."""
    if view.notice:
        style, alarming, sentences = pen.text, False, [view.notice]
    else:
        mood, sentences = words.story(timeline, view.moment, _invitation(facts), brief=width < 96)
        style, alarming = pen.palette.text(mood), mood == "alarm"
        if (unseen := nothing_visible(facts.blind)) is not None:
            style, alarming, sentences = pen.alarm, True, [printable(unseen, 400)]
        elif (ended := incidents.latest(timeline, view.moment)) is not None:
            style, alarming, sentences = pen.alarm, True, [ended, sentences[0]]
        if view.guessed and view.at is None:
            sentences = [view.guessed, *sentences[:1]]
        if view.change:
            # A block begins while all is calm: that this costs nothing is not about the block.
            calm = mood == "good" and view.changed is None
            sentences = [view.change] if calm else [view.change, sentences[0]]
    bar = "▌" if pen.palette.unicode else "|"
    lines: list[Line] = []
    for text in words.wrapped(sentences, width - 3, 2):
        body = pen.title if alarming and not lines else pen.text
        lines.append([Segment(f"{bar} ", style), Segment(text, body)])
    while len(lines) < 2:
        lines.append([Segment(f"{bar} ", style)])
    return lines


def _invitation(facts: Facts) -> str:
    keys = [f"{file.facts.key} {printable(file.name, 40)}" for file in facts.scenarios if file.facts.key]
    return (
        f"Press a letter to fire requests: {', '.join(keys)}."
        if keys
        else f"No scenario has a key. Press {facts.keys.shown('picture.scenarios')} to choose one."
    )
