"""The names that client and session use outside the documented interfaces of httpcore and multiprocessing.

Seen in httpcore 1.0.9 and Python 3.11 to 3.14.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["SENDING", "end_multiprocessing"]

SENDING: Final = "http11.send_request_headers.started"
"""The trace event between the connection and the first byte sent. It is documented as subject to change.
Without it requests do not wait for each other's connections, and a request counts as sent from when its
connection was asked for; that is reported as not visible."""


def end_multiprocessing() -> None:
    """Do what multiprocessing does when Python ends: join its processes, release its semaphores.

    Without it, multiprocessing's resource tracker releases them, with a warning on the terminal.
    """
    end = getattr(sys.modules.get("multiprocessing.util"), "_exit_function", None)
    if end is not None:
        end()
