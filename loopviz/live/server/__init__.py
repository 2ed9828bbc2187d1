"""The server: the scenarios' applications under uvicorn, in a thread of its own."""

from loopviz.live.server.abandoning import Abandoning
from loopviz.live.server.apps import Apps
from loopviz.live.server.thread import AS_UVICORN, ServerThread, bind, named, reached

__all__ = ["AS_UVICORN", "Abandoning", "Apps", "ServerThread", "bind", "named", "reached"]
