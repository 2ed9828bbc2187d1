"""What a repair gives: the repaired text, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "Refusal", "Refused", "Repaired"]

KINDS: Final = (
    "async-sleep",
    "to-thread",
    "async-client",
    "plain-def",
    "async-def",
    "task-group",
    "process-pool",
)
"""The kinds of repair."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """The text of a file with one repair."""

    kind: str
    source: str
    """The whole file. What the repair does not touch is as it was, byte for byte."""
    diff: tuple[str, ...]
    """A unified diff with three lines of context; its lines have no line ends."""
    summary: str
    """What was changed, in a sentence or two."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No repair was made: it could change what the program does, or it is not seen how."""

    why: str
    """The reason, in one sentence."""


class Refusal(Exception):  # noqa: N818 - it is no error
    """Raised where a repair turns out to be impossible; its text is the reason."""
