"""How a server recognises the requests of loopviz's own client."""

from __future__ import annotations

from typing import Final

__all__ = ["HEADER"]

HEADER: Final = "x-loopviz-request"
"""The header with the number of a request of loopviz's own client, after a secret of the session."""
