"""Talks: steps for the stage, read from a TOML file, and where the speaker's notes find them."""

from loopviz.talk.progress import Phase, Progress
from loopviz.talk.reading import builtin_talk, read_talk
from loopviz.talk.steps import Question, Step, Talk

__all__ = ["Phase", "Progress", "Question", "Step", "Talk", "builtin_talk", "read_talk"]
