"""What all tests need.

Ctrl+C reaches the programs under test, CI skips nothing without a good reason, a test that fails while the
machine stands still is run again, and no garbage collection of the tests' own objects is measured.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis.strategies import none

from tests.leftovers import as_before
from tests.stalls import Stalls
from tests.turns import turn

IN_CI = bool(os.environ.get("CI"))

settings.register_profile("any machine", deadline=None)  # an example may take as long as the machine needs
settings.load_profile("any machine")

ALLOWED_SKIPS = {
    "eager tasks came with Python 3.12": sys.version_info < (3, 12),
}
"""The reasons for which CI may skip a test, each with whether it occurs on this interpreter.

Any other skip fails in CI: a missing browser or a missing package would leave something untested.
A reason that occurs here and that no test gave is reported, so that this list cannot go stale.
"""

_seen = set[str]()
_STALLS = pytest.StashKey[Stalls]()
_FINAL = pytest.StashKey[bool]()
"""What is not run again: a skip that CI must not have, and a timeout, since a second run would have none."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what is random is tested; the default is what CI has the time for."""
    parser.addoption("--seeds", type=int, default=1, help="how many seeds tests/test_monkey.py plays (1)")
    parser.addoption(
        "--every-scenario", action="store_true", help="quit while each of them runs, not only some"
    )
    parser.addoption("--first-seed", type=int, default=0, help="the first of them (0)")


def pytest_configure() -> None:
    """Let Ctrl+C reach the programs under test: programs in the background ignore it, and so would they."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Run a test that fails while the machine stands still again: twice at most, and the report says so.

    CI runs any test that fails once more. The report lists both as `RERUN`.
    """
    if session.config.option.collectonly:
        return
    _begin_hypothesis()
    gc.collect()
    gc.freeze()  # else a collection looks at all tests: 0.2 s, in which the loop of a server stands still
    stalls = Stalls()
    session.config.add_cleanup(stalls.close)
    session.config.stash[_STALLS] = stalls
    for item in session.items:
        again = partial(_again, item, stalls)
        item.add_marker(pytest.mark.flaky(reruns=2, condition=again))


@settings(max_examples=1, database=None)
@given(none())
def _begin_hypothesis(_: None) -> None:
    """It makes what it keeps. It warns if nothing seems to refer to that, as when all that does is frozen."""


def _again(item: pytest.Item, stalls: Stalls) -> bool:
    """Whether a test that failed is run again."""
    if _FINAL in item.stash:
        return False
    return stalls.long() or (IN_CI and item.execution_count == 1)  # type: ignore[attr-defined]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What happened before a test does not count, and what it left is not collected during the next one."""
    if item.get_closest_marker("alone") is not None:
        gc.collect()
    item.config.stash[_STALLS].forget()


@pytest.fixture(autouse=True)
def _as_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two tests may have applications of the same name; each imports its own."""
    with as_before(tmp_path_factory.getbasetemp()):
        yield


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped."""
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")


def _check_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip that CI must not have."""
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = _reason(report)
    if not ALLOWED_SKIPS.get(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where this reason is not allowed (tests/conftest.py): {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """A test that measures is alone on the machine; the time that it waits for this is not its own."""
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test or a fixture that skips."""
    report = yield
    if report.skipped or "Timeout (>" in report.longreprtext:
        item.stash[_FINAL] = True
    _check_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself."""
    report = yield
    _check_skip(report)
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The reasons that were given, also in other processes."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _seen.add(_reason(report))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when all tests were run and an allowed reason was not given."""
    all_tests = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    all_tests = all_tests and not hasattr(session.config, "workerinput")  # one of several processes
    if IN_CI and all_tests and not session.shouldstop and _stale():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why tests were run again, and which allowed reasons were not given."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"run again: {report.nodeid}", "_")
        terminalreporter.line(report.longreprtext)
    if IN_CI and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        for reason in _stale():
            terminalreporter.line(f"no test is skipped because {reason!r}: see tests/conftest.py", red=True)


def _stale() -> list[str]:
    return [reason for reason, occurs in ALLOWED_SKIPS.items() if occurs and reason not in _seen]
