"""Tests that run at the same time leave the machine to those that measure."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.turns import turn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="tests run one after the other there")


def test_tests_run_beside_others_unless_they_want_to_be_alone(tmp_path: Path) -> None:
    """Two run at once; one that wants to be alone never meets another one."""
    inside = list[bool]()
    met = threading.Barrier(2)

    def meet() -> None:
        with turn(alone=False, folder=tmp_path):
            met.wait(timeout=60)

    def come_in(alone: bool) -> None:
        for _ in range(50):
            with turn(alone=alone, folder=tmp_path):
                inside.append(alone)
                assert not alone or inside == [True]
                inside.remove(alone)

    with ThreadPoolExecutor(4) as pool:
        for met_each_other in [pool.submit(meet) for _ in range(2)]:
            met_each_other.result(60)
        for done in [pool.submit(come_in, alone) for alone in (False, False, True, True)]:
            done.result(60)


def test_one_that_waits_to_be_alone_is_next(tmp_path: Path) -> None:
    """Who comes after it waits until it has been alone, even while others still run."""
    order = list[str]()
    waits = threading.Event()

    def alone() -> None:
        waits.set()
        with turn(alone=True, folder=tmp_path):
            order.append("alone")

    def later() -> None:
        with turn(alone=False, folder=tmp_path):
            order.append("later")

    with ThreadPoolExecutor(2) as pool:
        with turn(alone=False, folder=tmp_path):
            first = pool.submit(alone)
            assert waits.wait(60)
            while not _is_waiting(tmp_path):
                pass
            second = pool.submit(later)
            order.append("before")
        first.result(60)
        second.result(60)
    assert order == ["before", "alone", "later"]


def _is_waiting(folder: Path) -> bool:
    """Whether someone is at the door."""
    import fcntl

    with (folder / "door").open("wb") as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
