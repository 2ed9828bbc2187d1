"""Keeps what is pasted short: ten megabytes are neither typed keys nor a filter."""

from __future__ import annotations

import re

__all__ = ["Pasting"]

_START, _END = "\x1b[200~", "\x1b[201~"
_LONGEST = 2_000
"""Characters of a paste that are taken."""
_TYPED = 64
"""More characters than that, read at once, have not been typed: they are pasted without brackets."""
_LOST = 5.0
"""Seconds of silence after which a paste is over although its end has not come."""
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|O.?|[^\[O])?", re.DOTALL)


class Pasting:
    """Filters what is read from the terminal, a part at a time.

    Of a paste in brackets the beginning is kept; of one without, the escape sequences among it.
    """

    def __init__(self) -> None:
        self._room: int | None = None
        """How much more of the current paste is taken; None outside of a paste."""
        self._before = ""
        """The end of the part before: outside of a paste it has been kept already, and inside not yet."""
        self._last = 0.0

    def kept(self, text: str, now: float) -> str:
        """What to take of `text`, which was read at `now` (s)."""
        kept = []
        if self._room is not None and now - self._last > _LOST:
            kept.append(_END)
            self._room, self._before = None, ""
        self._last = now
        while text:
            taken, text = self._outside(text) if self._room is None else self._inside(text)
            kept.append(taken)
        return "".join(kept)

    def _outside(self, text: str) -> tuple[str, str]:
        """What to take up to the beginning of a paste, and what follows it."""
        before = self._before
        start = (before + text).find(_START)
        if start < 0:
            self._before = (before + text)[1 - len(_START) :]
            return _typed(text), ""
        end = start + len(_START) - len(before)
        self._room, self._before = _LONGEST, ""
        opening = min(end, len(_START))  # the part of the bracket that is in this text
        return _typed(text[: end - opening]) + text[end - opening : end], text[end:]

    def _inside(self, text: str) -> tuple[str, str]:
        """What to take up to the end of the paste, and what follows it."""
        text, room = self._before + text, self._room or 0
        self._before = ""
        end = text.find(_END)
        if end >= 0:
            self._room = None
            return _harmless(text[: min(end, room)]) + _END, text[end + len(_END) :]
        held = next((n for n in range(len(_END) - 1, 0, -1) if text.endswith(_END[:n])), 0)
        self._before = text[len(text) - held :]
        text = text[: len(text) - held]
        self._room = max(0, room - len(text))
        return _harmless(text[:room]), ""


def _harmless(pasted: str) -> str:
    """A pasted escape would begin a sequence, and Textual take what follows for keys."""
    return pasted.replace("\x1b", "")


def _typed(text: str) -> str:
    if len(text) <= _TYPED or len(_SEQUENCE.sub("", text)) <= _TYPED:
        return text
    return "".join(_SEQUENCE.findall(text))
