"""On real servers, the code view has each request at the line at which it is."""

from __future__ import annotations

import pytest

from loopviz.live.session import Session
from loopviz.scenario import find, read
from tests.line_truth import judge, observed

pytestmark = [pytest.mark.alone]

REQUESTS = {
    "sync": 4,
    "async": 4,
    "blocking": 2,
    "middleware_blocking": 4,
    "stream_async": 3,
    "dependency_yield": 3,
}
"""How many are enough, of those of the catalogue that take a second."""


@pytest.mark.parametrize("name", REQUESTS)
def test_the_marks_are_at_the_lines_of_coroutines_and_stacks(name):
    """At three instants each mark is where the coroutines and stacks of its request are."""
    (file,) = read(find(name))
    session = Session([file])
    session.start()
    session.wait()
    try:
        file = session.scenarios[0]
        timeline, looks = observed(session, file, REQUESTS[name])
        found = [judge(session, file, timeline, one) for one in looks]
    finally:
        session.stop()
    assert [one.wrong for one in found] == [[], [], []], [one.shown for one in found]
    assert sum(one.right for one in found) > len(found)
