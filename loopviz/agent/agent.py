"""The agent: lets viewers into a process, and has the probe installed while there are any."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopviz.agent.look import Look

__all__ = ["WATCH", "Agent"]

WATCH = "watch"
"""What a viewer calls first. Who says nothing, such as a process that looks whether anybody listens, is not
taken for a viewer."""
_IMPORT = 5.0
"""How long a fork may wait until an import is complete (s)."""
_GREETING = 5.0
"""How long a viewer may take to say it (s)."""


class Agent:
    """One for a process. It imports the probe for the first viewer. `left` is called after the last one."""

    def __init__(self, left: Callable[[], None] = lambda: None) -> None:
        self._left = left
        self._lock = threading.Lock()
        self._importing = threading.Lock()
        self._look: Look | None = None

    def visit(self, connection: socket.socket) -> None:
        """Let a viewer in; returns at once."""
        thread = threading.Thread(
            target=self._welcome, args=(connection,), name="loopviz visitor", daemon=True
        )
        thread.start()

    def hold(self) -> None:
        """The process is about to fork: an import that is not complete would never be in the other one."""
        self._importing.acquire(timeout=_IMPORT)

    def go_on(self) -> None:
        """It has forked."""
        with suppress(RuntimeError):  # it took too long
            self._importing.release()

    def forked(self) -> None:
        """This is a process that was forked off: it has no viewers."""
        look, self._look, self._lock = self._look, None, threading.Lock()
        self._importing = threading.Lock()
        if look is not None:
            look.drop()

    def _welcome(self, connection: socket.socket) -> None:
        with self._importing:
            from loopviz.wire.frames import WireError, encode  # noqa: PLC0415 - see `loopviz.agent.door`
            from loopviz.wire.messages import FAILED  # noqa: PLC0415

        try:
            asked = _greeted(connection)
            if asked is None:
                connection.close()
                return
            failed = self._admit(connection, *asked)
        except (OSError, WireError):
            connection.close()
            return
        except Exception as error:  # nothing of loopviz's may reach the application
            failed = f"The probe cannot be loaded there: {type(error).__name__}: {error}", ""
        if failed is not None:
            try:
                connection.settimeout(1.0)
                connection.sendall(encode((FAILED, *failed)))
            except OSError:
                pass
            finally:
                connection.close()

    def _admit(self, connection: socket.socket, serving: object = False) -> tuple[str, str] | None:
        """Report to a viewer from now on; why not, and what can be done, if that is not possible.

        `serving` says that a loop is not wanted that runs no server that is known.
        """
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            return (
                "Its Python runs without the GIL, which loopviz does not support: states would be wrong.",
                "Start the server with PYTHON_GIL=1.",
            )
        with self._importing:
            from loopviz.agent.serving import find  # noqa: PLC0415

        with self._lock:
            if self._look is None:
                served = find()
                if served is None or (serving and not served.kind):
                    return "No event loop runs in this process.", "Attach to the process that serves."
                with self._importing:
                    from loopviz.agent.look import Look  # noqa: PLC0415

                look = Look(served, self._over)
                look.begin()
                self._look = look
            self._look.add(connection)
        return None

    def _over(self) -> None:
        """The last viewer has gone."""
        threading.Thread(target=self._end, name="loopviz end", daemon=True).start()

    def _end(self) -> None:
        with self._lock:  # who comes meanwhile waits until the hooks are gone
            look = self._look
            if look is None or look.viewers:
                return
            look.end()
            self._look = None
        self._left()


def _greeted(connection: socket.socket) -> tuple[Any, ...] | None:
    """What the one who has come wants to watch; None if it does not."""
    from loopviz.wire.frames import Decoder  # noqa: PLC0415
    from loopviz.wire.messages import CALL  # noqa: PLC0415

    decoder, until = Decoder(), time.monotonic() + _GREETING
    while True:
        connection.settimeout(max(0.01, until - time.monotonic()))
        data = connection.recv(4_096)
        if not data:
            return None
        for message in decoder.feed(data):
            asked: tuple[Any, ...] = message
            watches = asked[0] == CALL and len(asked) == 4 and asked[2] == WATCH
            return tuple(asked[3]) if watches else None
