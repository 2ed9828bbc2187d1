"""Several workers in one stream: whose an event is, as a part of its kind.

A server with ``--workers`` is several processes, each with an event loop of its own. Events of the first have
the kinds of `loopviz.stream.events` as they are. Those of worker `n`, from 1, have ``@n`` after it, such as
``step@1``. So one worker costs nothing, and a reader that knows nothing of workers sees the first one.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from typing import Final

__all__ = ["MOST_WORKERS", "letter", "marked", "marks", "parted"]

MOST_WORKERS: Final = 64
"""The most workers that have a number of their own."""


def marked(kind: str, worker: int) -> str:
    """The kind of an event of this worker: ``step``, ``step@1``."""
    return intern(f"{kind}@{worker}") if worker else kind


def marks(kinds: Iterable[str]) -> Iterable[tuple[str, str, int]]:
    """All kinds of all workers but the first: as they are in its events, the plain kind, and the worker."""
    return ((marked(kind, worker), kind, worker) for kind in kinds for worker in range(1, MOST_WORKERS))


def parted(kind: str) -> tuple[str, int]:
    """The kind without the worker, and the worker; the whole kind and 0 if it names none that is known."""
    plain, _, number = kind.partition("@")
    if number.isascii() and number.isdecimal() and len(number) < 3 and 0 < int(number) < MOST_WORKERS:
        return plain, int(number)
    return kind, 0


def letter(worker: int) -> str:
    """The letter of a worker: ``a`` for the first, ``z``, ``aa``, ``ab``."""
    before, last = divmod(worker, 26)
    return (letter(before - 1) if before else "") + chr(ord("a") + last)
