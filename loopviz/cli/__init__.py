"""The command line: a module for each command. Importing it imports nothing heavy."""

from loopviz.cli.main import main

__all__ = ["main"]
