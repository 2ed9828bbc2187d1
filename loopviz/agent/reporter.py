"""The thread that sends what the probe has seen to those who watch, and does what they ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from loopviz.agent.viewer import Viewer
from loopviz.errors import InputError
from loopviz.stream.events import Event
from loopviz.wire.frames import Message, WireError, encode
from loopviz.wire.messages import BLIND, CALL, EVENTS, HEARTBEAT, REPLY

if TYPE_CHECKING:  # its module loads more than a server that is attached to should have to
    from loopviz.stream.source import Vitals

__all__ = ["PERIOD", "Calls", "Reporter"]

PERIOD: Final = 0.016
"""Seconds between two looks at the buffer: about a frame of the picture."""

Calls = Mapping[str, Callable[..., Any]]
"""What viewers may call, by name. A result that is a future is replied to when it is done."""


class Reporter:
    """Reports to every viewer, in a daemon thread.

    `take()` returns the new events, `vitals()` the probe's figures and `blind()` what it cannot see. It never
    waits for a viewer.
    """

    def __init__(
        self,
        take: Callable[[], list[Event]],
        vitals: Callable[[], Vitals],
        blind: Callable[[], list[tuple[str, str]]],
        calls: Calls,
    ) -> None:
        self._take = take
        self._vitals = vitals
        self._blind = blind
        self._calls = calls
        self.viewers: list[Viewer] = []
        self._new: list[tuple[Viewer, tuple[Message, ...]]] = []
        self._messages: list[Message] = []
        self._replies: list[tuple[Viewer, Message]] = []
        self._said = 0.0
        self._blind_before: list[tuple[str, str]] = []
        self._running = threading.Lock()
        self._running.acquire()
        self._thread = threading.Thread(target=self._run, name="loopviz reporter", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def native(self) -> int:
        """The number that its thread has in the operating system; 0 before it has started."""
        return self._thread.native_id or 0

    def stop(self) -> None:
        """Send what is left, and end; waits a second at most."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._running.release()
            self._thread.join(1.0)

    def add(self, viewer: Viewer, *first: Message) -> None:
        """Report to one more viewer from now on; these messages come first. May be called in any thread."""
        self._new.append((viewer, first))

    def say(self, message: Message) -> None:
        """Send a message to all viewers. May be called in any thread."""
        self._messages.append(message)

    def _run(self) -> None:
        while not self._running.acquire(timeout=PERIOD):
            self._round()
        self._round()

    def _round(self) -> None:
        while self._new:
            viewer, first = self._new.pop(0)
            self.viewers.append(viewer)
            for message in (*first, (BLIND, self._pairs())):
                self._attempt(viewer, partial(viewer.send, message))
        for viewer in list(self.viewers):
            self._attempt(viewer, partial(self._listen, viewer))
        # What was said before the events were taken comes after them: they belong to what is said.
        messages, self._messages = self._messages, []
        events = self._take()
        pairs = self._pairs()
        if pairs != self._blind_before:
            self._blind_before = pairs
            messages.append((BLIND, pairs))
        now = time.monotonic()
        if events or now - self._said >= HEARTBEAT - PERIOD:
            self._said = now
            self._report(events)
        replies, self._replies = self._replies, []
        for viewer in list(self.viewers):
            for message in messages:
                self._attempt(viewer, partial(viewer.send, message))
        for viewer, message in replies:
            if viewer in self.viewers:
                self._attempt(viewer, partial(viewer.send, message))

    def _pairs(self) -> list[tuple[str, str]]:
        return [(what, why) for what, why in self._blind()]

    def _report(self, events: list[Event]) -> None:
        if not self.viewers:
            return
        vitals = self._vitals()
        rest = vitals.events, vitals.cost_ns, list(vitals.failures)
        accepted, cost, failures = rest
        frames: dict[tuple[bool, int], bytes] = {}
        for viewer in list(self.viewers):
            if viewer.full:
                viewer.dropped += len(events)
            key = viewer.full, viewer.dropped
            if key not in frames:
                sent = [] if viewer.full else events
                dropped = vitals.dropped + viewer.dropped
                frames[key] = encode((EVENTS, sent, accepted, dropped, cost, failures))
            put = viewer.flush if viewer.full else partial(viewer.put, frames[key])
            self._attempt(viewer, put)

    def _attempt(self, viewer: Viewer, work: Callable[[], object]) -> None:
        """Do something with a viewer; it is removed if it is gone."""
        try:
            work()
        except (OSError, WireError):
            if viewer in self.viewers:
                self.viewers.remove(viewer)
                viewer.close()
                if viewer.gone is not None:
                    viewer.gone()

    def _listen(self, viewer: Viewer) -> None:
        for message in viewer.receive():
            if message[0] == CALL and len(message) == 4:
                self._call(viewer, *message[1:])

    def _call(self, viewer: Viewer, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        def reply(done: Future[Any]) -> None:
            if not number:
                return
            error = done.exception() if not done.cancelled() else None
            words = None if error is None else str(error) or type(error).__name__
            if done.cancelled():
                words = "it was cancelled"
            plain = words is None and isinstance(
                done.result(), int | str | float | bool | list | tuple | dict
            )
            result = done.result() if plain else None
            self._replies.append((viewer, (REPLY, number, words, isinstance(error, InputError), result)))

        try:
            result = self._calls[name](*arguments)
        except Exception as error:  # what the application raises is reported, not raised here
            result = Future()
            result.set_exception(error)
        if not isinstance(result, Future):
            value, result = result, Future()
            result.set_result(value)
        result.add_done_callback(reply)
