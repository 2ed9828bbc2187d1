"""Which application is meant, and its routes: from what is typed to plain data."""

from loopviz.target.application import Application, load
from loopviz.target.finding import find
from loopviz.target.listing import asked_for, scenario_files
from loopviz.target.request_line import parse, text_of, with_line
from loopviz.target.routes import Route, routes

__all__ = [
    "Application",
    "Route",
    "asked_for",
    "find",
    "load",
    "parse",
    "routes",
    "scenario_files",
    "text_of",
    "with_line",
]
