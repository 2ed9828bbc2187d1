"""The line to show for a stack that another process has written: the rules of `loopviz.probe.lines`, by text.

The frames themselves are not there: neither their modules nor where in the line they are. Both follow from
the paths and from the source, as far as they do.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import PurePath

from loopviz.live.hog.dump import Frame
from loopviz.probe.lines import CALLS, PASS_ON, Line, Lines, short
from loopviz.probe.threads import Threads

__all__ = ["Places", "places"]

_RUNS_LOOP = {"run", "run_forever", "run_until_complete"}
_LOOP_FILES = ("asyncio/base_events.py", "asyncio/runners.py")
_AT_ONCE = {"enumerate", "iter", "range", "reversed", "zip"}
"""What makes an iterator, and so takes no time."""
_DEFINED = re.compile(r"(\s*)(?:async\s+def|def|class)\s+(\w+)")
_CALL = ("probe/threads.py", Threads.worker_code().co_name)
_ASGI = re.compile(r"[^()]*\bscope\b[^()]*\breceive\b[^()]*\bsend\b")
_PARAMETERS = 8
"""So many lines the parameters of a function may have."""


class Places:
    """Finds the user's line in stacks of another process."""

    def __init__(self, lines: Lines) -> None:
        """`lines` knows the folders of that process's libraries."""
        self._lines = lines

    def of_loop(self, frames: Sequence[Frame]) -> Line | None:
        """Where the loop's thread is, in a step or a callback; else a line of a library's."""
        inside = list(_until_loop(frames))
        # A middleware of the user's that has called the next application is not at work.
        inside = [
            frame
            for frame, inner in zip(inside, [None, *inside], strict=False)
            if inner is None or not (_is_asgi(*frame) and _is_asgi(*inner))
        ]
        return self._users(inside) or self._of_library(inside)

    def of_call(self, frames: Sequence[Frame], definition: tuple[str, int, str] | None) -> Line | None:
        """Where a worker thread is in its call, whose function is defined in that file, at that line."""
        inside = []
        for frame in frames:
            if _is_call(frame):
                break
            inside.append(frame)
        line = self._users(inside)
        if line is not None or definition is None:
            return line or self._of_library(inside)
        working = self._at_work(inside)
        file, line_number, function = definition
        return Line(file, line_number, function, self._called(working) if working is not None else "")

    def is_ours(self, frames: Sequence[Frame]) -> bool:
        """Whether this is the stack of a thread of loopviz's own."""
        return any(self._module(frame).startswith("loopviz.") for frame in frames)

    def _users(self, frames: Sequence[Frame]) -> Line | None:
        for index, frame in enumerate(frames):
            if not self._lines.is_foreign(frame.file) and frame.file and not _is_template(frame):
                inner = frames[index - 1] if index else None
                return Line(frame.file, frame.line, _qualified(*frame), _calls(frame, inner))
        return None

    def _of_library(self, frames: Sequence[Frame]) -> Line | None:
        found = self._at_work(frames)
        if found is None:
            found = next((frame for frame in frames if "loopviz" not in PurePath(frame.file).parts), None)
        return (
            None if found is None else Line(found.file, found.line, _qualified(*found), _calls(found, None))
        )

    def _at_work(self, frames: Sequence[Frame]) -> Frame | None:
        """The outermost frame that does not only pass on what it is given."""
        for frame in reversed(frames):
            if not (PASS_ON.match(self._module(frame)) or _is_asgi(*frame)):
                return frame
        return None

    def _called(self, frame: Frame) -> str:
        return short(self._module(frame), _qualified(*frame))

    def _module(self, frame: Frame) -> str:
        """The module that a library's file is."""
        inside = max(
            (folder for folder in self._lines.libraries if frame.file.startswith(folder)), key=len, default=""
        )
        parts = PurePath(frame.file[len(inside) :].lstrip("/\\")).with_suffix("").parts
        if "site-packages" in parts:
            parts = parts[parts.index("site-packages") + 1 :]
        if inside.rpartition("/")[2] == "loopviz":
            parts = ("loopviz", *parts)
        return ".".join(parts).removesuffix(".__init__")


def places(own: Iterable[str], libraries: Iterable[str]) -> Places:
    """Finds the lines of a process; for the arguments see `loopviz.probe.lines.Lines`."""
    return Places(Lines(own, libraries))


def _until_loop(frames: Sequence[Frame]) -> Iterator[Frame]:
    """Without the frames around the one that runs the loop: they are not at work in a step."""
    for frame in frames:
        if frame.function in _RUNS_LOOP and frame.file.replace("\\", "/").endswith(_LOOP_FILES):
            return
        yield frame


def _is_call(frame: Frame) -> bool:
    return frame.function == _CALL[1] and frame.file.endswith(_CALL[0])


def _is_template(frame: Frame) -> bool:
    """Whether it is of the Python code of a Jinja template, whose lines are not the template's."""
    compiled = frame.function == "root" or frame.function.startswith("block_")
    return compiled and not frame.file.endswith(".py")


def _calls(frame: Frame, inner: Frame | None) -> str:
    """What is called at the line: the only call there, or the one that has the name of the inner frame."""
    source = linecache.getline(frame.file, frame.line)
    found = [name for name in CALLS.findall(_without_texts(source)) if name not in _AT_ONCE]
    if inner is not None:
        named = {name for name in found if name.rpartition(".")[2] == inner.function}
        if len(named) == 1:
            return str(named.pop())
    return str(found[0]) if len(set(found)) == 1 else ""


def _without_texts(source: str) -> str:
    """A line of source code without what is in quotes, without a comment, and without ``def name(``."""
    text = re.sub(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", "''", source).partition("#")[0]
    return _KEYWORDS.sub("", text)


_KEYWORDS = re.compile(
    r"^\s*(?:async\s+)?(?:def|class)\s+\w+|\b(?:if|elif|while|return|yield|await|in|and|or|not|for)\b(?=\s*\()"
)


@lru_cache(5_000)
def _is_asgi(file: str, line: int, function: str) -> bool:
    """Whether the function at a line has the parameters of an ASGI application, by its text."""
    lines = linecache.getlines(file)[:line]
    for number in range(len(lines), 0, -1):
        found = _DEFINED.match(lines[number - 1])
        if found is not None and found[2] == function:
            text = "".join(linecache.getlines(file)[number - 1 : number + _PARAMETERS])
            return _ASGI.match(text.partition("(")[2].partition(":\n")[0]) is not None
    return False


@lru_cache(5_000)
def _qualified(file: str, line: int, function: str) -> str:
    """The qualified name of the function at a line, by the indentation of what is around it."""
    lines = linecache.getlines(file)
    names: list[str] = []
    deepest = None
    for text in reversed(lines[:line]):
        found = _DEFINED.match(text)
        if found is None or (deepest is not None and len(found[1]) >= deepest):
            continue
        if not names and found[2] != function:
            continue
        is_class = text.lstrip().startswith("class")
        names[:0] = [found[2]] if is_class or not names else [found[2], "<locals>"]
        deepest = len(found[1])
        if not deepest:
            break
    return ".".join(names) or function
