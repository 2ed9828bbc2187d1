"""The workspace: what scenarios get from it, and that nothing of it is left, however loopviz ends."""

from __future__ import annotations

import base64
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from loopviz.experiment.measure import measure
from loopviz.live.helpers.guard import MARK
from loopviz.live.helpers.workspace import FOLDER, UPSTREAM, Workspace
from loopviz.live.session import Session
from loopviz.scenario import ScenarioFile, builtin_folder, find, read
from loopviz.scenario.watch import SavedFile, Watcher
from loopviz.stream.endings import how_ended
from tests.served import scenarios, soon

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it looks into /proc")
needs_celery = pytest.mark.skipif(find_spec("celery") is None, reason="celery is not installed")

PROGRAM = """
import signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from loopviz.scenario import find, read
from loopviz.live.session import Session
from loopviz.live.helpers.workspace import Workspace

def main():
    with Workspace() as workspace:
        pool = ProcessPoolExecutor(2)
        pool.submit(time.sleep, 60), pool.submit(time.sleep, 60)
        (file,) = read(find("http_async"))
        workspace.provide(file)
        print(workspace.folder, flush=True)
        {end}

if __name__ == "__main__":
    main()
"""


def alive(token: str) -> list[int]:
    """The processes of a session, forked ones included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if token.encode() in environment and state != "Z":
                found.append(int(entry.name))
    return found


@contextmanager
def program(end: str) -> Iterator[tuple[subprocess.Popen[str], Path, str]]:
    """A program within a workspace that has helper processes, its folder, and what marks all of them.

    It reads a line when all of them have been seen; `end` may wait for it.
    """
    mark = f"loopviz-test-{time.monotonic_ns()}"
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{end}", end)],
        cwd=ROOT,
        env=os.environ | {"LOOPVIZ_TEST": mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        folder = Path(child.stdout.readline().strip())
        assert folder.is_dir()
        assert soon(lambda: len(alive(mark)) >= 6, 30)  # itself, two guards, upstream and two workers
        child.stdin.write("now\n")
        child.stdin.flush()
        yield child, folder, mark
        assert soon(lambda: not alive(mark)), "processes are left"
        assert soon(lambda: not folder.exists()), "the folder is left"
    finally:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)
        child.wait()
        child.stdin.close()
        child.stdout.close()


def test_it_is_gone_after_a_crash() -> None:
    """An exception ends everything."""
    with program("sys.stdin.readline(); pool._processes.clear(); raise LookupError"):
        pass


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_it_is_gone_after_a_signal(name: str) -> None:
    """A signal that ends the program, even SIGKILL, ends its helpers and forked workers, and its folder."""
    with program("time.sleep(60)") as (child, _, _):
        child.send_signal(getattr(signal, name))


def test_it_is_gone_after_a_hard_exit() -> None:
    """A program that exits without cleaning up, as with a blocked loop, leaves nothing."""
    with program("import os; sys.stdin.readline(); os._exit(3)"):
        pass


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
@needs_celery
def test_a_recording_that_is_ended(name: str) -> None:
    """A Celery worker and its children end with a recording that is killed or interrupted."""
    mark = f"loopviz-test-{time.monotonic_ns()}"
    child = subprocess.Popen(
        [sys.executable, "-m", "loopviz", "record", "celery", "--requests", "1000"],
        cwd=ROOT,
        env=os.environ | {"LOOPVIZ_TEST": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert soon(lambda: len(alive(mark)) >= 6, 60)  # itself, two guards, worker and its two children
        child.send_signal(getattr(signal, name))
        child.wait(20)
        assert soon(lambda: not alive(mark))
    finally:
        for pid in alive(mark):
            os.kill(pid, signal.SIGKILL)
        child.wait()


def test_a_hard_exit_releases_semaphores() -> None:
    """When loopviz exits beside a blocked loop, multiprocessing does not warn of semaphores that are left."""
    program = (
        "import os\n"
        "from concurrent.futures import ProcessPoolExecutor; from multiprocessing import get_context\n"
        "from loopviz.live.helpers.workspace import Workspace; from loopviz.live.session import leave\n"
        "with Workspace():\n"
        "    pool = ProcessPoolExecutor(1, get_context('spawn'))\n"
        "    pool.submit(os.getpid).result()\n"
        "    leave(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")


def test_it_is_gone_after_a_quit() -> None:
    """Leaving a workspace ends its processes, and removes its folder and its variables."""
    before = dict(os.environ)
    with Workspace() as workspace:
        token, folder = os.environ[MARK], workspace.folder
        assert Path(os.environ[FOLDER]) == folder
        workspace.provide(read(find("http_async"))[0])
        assert len(alive(f"{MARK}={token}")) == 1
        assert folder.is_dir()
    assert alive(token) == []
    assert not folder.exists()
    assert dict(os.environ) == before


def test_within_another_it_is_the_same() -> None:
    """Workspaces that are entered at the same time are one; the last one to leave cleans up."""
    with Workspace() as outer:
        with Workspace() as inner:
            assert inner.folder == outer.folder
        inner.leave()
        assert outer.folder.is_dir()
        folder = outer.folder
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="not within"):
        _ = outer.folder


def test_the_second_server() -> None:
    """It answers after the time that is asked for, keeps connections, and survives invalid requests."""
    with Workspace() as workspace:
        workspace.provide(read(find("http_async"))[0])
        with httpx.Client(base_url=os.environ[UPSTREAM], trust_env=False) as client:
            began = time.monotonic()
            assert client.get("/sleep?seconds=0.3").json() == {"path": "/sleep", "slept": 0.3}
            assert 0.3 <= time.monotonic() - began < 2
            assert client.get("/other").status_code == 404
            address, _, secret = os.environ[UPSTREAM].rpartition("/")
            for wrong in (
                "",
                f"/{secret[:-1]}",
                f"/{secret}x",
                f"/{'0' * len(secret)}",
                "//",
                f"/x/{secret}",
            ):
                refused = httpx.get(f"{address}{wrong}/sleep?seconds=x", trust_env=False)
                assert (refused.status_code, refused.content) == (403, b"")
            with pytest.raises(httpx.HTTPError):
                client.get("/sleep?seconds=x")
            assert client.get("/sleep?seconds=0").status_code == 200


@contextmanager
def celery() -> Iterator[tuple[Workspace, ScenarioFile, httpx.Client]]:
    """A workspace with a Celery worker, its scenario's file, and a client of the scenario's server."""
    (file,) = read(find("celery"))
    session = Session([file])
    with Workspace() as workspace:
        workspace.provide(file)  # the server is not waited for as long as a worker process
        session.start()
        try:
            session.wait()
            address = f"http://{session.address}"
            with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
                yield workspace, file, client
        finally:
            session.stop()


def works(client: httpx.Client) -> bool:
    """Whether the worker does what it is asked to."""
    receipt = client.get("/celery").json()["receipt"]
    return soon(lambda: client.get(f"/celery/{receipt}").json()["state"] == "SUCCESS", 15)


def workers(token: str) -> set[int]:
    """The Celery worker of a session and its children."""
    found = set()
    for pid in alive(f"{MARK}={token}"):
        with suppress(OSError):  # it has ended since
            if b"celery_worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


@needs_celery
def test_a_message_that_is_not_yet_written() -> None:
    """A message's file is created first and written then; a worker that sees it in between goes on."""
    with celery() as (workspace, _, client):
        assert works(client)
        (workspace.folder / "queue" / "0_early.celery.msg").touch()
        assert works(client)


@needs_celery
def test_a_worker_that_ended_is_replaced() -> None:
    """A killed Celery worker is started again by itself; nothing of the first is left, or left open.

    A message that is not JSON is not read.
    """
    with celery() as (workspace, file, client), Workspace(lambda *said: reported.append(said)):
        reported: list[tuple[str, str, str]] = []
        token = os.environ[MARK]
        helper = workspace._current()._workers[file.file.resolve()]
        first = workers(token)
        with warnings.catch_warnings(record=True) as unclosed:
            warnings.simplefilter("always", ResourceWarning)
            assert helper.process is not None
            helper.process.send_signal(signal.SIGKILL)  # its children are left alone by that
            assert soon(lambda: len(reported) == 2, 60)
            gc.collect()
        assert [str(warning.message) for warning in unclosed] == []
        name = "the Celery worker of celery.py"
        assert reported == [(name, "ended", "SIGKILL"), (name, "restarted", "SIGKILL")]
        assert not workers(token) & first
        workspace.provide(file)
        assert works(client)

        harm = workspace.folder / "harm"
        body = base64.b64encode(pickle.dumps(_Harm(harm))).decode()
        headers = {"id": "1", "task": "x", "lang": "py", "root_id": "1", "parent_id": None, "group": None}
        properties = {
            "body_encoding": "base64", "delivery_tag": "1", "correlation_id": "1", "reply_to": "1",
            "delivery_info": {"exchange": "", "routing_key": "celery"},
        }  # fmt: skip
        document = {
            "body": body, "content-encoding": "binary", "content-type": "application/x-python-serialize",
            "headers": headers, "properties": properties,
        }  # fmt: skip
        message = workspace.folder / "queue" / "0_harm.celery.msg"
        message.write_text(json.dumps(document))
        assert soon(lambda: not message.exists(), 15)
        assert works(client)
        assert not harm.exists()
        assert len(reported) == 2
        os.kill(helper.process.pid, signal.SIGSTOP)  # one that is stopped does not keep loopviz from ending


class _Harm:
    """Makes a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.file,)


def test_a_users_scenario_gets_what_it_declares(tmp_path: Path) -> None:
    """A scenario in the user's own folder reaches the upstream server, like a built-in one."""
    own = tmp_path / "mine.py"
    own.write_text((builtin_folder() / "http_async.py").read_text())
    with Workspace():
        run = measure(read([own])[0], requests=2)
    assert [request.status for request in run.timeline.requests.values()] == [200, 200]


# -- reading files again -----------------------------------------------------------------------

MINE = """
import asyncio
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/mine")
async def mine():
    return "{answer}"

scenario = Scenario(title="{answer}", expect="it", key="{key}", requests=1)
"""


def saved(watcher: Watcher) -> list[SavedFile]:
    """What was read of what was saved."""
    changes: list[SavedFile] = []

    def found() -> bool:
        changes.extend(watcher.poll())
        return bool(changes)

    assert soon(found)
    return changes


def test_a_saved_file_is_read_again(tmp_path: Path) -> None:
    """A saved file is served in its new version; if it has an error, the previous one is still served."""
    mine = tmp_path / "mine.py"
    mine.write_text(MINE.format(answer="one", key="u"))
    files = read(find(str(tmp_path)))
    watcher = Watcher(str(tmp_path), files)
    session = Session(files, lazily=True)
    session.start()

    def answer(path: str = "/mine") -> str:
        response = httpx.get(f"http://{session.address}{path}", trust_env=False)
        return str(response.json()) if response.status_code == 200 else str(response.status_code)

    try:
        session.wait()
        assert watcher.poll() == []
        assert answer() == "one"
        mine.write_text(MINE.format(answer="two", key="u"))
        (change,) = saved(watcher)
        assert change.scenario is not None
        session.reload(change.scenario).result(5)
        assert answer() == "two"
        assert [file.facts.title for file in session.scenarios] == ["two"]

        mine.write_text(MINE.format(answer="six", key="u") + "\n1 / 0\n")
        (change,) = saved(watcher)
        assert change.scenario is None
        assert change.error is not None
        assert f"{mine}:14: ZeroDivisionError" in change.error
        assert answer() == "two"
        assert watcher.poll() == []

        (tmp_path / "more.py").write_text(MINE.format(answer="more", key="u").replace("/mine", "/more"))
        (change,) = saved(watcher)
        assert change.error is not None
        assert "mine.py has the key 'u'" in change.error
        (tmp_path / "more.py").write_text(MINE.format(answer="more", key="y").replace("/mine", "/more"))
        (change,) = saved(watcher)
        assert change.scenario is not None
        session.reload(change.scenario).result(5)
        assert (answer("/more"), answer()) == ("more", "two")

        mine.unlink()
        assert watcher.poll() == []
        assert answer() == "two"
    finally:
        session.stop()


def test_a_lifespan_that_fails_on_reload(tmp_path: Path) -> None:
    """If the new version's lifespan fails, the version before is still served."""
    mine = tmp_path / "mine.py"
    mine.write_text(MINE.format(answer="one", key="u"))
    files = read([mine])
    session = Session(files)
    session.start()
    try:
        session.wait()
        failing = (
            "from contextlib import asynccontextmanager\n\n@asynccontextmanager\nasync def lifespan(app):\n"
            "    raise LookupError('no database')\n    yield\n\napp = FastAPI(lifespan=lifespan)"
        )
        mine.write_text(MINE.format(answer="two", key="u").replace("app = FastAPI()", failing))
        (file,) = read([mine])
        with pytest.raises(LookupError, match="no database"):
            session.reload(file).result(5)
        assert httpx.get(f"http://{session.address}/mine", trust_env=False).json() == "one"
        assert session.scenarios == files
    finally:
        session.stop()


def test_lazily() -> None:
    """Light scenarios are ready soon after the start, those that need more when they are fired."""
    files = {file.name: file for file in read(find())}
    session = Session(list(files.values()), lazily=True)
    session.start()
    try:
        session.wait()
        apps = scenarios(session).apps
        assert all(apps.ready(name) for name, file in files.items() if file.facts.key)
        assert soon(lambda: apps.ready("asgi") and apps.ready("trivial_async"))
        assert not apps.ready("http_async")
        answered = session.fire(files["http_async"], 2)
        assert session.preparing("http_async") is not None
        answered.result(20)
        assert session.preparing("http_async") is None
        assert apps.ready("http_async")
        assert httpx.get(f"http://{session.address}/gather", trust_env=False, timeout=20).status_code == 200
        assert apps.ready("gather")
        assert session.vitals().failures == ()
    finally:
        session.stop()
        assert soon(lambda: session.ended)  # a process pool takes its time to end


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-250, "signal 250")]
)
def test_how_a_process_has_ended_is_said_in_words(code: int, words: str) -> None:
    """A signal is named; one that has no name here has its number."""
    assert how_ended(code) == words
