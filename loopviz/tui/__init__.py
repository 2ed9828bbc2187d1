"""The screen. Only this package imports Textual."""

from loopviz.tui.app import LoopvizApp
from loopviz.tui.aside import Aside
from loopviz.tui.trigger import Trigger, parse_trigger

__all__ = ["Aside", "LoopvizApp", "Trigger", "parse_trigger"]
