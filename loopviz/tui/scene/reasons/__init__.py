"""The reasons view: what was found, why it happens and what to do."""

from loopviz.tui.scene.reasons.body import ReasonsBody

__all__ = ["ReasonsBody"]
