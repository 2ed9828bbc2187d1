"""Several workers on one socket, as ``uvicorn --workers``: real processes, seen in one timeline."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from loopviz.errors import InputError
from loopviz.experiment.measure import settle
from loopviz.live.session import Session
from loopviz.model import Timeline
from tests.served import application, soon

APPLICATION = """
import asyncio, json, os, time, threading
from anyio import to_thread

print("imported", flush=True)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/blocks":
        time.sleep(0.4)
    elif scope["path"] == "/thread":
        await to_thread.run_sync(time.sleep, 0.05)
    elif scope["path"] == "/dies":
        await asyncio.sleep(0.1)
        os._exit(3)
    limiter = to_thread.current_default_thread_limiter().total_tokens
    body = json.dumps([os.getpid(), limiter]).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""


def served(folder: Path, text: str = APPLICATION, workers: int = 2) -> AbstractContextManager[Session]:
    """The application in several processes."""
    return application(folder, text, workers=workers)


class Clients:
    """Connections that are kept, at least two to each worker; in a ``with`` statement."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: list[http.client.HTTPConnection] = []
        self.of: dict[int, list[http.client.HTTPConnection]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def meet(self, workers: int) -> list[int]:
        """Connect until each worker has accepted two connections; the processes."""
        for _ in range(400):
            if len(self.of) == workers and all(len(known) > 1 for known in self.of.values()):
                return list(self.of)
            connection = http.client.HTTPConnection(self._session.address, timeout=20)
            self._open.append(connection)
            known = self.of.setdefault(asked(connection, "/")[0], [])
            if len(known) < 2:
                known.append(connection)
            else:
                connection.close()
        raise AssertionError(f"only {len(self.of)} workers accept connections")


def asked(connection: http.client.HTTPConnection, path: str) -> Any:
    """The answer to a request."""
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def feed(session: Session, timeline: Timeline) -> Timeline:
    """The timeline, with the events that have come."""
    timeline.feed(session.drain())
    return timeline


def fed(session: Session, timeline: Timeline) -> Timeline:
    """The timeline, with all events up to now."""
    settle(session, timeline)
    return timeline


def test_a_request_waits_for_the_worker_that_has_its_connection_while_another_one_is_idle(tmp_path):
    """Each worker is seen by itself: its process, its requests, its block, and whom that has delayed."""
    with served(tmp_path) as session, Clients(session) as clients:
        assert session.mode == "in 2 worker processes"
        one, other = clients.meet(2)
        holds, waits = clients.of[one]
        timeline = fed(session, Timeline())
        known = set(timeline.requests)
        holds.request("GET", "/blocks")
        assert soon(lambda: any(r.path == "/blocks" for r in feed(session, timeline).arrivals))
        waits.request("GET", "/")
        assert asked(clients.of[other][0], "/")[0] == other, "the other worker answers at once"
        assert json.loads(waits.getresponse().read())[0] == one
        assert json.loads(holds.getresponse().read())[0] == one
        fed(session, timeline)
        assert {"a: imported", "b: imported"} <= set(session.output())
        pids = {process.pid: process for process in timeline.processes}
        assert pids.keys() == {one, other}
        new = [request for number, request in timeline.requests.items() if number not in known]
        assert [r.letter for r in new if r.path == "/blocks"] == [pids[one].letter]
        (block,) = timeline.blocks
        assert (block.letter, block.where and Path(block.where.file).name) == (pids[one].letter, "main.py")
        (victim,) = (timeline.requests[number] for number in block.victims)
        assert (victim.path, victim.letter) == ("/", pids[one].letter)
        assert all(process.loop.lane.number for process in timeline.processes)
        assert not [number for number in timeline.requests if number >= 1 << 40]
        assert session.vitals().failures == ()
    assert not [pid for pid in (one, other) if psutil.pid_exists(pid)]


def test_a_worker_that_dies_is_started_again_and_the_others_go_on(tmp_path):
    """As uvicorn's supervisor does it; the timeline says which one it was, and how it has ended."""
    with served(tmp_path) as session, Clients(session) as clients, Clients(session) as again:
        one, other = clients.meet(2)
        timeline = fed(session, Timeline())
        letter = next(process.letter for process in timeline.processes if process.pid == one)
        session.set_threads(7)
        with pytest.raises((http.client.HTTPException, OSError)):
            asked(clients.of[one][0], "/dies")
        assert asked(clients.of[other][0], "/thread") == [other, 7]
        assert soon(lambda: len(feed(session, timeline).incidents) == 2)
        names = [(incident.name, incident.change, incident.reason) for incident in timeline.incidents]
        assert names == [
            (f"worker {letter}", "ended", "exit code 3"),
            (f"worker {letter}", "restarted", "exit code 3"),
        ]
        (dead,) = (request for request in timeline.arrivals if request.path == "/dies")
        assert (dead.letter, dead.failure) == (letter, "its process has ended")
        session.wait()
        pids = again.meet(2)
        assert other in pids
        assert one not in pids
        assert all(asked(known[0], "/")[1] == 7 for known in again.of.values()), "the limit is kept"
        fed(session, timeline)
        assert {process.pid for process in timeline.processes} == set(pids)
        assert session.vitals().failures == ()
        assert session.death is None


def test_a_worker_that_does_not_react_does_not_keep_the_others(tmp_path):
    """Stopped by a signal, it cannot end itself; the end of all takes no longer than that of one."""
    with served(tmp_path, workers=3) as session:
        with Clients(session) as clients:
            pids = clients.meet(3)
        os.kill(pids[0], signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_an_application_that_cannot_be_imported_is_said_once(tmp_path):
    """Workers that cannot start are not started again for ever: the reason is an error in words."""
    with pytest.raises(InputError, match="broken"), served(tmp_path, "raise RuntimeError('broken')\n"):
        pass


def test_workers_do_not_move_into_a_thread(tmp_path):
    """They are processes; all of them can be started again."""
    with served(tmp_path) as session, Clients(session) as after:
        with Clients(session) as clients:
            before = clients.meet(2)
        assert session.move() is None
        again = session.restart()
        assert again is not None
        again.result(30)
        assert not set(before) & set(after.meet(2))
        timeline = fed(session, Timeline())
        assert [process.letter for process in timeline.processes] == ["a", "b"]
        assert all(request.letter for request in timeline.arrivals)
