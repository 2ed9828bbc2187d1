"""Talks: steps for the stage, read from a TOML file, and where the speaker's notes find them."""

from loopviz.talk.folder import private_folder
from loopviz.talk.link import Link, Note, follow, held
from loopviz.talk.progress import Phase, Progress
from loopviz.talk.reading import builtin_talk, read_talk
from loopviz.talk.steps import Question, Step, Talk

__all__ = [
    "Link",
    "Note",
    "Phase",
    "Progress",
    "Question",
    "Step",
    "Talk",
    "builtin_talk",
    "follow",
    "held",
    "private_folder",
    "read_talk",
]
