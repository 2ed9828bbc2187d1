"""A process that does not answer: what it does all the same, seen from outside."""

from loopviz.live.hog.watch import Watch

__all__ = ["Watch"]
