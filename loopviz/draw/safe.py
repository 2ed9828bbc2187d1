"""Text from outside, made safe to print. It imports nothing, so that short commands stay short."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str, limit: int = 200) -> str:
    """Text from outside, safe to draw: characters that can control a terminal are written out."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "…"
