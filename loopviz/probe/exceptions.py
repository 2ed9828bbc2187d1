"""The exceptions that an application lets out, seen where uvicorn logs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe.state import ProbeState
from loopviz.stream.events import RAISED

__all__ = ["Logger", "described", "report"]

_LONGEST = 200
"""Characters of a message."""
_NAMED = 2
"""How many exceptions of a group are named."""
_MOST = 1_000
"""So many requests are known whose exception was reported."""


def report(state: ProbeState, request: int, name: str, message: str) -> None:
    """Report the exception of a request, once: one that is answered may be let out afterwards."""
    if state.raised.get(request) != (name, message):
        if len(state.raised) >= _MOST:
            state.raised.pop(next(iter(state.raised)), None)
        state.raised[request] = name, message
        state.emit((clock(), RAISED, request, name, message))


class Logger:
    """Stands in for the logger of one request's object, and passes everything on.

    An exception is seen whatever the logger's configuration is, and it is known whose it is. `served` says
    whether a code object is the one in which uvicorn catches what the application lets out.
    """

    def __init__(self, logger: Any, state: ProbeState, request: int, served: Callable[[Any], bool]) -> None:
        self._logger = logger
        self._state = state
        self._request = request
        self._served = served

    @property
    def replaced(self) -> Any:
        """The logger itself."""
        return self._logger

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked for by `copy`, before a copy has a logger
            raise AttributeError(name)
        return getattr(self._logger, name)

    def error(self, *args: Any, stacklevel: int = 1, **options: Any) -> Any:
        """As the logger's, for the same caller."""
        self._note(options.get("exc_info"))
        return self._logger.error(*args, stacklevel=stacklevel + 1, **options)

    def exception(self, *args: Any, exc_info: Any = True, stacklevel: int = 1, **options: Any) -> Any:
        """As the logger's, for the same caller."""
        self._note(exc_info)
        passed_on = self._logger.exception
        return passed_on(*args, exc_info=exc_info, stacklevel=stacklevel + 1, **options)

    def _note(self, exc_info: Any) -> None:
        """Report an exception that the application has let out; never raises."""
        try:
            if isinstance(exc_info, tuple):
                error = exc_info[1]
            else:
                error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
            if not exc_info or error is None:
                return
            # A library may log exceptions of its own here: those were not caught around the application.
            caught = error.__traceback__
            if caught is not None and self._served(caught.tb_frame.f_code):
                report(self._state, self._request, *described(error))
        except Exception as failure:
            self._state.failed("exception", failure)


def described(error: BaseException) -> tuple[str, str]:
    """An exception's class and message. A group is described by the exceptions in it: one stands for it."""
    if not isinstance(error, BaseExceptionGroup):
        return type(error).__name__, _text(error)
    leaves = list(_leaves(error))
    if len(leaves) == 1:
        return type(leaves[0]).__name__, _text(leaves[0])
    named = [f"{type(leaf).__name__}: {_text(leaf)}".removesuffix(": ") for leaf in leaves[:_NAMED]]
    more = len(leaves) - len(named)
    also = f" and {more} more" if more else ""
    kept = (_LONGEST - len(also)) // len(named) - 2
    return type(error).__name__, ", ".join(text[:kept] for text in named) + also


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The exceptions of a group and of the groups in it, in their order."""
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(reversed(error.exceptions))
        else:
            yield error


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST]
    except Exception:  # its own method raises
        return ""
