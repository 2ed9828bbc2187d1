"""The shortest load for each way in which a state was found to be shown wrong."""

from __future__ import annotations

from typing import Final

from tests.truth.programs import Load

__all__ = ["MECHANISMS"]

MECHANISMS: Final = {
    "a task that is merely started": Load(((0, [("start", [("block", 50)]), ("sleep", 60)]),)),
    "a worker that one request started and all use": Load(
        ((0, [("job", 15), ("sleep", 40)]), (0, [("job", 30)]), (0, [("job", 30)]))
    ),
    "a call that outlives its timeout": Load(((0, [("timeout", 25, [("to_thread", 60)]), ("sleep", 60)]),)),
    "a call of AnyIO that outlives its timeout": Load(
        ((0, [("timeout", 25, [("thread", 60)]), ("sleep", 60)]),)
    ),
    "a call that is cancelled before it begins": Load(
        ((0, [("pool", 60)]), (0, [("timeout", 25, [("pool", 40)]), ("outside", 60)]))
    ),
    "the last child ends, and the loop is busy": Load(
        (
            (0, [("gather", [[("sleep", 25)]])]),
            (0, [("sleep", 25), ("block", 50)]),
            (0, [("sleep", 15), ("block", 30)]),  # so that one iteration sees both timers
        )
    ),
    "an answer from another thread, and the loop is busy": Load(
        ((0, [("outside", 25)]), (10, [("block", 60)]))
    ),
    "a call's result, and the loop is busy": Load(((0, [("to_thread", 25)]), (10, [("block", 60)]))),
    "an await after a block that was sampled": Load(((0, [("sleep", 15), ("block", 120), ("sleep", 60)]),)),
    "an answer in the middle of a step": Load(
        ((0, [("sleep", 15), ("block", 15), ("respond",), ("block", 120)]),)
    ),
    "a sibling's call begins during a step": Load(
        ((0, [("gather", [[("pool", 15), ("sleep", 15)], [("give_way",), ("block", 60)]])]),)
    ),
    "a sibling's call returns during a step": Load(
        ((0, [("gather", [[("pool", 40)], [("sleep", 15), ("block", 60)]])]),)
    ),
    "a timeout is due, and the loop is busy": Load(
        ((0, [("timeout", 15, [("wait_event", 0, 60)])]), (0, [("sleep", 15), ("block", 60)]))
    ),
}
"""Loads by what they are about."""
