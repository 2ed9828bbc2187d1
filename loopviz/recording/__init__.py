"""Recordings: the events of a session in a file, written while they happen and checked when read.

``docs/recording.md`` describes the format. What reads them is in `loopviz.recording.read`: it is
not needed where they are written.
"""

from loopviz.recording.format import FORMAT, VERSION
from loopviz.recording.header import Header, ScenarioSnapshot
from loopviz.recording.place import Place
from loopviz.recording.write import History, Recorder

__all__ = [
    "FORMAT",
    "VERSION",
    "Header",
    "History",
    "Place",
    "Recorder",
    "ScenarioSnapshot",
]
