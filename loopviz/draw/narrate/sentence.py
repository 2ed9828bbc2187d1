"""A sentence of the narration: when, about what, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from loopviz.clock import NS

__all__ = ["Sentence", "Topic", "clock"]

Topic: TypeAlias = Literal["sent", "end", "now", "still", "past", "incident", "verdict", "finding"]
"""What it is about: requests that were sent, requests that have ended, what happens now, that it still does,
a block that is over, a process that has ended, a burst that is over, why it took its time."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A line of the narration."""

    t: int
    """Its time (ns of `loopviz.clock`); never before that of the sentence above it."""
    zero: int
    """The time of the first request of the burst: its time is shown as that since then."""
    topic: Topic
    text: str
    requests: tuple[int, ...] = ()
    """Of sentences on requests that were sent or have ended: their numbers."""

    def line(self) -> str:
        """The sentence with its time: ``0.021 s  Request 1 was sent.``."""
        return f"{clock(self.t - self.zero)}  {self.text}"


def clock(ns: int) -> str:
    """A time since the first request: ``0.021 s``."""
    return f"{ns / NS:.3f} s"
