"""The chain of awaits of a suspended task: its coroutines and generators, and the frames that they are in."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FrameType
from typing import Any

from loopviz.probe import compat

__all__ = ["Link", "inwards"]

Link = tuple[Any, FrameType]
"""A coroutine or generator, and its frame."""

_KINDS = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


def inwards(awaitable: Any) -> Iterator[Link]:
    """The coroutines, generators and asynchronous generators that await each other, the outermost first."""
    for _ in range(200):
        for frame_name, inner in _KINDS:
            frame = compat.declared(awaitable, frame_name)
            if type(frame) is FrameType:
                yield awaitable, frame
            awaited = compat.declared(awaitable, inner)
            if type(frame) is FrameType or awaited is not None:  # Cython's async generators have no frame
                awaitable = awaited
                break
        else:
            if type(awaitable).__name__ not in compat.AWAIT_WRAPPERS:
                return
            # These have no attribute for what they wrap, but the garbage collector knows it.
            awaitable = next(filter(_leads_on, gc.get_referents(awaitable)), None)


def _leads_on(found: object) -> bool:
    return type(found).__name__ in compat.AWAIT_WRAPPERS or any(
        compat.declared(found, name) is not None for kind in _KINDS for name in kind
    )
