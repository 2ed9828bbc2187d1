"""Groups: one for each key press; the newest has its rows, older ones are a line, equal rows fold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loopviz.draw import fold
from loopviz.draw.look import Palette
from loopviz.model import Timeline
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream.events import Event
from loopviz.tui.clock import BurstClock
from loopviz.tui.scene import Facts, Scene, groups
from loopviz.tui.view import View
from tests import streams
from tests.streams import feed, fired, ns, timeline
from tests.test_scene import ENVIRONMENT, text


def file(name: str, key: str) -> ScenarioFile:
    """A scenario that is fired with this key."""
    facts = Scenario(title=name, expect="It works.", key=key)
    return ScenarioFile(name, Path(f"{name}.py"), facts, None, "GET", f"/{name}")


FILES = [file("blocking", "b"), file("async", "a"), file("background_blocking", "d")]


def burst(
    press: int, at: float, first: int, count: int, name: str = "async", *, each: float = 0, path: str = ""
) -> list[Event]:
    """A burst whose requests wait for 100 ms, one after the other if `each`; answered with 200."""
    events: list[Event] = [fired(at, press, name, first, count)]
    for index in range(count):
        number, end = first + index, at + 100 + index * each
        events += [
            (ns(at), "sent", number, "GET", path or f"/{name}"),
            (ns(at), "read", number, "GET", path or f"/{name}", 0),
            streams.made(at, number, number),
            streams.step(at, number),
            streams.suspend(at, number),
            streams.step(end, number),
            streams.status(end, 200, number),
            streams.responded(end, number),
            streams.end(end, number),
        ]
    return events


def fed(*parts: list[Event]) -> Timeline:
    """A timeline of these bursts, in the order of their time."""
    return timeline(sorted((event for part in parts for event in part), key=lambda event: event[0]))


def lines(line: Timeline, at: float, *, size: tuple[int, int] = (80, 24), **settings: Any) -> list[str]:
    """The picture at a moment."""
    view = View(now=ns(at), **settings)
    if not view.scrolls:
        view.clock = BurstClock(line, lambda: FILES).of(view.burst(line), ns(at))
    drawn = Scene(Palette("mono"), Facts(ENVIRONMENT, "in a thread", "127.0.0.1:4", FILES))
    return [row.rstrip() for row in text(drawn.compose(line, view, *size))]


def names(found: list[str]) -> list[str]:
    """The names of the rows and the headings: what is in front of the lanes, without the rest."""
    kept = [row for row in found if row.lstrip()[:1] in {"#", "▾", "▸", "└"}]
    return [" ".join(row[:18].split()) for row in kept]


def test_a_group_for_each_key_press_the_newest_with_its_rows():
    """Bursts that overlap are two groups; the older one is a line with its makespan and statuses."""
    found = lines(fed(burst(1, 0, 1, 4, "blocking", each=100), burst(2, 50, 5, 2)), 5_000)
    assert names(found)[0] == "▾ a async ×2"
    assert [name.split()[0] for name in names(found)] == ["▾", "#5", "#6", "▸"]
    (older,) = [row for row in found if "▸" in row]
    assert older.split()[:4] == ["▸", "b", "blocking", "×4"]
    assert older.split()[-4:] == ["all", "200", "400", "ms"]
    (heading,) = [row for row in found if "▾" in row]
    assert heading.split()[-4:] == ["all", "200", "100", "ms"]


def test_while_it_runs_the_heading_says_how_many_are_answered():
    """It counts answers and time, until all are answered."""
    line = fed(burst(1, 0, 1, 4, "blocking", each=100))
    (heading,) = [row for row in lines(line, 250) if "▾" in row]
    assert "2 of 4" in heading
    assert heading.endswith("250 ms")


def test_statuses_that_differ_and_failures_are_counted():
    """A burst is not 'all 200' if one request has failed."""
    line = fed(burst(1, 0, 1, 2), burst(2, 1_000, 3, 2))
    feed(line, fired(3_000, 3, "blocking", 5, 2))
    for number, status in ((5, 200), (6, 500)):
        feed(
            line, streams.sent(3_000, number), streams.read(3_000, number, number),
            streams.made(3_000, number, number), streams.step(3_000, number),
            streams.status(3_010, status, number), streams.responded(3_010, number),
            streams.end(3_010, number),
        )  # fmt: skip
    (heading,) = [row for row in lines(line, 9_000) if "▾" in row]
    assert "1 of 2 failed" in heading


def test_up_to_eight_requests_have_a_row_each_and_more_fold():
    """Rows that look the same fold into one when there are many of them."""
    assert names(lines(fed(burst(1, 0, 1, 8)), 50))[1:] == [f"#{n} /async" for n in range(1, 9)]
    assert names(lines(fed(burst(1, 0, 1, 9)), 50))[1:] == ["#1–#9 ×9"]


def in_threads(count: int) -> Timeline:
    """A burst whose requests are in worker threads until 1 s; each computes for a quarter of the time."""
    events: list[Event] = [fired(0, 1, "sync", 1, count), streams.thread(0, 1, "loop")]
    for number in range(1, count + 1):
        events += [
            (ns(0), "sent", number, "GET", "/sync"), (ns(0), "read", number, "GET", "/sync", 0),
            streams.made(0, number, number), streams.step(0, number), streams.suspend(0, number),
            streams.submit(0, number, number, number), streams.thread(0, 10 + number),
            streams.cpu(0, 10 + number, 0), streams.call(0, number, number, number, 10 + number),
            streams.cpu(1_000, 10 + number, 250), streams.returns(1_000, number),
            streams.step(1_001, number), streams.status(1_001, 200, number), streams.responded(1_001, number),
            streams.end(1_001, number),
        ]  # fmt: skip
    return fed(events)


def test_rows_stay_while_workers_are_shown_and_those_without_room_are_counted():
    """Eight requests do not fold because eight threads work for them: as many workers as fit have a lane."""
    for at in (500, 9_000):
        found = lines(in_threads(8), at)
        assert [name.split()[0] for name in names(found)[1:]] == [f"#{n}" for n in range(1, 9)]
        lanes = sum(row.startswith("  worker ") for row in found)
        assert 3 <= lanes < 8
        assert f"{8 - lanes} more worker" in next(row for row in found if "▾" in row)


def test_when_a_burst_is_over_a_worker_has_what_it_used_of_a_core():
    """So that threads that have computed differ from those that have waited."""
    line = in_threads(2)
    for at in (2_000, 60_000):
        lanes = [row for row in lines(line, at) if row.startswith("  worker ")]
        assert len(lanes) == 2
        assert all(row.endswith("was on CPU 25%") for row in lanes)


def test_rows_that_differ_stay():
    """Those that wait for their turn fold; those that had it are on their own."""
    line = fed(burst(1, 0, 1, 12, "blocking", each=400))
    found = names(lines(line, 750, size=(120, 40)))
    assert found[1:] == ["#1 /blocking", "#2 /blocking", "#3–#12 ×10"]


def test_many_rows_that_all_differ_are_drawn_more_coarsely():
    """Forty different rows fit: neighbours fold, and every request is in one of the rows."""
    line = fed(burst(1, 0, 1, 40, "blocking", each=100))
    found = lines(line, 9_000)
    rows = [name for name in names(found) if name.startswith("#")]
    counts = [int(name.partition("×")[2] or 1) if "×" in name else 1 for name in rows]
    assert sum(counts) == 40
    assert 3 <= len(rows) <= 14
    assert len(found) == 24


def test_the_newest_group_is_on_the_screen_however_many_there_are():
    """After many key presses, the newest group has its rows, and the last lines are older groups."""
    line = fed(*(burst(press, 1_000 * press, 10 * press, 4) for press in range(1, 30)))
    for size in ((80, 24), (120, 36), (40, 12), (200, 60)):
        found = names(lines(line, 30_000, size=size))
        assert found[0].startswith("▾ a async ×4"[: len(found[0])])
        assert found[1].startswith("#290")
        if size[1] > 12:
            assert sum(name.startswith("▸") for name in found) >= 3


def test_a_folded_group_starts_at_zero_too():
    """Under the clock of a burst an older one is drawn from zero on, so that both can be compared."""
    line = fed(burst(1, 0, 1, 1), burst(2, 50_000, 2, 1))
    found = lines(line, 60_000)
    (own,) = [row for row in found if "#2 /async" in row]
    (older,) = [row for row in found if "▸" in row]
    at = own.index("─")
    assert older.index("─") == at
    assert abs(len(older[at:].split()[0]) - len(own[at:].split()[0])) <= 1


def test_a_folded_group_is_drawn_as_it_was():
    """At an earlier moment the line has the states of a request that was sent by then, and no time before."""
    line = fed(burst(1, 0, 1, 1), burst(2, 1_000, 2, 8, each=300))
    for number in range(3, 10):
        line.requests[number].start = ns(1_000 + 100 * number)
    newer = "▸ a async ×8"
    row = next(row for row in lines(line, 1_150, cursor=1, scrolls=True) if newer in row)
    assert "─" in row
    fired_only = fed(burst(1, 0, 1, 1), [fired(1_000, 2, "async", 2, 8)])
    later = fed(burst(1, 0, 1, 1), [fired(1_000, 2, "async", 2, 8)], burst(3, 1_200, 2, 8)[1:])
    found = [
        next(row for row in lines(one, 1_100, cursor=1, scrolls=True) if newer in row)
        for one in (fired_only, later)
    ]
    assert found[0] == found[1]
    assert found[0].index("0 of 8") > 50


def test_selecting_a_request_of_a_folded_group_opens_it():
    """The rows of the selected request's group are shown, with its clock, and the newest is a line above."""
    line = fed(burst(1, 0, 1, 3, "blocking", each=300), burst(2, 9_000, 4, 2))
    view = View(now=ns(10_000), cursor=None)
    order = [request.id for request in view.order(line)]
    assert order == [4, 5, 1, 2, 3]
    view.point(line, 1)
    assert view.cursor == 4
    for _ in range(3):
        view.point(line, 1)
    assert view.cursor == 2
    found = lines(line, 10_000, cursor=2)
    assert [name.split()[0] for name in names(found)] == ["▸", "▾", "#1", "#2", "#3"]
    (row,) = [row for row in found if "#2 /blocking" in row]
    assert "─" in row


def test_selecting_a_request_opens_the_row_that_it_shares():
    """A folded row is opened by the selection, which can then go through all of its requests."""
    line = fed(burst(1, 0, 1, 30))
    assert names(lines(line, 500))[1:] == ["#1–#30 ×30"]
    found = names(lines(line, 500, cursor=17))
    assert "#17 /async" in found
    assert len(found) > 5


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_a_click_on_a_row_or_a_folded_group_selects_its_first_request(size):
    """A folded group is opened by a click, and so is a folded row."""
    line = fed(burst(1, 0, 1, 3, "blocking", each=300), burst(2, 9_000, 4, 20))
    drawn = Scene(Palette("mono"), Facts(ENVIRONMENT, "in a thread", "127.0.0.1:4", FILES))
    frame = text(drawn.compose(line, View(now=ns(10_000)), *size))
    hits = {y: hit.request for y, found in drawn.hits.items() for _, _, hit in found if hit.request}
    named = {" ".join(frame[y][:18].split()): request for y, request in hits.items()}
    assert named == {"#4–#23 ×20": 4, "▸ b blocking ×3": 1}


def test_no_row_can_be_clicked_that_is_not_drawn():
    """In a low terminal, the lines below the last row do not lead to the requests that have no room."""
    line = fed(burst(1, 0, 1, 8, "blocking", each=300), burst(2, 9_000, 9, 8, each=300))
    drawn = Scene(Palette("mono"), Facts(ENVIRONMENT, "in a thread", "127.0.0.1:4", FILES))
    for cursor in (None, 1, 12):
        for height in (10, 12, 14):
            frame = text(drawn.compose(line, View(now=ns(12_000), cursor=cursor), 80, height))
            for y, hits in drawn.hits.items():
                if any(hit.request for _, _, hit in hits):
                    assert frame[y].split()[0][:1] in {"#", "▸"}, frame


def test_the_line_of_a_newer_burst_that_runs_grows_while_an_older_one_is_selected():
    """In every frame it is as long as in a picture that is drawn for the first time."""
    line = fed(burst(1, 0, 1, 2, "blocking", each=5_000), burst(2, 1_000, 3, 2, each=3_000))
    clock, facts = BurstClock(line, lambda: FILES), Facts(ENVIRONMENT, "in a thread", "127.0.0.1:4", FILES)
    kept, lengths = Scene(Palette("mono"), facts), []
    for at in range(1_050, 5_000, 100):
        view = View(now=ns(at), cursor=1)
        view.clock = clock.of(view.burst(line), ns(5_000))
        shown, fresh = (
            next(row for row in text(drawn.compose(line, view, 80, 24)) if "▸" in row)
            for drawn in (kept, Scene(Palette("mono"), facts))
        )
        assert shown == fresh
        lengths.append(shown.count("─"))
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[5] > lengths[0]


def test_the_path_is_in_the_heading_where_rows_have_no_room_for_it():
    """A long path is not cut in every row: the heading has all of it."""
    path = "/background_blocking/long"
    found = lines(fed(burst(1, 0, 1, 3, "background_blocking", path=path)), 50)
    (heading,) = [row for row in found if "▾" in row]
    assert path in heading
    assert names(found)[1:] == ["#1", "#2", "#3"]


def test_other_clients_have_rows_of_their_own():
    """What other clients send is in a group of its own, below; without a burst there are no groups."""
    foreign = [
        (ns(2_000), "read", 9, "GET", "/other", 0), streams.made(2_000, 9, 9), streams.step(2_000, 9),
        streams.suspend(2_001, 9),
    ]  # fmt: skip
    found = names(lines(fed(burst(1, 1_900, 1, 2), foreign), 2_100))
    assert found == ["▾ a async ×2", "#1 /async", "#2 /async", "▾ other clients", "#9 /other"]
    assert not any("▾" in row for row in lines(fed(foreign), 2_100))


def test_workers_give_way_when_all_is_over():
    """Lanes have the room that rows do not need, and a third while requests are in threads."""
    events = [fired(0, 1, "async", 1, 8)]
    for number in range(1, 9):
        events += [
            streams.sent(0, number), streams.read(0, number, number), streams.made(0, number, number),
            streams.step(0, number), streams.thread(1, 10 + number),
            streams.call(1, number, number, number, 10 + number),
            streams.suspend(1, number), streams.returns(900, number), streams.step(901, number),
            streams.responded(902, number), streams.end(902, number),
        ]  # fmt: skip
    line = fed(events)
    during, after = lines(line, 500), lines(line, 2_000)
    low = [sum(row.startswith("  worker") for row in lines(line, at, size=(80, 20))) for at in (500, 2_000)]
    assert low[0] > low[1]
    assert sum(row.startswith("  worker") for row in during) == 6
    assert sum(name.startswith("#") for name in names(during)) == 8
    assert sum(name.startswith("#") for name in names(after)) == 8
    assert 1 <= sum(row.startswith("  worker") for row in after) < 8


def test_the_name_of_a_folded_group_is_not_cut():
    """Lanes give way to the names of the newest groups; the number of requests is left out first."""
    line = fed(burst(1, 0, 1, 3, "background_blocking"), burst(2, 1_000, 4, 2))
    (older,) = [row for row in lines(line, 2_000) if "▸" in row]
    assert older.startswith(" ▸ background_blocking ")
    rows = [row for row in lines(line, 2_000) if row.startswith("  #")]
    assert all(abs(row.index("◂") - older.index("◂")) <= 1 for row in rows)


def test_a_burst_that_has_scrolled_out_of_the_picture_is_a_line():
    """Steady traffic has the room of the rows that would be empty; with a clock they are never empty."""
    line = fed(burst(1, 0, 1, 4))
    assert names(lines(line, 5_000, scrolls=True))[0] == "▾ a async ×4"
    assert names(lines(line, 60_000, scrolls=True)) == ["▸ a async ×4"]
    assert names(lines(line, 60_000))[0] == "▾ a async ×4"


def test_rows_that_hardly_fit_are_not_folded_in_each_frame(monkeypatch):
    """Many rows that differ are compared for ever longer times: then they stay as they are for a moment."""
    foldings: list[int] = []

    def counted(*arguments: Any, **options: Any) -> list[fold.Fold]:
        foldings.append(arguments[1])
        return fold.folded(*arguments, **options)

    monkeypatch.setattr(groups, "folded", counted)
    line = fed(burst(1, 0, 1, 100, each=100))
    view = View(now=ns(5_000))
    view.clock = BurstClock(line, lambda: FILES).of(view.burst(line), view.now)
    drawn = Scene(Palette("mono"), Facts(ENVIRONMENT, "in a thread", "127.0.0.1:4", FILES))
    first = names([row.rstrip() for row in text(drawn.compose(line, view, 80, 24))])
    assert len(foldings) > 2
    foldings.clear()
    for _ in range(5):
        view.now += 10 * streams.MS
        assert names([row.rstrip() for row in text(drawn.compose(line, view, 80, 24))]) == first
    assert foldings == []
