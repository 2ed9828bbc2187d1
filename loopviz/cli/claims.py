"""``loopviz claims``: test common claims about FastAPI by experiment."""

from __future__ import annotations

import argparse
from typing import Any

from loopviz.cli.arguments import add_ascii, add_json, add_loop

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "claims",
        help="test common claims about FastAPI",
        description="Test common claims about FastAPI. A verdict is computed from what is measured.",
    )
    parser.add_argument("claims", nargs="*", metavar="ID", help="a claim's id (default: all claims)")
    parser.add_argument(
        "--scenarios",
        default=None,
        metavar="FOLDER",
        help="use the scenarios in FOLDER instead of built-in ones with the same name",
    )
    add_json(parser)
    add_loop(parser)
    add_ascii(parser)
    parser.set_defaults(command=claims)


def claims(options: argparse.Namespace) -> int:
    """Run these claims, or all, and print each verdict as soon as it is known; the exit code."""
    from loopviz.cli.console import palette_for, show_progress
    from loopviz.cli.verdicts import run_claims
    from loopviz.live.helpers.workspace import Workspace

    with Workspace():
        return run_claims(
            options.claims,
            loop=options.loop,
            palette=palette_for(options),
            as_json=options.json,
            folder=options.scenarios,
            progress=show_progress,
        )
