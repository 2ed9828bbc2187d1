"""Lines of source code with their line ends, and what has changed between two texts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Edit", "diff", "edited", "indent", "line_end", "lines_of", "merged"]

# Python's lines end with these only; `str.splitlines` knows more, such as form feeds.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines from `first` to before `last` (counted from 0) become `lines`, which have their line ends."""

    first: int
    last: int
    lines: tuple[str, ...]


def lines_of(source: str) -> list[str]:
    """The lines of a source text, each with its line end."""
    return _LINE.findall(source)


def line_end(lines: Sequence[str]) -> str:
    """The line end that a file uses, by its first line."""
    first = lines[0] if lines else "\n"
    return first[len(first.rstrip("\r\n")) :] or "\n"


def edited(lines: Sequence[str], edits: Sequence[Edit]) -> str:
    """The text after all edits. Of those at the same line, the first one comes first."""
    result = list(lines)
    for edit in sorted(edits, key=lambda edit: edit.first)[::-1]:
        before = result[edit.first - 1] if edit.first else "\n"
        if edit.lines and not before.endswith(("\n", "\r")):  # the file's last line has no end
            result[edit.first - 1] += line_end(result)
        result[edit.first : edit.last] = edit.lines
    return "".join(result)


def merged(kept: Sequence[str], before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The lines `kept`, changed as `before` was changed to `after`.

    `before` is what a parser makes of `kept`: as many lines, in which a form feed may be lost, or repeated.
    """
    if list(kept) == list(before):
        return tuple(after)
    result: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        old, new = kept[first:last], after[new_first:new_last]
        if tag == "equal":
            result += old
        elif len(old) == len(new):
            result += [
                indent(line) + other[len(indent(other)) :] for line, other in zip(old, new, strict=True)
            ]
        else:
            result += [indent(line).replace("\f", "") + line[len(indent(line)) :] for line in new]
    return tuple(result)


def indent(line: str) -> str:
    """What a line begins with: spaces, tabs and form feeds."""
    return line[: len(line) - len(line.lstrip(" \t\f"))]


def diff(before: str, after: str, name: str) -> tuple[str, ...]:
    """A unified diff of two texts, as `patch` and `git apply` read it, its lines without their ends."""
    old, new = lines_of(before), lines_of(after)
    return tuple(
        line.rstrip("\n")
        for line in _marked(
            difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=_CONTEXT, lineterm="\n")
        )
    )


def _marked(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if not line.endswith(("\n", "\r")):
            yield "\\ No newline at end of file"
