"""The code view: the source of what runs, and where each request is in it."""

from loopviz.tui.scene.code.body import CodeBody

__all__ = ["CodeBody"]
