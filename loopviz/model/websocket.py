"""What passes through a WebSocket."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WebSocket"]


@dataclass(slots=True)
class WebSocket:
    """The messages of a connection, as the application receives and sends them."""

    received: int = 0
    sent: int = 0
    code: int | None = None
    """The close code; None while it is open, or where the application did not learn of it."""
