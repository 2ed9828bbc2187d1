"""The probe: sees a uvicorn server's event loop, tasks, requests and threads, and only tells.

It hooks one loop and nothing else of the process, and every hook is an attribute that is put
back by `Probe.uninstall`. What it sees it appends to a `loopviz.stream.buffer.Buffer`.
"""

from loopviz.probe.probe import Blind, Probe
from loopviz.probe.requests import HEADER

__all__ = ["HEADER", "Blind", "Probe"]
