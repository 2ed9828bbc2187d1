"""Text from outside, made safe to print. It imports nothing, so that short commands stay short."""

from __future__ import annotations

__all__ = ["printable"]

_SPACES = {0xA0: " ", 0x202F: " "}
"""No-break spaces, which are ordinary in French, and are as wide."""


def printable(text: str, limit: int = 200) -> str:
    """Text from outside, safe to draw: characters that can control a terminal are written out."""
    shown = text[: limit + 1].translate(_SPACES)
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return shown if len(text) <= limit else shown[:limit] + "…"
