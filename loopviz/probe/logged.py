"""Exceptions that a framework handles itself: it logs them, or answers while it handles them.

Django, Quart, Litestar and BlackSheep let no exception out: they answer with 500. Then the exception is known
from the log, or because it is being handled while the head of the response is sent. An exception that is an
answer, as an HTTPException with the status that is sent, is no failure.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from threading import Lock
from typing import Any

from loopviz.probe.exceptions import described, report
from loopviz.probe.state import ProbeState

__all__ = ["FAILED", "answered", "watch_log"]

FAILED = 500
"""The first status that says that the server has failed."""
_MOST = 1_000
"""So many exceptions are kept that were logged for a request that has not been answered."""

_lock = Lock()
_states: list[ProbeState] = []


class _Hook:
    """The method of all loggers that is given what they log."""

    before: Callable[[logging.Logger, logging.LogRecord], None] | None = None
    installed: Callable[[logging.Logger, logging.LogRecord], None] | None = None


def watch_log(state: ProbeState) -> Callable[[], None]:
    """Note the exceptions that are logged while code runs for a request. Returns what ends that."""
    with _lock:
        if not _states or vars(logging.Logger).get("handle") is not _Hook.installed:
            _install()
        _states.append(state)

    def unwatch() -> None:
        with _lock:
            if state in _states:
                _states.remove(state)
            # Somebody else may have replaced it since: then ours stays, and passes everything on.
            if not _states and vars(logging.Logger).get("handle") is _Hook.installed and _Hook.before:
                logging.Logger.handle = _Hook.before  # type: ignore[assignment, method-assign]

    return unwatch


def _install() -> None:
    before = logging.Logger.handle

    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        if record.exc_info and record.levelno >= logging.ERROR:
            _note(record)
        before(self, record)

    _Hook.before, _Hook.installed = before, handle
    logging.Logger.handle = handle  # type: ignore[method-assign]


def _note(record: logging.LogRecord) -> None:
    """Keep the exception for the request that it was logged for; never raises."""
    for state in _states:
        try:
            request = state.request.get()
            error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
            if request and error is not None:
                if len(state.logged) >= _MOST:
                    state.logged.pop(next(iter(state.logged)), None)
                state.logged[request] = (*described(error), _status_of(error))
        except Exception as failure:
            state.failed("log", failure)


def answered(state: ProbeState, request: int, status: int) -> None:
    """The head of a response is sent: report the exception that was the reason, if there was one."""
    logged = state.logged.pop(request, None) if state.logged else None
    if status < FAILED:
        return
    if logged is None and (error := sys.exc_info()[1]) is not None:
        logged = (*described(error), _status_of(error))
    if logged is not None and logged[2] != status:
        report(state, request, *logged[:2])


def _status_of(error: Any) -> int:
    """The status of the response that an exception stands for; 0 for none."""
    found = (getattr(error, name, None) for name in ("status_code", "code", "status"))
    return next((status for status in found if type(status) is int), 0)
