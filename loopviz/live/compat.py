"""Every name that a live server and the client use outside the documented interfaces of their libraries.

Each name is in this module once, with what is done or reported without it; the probe's own are in
`loopviz.probe.compat`. Seen in uvicorn 0.38.0 to 0.54.0, httpcore 1.0.9, Starlette 1.10.0 and CPython 3.13.0.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from loopviz.probe.compat import installed

if TYPE_CHECKING:  # the client needs none
    import uvicorn

__all__ = [
    "SENDING",
    "STARTUP_FAILED",
    "UnsupportedError",
    "end",
    "gil_enabled",
    "has_started",
    "lifespan_of",
    "loop_factory",
    "prepared_protocol",
]


class UnsupportedError(Exception):
    """An installed version of uvicorn without a name that the server thread cannot do without."""


def _required(owner: object, name: str) -> Any:
    found = getattr(owner, name, None)
    if found is None:
        raise UnsupportedError(f"{installed('uvicorn')} has no {type(owner).__name__}.{name}.")
    return found


# -- uvicorn: without one of these names the server does not start, and says which one is missing --


def loop_factory(config: uvicorn.Config) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop that the configuration names."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = _required(config, "get_loop_factory")()
    return factory


def prepared_protocol(config: uvicorn.Config) -> type:
    """The class of the HTTP protocol, after the configuration has been loaded."""
    _required(config, "load")()
    protocol: type = _required(config, "http_protocol_class")
    return protocol


def has_started(server: uvicorn.Server) -> bool:
    """Whether the server accepts connections."""
    return bool(_required(server, "started"))


def end(server: uvicorn.Server) -> None:
    """Ask the server to end: it looks at this attribute ten times a second."""
    server.should_exit = True


STARTUP_FAILED: Final = "Application startup failed. Exiting."
"""What uvicorn logs after a lifespan's own error. Without it, this or a similar line is shown as the reason
that the server did not start, instead of the error before it."""

# -- httpcore and Starlette -----------------------------------------------------------------------

SENDING: Final = "http11.send_request_headers.started"
"""The trace event between the connection and the first byte sent. It is documented as subject to change.
Without it requests do not wait for each other's connections, and a request counts as sent from when its
connection was asked for; that is reported as not visible."""


def lifespan_of(app: object) -> Callable[[Any], Any] | None:
    """An application's lifespan. None, and so no lifespan is run, without Starlette's attributes for it."""
    return getattr(getattr(app, "router", None), "lifespan_context", None)


# -- Python ---------------------------------------------------------------------------------------


def gil_enabled() -> bool:
    """Whether the GIL is enabled. The function is documented, since 3.13; before, the GIL always is."""
    function = getattr(sys, "_is_gil_enabled", None)
    return function() if function is not None else True
