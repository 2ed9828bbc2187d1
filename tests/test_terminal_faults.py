"""What happens to the terminal: stopped programs, storms of sizes, pastes, and what it does not read."""

from __future__ import annotations

import inspect
import io
import os
import random
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loopviz.cli.console import require_terminal
from loopviz.errors import InputError

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal", allow_module_level=True)

from textual.drivers.linux_driver import LinuxDriver

from loopviz.tui.terminal import compat, windows
from loopviz.tui.terminal.output import Output
from loopviz.tui.terminal.paste import Pasting
from tests.terminal import Terminal
from tests.test_terminal import READY, assert_restored, get, port_of

SOON = 60
"""Seconds for what takes one or two where the machine has nothing else to do."""
HEADER = r"\A loopviz .*help"
FOOT = r"q quit *\Z"


def until(condition: Callable[[], object], wait: Callable[[float], object] = time.sleep) -> None:
    """Wait until the condition holds; by default, nothing is read meanwhile."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < SOON
        wait(0.02)


def quit_by(terminal: Terminal, key: str = "q") -> None:
    """Leave the program; the terminal is as it was."""
    terminal.press(key)
    terminal.wait(SOON)
    assert terminal.exit_code == 0
    assert_restored(terminal)


# -- which terminal ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_cannot_place_the_cursor_is_refused(name):
    """Where TERM is missing, dumb or unknown, two lines say so and what to do; nothing is drawn."""
    with Terminal("run", environment={"TERM": name}, columns=200) as terminal:
        terminal.wait(SOON)
        lines = terminal.output.decode().splitlines()
        assert terminal.exit_code == 2
        assert len(lines) == 2
        assert "TERM is not set" in lines[0] if not name else f"TERM={name} " in lines[0]
        assert "loopviz record" in lines[1]
        assert b"\x1b" not in terminal.output


KNOWN = "xterm xterm-256color xterm-kitty alacritty xterm-ghostty wezterm foot foot-direct tmux tmux-256color"
KNOWN += (
    " screen screen.xterm-256color rxvt-unicode-256color linux vt100 vt220 konsole st-256color iTerm2.app"
)


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """As a terminal says."""
        return True


@pytest.fixture
def no_database(monkeypatch):
    """The streams are a terminal, and there is no terminfo."""
    for name in ("__stdin__", "__stdout__", "__stderr__"):
        monkeypatch.setattr(sys, name, Tty())
    monkeypatch.setitem(sys.modules, "curses", None)


def test_without_a_database_the_common_terminals_are_known(no_database, monkeypatch):
    """Where terminfo is not installed, terminals of well-known families are accepted, and no others."""
    for name in KNOWN.split():
        monkeypatch.setenv("TERM", name)
        require_terminal("")
    for name in ("dumb", "emacs", "network", "vt52", "sticky"):
        monkeypatch.setenv("TERM", name)
        with pytest.raises(InputError, match=rf"TERM={name} "):
            require_terminal("")


def test_a_screen_that_would_go_to_a_file_is_refused(no_database, monkeypatch):
    """Where standard output is redirected, this is said."""
    monkeypatch.setattr(sys, "__stdin__", sys.__stdout__)
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    with pytest.raises(InputError, match=r"standard (input|output) is none"):
        require_terminal("")


# -- stop and continue -------------------------------------------------------------------------------


def test_a_shell_stops_and_continues_it():
    """After ctrl+z the shell has its terminal as it was; after fg the picture has the terminal's new size."""
    with Terminal(
        "-i", program="/bin/sh", columns=100, rows=30, environment={"PS1": "$ ", "ENV": ""}
    ) as terminal:
        terminal.expect(r"^\$$", SOON)
        terminal.press(f"{sys.executable} -m loopviz run\n")
        terminal.expect(READY, SOON)
        terminal.press("\x1a")
        terminal.expect(r"Stopped|suspended", SOON)
        assert_restored(terminal, modes=False)
        terminal.press("stty -a\n")
        terminal.expect(r"(?<!-)icanon(.|\n)*(?<!-)echo\b", SOON)
        terminal.resize(120, 36)
        terminal.press("fg\n")
        terminal.expect(HEADER, SOON)
        terminal.expect(FOOT, SOON)
        terminal.expect(READY, SOON)
        assert "Stopped" not in terminal.text()
        terminal.press("q")
        until(lambda: terminal.output.count(b"\x1b[?1049l") >= 2, terminal.pump)
        until(lambda: terminal.output.rstrip().endswith(b"$"), terminal.pump)  # the shell's prompt
        assert_restored(terminal, modes=False)
        terminal.press("stty -a; exit $?\n")
        terminal.wait(SOON)


def test_it_is_stopped_and_continued_again_and_again():
    """Stopped without notice, or continued without a stop, it goes on, draws, and reports the stop."""
    with Terminal("run", columns=100, rows=30) as terminal:
        terminal.expect(READY, SOON)
        os.kill(terminal.pid, signal.SIGCONT)
        for number in range(40):
            os.kill(terminal.pid, signal.SIGSTOP if number % 2 else signal.SIGTSTP)
            terminal.pump(0.01)
            os.kill(terminal.pid, signal.SIGCONT)
            terminal.pump(0.01)
        drawn = terminal.frames()
        until(lambda: terminal.frames() > drawn + 60, terminal.pump)
        os.kill(terminal.pid, signal.SIGSTOP)
        terminal.pump(2)
        terminal.resize(100, 30)  # what others have drawn over it
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.expect(r"The program was stopped for [2-9]\.\d s", SOON)
        terminal.expect(HEADER, SOON)
        terminal.expect(FOOT, SOON)
        quit_by(terminal)


# -- sizes -------------------------------------------------------------------------------------------


def cpu(pid: int) -> float:
    """The CPU time that the process has used (s)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def body(terminal: Terminal) -> list[str]:
    """The screen without the lines that change in a frozen picture: the figures, and all that is kept."""
    return [line for line in terminal.text().splitlines()[1:] if not line.startswith(" ALL ")]


def test_a_storm_of_sizes_leaves_the_picture_of_the_last_one():
    """Resized hundreds of times from 1x1 to 500x200 while requests run, it draws what it drew before."""
    rng = random.Random(9)
    with Terminal("run", columns=120, rows=36) as terminal:
        terminal.expect(READY, SOON)
        port = port_of(terminal)
        terminal.press("a")
        terminal.expect(r"async ×8 .*all 200", SOON)
        terminal.press(" ")
        terminal.expect("space continue", SOON)
        terminal.pump(0.5)
        before = body(terminal)
        clients = [threading.Thread(target=get, args=(port, b"/async")) for _ in range(20)]
        for number in range(160):
            size = (rng.choice([1, 2, 80, 500]), rng.choice([1, 2, 24, 200]))
            terminal.resize(*(size if number % 2 else (rng.randint(1, 500), rng.randint(1, 200))))
            if number % 8 == 0:
                clients[number // 8].start()
            terminal.pump(0.01)
        for columns, rows in ((1, 1), (2, 1), (1, 200), (500, 1)):
            terminal.resize(columns, rows)
            terminal.pump(0.5)
        for client in clients:
            client.join(SOON)
        terminal.pump(1)
        terminal.resize(120, 36)
        until(lambda: body(terminal) == before, terminal.pump)
        if sys.platform == "linux":
            used = cpu(terminal.pid)
            terminal.pump(1)
            assert cpu(terminal.pid) - used < 0.6
        quit_by(terminal)


# -- pastes ------------------------------------------------------------------------------------------

OPEN, CLOSE = "\x1b[200~", "\x1b[201~"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_of_a_paste_the_beginning_is_kept(size):
    """Read in parts of any size, a long paste keeps its brackets, its beginning and its surroundings.

    It loses its escapes: Textual would take what follows one for keys.
    """
    pasting = Pasting()
    text = f"ab{OPEN}" + "c" * 9_000 + "\x1b[20" + f"{CLOSE}de{OPEN}xy\x1b{CLOSE}f\x1b[A"
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    kept = "".join(pasting.kept(part, 1.0) for part in parts)
    assert kept == f"ab{OPEN}" + "c" * 2_000 + f"{CLOSE}de{OPEN}xy{CLOSE}f\x1b[A"


def test_a_paste_without_its_end_is_over_when_nothing_comes():
    """A terminal that loses the end of a paste does not lose the keyboard."""
    pasting = Pasting()
    assert pasting.kept(f"{OPEN}abc", 1.0) == f"{OPEN}abc"
    assert pasting.kept("d", 2.0) == "d"
    assert pasting.kept("q", 60.0) == f"{CLOSE}q"


def test_what_nobody_can_type_is_not_taken_for_keys():
    """Of a paste without brackets only the terminal's own sequences are kept; fast typing is typing."""
    pasting = Pasting()
    assert pasting.kept("q" * 50, 1.0) == "q" * 50
    mouse = "\x1b[<35;10;20M"
    assert pasting.kept("b" * 2_000 + mouse + "c" * 2_000, 1.0) == mouse
    assert pasting.kept(mouse * 300, 1.0) == mouse * 300


def memory(pid: int) -> int:
    """The memory that the process has (bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_paste_of_ten_megabytes_does_nothing():
    """Ten megabytes in brackets fire nothing and are not kept; bytes that are no text do not end it."""
    with Terminal("run", columns=100, rows=30) as terminal:
        terminal.expect(READY, SOON)
        terminal.pump(0.5)
        before = memory(terminal.pid)
        terminal.paste(OPEN.encode() + b"some text b\n" * 830_000 + CLOSE.encode())
        terminal.expect(READY, SOON)
        terminal.press("?")
        terminal.expect("legend and keys", SOON)
        assert memory(terminal.pid) - before < 40_000_000
        terminal.paste(b"\xff\xfe\x80 jk \x1b[<35;999999999999999999999;1M" * 1_000)
        terminal.pump(0.5)
        assert memory(terminal.pid) - before < 60_000_000
        quit_by(terminal, "\x03")


# -- a terminal that does not read -------------------------------------------------------------------


def test_what_a_terminal_does_not_read_is_bounded_and_drawn_again():
    """Writing never waits; that the terminal has missed something is reported when it reads again."""
    master, slave = os.openpty()
    lost = threading.Event()
    output = Output(slave, lost.set)
    began = time.monotonic()
    for _ in range(1_000):
        output.write("x" * 10_000)
    assert time.monotonic() - began < 5
    assert output.behind
    while not lost.wait(0.001):
        assert time.monotonic() - began < SOON
        if select.select([master], [], [], 0.01)[0]:  # else all is read, and it is about to notice that
            assert os.read(master, 1 << 16)
    assert not output.behind
    for _ in range(50):
        output.write("y" * 10_000)
    output.discard()
    output.write("the end")
    output.drain(0.2)
    output.close()
    os.set_blocking(master, False)
    read = b""
    while True:
        try:
            read += os.read(master, 1 << 16)
        except BlockingIOError:
            break
    assert len(read) < 100_000
    assert read.endswith(b"the end")
    assert not [thread for thread in threading.enumerate() if thread.name == "loopviz output"]
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("end", ["q", "SIGTERM"])
def test_a_terminal_that_does_not_read_holds_up_nothing(end):
    """The server goes on, the picture is current when it is read again, and the program ends unread."""
    with Terminal("run", columns=120, rows=36) as terminal:
        terminal.expect(READY, SOON)
        port = port_of(terminal)
        for _ in range(4):
            assert b" 200 OK" in get(port, b"/async")
        terminal.expect(r"#4 .* done", SOON)
        terminal.pump(1.5)  # frames come
        terminal.press("b")
        time.sleep(3)  # a block is drawn in every frame: more than the terminal's buffer takes
        if end == "q":
            terminal.press("q")
        else:
            os.kill(terminal.pid, signal.SIGTERM)
        until(terminal.ended)
        terminal.pump(0.5)
        assert terminal.exit_code == 0
        assert_restored(terminal)


# -- Windows -----------------------------------------------------------------------------------------


def test_on_windows_textuals_own_driver_is_used():
    """What stands in for the driver there has the same names and arguments, and changes nothing."""
    assert windows.__all__ == [name for name in compat.__all__ if name in windows.__all__]
    for name in windows.__all__:
        here, there = (inspect.signature(getattr(module, name)) for module in (compat, windows))
        assert list(here.parameters) == list(there.parameters)
    assert windows.driver_class(LinuxDriver) is LinuxDriver
