"""What the commands that record have in common: where they record to, and what they say of it at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopviz.recording import Place

__all__ = ["place_for", "print_recorded"]


def place_for(
    output: str | None, inputs: Iterable[Path], *, force: bool
) -> AbstractContextManager[Place | None]:
    """The file to record in, reserved; None if there is no `output`. Raises `InputError`, in time."""
    from loopviz.recording import Place

    return nullcontext() if output is None else Place(output, force=force, inputs=inputs)


def print_recorded(path: str, events: int, lost: int, failed: str | None) -> int:
    """Print on standard error what became of the recording; the exit code."""
    from loopviz.draw.words import count, saved, unsaved

    if lost:
        print(f"loopviz: the disk was too slow: {count(lost, 'event')} lost", file=sys.stderr)
    if failed is not None:
        print(unsaved(failed, path, readable=Path(path).is_file()), file=sys.stderr)
        return 2
    print(saved(events, path), file=sys.stderr)
    return 0
