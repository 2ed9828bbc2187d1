"""The model: a timeline of states from a stream of events. It knows no thread, clock or colour."""

from loopviz.model.block import BLOCK_THRESHOLD, Block
from loopviz.model.bursts import Burst
from loopviz.model.children import Child
from loopviz.model.incidents import Incident
from loopviz.model.lane import Lane, Span
from loopviz.model.positions import Position, Station, position, positions
from loopviz.model.request import Request
from loopviz.model.segments import Awaits, Segment, Where
from loopviz.model.starvation import Culprit, Starvation
from loopviz.model.states import DELAYED, State
from loopviz.model.timeline import Timeline
from loopviz.model.websocket import WebSocket
from loopviz.model.workers import Tokens

__all__ = [
    "BLOCK_THRESHOLD",
    "DELAYED",
    "Awaits",
    "Block",
    "Burst",
    "Child",
    "Culprit",
    "Incident",
    "Lane",
    "Position",
    "Request",
    "Segment",
    "Span",
    "Starvation",
    "State",
    "Station",
    "Timeline",
    "Tokens",
    "WebSocket",
    "Where",
    "position",
    "positions",
]
