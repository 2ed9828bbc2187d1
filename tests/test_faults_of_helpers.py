"""Helper processes that are killed or stopped: what is said, what is started again, and what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from loopviz.draw.incidents import latest, sentence
from loopviz.errors import InputError
from loopviz.live.helpers import folder, helper
from loopviz.live.helpers.guard import MARK, ORDER
from loopviz.live.helpers.workspace import UPSTREAM, Workspace
from loopviz.live.session import Session
from loopviz.model import State, Timeline
from loopviz.model.summary import summarise
from loopviz.scenario import find, read
from tests.served import scenarios
from tests.served import soon as within
from tests.test_helpers import alive, program

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it looks into /proc"),
    pytest.mark.slow,
]
soon = partial(within, within=30.0)


def guards(mark: str) -> list[int]:
    """The guards among the processes with this mark."""
    return [pid for pid in alive(mark) if "guard.py" in arguments(pid)]


def knows(guard: int) -> bool:
    """Whether a guard that was started again knows which processes were forked: then it needs psutil."""
    try:
        return "_psutil" in Path(f"/proc/{guard}/maps").read_text()
    except OSError:
        return False


def arguments(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


# -- the upstream server -----------------------------------------------------------------------


def test_a_helper_of_a_server_in_a_process_of_its_own_is_reported() -> None:
    """Its end and its new start are said as they are for a server in a thread."""
    (file,) = read(find("http_async"))
    session, timeline = Session([file], isolate=True), Timeline()
    session.start()
    try:
        session.wait()
        session.fire(file, 1).result(30)
        started = psutil.Process(session.pid).children(recursive=True)
        (upstream,) = [child for child in started if "upstream.py" in arguments(child.pid)]
        upstream.kill()

        def changes() -> list[str]:
            timeline.feed(session.drain())
            return [incident.change for incident in timeline.incidents]

        assert soon(lambda: changes() == ["ended", "restarted"])
        assert timeline.incidents[0].reason == "SIGKILL"
    finally:
        session.stop()


@pytest.fixture(name="hasty")
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helpers are started again sooner than usual."""
    monkeypatch.setattr(helper, "BACKOFF", (0.05, 0.1))


def test_an_upstream_server_that_is_killed(hasty: None) -> None:
    """Requests that wait for it fail, it is started again, and this is said; a third time it is given up.

    Then requests fail at once instead of waiting for a server that does not come. Quitting beside one that is
    stopped takes no longer.
    """
    (file,) = read(find("http_async"))
    session, timeline = Session([file]), Timeline()
    session.start()
    try:
        session.wait()

        def statuses() -> list[int | None]:
            timeline.feed(session.drain_all())
            return [request.status for request in timeline.requests.values()]

        def awaiting() -> int:
            timeline.feed(session.drain_all())
            return sum(request.state is State.AWAITING for request in timeline.requests.values())

        def kill() -> None:
            upstream = Workspace._current()._upstream
            assert upstream is not None
            assert soon(lambda: upstream.alive and upstream._is_ready.is_set())
            assert upstream.process is not None
            upstream.process.send_signal(signal.SIGKILL)

        def changes() -> list[str]:
            timeline.feed(session.drain_all())
            return [incident.change for incident in timeline.incidents]

        session.fire(file, 1).result(20)
        first = session.fire(file, 3)
        assert soon(lambda: awaiting() == 3)
        time.sleep(0.1)  # until it has them: what it has not accepted is served by the next one
        kill()
        first.result(20)
        assert soon(lambda: statuses() == [200, 500, 500, 500])
        session.fire(file, 1).result(20)
        assert soon(lambda: statuses()[4:] == [200])
        assert changes() == ["ended", "restarted"]
        said = latest(timeline, timeline.incidents[-1].t)
        assert said == "The upstream server has ended (SIGKILL); it was started again."
        assert latest(timeline, timeline.incidents[0].t - 1) is None

        kill()
        assert soon(lambda: changes()[2:] == ["ended", "restarted"])
        kill()
        assert soon(lambda: changes()[4:] == ["given up"])
        given_up = "The upstream server is not started again: it has ended 3 times (SIGKILL)."
        assert sentence(timeline, timeline.incidents[-1]) == given_up
        session.fire(file, 2).result(20)
        assert soon(lambda: statuses()[5:] == [500, 500])
        document = summarise(timeline, scenario=None, environment={}, limit=40)
        assert [incident["change"] for incident in document["incidents"]] == changes()
        assert document["incidents"][0]["process"] == "the upstream server"

        scenarios(session).workspace.provide(file)  # as when the scenario's file is saved
        session.fire(file, 1).result(20)
        assert soon(lambda: statuses()[7:] == [200])
        upstream = Workspace._current()._upstream
        assert upstream is not None
        assert upstream.process is not None
        os.kill(upstream.process.pid, signal.SIGSTOP)
        place = Workspace._current().folder
        began = time.monotonic()
    finally:
        assert session.stop()
    assert time.monotonic() - began < 2
    assert not place.exists()


def test_a_helper_that_does_not_start_again_is_given_up(hasty: None, tmp_path: Path) -> None:
    """One that ends by itself before it is ready is not tried again; one that is killed is."""
    said: list[tuple[str, str, str]] = []
    tries = tmp_path / "tries"

    def start() -> subprocess.Popen[bytes]:
        code = f"import os; open({str(tries)!r}, 'a').write('.'); os.kill(os.getpid(), 9)"
        if tries.exists():
            code = "raise SystemExit(3)"
        return subprocess.Popen([sys.executable, "-I", "-S", "-c", code])

    one = helper.Helper(
        "it", start, lambda *change: said.append(change), ready=lambda: False, explain=lambda: "Exit code 3."
    )
    with pytest.raises(InputError, match="Exit code 3"):
        one.wait()
    one.close()
    assert said == [("it", "ended", "SIGKILL")]


# -- guards ------------------------------------------------------------------------------------


def test_a_guard_is_killed_and_then_the_program() -> None:
    """The other guard cleans up, whether the first was killed or stopped; a killed one is started again."""
    for how in (signal.SIGKILL, signal.SIGSTOP):
        with program("time.sleep(60)") as (child, _, mark):
            first = guards(mark)
            assert len(first) == 2
            os.kill(first[0], how)
            child.kill()
            began = time.monotonic()
            assert soon(lambda: not alive(mark))
            took = time.monotonic() - began
            print(f"{how.name}: gone after {took:.2f} s")
    with program("time.sleep(60)") as (child, _, mark):
        first = guards(mark)
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        assert soon(lambda: sum(knows(pid) for pid in set(guards(mark)) - set(first)) == 2)
        child.kill()


def test_both_guards_are_stopped() -> None:
    """The program cleans up by itself when it ends, without waiting for them long."""
    with program("time.sleep(60)") as (child, _, mark):
        for pid in guards(mark):
            os.kill(pid, signal.SIGSTOP)
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert soon(lambda: guards(mark) == [])
        print(f"ended after {time.monotonic() - began:.2f} s")


def test_the_parent_of_a_pool_is_killed() -> None:
    """Processes whose parent is not loopviz end as well, also if that parent has been killed before."""
    more = (
        "import multiprocessing; other = ProcessPoolExecutor(2, multiprocessing.get_context('forkserver'));"
        " other.submit(time.sleep, 60), other.submit(time.sleep, 60); time.sleep(60)"
    )

    def forked(mark: str) -> list[int]:
        return [pid for pid in alive(mark) if "multiprocessing.forkserver" in arguments(pid)]

    with program(more) as (child, _, mark):
        assert soon(lambda: len(forked(mark)) == 3)
        server = next(pid for pid in forked(mark) if psutil.Process(pid).ppid() == child.pid)
        os.kill(server, signal.SIGKILL)
        child.kill()


# -- who may come in ---------------------------------------------------------------------------


def test_secrets_are_on_no_command_line() -> None:
    """Every user can list the arguments of all processes: no token and no secret is among them."""
    before = set(psutil.pids())
    with Workspace() as workspace:
        workspace.provide(read(find("http_async"))[0])
        secrets = [os.environ[MARK], os.environ[UPSTREAM].rpartition("/")[2], workspace.folder.name]
        assert all(len(secret) >= 20 for secret in secrets)
        started = [arguments(pid) for pid in set(psutil.pids()) - before]
        assert sum("guard.py" in line for line in started) >= 2
        assert sum("upstream.py" in line for line in started) >= 1
        assert not any(secret in line for line in started for secret in secrets)
        assert ORDER not in os.environ


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_folder_is_for_its_owner_only(umask: int) -> None:
    """Only its owner can use it, whatever the umask is."""
    before = os.umask(umask)
    try:
        with Workspace() as workspace:
            assert workspace.folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


def test_a_folder_that_others_can_replace_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary folder without the sticky bit, or below one, is avoided; if all are so, it is said."""
    shared = tmp_path / "shared"
    (shared / "below").mkdir(parents=True)
    shared.chmod(0o777)
    for place in (shared, shared / "below"):
        monkeypatch.setattr("tempfile.tempdir", str(place))
        assert shared not in folder.name_for_folder().parents
    shared.chmod(0o1777)
    assert folder.name_for_folder().parent == (shared / "below").resolve()
    monkeypatch.setattr(folder, "_is_safe", lambda _: False)
    with pytest.raises(InputError, match="TMPDIR"):
        Workspace().enter()


@pytest.mark.parametrize("planted", ["folder", "link", "dangling"])
def test_a_folder_that_was_planted_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    """If the name exists, even as a link, nothing is written there, and no guard is left."""
    bait = tmp_path / "bait"
    name = tmp_path / "loopviz-known"
    if planted == "folder":
        name.mkdir()
    else:
        name.symlink_to(bait)
    if planted == "link":
        bait.mkdir()
        (bait / "precious").touch()
    monkeypatch.setattr("loopviz.live.helpers.workspace.name_for_folder", lambda: name)
    with pytest.raises(FileExistsError):
        Workspace().enter()
    assert not alive(str(name))
    if planted == "link":
        assert (bait / "precious").exists()
    assert Workspace._shared is None
    assert not Workspace._users
