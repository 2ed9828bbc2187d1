"""Who can reach the server, and what a request of another client can do: what its application does."""

from __future__ import annotations

import ast
import contextlib
import http.client
import itertools
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import loopviz
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.server.apps import Apps
from loopviz.scenario import builtin_folder, find, read
from loopviz.stream import events as ev
from loopviz.stream.marked import HEADER
from loopviz.target.application import Application
from tests.probe_support import SECRET, Served, Setup, every_setup, of_kind
from tests.test_serving import bare, port_of, scenario, session

PAGE = "http://evil.example"
FOREIGN: list[dict[str, str]] = [
    {"Host": "evil.example"},
    {"Host": "evil.example:80", "Origin": PAGE, "Referer": f"{PAGE}/page"},
    {"Host": "127.0.0.1", "Origin": PAGE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Host": "127.0.0.1", "Origin": "null", "Cookie": "a=b", "X-Forwarded-Host": "evil.example"},
    {"Host": "127.0.0.1", "Origin": PAGE, "Access-Control-Request-Method": "PUT",
     "Access-Control-Request-Private-Network": "true", "Access-Control-Request-Headers": HEADER},
    {"Host": "127.0.0.1", HEADER: "1"},
    {"Host": "127.0.0.1", HEADER: "0" * 32 + "-1"},
]  # fmt: skip
"""What the requests of a web page in the user's browser carry: after DNS rebinding, and across sites."""
TARGETS = [
    ("GET", "/seen"), ("POST", "/seen"), ("OPTIONS", "/seen"), ("DELETE", "/seen"), ("PUT", "/seen"),
    ("TRACE", "/seen"), ("GET", "/"), ("GET", "/loopviz"), ("POST", "/quit"), ("POST", "/fire"),
    ("GET", "/events"), ("GET", "/seen?loopviz=quit"), ("GET", "/../../etc/passwd"), ("GET", "/%2e%2e/x"),
]  # fmt: skip

APPLICATION = """
app = FastAPI()
@app.get("/seen")
async def seen(request: Request):
    own = {"x-loopviz-request"}
    return [dict(request.query_params), sorted(set(request.headers) - own), request.headers["host"]]
@app.websocket("/ws")
async def ws(w: WebSocket):
    await w.accept()
    await w.close()
"""


def asked(port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to another client."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.putrequest(method, path, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = {name: value for name, value in answer.getheaders() if name != "date"}
        return answer.status, found, answer.read()


def upgraded(port: int, path: str) -> bytes:
    """The first line of the answer to a WebSocket that a page of another site opens."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nOrigin: {PAGE}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return client.recv(4096).partition(b"\r\n")[0]


# -- who can reach it ----------------------------------------------------------------------------

POOL = """
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from urllib.request import urlopen

pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
app = FastAPI()

@app.get("/pool")
async def pooled():
    await asyncio.to_thread(lambda: urlopen(os.environ["UPSTREAM_URL"] + "/sleep?seconds=0").read())
    await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 0.01)
"""
_PROGRAM = """
import sys
from loopviz.live.session import Session, leave
from loopviz.scenario import find, read

session = Session(read(find(sys.argv[1])))
session.start()
session.wait()
session.fire(session.scenarios[0], 1).result(60)
print(session.address, flush=True)
sys.stdin.read(1)
session.stop()
leave(0)
"""


def descendants(root: int) -> set[int]:
    """A process and all that it has started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def sockets_of(processes: set[int]) -> set[str]:
    """The inodes of their sockets."""
    found = set()
    for pid in processes:
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    name = str(entry.readlink())
                    if name.startswith("socket:["):
                        found.add(name[8:-1])
    return found


def bound(inodes: set[str], kind: str) -> list[str]:
    """The local addresses of those that wait for anybody: TCP that listens, and unconnected UDP."""
    found = []
    for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
        fields = line.split()
        waiting = fields[3] == "0A" if kind.startswith("tcp") else fields[2].endswith(":0000")
        if fields[9] in inodes and waiting:
            found.append(fields[1].partition(":")[0])
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_every_socket_is_on_the_loopback_interface(tmp_path: Path) -> None:
    """Server, upstream server, worker processes and their reports: nothing listens on another address."""
    file = scenario(tmp_path, "pool", POOL, ", upstream=True")
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            assert program.stdout.readline().startswith("127.0.0.1:")
            processes = descendants(program.pid)
            inodes = sockets_of(processes)
            tcp, udp = bound(inodes, "tcp"), bound(inodes, "udp")
            elsewhere = bound(inodes, "tcp6") + bound(inodes, "udp6")
        finally:
            program.stdin.close()
        local = f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}"
        assert len(processes) >= 4, "the guard, the upstream server, a worker process"
        assert len(tcp) >= 2, "the server and the upstream server"
        assert len(udp) >= 1, "the reports of worker processes"
        assert set(tcp) | set(udp) == {local}
        assert elsewhere == []
        assert program.wait(20) == 0


def test_only_an_application_of_the_users_own_listens_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Scenarios listen on 127.0.0.1; an application listens elsewhere only if `--host` says so."""
    from loopviz.cli.main import _parser, main

    (commands,) = [action for action in _parser()._actions if action.choices]
    assert commands.choices is not None
    for name, command in dict(commands.choices).items():
        options = {option for action in command._actions for option in action.option_strings}
        assert not {"--address", "--bind", "--uds", "--fd"} & options
        assert ("--host" in options) == (name in {"run", "record"})
    assert main(["record", "async", "--host", "0.0.0.0"]) == 2
    assert "--host is for an application of your own" in capsys.readouterr().err
    assert Application("main:app", "main", "app", ".", ".").host == "127.0.0.1"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_the_folder_for_scenarios_is_the_users_own() -> None:
    """No other user can list, read or write what scenarios keep."""
    with Workspace() as workspace:
        assert workspace.folder.stat().st_mode & 0o777 == 0o700


def test_loopviz_unpickles_nothing() -> None:
    """No module reads objects from bytes but in memory, or from a process of the same user."""
    package = Path(loopviz.__file__).parent
    imported = [
        (name.partition(".")[0], file.name)
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
    ]
    unpacking = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    assert {one for one in imported if one[0] in unpacking} == {
        ("marshal", "write.py"),  # packs events in memory
        ("marshal", "frames.py"),  # a private connection, or one whose peer was checked
        ("marshal", "blackbox.py"),  # memory that only the server's process shares
    }
    assert "serializer" not in (builtin_folder() / "celery.py").read_text()


# -- what they can do ------------------------------------------------------------------------------


def test_a_request_of_a_web_page_reaches_the_application_and_nothing_else(tmp_path: Path) -> None:
    """Whatever a request carries, it is answered as without loopviz, and changes nothing in loopviz."""
    (file,) = read([scenario(tmp_path, "seen", APPLICATION)])
    with bare(file.app) as port:
        expected = [asked(port, *target, headers) for headers in FOREIGN for target in TARGETS]
        shaken = [upgraded(port, path) for path in ("/ws", "/other")]
    assert {status for status, _, _ in expected} == {200, 404, 405}
    assert [line.split()[1] for line in shaken] == [b"101", b"403"]
    with session(file) as made:
        port = port_of(made)
        before = made.threads, made.scenarios, made._incoming._recorder, made.ended
        got = [asked(port, *target, headers) for headers in FOREIGN for target in TARGETS]
        assert got == expected
        assert [upgraded(port, path) for path in ("/ws", "/other")] == shaken
        assert (made.threads, made.scenarios, made._incoming._recorder, made.ended) == before
        assert not any(
            "loopviz" in f"{name}{value}".lower() for _, found, _ in got for name, value in found.items()
        )
        time.sleep(0.1)
        events = made.drain_all()
    assert not [event for event in events if event[1] in {ev.SENT, ev.RECEIVED}], "nothing was fired"
    assert len([event for event in events if event[1] == ev.READ]) == len(got) + len(shaken)


def test_loopviz_adds_no_route_to_what_it_serves() -> None:
    """Beside the scenarios' own applications there is only an empty one: no page, no document."""
    assert Apps([])._fallback.routes == []


def endpoints(file: Path) -> list[tuple[str, str, list[str]]]:
    """Method, path and arguments of what a scenario file serves, without what is no value of a request's."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
                    path = ast.literal_eval(call.args[0])
                    own = [
                        one.arg
                        for one in node.args.args
                        if not re.search("Depends|User|BackgroundTasks", ast.unparse(one.annotation or one))
                    ]
                    if path != "http":  # a middleware
                        found.append((call.func.attr, path, own))
    return found


def test_no_builtin_scenario_acts_on_what_a_request_says() -> None:
    """Their endpoints are fetched with GET and take nothing, but the receipt of a task to look at."""
    found = [endpoint for file in find() for endpoint in endpoints(file)]
    assert len(found) > 40
    assert [one for one in found if one[0] != "get" or one[2]] == [("get", "/celery/{receipt}", ["receipt"])]
    for file in find():
        assert not re.search(r"request\.(?!app|state)\w|Request\b|Query|Body|Header|Cookie", file.read_text())


# -- the mark of loopviz's own requests ------------------------------------------------------------


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@every_setup
def test_a_mark_without_the_secret_is_another_clients(setup: Setup) -> None:
    """A forged mark, one used twice and one of a number that is far away or none: requests of others."""
    marks = [
        "1", "-1", "secret", f"{SECRET.upper()}-1", f"x{SECRET}-1", f"guess-{1}", f"{SECRET}-x", f"{SECRET}-",
        f"{SECRET}-0", f"{SECRET}--1", f"{SECRET}-1_0", f"{SECRET}-{10**15}", f"{SECRET}-{'9' * 4000}",
    ]  # fmt: skip
    with Served(_answer, setup, numbers=itertools.count(100)) as served:
        assert served.get("/own", number=7)[0] == 200
        for mark in [f"{SECRET}-7", *marks]:
            assert asked(served.port, "GET", "/x", {"Host": "x", HEADER: mark})[0] == 200
        events = list(served.settle(2 + len(marks)))
    assert served.probe.failures == []
    assert [event[2] for event in of_kind(events, ev.READ)] == [7, *range(100, 101 + len(marks))]


def test_the_secret_cannot_be_guessed(tmp_path: Path) -> None:
    """Each run has a secret of its own, of 128 bits."""
    text = (
        "app = FastAPI()\nseen = []\n@app.get('/one')\nasync def one(request: Request): seen.append(request)"
    )
    (file,) = read([scenario(tmp_path, "one", text)])
    for _ in range(2):
        with session(file) as made:
            made.fire(file, 1).result(10)
    marks = [
        request.headers[HEADER]
        for request in vars(sys.modules[file.app.routes[-1].endpoint.__module__])["seen"]
    ]
    assert len(marks) == len(set(marks)) == 2
    assert all(len(mark.rpartition("-")[0]) == 32 for mark in marks)


@every_setup
def test_a_long_path_is_cut_where_it_is_read(setup: Setup) -> None:
    """A client cannot fill the memory with its paths: 2,000 characters of each are kept."""
    with Served(_answer, setup) as served:
        assert asked(served.port, "GET", f"/{'x' * 50_000}", {"Host": "x"})[0] == 200
        events = list(served.settle(1))
    assert [len(event[4]) for event in of_kind(events, ev.READ)] == [2_000]
