"""Timelines to export: one with everything in it, and one with hostile texts."""

from __future__ import annotations

from loopviz.draw.theme import Theme
from loopviz.draw.themes import DARK
from loopviz.export import FORMATS, Caption, Framing, Material, Window
from loopviz.model import Timeline
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.streams import (
    accepted,
    call,
    cpu,
    end,
    feed,
    holds,
    idle,
    iteration,
    made,
    ns,
    read,
    responded,
    returns,
    sent,
    status,
    step,
    suspend,
    thread,
    timeline,
    token_wait,
    tokens,
    wake,
)

HOSTILE = (
    '</script><img src=x onerror="window.hacked=1">]]>&amp;\x1b[31m\x1b]0;t\x07\x00\u2028\u202e\ud800\ufffe=1'
)
"""Markup, an escape sequence, a window title, NUL, a line separator, an override, a noncharacter."""


def busy() -> Timeline:
    """A block that delays a request; a call that waited for a thread; a process; work after a response."""
    line = timeline(
        thread(0, 1, "loop"),
        thread(0, 2),
        thread(0, 3, "process"),
        cpu(0, 1, 0),
        tokens(0, 1, 0, 0),
        # 1 blocks the loop from 2 ms to 302 ms, and 2 cannot run meanwhile
        accepted(1, 1, 0),
        sent(10, 2),
        cpu(50, 1, 1),
        holds(60, 1, since=2, line=14, calls="time.sleep"),
        cpu(250, 1, 2),
        status(302, 200),
        responded(302),
        suspend(302, 1, due=350),
        iteration(302.5),
        read(303, 2, 2),
        made(303, 2, 2),
        step(304, 2),
        token_wait(305, 2),
        suspend(305, 2),
        tokens(305, 1, 1, 1),
        idle(306),
        iteration(350),
        step(351, 1),
        end(352, 1),
        tokens(352, 1, 1, 0),
        idle(352.5),
        call(353, 1, 2, 2, 2),
        returns(453, 1),
        tokens(453, 1, 0, 0),
        iteration(453.5),
        wake(454, 2),
        step(455, 2),
        call(456, 2, 2, 2, 3),
        suspend(457, 2),
        idle(457.5),
        returns(500, 2),
        iteration(500.5),
        wake(501, 2),
        step(502, 2),
        status(503, 500, 2),
        responded(503, 2),
        end(504, 2),
        idle(505),
    )
    feed(line, [sent(506, 3)])  # is never answered
    feed(line, [idle(520)])
    return line


def hostile(recorded: str = HOSTILE) -> Timeline:
    """The same text in every field that is a text."""
    events: list[Event] = [
        (ns(0), ev.SENT, 1, recorded, recorded),
        (ns(0), ev.THREAD, 2, "worker"),
        (ns(1), ev.READ, 1, recorded, recorded, 0),
        (ns(1), ev.TASK, 1, 0, 1, recorded),
        (ns(2), ev.STEP, 1),
        (ns(50), ev.HOLDS, 1, ns(2), recorded, 3, recorded, recorded),
        (ns(200), ev.YIELD, 1, recorded, 0),
        (ns(201), ev.CALL, 1, 1, 1, 2, recorded, 4, recorded),
        (ns(260), ev.RETURN, 1),
        (ns(261), ev.WAKE, 1),
        (ns(262), ev.STEP, 1),
        (ns(263), ev.RAISED, 1, recorded, recorded),
        (ns(264), ev.RESPONDED, 1),
        (ns(265), ev.END, 1),
        (ns(265), ev.IDLE),
    ]
    line = Timeline()
    line.feed(events)
    return line


def material(line: Timeline, name: str = "a run", caption: Caption | None = None) -> Material:
    """The timeline, and the other facts that an export needs."""
    environment = {"python": "3.13", "gil": True}
    return Material(line, name, environment, limit=1, scenario="a run", caption=caption)


def export(
    line: Timeline,
    form: str,
    window: Window | None = None,
    name: str = "a run",
    *,
    caption: Caption | None = None,
    theme: Theme = DARK,
    ratio: tuple[int, int] | None = None,
) -> str:
    """The whole text of an export."""
    return "".join(FORMATS[form][1](material(line, name, caption), Framing(window, theme, ratio)))
