"""Writing a repair as a patch: a new file in the project, which ``git apply`` and ``patch -p1`` accept."""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loopviz.errors import InputError
from loopviz.recording.whole import free_name, write_whole
from loopviz.repair.text import diff
from loopviz.tui.screens.repair.plans import Plan, changed_since, in_project

__all__ = ["write"]

_HEAD: Final = 2
"""Lines of a patch before its first change."""
_LONGEST: Final = 50
"""Characters of a function's name that are in the name of the patch: a file's has 255 bytes at most."""


def write(plan: Plan) -> Path:
    """Write the patch of a repair; the new file. Nothing else is written. Raises `InputError`."""
    if plan.twin is not None:
        raise InputError(
            f"{plan.scenario.name} is repaired by another scenario, so there is no patch.\n"
            f"The code is in {plan.twin.file}."
        )
    why = changed_since(plan)
    if why is not None:
        raise InputError(why)
    folder, name = in_project(plan.file)
    function = (
        plan.finding.where.function if plan.finding is not None and plan.finding.where is not None else ""
    )
    last = (re.sub(r"\W", "", function.rpartition(".")[2]) or Path(name).stem)[:_LONGEST]
    lines = diff(plan.before, plan.after, name)
    try:
        path = free_name(folder / f"loopviz-repair-{last}", ".patch")
        write_whole(path, [_encoded(lines, plan.file)], replace=False)
    except OSError as error:
        raise InputError(f"The patch cannot be written to {folder}: {error.strerror or error}.") from None
    return path


def _encoded(lines: Sequence[str], file: str) -> bytes:
    """The patch in the encoding of the file: else its lines would not be found there.

    The first two lines have the name of the file, which is as the system has it.
    """
    with Path(file).open("rb") as stream:
        encoding, _ = tokenize.detect_encoding(stream.readline)
    head, text = ("".join(f"{line}\n" for line in part) for part in (lines[:_HEAD], lines[_HEAD:]))
    return os.fsencode(head) + text.encode("utf-8" if encoding == "utf-8-sig" else encoding)
