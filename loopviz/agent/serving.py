"""Which event loop of this process serves, and with what: found from a thread that knows nothing of it.

An application calls `loopviz.watch` before there is a loop, so the loop is looked for when somebody wants to
see it: in the frames of all threads, and by the tasks that asyncio knows. The server is recognised by the
coroutines that run it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["Served", "find"]

_UVICORN = "Server.serve", "Server._serve", "Server.main_loop"
"""Coroutines of uvicorn's server, whose `self` is the server; under other names the loop's listening sockets
show that it serves, and only requests of a protocol that is hooked otherwise are seen."""
_HYPERCORN = "worker_serve"
_LONGEST = 50


@dataclass(frozen=True)
class Served:
    """An event loop, and what it serves with."""

    loop: asyncio.AbstractEventLoop
    thread: int
    """The identity of the thread that runs it; 0 if it is not known."""
    kind: str
    """The server: ``uvicorn``, ``hypercorn``, or "" if it is not known."""
    server: Any = None
    """uvicorn's `Server`, or None."""

    @property
    def native(self) -> int:
        """The number of its thread in the operating system; 0 if it is not known."""
        return next((t.native_id or 0 for t in threading.enumerate() if t.ident == self.thread), 0)

    @property
    def protocol(self) -> type | None:
        """The class of uvicorn's HTTP protocol; None without uvicorn."""
        found = getattr(getattr(self.server, "config", None), "http_protocol_class", None)
        return found if isinstance(found, type) else None

    @property
    def connections(self) -> list[Any]:
        """The protocols of uvicorn's open connections."""
        with suppress(RuntimeError):  # one comes or goes meanwhile
            return list(getattr(getattr(self.server, "server_state", None), "connections", ()))
        return []

    @property
    def address(self) -> str:
        """Where it listens: ``host:port``, or the path of a Unix socket; "" if that is not known."""
        for server in getattr(self.server, "servers", ()):
            for sock in getattr(server, "sockets", ()):
                return _named(sock.getsockname())
        for sock in _listening(self.loop):
            return _named(sock)
        return ""


def find() -> Served | None:
    """The loop that serves; of several, the first one that has a server. None if there is no loop at all.

    May be called in any thread.
    """
    candidates = [_described(loop, thread) for loop, thread in _running().items()]
    main = threading.main_thread().ident
    candidates.sort(
        key=lambda one: (not one.kind, not one.address, one.thread != main, not asyncio.all_tasks(one.loop))
    )
    return candidates[0] if candidates else None


def _running() -> dict[asyncio.AbstractEventLoop, int]:
    """The loops that run in this process, each with the identity of its thread, or 0."""
    found: dict[asyncio.AbstractEventLoop, int] = {}
    mine = threading.get_ident()
    own = {thread.ident for thread in threading.enumerate() if thread.name.startswith("loopviz ")}
    for thread, frame in sys._current_frames().items():
        if thread != mine and thread not in own:
            for loop in _loops_in(frame):
                found.setdefault(loop, thread)
    for task in _known_tasks():
        with suppress(Exception):  # a subclass of Task may do anything
            loop = task.get_loop()
            if loop.is_running():
                found.setdefault(loop, 0)
    return found


def _loops_in(frame: FrameType | None) -> Iterator[asyncio.AbstractEventLoop]:
    while frame is not None:
        for value in list(frame.f_locals.values()) if _may_run(frame) else ():
            loop = value
            if isinstance(value, asyncio.Runner):
                loop = getattr(value, "_loop", None)
            if isinstance(loop, asyncio.AbstractEventLoop) and loop.is_running():
                yield loop
        frame = frame.f_back


def _may_run(frame: FrameType) -> bool:
    """Whether a function can be one that runs a loop: local variables of others are not read."""
    names = {*frame.f_code.co_names, *frame.f_code.co_varnames}
    return bool(names & {"run_forever", "run_until_complete", "run", "_run_once", "serve"})


def _known_tasks() -> list[Any]:
    """The tasks that asyncio keeps for all loops; without its private names none."""
    module = asyncio.tasks
    found: list[Any] = []
    for name in ("_all_tasks", "_scheduled_tasks"):
        with suppress(Exception):  # a task comes or goes meanwhile
            found += list(getattr(module, name, ()))
    return found


def _described(loop: asyncio.AbstractEventLoop, thread: int) -> Served:
    for code, inner in _coroutines(loop):
        if code.co_qualname in _UVICORN and "uvicorn" in code.co_filename:
            server = inner.f_locals.get("self")
            if hasattr(server, "config"):
                return Served(loop, thread, "uvicorn", server)
        elif code.co_qualname == _HYPERCORN and "hypercorn" in code.co_filename:
            return Served(loop, thread, "hypercorn")
    kind = "granian" if "granian" in sys.modules else ""
    return Served(loop, thread, kind)


def _coroutines(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Any, FrameType]]:
    """The code and the frame of what each task of a loop awaits, from its own coroutine inwards."""
    try:
        tasks = list(asyncio.all_tasks(loop))
    except RuntimeError:  # they come and go too fast
        return
    for task in tasks:
        try:
            inner: Any = task.get_coro()
        except Exception:  # noqa: S112 - a subclass of Task may do anything
            continue
        for _ in range(_LONGEST):
            frame = getattr(inner, "cr_frame", None)
            if frame is None:
                break
            yield frame.f_code, frame
            inner = getattr(inner, "cr_await", None)


def _listening(loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """The names of the sockets at which a loop waits for connections; none on uvloop."""
    selector = getattr(loop, "_selector", None)
    accepts = getattr(socket, "SO_ACCEPTCONN", None)
    if selector is None or accepts is None:
        return
    try:
        fds = list(selector.get_map() or ())
    except RuntimeError:  # one comes or goes meanwhile
        return
    for fd in fds:
        try:
            sock = socket.socket(fileno=fd)
        except OSError:
            continue
        try:
            if sock.getsockopt(socket.SOL_SOCKET, accepts):
                yield sock.getsockname()
        except OSError:
            pass
        finally:
            sock.detach()  # it is not ours to close


def _named(name: Any) -> str:
    if isinstance(name, tuple) and len(name) >= 2:
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return name if isinstance(name, str) else ""
