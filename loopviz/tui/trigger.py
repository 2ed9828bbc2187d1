"""``--freeze-on``: the picture freezes when something has happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from loopviz.clock import NS
from loopviz.draw import words
from loopviz.errors import InputError
from loopviz.model import Block, Request, State, Timeline

__all__ = ["Trigger", "parse_trigger"]

_UNITS = {"us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": NS}
_FORM = re.compile(r"(block|thread-wait|token-wait|latency)>(\d+(?:\.\d+)?)(us|µs|ms|s)")

_RECENT = NS
"""What ended longer ago than this (ns) ended while the picture was frozen."""


@dataclass(slots=True)
class Trigger:
    """What to freeze on. It fires once for each moment, so that the picture can move again."""

    kind: str
    """``block``, ``thread-wait``, ``latency`` or ``error``."""
    over: int = 0
    """Longer than this (ns)."""
    fired: int = 0
    """The latest moment for which it has fired."""
    why: str = ""
    """What it has fired for: ``block > 250 ms: #3 at blocking.py:14``."""

    def moment(self, timeline: Timeline, now: int) -> int | None:
        """When it has happened since the last time that it fired, if it has."""
        found = min((place for place in self._look(timeline, now) if place[0] > self.fired), default=None)
        if found is None:
            return None
        self.fired, self.why = now, f"{self}: {found[1]}"
        return found[0]

    def __str__(self) -> str:
        """What it fires for: ``block > 250 ms``."""
        kind = self.kind.replace("-", " ").replace("thread wait", "wait for a thread")
        return f"{kind} > {words.figure(self.over / NS, 's')}" if self.over else kind

    def _look(self, timeline: Timeline, now: int) -> Iterator[tuple[int, str]]:
        """When it has happened to anything of the last second, and to what."""
        recent = now - _RECENT
        if self.kind == "block":
            blocks = [block for block in (*timeline.blocks, timeline.block_at(now)) if block is not None]
            for block in blocks[-3:]:
                if (block.end is None or block.end > recent) and block.lasted(now) > self.over:
                    yield block.start + self.over, _of_block(block)
            return
        for request in (*timeline.alive_at(now), *timeline.ended_after(recent)):
            for t in self._of_request(request, now):
                yield t, words.headline(request)

    def _of_request(self, request: Request, now: int) -> Iterator[int]:
        if self.kind == "latency" and request.websocket is None and request.latency(now) > self.over:
            yield request.start + self.over
        elif self.kind == "error" and request.failed:
            if request.done is not None:  # until then, a more exact error may be reported
                yield request.done
        elif self.kind == "thread-wait":
            for segment in request.newest_first(now):
                if segment.end <= self.fired:
                    break
                if segment.state is State.TOKEN_WAIT and segment.end - segment.start > self.over:
                    yield segment.start + self.over


def _of_block(block: Block) -> str:
    """Whose it is, and where: ``#3 at blocking.py:14``."""
    request, where = block.culprit
    who = words.tag(request, block.letter) if request else words.holder(block)
    return f"{who} at {words.line(where)}" if where is not None else who


def parse_trigger(text: str) -> Trigger:
    """A trigger from its text, such as ``block>250ms``. Raises `InputError`.

    ``token-wait`` is another name of ``thread-wait``.
    """
    if text == "error":
        return Trigger("error")
    found = _FORM.fullmatch(text.replace(" ", ""))
    if found is None:
        raise InputError(
            f"There is no trigger {text!r}.\nUse block>250ms, thread-wait>100ms, latency>2s or error."
        )
    kind, number, unit = found.groups()
    kind = "thread-wait" if kind == "token-wait" else kind
    return Trigger(kind, int(float(number) * _UNITS[unit]))
