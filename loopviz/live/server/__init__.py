"""The server: the scenarios' applications under uvicorn, in a thread of its own."""

from loopviz.live.server.abandoning import Abandoning
from loopviz.live.server.apps import Apps
from loopviz.live.server.thread import ServerThread, bind

__all__ = ["Abandoning", "Apps", "ServerThread", "bind"]
