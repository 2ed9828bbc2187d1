"""How often something is said: a few sentences a second at most, and fewer the longer it lasts."""

from __future__ import annotations

from loopviz.clock import NS

__all__ = ["Pace", "repeat_after"]

_AT_ONCE = 5.0
"""So many sentences may be said at once."""
_A_SECOND = 2.0
"""As many more may be said in each second."""
_SHORTEST = NS // 4
"""The shortest time between two sentences of a kind (ns)."""
_LONGEST = 10 * NS
_SHARE = 10
"""Sentences of a kind are at least this part of the time apart that has passed."""
_REPEATS = (2 * NS, 5 * NS, 10 * NS, 30 * NS, 60 * NS)
"""After these times what lasts is said again; then every minute."""


class Pace:
    """Counts what is said, in the time of the events. `begin` is its zero."""

    def __init__(self) -> None:
        self._left = _AT_ONCE
        self._counted = 0
        self._zero = 0
        self._said: dict[str, int] = {}

    def begin(self, zero: int) -> None:
        """A new burst begins at `zero` (ns)."""
        self._zero = zero
        self._said.clear()

    def free(self, t: int) -> bool:
        """Whether anything may be said at `t`."""
        if t > self._counted:
            self._left = min(_AT_ONCE, self._left + _A_SECOND * (t - self._counted) / NS)
            self._counted = t
        return self._left >= 1

    def due(self, kind: str, t: int) -> bool:
        """Whether the last sentence of this kind is long enough ago."""
        before = self._said.get(kind)
        gap = min(_LONGEST, max(_SHORTEST, (t - self._zero) // _SHARE))
        return before is None or t - before >= gap

    def may(self, kind: str, t: int) -> bool:
        """Whether a sentence of this kind may be said at `t`."""
        return self.free(t) and self.due(kind, t)

    def count(self, t: int) -> None:
        """A sentence was said."""
        self.free(t)
        self._left -= 1

    def said(self, kind: str, t: int) -> None:
        """What there is to say of this kind was said."""
        self._said[kind] = t


def repeat_after(lasted: int) -> int:
    """How long something will have lasted (ns) when it is said again that has lasted so long."""
    for after in _REPEATS:
        if after > lasted:
            return after
    minute = _REPEATS[-1]
    return (lasted // minute + 1) * minute
