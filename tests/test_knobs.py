"""What [ and ] change while requests run: the thread limit, or one of the application's own pools."""

from __future__ import annotations

import time
from concurrent.futures import Future

import pytest

from loopviz.draw import resizing
from loopviz.errors import InputError
from loopviz.live.session import Session
from loopviz.model import Timeline
from loopviz.scenario import read
from loopviz.tui.knobs import knobs_of
from tests import streams
from tests.streams import feed
from tests.test_screen import FakeSource, drive, run
from tests.test_serving import scenario

__all__ = ["drive"]  # the fixture

POOLS = [
    streams.thread(0, 1, "loop"),
    streams.tokens(0, 40, 0, 0),
    streams.pool(1, 1, "default-limiter", "", 40),
    streams.pool(2, 2, "executor", "images", 4),
    streams.pool(3, 3, "limiter", "", 2),
    streams.pool(4, 4, "processes", "ProcessPoolExecutor", 2),
]


def answered(value: bool | Exception) -> Future[bool]:
    """A change that was made, or could not be."""
    done: Future[bool] = Future()
    if isinstance(value, Exception):
        done.set_exception(value)
    else:
        done.set_result(value)
    return done


def test_pools_are_named_apart():
    """By the prefix of their threads' names, or by what they are; equal names have numbers."""
    line = Timeline()
    feed(line, *POOLS, streams.pool(5, 5, "limiter", "", 7), streams.pool(5, 6, "default-executor", "", 8))
    assert [knob.name for knob in knobs_of(line)] == [
        "images", "CapacityLimiter", "ProcessPoolExecutor", "CapacityLimiter 2", "asyncio's executor",
    ]  # fmt: skip


def test_the_sentences_say_what_changes_and_when():
    """More at once; fewer when what works has returned."""
    assert resizing.changed("executor", "images", 4, 8) == "images: 8 threads at most, 4 before."
    assert resizing.changed("executor", "images", 4, 1) == (
        "images: 1 thread at most, 4 before; those that work end after their call."
    )
    assert "in use stay so" in resizing.changed("limiter", "CapacityLimiter", 4, 1)


@run
async def test_braces_choose_what_brackets_change(drive):
    """`}` goes from the thread limit to each pool and back; foot line and gauge say which it is."""
    async with drive(size=(120, 36)) as screen:
        lines = await screen.show(*POOLS, at=100)
        assert any("[/] thread limit 40" in line and "{/} other pools" in line for line in lines)
        lines = await screen.press("right_curly_bracket")
        assert any("[ and ] change images (4 threads)." in line for line in lines)
        assert any("[/] images 4" in line for line in lines)
        assert any(line.startswith(" POOL images") and "0 of 4 in use" in line for line in lines)
        lines = await screen.press("right_curly_bracket")
        assert any(line.startswith(" POOL CapacityL") and "limit 2" in line for line in lines)
        await screen.press("right_curly_bracket", "right_curly_bracket")
        assert any("[/] thread limit 40" in line for line in screen.lines())
        await screen.press("left_curly_bracket")
        assert any("ProcessPoolExecutor" in line for line in screen.lines())


@run
async def test_brackets_change_the_chosen_pool(drive):
    """Each press is a step from the size that was asked for last, also before the event says so."""
    async with drive() as screen:
        await screen.show(*POOLS, at=100)
        await screen.press("right_curly_bracket")
        screen.source.resizing = answered(value=True)
        lines = await screen.press("right_square_bracket")
        assert screen.source.resized == (2, 6)
        assert any("images: 6 threads at most, 4 before." in line for line in lines)
        await screen.press("right_square_bracket")
        assert screen.source.resized == (2, 8)
        await screen.show(streams.pool(200, 2, "executor", "images", 8), at=210)
        await screen.press("left_square_bracket")
        assert screen.source.resized == (2, 6)
        assert screen.source.threads == 40


@run
async def test_the_range_is_bounded(drive):
    """A pool has at least one worker, and at most a thousand."""
    async with drive() as screen:
        await screen.show(*POOLS, at=100)
        await screen.press("right_curly_bracket")
        screen.source.resizing = answered(value=True)
        await screen.press(*["left_square_bracket"] * 9)
        lines = await screen.press("left_square_bracket")
        assert screen.source.resized == (2, 1)
        assert any("images (1 thread): further than that it is not changed." in line for line in lines)
        await screen.press(*["right_square_bracket"] * 30)
        assert screen.source.resized == (2, 1000)


@run
async def test_what_cannot_be_changed_is_said(drive):
    """A process pool, one that is shut down, and one that is gone with its server."""
    async with drive() as screen:
        await screen.show(*POOLS, at=100)
        await screen.press("left_curly_bracket")
        lines = await screen.press("right_square_bracket")
        assert any("the size of a process pool is fixed when it is made" in line for line in lines)
        assert screen.source.resized is None
        await screen.press("left_curly_bracket")
        screen.source.resizing = answered(InputError("The pool is shut down: it takes no more work."))
        lines = await screen.press("right_square_bracket")
        assert any("The pool is shut down" in line for line in lines)
        screen.source.resizing = answered(value=False)
        lines = await screen.press("right_square_bracket")
        assert screen.source.resized == (3, 3)
        assert any("CapacityLimiter is gone" in line for line in lines)


@run
async def test_a_limiter_without_a_limit_has_none_to_change(drive):
    """Its size is not known, and nothing is asked for."""
    async with drive() as screen:
        await screen.show(streams.pool(1, 1, "limiter", "", -1), at=100)
        lines = await screen.press("right_curly_bracket", "right_square_bracket")
        assert any("CapacityLimiter has no limit that could be changed." in line for line in lines)
        assert screen.source.resized is None


@run
async def test_without_other_pools_there_is_nothing_to_choose(drive):
    """The key says what it would do."""
    async with drive() as screen:
        lines = await screen.press("right_curly_bracket")
        assert any("No other pool has been used yet" in line for line in lines)
        assert not any("other pools" in line for line in lines)


@run
async def test_a_server_that_is_only_watched_is_left_alone(drive):
    """Attached to somebody else's server, neither its limit nor its pools are changed, and that is said."""
    source = FakeSource()
    source.mode = "attached"
    async with drive(source=source) as screen:
        await screen.show(*POOLS, at=100)
        for key in ("right_square_bracket", "left_square_bracket", "right_curly_bracket"):
            lines = await screen.press(key)
            assert any("loopviz only watches this server" in line for line in lines), key
            assert not any("thread limit 60" in line for line in lines)
        assert screen.source.threads == 40


OWN = """
from concurrent.futures import ThreadPoolExecutor
app = FastAPI()
pool = ThreadPoolExecutor(2, "own")

@app.get("/pool")
async def in_pool():
    import time
    await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 0.01)
"""


@pytest.mark.parametrize("where", ["thread", "process", "workers"])
def test_a_pool_of_a_server_is_changed_wherever_it_runs(tmp_path, where):
    """In a thread, in a process, in one of several; a number that nobody has is no pool."""
    (file,) = read([scenario(tmp_path, "pool", OWN)])
    session = Session([file], isolate=where == "process", workers=2 if where == "workers" else 1)
    line = Timeline()
    session.start()
    try:
        session.wait()
        session.fire(file, 4).result(20)
        until = time.monotonic() + 20
        while not (knobs := knobs_of(line)):
            assert time.monotonic() < until
            line.feed(session.drain())
            time.sleep(0.01)
        assert session.resize(knobs[0].number, 5).result(20) is True
        while knobs_of(line)[0].size != 5:
            assert time.monotonic() < until
            line.feed(session.drain())
            time.sleep(0.01)
        assert session.resize(1 << 60, 5).result(20) is False
    finally:
        session.stop()
