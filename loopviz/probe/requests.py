"""Requests, from the first byte read to the last byte sent: the hooks on uvicorn.

uvicorn's protocols run each request as a task of ``RequestResponseCycle.run_asgi``. That object
holds the ASGI scope before the application runs, and sends every message, the 500 of a crashed
application included; so the application needs no middleware, and a running server can be probed.
uvicorn's names are documented in `loopviz.probe.compat`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from hmac import compare_digest
from types import CodeType
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat, hypercorn, websockets
from loopviz.probe.arrival import arrival as _arrival
from loopviz.probe.classes import Hook
from loopviz.probe.exceptions import Logger
from loopviz.probe.logged import FAILED, answered
from loopviz.probe.reading import came_in, pipelines, protocol_of
from loopviz.probe.selector import LONG
from loopviz.probe.state import ATTRIBUTE, ProbeState
from loopviz.probe.transports import Reply, follow_client, responded
from loopviz.stream.blind import WEBSOCKETS
from loopviz.stream.events import BEHIND, READ, STATUS
from loopviz.stream.fields import WEBSOCKET
from loopviz.stream.marked import HEADER, PROBE

__all__ = ["make_adopt", "unread"]

_NAME = HEADER.encode()
_DIGITS = 19
_FARTHEST = 1 << 24
"""How far after the newest request the number of our own client's can be: each takes one bit of memory."""
_LONGEST = 2_000
"""Characters of a method and of a path that are reported: thousands of requests are kept."""
_RECENT = 100_000_000  # ns; a new connection takes some iterations until it is read
_NO_LIBRARY = "{} has found no WebSocket library: install websockets or wsproto"


def make_send(
    state: ProbeState, original: Callable[[Any, Any], Awaitable[None]]
) -> Callable[[Any, Any], Awaitable[None]]:
    """A cycle's `send` that reports the head of the response, and adds up the length of its body.

    It belongs on the class: an attribute `send` of every cycle would keep the cycle alive in a reference
    cycle, and would make access to all its other attributes slower.
    """
    emit = state.emit

    def send(self: Any, message: Any) -> Awaitable[None]:
        try:
            reply: Reply | None = getattr(self, ATTRIBUTE, None)
            if reply is not None and reply.probe is state:  # not of a probe that watched this loop before
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                    emit((clock(), STATUS, reply.request, status))
                    reply.sender = state.current.number if state.current is not None else 0
                    if state.logged or status >= FAILED:
                        answered(state, reply.request, status)
                else:
                    reply.bytes += len(message.get("body", b""))
        except Exception as error:  # a malformed message: uvicorn reports it
            state.failed("send", error)
        return original(self, message)

    return send


def make_adopt(
    state: ProbeState,
    numbers: Iterator[int],
    secret: str,
    replace: Callable[[type, str, Callable[[Hook], Hook]], None],
    blind: Callable[[str, str], None],
) -> Callable[[object], int]:
    """`adopt(coroutine)`: announce the request that a new task serves; its number, or 0.

    `numbers` numbers the requests of other clients, `secret` marks the header of our own client,
    `replace(class, name, make)` puts the hook `make(original)` on a class until the probe is removed, and
    `blind(what, why)` reports what cannot be seen.
    """
    emit = state.emit
    request_name, cycle_of, scope_name = compat.REQUEST, compat.cycle_of, compat.SCOPE
    send_name, response_name, logger_name = compat.SEND, compat.ON_RESPONSE, compat.LOGGER
    prefix = secret.encode() + b"-"
    health = prefix + PROBE.encode()
    newest = 0
    # The name of a coroutine's code if it is a run_asgi, else "". By identity: a code object's hash is
    # computed from all of its instructions, each time. The code is kept alive, so that its id is not used
    # again.
    known: dict[int, tuple[str, CodeType]] = {}
    hooked: set[type] = set()
    # One bit for each number of our own client's that has come. An application that forwards the headers
    # of a request, as a gateway does, sends a number a second time: that request is another one.
    taken = bytearray()

    def ends(original: Callable[..., None], reply: Reply, transport: Any, *args: Any) -> None:
        state.report_step()
        responded(reply, transport)
        original(*args)

    def own_number(headers: list[tuple[bytes, bytes]]) -> int:
        for name, value in headers:
            if name == _NAME and compare_digest(value[: len(prefix)], prefix):
                digits = value[len(prefix) :]
                number = int(digits) if digits.isdigit() and len(digits) < _DIGITS else 0
                if not 0 < number < newest + _FARTHEST:
                    return 0
                place, bit = number >> 3, 1 << (number & 7)
                if place >= len(taken):
                    taken.extend(bytes(place + 1024 - len(taken)))
                if taken[place] & bit:
                    return 0
                taken[place] |= bit
                return number
        return 0

    def is_probe(headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether it is a health probe of loopviz's own: its task runs for no request."""
        return any(name == _NAME and compare_digest(value, health) for name, value in headers)

    def serves(code: CodeType) -> bool:
        """Whether the application runs in this coroutine, and uvicorn catches what it lets out."""
        return code.co_qualname == request_name or code.co_qualname in compat.WEBSOCKETS

    def watch_log(owner: Any, request: int) -> None:
        logger = getattr(owner, logger_name, None)
        if logger is None:
            blind("the exception that an application lets out", _has_no(type(owner), logger_name))
        else:
            setattr(owner, logger_name, Logger(logger, state, request, serves))

    def follow(cycle: Any, request: int) -> None:
        """Hook the response of a request."""
        kind = type(cycle)
        if kind not in hooked:
            hooked.add(kind)
            if getattr(kind, send_name, None) is None:
                blind("the status of a response", _has_no(kind, send_name))
            else:
                replace(kind, send_name, partial(make_send, state))
            follow_client(state, cycle, replace, blind)
        reply = Reply(state, request)
        setattr(cycle, ATTRIBUTE, reply)
        on_response = getattr(cycle, response_name, None)
        if on_response is None:
            blind("the end of a response", _has_no(kind, response_name))
        else:
            transport = getattr(cycle, compat.TRANSPORT, None)
            setattr(cycle, response_name, partial(ends, on_response, reply, transport))
        watch_log(cycle, request)

    def follow_websocket(protocol: Any, request: int, name: str) -> None:
        """Hook a WebSocket."""
        kind = type(protocol)
        setattr(protocol, ATTRIBUTE, websockets.Connection(state, request))
        watch_log(protocol, request)
        if kind in hooked:
            return
        hooked.add(kind)
        send, receive = compat.WEBSOCKETS[name]
        for hook, method, what in (
            (websockets.make_send, send, "the status of a WebSocket, and what it sends"),
            (websockets.make_receive, receive, "what a WebSocket receives"),
            (websockets.make_refuse, compat.REFUSE, "the status of a WebSocket that is refused"),
            (websockets.make_connection_lost, "connection_lost", "when the client of a WebSocket has gone"),
        ):
            if getattr(kind, method, None) is None:
                blind(what, _has_no(kind, method))
            else:
                replace(kind, method, partial(hook, state))

    def refused_upgrade(cycle: Any, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether uvicorn treats the request for a WebSocket as any other, because it cannot serve one."""
        if not any(name == b"upgrade" and value.lower() == b"websocket" for name, value in headers):
            return False
        return getattr(protocol_of(cycle), compat.WEBSOCKET_CLASS, True) is None

    def read_request(cycle: Any, name: str) -> int:
        """Report the request that has been read; its number, or 0 for a health probe."""
        nonlocal newest
        scope = getattr(cycle, scope_name)
        headers = scope["headers"]
        if is_probe(headers):
            return 0
        is_websocket = name != request_name
        held, arrived = (0, 0) if is_websocket or state.read else came_in(cycle)
        read = held or state.read or clock()
        number = own_number(headers)
        if not number:
            number = next(numbers)
            if not held and (_may_have_waited(state, read) or pipelines(cycle)):
                arrived = _arrival(cycle)
        else:
            arrived = 0  # its client knows better
        newest = max(newest, number)
        method = WEBSOCKET if is_websocket else scope["method"]
        emit((read, READ, number, method[:_LONGEST], scope["path"][:_LONGEST], arrived))
        if held:
            emit((held, BEHIND, number))
        if not is_websocket and refused_upgrade(cycle, headers):
            blind(WEBSOCKETS, _NO_LIBRARY.format(compat.installed("uvicorn")))
        return number

    def number_of(headers: Any) -> int:
        """The number of a request that hypercorn has read."""
        nonlocal newest
        number = own_number(list(headers)) or next(numbers)
        newest = max(newest, number)
        return number

    adopt_hypercorn = hypercorn.make_adopt(state, number_of, replace, blind)

    def adopt(coro: object) -> int:
        code = compat.declared(coro, "cr_code")
        if code is None:
            return 0
        request = known.get(id(code))
        if request is None:
            name = code.co_qualname
            known_name = name == request_name or name in compat.WEBSOCKETS or hypercorn.serves(code)
            request = (name if known_name else "", code)
            if len(known) < 10_000:
                known[id(code)] = request
        name = request[0]
        if not name:
            if state.read and not state.request_seen:
                state.unrecognised = f"a protocol ran {code.co_qualname}"
            return 0
        try:
            if name == compat.HYPERCORN:
                return adopt_hypercorn(coro)
            cycle = cycle_of(coro)
            number = read_request(cycle, name)
        except Exception as error:
            state.failed("request", error)
            state.unrecognised = f"a request could not be read: {type(error).__name__}: {error}"
            return 0
        if not number:
            state.request_seen = True
            return 0
        try:
            if name == request_name:
                state.request_seen = True
                follow(cycle, number)
            else:
                follow_websocket(cycle, number, name)
        except Exception as error:
            state.failed("request", error)
        return number

    return adopt


def _has_no(kind: type, name: str) -> str:
    return f"{kind.__name__} of {compat.installed('uvicorn')} has no {name}"


def unread(state: ProbeState) -> str:
    """Why a request that the server has answered was not recognised."""
    why = f"{compat.installed('uvicorn')} serves requests in a way that was not recognised"
    return f"{why} ({state.unrecognised})" if state.unrecognised else why


def _may_have_waited(state: ProbeState, read: int) -> bool:
    """Whether the loop was busy, or another thread kept the GIL, so long that a request can have waited."""
    return (
        read - state.looked >= LONG
        or read - max(state.slow, state.late_at) <= _RECENT
        or read - state.sampler_due >= LONG
    )
