"""The model: a timeline of states from a stream of events. It knows no thread, clock or colour."""

from loopviz.model.records import Block, Lane, Request, Segment, Span, Tokens, Where
from loopviz.model.states import SUFFERING, State
from loopviz.model.timeline import BLOCK_THRESHOLD, Timeline

__all__ = [
    "BLOCK_THRESHOLD",
    "SUFFERING",
    "Block",
    "Lane",
    "Request",
    "Segment",
    "Span",
    "State",
    "Timeline",
    "Tokens",
    "Where",
]
