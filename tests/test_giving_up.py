"""Giving up what is running: the client goes away, and the server does not begin what it has not begun."""

from __future__ import annotations

import asyncio
import http.client
import math
import threading
import time
from pathlib import Path

import anyio
import pytest

from loopviz.clock import NS
from loopviz.draw.giving_up import given_up
from loopviz.live.server.abandoning import Abandoning
from loopviz.live.session import Session
from loopviz.model import State, Timeline
from loopviz.model.summary import summarise
from loopviz.scenario import read
from loopviz.stream import events as ev
from loopviz.stream.endings import GIVEN_UP
from tests import streams
from tests.moments import waiting_for_gil
from tests.served import scenarios
from tests.streams import ms, ns, timeline
from tests.test_serving import scenario, session

COUNTED = """
import threading
import time
app = FastAPI()
begun = []
held, go, freed = threading.Event(), threading.Event(), []

@app.get("/{name}")
async def endpoint(name: str):
    begun.append(name)
    if len(begun) == 1:
        held.set()
        go.wait(20)
    return begun

"""
AWAITING = """
import threading
app = FastAPI()
begun, ended = [], []

@app.get("/{name}")
async def endpoint(name: str):
    begun.append(name)
    if name != "mine":
        return [begun, ended]
    try:
        await asyncio.sleep(30)
    finally:
        ended.append(name)

"""
BACKGROUND = """
from fastapi import BackgroundTasks
app = FastAPI()
begun, ended, go = [], [], asyncio.Event()

async def later():
    try:
        await go.wait()
        ended.append("completed")
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise

@app.get("/{name}")
async def endpoint(name: str, tasks: BackgroundTasks):
    if name != "mine":
        if name == "go":
            go.set()
        return [begun, ended]
    begun.append(name)
    if len(begun) == 1:
        tasks.add_task(later)
        return
    try:
        await asyncio.sleep(30)
    finally:
        ended.append("given up")

"""
STARTING = """
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan(app):
    await asyncio.sleep(0.3)
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/slow")
async def endpoint():
    return 1
"""


def answer(made: Session, path: str) -> str:
    """What another client gets."""
    connection = http.client.HTTPConnection(made.address, timeout=20)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def until(condition, what: str) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


# -- with a server -----------------------------------------------------------------------------


def test_what_waits_for_a_blocked_loop_never_begins(tmp_path: Path) -> None:
    """While one request blocks the loop, the others are given up at once, and their code never runs."""
    (file,) = read([scenario(tmp_path, "counted", COUNTED, ', path="/mine"')])
    with session(file) as made:
        module = scenarios(made).apps._executed["counted"].app.routes[-1].endpoint.__globals__
        fired = [made.fire(file, 4), made.fire(file, 4)]
        assert module["held"].wait(20)
        began = time.monotonic()
        assert made.give_up() == 8
        assert time.monotonic() - began < 5
        until(lambda: all(burst.cancelled() or burst.done() for burst in fired), "they are over")
        assert made.give_up() == 0
        module["go"].set()
        assert answer(made, "/other") == '["mine","other"]'
        received = [event for event in made.drain_all() if event[1] == ev.RECEIVED]
    assert [event[3:] for event in received] == [(None, GIVEN_UP)] * 8


def test_what_awaits_is_cancelled(tmp_path: Path) -> None:
    """A request that awaits something is cancelled there, and its cleanup runs; later ones are served."""
    (file,) = read([scenario(tmp_path, "awaiting", AWAITING, ', path="/mine"')])
    with session(file) as made:
        made.fire(file, 2)
        until(lambda: answer(made, "/a").count("mine") == 2, "both have begun")
        assert made.give_up() == 2
        until(lambda: answer(made, "/b").count("mine") == 4, "both have ended")
        made.fire(file, 1)
        until(lambda: answer(made, "/c").count("mine") == 5, "the next one is served")
        assert made.give_up() == 1


def test_what_an_answered_request_still_does_is_not_cancelled(tmp_path: Path) -> None:
    """A background task of a request that is answered goes on when a later request is given up."""
    (file,) = read([scenario(tmp_path, "background", BACKGROUND, ', path="/mine"')])
    with session(file) as made:
        made.fire(file, 1).result(20)
        made.fire(file, 1)
        until(lambda: answer(made, "/a").count("mine") == 2, "the second one has begun")
        assert made.give_up() == 1
        until(lambda: "given up" in answer(made, "/b"), "it has ended")
        answer(made, "/go")
        until(lambda: '["given up","completed"]' in answer(made, "/c"), "the task is completed")


def test_a_burst_that_is_not_sent_yet_is_not_sent(tmp_path: Path) -> None:
    """What waits for its scenario to be ready is dropped, and nothing is reported as a failure."""
    (file,) = read([scenario(tmp_path, "slow", STARTING)])
    made = Session([file])
    made.start()
    try:
        burst = made.fire(file, 3)
        assert made.give_up() == 3
        assert made.give_up() == 0
        made.wait()
        until(burst.done, "it is over")
        assert burst.cancelled()
        assert not [event for event in made.drain_all() if event[1] == ev.SENT]
    finally:
        made.stop()


def test_a_scenario_that_fails_meanwhile_does_not_disturb(tmp_path: Path, monkeypatch) -> None:
    """A burst whose scenario fails while another one is given up is left out, and its error is kept."""
    (file,) = read([scenario(tmp_path, "slow", STARTING)])
    fails = threading.Event()

    async def prepare(name: str) -> None:
        while not fails.is_set():
            await asyncio.sleep(0.005)
        raise LookupError("its own")

    with session(file) as made:
        monkeypatch.setattr(scenarios(made).apps, "ready", lambda _: False)
        monkeypatch.setattr(scenarios(made).apps, "prepare", prepare)
        first, second = made.fire(file, 3), made.fire(file, 3)

        def fail(_: object) -> None:
            fails.set()
            until(second.done, "the second one has failed")

        first.add_done_callback(fail)
        assert made.give_up() == 3
        with pytest.raises(LookupError, match="its own"):
            second.result(20)


def test_an_application_does_not_notice_that_it_could_be_given_up():
    """No deadline, no cancellation, and a cancel scope that the application leaves open is no error."""
    seen = []

    async def app(scope, receive, send):
        seen.append(anyio.current_effective_deadline())
        task = asyncio.current_task()
        assert task is not None
        seen.append(task.cancelling())
        if scope["path"] == "/open":
            anyio.CancelScope().__enter__()
        if scope["path"] == "/error":
            raise LookupError("its own")

    async def run(path: str) -> None:
        scope = {"type": "http", "path": path, "headers": [(b"number", b"secret-1")]}
        await Abandoning(app, "number", "secret-")(scope, None, None)

    asyncio.run(run("/open"))
    with pytest.raises(LookupError, match="its own"):
        asyncio.run(run("/error"))
    assert seen == [math.inf, 0] * 2


# -- what is shown -----------------------------------------------------------------------------


def blocked(*more: ev.Event) -> Timeline:
    """Request 1 blocks the loop at line 14, and request 2 is read after it; both are given up at 500 ms."""
    return timeline(
        streams.sent(0, 1),
        streams.sent(0, 2),
        *streams.accepted(1, 1, 1),
        streams.holds(300, 1, 3),
        streams.received(500, 1, None, GIVEN_UP),
        streams.received(500, 2, None, GIVEN_UP),
        *more,
    )


def test_a_request_that_was_given_up_has_not_failed():
    """Its latency ends then, and what the server still does comes after it; that is no failure."""
    line = blocked(streams.suspend(1_000, 1), streams.read(1_001, 2, 2), streams.made(1_001, 2, 2))
    first, second = line.requests[1], line.requests[2]
    assert first.given_up
    assert second.given_up
    assert not first.failed
    assert not second.failed
    assert ms(first.done) == ms(second.done) == 500
    assert sum(first.totals.values()) == ns(500) - first.start
    assert [part.state for part in first.after] == [State.RUNNING]


def test_the_summary_counts_what_was_given_up():
    """Requests that were given up have a count of their own, and their error says what they are."""
    document = summarise(blocked(), scenario=None, environment={}, limit=40, interrupted=ns(600))
    assert document["given_up"] == 2
    assert [request["error"] for request in document["requests"]] == [GIVEN_UP, GIVEN_UP]


def test_an_answer_that_comes_too_late_is_not_shown():
    """The server's status and the application's exception after that are not the request's result."""
    line = blocked(
        streams.raised(900, "ValueError", "x", 1), streams.status(901, 503, 1), streams.responded(902, 1)
    )
    assert line.requests[1].status is None
    assert line.requests[1].error == GIVEN_UP


def test_a_burst_is_over_when_it_was_given_up():
    """Also if most of its requests were never sent: they have no row, and its end is when that was."""
    fired: ev.Event = (ns(0), ev.FIRED, 1, "counted", 1, 4, 40)
    line = timeline(
        fired,
        streams.sent(1, 1),
        *streams.accepted(1, 1, 2),
        *[streams.received(100, number, None, GIVEN_UP) for number in range(1, 5)],
    )
    (burst,) = line.bursts
    assert [request.id for request in burst.requests] == [1]
    assert burst.over(ns(101))
    assert not burst.over(ns(99))
    assert ms(burst.done) == 100


def test_the_notice_names_what_cannot_be_stopped():
    """It says how many were given up, and which request still holds the loop, in which line."""
    said = given_up(blocked(), ns(600), 2)
    assert said.startswith("Given up: 2 requests. #1 still ")
    assert ":14: a thread cannot be interrupted." in said
    assert given_up(blocked(streams.suspend(700, 1)), ns(800), 1) == "Given up: 1 request."


def test_a_loop_that_waits_for_the_gil_is_not_blamed():
    """While another thread keeps the GIL, the request that waits for it is not said to hold the loop."""
    said = given_up(waiting_for_gil(), ns(431), 2)
    assert said == "Given up: 2 requests. The event loop waits for the GIL, which another thread has."


@pytest.mark.parametrize("now", [100, 2 * NS])
def test_the_notice_without_anything_left(now):
    """Where nothing goes on, it says only how many."""
    assert given_up(Timeline(), now, 5) == "Given up: 5 requests."
