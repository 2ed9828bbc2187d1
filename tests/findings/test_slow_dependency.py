"""Findings: a slow `def` dependency of an async endpoint."""

from __future__ import annotations

import pytest

from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, findings, ids
from tests.findings.pools import in_order, rounds
from tests.streams import ns

SOURCE = [
    "def current_user():",
    "    time.sleep(0.5)",
    "",
    "@app.get('/')",
    "async def handler(user: Annotated[str, Depends(current_user)]):",
    "    return user",
]
CALLED = ("app.py", 1, "current_user")


def test_a_slow_dependency():
    """How long each request was in it, in a thread, and its name."""
    (found,) = findings(burst(2, rounds(2, 40, 500, CALLED)), {"app.py": SOURCE})
    assert (found.id, found.scenario) == ("slow-dependency", "dependency_async")
    assert found.what == (
        "2 requests spent 500 ms each in the dependency current_user (app.py:1), in a worker thread, before"
        " the endpoint began."
    )


def test_a_dependency_that_is_fast():
    """A dependency of a few milliseconds is none that is slow."""
    assert ids(burst(2, rounds(2, 40, 50, CALLED)), lines={"app.py": SOURCE}) == []


def test_a_call_of_the_endpoint_is_no_dependency():
    """What the endpoint itself calls in a thread is its own business."""
    source = [*SOURCE[:4], "async def handler():", "    return await run_in_threadpool(current_user)"]
    assert ids(burst(2, rounds(2, 40, 500, CALLED)), lines={"app.py": source}) == []


def test_a_dependency_of_a_def_endpoint():
    """An endpoint that is `def` itself needs threads anyway."""
    source = [line.replace("async def", "def") for line in SOURCE]
    assert ids(burst(2, rounds(2, 40, 500, CALLED)), lines={"app.py": source}) == []


API = ["@router.get('/')", "async def stats():", "    return 3"]
DEPS = ["class Session:", "    def __init__(self):", "        time.sleep(0.5)"]


def seen_as(name: str, called: tuple[str, int, str] = CALLED, api: int = 2) -> list[Event]:
    """Two requests in threads, each of which the sampler has looked at meanwhile."""
    events = list(rounds(2, 40, 500, called))
    for number in (1, 2):
        events += [streams.awaited(30, number, "thread", name)]
        events += [(ns(40), ev.EXECUTES, number, "deps.py", 3, "Session.__init__")]
        events += [(ns(31), ev.HANDLER, number, "api.py", api, "stats")]
    return in_order(events)


@pytest.mark.parametrize("called", [("deps.py", 2, "Session.__init__"), ("", 0, "Session")])
def test_a_dependency_of_another_file(called):
    """FastAPI was seen to call it: then it is a dependency, though the file of no endpoint names it."""
    (found,) = findings(burst(2, seen_as("dependency", called)), {"api.py": API, "deps.py": DEPS})
    assert found.id == "slow-dependency"
    assert found.what.startswith("2 requests spent 500 ms each in the dependency Session (deps.py:3)")


def test_a_thread_that_the_application_asks_for():
    """A function that the endpoint has called in a thread through other files is no dependency."""
    lines = {"api.py": API, "deps.py": DEPS}
    assert ids(burst(2, seen_as("", ("deps.py", 2, "load"))), lines=lines) == []


def test_a_dependency_of_a_def_endpoint_in_another_file():
    """Whether the endpoint is asynchronous is asked of its own file."""
    api = [line.replace("async def", "def") for line in API]
    assert ids(burst(2, seen_as("dependency")), lines={"api.py": api, "deps.py": DEPS}) == []
