"""Which function answers a request: the router puts it into the ASGI scope."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType

from loopviz.clock import now_ns as clock
from loopviz.probe.lines import Lines
from loopviz.probe.state import ProbeState
from loopviz.stream.events import HANDLER

__all__ = ["Handlers"]

_MOST = 10_000
"""So many requests are remembered: a request that is older is not looked at any more."""


class Handlers:
    """Reports the handler of each request that is looked at, once."""

    def __init__(self, state: ProbeState, lines: Lines) -> None:
        self._state = state
        self._lines = lines
        self._reported: dict[int, None] = {}

    def look(self, request: int, chain: Sequence[FrameType]) -> None:
        """Look for the handler of a request in a chain of awaits or a stack, the outermost frame first."""
        if not request or request in self._reported:
            return
        handler = self._lines.endpoint(chain, adopts=False)
        if handler is None or not handler.file:
            return
        self._reported[request] = None
        if len(self._reported) > _MOST:
            del self._reported[next(iter(self._reported))]
        self._state.emit((clock(), HANDLER, request, handler.file, handler.line, handler.function))
