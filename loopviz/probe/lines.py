"""The source line to show for a stack: the innermost one of the user's code."""

from __future__ import annotations

import linecache
import re
import site
import sysconfig
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

__all__ = ["Line", "Lines"]

_CALLS = re.compile(r"[A-Za-z_][\w.]*(?=\s*\()")


class Line(NamedTuple):
    """A source line, and what is called there ("" where that is not known)."""

    file: str
    line: int
    function: str
    calls: str


class Lines:
    """Finds the user's line in a stack: the innermost one outside libraries.

    `own` are folders whose files count as the user's although they lie inside an installed
    package, as loopviz's own scenarios do.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = tuple(own)
        paths = sysconfig.get_paths()
        libraries = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
        libraries.update(site.getsitepackages(), [str(Path(__file__).parents[1])])
        self._libraries = tuple(f"{folder}/" for folder in libraries)
        # By the code's identity: its hash is computed from all of its instructions, each time. The
        # code is kept alive with the result, so that its id is not used again.
        self._foreign: dict[int, tuple[bool, CodeType]] = {}
        self._calls: dict[tuple[int, int], tuple[str, CodeType]] = {}

    def of_thread(self, ident: int, frames: dict[int, FrameType]) -> Line | None:
        """Where the thread is, by the `frames` of all threads; a line of a library if there is no other."""
        frame = frames.get(ident)
        return self._users(_outwards(frame)) or (self._line(frame) if frame is not None else None)

    def of_task(self, coro: Any) -> Line | None:
        """Where a suspended task awaits: the user's innermost line in its chain of awaits."""
        return self._users(reversed(list(_inwards(coro))))

    def _users(self, innermost_first: Iterable[FrameType]) -> Line | None:
        for frame in innermost_first:
            if not self._is_library(frame.f_code):
                return self._line(frame)
        return None

    def _is_library(self, code: CodeType) -> bool:
        known = self._foreign.get(id(code))
        if known is None:
            file = code.co_filename
            foreign = not file.startswith(self._own) if self._own else True
            foreign = foreign and file.startswith((*self._libraries, "<frozen"))
            known = (foreign, code)
            if len(self._foreign) < 20_000:
                self._foreign[id(code)] = known
        return known[0]

    def _line(self, frame: FrameType) -> Line:
        code, instruction, number = frame.f_code, frame.f_lasti, frame.f_lineno or 0
        key = (id(code), instruction)
        known = self._calls.get(key)
        if known is None:
            known = (_call_at(code, instruction), code)
            if len(self._calls) < 20_000:
                self._calls[key] = known
        return Line(code.co_filename, number, code.co_qualname, known[0])


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _inwards(awaitable: Any) -> Iterator[FrameType]:
    """The frames of coroutines, generators and asynchronous generators that await each other."""
    for _ in range(200):
        for prefix, inner in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            frame = getattr(awaitable, f"{prefix}_frame", None)
            if frame is not None:
                yield frame
                awaitable = getattr(awaitable, f"{prefix}_{inner}", None)
                break
        else:
            return


def _call_at(code: CodeType, instruction: int) -> str:
    """The name that the source calls at an instruction: ``time.sleep`` of ``time.sleep(1)``."""
    position = next(islice(code.co_positions(), max(0, instruction // 2), None), None)
    if position is None:
        return ""
    line, last_line, column, last_column = position
    if line is None or column is None or last_column is None:
        return ""
    source = linecache.getline(code.co_filename, line).encode()
    text = source[column : last_column if last_line == line else None].decode(errors="replace")
    found = _CALLS.match(text)
    return found.group() if found else ""
