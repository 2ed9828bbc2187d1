"""Findings: a middleware that holds the event loop."""

from __future__ import annotations

import pytest

from loopviz.findings.middleware import is_middleware
from loopviz.model import Where
from tests.findings.bursts import burst, ends, findings
from tests.findings.test_blocking_call import held

DECORATED = ["@app.middleware('http')", "async def handler(request, following):", "    time.sleep(1)"]
CLASS = ["async def dispatch(self, request, call_next):", "    time.sleep(1)"]
PURE = [
    "async def __call__(self, scope, receive, send):",
    "    time.sleep(1)",
    "    await self.app(scope, receive, wrapped)",
]
ENDPOINT = ["@app.get('/')", "async def handler(request, call):", "    time.sleep(1)"]
APPLICATION = [
    "async def __call__(self, scope, receive, send):",
    "    time.sleep(1)",
    "    await send({'type': 'http.response.start'})",
]
INNER = [*PURE[:1], "    async def own(message):", "        time.sleep(1)", *PURE[1:]]


def source(*lines: str) -> dict[str, list[str]]:
    """A file in which the last of these lines is line 14."""
    return {"app.py": ["import time", *["pass"] * (13 - len(lines)), *lines]}


def test_a_middleware_that_sleeps_on_the_loop():
    """What a middleware does on the loop is said of the middleware, and is no blocking call besides."""
    line = burst(2, held(1, 4, 1_004), held(2, 1_005, 2_005))
    (found,) = findings(line, source(*DECORATED))
    assert (found.id, found.repair) == ("blocking-middleware", "async-sleep")
    assert found.what.startswith("The middleware handler held the event loop at app.py:14 (time.sleep) twice")
    assert found.change == (("time.sleep(1)",), ("await asyncio.sleep(1)",))


def test_an_endpoint_that_sleeps_is_no_middleware():
    """The same line in an endpoint is a blocking call."""
    line = burst(2, held(1, 4, 1_004), held(2, 1_005, 2_005), ends(2_006, 2))
    assert [found.id for found in findings(line, source(*ENDPOINT))] == ["blocking-call"]


@pytest.mark.parametrize(
    ("lines", "function", "number", "expected"),
    [
        (DECORATED, "handler", 3, True),
        (CLASS, "Audit.dispatch", 2, True),
        (PURE, "Timer.__call__", 2, True),
        (ENDPOINT, "handler", 3, False),
        (APPLICATION, "App.__call__", 2, False),
        (INNER, "Timer.__call__.<locals>.own", 3, False),
        ([], "handler", 3, False),
    ],
)
def test_the_forms_of_a_middleware(lines, function, number, expected):
    """A middleware is known by what it is given, and by passing it on."""
    assert is_middleware(lines, Where("app.py", number, function)) is expected
