"""Findings: requests that wait for their clients."""

from __future__ import annotations

from loopviz.findings import Finding
from loopviz.findings.table import of_time
from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ids
from tests.streams import end, ns, responded, status, step, timeline


def sends(at: float, until: float) -> list[Event]:
    """A response that the client does not take before `until`."""
    return [
        step(4, 1), status(at, 200), (ns(at), "sending", 1), end(at, 1), streams.idle(at + 1),
        streams.iteration(until), responded(until),
    ]  # fmt: skip


def of_another(events: list[Event]) -> list[Finding]:
    """What is found where another client has sent the request."""
    line = timeline(
        streams.thread(0, 1, "loop"),
        streams.iteration(2),
        streams.read(3, 1, 1),
        streams.made(3, 1, 1),
        events,
    )
    return of_time(line, ns(0), ns(1_000))


def test_a_client_that_does_not_take_its_response():
    """A response that nobody takes is the client's doing: that is said, and is not grave."""
    (found,) = of_another(sends(6, 906))
    assert (found.id, found.severity, found.repair) == ("client-wait", "low", None)
    assert found.what == (
        "1 request waited for their clients to take the response, up to 900 ms: most of their time."
    )


def test_a_client_that_is_a_little_slow_is_no_finding():
    """Where the server takes most of the time, the client is no finding."""
    assert of_another(sends(600, 906)) == []


def test_the_client_of_loopviz_is_no_finding():
    """What loopviz has sent itself waits for the machine, and not for a slow client."""
    assert ids(burst(1, sends(6, 906))) == []
