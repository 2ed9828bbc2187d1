"""Applications are served as uvicorn alone serves them: how answers are sent, and who gets which request."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from loopviz.live.session import Session
from loopviz.scenario import ScenarioFile, read

HEAD = """
import asyncio
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse
from loopviz.scenario import Scenario

"""


def scenario(folder: Path, name: str, text: str, facts: str = "") -> Path:
    """A scenario file with this text."""
    path = folder / f"{name}.py"
    declared = f'\n\nscenario = Scenario(title="{name}", expect="e", requests=1, seconds=0.01{facts})\n'
    path.write_text(HEAD + text + declared, encoding="utf-8")
    return path


@contextmanager
def session(*files: ScenarioFile, loop: str = "asyncio", lazily: bool = False) -> Iterator[Session]:
    """A session that serves."""
    made = Session(files, loop=loop, lazily=lazily)
    made.start()
    try:
        made.wait()
        yield made
    finally:
        assert made.stop()


def port_of(made: Session) -> int:
    """The port that a session serves on."""
    return int(made.address.rpartition(":")[2])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_answers_are_not_held_back(tmp_path: Path, loop: str) -> None:
    """A connection that the server accepts sends what it has at once (TCP_NODELAY)."""
    (file,) = read(
        [scenario(tmp_path, "one", "app = FastAPI()\n@app.get('/one')\nasync def one(): return 1")]
    )
    with (
        session(file, loop=loop) as made,
        closing(http.client.HTTPConnection("127.0.0.1", port_of(made), timeout=10)) as connection,
    ):
        connection.request("GET", "/one")
        assert connection.getresponse().read() == b"1"
        (protocol,) = made._server._server.server_state.connections
        transport: Any = getattr(protocol, "transport", None)
        accepted = transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
