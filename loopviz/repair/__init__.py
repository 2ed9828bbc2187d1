"""Repairs of source code: text in, text out. It knows no timeline, server or terminal.

A repair is refused rather than wrong: where it could change what the program does, it says why there is none.
"""

from __future__ import annotations

from loopviz.repair.result import KINDS, Refused, Repaired

__all__ = ["KINDS", "Refused", "Repaired", "possible", "repaired", "why_none"]


def repaired(
    source: str, kind: str, *, line: int, function: str, calls: str = "", name: str = "file.py"
) -> Repaired | Refused:
    """Repair the text of a file at a line (from 1) of a function, which may be its qualified name.

    `calls` is what is called there, as it is written, where it was seen. `name` is the file's, for the diff.
    """
    from loopviz.repair.making import make  # noqa: PLC0415 - nothing of it is needed before a finding

    if kind not in KINDS:
        return Refused(f"There is no repair of the kind {kind}.")
    return make(source, kind, line=line, function=function, calls=calls, name=name)


def possible(source: str, *, line: int, function: str, calls: str = "") -> str | None:
    """The kind of repair that fits a blocking call at a line; None if none does."""
    from loopviz.repair.choice import choose  # noqa: PLC0415 - as above

    return choose(source, line=line, function=function, calls=calls)


def why_none(source: str, *, line: int, function: str, calls: str = "") -> str | None:
    """Why no kind of repair fits a blocking call at a line; None if one does, or nothing is called there."""
    from loopviz.repair import choice  # noqa: PLC0415 - as above

    return choice.why_none(source, line=line, function=function, calls=calls)
