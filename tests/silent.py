"""A server in a process of its own that is watched by a `Watch`, and what the model makes of it, live."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from operator import itemgetter
from typing import Any, Self

from loopviz.clock import now_ns
from loopviz.live.hog import Watch
from loopviz.live.hog.watch import EVERY
from loopviz.model import Timeline
from loopviz.stream import blackbox
from loopviz.stream.buffer import Buffer, Reorder
from loopviz.stream.events import Event
from loopviz.wire import Decoder

MARGIN = 50_000_000


class Silent:
    """The process, while the `with` block lasts; `timeline` is fed 60 times a second, as a screen does."""

    def __init__(self, python: str = sys.executable) -> None:
        self.timeline = Timeline()
        self.events: list[Event] = []
        self.hello: dict[str, Any] = {}
        self.failures: list[str] = []
        self._python = python
        self._buffer = Buffer()
        self._reorder = Reorder(MARGIN)
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        box = os.memfd_create("loopviz")
        os.ftruncate(box, blackbox.SIZE)
        reads, writes = os.pipe()
        ours, theirs = socket.socketpair()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        files = (box, writes, theirs.fileno(), listening.fileno())
        command = [self._python, "-P", "-m", "tests.silent_child", *map(str, files)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(command, pass_fds=files, env=environment)
        os.close(writes)
        theirs.close()
        listening.close()
        self._wire = ours
        self.watch = Watch(self.process.pid, self._take, box=box, pipe=reads)
        self._thread = threading.Thread(target=self._link, daemon=True)
        self._thread.start()
        end = time.monotonic() + 20
        while not self.hello and time.monotonic() < end:
            time.sleep(0.01)
        assert self.hello, "the process did not start"
        self.get("/quick")
        time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self._ended.set()
        self._thread.join(5)
        self._wire.close()
        self.watch.close()

    def _link(self) -> None:
        decoder = Decoder()
        while not self._ended.is_set():
            if select.select([self._wire], [], [], EVERY)[0]:
                data = self._wire.recv(1 << 20)
                if not data:
                    return
                for message in decoder.feed(data):
                    if message[0] == "hello":
                        self.hello = message[1]
                        self.watch.hello(self.hello)
                    elif message[0] == "events":
                        self._take(self.watch.heard(now_ns(), message[1]))
                        self.failures = message[2]
            self.watch.look(now_ns())

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._buffer.emit(event)

    def feed(self, *, everything: bool = False) -> Timeline:
        """The timeline as a screen would have it now."""
        new = self._buffer.drain()
        self.events += new
        ripe = self._reorder.push(new, now_ns())
        if everything:
            ripe += self._reorder.flush()
        self.timeline.feed(ripe)
        return self.timeline

    def get(self, path: str) -> None:
        """A request, answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            connection.getresponse().read()
        connection.close()

    def send(self, *paths: str) -> list[threading.Thread]:
        """Requests at once, each on a connection of its own."""
        threads = [threading.Thread(target=self.get, args=(path,), daemon=True) for path in paths]
        for thread in threads:
            thread.start()
        return threads

    def replayed(self) -> Timeline:
        """A timeline of all events in the order of their time."""
        self.feed(everything=True)
        line = Timeline()
        for start in range(0, len(self.events), 1):
            line.feed(self.events[start : start + 1])
        del line
        line = Timeline()
        line.feed(sorted(self.events, key=itemgetter(0)))
        return line
