"""What a block's thread did: it slept, computed, or waited for the GIL. The model and the words, by hand."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from loopviz.cli.report import print_report
from loopviz.draw import words
from loopviz.draw.look import Palette
from loopviz.draw.story import story
from loopviz.model import State, Where
from loopviz.model.summary import summarise
from loopviz.scenario import Scenario, ScenarioFile
from tests import streams
from tests.streams import (
    MS,
    accepted,
    block_at,
    call,
    cpu,
    executes,
    feed,
    gil,
    holds,
    idle,
    iteration,
    made,
    ms,
    ns,
    read,
    responded,
    returns,
    sent,
    shape,
    step,
    stopped,
    suspend,
    switched,
    thread,
    timeline,
    waited,
)


def readings(at: float, used: float, limit: float, core: float = 0, late: float = 0):
    """All readings of the loop's thread (1) at a time."""
    return [cpu(at, 1, used), waited(at, 1, core, late), switched(at, 1, limit)]


def block(used: float, limit: float, core: float = 0, late: float = 0, *, seen: int = 1):
    """A block of 500 ms, from 2 ms on, in which the loop's counters rose so much; seen so often."""
    line = timeline(thread(0, 1, "loop"), readings(0, 7, 100, 3, 20), accepted())
    feed(line, [holds(300 + at, since=2) for at in range(seen)])
    feed(line, readings(502, 7 + used, 100 + limit, 3 + core, 20 + late), suspend(502), idle(503))
    (found,) = line.blocks
    return found


@pytest.mark.parametrize(
    ("counters", "kind"),
    [
        ({"used": 50, "limit": 5}, "sleeping"),
        ({"used": 300, "limit": 5}, "computing"),
        ({"used": 100, "limit": 5, "core": 380}, "computing"),
        ({"used": 20, "limit": 470, "late": 200}, "waiting_for_gil"),
        ({"used": 20, "limit": 400, "core": 100, "late": 200}, "waiting_for_gil"),
        ({"used": 5, "limit": 20, "late": 300}, "sleeping"),
        ({"used": 5, "limit": 480, "late": 0}, "sleeping"),
        ({"used": 480, "limit": 0, "late": 480}, "computing"),
        ({"used": 5, "limit": 20, "late": 300, "seen": 0}, None),
        ({"used": 5, "limit": 20, "core": 300}, None),
        ({"used": 5, "limit": 20, "core": 300, "late": 300}, None),
    ],
    ids=[
        "a tenth of computing",
        "more than half of computing",
        "computing on a busy machine",
        "waiting for the GIL",
        "waiting for the GIL on a busy machine",
        "sleeping beside threads that compute",
        "many short sleeps, and nobody wants the GIL",
        "keeping the GIL",
        "nobody could look while others had the GIL",
        "waiting for a core, hardly using one",
        "the same beside threads that compute",
    ],
)
def test_the_kind_is_what_the_thread_did_longest(counters, kind):
    """The larger part of a block decides, by what the thread's own counters say; else it is unknown."""
    assert block(**counters).kind == kind


def test_the_shares_of_a_mixed_block():
    """A block that slept and computed has the share of both, and the summary has the CPU's."""
    mixed = block(used=100, limit=5)
    assert [(kind, round(share, 1)) for kind, share in mixed.mixed] == [("sleeping", 0.8), ("computing", 0.2)]
    assert words.kind_name(mixed) == "sleeping 80%, computing 20%"
    assert block(used=5, limit=5).mixed == []


def test_blocks_back_to_back_have_a_kind_each():
    """A reading at the end of every long step classifies each of several that follow each other."""
    line = timeline(thread(0, 1, "loop"), cpu(1, 1, 0), accepted())
    for at, used in ((200, 190), (400, 195), (600, 390)):
        feed(line, cpu(at, 1, used), suspend(at), step(at))
    assert [found.kind for found in line.blocks] == ["computing", "sleeping", "computing"]


def test_the_sampler_says_only_after_a_block_that_it_had_no_gil():
    """At the end of a block the loop may run first: what the sampler has waited is in the next reading."""
    line = timeline(thread(0, 1, "loop"), readings(0, 7, 100, 3, 20), accepted())
    feed(line, readings(502, 12, 590, 3, 20), suspend(502), idle(503))
    feed(line, waited(505, 1, 3, 510))
    (found,) = line.blocks
    assert found.kind == "waiting_for_gil"
    feed(line, readings(700, 12, 592, 3, 510))
    assert found.kind == "waiting_for_gil"


def test_a_late_reading_of_the_cpu_clock_is_skipped():
    """A reading that arrives after a newer one does not look like a new thread's clock."""
    line = timeline(thread(0, 1, "loop"), cpu(0, 1, 100), cpu(20, 1, 110), cpu(10, 1, 105), cpu(30, 1, 111))
    assert line.loop.cpu == 11 * MS


@pytest.mark.parametrize("seen", [0, 1])
def test_the_report_of_a_block_is_a_sentence(seen):
    """A block is reported with its line and kind, and without its line if no line was seen."""
    line = timeline(thread(0, 1, "loop"), readings(0, 7, 100), read(1), sent(1), accepted(), step(2))
    feed(line, [holds(300, since=2)] * seen, readings(502, 12, 105), suspend(502), responded(502), idle(503))
    feed(line, waited(600, 1, 0, 0))
    out = io.StringIO()
    facts = Scenario(title="t", expect="e")
    scenario = ScenarioFile("mine", Path("mine.py"), facts, None, "GET", "/")
    print_report(Console(file=out, width=200), Palette(), line, scenario, requests=1, threads=40)
    (said,) = [text for text in out.getvalue().splitlines() if text.startswith("block")]
    assert said.endswith(f", beginning at 2 ms{', at app.py:14' * seen}, sleeping")
    assert ",," not in said


def test_a_block_tells_the_shares_of_its_lines():
    """The summary has every line at which a block was seen, the most frequent first, and its share."""
    line = timeline(accepted(), [holds(30 + n, since=2, line=15) for n in range(2)])
    feed(line, [holds(40 + n, since=2, line=14) for n in range(6)], suspend(150))
    document = summarise(line, scenario=None, environment={}, limit=40)
    (found,) = document["loop"]["blocks"]
    assert [(at["line"], at["share"]) for at in found["lines"]] == [(14, 0.75), (15, 0.25)]
    assert found["where"] == {"file": "app.py", "line": 14, "function": "handler", "calls": ""}


def test_the_sentence_tells_the_shares_of_kinds_and_lines():
    """A mixed block is not said to do one thing at one line only."""
    line = timeline(thread(0, 1, "loop"), accepted(), sent(10, 2))
    feed(line, [holds(30 + n, since=2, line=14) for n in range(6)])
    feed(line, [holds(40 + n, since=2, line=15) for n in range(4)])
    feed(line, [cpu(at, 1, at * 0.4) for at in (100, 300, 500)])
    _, sentences = story(line, ns(502))
    assert sentences == [
        "#1 GET / has held the event loop for 500 ms at app.py:14 for 60% of it, and app.py:15 for 40%.",
        "It sleeps 60%, computes 40% of the time, and delays 1 request: #2.",
    ]
    _, sentences = story(line, ns(502), brief=True)
    assert all(len(sentence) <= 77 for sentence in sentences)


# -- another thread keeps the GIL ---------------------------------------------------------------


def kept(*after, keeper: int = 2):
    """The loop sleeps from 10 ms on, and thread 2, which serves request 1, keeps the GIL from 30 to 430."""
    line = timeline(thread(0, 1, "loop"), thread(0, 2), accepted(), call(5), suspend(9), idle(10))
    feed(line, *after, gil(430, since=30, thread=keeper, line=8))
    return line


def test_a_loop_that_cannot_have_the_gil_is_not_idle():
    """The time in which a thread kept the GIL is a block of the loop, held by that thread's call."""
    line = kept()
    (found,) = line.blocks
    assert (ms(found.start), ms(found.end), found.request, found.kind) == (30, 430, 0, "waiting_for_gil")
    assert found.keeper is not None
    assert (found.keeper.thread, found.keeper.request) == (2, 1)
    assert found.culprit == (1, Where("app.py", 8, "keeps"))
    feed(line, iteration(440), idle(441))
    assert line.idle == 30 * MS
    assert line.busy(ns(10), ns(440)) == 401 * MS
    assert line.lag_since(ns(0)) == 400 * MS
    assert line.block_at(ns(300)) is found
    assert line.block_at(ns(435)) is None


def test_it_is_known_when_the_loop_has_run_again():
    """That the GIL was kept may be reported after the steps that waited for it, and their requests' ends."""
    served = [
        read(421, 2, 2, arrived=100),
        made(421, 2, 2),
        step(422, 2),
        responded(423, 2),
        streams.end(424, 2),
    ]
    line = kept([iteration(420), *served, idle(425)])
    (found,) = line.blocks
    assert (ms(found.start), ms(found.end), found.victims) == (30, 420, [2])
    assert shape(line.requests[2].segments)[0] == ("queued", 100, 421)
    assert line.idle == 20 * MS
    assert [(ms(span.start), ms(span.end)) for span in line.loop_spans(ns(426))] == [(30, 420), (2, 9)]


def test_the_request_that_keeps_the_gil_is_not_its_victim():
    """Who has the GIL is to blame, and the others that wait are victims."""
    line = kept([sent(50, 3)])
    assert line.blocks[0].victims == [3]


def test_a_loop_that_computes_waits_for_nobody():
    """If the loop's own thread kept the GIL, its steps say so, and nothing else is reported."""
    assert not kept(keeper=1).blocks


def test_a_call_that_has_returned_is_still_named():
    """The call that kept the GIL is the one of that time, and its line the one that was seen."""
    line = timeline(thread(0, 1, "loop"), thread(0, 2), accepted(), call(5), executes(25, line=9), suspend(9))
    feed(line, idle(10), returns(428), gil(430, since=30, thread=2))
    assert line.blocks[0].culprit == (1, Where("app.py", 9, "work"))


def test_between_steps_of_uvloop_the_loop_can_wait_for_the_gil():
    """Where iterations are not seen, a time between two steps in which a thread kept the GIL is a block."""
    line = timeline(thread(0, 1, "loop"), thread(0, 2), read(0), made(0), step(1), call(2), suspend(3))
    feed(line, step(420), suspend(421), gil(430, since=20, thread=2, line=8), step(500), suspend(501))
    assert [(ms(found.start), ms(found.end), found.kind) for found in line.blocks] == [
        (20, 420, "waiting_for_gil")
    ]


def test_a_step_that_sleeps_while_another_thread_keeps_the_gil_sleeps():
    """By its own counters the step slept; the thread that kept the GIL meanwhile is only mentioned."""
    line = timeline(
        thread(0, 1, "loop"), thread(0, 2), readings(0, 0, 0), accepted(), call(5, task=9), holds(30, since=2)
    )
    feed(line, gil(400, since=60, thread=2), readings(502, 5, 10, 0, 340), suspend(502))
    (found,) = line.blocks
    assert found.kind == "sleeping"


def test_without_counters_it_is_not_called_sleeping():
    """Where only CPU clocks are known, a step beside a thread that kept the GIL has no kind."""
    line = timeline(thread(0, 1, "loop"), thread(0, 2), cpu(0, 1, 0), accepted(), holds(30, since=2))
    feed(line, gil(400, since=60, thread=2), suspend(502), idle(503), cpu(504, 1, 5))
    assert line.blocks[0].kind is None


def test_the_story_of_the_gil():
    """It names the call that has the GIL, its line, and the requests that the loop cannot serve."""
    line = kept([sent(50, 3)])
    mood, sentences = story(line, ns(430))
    assert mood == "alarm"
    assert sentences == [
        "#1 GET / has kept the GIL for 400 ms at app.py:8, in a worker thread.",
        "The event loop cannot run, which delays 1 request: #3.",
    ]
    _, sentences = story(line, ns(430), brief=True)
    assert sentences[0] == "#1 keeps the GIL for 400 ms: app.py:8."


def test_the_story_of_a_step_that_waits_for_the_gil():
    """A step in which the loop waits is not said to hold the loop."""
    line = timeline(thread(0, 1, "loop"), readings(0, 0, 0), accepted(), holds(30, since=2))
    feed(line, readings(40, 2, 38, 0, 18), readings(500, 20, 480, 0, 300))
    assert block_at(line, 501).kind == "waiting_for_gil"
    _, sentences = story(line, ns(502))
    assert sentences[0] == "#1 GET / has waited for the GIL for 500 ms at app.py:14: other threads have it."


def test_the_summary_says_who_had_the_gil():
    """The JSON document has the kind, the thread, its request and its line."""
    document = summarise(kept([sent(50, 3)]), scenario=None, environment={}, limit=40)
    (found,) = document["loop"]["blocks"]
    assert (found["kind"], found["where"], found["request"], found["victims"]) == (
        "waiting_for_gil",
        None,
        None,
        [3],
    )
    assert found["held_by"] == {
        "thread": "worker 1",
        "request": 1,
        "where": {"file": "app.py", "line": 8, "function": "keeps", "calls": ""},
    }


# -- threads that compute -----------------------------------------------------------------------


def four(share: float, shift: float = 0.0, waits: float = 0.0):
    """Four calls in threads 2 to 5 that use `share` of a core; their clocks are read `shift` ms apart.

    They wait for the GIL in the part `waits` of the time.
    """
    line = timeline(thread(0, 1, "loop"), accepted())
    feed(
        line,
        [event for n in range(2, 6) for event in (thread(1, n), call(2, number=n, thread=n))],
        suspend(3),
        idle(4),
    )
    for at in range(100, 1_000, 100):
        for n in range(2, 6):
            feed(line, cpu(at + shift * n, n, (at + shift * n) * share))
            feed(line, switched(at + shift * n, n, (at + shift * n) * waits))
    return line


def test_threads_that_share_a_core_take_turns_at_the_gil():
    """Four threads with a quarter of a core each are compared over the same time."""
    mood, sentences = story(four(0.25, shift=15, waits=0.75), ns(1_000))
    assert mood == "alarm"
    assert sentences[0].startswith("4 worker threads compute at once, and on average each gets 25%")
    assert "GIL" in sentences[1]


def test_the_gil_is_not_denied():
    """Threads that use several cores are said to do that; C code can give up the GIL."""
    mood, sentences = story(four(0.5), ns(1_000))
    assert (mood, sentences[1]) == ("good", "Together they use 2.0 cores.")


def test_a_thread_that_has_just_begun_does_not_distort_the_comparison():
    """A burst of one thread in a short time does not add up with what others used in a long one."""
    line = four(0.25)
    feed(line, thread(940, 6), call(941, number=6, thread=6), cpu(941, 6, 0), cpu(990, 6, 45))
    _, sentences = story(line, ns(1_000))
    assert "cores" not in " ".join(sentences)


@pytest.mark.parametrize(("kept", "kind"), [(True, "waiting_for_gil"), (False, None)])
def test_a_block_that_was_not_seen_waits_for_who_is_known_to_keep_the_gil(kept, kind):
    """Whether it sleeps is not known, unless another thread was seen to keep the GIL most of the time."""
    line = timeline(thread(0, 1, "loop"), thread(0, 2, "worker"), readings(0, 7, 100, 3, 20), accepted())
    feed(line, readings(502, 10, 110, 3, 300), suspend(502), idle(503), [gil(504, since=50, thread=2)] * kept)
    feed(line, [waited(505, 1, 3, 300)])
    (found,) = line.blocks
    assert found.kind == kind


# -- a stop of the whole program -----------------------------------------------------------------


def test_a_stop_of_the_whole_program_is_no_block():
    """A step is a block if it has held the loop that long without the stop, whenever the stop is known."""
    before = timeline(accepted(), stopped(502, since=50), suspend(520), idle(521))
    after = timeline(accepted(), suspend(520), idle(521), stopped(502, since=50))
    lasting = timeline(accepted(), stopped(502, since=50))
    assert [len(before.blocks), len(after.blocks), lasting.block_at(ns(520))] == [0, 0, None]
    assert before.requests[1].totals[State.RUNNING] == 518 * MS


@pytest.mark.parametrize(("known", "blocks"), [(True, [(450, 560)]), (False, [(60, 560)])])
def test_a_stop_is_no_wait_for_the_gil(known, blocks):
    """The sampler, too, was stopped: what it has waited for the GIL is the longest time without a stop."""
    line = timeline(accepted(), suspend(10), idle(11), [stopped(450, since=70)] * known)
    feed(line, gil(560, since=60))
    assert [(block.start, block.end) for block in line.blocks] == [(ns(a), ns(b)) for a, b in blocks]


def test_a_stop_leaves_no_block_of_a_short_wait():
    """What is left of the sampler's wait for the GIL without the stop is too short for a block."""
    line = timeline(accepted(), suspend(10), idle(11), stopped(540, since=70), gil(560, since=60))
    assert len(line.blocks) == 0


@pytest.mark.parametrize(("used", "kind"), [(190, "computing"), (5, "sleeping")])
def test_a_stop_is_no_part_of_what_a_block_did(used, kind):
    """What the thread did is measured against the time in which it could run."""
    line = timeline(thread(0, 1, "loop"), readings(0, 7, 100, 3, 20), accepted(), stopped(502, since=2.5))
    feed(line, [holds(600, since=2)], readings(702, 7 + used, 105, 3, 525), suspend(702), idle(703))
    (found,) = line.blocks
    assert found.kind == kind


def test_a_block_says_for_how_long_the_program_was_stopped():
    """The sentence and the JSON document have the part of a block in which nothing ran."""
    line = timeline(accepted(), stopped(502, since=2.5), suspend(702), idle(703))
    (found,) = line.blocks
    assert line.stopped_within(found.start, ns(702)) == pytest.approx(499.5 * MS)
    _, sentences = story(line, ns(650))
    assert "500 ms of it the whole program was stopped" in " ".join(sentences)
    assert summarise(line, scenario=None, environment={}, limit=40)["loop"]["blocks"][0][
        "stopped_s"
    ] == pytest.approx(0.4995)
