"""The sentences: what is said of a moment, in which mood, and that it is true."""

from __future__ import annotations

import pytest

from docs import sentences as documentation
from loopviz.draw.story import TABLE, say
from loopviz.draw.story import story as tell
from tests import streams
from tests.moments import MOMENTS, exhausted, in_threads, starving, taking_turns, unseen_loop
from tests.streams import accepted, feed, holds, ns, timeline


def story(line, at: float, *, brief: bool = False) -> tuple[str, str]:
    """The mood and the sentences at `at` ms, as one text."""
    mood, sentences = tell(line, ns(at), brief=brief)
    return mood, " ".join(sentences)


def blocked(*others: int, at: float = 500):
    """Request 1 holds the loop from 2 ms on, seen at a line at `at` ms; `others` are sent at 10 ms."""
    line = timeline(streams.thread(0, 1, "loop"), accepted())
    feed(line, [streams.sent(10, number) for number in others])
    feed(line, holds(at, since=2, line=14, calls="time.sleep"))
    return line


def cpu_readings(line, share: float):
    """The loop thread's CPU clock, which runs at `share` of a core."""
    feed(line, [streams.cpu(at, 1, at * share) for at in (100, 300, 500)])
    return line


def test_the_story_of_a_sleeping_block():
    """It names the request, the time, the line and the call, that it only waits, and what it delays."""
    mood, text = story(cpu_readings(blocked(2, 3), 0.0), 502)
    assert mood == "alarm"
    assert text == (
        "#1 GET / has held the event loop for 500 ms at app.py:14 (time.sleep). "
        "It only waits, and delays 2 requests: #2 #3."
    )


def test_the_story_of_a_computing_block():
    """A block that uses the CPU is said to compute."""
    _, text = story(cpu_readings(blocked(2, 3), 1.0), 502)
    assert text.endswith("It computes, and delays 2 requests: #2 #3.")


def test_the_story_of_a_block_of_unknown_kind():
    """Where the CPU clock cannot be read, nothing is claimed about it."""
    _, text = story(blocked(2, 3), 502)
    assert text.endswith("app.py:14 (time.sleep). It delays 2 requests: #2 #3.")


def test_the_story_of_a_block_without_victims():
    """A block that is known to delay no request says no more than that."""
    _, text = story(cpu_readings(blocked(), 0.0), 502)
    assert text.endswith("It only waits. No other request is known to be delayed so far.")


def test_the_story_of_a_block_with_one_victim():
    """One victim is in the singular."""
    _, text = story(cpu_readings(blocked(7), 0.0), 502)
    assert text.endswith("It only waits, and delays 1 request: #7.")


def test_the_story_of_a_block_with_many_victims():
    """Four of many victims are named."""
    _, text = story(cpu_readings(blocked(*range(2, 10)), 0.0), 502)
    assert text.endswith("and delays 8 requests: #2 #3 #4 #5 …")


def test_the_story_of_a_block_without_a_line():
    """A block whose line was never seen comes with the likely reason."""
    _, text = story(timeline(accepted()), 302)
    assert "#1 GET / has held the event loop for 300 ms; its line could not be seen" in text


def test_the_story_of_a_block_by_a_callback():
    """A block by one callback names its request, or says that it has none; else it may be of several."""
    _, text = story(timeline(streams.iteration(0)), 300)
    assert text.startswith("Callbacks have held the event loop for 300 ms")
    _, text = story(timeline(streams.iteration(0), streams.callback(20)), 300)
    assert text.startswith("A callback outside any request has held the event loop for 300 ms")
    line = timeline(accepted(), streams.suspend(3), streams.callback(25, request=1, since=3))
    _, text = story(line, 303)
    assert text.startswith("A callback of #1 GET / has held the event loop for 300 ms")


def test_the_story_of_a_block_by_a_task_of_no_request():
    """A step of a task outside any request names the task, and no callback."""
    _, text = story(timeline(streams.iteration(0), streams.made(1, request=0), streams.step(2)), 302)
    assert text.startswith("The task work has held the event loop for 300 ms")


def test_the_story_of_starvation():
    """Many short steps are shown as an alarm: who waits, for how long, and what the loop does."""
    mood, text = story(starving(), 380)
    assert mood == "alarm"
    assert text == (
        "Short steps or callbacks in a row hold the event loop. None is a block, but #6 waited 381 ms for "
        "its turn. Delayed: #3 #4 #5 #6. The loop's time: 50% app.py:14, 50% app.py:15."
    )


def test_starvation_in_brief():
    """In a narrow terminal each sentence about starvation fits into a line."""
    _, sentences = tell(starving(), ns(380), brief=True)
    assert sentences[0] == "Short steps or callbacks in a row delay 4 requests: #6 waited 381 ms."
    assert all(len(sentence) <= 77 for sentence in sentences)


def test_the_story_of_turns():
    """Requests that run in many short steps take turns; what each does with its time is measured."""
    mood, text = story(taking_turns(), 400)
    assert mood == "good"
    assert text == (
        "3 requests take turns on the loop: each runs 34% of the time, on average."
        " None of them blocks the loop; for the rest of its time, each is ready to run."
    )
    assert "take turns" not in story(taking_turns(), 30)[1]  # after one step each


def test_a_block_in_brief():
    """In a narrow terminal the sentence about a block fits into a line."""
    _, sentences = tell(cpu_readings(blocked(2), 0.0), ns(502), brief=True)
    assert sentences[0] == "#1 sleeps on the loop for 500 ms: app.py:14 (time.sleep). 1 other waits."
    assert all(len(sentence) <= 77 for sentence in sentences)


def test_no_story_of_a_short_step():
    """A step shorter than the threshold is no alarm."""
    mood, text = story(timeline(accepted()), 60)
    assert (mood, text) == ("good", "1 request is in progress: 1 running.")


def test_the_story_of_a_wait_for_a_thread():
    """It says how many requests wait for a thread, which has waited longest, and what would help."""
    mood, text = story(exhausted(4, range(2, 4)), 906)
    assert mood == "alarm"
    assert text == (
        "All 4 threads are in use, and 2 requests are waiting for one: #2 for 900 ms. "
        "The event loop is free. A higher thread limit (]) would let them start."
    )
    one = story(exhausted(1, range(2, 3)), 906)[1]
    assert one.startswith("The only thread is in use, and 1 request is waiting for one: #2 for 900 ms. ")


@pytest.mark.parametrize(("total", "waiting"), [(4, range(2, 3)), (1_000, range(1_001, 2_500))])
def test_a_wait_for_a_thread_in_brief(total, waiting):
    """In a narrow terminal each of its sentences fits into a line."""
    _, sentences = tell(exhausted(total, waiting), ns(2_950), brief=True)
    assert len(sentences) == 2
    assert all(len(sentence) <= 77 for sentence in sentences)
    assert sentences[0].startswith(f"All {total} threads are in use; ")


def test_the_story_of_the_gil():
    """Threads that were measured to wait for the GIL share it, and the sentences say so."""
    mood, text = story(in_threads(0.5, gil=0.5), 950)
    assert mood == "alarm"
    assert text == (
        "2 worker threads compute at once, and on average each gets 50% of a core. "
        "Only one can hold the GIL at a time: each waits for it up to 50% of the time, on average."
    )


@pytest.mark.parametrize(
    ("line", "second"),
    [
        (in_threads(0.5), "Together they use 1.0 cores."),
        (in_threads(0.4, gil=0.9, core=0.6),
         "Together they use 0.8 cores. On average each waits for a free core 60% of the time."),
        (in_threads(0.9, gil=0.9), "Together they use 1.8 cores."),
    ],
    ids=["not measured", "a busy machine", "several cores"],
)  # fmt: skip
def test_no_story_of_the_gil_without_a_wait_for_it(line, second):
    """Threads that were not seen to wait for the GIL are not said to: each has its part of a core."""
    mood, text = story(line, 950)
    assert mood == "good"
    assert text.startswith("2 worker threads compute at once, and on average each gets ")
    assert text.endswith(f"% of a core. {second}")


def test_what_threads_get_is_an_average():
    """Of two threads that compute, the first one more than the other: what is said holds of their mean."""
    line = in_threads(0.1, gil=0.5)
    feed(line, [streams.cpu(at, 2, 90 + 8 * (at - 900)) for at in (910, 920)], streams.cpu(920, 3, 92))
    for brief in (False, True):
        said = story(line, 950, brief=brief)[1]
        assert said.count("on average") == 2
    assert said.startswith("2 threads share the GIL: on average each computes ")


def test_the_story_of_sleeping_threads():
    """Requests that sleep in worker threads leave the loop free."""
    mood, text = story(in_threads(0.0), 950)
    assert (mood, text) == (
        "good", "2 requests are in worker threads. The event loop is free.",
    )  # fmt: skip


def test_the_story_of_waiting():
    """Requests at an await cost nothing, and the share of idle time shows it."""
    line = timeline(accepted(), streams.suspend(3), streams.idle(3))
    mood, text = story(line, 2_000)
    assert mood == "good"
    assert text == (
        "1 request is suspended at an await. That costs the event loop nothing. "
        "It was idle for 100% of the last second."
    )


@pytest.mark.parametrize("brief", [True, False])
def test_a_loop_that_is_not_seen_is_not_called_idle(brief):
    """Where the loop's iterations cannot be seen, it is said that they cannot, and what is awaited."""
    said = story(unseen_loop(), 3_000, brief=brief)[1]
    assert "timer" in said
    assert said.endswith(". Whether the event loop is idle cannot be seen here.")
    assert "nothing" not in said
    said = story(unseen_loop(threads=True), 3_000, brief=brief)[1]
    assert said == "1 request is in a worker thread. How busy the event loop is cannot be seen here."


def test_the_story_of_nothing():
    """Before anything has happened nothing is said."""
    assert story(timeline(), 100) == ("dim", "")


def done(error: str | None = None):
    """Three requests that overlapped and took a second, and an older one."""
    line = timeline(accepted(9, 9, at=-5_000), streams.responded(-4_000, 9), streams.end(-4_000, 9))
    for number in (1, 2, 3):
        feed(line, accepted(number, number, at=10 * number), streams.suspend(10 * number + 3, number))
        feed(line, streams.idle(10 * number + 3))
    for number in (1, 2, 3):
        at = 910 + 30 * number
        feed(line, streams.wake(at, number), streams.step(at, number))
        if error and number == 2:
            feed(line, streams.raised(at, error, "", number))
        feed(line, streams.status(at, 500 if error and number == 2 else 200, number))
        feed(line, streams.responded(at, number), streams.end(at, number), streams.idle(at))
    return line


def test_the_story_of_the_last_burst():
    """When all is done, other clients' last requests are summed up: how many, and how long."""
    assert story(done(), 2_000) == ("dim", "Done: 3 requests in 990 ms.")


def test_the_story_counts_failures():
    """Failed requests of the last burst are counted."""
    assert "Done: 3 requests in 990 ms, 1 failed." in story(done("KeyError"), 2_000)[1]


def test_the_story_at_an_earlier_moment():
    """In a frozen picture the sentences are about the moment shown."""
    assert "suspended at an await" in story(done(), 500)[1]


# -- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
@pytest.mark.parametrize("brief", [True, False])
def test_each_row_is_said_at_its_moment(row, brief):
    """At a moment at which its condition holds, and no earlier one's, a row is said, in its mood."""
    line, at = MOMENTS[row.id]
    found = say(line, ns(at), brief=brief)
    assert (found.row, found.mood) == (row, row.mood)
    assert 1 <= len(found.sentences) <= 2
    assert all(sentence.endswith((".", "…")) for sentence in found.sentences)
    assert (row.mood == "alarm") == (row.repair is not None)
    if brief:
        assert all(len(sentence) <= 77 for sentence in found.sentences)
        assert len(f"Repair: {found.repair}") <= 77


def test_the_table_has_every_row_once_and_ends_with_one_that_always_holds():
    """Ids are unique, every moment is of a row, and the last row holds at any moment."""
    ids = [row.id for row in TABLE]
    assert len(set(ids)) == len(ids)
    assert set(ids) == MOMENTS.keys()
    assert say(timeline(), ns(0)).row is TABLE[-1]


def test_the_documentation_is_the_table():
    """docs/sentences.md is what docs/sentences.py makes of the table."""
    assert documentation.PAGE.read_text() == documentation.page()


def test_a_loop_that_was_busy_is_not_called_free():
    """Beside requests in worker threads, a loop that was busy is said to be, with its share."""
    line = timeline(streams.thread(0, 1, "loop"), streams.idle(0), accepted())
    feed(line, streams.thread(3, 2), streams.call(3), streams.suspend(4))
    for at in range(10, 1_000, 10):  # a callback of 9 ms in every 10
        feed(line, streams.iteration(at), streams.idle(at + 9))
    text = story(line, 1_000)[1]
    assert text.startswith("1 request is in a worker thread.")
    assert "free" not in text
    assert "busy for 8" in text or "busy for 9" in text
