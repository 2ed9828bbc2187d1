"""What a request waits for its client for: the rest of its body, or that the client takes the response.

A response that its application has passed on whole may still be in the transport's buffer, or in the
kernel's. It is watched until it has left: each time the loop looks for I/O, and by the sampler.
uvicorn's names are documented in `loopviz.probe.compat`.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from loopviz.clock import now_ns as clock
from loopviz.probe import compat, kernel
from loopviz.probe.classes import Hook
from loopviz.probe.state import ATTRIBUTE, ProbeState
from loopviz.stream.events import ABANDONED, CLIENT_WAIT, RESPONDED, SENDING, WRITABLE, Direction

__all__ = [
    "LITTLE",
    "Reply",
    "follow_client",
    "look",
    "lost",
    "make_connection_lost",
    "next_data",
    "responded",
]

LITTLE = 16_384
"""A response that is not longer (bytes) is not looked for in the kernel's buffer: it has room for it."""
LATE = 20_000_000
"""A loop that has been busy for longer than this (ns) delays what it could write."""


class Reply:
    """What a probe knows of the response to a request."""

    __slots__ = ("bytes", "probe", "request", "sender")

    def __init__(self, probe: ProbeState, request: int) -> None:
        self.probe = probe
        self.request = request
        self.bytes = 0
        """Bytes of the body that the application has sent so far."""
        self.sender = 0
        """The task that has sent the head."""


class Rest:
    """A response that its client has not taken yet."""

    __slots__ = ("closed", "connection", "kept", "local", "sock", "transport", "writable")

    def __init__(self, transport: Any, kept: int) -> None:
        self.transport = transport
        self.sock = transport.get_extra_info("socket")
        self.connection = kernel.addresses(self.sock)
        self.kept = kept
        """How much of it the transport still had at the last look (bytes): the kernel has the rest."""
        self.closed = False
        """Whether the server has closed the connection, after it has passed the last byte to the kernel."""
        self.writable = False
        """Whether it was reported that the client could take more, and the loop has no time."""
        self.local: bool | None = None
        """Whether the client is on this machine, so that it is seen what it has read; None: not known yet."""


# -- the end of a response ------------------------------------------------------------------------


def responded(reply: Reply, transport: Any) -> None:
    """The application has passed on the last byte: report that it is sent, or that it has to wait."""
    state, request = reply.probe, reply.request
    try:
        kept = transport.get_write_buffer_size() if transport is not None else 0
        if transport is None or (reply.bytes <= LITTLE and (not kept or state.writes_later)):
            state.emit((clock(), RESPONDED, request))
            return
        rest = Rest(transport, kept)
        if kept or kernel.unsent(rest.sock):
            state.sending[request] = rest
            state.emit((clock(), SENDING, request))
            if state.writes_later:
                state.loop.call_soon(look, state)
            return
    except Exception as error:
        state.sending.pop(request, None)
        state.failed("response", error)
    state.emit((clock(), RESPONDED, request))


def look(state: ProbeState, *, ask: bool = False) -> None:
    """Report the responses that have been taken since the last look. May be called in any thread.

    `ask` says whether to ask the kernel for sockets that are not this server's: that costs 60 µs.
    """
    with kernel.Sockets() as sockets:
        for request, rest in list(state.sending.items()):
            try:
                over = _is_taken(rest, sockets if ask else None)
                if not over:
                    _report_whose_turn(state, request, rest, busy=ask and state.has_been_busy(clock(), LATE))
            except RuntimeError:  # the buffer was changed in another thread; there will be another look
                continue
            except Exception as error:
                state.failed("response", error)
                over = True
            if over:
                _end(state, request, RESPONDED)


def _report_whose_turn(state: ProbeState, request: int, rest: Rest, *, busy: bool) -> None:
    """Report whether the response waits for the client, or for the loop that has no time to write it."""
    writable = busy and rest.kept > 0 and kernel.is_writable(rest.sock)
    if writable and not rest.writable:
        rest.writable = True
        state.emit((clock(), WRITABLE, request))
    elif rest.writable and not busy:
        rest.writable = False
        state.emit((clock(), SENDING, request))


def _end(state: ProbeState, request: int, kind: Literal["responded", "abandoned"]) -> None:
    """Report the end of a response, unless another thread has done so."""
    if state.sending.pop(request, None) is not None:
        if kind == RESPONDED:
            state.emit((clock(), RESPONDED, request))
        else:
            state.emit((clock(), ABANDONED, request))


def _is_taken(rest: Rest, sockets: kernel.Sockets | None) -> bool:
    """Whether the client has taken the response, as far as is known. `sockets` is None if not to be asked."""
    if not rest.closed and not _has_left(rest):
        return False
    if rest.connection is None or (rest.local is False and not rest.closed):
        return True
    try:
        return sockets is not None and _is_read(rest, rest.connection, sockets)
    except OSError:  # the kernel does not say: the last byte has left, as far as can be seen
        return True


def _has_left(rest: Rest) -> bool:
    """Whether the last byte has left, of a connection that the server has not closed."""
    kept = rest.transport.get_write_buffer_size()
    if rest.transport.is_closing():
        # It may have given up the rest. `connection_lost` reports what has become of it.
        rest.kept = kept or rest.kept
        return False
    rest.kept = kept
    return not kept and not kernel.unsent(rest.sock)


def _is_read(rest: Rest, connection: kernel.Addresses, sockets: kernel.Sockets) -> bool:
    """Whether a client on this machine has read everything; for another one, whether everything has left."""
    if rest.closed and (here := sockets.find(connection)) is not None and here.sends:
        return False
    client = None if rest.local is False else sockets.find(connection, other=True)
    rest.local = client is not None
    return client is None or not client.reads


def next_data(state: ProbeState, transport: Any) -> None:
    """A client sends more, and so it has taken what came before, unless the transport still has a part."""
    for request, rest in list(state.sending.items()):
        if rest.transport is transport and not transport.get_write_buffer_size():
            _end(state, request, RESPONDED)


def lost(state: ProbeState, transport: Any, error: BaseException | None) -> None:
    """A connection has ended: with an error, the client has not taken what the transport had for it."""
    for request, rest in list(state.sending.items()):
        if rest.transport is not transport:
            continue
        if error is not None:
            _end(state, request, ABANDONED if rest.kept else RESPONDED)
        else:
            rest.closed = True  # the kernel goes on sending
            if rest.connection is None:
                _end(state, request, RESPONDED)


def make_connection_lost(
    state: ProbeState, original: Callable[[Any, Any], None]
) -> Callable[[Any, Any], None]:
    """A protocol's `connection_lost`, which ends the responses that were being sent."""

    def connection_lost(self: Any, exc: BaseException | None) -> None:
        if state.sending:
            try:
                lost(state, getattr(self, compat.TRANSPORT, None), exc)
            except Exception as error:
                state.failed("connection", error)
        original(self, exc)

    return connection_lost


# -- waits in between -----------------------------------------------------------------------------


def follow_client(
    state: ProbeState,
    cycle: Any,
    replace: Callable[[type, str, Callable[[Hook], Hook]], None],
    blind: Callable[[str, str], None],
) -> None:
    """Hook the places at which requests of this kind of cycle wait for their client.

    `replace(class, name, make)` puts a hook on a class until the probe is removed, as
    `loopviz.probe.classes.hook` does; `blind(what, why)` reports what cannot be seen.
    """
    kind, version = type(cycle), compat.installed("uvicorn")
    receive = getattr(kind, compat.RECEIVE, None)
    event = getattr(cycle, compat.MESSAGE_EVENT, None)
    if receive is None or not isinstance(event, asyncio.Event) or not hasattr(cycle, compat.MORE_BODY):
        blind(
            "that a request waits for the rest of its body",
            f"{kind.__name__} of {version} was not recognised",
        )
    else:
        replace(kind, compat.RECEIVE, partial(_make_receive, state))
    flow = type(getattr(cycle, compat.FLOW, None))
    drain = getattr(flow, compat.DRAIN, None)
    if drain is None:
        blind(
            "that a request waits until its client takes what was sent",
            f"{kind.__name__} of {version} has no {compat.FLOW}.{compat.DRAIN}",
        )
    else:
        replace(flow, compat.DRAIN, partial(_make_drain, state))


def _waits(state: ProbeState, direction: Direction) -> None:
    """The task that runs will be suspended now, until the client has done its part."""
    task = asyncio.current_task()
    if task is not None:
        state.emit((clock(), CLIENT_WAIT, state.trace_of(task).number, direction))


def _make_drain(state: ProbeState, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A connection's `drain`: uvicorn calls it when the client has not taken enough of the response."""

    def drain(self: Any) -> Any:
        try:
            _waits(state, "sending")
        except Exception as error:
            state.failed("waiting to send", error)
        return original(self)

    return drain


def _make_receive(state: ProbeState, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A cycle's `receive`, which waits for the body, or later for the client to disconnect.

    Which task waits is known when the event is awaited, not when the coroutine is made.
    """
    event_name, more_name = compat.MESSAGE_EVENT, compat.MORE_BODY

    def receive(self: Any) -> Any:
        try:
            if getattr(self, more_name):
                event = getattr(self, event_name)
                if compat.WAIT not in vars(event):
                    # The cycle owns the event: a strong reference would be a circle.
                    setattr(event, compat.WAIT, partial(wait, weakref.ref(self), weakref.ref(event)))
        except Exception as error:
            state.failed("waiting for the body", error)
        return original(self)

    def wait(cycle: Callable[[], Any], event: Callable[[], Any]) -> Any:
        awaited = event()
        try:
            _of_body(state, cycle(), awaited)
        except Exception as error:
            state.failed("waiting for the body", error)
        return type(awaited).wait(awaited)

    return receive


def _of_body(state: ProbeState, cycle: Any, event: asyncio.Event) -> None:
    """Report that the task waits for the body, unless it only watches for a disconnect."""
    if event.is_set() or not getattr(cycle, compat.MORE_BODY):
        return
    reply = getattr(cycle, ATTRIBUTE, None)
    if reply is None or reply.probe is not state:
        return
    if reply.sender:  # the response has begun: another task that receives looks for a disconnect
        task = asyncio.current_task()
        if task is None or state.trace_of(task).number != reply.sender:
            return
    _waits(state, "receiving")
