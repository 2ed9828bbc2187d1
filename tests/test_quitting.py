"""Quitting while a scenario runs: soon, with exit code 0, and nothing left behind.

CI has the time for some of them, at least one of each kind.
``pytest tests/test_quitting.py --every-scenario -s`` runs all and prints how long each took.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal", allow_module_level=True)

from loopviz.scenario import ScenarioFile, find, read
from loopviz.scenario.search import matching
from tests.monkey import Home, Wild
from tests.test_monkey import check_end

PROMISED = 2.0
"""How long the end may take (s)."""
SOME: list[tuple[str, ...]] = [
    ("cpu_threads",),
    ("blocking", "cpu_processes", "celery"),
    ("stream_async", "flask", "tokens"),
]
"""A block, threads, worker processes, helper processes, a stream, another framework, and the thread limit.

Those of a line run side by side.
"""
PREPARED: list[tuple[str, ...]] = [("celery", "http_async")]
"""Those that take long to be prepared."""


class Quitting:
    """A program that runs a scenario, and how long its end takes."""

    def __init__(self, scenario: ScenarioFile, scenarios: list[ScenarioFile], folder: Path) -> None:
        self.scenario = scenario
        self.home = Home(folder)
        self.terminal = Wild("run", home=self.home)
        self._down = [file.name for file in matching(scenarios, scenario.name)].index(scenario.name)
        self.port = 0
        self.took = 0.0
        """How long the end took (s)."""

    def fire(self) -> None:
        """Choose the scenario in the list; returns when the list is closed and the headline has its title."""
        terminal = self.terminal
        self.port = int(terminal.expect(r"127\.0\.0\.1:(\d+)", 60)[1])
        terminal.expect("Press a letter", 60)
        terminal.press("\t")
        terminal.expect("type to filter")
        terminal.press(self.scenario.name)
        terminal.expect(rf"^ *{self.scenario.name}")
        terminal.pump(0.3)
        for _ in range(self._down):
            terminal.press("\x1b[B")
            terminal.pump(0.1)
        terminal.press("\r")
        terminal.expect(rf"^ {self.scenario.name}   [^ │]", 60)  # until then, letters are the filter's

    def started(self) -> None:
        """Wait until there is a row of a request, which in a folded group has no path."""
        self.terminal.expect(r"#\d+", 60)

    def quit(self) -> None:
        """Press q."""
        self.terminal.watch(watched=False)
        self._began = time.monotonic()
        self.terminal.press("q")

    def look(self) -> bool:
        """Whether it has ended."""
        ended = not self.terminal.running
        if ended and not self.took:
            self.took = time.monotonic() - self._began
        return ended

    def check(self) -> None:
        """Nothing is left."""
        check_end(self.terminal, self.home)
        with pytest.raises(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):  # noqa: PT011
            pass


def slowness() -> float:
    """How much longer than alone on the machine something takes that computes, now."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.05:
        pass
    return max(1.0, (time.monotonic() - began) / 0.05)


def quit_all(scenarios: list[ScenarioFile], folder: Path, wait: float | None) -> dict[str, float]:
    """How long each took to end (s) when it was quit `wait` seconds after its first request, or at once."""
    known = read(find(None))
    programs = [Quitting(scenario, known, folder / scenario.name) for scenario in scenarios]
    with ExitStack() as stack:
        for program in programs:
            stack.enter_context(program.terminal)
        _run(programs, wait)
        for program in programs:
            program.quit()
        until = time.monotonic() + 20
        while [program for program in programs if not program.look()]:
            assert time.monotonic() < until, [p.scenario.name for p in programs if p.terminal.running]
            for program in programs:
                program.terminal.pump(0.002)
        for program in programs:
            program.check()
    return {program.scenario.name: program.took for program in programs}


def _run(programs: list[Quitting], wait: float | None) -> None:
    for program in programs:
        program.fire()
    for program in programs:
        if wait is not None:
            program.started()
    until = time.monotonic() + (wait or 0.3)
    while time.monotonic() < until:
        for program in programs:
            program.terminal.pump(0.01)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Some of the scenarios, or all; quit half a second after the first request, or while it is prepared."""
    if "names" in metafunc.fixturenames:
        every: list[tuple[str, ...]] = [(file.stem,) for file in find(None)]
        runs, prepared = SOME, PREPARED
        if metafunc.config.getoption("every_scenario"):
            runs = prepared = every
        chosen = [(names, 0.5) for names in runs] + [(names, None) for names in prepared]
        ids = ["+".join(names) + ("-runs" if wait else "-prepared") for names, wait in chosen]
        metafunc.parametrize(("names", "wait"), chosen, ids=ids)


@pytest.mark.slow
def test_quitting_takes_two_seconds_at_most(names, wait, tmp_path):
    """Whatever runs: the program ends in two seconds with exit code 0, and nothing of it is left.

    On a machine that is busy with something else it has as much longer as a program that computes there. One
    that took too long gets two more chances.
    """
    known = {file.name: file for file in read(find(None))}
    slow = list(names)
    for attempt in range(3):
        before = slowness()
        took = quit_all([known[name] for name in slow], tmp_path / str(attempt), wait)
        slower = (before + slowness()) / 2
        for name, seconds in took.items():
            print(f"{name}: {seconds:.2f} s, on a machine that is {slower:.1f} times slower than alone")
        slow = [name for name, seconds in took.items() if seconds > PROMISED * slower]
        if not slow:
            return
    raise AssertionError(f"too long: {took}")
