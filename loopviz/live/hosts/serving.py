"""A probed server, in the process and the thread in which it is to run."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from loopviz.live.hosts.host import Served
from loopviz.live.server.abandoning import Abandoning
from loopviz.live.server.beside import Beside
from loopviz.live.server.compat import as_called
from loopviz.live.server.thread import ServerThread
from loopviz.probe import Probe
from loopviz.stream.buffer import Buffer
from loopviz.stream.marked import HEADER

__all__ = ["Serving"]


class Serving:
    """An ASGI application under uvicorn, with a probe that writes to `buffer`.

    `load` returns the application. It is called on the server's loop, where uvicorn imports it too. `own` are
    files and folders whose code counts as the user's, and `settings` are uvicorn's.
    """

    def __init__(
        self,
        served: Served,
        sock: socket.socket,
        buffer: Buffer,
        load: Callable[[], Any],
        *,
        own: Iterable[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.probe = Probe(buffer, numbers=served.numbers, secret=served.secret, own=own, base=served.base)
        self._beside = Beside(served.secret)
        self._abandoning = Abandoning(self._beside, HEADER, f"{served.secret}-")
        self.server = ServerThread(
            self._abandoning,
            sock,
            threads=served.threads,
            loop=served.loop,
            watch=self.probe.install,
            unwatch=self._ended,
            load=partial(self._load, load),
            settings=settings,
        )

    def _load(self, load: Callable[[], Any]) -> None:
        self._beside.app = as_called(load())

    def _ended(self) -> None:
        self.probe.uninstall()
        self._beside.over()

    def give_up(self, numbers: Iterable[int]) -> None:
        """Do not begin these requests, and cancel what they await. May be called in any thread."""
        self._abandoning.give_up(numbers)
        self.server.call(self._abandoning.cancel)

    def copy(self, make: Callable[[], Any], forget: Callable[[], object], *, apart: bool) -> Future[None]:
        """Serve a changed copy of the application beside it; see `Beside.serve`."""
        return self.server.submit(self._beside.serve(make, forget, apart=apart))

    def end_copy(self) -> Future[None]:
        """Serve the copy no longer."""
        return self.server.submit(self._beside.end())
