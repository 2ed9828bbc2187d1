"""Which part of a timeline is shown: the state of the screen, without the screen."""

from loopviz.tui.view.moving import NARROWEST, WIDEST
from loopviz.tui.view.rows import SORTS, Sort, time_lost
from loopviz.tui.view.view import Look, Pace, View
from loopviz.tui.view.window import COLUMN_WIDTHS, ROUND

__all__ = [
    "COLUMN_WIDTHS",
    "NARROWEST",
    "ROUND",
    "SORTS",
    "WIDEST",
    "Look",
    "Pace",
    "Sort",
    "View",
    "time_lost",
]
