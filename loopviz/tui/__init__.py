"""The screen. Only this package imports Textual."""

from loopviz.tui.app import LoopvizApp
from loopviz.tui.aside import Aside
from loopviz.tui.notes import NotesApp
from loopviz.tui.screens.talk import Lecture
from loopviz.tui.trigger import Trigger, parse_trigger

__all__ = ["Aside", "Lecture", "LoopvizApp", "NotesApp", "Trigger", "parse_trigger"]
