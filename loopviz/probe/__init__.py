"""The probe: watches a uvicorn server's event loop, tasks, requests and threads, and changes nothing.

It hooks one loop and nothing else of the process, and every hook is an attribute that is put back by
`Probe.uninstall`. What it sees it appends to a `loopviz.stream.buffer.Buffer`.
"""

from loopviz.probe.probe import Probe

__all__ = ["Probe"]
