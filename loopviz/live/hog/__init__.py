"""A process that does not answer: what it does all the same, seen from outside."""

from loopviz.live.hog.channel import Channel
from loopviz.live.hog.watch import EVERY, Watch

__all__ = ["EVERY", "Channel", "Watch"]
