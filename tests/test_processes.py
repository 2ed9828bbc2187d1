"""A server in a process of its own: the same events, and an end of which the picture knows."""

from __future__ import annotations

import http.client
import json
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from loopviz.clock import now_ns
from loopviz.errors import InputError
from loopviz.experiment.measure import follow, settle
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.hosts.ending import described
from loopviz.live.hosts.process import patience
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.model.states import State
from loopviz.scenario import find, read
from loopviz.target.application import Application
from tests.served import application, soon

APPLICATION = """
import os, sys, time
from fastapi import FastAPI

app = FastAPI()
print("imported", flush=True)

@app.get("/slow")
async def slow():
    time.sleep(0.2)
    return sys.argv

@app.get("/thread")
def thread():
    time.sleep(0.1)

@app.get("/dies")
async def dies():
    print("about to die")
    os._exit(3)

@app.get("/computes")
async def computes():
    while True:
        pass

@app.get("/forks")
async def forks():
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os._exit(4)

@app.get("/environment")
async def environment():
    return dict(os.environ)

@app.get("/ignores")
async def ignores():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""


def served(folder: Path, text: str = APPLICATION) -> AbstractContextManager[Session]:
    """The application in a process of its own."""
    return application(folder, text, isolate=True)


def route(session: Session, name: str):
    """A route of the application."""
    return next(file for file in session.scenarios if file.name == name)


def measured(session: Session, name: str, count: int) -> Timeline:
    """What was seen of a burst."""
    timeline = Timeline()
    follow(session, timeline, [session.fire(route(session, name), count)], count)
    settle(session, timeline)
    return timeline


def test_the_requests_of_an_application_are_seen(tmp_path):
    """Its states and its blocks with their line come from the other process, as they do from a thread."""
    with served(tmp_path) as session:
        assert session.mode == "in a process of its own"
        assert session.pid not in {0, os.getpid()}
        assert session.application == "main:app"
        timeline = measured(session, "GET /slow", 3)
        blocks = [block for block in timeline.blocks if block.where is not None]
        assert [block.where.line for block in blocks if block.where] == [10, 10, 10]
        assert all(request.status == 200 for request in timeline.requests.values())
        assert sorted(timeline.requests) == [1, 2, 3]
        threads = measured(session, "GET /thread", 2)
        assert all(r.totals[State.IN_THREAD] > 90_000_000 for r in threads.requests.values())
        assert "imported" in session.output()
        assert session.written >= 1
    assert not psutil.pid_exists(session.pid)


def test_a_recording_says_from_the_first_line_what_the_server_runs_on(tmp_path):
    """Versions are looked up for it if the process has not reported them yet."""
    (tmp_path / "main.py").write_text(APPLICATION)
    app = Application("main:app", "main", "app", str(tmp_path), str(tmp_path))
    session = Session([], application=app, isolate=True)
    try:
        brief = session.environment
        assert (brief.python, brief.event_loop, brief.fastapi) == (platform.python_version(), "asyncio", "")
        session.record(tmp_path / "first.loopviz")
        header = json.loads((tmp_path / "first.loopviz").read_text().partition("\n")[0])
        assert header["environment"]["fastapi"] == metadata.version("fastapi")
        session.start()
        session.wait()
        assert asdict(session.environment) == header["environment"]
    finally:
        session.end_recording()
        session.stop()


def test_routes_that_the_lifespan_adds_are_listed(tmp_path):
    """An application may make its routes when it starts."""
    text = """
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    app.add_api_route("/late", lambda: None)
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/early")
async def early():
    pass
"""
    with served(tmp_path, text) as session:
        assert [file.name for file in session.scenarios] == ["GET /early", "GET /late"]


def test_other_clients_requests_have_numbers_of_the_session(tmp_path):
    """A request of another client gets the next number, and its events follow it."""
    with served(tmp_path) as session:
        measured(session, "GET /slow", 1)
        host, port = session.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.request("GET", "/thread")
        assert connection.getresponse().status == 200
        connection.close()
        timeline = Timeline()

        def answered() -> bool:
            timeline.feed(session.drain())
            return 2 in timeline.requests and timeline.requests[2].status == 200

        assert soon(answered)
        assert not timeline.requests[2].own
        assert timeline.requests[2].totals[State.IN_THREAD] > 0


def test_what_was_seen_can_be_waited_for(tmp_path):
    """After that, an answered request is known to its end, however busy the process is with reporting."""
    with served(tmp_path) as session:
        host, port = session.address.split(":")
        timeline = Timeline()
        for number in range(1, 21):
            connection = http.client.HTTPConnection(host, int(port), timeout=20)
            connection.request("GET", "/openapi.json")
            connection.getresponse().read()
            session.catch_up(20)
            timeline.feed(session.drain_all())
            assert timeline.requests[number].status == 200
            connection.close()
        os.kill(session.pid, signal.SIGKILL)
        session.catch_up(20)


def test_a_process_that_dies_is_reported_and_can_be_started_again(tmp_path):
    """Its exit code and the last lines that it has written are known; a restart serves again, on its port."""
    with served(tmp_path) as session:
        address = session.address
        session.fire(route(session, "GET /dies"), 1).result(20)
        assert soon(lambda: session.death is not None)
        death = session.death
        assert death is not None
        assert death.how == "exit code 3"
        assert death.tail[-1] == "about to die"
        again = session.restart()
        assert again is not None
        again.result(30)
        assert session.death is None
        assert session.address == address
        assert measured(session, "GET /slow", 1).requests[2].status == 200


def test_what_a_process_has_forked_does_not_hide_its_end(tmp_path):
    """A fork holds the connection and the port of its parent; it is ended, and the port is free again."""
    with served(tmp_path) as session:
        session.fire(route(session, "GET /forks"), 1)
        assert soon(lambda: session.death is not None)
        again = session.restart()
        assert again is not None
        again.result(30)
        assert session.death is None


def test_the_environment_is_the_users_own(tmp_path, monkeypatch):
    """An application sees no variable that loopviz sets for its scenarios."""
    monkeypatch.setenv("NO_PROXY", "example.org")
    with Workspace(), served(tmp_path) as session:
        host, port = session.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.request("GET", "/environment")
        seen = json.loads(connection.getresponse().read())
        connection.close()
    assert seen["NO_PROXY"] == "example.org"
    assert not {"UPSTREAM_URL", "LOOPVIZ_WORKSPACE"} & set(seen)


def test_a_process_that_is_killed_names_the_signal(tmp_path):
    """SIGKILL is named, and the line at which the process was seen last."""
    with served(tmp_path) as session:
        session.fire(route(session, "GET /computes"), 1)
        timeline = Timeline()

        def computes() -> bool:
            timeline.feed(session.drain())
            block = timeline.block_at(now_ns())
            return block is not None and block.where is not None

        assert soon(computes)
        os.kill(session.pid, signal.SIGKILL)
        assert soon(lambda: session.death is not None)
        assert session.death is not None
        assert session.death.how == "killed by SIGKILL"
        assert session.death.where is not None
        assert session.death.where[2] == "computes"


def test_a_process_that_does_not_stop_is_killed(tmp_path):
    """An event loop that never comes back does not delay the end: its process is killed."""
    with served(tmp_path) as session:
        session.fire(route(session, "GET /ignores"), 1)
        timeline = Timeline()

        def runs() -> bool:
            timeline.feed(session.drain())
            return any(request.state is State.RUNNING for request in timeline.requests.values())

        assert soon(runs)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(session.pid)


def test_a_process_that_has_been_silent_is_killed_sooner():
    """What keeps a process from answering keeps it from stopping; any other has a second."""
    assert patience(0.0) == 1.0
    assert patience(0.4) == pytest.approx(0.6)
    assert patience(5.0) == 0.3


def test_an_application_that_cannot_be_imported_is_an_error(tmp_path):
    """The exception and its line are in the error, and no process is left."""
    with pytest.raises(InputError, match=r"main.py:1: .*nonsense"), served(tmp_path, "import nonsense\n"):
        pass


def test_the_process_ends_with_the_program(tmp_path):
    """When the program is killed, the server's process is gone soon, even if it computes."""
    (tmp_path / "main.py").write_text(APPLICATION)
    code = (
        "import sys, time\n"
        "from loopviz.live.session import Session\n"
        "from loopviz.target.application import Application\n"
        "folder = sys.argv[1]\n"
        "session = Session([], application=Application('a', 'main', 'app', folder, folder), isolate=True)\n"
        "session.start(); session.wait(); print(session.pid, flush=True); time.sleep(60)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    pid = int(program.stdout.readline())
    program.kill()
    program.wait()
    program.stdout.close()
    assert soon(lambda: not psutil.pid_exists(pid))


def test_the_server_moves_and_keeps_its_address():
    """`move` changes between a thread and a process; both serve the same scenarios at the same address."""
    session = Session(read(find("async")))
    session.start()
    try:
        session.wait()
        address = session.address
        timeline = Timeline()
        for mode in ("in a process of its own", "in a thread"):
            moved = session.move()
            assert moved is not None
            moved.result(30)
            assert session.mode == mode
            assert session.address == address
            follow(session, timeline, [session.fire(session.scenarios[0], 2)], 2)
            settle(session, timeline)
            assert not timeline.live
            newest = list(timeline.requests.values())[-2:]
            assert [request.status for request in newest] == [200, 200]
    finally:
        session.stop()


def test_an_application_is_started_again_as_it_is_now(tmp_path):
    """A restart imports the files as they are; one that cannot be imported is an end."""
    with served(tmp_path) as session:
        (tmp_path / "main.py").write_text("import nonsense\n")
        failing = session.restart()
        assert failing is not None
        with pytest.raises(InputError, match="nonsense"):
            failing.result(30)
        assert soon(lambda: session.death is not None)
        assert session.death is not None
        assert "nonsense" in session.death.how
        (tmp_path / "main.py").write_text(APPLICATION.replace("/thread", "/renamed"))
        again = session.restart()
        assert again is not None
        again.result(30)
        assert any(file.name == "GET /renamed" for file in session.scenarios)
        assert session.death is None


@pytest.mark.parametrize(
    ("code", "killed", "words"),
    [
        (0, 0, "exit code 0"),
        (3, 1, "exit code 3"),
        (-9, 0, "killed by SIGKILL"),
        (-9, 1, "killed by SIGKILL: the kernel ran out of memory"),
        (-11, 1, "killed by SIGSEGV"),
    ],
)
def test_an_end_is_described(code, killed, words):
    """A lack of memory is named only where the kernel has killed a process for it at that time."""
    assert described(code, killed) == words
