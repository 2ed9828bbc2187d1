"""Health probes of loopviz's own, as the probe on a server's loop sees them: tasks of no request."""

from __future__ import annotations

import http.client
from contextlib import closing

from fastapi import FastAPI

from loopviz.stream import events as ev
from loopviz.stream.marked import HEADER, PROBE
from tests.probe_support import SECRET, Served, every_setup, of_kind


def get(served: Served, value: str) -> int:
    """The status of a request with this value of loopviz's header."""
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)) as connection:
        connection.request("GET", "/x", headers={HEADER: value})
        return connection.getresponse().status


def made() -> FastAPI:
    """An application with an endpoint on the loop and one in a thread."""
    app = FastAPI()
    app.add_api_route("/x", lambda: "well", response_model=None)
    return app


@every_setup
def test_a_probe_is_a_task_of_no_request(setup):
    """What the server does for it is seen, on the loop and in a thread, and belongs to no request."""
    with Served(made(), setup) as served:
        assert get(served, f"{SECRET}-{PROBE}") == 200
        assert get(served, f"{SECRET}-7") == 200
        served.settle(1)
        events = served.events
        assert served.probe.failures == []
        assert not served.probe.blind or "requests" not in dict(served.probe.blind)
    (read,) = of_kind(events, ev.READ)
    assert read[2] == 7
    tasks = [event for event in of_kind(events, ev.TASK) if event[5] == "RequestResponseCycle.run_asgi"]
    assert sorted(event[4] for event in tasks) == [0, 7]
    (task,) = [event[2] for event in tasks if not event[4]]
    assert any(event[2] == task for event in of_kind(events, ev.RAN, ev.STEP))
    assert sorted(event[4] for event in of_kind(events, ev.CALL)) == [0, 7]
    assert {event[2] for event in of_kind(events, ev.STATUS, ev.RESPONDED)} == {7}


def test_a_foreign_request_cannot_hide_as_a_probe():
    """Without the secret of the session, it is a request like any other."""
    with Served(made()) as served:
        for value in (PROBE, f"other-{PROBE}", f"{SECRET}-{PROBE}x", f"{SECRET}-"):
            assert get(served, value) == 200
        served.settle(4)
        assert len(of_kind(served.events, ev.READ)) == 4
