"""Writing a repair as a patch: a new file in the project, which ``git apply`` and ``patch -p1`` accept."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence
from pathlib import Path

from loopviz.errors import InputError
from loopviz.recording.whole import free_name, write_whole
from loopviz.repair.text import diff
from loopviz.tui.screens.repair.plans import Plan, changed_since, in_project

__all__ = ["write"]


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
    last = re.sub(r"\W", "", function.rpartition(".")[2]) or Path(name).stem
    lines = diff(plan.before, plan.after, name)
    try:
        path = free_name(folder / f"loopviz-repair-{last}", ".patch")
        write_whole(path, [_encoded(lines, plan.file)], replace=False)
    except OSError as error:
        raise InputError(f"The patch cannot be written to {folder}: {error.strerror or error}.") from None
    return path


def _encoded(lines: Sequence[str], file: str) -> bytes:
    """The patch in the encoding of the file: else its lines would not be found there."""
    with Path(file).open("rb") as stream:
        encoding, _ = tokenize.detect_encoding(stream.readline)
    text = "".join(f"{line}\n" for line in lines)
    return text.encode("utf-8" if encoding == "utf-8-sig" else encoding)
