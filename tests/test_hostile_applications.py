"""Applications that write, exit, crash, hang or have strange names: picture and terminal stay whole."""

from __future__ import annotations

import gc
import http.client
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loopviz.errors import InputError
from loopviz.live.session import Session
from loopviz.loaded import place
from loopviz.recording.replay import Replay
from loopviz.scenario import find, read
from loopviz.stream import events as ev

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal", allow_module_level=True)

from tests.terminal import Terminal

LONG = 60
"""Seconds after which something is missing, on a machine that has other work."""

RAISES = """
import asyncio
from fastapi import BackgroundTasks, Depends, FastAPI
from loopviz.scenario import Scenario

KINDS = {kind.__name__: kind for kind in (
    SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, MemoryError, RecursionError)}

def throws(kind: str):
    if kind == "RecursionError":
        throws(kind)
    raise KINDS[kind]("by hand")

async def dependency(kind: str):
    throws(kind)

app = FastAPI()
inner = FastAPI()

@app.get("/hostile")
async def hostile():
    return 1

@app.get("/async/{kind}")
async def as_async(kind: str):
    throws(kind)

@app.get("/def/{kind}")
def as_def(kind: str):
    throws(kind)

@app.get("/dependency/{kind}")
async def depends(kind: str, nothing=Depends(dependency)):
    return 1

@app.get("/background/{kind}")
async def background(kind: str, tasks: BackgroundTasks):
    tasks.add_task(throws, kind)
    return 1

@app.get("/executor/{kind}")
async def executor(kind: str):
    await asyncio.get_running_loop().run_in_executor(None, throws, kind)

@inner.middleware("http")
async def middleware(request, call_next):
    throws(request.url.path.rpartition("/")[2])

app.mount("/middleware", inner)

@app.get("/task/{kind}")
async def in_a_task(kind: str):
    task = asyncio.create_task(dependency(kind))
    await asyncio.sleep(1)

@app.get("/callback/{kind}")
async def in_a_callback(kind: str):
    asyncio.get_running_loop().call_soon(throws, kind)
    await asyncio.sleep(1)

scenario = Scenario(title="hostile", expect="it", requests=1)
"""

WRITES = r"""
import ctypes, faulthandler, logging, os, subprocess, sys, threading, time, warnings
from fastapi import FastAPI
from loopviz.scenario import Scenario

logging.getLogger("mine").addHandler(logging.StreamHandler())
app = FastAPI()

@app.get("/writes")
async def writes():
    print("MARK-print\x1b[31m")
    print("MARK-error", file=sys.stderr)
    logging.getLogger("mine").error("MARK-log")
    warnings.warn("MARK-warning")
    os.write(1, b"MARK-one\n")
    os.write(2, b"MARK-two\n")
    print("MARK-dunder", file=sys.__stderr__, flush=True)
    subprocess.run(["sh", "-c", "echo MARK-child; echo MARK-childs-error >&2"])
    libc = ctypes.CDLL(None)
    libc.puts(b"MARK-c")
    libc.fflush(None)
    threading.Thread(target=time.sleep, args=(1000,), name="endless", daemon=False).start()
    faulthandler.dump_traceback_later(0.01)
    time.sleep(0.05)
    try:
        input()
    except EOFError:
        print("MARK-end-of-file")

@app.get("/crash")
async def crash():
    faulthandler.enable()
    ctypes.string_at(0)

@app.get("/exit")
async def leaves():
    print("MARK-last-words", flush=True)
    os._exit(7)

scenario = Scenario(title="it writes", expect="all is shown", key="u", requests=1)
"""

STAYS = """
import asyncio, atexit, time
from contextlib import asynccontextmanager
from fastapi import FastAPI
from loopviz.scenario import Scenario

def lasts():
    print("MARK-at-exit", flush=True)
    time.sleep(1000)

@asynccontextmanager
async def lifespan(app):
    atexit.register(lasts)
    await asyncio.sleep(2.5)
    yield
    await asyncio.sleep(1000)

app = FastAPI(lifespan=lifespan)

async def later():
    raise SystemExit("enough")

@app.get("/stops")
async def stops():
    task = asyncio.create_task(later())
    await asyncio.sleep(1)

scenario = Scenario(title="it stays", expect="it ends", key="u", requests=1)
"""

ENDLESS = """
import time
while True:
    try:
        while True:
            time.sleep(0.01)
    except BaseException:
        pass
"""

NAMED = """
from urllib.parse import quote
from fastapi import FastAPI
from loopviz.scenario import Scenario

NAME = {name!r}
app = FastAPI()

async def handler():
    return 1

handler.__name__ = handler.__qualname__ = NAME
app.add_api_route("/{number}/" + NAME, handler, name=NAME)
scenario = Scenario(title=NAME[:90], expect=NAME, requests=1, path="/{number}/" + quote(NAME, safe=""))
"""
NAMES = (
    "a b",
    "party \N{PARTY POPPER}",
    "cafe\N{COMBINING ACUTE ACCENT}",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "esc\x1b[31mred\x1b[2J",
    "two\nlines",
    "[red]not red[/]",
    "long" * 60,
    "v1.2",
    "-o",
    os.fsdecode(b"no utf-8 \xff\xfe"),
)


def written(folder: Path, text: str, name: str = "hostile") -> str:
    """A scenario file with this text."""
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8", errors="replace")
    return str(file)


def get(session_address: str, path: str) -> int | None:
    """The status of the answer; None without one."""
    host, port = session_address.split(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=LONG)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


def picture_over(terminal: Terminal) -> str:
    """What is written after the picture has been closed; the terminal must be as it was before."""
    before, closed, after = terminal.output.partition(b"\x1b[?1049l")
    assert closed
    for switched_on, switched_off in (
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?1003h", b"\x1b[?1003l"),
        (b"\x1b[?2004h", b"\x1b[?2004l"),
    ):
        assert 0 <= before.rfind(switched_on) < terminal.output.rfind(switched_off), switched_on
    assert terminal.modes() == terminal.modes_before
    return after.decode()


def test_whatever_a_handler_raises_is_named_and_the_server_goes_on(tmp_path):
    """An exception that no `except Exception` catches ends its request only, wherever it is raised."""
    (file,) = read([Path(written(tmp_path, RAISES))])
    session = Session([file])
    session.start()
    kinds = (
        "SystemExit",
        "KeyboardInterrupt",
        "GeneratorExit",
        "CancelledError",
        "MemoryError",
        "RecursionError",
    )
    paths = [
        f"/{where}/{kind}"
        for where in ("async", "def", "dependency", "background", "executor", "middleware")
        for kind in kinds
    ]
    try:
        session.wait()
        statuses = {path: get(session.address, path) for path in paths}
        assert get(session.address, "/hostile") == 200
        events = session.drain_all()
        assert session.stopped is None
        assert session.vitals().failures == ()
    finally:
        session.stop()
    path_of = {event[2]: event[4] for event in events if event[1] == ev.READ}
    named = {path_of[event[2]]: event[3] for event in events if event[1] == ev.RAISED}
    assert statuses == {path: 200 if path.startswith("/background") else 500 for path in paths}
    assert named == {path: path.rpartition("/")[2] for path in paths}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/task/SystemExit", "SystemExit: by hand"),
        ("/callback/KeyboardInterrupt", "KeyboardInterrupt: by hand"),
    ],
)
def test_what_ends_the_loop_is_reported_as_the_end_of_the_server(tmp_path, path, named):
    """An exit in a task or a callback ends the server, as it ends uvicorn; its line is reported."""
    (file,) = read([Path(written(tmp_path, RAISES))])
    session = Session([file])
    session.start()
    try:
        session.wait()
        assert session.stopped is None
        get(session.address, path)
        until = time.monotonic() + LONG
        while session.stopped is None and time.monotonic() < until:
            time.sleep(0.01)
        assert f"{named} (hostile.py:" in (session.stopped or "")
    finally:
        assert session.stop()
        gc.collect()  # the loop that was ended leaves its connections open


@pytest.mark.slow
def test_what_the_application_writes_is_shown_when_the_picture_is_closed(tmp_path):
    """Prints, logs, warnings, child processes and C code leave the picture alone; all is shown at the end.

    A thread that never ends is not waited for.
    """
    marks = ["print", "error", "log", "warning", "one", "two", "dunder", "child", "childs-error", "c"]
    with Terminal("run", written(tmp_path, WRITES), columns=100) as terminal:
        terminal.expect("Press a letter", LONG)
        terminal.press("u")
        terminal.expect(r"#1 .* 200 ", LONG)
        terminal.expect("writes to its standard output or error", LONG)
        terminal.press("q")
        assert terminal.wait(LONG) < 10
        assert terminal.exit_code == 0
        after = picture_over(terminal)
        assert terminal.output.count(b"MARK") == after.count("MARK")
    assert not [mark for mark in marks if f"MARK-{mark}" not in after]
    assert "MARK-print\\x1b[31m" in after  # as it stands, with no effect
    assert "Timeout (0:00:00" in after  # of faulthandler
    assert "not waiting any longer for its threads 'endless'" in after


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"), [("exit", 7), ("crash", -signal.SIGSEGV), ("kill", -signal.SIGKILL)]
)
def test_the_terminal_is_restored_after_a_sudden_end(tmp_path, how, code):
    """After `os._exit`, a crash in C and SIGKILL the terminal is as before, and the last words are shown."""
    with Terminal("run", written(tmp_path, WRITES)) as terminal:
        port = terminal.expect(r"127\.0\.0\.1:(\d+)", LONG)[1]
        terminal.expect("Press a letter", LONG)
        if how == "kill":
            os.kill(terminal.pid, signal.SIGKILL)
        else:
            get(f"127.0.0.1:{port}", f"/{how}")
        terminal.wait(LONG)
        until = time.monotonic() + LONG
        while b"ended from outside, crashed" not in terminal.output and time.monotonic() < until:
            terminal.pump(0.05)
        assert terminal.exit_code == code
        after = picture_over(terminal)
    said = {"exit": "MARK-last-words", "crash": "Fatal Python error: Segmentation fault", "kill": ""}
    assert said[how] in after
    assert "loopviz: The program was ended from outside, crashed, or called os._exit." in after


TAKEN_OVER = """
import os, sys, termios, tty
from loopviz.tui.lifeline import Lifeline
master, slave = os.openpty()
ends, held = os.pipe()
if os.fork():
    os.close(held)
    os.read(ends, 1)  # until the process has ended, which has the other side as a file
    os.set_blocking(master, False)
    try:
        print(os.read(master, 1000))
    except BlockingIOError:
        print("nothing")
    print("as left" if not termios.tcgetattr(slave)[1] & termios.OPOST else "changed")
else:
    lifeline = Lifeline(slave, held)
    modes = termios.tcgetattr(slave)
    modes[3] &= ~termios.ICANON
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    lifeline.hold(screen=True)
    if sys.argv[1] == "other":
        tty.setraw(slave)
    if sys.argv[1] == "dismissed":
        lifeline.dismiss()
    os._exit(0)
"""


@pytest.mark.parametrize(
    ("case", "expected"),
    [("other", "nothing\nas left\n"), ("dismissed", "nothing\nchanged\n"), ("ours", "ended from outside")],
)
def test_a_terminal_that_another_program_has_is_left_alone(case, expected):
    """Only a terminal that still has loopviz's modes is restored, and none that is restored already."""
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_OVER, case], capture_output=True, text=True, check=True, timeout=LONG
    )
    assert expected in done.stdout, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("q", 0), ("\x03", 130), ("SIGTERM", -signal.SIGTERM)])
def test_an_import_that_never_ends_can_be_left(tmp_path, how, code):
    """The import is shown with its time; q, Ctrl+C and SIGTERM end it, whatever exceptions it catches."""
    with Terminal("run", written(tmp_path, ENDLESS, "endless")) as terminal:
        terminal.expect(r"importing endless\.py, [1-9]\d* s; q leaves", LONG)
        if how == "SIGTERM":
            os.kill(terminal.pid, signal.SIGTERM)
        else:
            terminal.press(how)
        assert terminal.wait(LONG) < 10
        until = time.monotonic() + LONG
        while terminal.modes() != terminal.modes_before and time.monotonic() < until:
            terminal.pump(0.05)
        assert terminal.modes() == terminal.modes_before
        assert terminal.exit_code == code
        assert b"Traceback" not in terminal.output
        assert b"\x1b[?1049h" not in terminal.output


def test_ctrl_c_ends_a_measurement_that_never_begins(tmp_path):
    """While `record` imports a file that never ends, the file is shown, and Ctrl+C ends it: code 130."""
    with Terminal("record", written(tmp_path, ENDLESS, "endless")) as terminal:
        terminal.expect(r"importing endless\.py, [1-9]\d* s; Ctrl\+C leaves", LONG)
        terminal.press("\x03")
        assert terminal.wait(LONG) < 10
        assert terminal.exit_code == 130
        assert b"loopviz: interrupted" in terminal.output
        assert b"Traceback" not in terminal.output


@pytest.mark.slow
def test_an_application_that_does_not_end_is_not_waited_for(tmp_path):
    """A slow start is shown; an exit in a task is named; an exit function that lasts is left behind."""
    with Terminal("run", written(tmp_path, STAYS)) as terminal:
        terminal.expect(r"The application starts: [1-9] s", LONG)
        terminal.expect("Press a letter", LONG)
        terminal.press("u")
        terminal.expect(r"has stopped the server, .*: SystemExit: enough \(hostile\.py:\d+\)", LONG)
        terminal.press("q")
        assert terminal.wait(LONG) < 10
        assert terminal.exit_code == 0
        after = picture_over(terminal)
    assert "loopviz: The application has stopped the server" in after
    assert "not waiting any longer for what is done at exit" in after


@pytest.mark.slow
def test_the_start_is_waited_for_without_a_limit_and_can_be_left(tmp_path):
    """A lifespan that never begins keeps nobody from leaving."""
    text = STAYS.replace("await asyncio.sleep(2.5)", "time.sleep(1000)")
    with Terminal("run", written(tmp_path, text)) as terminal:
        terminal.expect(r"The application starts: [2-9] s", LONG)
        terminal.press("q")
        assert terminal.wait(LONG) < 10
        assert terminal.exit_code == 0
        picture_over(terminal)


@pytest.mark.slow
def test_strange_names_are_files_as_others(tmp_path):
    """Files with spaces, emoji, escape sequences, line ends and dots are listed, run and recorded."""
    folder = tmp_path / "names"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        text = NAMED.format(name=name.encode(errors="replace").decode(), number=number)
        written(folder, text, name.replace("/", "_"))
    files = read(find(str(folder)))
    assert {file.file.stem for file in files} == {name.replace("/", "_") for name in NAMES}
    session = Session(files)
    session.record(tmp_path / "all.jsonl")
    session.start()
    try:
        session.wait()
        for file in files:
            session.fire(file, 1).result(LONG)
        session.drain_all()
    finally:
        session.end_recording()
        session.stop()
    replay = Replay(tmp_path / "all.jsonl")
    timeline = replay.timeline()
    replay.stop()
    assert {request.status for request in timeline.requests.values()} == {200}
    assert len(timeline.requests) == len(NAMES)
    listed = subprocess.run(
        [sys.executable, "-m", "loopviz", "scenarios", str(folder)],
        capture_output=True,
        check=True,
        timeout=LONG,
    )
    assert listed.stderr == b""
    assert all(line.isprintable() for line in listed.stdout.decode().splitlines())


def test_a_folder_of_many_files_is_routed_once(tmp_path, monkeypatch):
    """Preparing the files of a folder does not compare each one's path with those of all others again."""
    for number in range(60):
        written(tmp_path, NAMED.format(name="same", number=number), f"file{number}")
    compared: list[Any] = []
    monkeypatch.setattr("loopviz.live.server.apps.require_own_paths", compared.append)
    session = Session(read(find(str(tmp_path))))
    session.start()
    try:
        session.wait()
        assert session.starting is False
    finally:
        session.stop()
    assert len(compared) < 10


def test_an_unreadable_import_is_an_error_of_its_line(tmp_path):
    """An exit at import is an error in the file, with its line."""
    file = written(tmp_path, "import sys\nsys.exit(3)\n")
    with pytest.raises(InputError, match=r"hostile\.py:2: SystemExit: 3"):
        read([Path(file)])
    assert place(Path(file))[1] == ["hostile"]
