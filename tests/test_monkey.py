"""A monkey plays a thousand keys, clicks, resizes and pastes: no traceback, no hang, nothing left.

CI has the time for a few seeds. ``pytest tests/test_monkey.py --seeds 20`` plays twenty with a live server
and twenty with a recording, and ``--first-seed 20`` begins with another one. A failure names the seed and
what was played last. The keys are the same each time, but how many of them the program reads at once, and
whether a click hits what ends it, depends on the machine.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections import deque
from pathlib import Path
from random import Random

import pytest

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal", allow_module_level=True)

from tests.monkey import Home, Play, Wild, events
from tests.test_terminal import assert_restored

RECORDING = Path(__file__).parent / "data" / "before" / "blocking.lvr.gz"
EVENTS, BATCH = 1_000, 20
PATIENCE = 40.0
"""How long an answer may take (s): on a busy machine, beside requests that compute, with 300 columns."""


def tracebacks(output: bytes) -> str:
    """The lines of tracebacks that say where, without the pictures around them."""
    text = output.rpartition(b"\x1b[?1049l")[2].decode(errors="replace")
    lines = [line.strip("│╭╰─╮╯❱ \r") for line in re.sub(r"\x1b\[[0-9;?<>]*[a-zA-Z]", "", text).splitlines()]
    return "\n".join(line[:300] for line in lines if re.search(r"\.py:\d+ in |^File |Error|Interrupt", line))


class Monkey:
    """Plays the events of a seed. A program that it has ended, by a click on 'quit', is started again."""

    def __init__(self, seed: int, home: Home, *arguments: str) -> None:
        self._random = Random(seed)
        self._event = events(self._random)
        self._home = home
        self._arguments = arguments
        self._last: deque[Play] = deque(maxlen=2 * BATCH)
        self.played = 0
        """How many events a running program has got."""

    def play(self) -> None:
        """All events; every program must end as it should."""
        while self.played < EVENTS:
            with Wild(*self._arguments, home=self._home) as terminal:
                try:
                    self._play(terminal)
                except BaseException:
                    print(f"after {self.played} events; the last ones:", *self._last, sep="\n")
                    self._print_stacks(terminal)
                    raise

    def _play(self, terminal: Wild) -> None:
        terminal.expect("^ *LOOP ", PATIENCE)
        terminal.watch(watched=False)
        while self.played < EVENTS and terminal.running:
            self._batch(terminal)
        if terminal.running:
            leave(terminal)
        check_end(terminal, self._home)

    def _batch(self, terminal: Wild) -> None:
        """Some events, the last one a new size, which must be drawn."""
        for _ in range(BATCH - 1):
            kind, what = self._event(*terminal.size)
            self._last.append((kind, what))
            if isinstance(what, bytes):
                terminal.type(what)
            else:
                terminal.resize(*what)
            if self._random.random() < 0.03:
                terminal.pump(0.12)  # an escape before it is then the key, and not the begin of a sequence
        size = self._random.randint(20, 119), self._random.randint(5, 40)
        size = (120, 40) if size == terminal.size else size
        self._last.append(("size", size))
        before, began = terminal.received, time.monotonic()
        terminal.resize(*size)
        while terminal.running and terminal.received == before:
            assert time.monotonic() - began < PATIENCE, f"nothing has been drawn for {PATIENCE} s"
            terminal.pump(0.02)
        if terminal.running:
            self.played += BATCH

    def _print_stacks(self, terminal: Wild) -> None:
        if terminal.running:
            os.kill(terminal.pid, signal.SIGUSR1)
            terminal.pump(0.5)
            print(self._home.stacks.read_text())


def leave(terminal: Wild) -> None:
    """Close what is open; then the help must open, and q must end the program."""
    terminal.resize(120, 36)
    terminal.watch(watched=True)
    until = time.monotonic() + PATIENCE
    while terminal.running and "legend and keys" not in terminal.text():
        assert time.monotonic() < until, f"the help does not open:\n{terminal.text()}"
        for _ in range(8):
            terminal.type(b"\x1b")
            terminal.pump(0.15)
        terminal.pump(0.3)  # an escape that is read together with the next key would be a part of it
        terminal.type(b"?")
        until_open = time.monotonic() + 3
        while terminal.running and "legend and keys" not in terminal.text() and time.monotonic() < until_open:
            terminal.pump(0.1)
    for _ in range(20):  # of the help, of screens that were opened more than once, and of the program
        if terminal.running:
            terminal.type(b"q")
            terminal.pump(0.5)
    if terminal.running:
        terminal.wait(PATIENCE)


def check_end(terminal: Wild, home: Home) -> None:
    """It has ended in order, and nothing is left."""
    terminal.pump(0.1)
    output = terminal.written()
    assert b"Traceback" not in output, tracebacks(output)
    assert terminal.exit_code == 0, output.rpartition(b"\x1b[?1049l")[2]
    assert_restored(terminal)
    until = time.monotonic() + 10
    while home.left() and time.monotonic() < until:
        time.sleep(0.05)
    assert not home.left()
    assert not home.faults


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The seeds that the command line asks for."""
    if "seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("first_seed")
        metafunc.parametrize("seed", range(first, first + metafunc.config.getoption("seeds")))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["run", "replay"])
def test_a_monkey_does_no_harm(what, seed, tmp_path):
    """After a thousand random events the program still answers, ends in order, and leaves nothing."""
    monkey = Monkey(seed, Home(tmp_path), what, *([str(RECORDING)] if what == "replay" else []))
    monkey.play()
    assert monkey.played >= EVENTS
