"""Source code that is repaired, and what must hold for each repair."""

from __future__ import annotations

import re

from loopviz.repair import Refused, Repaired, repaired

__all__ = ["line_of", "refusal", "repair"]


def line_of(source: str, mark: str) -> int:
    """The line (from 1) that has `mark` in it: the first one."""
    return len(re.findall(r"\r\n|\r|\n", source[: source.index(mark)])) + 1


def repair(
    source: str, kind: str, mark: str, *, function: str = "", calls: str = "", name: str = "file.py"
) -> str:
    """The repaired text. It compiles, and the repair says what it has changed."""
    line = line_of(source, mark)
    done = repaired(source, kind, line=line, function=function, calls=calls, name=name)
    assert isinstance(done, Repaired), done
    assert done.kind == kind
    assert done.source != source
    assert done.diff
    assert done.summary.endswith(".")
    compile(done.source.removeprefix("\ufeff"), name, "exec", dont_inherit=True)
    return done.source


def refusal(source: str, kind: str, mark: str, *, function: str = "", calls: str = "") -> str:
    """Why there is no repair."""
    line = line_of(source, mark)
    done = repaired(source, kind, line=line, function=function, calls=calls)
    assert isinstance(done, Refused), done.source
    assert done.why.endswith((".", "!"))
    return done.why
