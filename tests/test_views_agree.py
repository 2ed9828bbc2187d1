"""The views show the same: at any moment, each request's state, station and line are consistent."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.draw.look import BLOCK, CODES
from loopviz.model import Timeline
from loopviz.model.positions import STATIONS, Position, positions
from loopviz.stream.events import Event
from loopviz.tui.scene.code.places import Mark, placed
from loopviz.tui.scene.machine.stations import Plant, group_of, plant
from tests.random_events import expanded_events, times
from tests.streams import MS, ZERO
from tests.test_timeline_properties import simulate


def station_of(stations: Plant, number: int) -> str:
    """The only place of the machine at which it is."""
    found = ["socket"] * [one.request for one in stations.sockets].count(number)
    for machine in stations.machines:
        places = {"ready": machine.ready, "loop": machine.seat}
        places |= {f"parked {group}": place for group, place in machine.parked.items()}
        for name, place in places.items():
            found += [name] * [one.request for one in place].count(number)
        for pool in machine.pools:
            found += ["queue"] * [one.request for one in pool.queue].count(number)
            found += [pool_name(one) for one in pool.seats if one.request == number]
    (only,) = found
    return only


def pool_name(one: Position) -> str:
    """The station of a call in a worker."""
    return STATIONS[one.state].value


def check_agreement(line: Timeline, t: int) -> None:
    """The timeline's rows, the stations of the machine and the marks in the code say the same of `t`."""
    found = positions(line, t)
    stations = plant(line, found, t)
    block = line.block_at(t)
    places = placed(found, lambda _: None, block)
    at = {(file, number): marks for (file, number), marks in places.lines.items()}
    marks: dict[int, tuple[Mark, tuple[str, int] | None]] = {}
    for spot, several in [*at.items(), *((None, above) for above in places.above.values())]:
        for mark in several:
            if mark.request:  # else a callback holds the loop
                assert mark.request not in marks, "one mark for each request"
                marks[mark.request] = mark, spot
    rows = {request.id: request for request in (*line.lasting_at(t), *line.started(t, t))}
    assert set(marks) == {one.request for one in found} <= set(rows)
    for one in found:
        segment = rows[one.request].state_at(t)
        assert segment is not None
        assert (segment.state, segment.thread) == (one.state, one.thread)
        expected = one.station.value if one.station.value != "parked" else f"parked {group_of(one)}"
        assert station_of(stations, one.request) == expected
        mark, spot = marks[one.request]
        assert mark.position is one
        assert mark.code == CODES[one.state] or (mark.code == BLOCK and one.station.value == "loop")
        if one.where is not None and one.station.value != "socket":
            assert spot == (one.where.file, one.where.line)


@settings(max_examples=150)
@given(expanded_events, st.lists(times, min_size=1, max_size=4))
def test_the_views_agree_on_any_events(events, moments):
    """Whatever the events are, all views have each request once, in the same state, at the same line."""
    line = Timeline()
    line.feed(sorted(events, key=lambda event: event[0]))
    for t in moments:
        check_agreement(line, t)


@settings(max_examples=40)
@given(st.integers(0, 1 << 32), st.lists(st.integers(0, 400), min_size=1, max_size=6))
def test_the_views_agree_on_a_server(seed, moments):
    """The same of a simulated server's events: while they come, and afterwards of the past."""
    events: list[Event] = sorted(simulate(Random(seed)).events, key=lambda event: event[0])
    line = Timeline()
    for t in sorted(moments):
        while events and events[0][0] <= ZERO + t * MS:
            line.feed([events.pop(0)])
        check_agreement(line, ZERO + t * MS)
    line.feed(events)
    for t in moments:
        check_agreement(line, ZERO + t * MS)
