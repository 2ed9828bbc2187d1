"""The narration: events by hand, and the exact sentences; what holds for all events."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.draw.narrate import Narrator, Sentence, narrator
from loopviz.draw.narrate.pace import Pace, repeat_after
from loopviz.draw.narrate.spoken import between, numbers, spoken
from loopviz.findings.table import of_burst
from loopviz.scenario import Scenario
from loopviz.stream.endings import GIVEN_UP
from loopviz.stream.events import Event
from tests import streams
from tests.random_events import expanded_events
from tests.streams import MS, accepted, ns


def flat(*parts: Event | Sequence[Event]) -> list[Event]:
    """The events in the order of their time."""
    events: list[Event] = []
    for part in parts:
        events += part if isinstance(part, list) else [part]  # type: ignore[list-item]
    return sorted(events, key=lambda event: event[0])


def told(*parts: Event | Sequence[Event], facts: Scenario | None = None) -> list[Sentence]:
    """What is said of these events, to the end."""
    narrator = Narrator(lambda _: facts)
    return narrator.take(flat(*parts)) + narrator.finish()


def lines(*parts: Event | Sequence[Event], facts: Scenario | None = None) -> list[str]:
    """The same as it is printed."""
    return [sentence.line() for sentence in told(*parts, facts=facts)]


def blocking(count: int, lasts: float = 500) -> list[Event]:
    """A burst of requests that block the loop one after the other, each for so long (ms)."""
    events = [
        streams.thread(0, 1, "loop"),
        streams.fired(0, 1, "blocking", 1, count, 40),
        streams.iteration(2),
    ]
    numbers = range(1, count + 1)
    events += [streams.sent(1 + number / 10, number) for number in numbers]
    events += [streams.read(3, number, number) for number in numbers]
    events += [streams.made(3, number, number) for number in numbers]
    at = 4.0
    for number in numbers:
        events.append(streams.step(at, number))
        events += [
            streams.holds(at + 20 + look, number, at, calls="time.sleep")
            for look in range(0, int(lasts) - 20, 20)
        ]
        events += [streams.cpu(at + look, 1, 1) for look in range(20, int(lasts), 100)]
        at += lasts
        events += [streams.status(at, 200, number), streams.responded(at, number), streams.end(at, number)]
        events.append(streams.received(at + 1, number))
    return sorted([*events, streams.idle(at + 1)], key=lambda event: event[0])


def awaiting(count: int, lasts: float = 1_000) -> list[Event]:
    """A burst of requests that await a timer, all at the same time."""
    events = [streams.thread(0, 1, "loop"), streams.fired(0, 1, "async", 1, count, 40)]
    for number in range(1, count + 1):
        events += [*accepted(number, number, at=number), streams.suspend(number + 2.5, number)]
    events += [streams.idle(count + 4), streams.iteration(lasts)]
    for number in range(1, count + 1):
        at = lasts + number
        events += [streams.wake(at, number), streams.step(at, number), streams.status(at, 200, number)]
        events += [streams.responded(at, number), streams.end(at, number), streams.received(at + 1, number)]
    return sorted([*events, streams.idle(lasts + count + 2)], key=lambda event: event[0])


# -- bursts ------------------------------------------------------------------------------------------


def test_a_burst_that_blocks_is_told_from_the_first_request_to_the_finding():
    """Who holds the loop is said while it does, what it delays, each answer, and at the end why."""
    found = told(blocking(2))
    assert [sentence.line() for sentence in found if sentence.topic != "finding"] == [
        "0.000 s  blocking: 2 requests to GET / were sent: 1 and 2. The thread limit is 40.",
        "0.149 s  Request 1 GET / has held the event loop for 146 ms at app.py:14 (time.sleep).",
        "0.149 s  It only waits, and delays 1 request: 2.",
        "0.504 s  Request 1 was answered with 200 after 503 ms.",
        "0.649 s  Request 2 GET / has held the event loop for 146 ms at app.py:14 (time.sleep).",
        "1.004 s  Request 2 was answered with 200 after 1.00 s.",
        "1.449 s  Done: 2 requests in 1.0 s: 2 blocks at app.py:14.",
        "1.449 s  The event loop was held for 1.0 s of it, in 2 blocks: app.py:14 (time.sleep).",
    ]


def test_each_finding_is_said_in_its_sentences():
    """After the verdict come what was found, why it happens and what to do."""
    narrator = Narrator()
    found = narrator.take(blocking(3)) + narrator.finish()
    line = narrator.timeline
    (finding,) = of_burst(line, line.bursts[0], now=found[-1].t)
    title = f"Finding, {finding.severity}: {finding.title}."
    expected = [title, *map(spoken, (finding.what, finding.why, finding.do))]
    assert [sentence.text for sentence in found if sentence.topic == "finding"] == expected


def test_equal_requests_of_a_moment_are_one_sentence():
    """Requests that are sent together, and answered together, are one sentence each."""
    assert lines(awaiting(8)) == [
        "0.000 s  async: 8 requests to GET / were sent: 1 to 8. The thread limit is 40.",
        "0.299 s  8 requests are suspended at an await. That costs the event loop nothing.",
        "0.299 s  It was idle for 99% of the last second.",
        "1.008 s  Requests 1 to 8 were answered with 200 after 1.00 s.",
        "1.449 s  Done: 8 requests in 1.0 s: 8 at once.",
        "1.449 s  8.0 s at an await fit into 1.0 s: up to 8 at the same time.",
    ]


def test_a_burst_of_one_request_has_its_scenario_in_front():
    """One request is named with its path."""
    assert lines(awaiting(1))[0] == "0.000 s  async: request 1, GET /, was sent. The thread limit is 40."


def test_what_is_expected_is_said_once():
    """A scenario's law and its lesson are said with its first burst, and not with the next."""
    facts = Scenario(title="x", expect="All at once.", seconds=1.0, makespan=lambda load: load.seconds)
    again = [(event[0] + 5_000 * MS, *event[1:]) for event in awaiting(2)]
    moved = [_renumbered(event, 10) for event in again]
    said = lines(awaiting(2), moved, facts=facts)
    assert [line for line in said if "Expected" in line] == ["0.000 s  Expected: 1 s. All at once."]
    assert (
        said.count("0.000 s  async: 2 requests to GET / were sent: 11 and 12. The thread limit is 40.") == 1
    )


def _renumbered(event, by):
    """The event of another burst: its requests and tasks have other numbers."""
    t, kind, *fields = event
    if kind in {"thread", "idle", "iteration"}:
        return event
    if kind == "fired":
        press, scenario, first, *rest = fields
        return (t, kind, press + 1, scenario, first + by, *rest)
    return (t, kind, fields[0] + by, *(fields[1:2] if kind != "read" else [fields[1]]), *fields[2:])


def test_what_lasts_is_repeated_with_growing_intervals():
    """A state that lasts is said again after 2 s, 5 s, 10 s and half a minute, and how long it has lasted."""
    said = [sentence for sentence in told(awaiting(1, lasts=40_000)) if sentence.topic == "still"]
    assert [round((sentence.t - sentence.zero) / 1e9) for sentence in said] == [2, 5, 10, 30]
    assert said[1].text == (
        "Still, for 5.0 s: 1 request is suspended at an await. That costs the event loop nothing."
    )


def test_a_block_that_lasts_is_repeated_as_well():
    """It has its own length, which is not said twice."""
    said = [sentence.text for sentence in told(blocking(1, lasts=2_500)) if sentence.topic == "still"]
    assert said == ["Still: request 1 GET / has held the event loop for 2.0 s at app.py:14 (time.sleep)."]


def test_many_blocks_are_summed_up():
    """Where there are more blocks than can be said, those that are left out are counted."""
    found = told(blocking(60, lasts=110))
    left_out = [sentence.text for sentence in found if sentence.topic == "past"]
    assert left_out
    assert all("not described one by one" in text or "held the event loop for" in text for text in left_out)
    described = sum(sentence.topic == "now" and "has held" in sentence.text for sentence in found)
    counted = sum(int(text.split()[0]) if text[0].isdecimal() else 1 for text in left_out)
    assert described + counted == 60


# -- how requests end --------------------------------------------------------------------------------


def test_ways_to_end_are_told_apart():
    """Answers, failures and requests that were given up are sentences of their own."""
    events: list[Event] = [streams.fired(0, 1, "x", 1, 4, 40)]
    events += [streams.sent(1, number) for number in range(1, 5)]
    events += [
        streams.received(100, 1),
        streams.received(101, 2, 500),
        streams.received(102, 3, None, "ReadError: gone"),
        streams.received(103, 4, None, GIVEN_UP),
    ]
    said = [sentence.line() for sentence in told(events) if sentence.topic == "end"]
    assert said == [
        "0.099 s  Request 1 was answered with 200 after 99 ms.",
        "0.100 s  Request 2 failed after 100 ms: 500.",
        "0.102 s  2 more requests ended in 2 other ways: 3 and 4.",
    ]


def test_requests_without_an_answer_are_named_at_the_end():
    """What has not ended when the narration does is said to have no answer."""
    events = [streams.fired(0, 1, "x", 1, 3, 40), *(streams.sent(1, number) for number in (1, 2, 3))]
    events += [streams.received(50, 2), streams.gil(900, 899)]
    assert lines(events)[1:] == [
        "0.049 s  Request 2 was answered with 200 after 49 ms.",
        "0.899 s  Requests 1 and 3 had no answer when this ended, after 899 ms.",
    ]


def test_requests_of_others_are_said_to_arrive():
    """Other clients' requests have their path with their answer, and a sum when all is quiet."""
    events = [streams.read(0, 1, 1), streams.made(0, 1, 1), streams.step(0, 1), streams.status(20, 200)]
    events += [streams.responded(20), streams.end(20), streams.idle(21), streams.iteration(1_500)]
    assert lines(events) == [
        "0.000 s  Request 1, GET /, has arrived.",
        "0.020 s  Request 1, GET /, was answered with 200 after 20 ms.",
        "1.050 s  Done: 1 request of other clients in 20 ms.",
    ]


def test_a_process_that_has_ended_is_said_at_once():
    """What has ended, and what follows."""
    events: list[Event] = [(ns(10), "process", 0, "the Celery worker", "ended", "exit code 1")]
    (said,) = told(events, streams.idle(100))
    assert said.topic == "incident"
    assert said.text == "The Celery worker has ended (exit code 1); it is being started again."


def test_a_load_balancer_that_would_send_nothing_is_said_once():
    """When health probes fail in a row it is said, and once more when they are answered again."""
    events = [streams.probing(0, "/healthz")]
    for at in (*range(0, 2_000, 100), *range(3_000, 4_000, 100)):
        events += streams.probed(at, 2) if not 1_000 <= at < 2_000 else streams.probed(at)
    said = [
        sentence
        for sentence in told(sorted(events, key=lambda event: event[0]))
        if "balancer" in sentence.text
    ]
    assert len(said) == 2
    assert all(sentence.topic == "incident" for sentence in said)


# -- what holds for all events -----------------------------------------------------------------------


@given(expanded_events)
def test_times_rise_and_each_request_is_said_to_be_sent_and_to_end_once(events):
    """Whatever happens, no sentence is before the one above it, and each request is said once."""
    narrator = Narrator()
    found = narrator.take(flat(events)) + narrator.finish()
    assert all(one.t <= other.t for one, other in pairwise(found))
    for topic in ("sent", "end"):
        counted = Counter(
            number for sentence in found if sentence.topic == topic for number in sentence.requests
        )
        assert counted == Counter(number for number in narrator.timeline.requests if number > 0), topic


ends = st.sampled_from(["answered", "failed", "given up", "never"])
bursts = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(1, 9_000), ends), min_size=1, max_size=25), st.integers(0, 4_000)
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30)
@given(bursts)
def test_folded_sentences_count_every_request_once(fired):
    """Each request of a burst is answered, failed, given up or without an answer, exactly once."""
    events, expected = _bursts(fired)
    found = told(events)
    counted = Counter[str]()
    for sentence in found:
        if sentence.topic == "end":
            counted[_way(sentence.text)] += len(sentence.requests)
            assert _named(sentence.text) == len(sentence.requests)
    assert counted.total() == expected.total()
    assert counted["never"] == expected["never"]
    for way in ("answered", "failed", "given up"):
        assert counted[way] <= expected[way]
        assert counted[way] == expected[way] or counted["other"]


@settings(max_examples=30)
@given(bursts)
def test_no_more_than_a_few_sentences_are_said_in_a_second(fired):
    """The rate is limited; verdicts and findings, which come once, are not counted."""
    events, _ = _bursts(fired)
    times = [sentence.t for sentence in told(events) if sentence.topic not in {"verdict", "finding"}]
    for first in times:
        assert sum(first <= t < first + 1_000 * MS for t in times) <= 12


@settings(max_examples=25)
@given(bursts, st.integers(10, 500))
def test_a_recording_gives_the_same_sentences_as_the_live_events(fired, step):
    """It makes no difference in which parts, and how late, the events come."""
    events, _ = _bursts(fired)
    whole = [sentence.line() for sentence in told(events)]
    narrator = Narrator()
    found: list[Sentence] = []
    until, rest = events[0][0], list(events)
    while rest:
        until += step * MS
        now = [event for event in rest if event[0] <= until]
        rest = rest[len(now) :]
        found += narrator.take(now, until)
    assert [sentence.line() for sentence in found + narrator.finish()] == whole


def _bursts(fired) -> tuple[list[Event], Counter[str]]:
    """Bursts of requests with these ends (when, ms; how), each so long after the one before (ms)."""
    events: list[Event] = []
    expected = Counter[str]()
    number, at = 1, 0
    for press, (requests, after) in enumerate(fired, 1):
        at += after
        events.append(streams.fired(at, press, f"s{press}", number, len(requests), 40))
        for lasts, how in requests:
            events.append(streams.sent(at + 1, number))
            expected[how] += 1
            if how == "answered":
                events.append(streams.received(at + 1 + lasts, number))
            elif how == "failed":
                events.append(streams.received(at + 1 + lasts, number, None, "ReadError"))
            elif how == "given up":
                events.append(streams.received(at + 1 + lasts, number, None, GIVEN_UP))
            number += 1
    return sorted(events, key=lambda event: event[0]), expected


def _named(text: str) -> int:
    """How many requests a sentence speaks of, by its words alone."""
    tags = re.search(
        r"(?:requests? |ways: )([0-9]+(?:(?:, | and | to )[0-9]+)*)( others?)?", text, re.IGNORECASE
    )
    assert tags is not None, text
    parts = re.split(r", | and ", tags[1])
    others = int(parts.pop()) if tags[2] else 0
    stretches = [part.split(" to ") for part in parts]
    return others + sum(int(stretch[-1]) - int(stretch[0]) + 1 for stretch in stretches)


def _way(text: str) -> str:
    ways = {"answered with": "answered", "failed": "failed", "given up": "given up", "had no answer": "never"}
    return next((way for words, way in ways.items() if words in text), "other")


# -- words and pace ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "heard"),
    [
        ("#1 GET /x has held it.", "Request 1 GET /x has held it."),
        ("It delays 2 requests: #2 #3.", "It delays 2 requests: 2 and 3."),
        ("It delays 7 requests: #2 #3 #4 #5 …", "It delays 7 requests: 2 to 5 and others."),
        ("#4b #5b wait in worker b's queue.", "Requests 4b and 5b wait in worker b's queue."),
        ("#4b #6b #9b and 3 more wait.", "Requests 4b, 6b, 9b and 3 more wait."),
        ("the task work (started by #1) ends.", "the task work (started by request 1) ends."),
        ("A higher thread limit (]) would let them start.", "A higher thread limit would let them start."),
        ("app.py:14 (time.sleep) held it.", "app.py:14 (time.sleep) held it."),
    ],
)
def test_signs_are_words(shown, heard):
    """What the screen says in signs is said in words."""
    assert spoken(shown) == heard


@pytest.mark.parametrize(
    ("of", "named"),
    [
        ([1], "1"),
        ([1, 2], "1 and 2"),
        ([2, 3, 4], "2 to 4"),
        ([1, 3, 5, 6, 7], "1, 3 and 5 to 7"),
        ([1, 3, 5, 7, 9, 11], "1, 3, 5, 7 and 2 others"),
    ],
)
def test_numbers_are_stretches(of, named):
    """Numbers that follow each other are said as a stretch, and a few stretches only."""
    assert numbers([(number, "") for number in of]) == named


def test_lengths_of_time_have_one_unit_where_they_can():
    """A range says its unit once."""
    assert between(1_000_000_000, 1_020_000_000) == "1.00 to 1.02 s"
    assert between(850_000_000, 1_020_000_000) == "850 ms to 1.02 s"
    assert between(5_000_000, 5_000_000) == "5 ms"


def test_the_pace_slows_down():
    """Sentences of a kind are further apart the longer it lasts; repetitions too."""
    pace = Pace()
    pace.begin(ns(0))
    pace.said("end", ns(100))
    assert not pace.due("end", ns(200))
    assert pace.due("end", ns(400))
    pace.said("end", ns(60_000))
    assert not pace.due("end", ns(62_000))
    assert pace.due("end", ns(70_000))
    assert repeat_after(0) == 2_000 * MS
    assert repeat_after(60_000 * MS) == 120_000 * MS


def test_what_is_remembered_is_bounded(monkeypatch):
    """Where requests never end, thousands of blocks are not kept; nothing else is said for it."""
    events = [*blocking(1, 100), *streams.accepted(200, 9, at=9)]
    whole = Narrator()
    said = whole.take(flat(*events)) + whole.finish()
    monkeypatch.setattr(narrator, "_MOST", 1)
    small = Narrator()
    assert small.take(flat(*events)) + small.finish() == said
    assert len(small._blocks) <= 1
    assert len(small._before) <= 1


def test_a_silence_of_years_is_passed_over():
    """A recording may say that nothing happened for centuries: that is read in a moment."""
    events = accepted(1, 1)
    narrator = Narrator()
    began = time.monotonic()
    said = narrator.take([*events, streams.idle(9e12)]) + narrator.finish()
    assert time.monotonic() - began < 10
    assert said[0].text.startswith("Request 1, ")
    assert said[-1].text.startswith("Request 1 had no answer when this ended")
