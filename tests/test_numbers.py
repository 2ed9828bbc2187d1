"""Numbers on the screen and in reports: what is counted, and the words that go with one and with many."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest

from loopviz.claims import Machine
from loopviz.claims.criteria import one_at_a_time
from loopviz.draw.story import story as tell
from loopviz.draw.words import saved
from loopviz.experiment import measure
from loopviz.live.session import Session
from loopviz.stream.events import RECEIVED, Event
from loopviz.tui.places import next_place
from tests import streams
from tests.streams import ns, timeline
from tests.test_claims import sample


def answered(number: int, at: float) -> list[Event]:
    """A request that is answered within 10 ms."""
    return [
        *streams.accepted(number, number, at), streams.responded(at + 9, number), streams.end(at + 9, number),
        (ns(at + 10), RECEIVED, number, 200, None),
    ]  # fmt: skip


class Served:
    """A session that has answered one request of a burst when it is asked for events."""

    def __init__(self, future: Future[None]) -> None:
        self.future = future

    def drain(self) -> list[Event]:
        """One more answer."""
        return answered(21, 2_000)

    def drain_all(self) -> list[Event]:
        """No more events."""
        return []

    def catch_up(self, timeout: float) -> None:
        """All events are here."""


def test_the_progress_of_a_burst_counts_its_own_answers(monkeypatch):
    """On a server that has answered bursts before, progress counts the answers of this burst only."""
    future: Future[None] = Future()
    line = timeline(*(answered(number, number) for number in range(1, 11)))
    said = []

    def progress(text: str) -> None:
        said.append(text)
        if not future.done():
            future.set_result(None)

    monkeypatch.setattr(measure, "_PATIENCE", -1.0)
    session = cast("Session", Served(future))
    measure.follow(session, line, [future], 4, progress=progress)
    assert said[0].startswith("1 of 4 answered")


@pytest.mark.parametrize(
    ("number", "words"), [(1, "1 event is in a.lvr"), (2, "2 events are in a.lvr")]
)  # fmt: skip
def test_a_recording_of_one_event_is_singular(number, words):
    """What is said of a recording has the number's own form."""
    assert saved(number, "a.lvr").startswith(f"{words}:")


@pytest.mark.parametrize(
    ("limit", "words"), [(1, "The only thread is in use,"), (4, "All 4 threads are in use,")]
)
def test_a_limit_of_one_thread_is_singular(limit, words):
    """A place where a request begins to wait names one thread as one."""
    place = next_place(timeline(streams.tokens(5, limit, limit, 1)), 0, 1)
    assert place is not None
    assert place.what.startswith(words)


@pytest.mark.parametrize(("used", "words"), [(1, "on 1 thread."), (3, "on 3 threads.")])
def test_a_verdict_on_one_thread_is_singular(used, words):
    """A claim's verdict names one thread as one."""
    samples: dict[str, Any] = {"one": sample(1.0), "many": sample(3.0, 8, used=used)}
    assert one_at_a_time(samples, Machine()).why.endswith(words)


def test_one_request_in_a_thread_is_singular():
    """The sentence on calls in worker threads names one thread as one."""
    line = timeline(streams.accepted(), streams.thread(10, 2), streams.call(10, 1, 1, 1, 2))
    streams.feed(line, [streams.suspend(11), streams.idle(11)])
    _, sentences = tell(line, ns(500), brief=False)
    assert sentences[0] == "1 request is in a worker thread."
