"""The verdict: measured against expected, why, and the repair; each from what was observed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loopviz.draw.story import say
from loopviz.draw.verdict import Verdict, in_brief, verdict
from loopviz.findings import Finding
from loopviz.findings.table import of_burst
from loopviz.model import Timeline, Where
from loopviz.model.block import Shares
from loopviz.scenario import Scenario, find, read
from loopviz.stream.endings import GIVEN_UP
from loopviz.tui.scene.pen import Pen
from loopviz.tui.scene.story import Story
from loopviz.tui.view import View
from tests import streams
from tests.moments import computing, waiting_for_gil
from tests.streams import accepted, feed, ns, timeline
from tests.test_scene import scenario as listed
from tests.test_scene import scene


def blocking(*lengths: float, threads: int = 40) -> tuple[Timeline, float]:
    """A burst of requests that block the loop, one after the other, each for so long (ms)."""
    count = len(lengths)
    line = timeline(streams.thread(0, 1, "loop"), streams.fired(0, 1, "blocking", 1, count, threads))
    feed(line, [streams.sent(1, number) for number in range(1, count + 1)], streams.iteration(2))
    feed(
        line,
        [streams.read(3, n, n) for n in range(1, count + 1)],
        [streams.made(3, n, n) for n in range(1, count + 1)],
    )
    at = 4.0
    for number, length in enumerate(lengths, 1):
        feed(line, streams.step(at, number), streams.holds(at + length / 2, number, at, calls="time.sleep"))
        at += length
        feed(line, streams.status(at, 200, number), streams.responded(at, number), streams.end(at, number))
    feed(line, streams.idle(at))
    return line, at


def sleeping(count: int, lasts: float = 1_000) -> tuple[Timeline, float]:
    """A burst of requests that sleep at an await, all at the same time."""
    line = timeline(streams.thread(0, 1, "loop"), streams.fired(0, 1, "async", 1, count, 40))
    for number in range(1, count + 1):
        feed(line, accepted(number, number, at=number), streams.suspend(number + 2.5, number))
    feed(line, streams.idle(count + 4), streams.iteration(lasts))
    for number in range(1, count + 1):
        at = lasts + number
        feed(line, streams.wake(at, number), streams.step(at, number), streams.status(at, 200, number))
        feed(line, streams.responded(at, number), streams.end(at, number))
    feed(line, streams.idle(at))
    return line, at


def exhausted_burst() -> Timeline:
    """A burst of two requests for which there is one thread, each for a second."""
    line = timeline(
        streams.fired(0, 1, "tokens", 1, 2, 1),
        (ns(0), "pool", 1, "default-limiter", "", 1),
        accepted(1, 1, at=1),
        (ns(4), "pool-call", 0, 1, 1),
        streams.tokens(4, 1, 1, 0),
        streams.call(4, 1, 1, 1),
        streams.suspend(5, 1),
        accepted(2, 2, at=6),
        (ns(9), "pool-call", 0, 2, 1),
        streams.token_wait(9, 2),
        streams.suspend(10, 2),
        streams.idle(11),
    )
    assert line.requests[2].state == "token_wait"
    for number, at in ((1, 1_000), (2, 2_000)):
        feed(
            line,
            streams.returns(at, number),
            streams.step(at + 1, number),
            streams.status(at + 2, 200, number),
        )
        feed(line, streams.responded(at + 2, number), streams.end(at + 2, number), streams.idle(at + 3))
        if number == 1:
            feed(line, streams.call(at + 4, 2, 2, 2))
    return line


def of(line: Timeline, at: float, scenario: Scenario | None = None) -> Verdict:
    """The verdict on the newest burst, a little after `at` ms."""
    now = ns(at + 50)
    burst = line.newest_burst(now)
    assert burst is not None
    assert burst.over(now)
    return verdict(line, burst, scenario, now)


def facts(seconds: float, law=lambda load: load.requests * load.seconds, **more) -> Scenario:
    """The facts of a scenario that takes so long (s)."""
    return Scenario(
        title="t", expect="e", seconds=seconds, makespan=law, repair="await it.", repaired="async", **more
    )


def test_as_expected_with_the_reason_and_the_repair():
    """What took as long as the law says is as expected; the blocks are the reason, and there is a repair."""
    found = of(*blocking(500, 500, 500), facts(0.5))
    assert found.measured == "Done: 3 requests in 1.5 s, as expected (1.5 s): 3 blocks at app.py:14."
    assert found.why == "The event loop was held for 1.5 s of it, in 3 blocks: app.py:14 (time.sleep)."
    assert (found.repair, found.repaired, found.mood) == ("await it.", "async", "dim")


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (0.5, ", 1 s more than expected (0.5 s)"),
        (2.5, ", 1 s less than expected (2.5 s)"),
        (1.45, ", as expected (1.4 s)"),
    ],
)
def test_more_and_less_than_expected(expected, said):
    """The difference to what was expected is a figure, unless it is within the tolerance."""
    found = of(*blocking(500, 500, 500), facts(expected, lambda load: load.seconds))
    assert said in found.measured


def test_what_was_expected_has_the_unit_of_what_was_measured():
    """A burst that took less than a second is compared in milliseconds; near is what differs by a tenth."""
    for expected, said in ((0.1, ", expected 100 ms"), (0.23, ", as expected (230 ms)")):
        found = of(*blocking(240), facts(expected))
        assert found.measured.startswith(f"Done: 1 request in 243 ms{said}")


def test_where_the_blocks_were_is_worth_more_than_a_word():
    """Where there is little room, the line that blocks is said, and the word requests is not."""
    found = of(*blocking(*(1_210,) * 10), facts(1.0))
    said = "Done: 10 in 12.1 s, 2.1 s more than expected (10 s): 10 blocks at app.py:14."
    assert found.measured == said


def test_a_law_in_cpu_times_is_compared_by_their_number():
    """Where the law is in CPU times of this run's own requests, their number is compared, not the time."""
    found = of(*blocking(500, 500, 500), facts(0.5, lambda load: load.requests * load.single))
    assert found.measured == "Done: 3 requests in 1.5 s, 3 times one request's CPU time (3 expected)."


def test_no_law_and_no_run_before():
    """Where nothing is expected, nothing is compared: not without a law, nor with one that raises."""
    for scenario in (None, facts(1, None), facts(1, lambda _: 1 / 0)):
        found = of(*blocking(500, 500), scenario)
        assert found.measured == "Done: 2 requests in 1.0 s: 2 blocks at app.py:14."


def test_what_waits_at_the_same_time_is_the_reason_of_a_short_time():
    """Requests that waited together took as long as one; nothing is to be repaired."""
    found = of(*sleeping(8), facts(1.0, lambda load: load.seconds * -(-load.requests // load.threads)))
    assert found.measured == "Done: 8 requests in 1.0 s, as expected (1 s): 8 at once."
    assert found.why == "8.0 s at an await fit into 1.0 s: up to 8 at the same time."
    assert found.repair == ""


def test_what_no_load_makes_worse_is_repaired_at_any():
    """A repair is named for few requests too if their time does not come from their number."""
    found = of(*sleeping(2), facts(1.0, lambda load: load.seconds))
    assert found.repair == "await it."


def test_what_goes_on_after_the_responses_is_the_reason_that_they_came_early():
    """Background work that lasts longer than the clients waited is counted, and then measured."""
    line = timeline(streams.fired(0, 1, "x", 1, 1, 40), accepted(1, 1, at=1))
    feed(line, streams.status(30, 200), streams.responded(31), streams.suspend(32), streams.idle(33))
    feed(line, streams.idle(500))
    found = of(line, 500, facts(1.0, lambda _: 0))
    assert found.measured == "Done: 1 request in 30 ms, at once, as expected."
    assert found.why == "1 request goes on after the response: no client waits for that."
    feed(line, streams.iteration(1_030), streams.step(1_031), streams.end(1_031), streams.idle(1_032))
    assert of(line, 1_100).why == "After the responses they went on for up to 1.0 s: no client waited."


def test_what_goes_on_at_an_earlier_moment_still_goes_on_there():
    """A moment before the last task ended says that it goes on, also when it is looked at later."""
    line = timeline(streams.fired(0, 1, "x", 1, 1, 40), accepted(1, 1, at=1))
    feed(line, streams.status(30, 200), streams.responded(31), streams.suspend(32), streams.idle(33))
    feed(line, streams.iteration(1_030), streams.step(1_031), streams.end(1_031), streams.idle(1_032))
    drawn = scene()
    for at, says in ((800, "1 request goes on"), (1_100, "After the responses they went on for up to 1.0 s")):
        picture = drawn.compose(line, View(now=ns(at), behind=5_000_000_000), 200, 40)
        assert says in "".join(segment.text for part in picture for segment in part)


def test_little_room_leaves_out_where_and_then_why():
    """A first sentence that would be too long says how many blocks, and not where they are."""
    line, at = blocking(*(120.5,) * 100)
    found = of(line, at, facts(0.1, lambda load: load.seconds * load.requests))
    assert found.measured == "Done: 100 requests in 12.1 s, 2.1 s more than expected (10 s): 100 blocks."


def test_waits_for_a_thread_are_the_reason():
    """It says how many waited, for how long at most, and which pool of which size had no thread left."""
    line = exhausted_burst()
    found = of(line, 2_100, facts(1.0, lambda load: load.seconds * -(-load.requests // load.threads)))
    assert found.measured == "Done: 2 requests in 2.0 s, as expected (2 s): 1 waited for a thread."
    assert found.why == "1 request waited for a thread, up to 994 ms: AnyIO has 1 thread."
    assert found.repair == "await it."


def test_failures_are_named():
    """How many failed, and of what; the time is said as well where it fits."""
    line = timeline(streams.fired(0, 1, "x", 1, 2, 40))
    for number in (1, 2):
        feed(line, accepted(number, number, at=number))
        if number == 2:
            feed(line, streams.raised(300, "RuntimeError", "no", number))
        feed(line, streams.status(300, 500 if number == 2 else 200, number), streams.responded(300, number))
        feed(line, streams.end(300, number))
    found = of(line, 300, facts(0.3))
    assert found.measured == "1 of 2 failed: 500 RuntimeError. 2 requests in 299 ms."
    assert found.mood == "alarm"


def test_requests_that_were_given_up_are_counted_and_not_compared():
    """After giving up there is no time to compare."""
    line = timeline(streams.fired(0, 1, "x", 1, 2, 40), accepted(1, 1, at=1), accepted(2, 2, at=2))
    feed(line, streams.suspend(4, 1), streams.suspend(4, 2), streams.idle(5))
    feed(line, [streams.received(900, number, None, "given up") for number in (1, 2)])
    if not line.requests[1].given_up:
        pytest.fail("the event of giving up is another one")
    found = of(line, 900, facts(1.0))
    assert found.measured == "2 of 2 requests were given up, 899 ms after the first was sent."


# -- what was not measured -----------------------------------------------------------------------


def held(*lengths: tuple[float, int], calls: str = "json.dumps") -> tuple[Timeline, float]:
    """As `blocking`, each for so long (ms) at a line, or unseen at line 0; `calls`: of the last one."""
    line = timeline(streams.thread(0, 1, "loop"), streams.fired(0, 1, "x", 1, len(lengths), 40))
    feed(line, [streams.sent(1, number) for number in range(1, len(lengths) + 1)], streams.iteration(2))
    at = 4.0
    for number, (length, place) in enumerate(lengths, 1):
        feed(line, streams.read(at, number, number), streams.made(at, number, number))
        feed(line, streams.step(at, number))
        if place:
            called = calls if number == len(lengths) else "json.dumps"
            feed(line, streams.holds(at + length / 2, number, at, place, called))
        at += length
        feed(line, streams.status(at, 200, number), streams.responded(at, number), streams.end(at, number))
    feed(line, streams.idle(at))
    return line, at


def test_blocks_that_were_not_seen_have_no_line():
    """The line of the one block that was seen is not said of the others."""
    found = of(*held((500, 0), (500, 0), (120, 14)))
    assert found.measured == "Done: 3 requests in 1.1 s: 3 blocks."
    assert found.why == "The event loop was held for 1.1 s of it, in 3 blocks."


def test_the_line_that_held_longest_is_named():
    """Of several lines, the one that held the loop longest is said, with its time, not the most frequent."""
    found = of(*held((150, 14), (150, 14), (2_000, 99)))
    assert found.measured == "Done: 3 requests in 2.3 s: 3 blocks."
    assert found.why == "The loop was held for 2.3 s of it, in 3 blocks: 2.0 s at app.py:99."


def test_one_line_with_different_calls_is_one_line():
    """Blocks at one line are counted together, and no call is said that only some of them made."""
    same, other = held((600, 14), (600, 14)), held((600, 14), (600, 14), calls="time.sleep")
    assert of(*same).why.endswith(" in 2 blocks: app.py:14 (json.dumps).")
    assert of(*other).why.endswith(" in 2 blocks: app.py:14.")
    three = held((600, 14), (800, 20), (600, 14), calls="time.sleep")
    assert of(*three).why.endswith(" in 3 blocks: 1.2 s at app.py:14.")


def test_a_stop_of_the_program_is_no_block():
    """The time in which the whole program was stopped is not said to be held by a line."""
    line = timeline(streams.thread(0, 1, "loop"), streams.fired(0, 1, "x", 1, 1, 40), accepted())
    feed(line, streams.holds(30, 1, 2), streams.stopped(3_000, 40), streams.holds(3_050, 1, 2))
    feed(line, streams.status(3_100, 200), streams.responded(3_100), streams.end(3_100))
    feed(line, streams.idle(3_100))
    found = of(line, 3_100)
    assert (found.measured, found.why) == ("Done: 1 request in 3.1 s.", "")


def test_the_keeper_of_the_gil_is_to_blame():
    """A block in which the loop waited for the GIL is at the line of the thread that kept it."""
    line = waiting_for_gil()
    feed(line, streams.status(431, 200, 2), streams.responded(431, 2), streams.end(431, 2))
    feed(line, streams.idle(432), streams.returns(433), streams.iteration(434), streams.step(434))
    feed(line, streams.status(435, 200), streams.responded(435), streams.end(435), streams.idle(436))
    (block,) = line.blocks
    assert block.kind == "waiting_for_gil"
    assert [where.line for where in block.lines] == [99]
    found = of(line, 436)
    assert found.measured == "Done: 2 requests in 435 ms: 1 block at app.py:8."
    assert found.why == "The event loop was held for 409 ms of it, in 1 block: app.py:8."


def test_what_waits_on_the_loop_is_not_called_cpu_time():
    """Where the blocks used no CPU, what a request was on the loop is its run time."""
    line, at = blocking(500, 500, 500)
    one, facts_of_it = Shares(cpu=0.02, gil=None), facts(0.5, lambda load: load.requests * load.single)
    for block in line.blocks:
        block.shares = one
    assert of(line, at, facts_of_it).measured == (
        "Done: 3 requests in 1.5 s, 3 times one request's run time (3 expected)."
    )


@pytest.mark.parametrize("later", [0, 2_000])
def test_after_giving_up_there_is_no_response(later):
    """What the server still does for a request that was given up is not after its response."""
    line = timeline(streams.fired(0, 1, "x", 1, 1, 40), accepted(1, 1, at=1), streams.suspend(4))
    feed(line, streams.idle(5), streams.received(900, 1, None, GIVEN_UP), streams.idle(2_500))
    if later:
        feed(line, streams.iteration(4_000), streams.step(4_000), streams.end(4_001), streams.idle(4_001))
    assert of(line, 2_500 + later).why == ""


@pytest.mark.parametrize("sent", [True, False])
def test_what_was_given_up_is_not_expected_of_the_next_burst(sent):
    """The next burst is compared with the last one that came to its end."""
    first = accepted(1, 1, at=1) if sent else []
    line = timeline(streams.fired(0, 1, "x", 1, 1, 40), first, streams.received(200, 1, None, GIVEN_UP))
    feed(line, streams.suspend(201), streams.idle(201))
    feed(line, streams.fired(1_100, 2, "x", 2, 1, 40), accepted(2, 2, at=1_101), streams.suspend(1_104, 2))
    feed(line, streams.idle(1_104), streams.iteration(5_000), streams.step(5_000, 2))
    feed(line, streams.status(5_101, 200, 2), streams.responded(5_101, 2), streams.end(5_101, 2))
    assert "Done: 1 request in 4.0 s" in of(line, 5_101, facts(1.0, None)).measured
    assert "run before" not in of(line, 5_101, facts(1.0, None)).measured


@pytest.mark.parametrize(
    ("clocks", "end", "said"),
    [
        ((2, 3), 2_000, ", 2 times one request's CPU time (2 expected)"),
        ((2, 3), 70_000, ""),  # more readings than are kept
        ((2,), 2_000, ""),
        ((), 2_000, ""),
    ],
)
def test_no_law_from_cpu_time_that_was_not_measured(clocks, end, said):
    """Where readings of the workers' clocks were dropped, or never taken, nothing is compared with them."""
    line = computing(end, clocks)
    for number in (1, 2):
        feed(line, streams.returns(end, number), streams.iteration(end), streams.step(end, number))
        feed(line, streams.status(end, 200, number), streams.responded(end, number), streams.end(end, number))
        feed(line, streams.idle(end))
    found = of(line, end, facts(1.0, lambda load: load.requests * load.single))
    assert f" s{said or ': 2 at once'}." in found.measured


def test_requests_that_were_not_seen_are_not_done():
    """Where the end of a request was not seen, it is said of how many."""
    line = timeline(streams.fired(0, 1, "x", 1, 3, 40), accepted(1, 1, at=1), accepted(3, 3, at=2))
    for number in (1, 3):
        feed(line, streams.status(30, 200, number), streams.responded(30, number), streams.end(30, number))
    assert of(line, 30).measured == "3 requests in 29 ms; how 1 of them ended was not seen."


def test_of_requests_that_were_not_seen_some_may_have_failed():
    """Failures are counted of the requests that were seen, so that there may be more."""
    line = timeline(streams.fired(0, 1, "x", 1, 3, 40), accepted(1, 1, at=1), accepted(3, 3, at=2))
    for number, code in ((1, 500), (3, 200)):
        feed(line, streams.status(30, code, number), streams.responded(30, number), streams.end(30, number))
    assert of(line, 30).measured == "At least 1 of 3 failed: 500. 3 requests in 29 ms."


def test_the_starvation_of_others_is_no_reason():
    """Short steps that made other requests wait for long are no reason for a burst that came at their end."""
    line = timeline(streams.thread(0, 1, "loop"), streams.idle(-50), streams.iteration(-1))
    others = range(101, 141)
    feed(line, [streams.read(0, n, n) for n in others], [streams.made(0, n, n) for n in others])
    for at, number in enumerate(others):
        feed(line, streams.step(1 + at * 50, number))
        if number == others[-2]:
            feed(line, streams.fired(1_940), streams.sent(1_940))
        feed(line, streams.suspend(51 + at * 50, number))
    feed(line, streams.read(2_002), streams.made(2_002), streams.suspend(2_003), streams.idle(2_003))
    feed(line, streams.iteration(2_900), streams.step(2_900), streams.status(2_901, 200))
    feed(line, streams.responded(2_901), streams.end(2_901), streams.idle(2_901))
    (starvation,) = line.starvations
    assert starvation.longest > 1_500 * streams.MS
    assert of(line, 2_901).why == ""


def test_the_size_of_the_pool_is_that_of_its_time():
    """A thread limit that was changed after the burst is not said to be the one that it had."""
    line = exhausted_burst()
    feed(line, (ns(2_200), "pool", 1, "default-limiter", "", 40))
    assert of(line, 2_300).why == "1 request waited for a thread, up to 994 ms: AnyIO has 1 thread."


def test_the_size_of_the_pool_at_an_earlier_moment():
    """At an earlier moment the pool has the size that it had then, also after the limit was changed."""
    line = exhausted_burst()
    feed(line, (ns(2_200), "pool", 1, "default-limiter", "", 40))
    first, _ = say(line, ns(900), brief=True).sentences
    assert first == "The only thread is in use; 1 request waits for one: #2 for 890 ms."


@pytest.mark.parametrize(
    ("gil", "core", "said"),
    [
        (0.6, 0.0, "2 threads share the GIL: each waited up to 30% of the time, on average."),
        (0.0, 0.6, "On average the threads waited for a free core for 30% of the time."),
    ],
)
def test_what_threads_waited_for_is_an_average(gil, core, said):
    """One thread waits for most of the time and the other one does not: the figure is their mean."""
    line = computing(2_000)
    for at in (20, 500, 1_000, 1_500, 1_990):
        feed(line, [streams.switched(at, number, at * part) for number, part in ((2, gil), (3, 0.0))])
        feed(line, [streams.waited(at, number, at * part) for number, part in ((2, core), (3, 0.0))])
    for number in (1, 2):
        feed(line, streams.returns(2_000, number), streams.iteration(2_000), streams.step(2_000, number))
        feed(line, streams.status(2_000, 200, number), streams.responded(2_000, number))
        feed(line, streams.end(2_000, number), streams.idle(2_000))
    assert of(line, 2_000).why == said


@pytest.mark.parametrize("file", read(find()), ids=lambda file: file.name)
def test_every_verdict_fits_80_columns(file):
    """For each scenario of the catalogue, with up to 1,000 requests, no sentence of the verdict is cut."""
    for lengths in ((30.0,) * 2, (3_000.0,) * 3, (120.0,) * 200):
        line, at = blocking(*lengths)
        found = of(line, at, file.facts)
        assert len(found.measured) <= 77
        assert not found.measured.endswith("…")
        assert len(found.why) <= 77


# -- on the screen -------------------------------------------------------------------------------


def below(line, at: float, width: int = 80, **facts_) -> list[str]:
    """The two lines below the picture at `at` ms."""
    drawn = scene()
    files = [
        replace(listed("blocking", "b"), facts=facts(0.5, key="b")), listed("async", "a"),
    ]  # fmt: skip
    told = replace(drawn.facts, scenarios=files, **facts_)
    lines = Story().lines(Pen(drawn.palette), told, line, View(now=ns(at)), width)
    return ["".join(segment.text for segment in one) for one in lines]


def test_the_lines_below_say_what_happens_and_then_the_verdict():
    """Before anything was fired there is an invitation; then what happens; then the verdict."""
    line, at = blocking(500, 500, 500)
    assert below(line, -1)[0] == "▌ Press a letter to fire requests: b blocking, a async."
    first, second = below(line, 700)
    assert first == "▌ #2 holds the event loop for 196 ms: app.py:14 (time.sleep). 1 other waits."
    assert second == "▌ Repair: await it.   F async"
    for later in (at + 10, at + 100_000):
        first, second = below(line, later)
        assert first == "▌ Done: 3 requests in 1.5 s, as expected (1.5 s): 3 blocks at app.py:14."
        assert second == "▌ Repair: await it.   F async"


def test_a_wide_line_has_the_reason_as_well():
    """Where there is room, the first line has the reason as well: the gravest finding."""
    line, at = blocking(500, 500, 500)
    first, second = below(line, at + 10, 200)
    assert first.endswith("app.py:14 (time.sleep) held the event loop 3 times, for 1.5 s in all.")
    assert second == "▌ Repair: await it.   F async"


def test_a_recording_offers_no_key():
    """In a recording the repair is said, and no key is offered that cannot fire it."""
    line, at = blocking(500, 500, 500)
    assert below(line, at + 10, live=False)[1] == "▌ Repair: await it."
    assert below(line, -1, live=False)[0] == "▌ Nothing was fired up to this moment of the recording."


def test_a_high_screen_has_the_reason_and_the_repair():
    """Where there are three lines, the reason has one of its own."""
    line, at = blocking(500, 500, 500)
    drawn = scene()
    files = [replace(listed("blocking", "b"), facts=facts(0.5, key="b"))]
    told, view = replace(drawn.facts, scenarios=files), View(now=ns(at + 10))
    lines = Story().lines(Pen(drawn.palette), told, line, view, 120, 3)
    shown = ["".join(segment.text for segment in one) for one in lines]
    assert [words[2:10] for words in shown] == ["Done: 3 ", "app.py:1", "Repair: "]


def test_a_click_on_the_repair_fires_it():
    """The line of the repair is where its key can be clicked: also of one that is made from the code."""
    line, at = blocking(500, 500, 500)
    for height in (24, 36):
        drawn = scene()
        file = replace(listed("blocking", "b"), facts=facts(0.5, key="b"))
        drawn.facts = replace(drawn.facts, scenarios=[file, listed("async", "a")])
        frame = drawn.compose(line, View(now=ns(at + 10)), 80, height)
        (place,) = [y for y, row in enumerate(frame) if "Repair: " in "".join(s.text for s in row)]
        ((_, _, hit),) = drawn.hits[place]
        assert hit.key == "F"
        drawn.facts = replace(drawn.facts, scenarios=[file])
        frame = drawn.compose(line, View(now=ns(at + 10)), 80, height)
        assert "F shows it" in "".join(s.text for s in frame[place])
        assert place in drawn.hits
        drawn.facts = replace(drawn.facts, scenarios=[file], live=False)
        drawn.compose(line, View(now=ns(at + 10)), 80, height)
        assert place not in drawn.hits


def test_a_burst_that_was_given_up_before_it_was_sent_was_not_done():
    """Requests that were never sent count as given up, and no time is said for them."""
    line = timeline(streams.fired(0, 1, "async", 1, 2, 40))
    feed(line, [streams.received(5, number, None, GIVEN_UP) for number in (1, 2)], streams.idle(6))
    assert of(line, 6).measured == "2 requests given up before the first was sent."
    line = timeline(streams.fired(0, 1, "async", 1, 3, 40), accepted(1, 1, at=1))
    feed(line, [streams.received(5, number, None, GIVEN_UP) for number in (1, 2, 3)], streams.idle(6))
    assert of(line, 6).measured.startswith("3 of 3 requests were given up, ")


WHOLE = "One sentence that is short."
PART = "A part of 40 columns or so, and it goes on"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("It is short.", "It is short."),
        (f"{WHOLE} Another one that is long {'x' * 60}", WHOLE),
        (f"{PART}; {'x' * 60}.", f"{PART}."),
        ("x" * 90 + ".", "A title: app.py:14."),
    ],
    ids=["whole", "sentence", "part", "title"],
)
def test_a_finding_in_brief(what, said):
    """Of a long finding its first sentence is said, or a part that is one; else its title and its line."""
    where = Where("/a/app.py", 14, "handler")
    found = Finding("convoy", "low", "likely", "A title", what, "Why.", "Do.", where, (), (), (), 1)
    assert in_brief(found) == said


def test_an_application_without_a_declared_repair_has_that_of_the_finding():
    """Where no scenario says what to change, the gravest finding does, in one line."""
    line, at = blocking(500, 500, 500)
    burst = line.newest_burst(ns(at + 50))
    assert burst is not None
    said = verdict(line, burst, None, ns(at + 50), of_burst(line, burst))
    assert said.repair.startswith("Use await asyncio.sleep(...)")
    assert len(said.repair) <= 68
