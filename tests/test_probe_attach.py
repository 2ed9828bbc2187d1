"""Attaching to servers that run already: what is seen, what is left behind, and who is refused."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

import loopviz
from loopviz.agent.door import Door, DoorError, folder_in, private
from loopviz.cli import main
from loopviz.errors import InputError
from loopviz.live.attach.processes import Candidate, servers_below
from loopviz.live.attach.reach import reach, reach_all
from loopviz.live.attached import Attached
from loopviz.live.commanded import Commanded
from loopviz.live.following import Following
from loopviz.model import Timeline
from loopviz.wire.frames import Decoder, Message, encode
from loopviz.wire.messages import CALL, REPLY
from tests.attaching import APPLICATION, Load, Server, attached, free_port, get, sees, until
from tests.terminal import Terminal

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for sockets: its path is short, as the kernel wants it."""
    return tmp_path_factory.mktemp("d")


@pytest.fixture(scope="module")
def server(tmp_path_factory, place):
    """A server that has called `loopviz.watch`."""
    with Server(tmp_path_factory.mktemp("served"), place) as running:
        running.get("/thread")  # it imports AnyIO's backend, whose classes must be left as they are as well
        yield running


def left(server: Server, before: dict[str, object]) -> dict[str, object]:
    """What is different from before."""
    now = server.state()
    return {
        name: (before[name], now[name]) for name in before if name != "modules" and now[name] != before[name]
    }


def test_requests_of_others_are_seen(server):
    """A server that is attached to shows the requests that it gets, and which of them holds its loop."""
    timeline = Timeline()
    with attached(server.door()) as view:
        server.get("/block?0.2")
        server.get("/thread")
        until(lambda: sees(view, timeline, "/thread"), "no request was seen")
        assert view.mode == "attached"
        assert view.pid == server.pid
        assert view.address == f"127.0.0.1:{server.port}"
        assert view.environment.event_loop == "asyncio"
        assert not [what for what, _ in view.blind if what == "requests"]
        assert view.vitals().failures == ()
    assert {r.status for r in timeline.requests.values()} == {200}
    assert any(block.where is not None and "served" in block.where.file for block in timeline.blocks)


def test_nothing_is_left_behind(server):
    """When the last viewer has gone, loop, classes, tasks, threads, signals and files are as before."""
    with attached(server.door()):
        server.get("/thread")  # starts AnyIO's worker, which stays
    until(lambda: "loopviz reporter" not in server.state()["threads"], "the reporter has not ended")
    before = server.state()
    timeline = Timeline()
    with attached(server.door()) as view:
        during = server.state()
        assert "call_soon" in during["loop"]
        assert during["classes"] != before["classes"]
        server.get("/thread")
        until(lambda: sees(view, timeline, "/thread"), "no request was seen")
    until(lambda: not left(server, before), f"left behind: {left(server, before)}", 10)


def test_a_request_that_outlives_the_viewer(server):
    """Requests that are open when a viewer comes, or goes, are answered, and left as they were."""
    answers: list[bytes] = []
    ask = threading.Thread(target=lambda: answers.append(server.get("/sleep?1.2")))
    ask.start()
    before = until(lambda: (s := server.state()) and len(s["connections"]) and s, "no state")
    with attached(server.door()):
        other = threading.Thread(target=lambda: answers.append(server.get("/sleep?1.0")))
        other.start()
        time.sleep(0.3)
    until(lambda: "loopviz reporter" not in server.state()["threads"], "the reporter has not ended")
    assert server.state()["connections"] == before["connections"]
    for thread in (ask, other):
        thread.join(10)
    assert answers == [b"fine", b"fine"]


def test_ten_cycles_under_load(server):
    """Attaching and detaching ten times under load fails no request, and leaves no hook and no memory."""
    sizes = []
    before = server.state()
    with Load(server.port) as load:
        for _ in range(10):
            timeline = Timeline()
            with attached(server.door()) as view:
                until(partial(sees, view, timeline, "/", 2), "nothing was seen")
            until(lambda: "loopviz reporter" not in server.state()["threads"], "it is still watched")
            sizes.append(int(server.get("/objects")))
    assert not load.failed
    assert load.answered > 30
    assert abs(sizes[-1] - sizes[2]) < 0.02 * sizes[2], sizes
    until(lambda: not left(server, before), f"left behind: {left(server, before)}", 10)


def test_several_viewers(server):
    """Each of two viewers sees every request; the second one is given what it cannot have seen."""
    first, second = Timeline(), Timeline()
    with attached(server.door()) as one:
        server.get("/thread")
        with attached(server.door()) as other:
            server.get("/sleep")
            until(lambda: sees(one, first, "/sleep"), "the first one sees nothing")
            until(lambda: sees(other, second, "/sleep"), "the second one sees nothing")
        assert second.workers.keys() == first.workers.keys() != set()
        server.get("/block?0.05")
        until(lambda: sees(one, first, "/block"), "the first one sees nothing any more")


def test_a_viewer_that_hangs_delays_nothing(server):
    """The events for a viewer that does not read are dropped and counted; another one gets all of its own."""
    reached = reach(str(server.door()))  # it never reads
    try:
        timeline = Timeline()
        with attached(server.door()) as view, Load(server.port) as load:
            until(lambda: sees(view, timeline, "/", 20), "the other viewer sees nothing")
            assert view.vitals().dropped == 0
        assert not load.failed
    finally:
        reached.connection.close()


def test_a_viewer_can_only_watch(server):
    """Whatever a viewer asks for is refused: it sends no request, and changes and ends nothing."""
    with attached(server.door()) as view:
        with pytest.raises(InputError):
            view.fire(None, 1)  # type: ignore[arg-type]  # there is no scenario
        view.set_threads(3)
        assert view.move() is None
        assert view.restart() is None
        assert view.give_up() == 0
        with reach(str(server.door())).connection as connection:
            connection.settimeout(10)
            decoder, heard = Decoder(), list[Message]()
            while not heard:
                heard += decoder.feed(connection.recv(1 << 16))
            for name in ("set_threads", "stop", "fire", "__class__"):
                connection.sendall(encode((CALL, 1, name, (1,))))
            while len(replies := [m for m in heard if m[0] == REPLY]) < 4:
                heard += decoder.feed(connection.recv(1 << 16))
        assert all(reply[2] is not None for reply in replies)
    assert server.get("/") == b"fine"


def test_the_end_of_the_server_is_noticed(tmp_path, place):
    """When the server has ended, the view says so, and that it was the server."""
    with Server(tmp_path, place) as mortal, attached(mortal.door()) as view:
        mortal.process.kill()
        mortal.process.wait()
        until(lambda: view.death, "its end was not noticed")
        assert view.stopped is None


def test_it_costs_nothing_to_import():
    """`import loopviz` loads no other module of it, and `watch` neither the probe nor a framework."""
    code = (
        "import sys; before = set(sys.modules) | {'__future__'}\n"
        "import loopviz; first = set(sys.modules) - before\n"
        "import tempfile; loopviz.watch(tempfile.mkdtemp())\n"
        "heavy = {'anyio', 'asyncio', 'textual', 'fastapi', 'rich'}\n"
        "new = heavy & {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(first), sorted(new), 'loopviz.probe' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "['loopviz'] [] False\n"


def test_what_is_forked_off_has_a_door_of_its_own(tmp_path):
    """A process that is forked off after `watch` opens its own door, and the fork finds one thread."""
    code = f"""
import os, sys, threading, time, warnings
warnings.simplefilter("error")
import loopviz
loopviz.watch({str(tmp_path)!r})
child = os.fork()
time.sleep(0.2)
names = sorted(t.name for t in threading.enumerate())
door = os.path.exists({str(tmp_path)!r} + f"/loopviz-{{os.getuid()}}/{{os.getpid()}}.sock")
os.write(1, f"{{door}} {{names}}\\n".encode())  # at once: the other process writes as well
if child:
    os.waitpid(child, 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "True ['MainThread', 'loopviz door']\n" * 2
    assert done.stderr == ""


def test_only_its_user_can_come_to_the_door(tmp_path):
    """The folder is for its user only (0700), and the socket too (0600), whatever the umask is."""
    before = os.umask(0)
    door = Door(lambda connection: connection.close(), tmp_path)
    try:
        path = door.open()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert private(path.parent)
    finally:
        os.umask(before)
        door.close()
    assert not path.exists()


@pytest.mark.parametrize("wrong", ["open to others", "a link", "a file"])
def test_a_folder_that_is_not_private_is_not_used(tmp_path, wrong):
    """There is no door in a folder that others can enter, nor behind a link; and no viewer trusts one."""
    folder = folder_in(tmp_path)
    if wrong == "open to others":
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    elif wrong == "a link":
        (tmp_path / "other").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "other")
    else:
        folder.touch()
    with pytest.raises(DoorError):
        Door(lambda connection: connection.close(), tmp_path).open()
    with socket.socket(socket.AF_UNIX) as planted:
        path = folder / "1.sock" if wrong != "a file" else tmp_path / "1.sock"
        planted.bind(str(path))
        if wrong != "a file":
            with pytest.raises(InputError, match="not a folder that only this user can enter"):
                reach(str(path))


def test_another_user_is_sent_away(tmp_path, monkeypatch):
    """A connection of another user's process is closed before anything is read from it."""
    visited = threading.Event()
    door = Door(lambda _: visited.set(), tmp_path)
    path = door.open()
    monkeypatch.setattr("loopviz.agent.door.peer_uid", lambda _: os.getuid() + 1)
    try:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(10)
            stranger.connect(str(path))
            assert stranger.recv(1) == b""
    finally:
        door.close()
    assert not visited.is_set()


def test_a_server_of_another_user_is_not_trusted(server, monkeypatch):
    """A viewer reads nothing from a process of another user."""
    monkeypatch.setattr("loopviz.live.attach.reach.peer_uid", lambda _: os.getuid() + 1)
    with pytest.raises(InputError, match="another user"):
        reach(str(server.door()))


def test_who_says_nothing_is_no_viewer(server):
    """A connection without the first word, as of one who looks whether anybody listens, installs no hook."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(server.door()))
        silent.sendall(encode((CALL, 0, "something", ())))
        silent.settimeout(10)
        assert silent.recv(1) == b""
    assert "call_soon" not in server.state()["loop"]


def test_a_process_without_a_loop_says_so(tmp_path):
    """A process that runs no event loop refuses a viewer in two lines."""
    code = f"import loopviz, time; loopviz.watch({str(tmp_path)!r}); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            reached = reach(str(folder_in(tmp_path) / f"{process.pid}.sock"))
            view = Attached((reached.connection, process.pid))
            view.start()
            with pytest.raises(InputError) as raised:
                view.wait()
            assert (
                str(raised.value) == "No event loop runs in this process.\nAttach to the process that serves."
            )
        finally:
            process.kill()


def test_watch_raises_nothing(tmp_path, caplog):
    """Where there can be no door, `watch` writes a warning, and the application starts."""
    place = tmp_path / ("x" * 120)
    place.mkdir()
    loopviz.watch(place)
    assert "cannot be attached to" in caplog.text


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("999999999", "There is no process 999999999."),
        ("no/such/path", "no/such/path is neither a process number nor a socket."),
        ("sleep", "does not run Python."),
    ],
)
def test_what_cannot_be_attached_to(target, says, capsys):
    """A process that is gone, or runs no Python, is refused in two lines, with exit code 2."""
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        code = main(["attach", str(sleeper.pid) if target == "sleep" else target, "--for", "1s"])
    finally:
        sleeper.kill()
        sleeper.wait()
    error = capsys.readouterr().err.splitlines()
    assert code == 2
    assert says in error[0]
    assert len(error) == 2


def test_the_report_is_the_document_of_record(server, capsys):
    """`attach PID --for` prints the same document as `record --json`, of what others have sent."""
    asking = threading.Timer(0.4, lambda: server.get("/block?0.15"))
    asking.start()
    assert main(["attach", str(server.door()), "--for", "1200ms", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "loopviz-summary"
    assert [r["path"] for r in document["requests"]] == ["/block"]
    assert document["loop"]["blocks"]


def test_the_list_of_servers(server, capsys, monkeypatch, place):
    """Without a process, the servers of this user are listed: how to attach, or why that is not possible."""
    assert main(["attach", "--json"]) == 0
    (found,) = [one for one in json.loads(capsys.readouterr().out)["servers"] if one["pid"] == server.pid]
    assert found["listens"] == [str(server.port)]
    assert found["attach"] == "loopviz.watch()"
    assert "uvicorn" in found["command"]
    assert main(["attach"]) == 0
    assert str(server.pid) in capsys.readouterr().out


def test_hypercorn(tmp_path, place):
    """The requests of a hypercorn are seen from where the application begins to the end of the response."""
    command = ("hypercorn", "served:app", "-b", "127.0.0.1:{port}", "--log-level", "warning")
    with Server(tmp_path, place, command=command) as running:

        def prepared() -> list[Candidate]:  # others, such as a fork server, are there as well
            return [one for one in servers_below(running.pid) if one.how == "loopviz.watch()"]

        worker = until(prepared, "it has no worker")[-1]
        timeline = Timeline()
        with attached(worker.pid) as view:
            running.get("/sleep?0.03")
            running.get("/block?0.05")
            until(lambda: sees(view, timeline, "/block"), "no request was seen")
            assert [(r.path, r.status) for r in timeline.requests.values()] == [
                ("/sleep", 200),
                ("/block", 200),
            ]
            assert "how long a request waits until it is read" in {what for what, _ in view.blind}


def test_a_server_that_is_not_known(tmp_path):
    """Of a loop that serves in another way, it is said that its requests are not visible."""
    code = f"""
import asyncio, loopviz
loopviz.watch({str(tmp_path)!r})
async def serve():
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        print(1, flush=True)
        await server.serve_forever()
asyncio.run(serve())
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            with attached(folder_in(tmp_path) / f"{process.pid}.sock") as view:
                until(lambda: "requests" in {what for what, _ in view.blind}, "it is not said")
        finally:
            process.kill()


def test_a_command_that_starts_workers(tmp_path):
    """`run --cmd` shows each worker of a gunicorn, also one that is started again, and ends all of it."""
    (tmp_path / "served.py").write_text(APPLICATION.format(prepared=""))
    port = free_port()
    words = "-m gunicorn served:app -k uvicorn.workers.UvicornWorker -w 2"
    command = Commanded([sys.executable, *words.split(), "-b", f"127.0.0.1:{port}", "--chdir", str(tmp_path)])
    timeline = Timeline()
    try:
        command.start()
        command.wait()
        assert any("Booting worker" in line for line in command.output())

        def served() -> bool:
            """Whether each of the two has served one, after one more request on a connection of its own."""
            with contextlib.suppress(OSError):  # the one that had its connection was killed
                assert get(port, "/") == b"fine"
            timeline.feed(command.drain())
            return {r.letter for r in timeline.requests.values() if r.status == 200} == {"a", "b"}

        until(served, "a worker was not seen", 40)
        assert command.mode == "attached"
        first, second = command.pids
        assert command.pid == first
        assert [process.pid for process in timeline.processes] == [first, second]
        os.kill(first, signal.SIGKILL)
        until(lambda: served() and first not in command.pids, "it was not started again", 40)
        seen = len(timeline.requests)
        until(
            lambda: served() and any(r.letter == "a" for n, r in timeline.requests.items() if n > seen),
            "the new one was not seen", 40,
        )  # fmt: skip
        assert (command.death, command.stopped) == (None, None)
        pids = command.pids
        assert pids[1] == second
        assert [(one.name, one.change) for one in timeline.incidents] == [
            ("worker a", "ended"),
            ("worker a", "restarted"),
        ]
        assert command.vitals().failures == ()
    finally:
        command.stop()
    until(lambda: not any(map(psutil.pid_exists, pids)), "a worker goes on")
    assert command.death is None


def test_the_workers_of_a_master(tmp_path, place):
    """All workers of a master are shown, by its number; one that it starts again continues its lane."""
    words = (
        "gunicorn served:app -k uvicorn.workers.UvicornWorker -w 2 -b 127.0.0.1:{port} --log-level critical"
    )
    with Server(tmp_path, place, command=words.split()) as running:
        until(lambda: len(servers_below(running.pid)) == 2, "it has no two workers")
        view = Following(str(running.pid), reach_all(str(running.pid)))
        timeline = Timeline()
        view.start()

        def seen(after: int) -> bool:
            with contextlib.suppress(OSError):  # the one that had its connection was killed
                running.get("/")
            timeline.feed(view.drain())
            new = [r for number, r in timeline.requests.items() if number > after]
            return {r.letter for r in new if r.status == 200} == {"a", "b"}

        try:
            view.wait()
            first, second = view.pids
            assert first < second
            until(lambda: seen(0), "a worker was not seen", 40)
            os.kill(second, signal.SIGKILL)
            until(lambda: second not in view.pids, "the new one was not seen", 40)
            assert view.pid == first
            before = max(timeline.requests)
            until(lambda: seen(before), "the new one is not shown", 40)

            def changes() -> bool:
                timeline.feed(view.drain())
                found = [(one.name, one.change) for one in timeline.incidents]
                return found == [("worker b", "ended"), ("worker b", "restarted")]

            until(changes, "it was not said that it was started again")
            assert (view.death, view.stopped) == (None, None)
        finally:
            view.stop()


def test_a_command_ends_with_loopviz():
    """When loopviz is killed, so is the command that it has started."""
    code = (
        "import sys, time; from loopviz.live.commanded import Commanded\n"
        "one = Commanded([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(one._command.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert psutil.pid_exists(pid)
        process.kill()
    until(lambda: not psutil.pid_exists(pid), "the command goes on")


def test_q_detaches(server):
    """The key q ends the screen, and the server goes on without hooks."""
    with Terminal("attach", str(server.door())) as terminal:
        terminal.expect(r"attached")
        server.get("/sleep")
        terminal.expect(r"GET /sleep")
        terminal.press("q")
        until(lambda: terminal.ended, "it has not ended")
    assert server.get("/") == b"fine"
    until(lambda: "call_soon" not in server.state()["loop"], "hooks are left")


def test_a_command_that_does_not_serve(capsys):
    """A command that ends before it serves is reported with its last line."""
    command = Commanded([sys.executable, "-c", "print('no such shop'); raise SystemExit(3)"])
    command.start()
    with pytest.raises(InputError, match="has ended before it served: exit code 3: no such shop"):
        command.wait()
    command.stop()
    with pytest.raises(InputError, match="cannot be started"):
        Commanded(["no-such-command"])


def test_the_sitecustomize_of_the_user_is_executed(tmp_path):
    """What brings the agent gives way to the user's own sitecustomize, and leaves PYTHONPATH as it was."""
    (tmp_path / "sitecustomize.py").write_text("print('mine')")
    code = (
        "import os, sys\n"
        "print(os.environ.get('PYTHONPATH'), 'bring' in str(sys.path), 'LOOPVIZ_WATCH' in os.environ)"
    )
    bring = ROOT / "loopviz" / "agent" / "bring"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(bring), str(tmp_path)]),
        "LOOPVIZ_WATCH": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == ["mine", f"{tmp_path} False False"]
    assert done.stderr == ""


if sys.version_info >= (3, 14):

    @pytest.fixture(scope="module")
    def unprepared(tmp_path_factory):
        """A server that knows nothing of loopviz."""
        with Server(tmp_path_factory.mktemp("unprepared"), None) as running:
            yield running

    def test_an_unprepared_server(unprepared):
        """Python executes the agent in a server that nobody prepared, and nothing of it is left."""
        unprepared.get("/thread")
        before = unprepared.state()
        assert before["modules"] == []
        for _ in range(2):
            timeline = Timeline()
            with attached(unprepared.pid) as view:
                unprepared.get("/block?0.1")
                until(partial(sees, view, timeline, "/block"), "no request was seen")
                assert unprepared.state()["modules"]
            until(lambda: unprepared.state()["modules"] == [], "modules are left")
            until(lambda: not left(unprepared, before), f"left behind: {left(unprepared, before)}", 10)

    def test_two_viewers_of_an_unprepared_server(unprepared):
        """A second viewer finds the agent that the first one has brought."""
        with attached(unprepared.pid), attached(unprepared.pid) as other:
            timeline = Timeline()
            unprepared.get("/sleep")
            until(lambda: sees(other, timeline, "/sleep"), "no request was seen")

    def test_where_python_does_not_permit_it(tmp_path):
        """A server whose Python was told to execute nothing of others is refused in two lines."""
        code = "import time; print(1, flush=True); time.sleep(60)"
        command = [sys.executable, "-X", "disable-remote-debug", "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()
                with pytest.raises(InputError, match="remote debugging disabled"):
                    reach(str(process.pid))
            finally:
                process.kill()
