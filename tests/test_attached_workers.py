"""Several processes of a foreign server, each of which counts from 1, in one timeline. Nothing is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopviz.clock import now_ns
from loopviz.draw.incidents import sentence
from loopviz.errors import InputError
from loopviz.live.attach.processes import Candidate
from loopviz.live.attach.reach import workers_of
from loopviz.live.attached import Attached
from loopviz.live.lanes import Lanes
from loopviz.live.numbers import shifted
from loopviz.model import Timeline
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.schema import SCHEMA
from loopviz.stream.several import MOST_WORKERS
from loopviz.wire.frames import Message, encode
from loopviz.wire.messages import BLIND, EVENTS, FAILED, HELLO, PROTOCOL
from tests.attaching import until
from tests.random_events import any_events

B = 1 << 48


# -- numbers -----------------------------------------------------------------------------------


@given(any_events, st.integers(0, 1 << 14))
def test_all_numbers_of_a_process_are_raised(events, turn):
    """Those of tasks, calls, threads and pools; nothing else is changed, and 0 stays 0."""
    base = turn << 48
    for event, raised in zip(events, shifted(events, base), strict=True):
        assert raised[:2] == event[:2]
        for field, value, new in zip(SCHEMA[event[1]].fields, event[2:], raised[2:], strict=True):
            own = field.field.unit == "number" and field.name not in {"request", "callback"}
            assert new == (value + base if own and value else value), (event[1], field.name)


def test_the_numbers_of_one_event_of_each_kind_of_place():
    """A call names a task, a request and a thread; a task its parent; a lock its holder."""
    events: list[Event] = [
        (1, ev.CALL, 1, 2, 3, 4, "a.py", 5, "f"),
        (1, ev.TASK, 7, 0, 3, "main"),
        (1, ev.AWAITED, 7, "lock", "", 8),
        (1, ev.GIL, 1, 4, "a.py", 5, "f"),
        (1, ev.IDLE),
    ]
    assert shifted(events, B) == [
        (1, ev.CALL, B + 1, B + 2, 3, B + 4, "a.py", 5, "f"),
        (1, ev.TASK, B + 7, 0, 3, "main"),
        (1, ev.AWAITED, B + 7, "lock", "", B + 8),
        (1, ev.GIL, 1, B + 4, "a.py", 5, "f"),
        (1, ev.IDLE),
    ]
    assert shifted(events, 0) == events


# -- lanes -------------------------------------------------------------------------------------


def test_a_process_continues_the_lane_of_one_that_has_ended():
    """Else it has the next lane. Its numbers are new in both cases."""
    lanes = Lanes()
    assert [lanes.take(), lanes.take(), lanes.take()] == [(0, 0), (1, B), (2, 2 * B)]
    lanes.leave(1)
    assert [lanes.take(), lanes.take()] == [(1, 3 * B), (3, 4 * B)]


def test_there_are_not_more_lanes_than_workers_that_are_told_apart():
    """And the largest number can be recorded."""
    lanes = Lanes()
    assert None not in [lanes.take() for _ in range(MOST_WORKERS)]
    assert lanes.take() is None
    lanes.leave(5)
    for _ in range(40_000):
        taken = lanes.take()
        assert taken is not None
        assert taken[1] + B < 1 << 63
        lanes.leave(taken[0])


# -- which processes are workers ---------------------------------------------------------------


def one(pid: int, parent: int, command: str, port: str = "8000") -> Candidate:
    """A process to which loopviz could attach."""
    return Candidate(pid, parent, (port,) if port else (), command, "Python 3.14")


def test_the_workers_of_a_master():
    """Masters between do not serve; helpers, which do not listen, neither; a worker may have children."""
    gunicorn = [one(11, 10, "gunicorn shop"), one(12, 10, "gunicorn shop"), one(13, 12, "gunicorn shop")]
    assert workers_of(one(10, 1, "gunicorn shop"), gunicorn) == gunicorn
    script = one(9, 1, "python start.py", "")
    assert workers_of(script, [one(10, 9, "gunicorn shop"), *gunicorn]) == gunicorn
    uvicorn = [one(11, 10, "python -c tracker", ""), one(12, 10, "python -c spawn")]
    assert workers_of(one(10, 1, "uvicorn --workers 1"), uvicorn) == uvicorn[1:]
    by_path = [one(11, 10, "python -c spawn", "")]
    assert workers_of(one(10, 1, "uvicorn --workers 1", ""), by_path) == by_path


# -- the view ----------------------------------------------------------------------------------


class Agent:
    """The other end of a connection."""

    def __init__(self) -> None:
        self.sock, self.viewer = socket.socketpair()

    def say(self, *messages: Message) -> None:
        """Send messages."""
        for message in messages:
            self.sock.sendall(encode(message))

    def begins(self, pid: int, *, installed: bool = True) -> None:
        """Say that the loop is watched."""
        hello = {"protocol": PROTOCOL, "pid": pid, "installed": installed, "threads": 40, "address": "here:1"}
        self.say((HELLO, hello))

    def reports(self, events: list[Any], accepted: int = 1) -> None:
        """Report events."""
        self.say((EVENTS, events, accepted, 2, 3, []))

    def ends(self) -> None:
        """End the connection, as the process's end does."""
        self.sock.close()


@contextmanager
def view_of(*agents: Agent) -> Iterator[Attached]:
    """A view of processes that do not exist."""
    view = Attached(*((agent.viewer, 0) for agent in agents))
    view.start()
    try:
        yield view
    finally:
        view.stop()
        for agent in agents:
            agent.ends()


def none_of(pid: int) -> int:
    """The number of a process that cannot exist."""
    return (1 << 22) + 1 + pid


def served(at: int) -> list[Any]:
    """A request, as an agent counts it: everything from 1."""
    first = (1 << 40) + 1
    return [
        (at, ev.READ, first, "GET", "/", 0), (at + 1, ev.TASK, 1, 0, first, "main"), (at + 2, ev.STEP, 1),
        (at + 3, ev.STATUS, first, 200), (at + 4, ev.RESPONDED, first), (at + 5, ev.END, 1),
    ]  # fmt: skip


def test_two_workers_that_count_alike_are_two():
    """Each has its letter, its requests have numbers of their own, and all figures are sums."""
    a, b = Agent(), Agent()
    with view_of(a, b) as view:
        b.begins(none_of(2))
        a.begins(none_of(1))
        view.wait()
        assert (view.pid, view.pids) == (none_of(1), [none_of(1), none_of(2)])
        for agent, number in ((a, 10), (b, 20)):
            agent.reports(served(now_ns()), number)
            agent.say((BLIND, [("something", f"of {number}"), ("all", "alike")]))
        timeline = Timeline()

        def seen() -> bool:
            timeline.feed(view.drain_all())
            return len(timeline.requests) == 2 and len(view.blind) == 3

        until(seen, "not both were seen")
        assert {r.letter for r in timeline.requests.values()} == {"a", "b"}
        assert set(timeline.requests) == {1, 2}
        assert all(r.done is not None for r in timeline.requests.values())
        vitals = view.vitals()
        assert (vitals.events, vitals.dropped, vitals.cost_ns) == (30, 4, 6)
        assert (view.address, view.threads) == ("here:1", 40)


def test_the_end_of_one_worker_is_an_incident_and_that_of_all_is_the_servers():
    """While others live, the view goes on; what was counted is still counted."""
    a, b = Agent(), Agent()
    with view_of(a, b) as view:
        a.begins(none_of(1))
        b.begins(none_of(2))
        view.wait()
        b.reports([], 7)
        until(lambda: view.vitals().events == 7, "nothing was counted")
        b.ends()
        timeline = Timeline()

        def said() -> bool:
            timeline.feed(view.drain_all())
            return bool(timeline.incidents)

        until(said, "its end is not reported")
        assert sentence(timeline, timeline.incidents[0]) == "Worker b has ended."
        assert (view.death, view.stopped, view.vitals().events) == (None, None, 7)
        a.ends()
        until(lambda: view.death, "the end of the server is not reported")
        assert view.pid == none_of(1)


def test_a_process_that_refuses_is_left_out():
    """A helper among the workers has no loop. If all refuse, the reason is an error."""
    a, b = Agent(), Agent()
    with view_of(a, b) as view:
        a.begins(none_of(1))
        b.say((FAILED, "No event loop runs in this process.", "Attach to the process that serves."))
        view.wait()
        until(lambda: view.pids == [none_of(1)], "it is not left out")
        assert (view.stopped, view.death, view.blind) == (None, None, [])
    c, d = Agent(), Agent()
    with view_of(c, d) as view:
        for agent in (c, d):
            agent.say((FAILED, "No event loop runs in this process.", ""))
        with pytest.raises(InputError, match="No event loop runs"):
            view.wait()


def test_a_worker_whose_loop_cannot_be_watched_is_said():
    """The others are shown, and what is not visible is listed."""
    a, b = Agent(), Agent()
    with view_of(a, b) as view:
        b.begins(none_of(2), installed=False)
        b.say((FAILED, "The probe cannot watch this loop: it is odd.", ""))
        a.begins(none_of(1))
        view.wait()
        said = (f"process {none_of(2)}", "The probe cannot watch this loop: it is odd.")
        until(lambda: said in view.blind, "it is not said")
        assert view.pid == none_of(1)
