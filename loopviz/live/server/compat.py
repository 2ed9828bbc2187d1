"""Every name that the server uses outside the documented interfaces of uvicorn and Starlette.

Each name is in this module once, with what is done or reported without it. Seen in uvicorn 0.38.0 to
0.54.0 and Starlette 1.10.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from loopviz.probe.compat import installed

__all__ = [
    "STARTUP_FAILED",
    "UnsupportedError",
    "as_called",
    "end",
    "has_started",
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


def as_called(app: Any) -> Any:
    """The application as uvicorn calls it: a factory is called, one of ASGI 2 is wrapped.

    Without uvicorn's names, the application itself.
    """
    config = uvicorn.Config(app, log_config=None, proxy_headers=False)
    try:
        config.load()
        called = _required(config, "loaded_app")
    except Exception:  # uvicorn's own, of this version; what the application raises is seen when it is called
        return app
    return called
