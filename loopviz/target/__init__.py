"""Which application is meant, and its routes: from what is typed to plain data."""

from loopviz.target.application import Application, load

__all__ = ["Application", "load"]
