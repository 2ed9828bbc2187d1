"""What the tests of the screens beside the picture have in common."""

from __future__ import annotations

from tests.test_screen import Driver

HOSTILE = "[red]\x1b[2J[/]速"
SMALL = (80, 24)


def shown(screen: Driver) -> str:
    """Everything on the terminal, as text; nothing in it may control a terminal."""
    lines = screen.app.screen._compositor.render_strips()
    text = "\n".join("".join(segment.text for segment in line if not segment.control) for line in lines)
    assert all(line.isprintable() for line in text.split("\n"))
    return text
