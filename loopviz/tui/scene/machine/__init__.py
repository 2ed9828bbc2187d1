"""The machine view: the event loop, its queues and pools, and where each request is."""

from loopviz.tui.scene.machine.body import MachineBody

__all__ = ["MachineBody"]
