"""Several workers in one timeline: whose request, block and thread something is. Events written by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.draw.story import say
from loopviz.draw.verdict import verdict
from loopviz.model import State, Timeline
from loopviz.model.summary import summarise
from loopviz.recording.format import FormatError
from loopviz.recording.validate import parse_line
from loopviz.stream import events as ev
from loopviz.stream.events import Event, expand, of_worker
from loopviz.stream.several import MOST_WORKERS, letter, marked, parted
from tests.export_support import export
from tests.random_events import any_events
from tests.several_scene import three_workers
from tests.streams import (
    MS,
    accepted,
    call,
    end,
    feed,
    fired,
    idle,
    iteration,
    made,
    ms,
    ns,
    pool,
    read,
    received,
    responded,
    sent,
    step,
    stopped,
    suspend,
    thread,
    timeline,
    token_wait,
    tokens,
    worker,
)
from tests.streams import of_worker as of
from tests.test_scene import scene, text, view

STARTED = [worker(0, 0, 100), worker(0, 1, 101)]
B = 1 << 48
"""What the second worker adds to its numbers."""


def blocked(first: float = 10, last: float = 310) -> list[Event]:
    """#1 holds the loop of b from `first` to `last`; a is idle."""
    return [
        *of(0, iteration(1), idle(2)),
        *of(1, iteration(1)),
        sent(5, 1),
        *of(1, read(6, 1), made(6, B + 1, 1), step(first, B + 1), suspend(last, B + 1), idle(last + 1)),
    ]


# -- events ------------------------------------------------------------------------------------


def test_events_of_the_first_worker_are_those_of_a_single_process():
    """One worker costs nothing, and a reader that knows of no workers sees the first one."""
    events = [sent(1), read(2), step(3)]
    assert of_worker(events, 0) == events
    assert [event[1] for event in of_worker(events, 3)] == ["sent@3", "read@3", "step@3"]
    assert [event[2:] for event in of_worker(events, 3)] == [event[2:] for event in events]


@pytest.mark.parametrize("number", [1, 9, 10, MOST_WORKERS - 1])
def test_a_kind_says_whose_it_is(number):
    """The number of a worker is put after the kind, and is read from there."""
    assert parted(marked("step", number)) == ("step", number)


@pytest.mark.parametrize(
    "kind", ["step", "step@", "step@0", f"step@{MOST_WORKERS}", "step@-1", "step@²", "a@b"]
)
def test_a_kind_that_names_no_worker_is_a_kind_of_its_own(kind):
    """What a later version or a forged recording has there is unknown, and skipped."""
    assert parted(kind) == (kind, 0)
    line = Timeline()
    event: Any = (ns(1), kind, 1)
    line.feed([event] if kind != "step" else [])
    assert (line.events, line.several) == (0, False)


def test_workers_have_letters():
    """Those after z have two."""
    assert [letter(number) for number in (0, 1, 25, 26, 27, 51, 52)] == [
        "a",
        "b",
        "z",
        "aa",
        "ab",
        "az",
        "ba",
    ]


def test_a_step_of_any_worker_is_expanded():
    """The events that `ran` stands for are those of the same worker."""
    ran: Event = (ns(3), ev.RAN, 1, ns(1), ns(2), "Future", 0)
    assert [event[1] for event in expand(of_worker([ran], 1))] == ["wake@1", "step@1", "yield@1"]
    last: Event = (ns(3), ev.RAN, 1, 0, ns(2), None, 0)
    assert [event[1] for event in expand(of_worker([last], 2))] == ["step@2", "end@2"]


@given(any_events, st.integers(1, MOST_WORKERS - 1))
def test_a_reader_checks_events_of_all_workers_alike(events, number):
    """A recording with them is read as it was written, and a wrong field is refused."""
    theirs = of_worker(events, number)
    if not events:
        return
    latest = max(event[0] for event in events)
    assert parse_line(json.dumps([latest, *theirs]).encode(), {}) == (latest, theirs, len(theirs))
    wrong = [*theirs[0], 1]
    with pytest.raises(FormatError):
        parse_line(json.dumps([latest, wrong]).encode(), {})


# -- which workers there are -------------------------------------------------------------------


def test_a_server_is_one_process_until_another_one_is_seen():
    """Then all of them have letters, also what is known of the first one already."""
    line = timeline(accepted(1), thread(3, 2), call(4, 1))
    assert not line.several
    assert [process.letter for process in line.processes] == [""]
    assert (line.requests[1].letter, line.workers[2].name) == ("", "worker 1")
    feed(line, of(2, iteration(5)))
    assert line.several
    assert [(process.worker, process.letter) for process in line.processes] == [(0, "a"), (2, "c")]
    assert (line.requests[1].letter, line.workers[2].name) == ("a", "thread a1")


def test_a_request_belongs_to_the_worker_that_has_read_it():
    """Before that, it belongs to none: any of them may take it."""
    line = timeline(STARTED, sent(1, 1))
    assert (line.requests[1].worker, line.requests[1].letter) == (-1, "")
    feed(line, of(1, read(2, 1)))
    assert (line.requests[1].worker, line.requests[1].letter) == (1, "b")


def test_each_worker_has_a_loop_of_its_own():
    """What one loop does says nothing of another one's."""
    line = timeline(STARTED, blocked())
    a, b = (process.loop for process in line.processes)
    assert a.busy(ns(10), ns(300)) == 0
    assert b.busy(ns(10), ns(300)) == 290 * MS
    assert line.busy(ns(10), ns(300)) == 290 * MS
    assert a.block_at(ns(200)) is None
    assert b.block_at(ns(200)) is line.block_at(ns(200)) is line.blocks[0]
    assert (line.blocks[0].worker, line.blocks[0].letter) == (1, "b")


def test_threads_are_named_after_their_worker():
    """Each worker counts its own."""
    line = timeline(STARTED, thread(1, 2), of(1, thread(1, B + 2), thread(2, B + 3)), thread(3, 3))
    assert [lane.name for lane in line.workers.values()] == [
        "thread a1",
        "thread b1",
        "thread b2",
        "thread a2",
    ]


def test_the_limiters_of_all_workers_are_added():
    """Each has its own threads; together they are what the server has."""
    line = timeline(STARTED, tokens(1, 40, 3, 0), of(1, tokens(2, 40, 40, 5)), tokens(3, 40, 1, 0))
    assert [(ms(t), tuple(one)) for t, one in line.tokens] == [
        (1, (40, 3, 0)),
        (2, (80, 43, 5)),
        (3, (80, 41, 5)),
    ]
    assert line.peak == 40
    assert line.tokens_at(ns(2.5)) == (80, 43, 5)


def test_a_pool_belongs_to_its_worker():
    """Two workers have a default executor each."""
    line = timeline(STARTED, pool(1, 1), of(1, pool(1, B + 1)))
    assert [pool.worker for pool in line.pools.by_number.values()] == [0, 1]


def test_a_stop_of_the_program_concerns_all_loops():
    """A loop that could not run for the stop was not held by a step."""
    line = timeline(STARTED, blocked(), stopped(400, 10))
    assert line.blocks == []
    assert all(list(process.loop.stops) == [(ns(10), ns(400))] for process in line.processes)


# -- victims -----------------------------------------------------------------------------------


def test_a_block_delays_requests_of_its_worker_only():
    """What another worker has read could run there."""
    line = timeline(
        [*STARTED, sent(1, 2), sent(1, 3), read(2, 2), made(2, 2, 2), *of(1, read(2, 3), made(2, B + 3, 3))],
        blocked(),
    )
    assert line.blocks[0].victims == [3]
    assert line.victims(line.blocks[0], ns(200)) == [3]


def test_a_request_is_nobodys_victim_until_a_worker_has_read_it():
    """Then it was waiting for that worker, and is a victim of the block that lasted meanwhile."""
    line = timeline(STARTED, blocked()[:-2], sent(20, 2))
    block = line.block_at(ns(200))
    assert block is not None
    assert line.victims(block, ns(200)) == []
    feed(line, of(1, suspend(310, B + 1), iteration(311), read(312, 2)))
    assert line.blocks[0].victims == [2]


def test_a_request_that_another_worker_reads_was_not_delayed():
    """It waited in the queue that all workers share, or for that other worker."""
    line = timeline(STARTED, blocked()[:-2], sent(20, 2), iteration(200), read(200, 2))
    feed(line, of(1, suspend(310, B + 1)))
    assert line.blocks[0].victims == []


def test_the_first_of_two_blocks_is_the_one_of_a_moment():
    """While several loops are held, sentences are about the block that began first."""
    line = timeline(
        STARTED,
        [sent(1, 1), sent(1, 2), read(2, 1), made(2, 1, 1), step(50, 1)],
        of(1, read(2, 2), made(2, B + 2, 2), step(20, B + 2)),
    )
    block = line.block_at(ns(300))
    assert block is not None
    assert (block.request, block.letter) == (2, "b")
    assert [one.request for one in line.blocks_until(ns(300))] == [1, 2]
    feed(line, of(1, suspend(320, B + 2)))
    assert [(one.request, one.letter) for one in line.blocks] == [(2, "b")]
    held = line.block_at(ns(330))
    assert held is not None
    assert held.request == 1
    feed(line, suspend(400, 1))
    assert [one.request for one in line.blocks] == [2, 1]


def test_requests_starve_in_their_own_worker():
    """Short steps of one loop keep nobody waiting who is served by another one."""
    events: list[Event] = [*STARTED, sent(0, 1), sent(0, 2), sent(0, 3)]
    events += of(1, iteration(0), read(1, 1), made(1, B + 1, 1), read(1, 2), made(1, B + 2, 2))
    events += [iteration(0), read(1, 3), made(1, 3, 3), step(1.5, 3), suspend(1.8, 3), idle(1.9)]
    for at in range(2, 402, 4):
        events += of(1, step(at, B + 1), suspend(at + 3.9, B + 1, ""))
    line = timeline(events)
    starvation = line.starvation_at(ns(402))
    assert starvation is not None
    assert (starvation.victims, starvation.letter) == ([2], "b")
    feed(line, of(1, step(402, B + 2), suspend(403, B + 2)))
    assert [(one.victims, one.letter) for one in line.starvations] == [([2], "b")]


# -- a worker that ends ------------------------------------------------------------------------


def test_with_a_worker_its_requests_end():
    """Those of the others go on, and one that nobody has read may still be answered."""
    line = timeline(
        [*STARTED, sent(1, 2), sent(1, 3), read(2, 2), made(2, 2, 2)],
        blocked()[:-2],
        worker(200, 1, 101, "ended", "SIGKILL"),
    )
    one, two, three = (line.requests[number] for number in (1, 2, 3))
    assert (one.done, one.ended, one.failure) == (ns(200), True, "its process has ended")
    assert (two.ended, three.ended) == (False, False)
    assert line.processes[1].ended == (ns(200), "SIGKILL")
    feed(line, received(201, 1, None, "RemoteProtocolError: the server has gone"))
    assert one.failure == "its process has ended"


def test_nothing_goes_on_in_a_worker_that_has_ended():
    """Its loop holds nobody, and its threads are idle."""
    line = timeline(
        [*STARTED, sent(1, 1)],
        of(1, iteration(1), read(2, 1), made(2, B + 1, 1), step(3, B + 1)),
        of(1, thread(4, B + 2), tokens(4, 40, 1, 0), call(4, B + 1, B + 1, 1, B + 2)),
        worker(50, 1, 101, "ended", "SIGKILL"),
    )
    assert line.block_at(ns(400)) is None
    assert line.busy(ns(60), ns(400)) == 0
    assert not line.workers[B + 2].busy_at(ns(60))
    assert line.tokens_at(ns(60)) == (40, 0, 0)
    assert line.live == 0


def test_a_task_that_a_request_has_started_ends_with_its_worker():
    """It is a row of its own, and would go on for ever."""
    line = timeline(
        [*STARTED, sent(1, 1)],
        of(1, read(2, 1), made(2, B + 1, 1), step(3, B + 1), made(4, B + 2, 1, B + 1)),
        of(1, responded(5, 1), end(5, B + 1)),
    )
    (row,) = line.started(ns(6))
    assert (row.started_by, row.letter, row.ended) == (1, "b", False)
    feed(line, worker(50, 1, 101, "ended", "exit code 1"))
    assert (row.ended, row.done) == (True, ns(50))


def test_a_wait_for_a_thread_ends_with_the_worker():
    """Nobody waits in a pool that is gone."""
    line = timeline(
        [*STARTED, sent(1, 1)],
        of(1, pool(1, B + 1), read(2, 1), made(2, B + 1, 1), step(3, B + 1)),
        of(1, (ns(4), ev.POOL_CALL, 0, B + 1, B + 1), token_wait(4, B + 1), suspend(5, B + 1)),
    )
    assert line.pools.waiting_at(ns(10)) == {B + 1: {1}}
    assert line.requests[1].state is State.TOKEN_WAIT
    feed(line, worker(50, 1, 101, "ended", "exit code 1"))
    assert line.pools.waiting_at(ns(60)) == {}


def test_a_worker_that_is_started_again_is_said_once():
    """The first start is no news; an end and a new start are."""
    line = timeline(STARTED, worker(10, 1, 101, "ended", "exit code 1"), worker(20, 1, 102))
    assert [(one.name, one.change, one.reason) for one in line.incidents] == [
        ("worker b", "ended", "exit code 1"),
        ("worker b", "restarted", "exit code 1"),
    ]
    assert (line.processes[1].pid, line.processes[1].ended) == (102, None)
    feed(line, of(1, iteration(30), idle(31), iteration(40), idle(50)))
    assert line.processes[1].loop.busy(ns(20), ns(50)) == 11 * MS


def test_a_single_process_that_ends_takes_its_requests_with_it():
    """That is no incident of a worker; who shows it says so."""
    line = timeline(accepted(1), worker(50, 0, 100, "ended", "SIGSEGV"))
    assert line.requests[1].failure == "its process has ended"
    assert not line.incidents
    assert not line.several


# -- any stream --------------------------------------------------------------------------------


@settings(max_examples=200)
@given(any_events, any_events, any_events)
def test_no_stream_of_several_workers_breaks_the_conservation_law(one, two, three):
    """Whatever the workers report, with whatever numbers, nothing raises and all requests add up."""
    line = Timeline(threshold=20 * MS)
    events: list[Any] = [*of_worker(one, 0), *of_worker(two, 1), *of_worker(three, 2)]
    for event in sorted(expand(events), key=lambda event: event[0]):
        line.feed([event])
        line.block_at(event[0])
        line.starvation_at(event[0])
    for request in line.requests.values():
        assert sum(request.totals.values()) == (request.since if request.done is None else request.done) - (
            request.start
        )
    assert [block.start for block in line.blocks] == sorted(block.start for block in line.blocks)


# -- what the screen says ----------------------------------------------------------------------


def composed(line: Timeline, width: int, height: int, at: float = 880) -> list[str]:
    """The lines of the picture at that moment, without trailing spaces."""
    return [shown.rstrip() for shown in text(scene().compose(line, view(at), width, height))]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36)])
def test_each_worker_has_lanes_of_its_own_and_the_header_their_sums(width, height):
    """A worker's threads are below its loop where there is room, and its requests have its letter."""
    shown = composed(three_workers(), width, height)
    assert "3 workers · 6 requests now" in shown[0]
    loops = [line[:8].strip() for line in shown if line.startswith(" LOOP")]
    assert loops == ["LOOP a", "LOOP b", "LOOP c"]
    names = [line.split()[0] for line in shown if line.startswith("  #")]
    assert names == ["#1a", "#2a", "#3b", "#4b", "#5b", "#6b", "#7c", "#8c"]
    threads = [line.split()[:3] for line in shown if line.startswith("  thread")]
    assert threads == [["thread", "c1", "#7c"], ["thread", "c2", "#8c"]]
    assert any("BLOCKED 850 ms · #3b" in line for line in shown)
    assert any(line.startswith(" THREADS") and line.endswith("2 of 120 in use") for line in shown)
    if height > 30:
        at = next(i for i, line in enumerate(shown) if line.startswith(" LOOP c"))
        assert shown[at + 1].startswith("  thread c1")


def test_many_workers_leave_room_for_requests():
    """Of more loops than fit, those that do most have a lane, and one line stands for the others."""
    events = [worker(0, number, 100 + number) for number in range(12)]
    for number in range(1, 12):
        events += of(number, iteration(1), idle(2))
    line = timeline(events, blocked(), accepted(2))
    shown = composed(line, 80, 24, 300)
    loops = [line for line in shown if line.startswith(" LOOP")]
    assert len(loops) <= 8
    assert any(line.startswith(" LOOP b") and "BLOCKED" in line for line in loops)
    (rest,) = [line for line in shown if "more loops" in line]
    assert rest.strip() == f"{12 - len(loops)} more loops, each busy for at most 0% of the last second"


def test_of_many_workers_those_that_were_busy_in_the_time_shown_have_a_lane():
    """A burst that is looked at later has the lane of the worker that has answered it."""
    events = [worker(0, number, 100 + number) for number in range(12)]
    for number in range(1, 12):
        events += of(number, iteration(1), idle(2))
    events += of(1, iteration(100), idle(400))
    shown = composed(timeline(events), 80, 24, 4_000)
    assert any(line.startswith(" LOOP b") for line in shown)


def test_a_request_that_waits_for_one_worker_while_another_is_idle_is_named():
    """The queue is that of the worker which has accepted the connection: the others cannot help."""
    line = three_workers()
    (first, second) = say(line, ns(880), brief=True).sentences
    assert first == "#3b sleeps on worker b's loop: app.py:14. 3 wait while 2 others are idle."
    assert second == "#4b #5b #6b wait in worker b's queue while 2 others are idle."
    assert say(line, ns(880)).row.id == "block-elsewhere"
    long = say(line, ns(880)).sentences[1]
    assert long.endswith("who has accepted a connection keeps it.")


def test_an_unread_request_waits_in_the_queue_of_the_only_worker_that_is_held():
    """An idle worker would have accepted its connection: so the one that cannot has done that."""
    line = timeline(STARTED, blocked()[:-2], sent(20, 2), iteration(100), idle(100.1))
    assert say(line, ns(60)).row.id != "block-elsewhere", "it may not even have arrived"
    found = say(line, ns(200), brief=True)
    assert found.row.id == "block-elsewhere"
    assert found.sentences[1] == ("#2 waits in worker b's queue while worker a is idle.")


def test_an_unread_request_is_in_nobodys_queue_while_all_workers_are_busy():
    """Then it may be in the one queue of all workers, from which the first that is free takes it."""
    line = timeline(
        [*STARTED, sent(1, 1), sent(1, 3), *of(1, read(2, 3), made(2, B + 3, 3), step(3, B + 3))],
        [read(2, 1), made(2, 1, 1), step(3, 1), sent(20, 2)],
    )
    assert say(line, ns(300)).row.id == "block"


def test_a_worker_that_has_ended_is_said_in_its_lane_and_below():
    """The picture goes on with the others, and says how it has ended."""
    line = three_workers()
    feed(line, worker(890, 1, 101, "ended", "SIGKILL"))
    shown = composed(line, 120, 36, 895)
    assert any(line.startswith(" LOOP b") and line.endswith("ended: SIGKILL") for line in shown)
    assert "2 workers" in shown[0]
    assert any("Worker b has ended (SIGKILL); it is being started again." in line for line in shown)


# -- documents ---------------------------------------------------------------------------------


def test_the_summary_has_each_worker():
    """Requests and blocks have its letter, and the sums are those of all loops."""
    found = summarise(three_workers(), scenario="x", environment={}, limit=40, interrupted=ns(880))
    assert [request["worker"] for request in found["requests"]] == list("aabbbbcc")
    assert [(one["worker"], one["pid"], one["requests"]) for one in found["workers"]] == [
        ("a", 100, 2),
        ("b", 101, 4),
        ("c", 102, 2),
    ]
    assert [block["worker"] for block in found["loop"]["blocks"]] == ["b"]
    assert [thread["name"] for thread in found["threadpool"]["threads"]] == ["thread c1", "thread c2"]
    assert len(found["workers"][2]["threadpool"]["threads"]) == 2
    busy = sum(one["loop"]["busy_s"] for one in found["workers"])
    assert found["loop"]["busy_s"] == pytest.approx(busy, abs=1e-5)
    alone = summarise(timeline(accepted(1)), scenario="x", environment={}, limit=40)
    assert "workers" not in alone
    assert "worker" not in alone["requests"][0]


def test_a_trace_has_a_process_for_each_worker():
    """With the loop and the threads of that worker."""
    line = three_workers()
    events = json.loads(export(line, "perfetto"))["traceEvents"]
    names = {e["args"]["name"]: e["pid"] for e in events if e["name"] == "process_name"}
    assert {
        "worker a (pid 100)": 1,
        "worker b (pid 101)": 2,
        "worker c (pid 102)": 3,
    }.items() <= names.items()
    threads = {(e["pid"], e["args"]["name"]) for e in events if e["name"] == "thread_name"}
    assert {(1, "event loop"), (2, "event loop"), (3, "event loop"), (3, "thread c1")} <= threads
    (block,) = (e for e in events if e["name"].startswith("block"))
    assert (block["pid"], block["args"]["victims"]) == (2, "#4b #5b #6b")


def test_pictures_have_a_lane_for_each_loop():
    """The SVG and the page show all of them."""
    line = three_workers()
    svg = export(line, "svg")
    assert all(f"EVENT LOOP {letter}" in svg for letter in "abc")
    html = export(line, "html")
    assert all(f'"loop {letter}"' in html for letter in "bc")


def test_a_verdict_says_that_one_worker_had_them_all():
    """Why it took so long: the connections were not shared out evenly."""
    events: list[Event] = [*STARTED, fired(0, count=4), *(sent(1, n) for n in range(1, 5))]
    events += of(0, iteration(1), idle(2))
    events += of(
        1, iteration(1), *(read(2, n) for n in range(1, 5)), *(made(3, B + n, n) for n in range(1, 5))
    )
    for n in range(1, 5):
        done: list[Event] = [(ns(200 * n), ev.STATUS, n, 200), responded(200 * n, n), end(200 * n, B + n)]
        events += of(1, step(200 * (n - 1) + 5, B + n), *done)
        events.append(received(200 * n + 1, n))
    line = timeline(sorted(events, key=lambda event: event[0]))
    (burst,) = line.bursts
    why = verdict(line, burst, None, ns(2_000)).why
    assert why == "Worker b had accepted 4 of 4, and was held for 780 ms; 1 other had none."
