"""The live picture in a real terminal: what is drawn, and how the terminal is restored."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time

import pytest

from loopviz.scenario import builtin_folder

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal", allow_module_level=True)

from tests.terminal import Terminal

LINE = next(
    number
    for number, line in enumerate((builtin_folder() / "blocking.py").read_text().splitlines(), 1)
    if line.strip().startswith("time.sleep")
)
READY = r"Press a letter"

LONG_JOB = """
import asyncio
import time
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/job")
async def job():
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 10)

scenario = Scenario(title="a long job", expect="it takes long", key="u", requests=1)
"""


def assert_restored(terminal: Terminal, *, modes: bool = True) -> None:
    """The terminal is as it was: main screen, cursor, no mouse reports, no paste brackets, same modes.

    A shell has `modes` of its own.
    """
    output = terminal.output
    for switched_on, switched_off in [
        (b"\x1b[?1049h", b"\x1b[?1049l"),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?1000h", b"\x1b[?1000l"),
        (b"\x1b[?1003h", b"\x1b[?1003l"),
        (b"\x1b[?2004h", b"\x1b[?2004l"),
    ]:
        assert 0 <= output.rfind(switched_on) < output.rfind(switched_off), switched_on
    assert not modes or terminal.modes() == terminal.modes_before
    assert b"Traceback" not in output


def get(port: int, path: bytes) -> bytes:
    """The answer to a raw request from another client."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
    return answer


def port_of(terminal: Terminal) -> int:
    """The port that the header shows."""
    return int(terminal.expect(r"127\.0\.0\.1:(\d+)")[1])


def test_a_block_is_seen_while_it_lasts_and_q_ends_it():
    """While the loop is blocked: the line is named, frames continue, and q ends the program in order."""
    with Terminal("run") as terminal:
        terminal.expect(READY)
        terminal.press("b")
        terminal.expect(r"BLOCKED \d+ ms|BLOCKED 1\.\d s")
        terminal.expect(rf"sleeps on the .*loop.* blocking\.py:{LINE} \(time\.sleep\)")
        before, began = terminal.frames(), time.monotonic()
        terminal.pump(1.5)
        rate = (terminal.frames() - before) / (time.monotonic() - began)
        terminal.expect("BLOCKED")  # by the next request, if this moment is between two of them
        terminal.press("q")
        assert terminal.wait(10) < 3
        assert terminal.exit_code == 0
        assert_restored(terminal)
        assert rate > 10


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_a_signal_ends_it_in_order(number):
    """Signals end the program in time while the loop is blocked, and restore the terminal."""
    with Terminal("run") as terminal:
        terminal.expect(READY)
        terminal.press("b")
        terminal.expect("BLOCKED")
        os.kill(terminal.pid, number)
        assert terminal.wait(10) < 3
        assert terminal.exit_code == 0
        assert_restored(terminal)


@pytest.mark.parametrize("controlling", [True, False])
@pytest.mark.parametrize("blocked", [True, False])
def test_it_ends_when_its_terminal_is_gone(controlling, blocked):
    """A program whose terminal hangs up ends soon, with SIGHUP or without, with a blocked loop too."""
    with Terminal("run", controlling=controlling) as terminal:
        terminal.expect(READY)
        if blocked:
            terminal.press("b")
            terminal.expect("BLOCKED")
        assert terminal.hang_up(10) < 4
        assert terminal.exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "ctrl+c"])
def test_a_busy_worker_thread_does_not_delay_the_end(tmp_path, key):
    """The program ends in time although a worker thread is busy for ten seconds."""
    file = tmp_path / "job.py"
    file.write_text(LONG_JOB)
    with Terminal("run", str(file)) as terminal:
        terminal.expect(READY)
        terminal.press("u")
        terminal.expect("in thread")
        terminal.press(key)
        assert terminal.wait(10) < 3
        assert terminal.exit_code == 0
        assert_restored(terminal)


def test_another_clients_request_is_a_row_of_text():
    """Another client's request is drawn as a row; its path is drawn as text, whatever it contains."""
    with Terminal("run", columns=200) as terminal:
        terminal.expect(READY)
        port = port_of(terminal)
        assert b" 200 OK" in get(port, b"/async")
        terminal.expect(r" #1 +GET /async +200 .* done +1\.\d s")
        assert b" 404 " in get(port, b"/a[red]%1b[2J")
        terminal.expect(r" #2 +GET /a\[red\]\\x1b\[2J +404 .* done")
        terminal.press("q")
        terminal.wait(10)
        assert b"\x1b[2J" not in terminal.output.partition(b"\x1b[?1049h")[2]


def colours(output: bytes) -> set[int]:
    """The SGR codes for colours that were emitted."""
    found = set()
    for codes in re.findall(rb"\x1b\[([0-9;]*)m", output):
        numbers = [int(code or 0) for code in codes.split(b";")]
        found |= {n for n in numbers[:1] if 30 <= n <= 38 or 40 <= n <= 48 or 90 <= n <= 107}
        found |= {n for n in numbers if n in (38, 48)}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_obeyed(environment, coloured):
    """With NO_COLOR set the picture has no colour, and without it has some."""
    with Terminal("run", environment=environment) as terminal:
        terminal.expect(READY)
        terminal.press("a")
        terminal.expect("── ?(awaiting|awaits timer)|awaits timer +\\d")
        terminal.press("q")
        terminal.wait(10)
        assert bool(colours(terminal.output)) is coloured


def test_ascii_is_ascii():
    """With --ascii everything that is drawn, the opened request included, is ASCII."""
    with Terminal("run", "--ascii", columns=100, rows=30) as terminal:
        terminal.expect(READY)
        terminal.press("a")
        terminal.expect("-----.* awaits")
        terminal.press("\r")
        terminal.expect("so far|the latency")
        terminal.press("\x1b")
        terminal.expect(r"\A(?![\s\S]*(?:so far|the latency))")  # else the next key could belong to this one
        terminal.press("?")
        terminal.expect("legend and keys")
        shown = terminal.text()
        terminal.press("qq")
        terminal.wait(10)
        assert shown.isascii()
        assert terminal.output.decode().isascii()


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (20, 5)])
def test_it_works_in_a_small_terminal(columns, rows):
    """In a small terminal it draws, takes requests and ends as in a large one."""
    with Terminal("run", columns=columns, rows=rows) as terminal:
        terminal.expect("loopviz|LOOP")
        terminal.pump(0.5)
        terminal.press("a")
        terminal.pump(0.5)
        terminal.press("q")
        terminal.wait(10)
        assert terminal.exit_code == 0
        assert_restored(terminal)


def test_a_server_that_cannot_start_leaves_a_message(tmp_path):
    """When the application's lifespan fails, the screen closes, and the reason is printed, safely."""
    file = tmp_path / "job.py"
    file.write_text(
        LONG_JOB.replace(
            "app = FastAPI()",
            "async def lifespan(app):\n    raise RuntimeError('[red]data\\x1b[35m are away')\n    yield\n\n"
            "from contextlib import asynccontextmanager\n"
            "app = FastAPI(lifespan=asynccontextmanager(lifespan))",
        )
    )
    with Terminal("run", str(file)) as terminal:
        terminal.wait(10)
        assert terminal.exit_code == 2
        assert_restored(terminal)
        after = terminal.output.rpartition(b"\x1b[?1049l")[2]
        assert b"loopviz: The server did not start: RuntimeError: " in after
        assert b"[red]data\\x1b[35m are away" in after  # as it stands, with no effect
