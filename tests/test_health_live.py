"""Health probes, sent to real servers: what they see of a loop that is blocked, and that nobody sees them."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.errors import InputError
from loopviz.live import health as module
from loopviz.live.health import Prober, checked_path
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.recording.replay import Replay
from loopviz.scenario import read
from loopviz.stream.events import Event
from loopviz.tui.view import View
from tests.test_scene import scene, text
from tests.test_serving import scenario

BLOCKS = """
app = FastAPI()

@app.get("/block")
async def block():
    import time
    time.sleep(0.7)
"""
WARD = """
import time
from fastapi import FastAPI, Response
app = FastAPI()
seen = []

@app.get("/block")
async def block():
    time.sleep(0.6)

@app.get("/healthz")
def healthz():
    return "well"

@app.get("/ill")
async def ill():
    return Response(status_code=503)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An application of one's own, in the working folder."""
    (tmp_path / "ward.py").write_text(WARD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])


@contextmanager
def probed(file: Path, *, isolate: bool = False, timeout: float = 0.2) -> Iterator[tuple[Session, Timeline]]:
    """A session whose server gets probes, and its timeline."""
    session = Session(read([file]), isolate=isolate, health="auto", health_timeout=timeout)
    session.start()
    try:
        session.wait()
        yield session, Timeline()
    finally:
        session.stop()


def until(session: Session, line: Timeline, condition: Callable[[], object], seconds: float = 20) -> None:
    """Feed the timeline until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it was not seen"
        line.feed(session.drain())
        time.sleep(0.02)


@pytest.mark.parametrize("isolate", [False, True], ids=["thread", "process"])
def test_probes_fail_while_the_loop_is_blocked_and_are_no_requests(tmp_path, isolate):
    """A load balancer would take it out and back in; the picture has the requests that were fired."""
    file = scenario(tmp_path, "block", BLOCKS)
    with probed(file, isolate=isolate) as (session, line):
        health = line.health
        until(session, line, lambda: health.ended >= 2)
        session.fire(session.scenarios[0], 2).result(20)
        until(session, line, lambda: health.outs and health.outs[-1].end is not None)
        session.catch_up(2)
        line.feed(session.drain_all())
        assert health.failed >= 3
        assert sum(out.lasted(line.last) for out in health.outs) > 100_000_000
        assert sorted(line.requests) == [1, 2]
        assert {request.path for request in line.requests.values()} == {"/block"}
        assert not session.vitals().failures
        session.set_probing(False)
        line.feed(session.drain_all())
        assert session.probing is None
        assert health.since == 0


def test_an_application_is_probed_at_its_health_check(project, capsys):
    """`record --health auto` finds the route, counts what has failed, and lists only what was asked for."""
    arguments = ["record", "ward:app", "--request", "GET /block", "--requests", "2"]
    assert cli.main([*arguments, "--health", "auto", "--health-timeout", "150ms", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    health = document["health"]
    assert (health["path"], health["timeout_s"]) == ("/healthz", 0.15)
    assert 3 <= health["failed"] <= health["probes"]
    over = sum(out["end_s"] - out["start_s"] for out in health["out"] if out["end_s"] is not None)
    assert 0 <= over <= health["out_for_s"] + 1e-6
    assert [request["path"] for request in document["requests"]] == ["/block", "/block"]


def test_a_status_from_400_on_is_a_failure_and_a_replay_shows_it(project, tmp_path, capsys):
    """The report says why probes have failed; they are in the recording, and in the picture of it."""
    file = str(tmp_path / "run.jsonl.gz")
    arguments = ["record", "ward:app", "--request", "GET /block", "--requests", "1", "--in-thread"]
    assert cli.main([*arguments, "--health", "/ill", "-o", file]) == 0
    printed = capsys.readouterr().out
    assert "probes of /ill" in printed
    assert "failed (status 503)" in printed
    replay = Replay(file)
    line = replay.timeline()
    replay.stop()
    assert line.health.path == "/ill"
    assert line.health.failed == line.health.ended > 0
    assert any("HEALTH /ill" in row for row in text(scene().compose(line, View(now=line.last), 120, 36)))


def test_no_route_that_is_called_like_one_is_said(tmp_path, monkeypatch, capsys):
    """`--health auto` without one ends with the remedy."""
    (tmp_path / "plain.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\nasync def index(): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["record", "plain:app", "--in-thread", "--health", "auto"]) == 2
    printed = capsys.readouterr().err
    assert "No route of the application is called like a health check." in printed
    assert "--health PATH" in printed


@pytest.mark.parametrize("path", ["health", "//evil", "/a b", "", "http://x/"])
def test_what_is_no_path_is_refused(path):
    """Before anything is started."""
    with pytest.raises(InputError, match="is no path"):
        checked_path(path)


def test_a_path_is_sent_as_it_may_be():
    """Letters outside ASCII are encoded; what is encoded already stays."""
    assert checked_path("/über?a=1&b=%20") == "/%C3%BCber?a=1&b=%20"


def test_a_path_need_not_be_utf_8():
    """An argument of other bytes is sent as these bytes."""
    assert checked_path(os.fsdecode(b"/r\xe9")) == "/r%E9"


# -- the prober itself -----------------------------------------------------------------------------------


@contextmanager
def probing(port: int, timeout: float = 1.0) -> Iterator[list[Event]]:
    """A prober of this port, and its events."""
    events: list[Event] = []
    prober = Prober(f"http://127.0.0.1:{port}", "/x", timeout, "secret", events.append)
    prober.start()
    try:
        yield events
    finally:
        prober.stop()


def ends(events: list[Event]) -> list[tuple[object, ...]]:
    """Took, ok and why of each probe that has ended."""
    return [tuple(event[3:]) for event in list(events) if event[1] == "health" and event[4] is not None]


def reach(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nobody_listens():
    """Each probe fails at once, and they go on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with probing(port) as events:
        reach(lambda: len(ends(events)) >= 3)
    assert {end[1:] for end in ends(events)} == {(0, "no connection")}
    assert events[0][1] == events[-1][1] == "probing"
    assert events[-1][2] == ""


def test_a_server_that_never_answers_has_at_most_so_many_connections(monkeypatch):
    """Probes are sent whether or not those before are answered, up to a limit."""
    monkeypatch.setattr(module, "PERIOD", 5_000_000)
    with socket.create_server(("127.0.0.1", 0)) as sock, probing(sock.getsockname()[1], 60) as events:
        reach(lambda: sum(event[1] == "health" for event in events) >= module.MOST_OUTSTANDING)
        time.sleep(0.2)
        assert sum(event[1] == "health" for event in events) == module.MOST_OUTSTANDING
        assert not ends(events)


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nwell", (1, "")),
        (b"HTTP/1.1 302 Found\r\n\r\n", (1, "")),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", (0, "status 404")),
        (b"", (0, "the connection was closed without an answer")),
        (b"SSH-2.0 200 \r\n", (0, "the connection was closed without an answer")),
    ],
)
def test_an_answer_is_judged_by_its_status(answer, end):
    """Below 400 it is well."""
    heard = []

    def serve(sock: socket.socket) -> None:
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            heard.append(connection.recv(65_536))
            connection.sendall(answer)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as sock:
        threading.Thread(target=serve, args=(sock,), daemon=True).start()
        with probing(sock.getsockname()[1]) as events:
            reach(lambda: ends(events))
        sock.shutdown(socket.SHUT_RDWR)
    assert ends(events)[0][1:] == end
    assert heard[0].startswith(b"GET /x HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nx-loopviz-request: secret-health\r\n" in heard[0]


def test_an_answer_that_is_found_too_late_is_not_judged(monkeypatch):
    """It may have come in time while the prober could not run; one that never came has failed."""
    asleep, answers = threading.Event(), threading.Event()

    def serve(sock: socket.socket) -> None:
        first, _ = sock.accept()  # is never answered
        second, _ = sock.accept()
        second.recv(65_536)
        asleep.wait(20)
        second.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        second.close()
        answers.set()
        time.sleep(2)
        first.close()

    class Sleepy(Prober):
        def _look(self, until: int) -> None:
            asked = [probe.connected for probe in self._outstanding.values()]
            if until and asked == [True, True] and not answers.is_set():
                asleep.set()
                answers.wait(20)
                time.sleep(0.4)
            super()._look(until)

    events: list[Event] = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        threading.Thread(target=serve, args=(sock,), daemon=True).start()
        prober = Sleepy(f"http://127.0.0.1:{sock.getsockname()[1]}", "/x", 0.25, "secret", events.append)
        prober.start()
        reach(lambda: ends(events))
        prober.stop()
    sent = [event[2] for event in events if event[1] == "health" and event[4] is None]
    over = {event[2]: event[5] for event in events if event[1] == "health" and event[4] is not None}
    assert over[sent[0]] == "no answer within 0.25 s"
    assert sent[1] not in over
