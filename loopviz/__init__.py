"""loopviz: see who is on the event loop of a FastAPI server, and who suffers, while it happens."""

__version__ = "0.1.0"
