"""loopviz: see live which request holds a FastAPI server's event loop, and which ones it delays."""

__version__ = "0.1.0"
