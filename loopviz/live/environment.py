"""What the server runs on."""

from __future__ import annotations

import platform

from loopviz import __version__
from loopviz.errors import InputError
from loopviz.scenario import gil_enabled
from loopviz.stream.source import Environment

__all__ = ["environment", "require_gil"]


def environment(loop: str, *, brief: bool = False) -> Environment:
    """What the server runs on, with this event loop.

    If `brief`, without platform and versions of libraries: to look them up takes as long as a frame.
    """
    return Environment(
        loopviz=__version__,
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        gil=gil_enabled(),
        event_loop=loop,
        fastapi="" if brief else _version("fastapi"),
        starlette="" if brief else _version("starlette"),
        uvicorn="" if brief else _version("uvicorn"),
        anyio="" if brief else _version("anyio"),
        platform="" if brief else platform.platform(terse=True),
    )


def require_gil() -> None:
    """Raise `InputError` where the GIL is disabled: the probe's hooks and counters rely on it.

    It is enabled by an extension module that needs it, so this is asked when the scenarios have been read.
    """
    if not gil_enabled():
        raise InputError(
            "This Python runs without the GIL, which loopviz does not support: it would show wrong states.\n"
            "Enable the GIL: set PYTHON_GIL=1, or use 'python -X gil=1 -m loopviz'."
        )


def _version(package: str) -> str:
    """The installed version of a package; empty if it is not installed."""
    from importlib import metadata  # noqa: PLC0415 - its import alone takes several milliseconds

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
