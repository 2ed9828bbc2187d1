"""What is said of a file or a module that raises an exception while it is imported."""

from __future__ import annotations

import traceback
from collections.abc import Callable

__all__ = ["explain", "innermost", "message_of"]


def message_of(error: BaseException) -> str:
    """The message of an exception, on one line, whatever it says."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return "its message raises an exception"


def explain(error: BaseException) -> str:
    """What was raised, and what to do, in two lines."""
    if isinstance(error, ImportError):
        return f"{message_of(error)}\nInstall the missing package, or remove the import."
    return f"{type(error).__name__}: {message_of(error)}\nFix that line and run again."


def innermost(error: BaseException, mine: Callable[[str], bool]) -> tuple[str, int]:
    """File and line of the innermost frame in a file that is `mine`; an empty name and 0 without one."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if mine(frame.filename)]
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else ("", 0)
