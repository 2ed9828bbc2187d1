"""The server: the scenarios' applications under uvicorn, in a thread of its own."""

from loopviz.live.server.apps import Apps
from loopviz.live.server.thread import ServerThread, bind

__all__ = ["Apps", "ServerThread", "bind"]
