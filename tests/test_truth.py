"""What loopviz shows of random applications is what they truly did, by stamps of their own."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.probe_support import PLAIN, UVLOOP, Setup
from tests.truth.measure import Comparison, compare, judge
from tests.truth.mechanisms import MECHANISMS
from tests.truth.programs import WORDS, Load, Op, Program, generate, smaller
from tests.truth.states import Stamp, Stretch, Truth

MS = 1_000_000

# -- the truth itself, from stamps by hand -----------------------------------------------------


def truth(*stamps: Stamp) -> Truth:
    """The truth of stamps in milliseconds; request 1 with actor 1 is read at 1 ms, and runs from 2 ms on."""
    begin: list[Stamp] = [(1, "read", 1), (2, "root", 1, 1), (2, "resume", 1)]
    due = {"sleep": 4, "bound": 4}  # where a field is a time
    scaled = []
    for t, kind, *rest in [*begin, *stamps]:
        stamp = [t * MS, kind, *rest]
        at = due.get(rest[1] if kind == "suspend" else kind, 0)
        if at:
            stamp[at] *= MS
        scaled.append(tuple(stamp))
    return Truth(scaled)


def shown(truth: Truth, until: int) -> list[str]:
    """The states of request 1, which was sent at 0, in words."""
    return [
        f"{s.start // MS}-{s.end // MS} {s.state}" + "".join(f" or {also}" for also in sorted(s.also))
        for s in truth.states(1, 0, until * MS)
    ]


def test_a_request_is_queued_until_it_is_read_and_ready_until_its_first_step():
    """What follows the response is not counted."""
    assert shown(truth((9, "done", 1), (30, "end", 1)), 12) == [
        "0-1 queued",
        "1-2 ready",
        "2-9 running",
        "9-12 gone",
    ]


def test_a_sleep_is_over_when_its_timer_is_due():
    """From then on the request is ready, however late the loop has time."""
    found = truth((5, "suspend", 1, "sleep", 20, 0), (50, "resume", 1), (52, "done", 1))
    assert shown(found, 52)[2:] == ["2-5 running", "5-20 awaiting", "20-50 ready", "50-52 running"]


def test_a_timer_that_was_set_late_may_be_due_late():
    """The thread was stopped for 5 ms between the reading of the clock and the start of the sleep."""
    found = truth((8, "suspend", 1, "sleep", 20, 17 * MS), (50, "resume", 1), (52, "done", 1))
    assert shown(found, 52)[3:5] == ["8-20 awaiting", "20-25 ready or awaiting"]


def test_a_waiter_is_ready_when_somebody_wakes_it():
    """An older wake-up does not count."""
    found = truth(
        (3, "suspend", 1, "signal"),
        (4, "woken", 1),
        (5, "resume", 1),
        (6, "suspend", 1, "signal"),
        (30, "woken", 1),
        (40, "resume", 1),
        (41, "done", 1),
    )
    assert shown(found, 41)[3:] == [
        "3-4 awaiting",
        "4-5 ready",
        "5-6 running",
        "6-30 awaiting",
        "30-40 ready",
        "40-41 running",
    ]


def test_a_call_waits_for_a_thread_executes_and_returns():
    """Each of the three is a state of its own; so is the wait for AnyIO's limiter."""
    found = truth(
        (3, "suspend", 1, "turn"),
        (4, "resume", 1),
        (4, "suspend", 1, "token"),
        (10, "woken", 1),
        (12, "resume", 1),
        (12, "suspend", 1, "handed", 1),
        (12, "call", 1),
        (20, "return", 1),
        (25, "resume", 1),
        (26, "suspend", 1, "call", 2),
        (30, "call", 2),
        (40, "return", 2),
        (41, "resume", 1),
        (42, "done", 1),
    )
    assert shown(found, 42)[2:] == [
        "2-3 running",
        "3-4 ready",
        "4-10 token_wait",
        "10-12 ready",
        "12-20 in_thread",
        "20-25 ready",
        "25-26 running",
        "26-30 token_wait",
        "30-40 in_thread",
        "40-41 ready",
        "41-42 running",
    ]


def test_a_call_that_nobody_awaits_any_more_does_not_count():
    """After a timeout, what the request awaits next decides."""
    found = truth(
        (2, "bound", 1, 7, 10, "task"),
        (3, "suspend", 1, "call", 1),
        (4, "call", 1),
        (10, "resume", 1),
        (10, "free", 7),
        (10, "suspend", 1, "sleep", 30, 0),
        (25, "return", 1),
        (30, "resume", 1),
        (31, "done", 1),
    )
    assert shown(found, 31)[4:] == ["4-10 in_thread", "10-30 awaiting", "30-31 running"]


def test_while_a_timeout_is_due_and_the_loop_is_busy_two_states_are_right():
    """Whether the loop has noticed it cannot be said from outside."""
    found = truth(
        (2, "bound", 1, 7, 10, "task"),
        (3, "suspend", 1, "signal"),
        (20, "resume", 1),
        (20, "free", 7),
        (21, "done", 1),
    )
    assert shown(found, 21)[3:] == ["3-10 awaiting", "10-20 awaiting or ready", "20-21 running"]


def test_a_call_is_shielded_from_an_anyio_scope():
    """AnyIO waits for the end of the call: the request is in its thread."""
    found = truth(
        (2, "bound", 1, 7, 10, "scope"),
        (3, "suspend", 1, "handed", 1),
        (3, "call", 1),
        (20, "return", 1),
        (21, "resume", 1),
        (21, "free", 7),
        (22, "done", 1),
    )
    assert shown(found, 22)[3:] == ["3-20 in_thread", "20-21 ready", "21-22 running"]


def test_the_most_active_of_the_children_counts():
    """While the request awaits them; when all have ended, it is ready."""
    found = truth(
        (3, "begin", 2, 1, 0),
        (3, "begin", 3, 1, 0),
        (4, "suspend", 1, "children", [2, 3]),
        (5, "resume", 2),
        (8, "suspend", 2, "sleep", 50, 0),
        (8, "resume", 3),
        (20, "suspend", 3, "call", 1),
        (25, "call", 1),
        (40, "return", 1),
        (42, "resume", 3),
        (43, "end", 3),
        (51, "resume", 2),
        (52, "end", 2),
        (60, "resume", 1),
        (61, "done", 1),
    )
    assert shown(found, 61)[2:] == [
        "2-4 running",
        "4-5 ready",
        "5-20 running",
        "20-25 token_wait",
        "25-40 in_thread",
        "40-42 ready",
        "42-43 running",
        "43-50 awaiting",
        "50-51 ready",
        "51-52 running",
        "52-60 ready",
        "60-61 running",
    ]


def test_a_task_that_was_merely_started_does_not_count():
    """Its steps hold the loop, and the request awaits."""
    found = truth(
        (3, "begin", 2, 0, 1),
        (4, "suspend", 1, "sleep", 30, 0),
        (5, "resume", 2),
        (25, "end", 2),
        (30, "resume", 1),
        (31, "done", 1),
    )
    assert shown(found, 31)[3:] == ["4-30 awaiting", "30-31 running"]
    assert found.explain(1, 10 * MS, "running") == "of a task that it merely started"


def test_a_task_that_will_be_awaited_may_count_before_it_is():
    """Until its parent has been cancelled, so that it never will be."""
    stamps: list[Stamp] = [
        (3, "begin", 2, 1, 0),
        (3, "promise", 1, 2),
        (4, "suspend", 1, "sleep", 30, 0),
        (5, "resume", 2),
    ]
    kept = truth(*stamps, (25, "end", 2), (30, "resume", 1), (31, "done", 1))
    assert shown(kept, 31)[3:] == [
        "4-5 awaiting or ready",
        "5-25 awaiting or running",
        "25-30 awaiting",
        "30-31 running",
    ]
    left = truth(
        *stamps,
        (10, "suspend", 2, "call", 1),
        (11, "call", 1),
        (12, "resume", 1),
        (12, "break", 1, 2),
        (13, "suspend", 1, "sleep", 30, 0),
        (30, "resume", 1),
        (31, "done", 1),
        (40, "return", 1),
        (41, "end", 2),
    )
    assert "13-30 awaiting" in shown(left, 31)
    assert left.explain(1, 20 * MS, "in_thread") == "of a task that it merely started"


def spent(program: Program, *others: tuple[int, Program]) -> dict[str, float]:
    """Milliseconds that a request, sent after 20 ms beside others, truly spends in each state."""
    found = compared(Load((*others, (20, program)), threads=1))
    states: dict[str, float] = {}
    for stretch in found.requests[-1].truth:
        states[stretch.state] = states.get(stretch.state, 0) + (stretch.end - stretch.start) / MS
    return {state: time for state, time in states.items() if time > 12}


def test_an_application_does_what_its_program_says():
    """Its stamps have the states that the program is bound to be in, and no others for long."""
    held = spent([("lock", 0, [("block", 40)])], (0, [("lock", 0, [("sleep", 80)])]))
    assert {"awaiting", "running"} <= set(held)
    assert held["running"] >= 40
    assert held["awaiting"] > 30
    waits = spent([("thread", 40)], (0, [("thread", 80)]))
    assert {"token_wait", "in_thread"} <= set(waits)
    assert waits["in_thread"] >= 40
    assert waits["token_wait"] > 30
    late = spent([("sleep", 60)], (0, [("sleep", 70), ("block", 200)]))
    assert late["awaiting"] >= 12
    assert late["ready"] > 30
    left = spent([("timeout", 30, [("to_thread", 90)]), ("sleep", 60)])
    assert left["in_thread"] < 80
    assert left["awaiting"] > 50
    started = spent([("start", [("block", 60)]), ("sleep", 90)])
    assert started.get("running", 0) < 40  # what it runs itself takes a moment; the machine may add to that


def test_what_is_shown_is_judged_moment_by_moment():
    """Time in a wrong state counts as wrong, unless it is shorter than the tolerance."""
    either = frozenset({"awaiting"})
    stretches = [Stretch(0, 50 * MS, "awaiting"), Stretch(50 * MS, 80 * MS, "ready", either)]
    said = [
        ("awaiting", 0, 20 * MS),
        ("ready", 20 * MS, 21 * MS),
        ("awaiting", 21 * MS, 60 * MS),
        ("running", 60 * MS, 90 * MS),
    ]
    judged = judge(1, stretches, said)
    assert judged.wrong == [(60 * MS, 80 * MS, "ready", "running")]
    assert (judged.total, judged.agreed, judged.ambiguous) == (80 * MS, 60 * MS, 30 * MS)
    assert judged.confusion["ready", "running"] == 20 * MS


# -- random applications -----------------------------------------------------------------------

LEFT_OUT = frozenset({"start", "job", "raise"})
assert LEFT_OUT <= WORDS


def words_of(program: Program) -> set[str]:
    """The words of a program's operations, and of the bodies in them."""
    found: set[str] = set()
    for op in program:
        found.add(op[0])
        for part in op[1:]:
            for body in part if isinstance(part, list) and part and isinstance(part[0], list) else [part]:
                found |= words_of(body) if isinstance(body, list) else set()
    return found


def test_loads_are_repeatable_and_leave_out_what_they_are_asked_to():
    """A seed makes the same load each time, and the words are those of the application."""
    assert generate(Random(5)) == generate(Random(5)) != generate(Random(6))
    for seed in range(50):
        load = generate(Random(seed), LEFT_OUT)
        assert not words_of([op for _, program in load.programs for op in program]) & LEFT_OUT


def test_a_load_is_made_smaller_while_it_fails():
    """What remains is what it fails for."""
    guilty: Op = ("block", 15)
    program: Program = [("sleep", 15), ("group", [[("sleep", 25), ("lock", 0, [guilty])], [("give_way",)]])]
    load = Load(((0, program), (10, [("sleep", 40)])))

    def fails(candidate: Load) -> bool:
        return any("block" in words_of(program) for _, program in candidate.programs)

    assert smaller(load, fails).programs == ((0, [guilty]),)


setups = pytest.mark.parametrize(
    "setup", [pytest.param(setup, id=setup.name, marks=setup.marks()) for setup in (PLAIN, UVLOOP)]
)


@pytest.mark.alone
@setups
@pytest.mark.parametrize("about", sorted(MECHANISMS))
def test_what_was_once_shown_wrong_is_true(about: str, setup: Setup) -> None:
    """Each mechanism by itself; a state shown wrong is a quarter of a request's time or more."""
    found = [compared(MECHANISMS[about], setup.loop)]
    while len(found) < 3 and min(one.share for one in found[-1].requests) <= 0.85:  # the machine may be busy
        found.append(compared(MECHANISMS[about], setup.loop))
    assert min(one.share for one in found[-1].requests) > 0.85, [(o.wrong, o.why) for o in found[-1].requests]


def compared(load: Load, loop: str = "asyncio") -> Comparison:
    """What was found, without trouble: a busy machine may keep a server from ending, or disturb stamps."""
    found = compare(load, loop=loop)
    for _ in range(2):
        if found.trouble:
            found = compare(load, loop=loop)
    assert found.trouble == []
    return found


def share_of(setup: Setup, seeds: range) -> float:
    """The share of the requests' time that is shown right, of several loads together."""
    total = agreed = 0
    for seed in seeds:
        found = compared(generate(Random(seed)), setup.loop)
        total += found.total
        agreed += found.agreed
    return agreed / total


@pytest.mark.alone
@setups
def test_what_is_shown_of_random_applications_is_true(setup: Setup) -> None:
    """Of a few fixed seeds; the benchmark runs many, with all operations and the goal of 99.5 %."""
    # A busy machine may stop the loop's thread between two stamps of the same moment.
    assert any(share_of(setup, range(8)) > 0.97 for _ in range(3))


@pytest.mark.alone
@settings(
    max_examples=6, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)  # fmt: skip
@given(st.randoms(use_true_random=False))
def test_no_random_application_is_shown_wrong_as_a_whole(random: Random) -> None:
    """Hypothesis draws the applications. To see a failing one smaller, add `Phase.shrink`."""
    found = compared(generate(random))
    assert found.share > 0.8, [(one.number, one.wrong, one.why) for one in found.requests if one.wrong]
