"""Requests that hypercorn serves: a task each, which it makes when it has read the head of a request.

hypercorn's names are documented in `loopviz.probe.compat`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.classes import Hook
from loopviz.probe.state import ATTRIBUTE, ProbeState
from loopviz.probe.transports import Reply
from loopviz.stream.events import READ, RESPONDED, STATUS
from loopviz.stream.fields import WEBSOCKET

__all__ = ["make_adopt", "serves"]

_LONGEST = 2_000
_FAILED = 500
_ACCEPTED = 101


def serves(code: CodeType) -> bool:
    """Whether hypercorn runs an application in a coroutine with this code."""
    return code.co_qualname == compat.HYPERCORN and "hypercorn" in code.co_filename


def make_adopt(
    state: ProbeState,
    number_of: Callable[[Any], int],
    replace: Callable[[type, str, Callable[[Hook], Hook]], None],
    blind: Callable[[str, str], None],
) -> Callable[[Any], int]:
    """`adopt(coroutine)`: announce the request that such a coroutine serves; its number, or 0.

    `number_of(headers)` gives a request its number; for the others see `loopviz.probe.requests.make_adopt`.
    """
    hooked: set[type] = set()

    def hook(kind: type) -> None:
        hooked.add(kind)
        if getattr(kind, compat.APP_SEND, None) is None:
            name = compat.installed("hypercorn")
            blind("the status and the end of a response", f"{kind.__name__} of {name} was not recognised")
        else:
            replace(kind, compat.APP_SEND, partial(_make_send, state))

    for kind in compat.hypercorn_streams():
        hook(kind)

    def adopt(coro: Any) -> int:
        if coro.cr_suspended:  # it has got the `send` of before already, so that its end would not be seen
            return 0
        given = coro.cr_frame.f_locals
        scope, stream = given["scope"], given["send"].__self__
        if scope["type"] not in {"http", "websocket"}:  # a lifespan
            return 0
        number = number_of(scope["headers"])
        method = scope["method"] if scope["type"] == "http" else WEBSOCKET
        state.emit((clock(), READ, number, method[:_LONGEST], scope["path"][:_LONGEST], 0))
        state.request_seen = True
        if type(stream) not in hooked:
            hook(type(stream))
        setattr(stream, ATTRIBUTE, Reply(state, number))
        return number

    return adopt


def _make_send(state: ProbeState, original: Hook) -> Hook:
    """A stream's `app_send`, which is given the messages of the response, and None at its end."""

    def look(reply: Reply, message: Any) -> None:
        status = _status_in(message)
        if message is None and not reply.bytes:
            status = _FAILED
        if status:
            reply.bytes = 1  # its status is known
            state.emit((clock(), STATUS, reply.request, status))

    def ends(message: Any) -> bool:
        return message is None or (
            message["type"] == "http.response.body" and not message.get("more_body", False)
        )

    async def app_send(self: Any, message: Any) -> None:
        reply: Reply | None = getattr(self, ATTRIBUTE, None)
        if reply is None or reply.probe is not state:
            await original(self, message)
            return
        try:
            look(reply, message)
        except Exception as error:  # a malformed message: hypercorn reports it
            state.failed("send", error)
        await original(self, message)
        try:
            if not reply.sender and ends(message):
                reply.sender = -1  # it is over
                state.report_step()
                state.emit((clock(), RESPONDED, reply.request))
        except Exception as error:
            state.failed("send", error)

    return app_send


def _status_in(message: Any) -> int:
    """The status that a message has; 0 if it has none."""
    match message:
        case {"type": "http.response.start" | "websocket.http.response.start", "status": status}:
            return int(status)
        case {"type": "websocket.accept"}:
            return _ACCEPTED
    return 0
