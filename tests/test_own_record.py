"""An application of the user's own on the command line: `loopviz record`, and the notice of `loopviz run`."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from typing import Any

import httpx
import pytest

from loopviz import cli

SHOP = """
import os
import time
from fastapi import FastAPI, Request

def made(title=None):
    app = FastAPI()

    @app.get("/")
    async def index(r: Request):
        return {"root": r.scope["root_path"], "here": os.getcwd(), "more": os.environ.get("MORE")}

    @app.get("/slow")
    async def slow(seconds: float = 0.15):
        time.sleep(seconds)

    @app.post("/items/{name}")
    async def items(name: str, item: dict[str, int]):
        return item

    return app

app = made()
"""
ONE = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/only')\nasync def only(): ...\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in the working folder."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.py").write_text(SHOP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def document(capsys, *arguments: str) -> dict[str, Any]:
    """What `loopviz record … --json` prints."""
    assert cli.main(["record", *arguments, "--json"]) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def refusal(capsys, *arguments: str) -> str:
    """The two lines with which these arguments are refused."""
    code: object
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 2
    return str(err)


def test_requests_are_fired_together_and_reported(project, capsys):
    """Each line as often as asked for; the document is that of a scenario, with the application's name."""
    summary = document(
        capsys,
        *("shop.main:app", "--requests", "2"),
        *("--request", "GET /slow", "--request", 'POST /items/a {"b": 1}', "--request", "/nowhere"),
    )
    assert summary["scenario"] == "shop.main:app"
    seen = sorted((r["method"], r["path"], r["status"]) for r in summary["requests"])
    assert (
        seen == [("GET", "/nowhere", 404)] * 2 + [("GET", "/slow", 200)] * 2 + [("POST", "/items/a", 200)] * 2
    )
    assert {block["where"]["function"] for block in summary["loop"]["blocks"]} == {"made.<locals>.slow"}
    for request in summary["requests"]:
        assert sum(request["states"].values()) == pytest.approx(request["latency_s"], abs=1e-5)


def test_the_settings_are_passed_on(project, capsys):
    """The folder, the factory and uvicorn's settings reach the application, in a thread as in a process."""
    other = project / "elsewhere"
    other.mkdir()
    (project / "shop").rename(other / "shop")
    for place in ("--isolate", "--in-thread"):
        summary = document(
            capsys,
            *("shop.main:made", "--factory", "--app-dir", "elsewhere", "--root-path", "/in", place),
            *("--request", "GET /", "--requests", "1", "--no-access-log", "--log-level", "warning"),
        )
        assert [request["status"] for request in summary["requests"]] == [200]
        assert summary["scenario"] == "shop.main:made"


def test_the_only_route_needs_no_line(project, capsys):
    """It is fired as often as a scenario that does not say; the report names what was fired."""
    (project / "main.py").write_text(ONE, encoding="utf-8")
    assert cli.main(["record", "main.py"]) == 0
    out = capsys.readouterr().out
    assert "main:app · GET /only · 8 requests" in out
    assert len(re.findall(r"#\d GET /only 200", out)) == 8


def test_several_routes_are_named(project, capsys):
    """Without a line, the routes are listed and one is suggested."""
    error = refusal(capsys, "record", "shop.main:app")
    assert "shop.main:app has 3 routes: GET /, GET /slow, POST /items/{name}." in error
    assert "--request 'GET /'" in error


def test_many_routes_with_long_names_are_named_in_brief(project, capsys):
    """The names are cut, and the line that is suggested can be typed."""
    more = "for n in range(30):\n    app.get('/' + '{' + 'x' * 300 + str(n) + '}')(lambda: 1)\n"
    (project / "main.py").write_text(f"{ONE.replace('def only()', 'def only(need: int)')}{more}", "utf-8")
    error = refusal(capsys, "record", "main.py")
    assert "main:app has 31 routes: GET /only, GET /{xxx" in error
    assert len(error) < 1_500


def test_what_a_recursive_body_lacks_is_said_in_brief(project, capsys):
    """A model that contains itself has no end; the sentence has one."""
    node = (
        "from pydantic import BaseModel\nclass Node(BaseModel):\n    left: 'Node'\n    kids: 'list[Node]'\n"
    )
    made = "async def only(node: Node): ..."
    (project / "main.py").write_text(node + ONE.replace("async def only(): ...", made), "utf-8")
    error = refusal(capsys, "record", "main.py")
    assert "no value for" in error
    assert len(error) < 500


def test_a_lifespan_that_raises_is_named_with_its_line(project, capsys):
    """Also if its message has several lines, or if it is in a group of exceptions."""
    raising = "async def life(app):\n    raise {}\n    yield\n"
    served = ONE.replace("FastAPI()", "FastAPI(lifespan=life)")
    both = "ExceptionGroup: both (1 sub-exception) OSError: a b (main.py:2)"
    for error, said in {
        "ValueError('no database\\nat all')": "ValueError: no database at all (main.py:2)",
        "ExceptionGroup('both', [OSError('a\\nb')])": both,
    }.items():
        (project / "main.py").write_text(raising.format(error) + served, "utf-8")
        assert f"The server did not start: {said}" in refusal(capsys, "record", "main.py")


def test_a_file_without_an_application_is_said_to_have_none(project, capsys):
    """Whatever is to be sent to it."""
    (project / "main.py").write_text("x = 1\n", "utf-8")
    assert "has no application" in refusal(capsys, "record", "main.py", "--request", "GET /")


def test_a_failing_import_is_two_lines(project, capsys):
    """The process of the application says what its modules raise, with the line."""
    (project / "main.py").write_text(f"{ONE}\n1 / 0\n", encoding="utf-8")
    error = refusal(capsys, "record", "main.py")
    assert f"{project / 'main.py'}:6: ZeroDivisionError" in error
    assert "has no attribute 'ap'" in refusal(capsys, "record", "shop.main:ap")


def test_a_remembered_line_is_fired_and_a_broken_file_is_said_to_be(project, capsys):
    """The values of before are used without asking; of a file that cannot be read, one line is said."""
    (project / "main.py").write_text(ONE.replace("/only", "/only/{name}"), encoding="utf-8")
    folder = project / ".loopviz"
    folder.mkdir()
    lines = {"GET /only/{name}": "GET /only/a"}
    known = {"format": "loopviz-requests", "version": 1, "requests": lines}
    (folder / "requests.json").write_text(json.dumps(known), encoding="utf-8")
    assert {r["path"] for r in document(capsys, "main.py", "--requests", "1")["requests"]} == {"/only/a"}
    (folder / "requests.json").write_text("{", encoding="utf-8")
    assert cli.main(["record", "main.py", "--requests", "1"]) == 2
    lines_ = capsys.readouterr().err.splitlines()
    assert "requests.json cannot be read" in lines_[0]
    assert "no value for the path parameter 'name'" in lines_[1]
    assert "--request 'GET /only/name'" in lines_[2]


def test_a_process_that_ends_is_said_to(project, capsys):
    """How it has ended and what it has written last; the requests have failed."""
    dies = "import os\n    print('last words', flush=True)\n    os._exit(3)\n"
    (project / "main.py").write_text(ONE.replace("...", f"\n    {dies}"), encoding="utf-8")
    assert cli.main(["record", "main.py", "--requests", "1"]) == 0
    out, err = capsys.readouterr()
    assert "The server's process has ended: exit code 3. Its last line: last words" in err
    assert "1 of 1 failed" in out


def test_what_others_send_is_watched(project, capsys):
    """With --for nothing is sent; the document has the requests of another client."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    statuses: list[int] = []

    def browse() -> None:
        until = time.monotonic() + 60
        while len(statuses) < 2 and time.monotonic() < until:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/slow?seconds=0", timeout=60)  # it starts
                statuses.append(answer.status_code)
            except httpx.HTTPError:
                time.sleep(0.05)

    client = threading.Thread(target=browse)
    client.start()
    summary = document(capsys, "shop.main:app", "--for", "1500ms", "--port", str(port))
    client.join()
    assert statuses == [200, 200]
    assert [(r["path"], r["status"]) for r in summary["requests"]] == [("/slow", 200)] * 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["blocking", "--request", "GET /"], "--request is for an application"),
        (["blocking", "--host", "0.0.0.0"], "--host is for an application"),
        (["blocking", "--root-path", "/x"], "--root-path is for an application"),
        (["shop.main:app", "--for", "1s", "--request", "GET /"], "Leave out --request"),
        (["shop.main:app", "--for", "1s", "--requests", "2"], "Leave out --requests"),
        (["shop.main:app", "--for", "1"], "a time such as 10s"),
        (["shop.main:app", "--for", "0ms"], "a time such as 10s"),
        (["shop.main:app", "--request", "GET"], "is no request"),
        (["shop.main:app", "--env-file", "none"], "--env-file: none does not exist"),
        (["shop.main:app", "--log-config", "none"], "--log-config: none does not exist"),
        (["shop.main:app", "--workers", "2", "--in-thread"], "Leave out --in-thread"),
        (["shop.main:app", "--host", "192.0.2.1"], "--host 192.0.2.1 is no address of this machine"),
        (["shop.main:app", "--host", "ä..b"], "is no address"),
        (["shop.main:app", "--req", "GET /"], "unrecognized arguments: --req"),
        (["shop.main:app", "--work", "2"], "unrecognized arguments: --work"),
        (["shop.mai:app"], "Did you mean shop.main?"),
    ],
)
def test_what_does_not_go_together_is_refused(project, capsys, arguments, says):
    """In two lines, before anything is started; abbreviations are no options."""
    assert says in refusal(capsys, "record", *arguments)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_run_says_what_it_has_found(project):
    """In a project, `loopviz run` says which application it shows, and how to get the scenarios."""
    from tests.terminal import Terminal

    (project / "main.py").write_text(ONE, encoding="utf-8")
    with Terminal("run", folder=project) as terminal:
        terminal.expect(r"main:app, by main\.py in ", 30)
        terminal.expect("--builtin", 30)
        terminal.press("q")
        terminal.wait(20)
    assert terminal.exit_code == 0
