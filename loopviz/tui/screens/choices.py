"""A list whose highlight is moved by the keys of a field above it."""

from __future__ import annotations

from textual.widgets import OptionList

__all__ = ["Choices"]


class Choices(OptionList, can_focus=False):
    """Headings and what can be chosen; it never has the focus."""

    def __init__(self) -> None:
        super().__init__(compact=True)

    def move(self, by: int) -> None:
        """Move the highlight; it skips the headings."""
        for _ in range(abs(by)):
            if by > 0:
                self.action_cursor_down()
            else:
                self.action_cursor_up()
