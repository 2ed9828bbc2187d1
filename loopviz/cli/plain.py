"""``--plain``: a server, or a recording, in plain sentences in place of the picture. It needs no terminal."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from loopviz.errors import InputError

if TYPE_CHECKING:
    from loopviz.cli.orders import Lines, Orders
    from loopviz.draw.narrate import Narrator
    from loopviz.live.session import Session
    from loopviz.recording.replay import Replay
    from loopviz.scenario import ScenarioFile
    from loopviz.stream.events import Event
    from loopviz.target import Application

__all__ = ["Narration", "add_plain", "attached", "narrator_for", "recorded", "served"]

_LOOK = 0.05
"""How often it looks for events and lines (s)."""
_HELD_BACK = 70_000_000
"""All events that are older than this (ns) have been drained: the source holds back those of 50 ms."""
_CATCH_UP = 0.2
"""The longest wait for the last events of another process (s)."""


def add_plain(parser: argparse.ArgumentParser) -> None:
    """``--plain``."""
    parser.add_argument(
        "--plain",
        action="store_true",
        help="plain sentences in place of the picture, for screen readers and logs; needs no terminal",
    )


def narrator_for(source: Any) -> Narrator:
    """What says in sentences what happens in this source."""
    from loopviz.cli.voice import facts_of
    from loopviz.draw.narrate import Narrator

    return Narrator(facts_of(source), gil=source.environment.gil)


class Narration:
    """Says what happens in a run while it is measured; on `stream`."""

    def __init__(self, options: argparse.Namespace, stream: TextIO) -> None:
        from loopviz.cli.console import palette_for
        from loopviz.cli.voice import Voice

        self._voice = Voice(palette_for(options), stream)
        self._narrator: Narrator | None = None

    def begin(self, session: Session) -> None:
        """Say what happens in this session."""
        self._narrator = narrator_for(session)

    def tap(self, events: list[Event]) -> None:
        """Take in events of it, as they come; to be called often."""
        from loopviz.clock import now_ns

        if self._narrator is not None:
            self._voice.narrate(self._narrator.take(events, now_ns() - _HELD_BACK))
            self._voice.check()

    def end(self, now: int) -> None:
        """It is over; or was interrupted at `now` (ns)."""
        if self._narrator is not None:
            self._voice.narrate(self._narrator.finish(now))


def recorded(source: Replay, options: argparse.Namespace) -> int:
    """Say what was recorded, as fast as it can be read; the exit code."""
    from loopviz.cli.console import palette_for
    from loopviz.cli.voice import Voice
    from loopviz.recording.carried import carry

    voice, narrator = Voice(palette_for(options)), narrator_for(source)
    carry(narrator.timeline, source.recording.header)
    while not source.ended:
        voice.narrate(narrator.take(source.drain()))
    voice.narrate(narrator.finish())
    return 0


def served(options: argparse.Namespace, own: Application | None, paths: Any, place: Any) -> int:
    """Serve scenarios, or an application of the user's `own`, and say what happens; the exit code."""
    from loopviz.cli.importing import importing
    from loopviz.cli.orders import Lines, complain
    from loopviz.cli.own import notice, session_for
    from loopviz.cli.recorded import print_recorded
    from loopviz.live.session import leave
    from loopviz.scenario import read

    files: Any = []
    if own is None:
        with importing() as reading:
            files = read(paths, reading, tolerant=True)
    session = session_for(own, files, options, lazily=True)
    recorder = None
    try:
        if own is not None and (said := notice(own)):
            complain(said)
        recorder = None if place is None else session.record(place)
        with Lines() as lines:
            session.start()
            code = _narrated(session, options, lines, own)
    except InputError:
        if recorder is not None:
            place.discard()
        raise
    finally:
        session.end_recording()
        ended = session.stop()
    if recorder is not None:
        code = print_recorded(options.record, recorder.events, recorder.dropped, recorder.failed) or code
    if not ended:
        leave(code)
    return code


def attached(source: Any, options: argparse.Namespace, place: Any, output: str | None) -> int:
    """Say what happens in a server that others have started; the exit code."""
    from loopviz.cli.orders import Lines
    from loopviz.cli.recorded import print_recorded

    recorder = None
    try:
        recorder = None if place is None else source.record(place)
        with Lines() as lines:
            source.start()
            code = _narrated(source, options, lines, fires=False)
    finally:
        source.stop()
        source.drain()
        source.end_recording()
    if recorder is not None and output is not None:
        code = print_recorded(output, recorder.events, recorder.dropped, recorder.failed) or code
    return code


def _narrated(
    source: Any,
    options: argparse.Namespace,
    lines: Lines,
    own: Application | None = None,
    *,
    fires: bool = True,
) -> int:
    """Say what happens until there is a signal, or the user quits; the exit code."""
    from loopviz.cli.console import palette_for
    from loopviz.cli.interruption import Interruption
    from loopviz.cli.orders import Orders
    from loopviz.cli.voice import Voice
    from loopviz.clock import now_ns
    from loopviz.draw.words import one_line
    from loopviz.stream.blind import nothing_visible

    voice, narrator = Voice(palette_for(options)), narrator_for(source)

    def route(line: str) -> ScenarioFile:
        from loopviz.target import asked_for

        if own is None:
            raise InputError(f"{line!r} cannot be fired here.")
        return asked_for(own, source.scenarios, line)

    orders = Orders(source, voice.say, getattr(options, "requests", None), route, fires=fires)
    source.wait()
    with Interruption() as asked:
        voice.say(_beginning(source))
        unseen = nothing_visible(source.blind)
        if unseen is not None:
            voice.say(one_line(unseen))
        if not lines.over:
            voice.say(orders.hint())
        over = ""
        while not (asked.is_set() or over):
            present = now_ns()
            voice.narrate(narrator.take(source.drain(), present - _HELD_BACK))
            over = _over(source) or ("q" if not _obeyed(lines, orders) else "")
            voice.check()
            asked.wait(_LOOK)
        with suppress(AttributeError):  # only a session can be asked to
            source.catch_up(_CATCH_UP)
        drain = getattr(source, "drain_all", source.drain)
        voice.narrate(narrator.take(drain()))
        voice.narrate(narrator.finish(now_ns()))
        if over and over != "q":
            voice.say(over)
    return 1 if over and over != "q" else 0


def _beginning(source: Any) -> str:
    """What is served, where and by what."""
    environment = source.environment
    what = source.application or ("the scenarios" if source.scenarios else "a server")
    at = f" at {source.address}" if source.address else ""
    return (
        f"loopviz watches {what}{at}, {source.mode}: Python {environment.python}, {environment.event_loop}. "
        "Times are seconds since the first request."
    )


def _obeyed(lines: Lines, orders: Orders) -> bool:
    """Do what was typed; whether it goes on."""
    orders.look()
    new = lines.new() if orders.idle else []  # else those before have to wait, and so have these
    return orders.follow(new) and not (lines.over and lines.terminal and orders.idle)


def _over(source: Any) -> str:
    """Why the server has ended; empty if it has not."""
    from loopviz.draw.safe import printable

    if source.stopped is not None:
        return f"loopviz: {printable(source.stopped, 2_000)}"
    if source.death is not None:
        last = f" Its last line: {printable(source.death.tail[-1], 500)}" if source.death.tail else ""
        return f"The server's process has ended: {printable(source.death.how)}.{last}"
    return ""
