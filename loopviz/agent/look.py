"""From the first viewer of a process to the last one: the probe on the loop that serves, and its reporter."""

from __future__ import annotations

import asyncio
import itertools
import linecache
import os
import platform
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from typing import Any, Final, NamedTuple

from loopviz import __version__
from loopviz.agent.recent import Recent
from loopviz.agent.reporter import Reporter
from loopviz.agent.serving import Served
from loopviz.agent.viewer import Viewer
from loopviz.probe import Probe, compat
from loopviz.probe.leftovers import remove
from loopviz.stream.blind import REQUESTS
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import Event
from loopviz.wire.messages import EVENTS, FAILED, HELLO, PROTOCOL

__all__ = ["Look"]

_FOREIGN: Final = 1 << 40
"""The numbers of requests begin here: the viewer replaces them, see `loopviz.live.numbers`."""
_CAPACITY: Final = 100_000
_PATIENCE: Final = 0.2
"""Seconds between two looks at a loop that does not answer: it may have stopped."""
_UNKNOWN = "{} runs the application in a way that loopviz does not know"
_GRANIAN = "granian runs the application by callbacks of its own, from Rust: its requests have no task"


class Vitals(NamedTuple):
    """As `loopviz.stream.source.Vitals`, whose module would load more than a server should have to."""

    events: int
    dropped: int
    cost_ns: int
    failures: tuple[str, ...]


class Look:
    """Watches a loop for any number of viewers. Its methods are called in threads of the agent's.

    `over` is called when the last viewer has gone, in the reporter's thread.
    """

    def __init__(self, served: Served, over: Callable[[], None]) -> None:
        self._served = served
        self._over = over
        self._buffer = Buffer(_CAPACITY)
        self._recent = Recent()
        self._probe = Probe(self._buffer, numbers=itertools.count(_FOREIGN))
        self._reporter = Reporter(self._take, self._vitals, self._blind, {})
        self._threads = 0
        self._installed = False
        self._viewers = 0
        self._counting = threading.Lock()
        self._read_before = set(linecache.cache)

    @property
    def viewers(self) -> int:
        """How many there are."""
        return self._viewers

    def begin(self) -> None:
        """Install the probe as soon as the loop has time."""
        self._probe.test(self._served.loop)
        self._reporter.start()
        asyncio.run_coroutine_threadsafe(self._install(), self._served.loop)

    def add(self, connection: socket.socket) -> None:
        """Report to one more viewer."""
        with self._counting:
            self._viewers += 1
        viewer = Viewer(connection, self._left)
        vitals = self._vitals()
        known: tuple[Any, ...] = (
            EVENTS,
            self._recent.events(),
            vitals.events,
            vitals.dropped,
            vitals.cost_ns,
            [],
        )
        self._reporter.add(viewer, (HELLO, self._hello()), known)

    def end(self) -> None:
        """Remove the probe and everything that it has left. Waits until the loop has time for that."""
        loop = self._served.loop
        done = threading.Event()

        async def uninstall() -> None:
            self._uninstall()
            done.set()

        while not done.is_set():
            try:
                if not loop.is_running():
                    self._uninstall()
                    break
                asyncio.run_coroutine_threadsafe(uninstall(), loop)
            except RuntimeError:  # it is closed by now
                continue
            while not done.wait(_PATIENCE) and loop.is_running():
                pass
        self._reporter.stop()
        for key in set(linecache.cache) - self._read_before:
            linecache.cache.pop(key, None)

    def drop(self) -> None:
        """In a process that was forked off: the viewers are those of the other process."""
        for viewer in self._reporter.viewers:
            with suppress(OSError):
                viewer.close()

    async def _install(self) -> None:
        try:
            served = self._served
            self._probe.install(served.protocol)
            self._installed = True
            self._threads = _thread_limit()
            if served.kind == "granian":
                self._probe.not_seen(REQUESTS, _GRANIAN)
            elif served.kind == "hypercorn":
                self._probe.not_seen(
                    "how long a request waits until it is read",
                    "hypercorn reads it, and starts the application, before loopviz sees it",
                )
            elif served.kind != "uvicorn":
                what = f"{served.kind} " if served.kind else "its server"
                self._probe.not_seen(REQUESTS, _UNKNOWN.format(what.strip()))
            self._reporter.say((HELLO, self._hello()))
        except Exception as error:
            self._reporter.say((FAILED, f"The probe cannot watch this loop: {error}.", ""))

    def _uninstall(self) -> None:
        with suppress(Exception):
            self._probe.uninstall()
        if self._installed:
            with suppress(Exception):
                remove(self._served.loop, self._served.connections)

    def _left(self) -> None:
        with self._counting:
            self._viewers -= 1
            last = not self._viewers
        if last:
            self._over()

    def _take(self) -> list[Event]:
        events = self._buffer.drain()
        self._recent.keep(events)
        return events

    def _vitals(self) -> Any:
        buffer, probe = self._buffer, self._probe
        return Vitals(buffer.emitted, buffer.dropped, probe.cost_ns, tuple(probe.failures))

    def _blind(self) -> list[tuple[str, str]]:
        return [(what, why) for what, why in self._probe.blind]

    def _hello(self) -> dict[str, Any]:
        served = self._served
        return {
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "worker": 0,
            "environment": _environment(served),
            "address": served.address,
            "threads": self._threads,
            "loop_thread": served.native,
            "installed": self._installed,
            "signal": 0,
            "no_signal": "a server that was attached to keeps its signals as they are",
        }


def _thread_limit() -> int:
    limiter = compat.default_limiter()
    total = limiter.total_tokens if limiter is not None else 0
    return int(total) if total != float("inf") else 0


def _environment(served: Served) -> dict[str, Any]:
    """The fields of `loopviz.stream.source.Environment`."""
    kind = type(served.loop).__module__.partition(".")[0]
    enabled = getattr(sys, "_is_gil_enabled", None)
    return {
        "loopviz": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gil": enabled is None or bool(enabled()),
        "event_loop": kind,
        "platform": platform.platform(terse=True),
    } | {name: _version(name) for name in ("fastapi", "starlette", "uvicorn", "anyio")}


def _version(name: str) -> str:
    if name not in sys.modules:
        return ""
    with suppress(Exception):
        return metadata.version(name)
    return ""
