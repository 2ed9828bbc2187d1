"""WebSockets and pipelined requests in the model and in the picture, from hand-written events."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from loopviz.draw.look import Palette
from loopviz.draw.story import story
from loopviz.model import Timeline
from loopviz.stream.events import Event
from loopviz.tui.screens.breakdown import detail_table
from loopviz.tui.trigger import parse_trigger
from loopviz.tui.view import View
from tests.streams import (
    accepted,
    end,
    feed,
    idle,
    iteration,
    made,
    ns,
    received,
    responded,
    sent,
    shape,
    status,
    step,
    suspend,
    timeline,
    wake,
)
from tests.test_scene import scene, text


def opened(at: float, number: int = 5, task: int = 5) -> list[Event]:
    """A WebSocket that is accepted, and waits for a message."""
    return [
        (ns(at), "read", number, "WS", "/chat", 0),
        made(at, task, number),
        step(at + 1, task),
        status(at + 2, 101, number),
        suspend(at + 3, task),
    ]


def talks(at: float, number: int = 5, task: int = 5) -> list[Event]:
    """It receives a message, and sends two."""
    return [
        wake(at, task),
        step(at, task),
        (ns(at + 1), "message", number, "received", 5),
        (ns(at + 2), "message", number, "sent", 5),
        (ns(at + 3), "message", number, "sent", 5),
        suspend(at + 4, task),
    ]


def closes(at: float, number: int = 5, task: int = 5, code: int = 1001) -> list[Event]:
    """The client closes it."""
    return [wake(at, task), step(at, task), (ns(at), "closed", number, code), end(at + 1, task)]


def drawn(line: Timeline, now: float, width: int = 160, palette: Palette | None = None, **view: Any) -> str:
    """The row of the WebSocket."""
    lines = text(scene(palette).compose(line, View(now=ns(now), **view), width, 30))
    (row,) = [shown for shown in lines if "#5" in shown and "/chat" in shown]
    return row


def test_a_connection_counts_its_messages() -> None:
    """Messages are counted by direction, and the connection ends with its task, without an error."""
    line = timeline(opened(10), talks(100), talks(200), closes(400))
    request = line.requests[5]
    assert request.websocket is not None
    assert (request.websocket.received, request.websocket.sent, request.websocket.code) == (2, 4, 1001)
    assert (request.done, request.error, request.ended) == (ns(401), None, True)
    assert shape(request.segments)[-1] == ("running", 400, 401)


def test_a_handshake_without_an_answer_is_reported() -> None:
    """Where the client has gone before the handshake was answered, that is the error, as of a request."""
    line = timeline((ns(10), "read", 5, "WS", "/chat", 0), made(10, 5, 5), step(11, 5), end(12, 5))
    assert line.requests[5].error == "no whole response: the client has gone"


def test_the_row_of_a_connection() -> None:
    """The row says WS, what it does, how many messages there were, and at its end the close code."""
    line = timeline(opened(10), talks(100), iteration(150))
    assert "#5   WS /chat" in drawn(line, 500)
    assert "awaiting · 1 in 2 out · 490 ms" in drawn(line, 500)
    assert "awaiting | 1 in 2 out | 490 ms" in drawn(line, 500, palette=Palette("ascii"))
    assert "awaiting" in drawn(line, 500, width=80)
    feed(line, closes(600))
    assert "101" in drawn(line, 700)
    assert "closed 1001 · 1 in 2 out · 591 ms" in drawn(line, 700)


def test_a_moment_of_the_past_has_no_count() -> None:
    """At a moment of the past the number of messages is not known, and none is shown."""
    line = timeline(opened(10), talks(100), iteration(150))
    assert " in " not in drawn(line, 500, at=ns(50))


def test_an_opened_connection() -> None:
    """The detail has the messages and the close code."""
    line = timeline(opened(10), talks(100), closes(400))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(detail_table(line.requests[5], line, ns(500), Palette()))
    assert "1 in 2 out, closed 1001" in console.export_text()


def test_an_open_connection_does_not_hide_the_result_of_a_burst() -> None:
    """While a WebSocket is open and nothing happens, the result of the last burst is reported, without it."""
    line = timeline(
        iteration(1),
        opened(10),
        idle(20),
        iteration(100),
        sent(100, 1),
        accepted(1, 1, at=101),
        step(102, 1),
        status(103, 200, 1),
        responded(104, 1),
        end(105, 1),
        idle(105),
        received(106, 1),
    )
    mood, sentences = story(line, ns(5_000))
    assert mood == "dim"
    assert sentences[0].startswith("Done: 1 request in 4 ms.")
    feed(line, closes(6_000), idle(6_002))
    assert story(line, ns(7_000))[1][0].startswith("Done: 1 request in 4 ms.")


def test_open_connections_are_reported_where_nothing_else_is() -> None:
    """Before the first burst the sentence says how many WebSockets are open."""
    line = timeline(opened(10), opened(20, 6, 6))
    assert story(line, ns(100)) == ("dim", ["2 WebSockets are open."])


@pytest.mark.parametrize(("method", "fires"), [("WS", False), ("GET", True)])
def test_a_long_connection_is_no_slow_request(method: str, fires: bool) -> None:
    """A trigger for a latency does not fire because a WebSocket stays open."""
    line = timeline((ns(10), "read", 5, method, "/chat", 0), made(10, 5, 5), step(11, 5), suspend(12, 5))
    assert (parse_trigger("latency>2s").moment(line, ns(5_000)) is not None) is fires


def test_a_request_behind_another_awaits() -> None:
    """A request that waits for the response before it awaits until its task is made."""
    line = timeline(
        (ns(10), "read", 1, "GET", "/a", 0),
        (ns(10), "behind", 1),
        made(500, 1, 1),
        step(510, 1),
        responded(520, 1),
        end(521, 1),
    )
    assert shape(line.requests[1].segments) == [
        ("awaiting", 10, 500),
        ("ready", 500, 510),
        ("running", 510, 520),
    ]
