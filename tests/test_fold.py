"""Which rows of a picture are one row."""

from __future__ import annotations

from loopviz.draw.fold import Fold, folded, numbers
from loopviz.model import Timeline
from tests.streams import (
    accepted,
    end,
    feed,
    idle,
    iteration,
    ns,
    raised,
    read,
    received,
    responded,
    sent,
    status,
    step,
    suspend,
    timeline,
    wake,
)

COLUMN = 20_000_000
"""20 ms."""


def names(line: Timeline, now: float, **options: bool | int) -> list[str]:
    """The names of the rows at `now` ms."""
    return [fold.name for fold in rows(line, now, **options)]


def rows(line: Timeline, now: float, **options: bool | int) -> list[Fold]:
    """The rows at `now` ms."""
    return folded(line.requests.values(), ns(now), COLUMN, **options)  # type: ignore[arg-type]


def sleeping(*numbers: int, until: float = 1_000) -> Timeline:
    """Requests that are sent 3 ms apart, and sleep."""
    line = timeline(*(
        [*accepted(n, n, 3 * n), suspend(3 * n + 2.2, n, due=until), idle(3 * n + 2.3)] for n in numbers
    ))  # fmt: skip
    feed(line, [idle(500)])
    return line


def test_equal_rows_are_one():
    """Requests that wait for the same are one row, with their numbers and how many they are."""
    assert names(sleeping(1, 2, 3, 4), 500) == ["#1–#4 ×4"]


def test_a_row_that_differs_stays():
    """A request that was read later than the others has a row of its own; those beside it do not join."""
    line = timeline(*([sent(n, n)] for n in range(1, 6)))
    feed(line, [read(5, 3, 3), step(6, 3), suspend(6.5, 3), idle(7), idle(400)])
    assert names(line, 400) == ["#1–#2 ×2", "#3", "#4–#5 ×2"]
    assert names(line, 400, anywhere=True) == ["#1–#2 #4–#5 ×4", "#3"]


def test_rows_that_parted_stay_apart():
    """One row until a request was in another state for the time of a column; never one row again."""
    line = sleeping(1, 2)
    feed(line, [wake(600, 1), step(600, 1), suspend(650, 1, due=2_000), idle(650)])
    feed(line, [idle(1_500)])
    found = [len(rows(line, now)) for now in range(500, 1_500, 10)]
    assert found[0] == 1
    assert found[-1] == 2
    assert found == sorted(found)


def test_another_outcome_is_another_row():
    """A request that failed is not one with those that did not."""
    line = sleeping(1, 2, 3)
    for n in (1, 2, 3):
        failed = (
            [raised(1_001, "RuntimeError", "", n), status(1_001, 500, n)]
            if n == 2
            else [status(1_001, 200, n)]
        )
        feed(line, [wake(1_000, n), step(1_000, n), *failed, responded(1_001, n), end(1_002, n)])
    feed(line, *([received(1_003, n)] for n in (1, 3)), [idle(1_100)])
    assert names(line, 900) == ["#1–#3 ×3"]
    assert names(line, 1_090) == ["#1", "#2", "#3"]


def test_too_few_equal_rows_stay():
    """With `least`, a pair stays two rows, and three are one."""
    assert names(sleeping(1, 2), 500, least=3) == ["#1", "#2"]
    assert names(sleeping(1, 2, 3), 500, least=3) == ["#1–#3 ×3"]


def test_numbers_are_few_words():
    """Neighbouring numbers are a stretch, and after three stretches the rest is left out."""
    assert numbers([5]) == "#5"
    assert numbers([1, 2, 3, 7]) == "#1–#3 #7"
    assert numbers([1, 3, 5, 7, 9]) == "#1 #3 #5 …"


def test_the_one_that_blocks_is_not_in_one_row_with_those_that_wait():
    """However long a column is, a row that says that it blocks has no request that does not."""
    line = timeline(*([*accepted(n, n, n), suspend(n + 2.5, n)] for n in (1, 2, 3)), idle(6))
    wide = 5_000_000_000
    feed(line, [wake(10, 1), wake(10, 2), wake(10, 3), iteration(10), step(10, 1)])
    requests = line.requests.values()
    assert [fold.name for fold in folded(requests, ns(60), wide, column=wide)] == ["#1–#3 ×3"]
    assert [fold.name for fold in folded(requests, ns(900), wide, column=wide)] == ["#1", "#2–#3 ×2"]
    feed(line, [status(1_000, 200, 1), responded(1_000, 1), end(1_000, 1), step(1_000, 2)])
    assert [fold.name for fold in folded(requests, ns(1_900), wide, column=wide)] == ["#1", "#2", "#3"]


def test_an_answered_request_is_not_in_one_row_with_one_that_is_not():
    """Where rows fold that differ for long, those that are answered and those that are not stay apart."""
    line = sleeping(1, 2, 3)
    feed(line, [wake(1_000, 1), step(1_000, 1), status(1_001, 200, 1), responded(1_001, 1), end(1_002, 1)])
    feed(line, [received(1_003, 1)], [idle(1_100)])
    wide = [fold.name for fold in folded(line.requests.values(), ns(1_090), 50 * COLUMN, column=COLUMN)]
    assert wide == ["#1", "#2–#3 ×2"]
