"""Applications of others, as they are published: recorded, shown, fired and attached to.

They are installed once, in an environment of their own, which CI keeps.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.terminal import ROOT, Terminal

pytestmark = pytest.mark.slow

PACKAGES = [
    "advanced-alchemy==1.12.0", "aiosqlite==0.22.1", "datasette==0.65.5", "django==6.1.3",
    "finitelycomputable-helloworld-quart==24.7", "litestar==2.25.0", "quart==0.23.1",
    "simple-repository-server==0.10.0", "blacksheep==2.6.4", "pip",
]  # fmt: skip
"""Some are given in full: what they need may change, the applications do not."""
SOURCES = "advanced-alchemy==1.12.0"
"""Its published source has examples, which are whole applications."""


@dataclass(frozen=True)
class Public:
    """An application, and requests that it answers."""

    name: str
    target: str
    requests: tuple[tuple[str, int], ...]
    """What is asked for, and the status of the answer."""
    listed: str
    """A part of what the screen lists; "" for an application whose routes are not known."""


APPLICATIONS = [
    Public("datasette", "main:app", (("GET /shop/items.json", 200), ("GET /nothing.json", 404)), ""),
    Public(
        "Litestar with SQLAlchemy",
        "EXAMPLES/litestar/litestar_service.py",
        (("GET /authors", 200), ('POST /authors {"name": "Ann"}', 201)),
        "/authors",
    ),
    Public("Quart", "finitelycomputable.helloworld_quart:application", (("GET /", 200),), "GET /"),
    Public(
        "Django's admin", "mysite.asgi:application", (("GET /admin/login/", 200), ("GET /no", 404)), "admin"
    ),
    Public("FastAPI: simple-repository-server", "main.py", (("GET /simple/", 200),), "/simple/"),
]
every_application = pytest.mark.parametrize("public", APPLICATIONS, ids=lambda public: public.name)


@dataclass(frozen=True)
class Installed:
    """Where the applications are installed."""

    folder: Path

    @property
    def python(self) -> str:
        """Their interpreter, which imports loopviz from this tree."""
        return str(self.folder / "env/bin/python")

    @property
    def environment(self) -> dict[str, str]:
        """The variables for it."""
        return {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(self.folder / "compiled")}

    def run(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the interpreter to its end."""
        environment = {**os.environ, **self.environment}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.run(
            [self.python, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )


@pytest.fixture(scope="module")
def installed() -> Installed:
    """The environment, made now unless it exists."""
    key = hashlib.sha256(repr([PACKAGES, sys.version, (ROOT / "pyproject.toml").read_text()]).encode())
    folder = Path(tempfile.gettempdir(), "loopviz-ci", f"public-{key.hexdigest()[:16]}")
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            _install(folder)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"the applications cannot be installed here: {getattr(error, 'stderr', error)}")
        (folder / "done").touch()
    return Installed(folder)


def _install(folder: Path) -> None:
    python = str(folder / "env/bin/python")
    asked = [*PACKAGES, "-r", str(ROOT / "pyproject.toml")]
    uv = shutil.which("uv")
    if uv is not None:
        _do(uv, "venv", "--quiet", "--python", sys.executable, str(folder / "env"))
        _do(uv, "pip", "install", "--quiet", "--python", python, *asked)
    else:
        _do(sys.executable, "-m", "venv", str(folder / "env"))
        _do(python, "-m", "pip", "install", "--quiet", str(ROOT), *PACKAGES)
    _do(
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "-d",
        str(folder),
        SOURCES,
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder / "sources", filter="data")


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)


@pytest.fixture
def project(public: Public, installed: Installed, tmp_path: Path) -> Path:
    """The folder in which the application is run, with what its documentation says that it needs."""
    if public.name == "datasette":
        with sqlite3.connect(tmp_path / "shop.db") as database:
            database.execute("create table items (id integer primary key, name text)")
            database.execute("insert into items (name) values ('a chair')")
        database.close()
        text = "from datasette.app import Datasette\n\napp = Datasette(files=['shop.db']).app()\n"
        (tmp_path / "main.py").write_text(text, encoding="utf-8")
    elif public.name.startswith("FastAPI"):
        (tmp_path / "packages/demo").mkdir(parents=True)
        text = "from simple_repository_server.__main__ import create_app\n\napp = create_app(['packages'])\n"
        (tmp_path / "main.py").write_text(text, encoding="utf-8")
    elif public.name.startswith("Django"):
        made = installed.run("-m", "django", "startproject", "mysite", ".", folder=tmp_path)
        assert made.returncode == 0, made.stderr
    return tmp_path


def target(public: Public, installed: Installed) -> str:
    """What is written on the command line."""
    if not public.target.startswith("EXAMPLES"):
        return public.target
    (examples,) = (installed.folder / "sources").glob("*/examples")
    return public.target.replace("EXAMPLES", str(examples))


@every_application
def test_recorded(public: Public, installed: Installed, project: Path) -> None:
    """Without a screen: every request is answered, its time is known, and nothing is hidden or lost."""
    asked = [part for request, _ in public.requests for part in ("--request", request)]
    command = ["-m", "loopviz", "record", target(public, installed), *asked, "--requests", "4", "--json"]
    done = installed.run(*command, folder=project)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    statuses = [request["status"] for request in document["requests"]]
    assert statuses == [status for _, status in public.requests for _ in range(4)]
    for request in document["requests"]:
        assert sum(request["states"].values()) == pytest.approx(request["latency_s"], abs=1e-5)
        assert request["error"] is None
        assert request["states"]["running"] > 0
    assert document["probe"]["dropped"] == 0
    assert [blind for blind in document["probe"]["blind"] if "uvloop" not in blind["why"]] == []


@every_application
def test_shown_and_fired(public: Public, installed: Installed, project: Path) -> None:
    """On the screen: routes are listed, enter fires one, others' requests are drawn, and q ends all of it."""
    arguments = ("-m", "loopviz", "run", target(public, installed))
    terminal = Terminal(
        *arguments, program=installed.python, folder=project, environment=installed.environment
    )
    with terminal as program:
        port = int(program.expect(r"127\.0\.0\.1:(\d+)", 30)[1])
        (request, status), *_ = public.requests
        path = request.partition(" ")[2]
        assert _status(port, path, program) == status
        program.expect(rf"#\d+ +(?:GET +)?{re.escape(path[:8])}")
        if public.listed:
            program.expect(re.escape(public.listed))
            program.press("\r")
            program.expect(r"#[2-9]", 20)
        program.press("q")
        program.wait(15)
        assert program.exit_code == 0
    assert b"Traceback" not in program.output


@every_application
def test_attached(public: Public, installed: Installed, project: Path) -> None:
    """Beside it: loopviz attaches to uvicorn's own command, shows a request, and ends it."""
    port = _free_port()
    name, folder = public.target, project
    if name.startswith("EXAMPLES"):
        file = Path(target(public, installed))
        name, folder = f"{file.stem}:app", file.parent
    name = name.replace(".py", ":app") if ":" not in name else name
    command = (installed.python, "-m", "uvicorn", name, "--app-dir", str(folder), "--port", str(port))
    terminal = Terminal(
        *("-m", "loopviz", "run", "--cmd", "--", *command),
        program=installed.python,
        folder=project,
        environment=installed.environment,
    )
    with terminal as program:
        program.expect(r"attached[^\0]*\d in use", 30)  # the probe is there
        _await_listening(port, program)
        (request, status), *_ = public.requests
        path = request.partition(" ")[2]
        assert _status(port, path, program) == status
        program.expect(rf"#\d+ +(?:GET +)?{re.escape(path[:8])}")
        program.press("q")
        program.wait(15)
        assert program.exit_code == 0
    assert b"Traceback" not in program.output


def _await_listening(port: int, program: Terminal) -> None:
    until = time.monotonic() + 30
    while True:
        with socket.socket() as sock:
            if not sock.connect_ex(("127.0.0.1", port)):
                return
        assert time.monotonic() < until, program.text()
        program.pump(0.05)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _status(port: int, path: str, program: Terminal) -> int:
    """The status of somebody else's request, while the program draws."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        until = time.monotonic() + 30
        while not select.select([client], [], [], 0)[0]:
            assert time.monotonic() < until, program.text()
            program.pump(0.02)
        return int(client.recv(1 << 16).split()[1])
