"""The words that findings share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from loopviz.clock import duration
from loopviz.findings.finding import MOST
from loopviz.findings.loss import Loss
from loopviz.model import Request, Where

__all__ = ["at", "called", "count", "named", "times", "unseen", "waited", "whose"]


_LONGEST = 60
"""Characters of a path that a sentence has."""


def at(where: Where) -> str:
    """A source line: ``blocking.py:14``."""
    return f"{PurePath(where.file).name}:{where.line}"


def called(where: Where) -> str:
    """A source line and what is called there: ``blocking.py:14 (time.sleep)``."""
    return f"{at(where)} ({where.calls})" if where.calls else at(where)


def unseen(requests: Iterable[Request | None]) -> str:
    """A call at no known line, with what the requests for which it was made ask for, if all ask the same."""
    asked = {None if one is None else (one.method, one.path.partition("?")[0]) for one in requests}
    known = asked.pop() if len(asked) == 1 else None
    if known is None:
        return "A call whose line could not be seen"
    return f"A call for {known[0]} {known[1][:_LONGEST]}, whose line could not be seen,"


def count(number: int, noun: str, plural: str = "") -> str:
    """A number of things: ``1 request``, ``2 requests``."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def times(number: int) -> str:
    """How often: ``once``, ``twice``, ``8 times``."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def waited(loss: Loss) -> str:
    """Who waited, and how long at most: ``7 requests waited for it, up to 7.0 s``."""
    up = "" if len(loss.requests) == 1 else "up to "
    return f"{count(len(loss.requests), 'request')} waited for it, {up}{duration(loss.longest)}"


def named(numbers: Iterable[int]) -> tuple[int, ...]:
    """The first of these requests, as many as a finding names."""
    return tuple(list(dict.fromkeys(n for n in numbers if n))[:MOST])


def whose(function: str) -> str:
    """The name of a function; of a class's ``__init__``, ``__call__`` or ``dispatch``, that of the class."""
    owner, _, name = function.rpartition(".")
    return owner.rpartition(".")[2] if owner and (name.startswith("__") or name == "dispatch") else name
