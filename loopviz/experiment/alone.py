"""One measured server at a time: what runs beside a measurement, in the same process, would change it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from loopviz.errors import InputError
from loopviz.live.session import Session

__all__ = ["LONGEST_END", "Cancelled", "Progress", "begin"]

Progress = Callable[[str], None]
"""Called now and then with a text for the person who waits, and with "" at the end."""

LONGEST_END = 30.0
"""How long the server of an earlier measurement is waited for (s)."""
_PATIENCE = 1.0
"""Seconds of silence before progress is shown."""

_lock = threading.Lock()
_measured: dict[Session, str] = {}
"""The sessions that have been started for a measurement and have not ended, and what they serve."""


class Cancelled(Exception):  # noqa: N818 - cancelling is not an error
    """The measurement was cancelled."""


def begin(
    session: Session,
    scenarios: Sequence[str],
    progress: Progress,
    cancelled: threading.Event | None = None,
) -> None:
    """Start a session for a measurement as soon as no other one measures, or still ends, in this process.

    Returns when it serves, or has failed to.

    Raises `InputError` if another one has not ended after `LONGEST_END` seconds, and `Cancelled` within
    0.1 s after `cancelled` has been set.
    """
    began = time.monotonic()
    reported = False
    try:
        while (others := _start(session, ", ".join(scenarios))) is not None:
            waited = time.monotonic() - began
            if cancelled is not None and cancelled.is_set():
                raise Cancelled
            if waited > LONGEST_END:
                raise InputError(
                    f"The server of {others} was asked to end, and still runs after {waited:.0f} s:"
                    " what is measured beside it would be wrong.\nLook for what still runs there, such as a"
                    " background task or a thread, and let it end; or measure that scenario on its own."
                )
            if waited > _PATIENCE:
                progress(f"waiting until the server of {others} has ended, {waited:.0f} s")
                reported = True
            time.sleep(0.05)
        began = time.monotonic()
        while session.starting:
            waited = time.monotonic() - began
            if cancelled is not None and cancelled.is_set():
                raise Cancelled
            if waited > _PATIENCE:
                progress(f"{', '.join(scenarios)}: the application starts, {waited:.0f} s")
                reported = True
            time.sleep(0.01)
    finally:
        if reported:
            progress("")


def _start(session: Session, scenarios: str) -> str | None:
    """Start it, if nothing else is measured. Otherwise: what the others serve."""
    with _lock:
        for other in [other for other in _measured if other.ended]:
            del _measured[other]
        if _measured:
            return ", ".join(_measured.values())
        _measured[session] = scenarios
        session.start()
        return None
