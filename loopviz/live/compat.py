"""The one name that the client uses outside the documented interface of httpcore. Seen in httpcore 1.0.9."""

from __future__ import annotations

from typing import Final

__all__ = ["SENDING"]

SENDING: Final = "http11.send_request_headers.started"
"""The trace event between the connection and the first byte sent. It is documented as subject to change.
Without it requests do not wait for each other's connections, and a request counts as sent from when its
connection was asked for; that is reported as not visible."""
