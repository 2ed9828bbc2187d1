"""Findings: a middleware that holds the event loop."""

from __future__ import annotations

import pytest

from loopviz.findings.middleware import is_middleware, middleware_of
from loopviz.model import Where
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings
from tests.findings.test_blocking_call import held
from tests.streams import ns

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


AUDIT = [
    "class Audit:",
    "    async def __call__(self, scope, receive, send):",
    "        self.check(scope)",
    "        await self.app(scope, receive, send)",
]


@pytest.mark.parametrize(
    ("line", "found"),
    [(3, "blocking-middleware"), (4, "blocking-call")],
    ids=["it calls the function", "it passes the request on"],
)
def test_a_function_that_a_middleware_calls(line, found):
    """What a middleware calls, in whatever file, is its doing; what it passes requests on to is not."""
    frames = f"{line}\tAudit.__call__\taudit.py\n14\tcheck\tapp.py\n9\tsleep\ttime.py"
    events: list[Event] = [streams.step(4, 1), streams.cpu(4, 1, 0), (ns(24), ev.FRAMES, 1, 0, frames)]
    held_at = (1, ns(4), "app.py", 14, "check", "time.sleep")
    events += [(ns(at), ev.HOLDS, *held_at) for at in (24, 44, 64)]
    events += [streams.cpu(1_004, 1, 0), *ends(1_004, 1), *held(2, 1_005, 1_006)]
    lines = {**source("def check(scope):", "    time.sleep(1)"), "audit.py": AUDIT}
    (one,) = findings(burst(2, events), lines)
    assert one.id == found
    if found == "blocking-middleware":
        assert one.what.startswith("The middleware Audit held the event loop at app.py:14 (time.sleep) once")


def test_a_function_that_is_defined_in_a_middleware():
    """What a middleware passes on to be called later is a part of it."""
    where = Where("app.py", 3, "Timer.__call__.<locals>.own")
    assert middleware_of(lambda _: INNER, where, ()) == where._replace(function="Timer.__call__")
    assert middleware_of(lambda _: ENDPOINT, Where("app.py", 3, "f.<locals>.handler"), ()) is None
