"""The screen. Only this package imports Textual."""

from loopviz.tui.app import LoopvizApp

__all__ = ["LoopvizApp"]
