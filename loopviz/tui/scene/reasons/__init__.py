"""The reasons view: what was found, why it happens and what to do."""

from loopviz.tui.scene.reasons.body import ReasonsBody
from loopviz.tui.scene.reasons.known import Known

__all__ = ["Known", "ReasonsBody"]
