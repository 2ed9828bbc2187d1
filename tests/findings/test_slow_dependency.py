"""Findings: a slow `def` dependency of an async endpoint."""

from __future__ import annotations

from tests.findings.bursts import burst, findings, ids
from tests.findings.pools import rounds

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
