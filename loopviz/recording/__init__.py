"""Recordings: a session's events in a file, written while they happen and read with suspicion.

The format is told in ``docs/recording.md``.
"""

from loopviz.recording.format import FORMAT, VERSION, Header, Recorded
from loopviz.recording.read import Recording, open_recording
from loopviz.recording.write import History, Recorder

__all__ = [
    "FORMAT",
    "VERSION",
    "Header",
    "History",
    "Recorded",
    "Recorder",
    "Recording",
    "open_recording",
]
