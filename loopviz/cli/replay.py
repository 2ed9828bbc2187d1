"""``loopviz replay``: a recording, in the same screen as a live server."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from loopviz.cli.arguments import add_ascii, add_theme
from loopviz.cli.plain import add_plain
from loopviz.draw.safe import printable
from loopviz.errors import InputError

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "replay",
        help="show a recording in the same screen",
        description="Show what 'loopviz run --record' or 'loopviz record -o' has written.",
    )
    parser.add_argument("file", metavar="FILE", help="a recording")
    add_theme(parser)
    add_ascii(parser)
    add_plain(parser)
    parser.set_defaults(command=replay)


def replay(options: argparse.Namespace) -> int:
    """Show a recording until the user quits; the exit code."""
    from loopviz.cli.console import require_terminal, screen_palette
    from loopviz.recording.replay import Replay, timeline_for_replay

    palette = screen_palette(options)
    source = Replay(options.file)
    if options.plain:
        return _plain(source, options)
    try:
        require_terminal("Without one, use --plain, or 'loopviz export'; see 'loopviz export --help'.")
    except InputError:
        source.stop()
        raise
    from loopviz.tui import Aside, LoopvizApp

    aside = Aside()
    app = LoopvizApp(
        source,
        palette,
        timeline=timeline_for_replay(source.recording.header),
        leave=lambda: os._exit(0),
        aside=aside,
    )
    try:
        aside.read_nothing()
        aside.take()
        app.run()
    finally:
        aside.release()
        source.stop()
        _say_damage(source)
    return app.return_code or app.return_value or 0


def _plain(source: Any, options: argparse.Namespace) -> int:
    """Say what was recorded in sentences; the exit code."""
    from loopviz.cli.plain import recorded

    try:
        return recorded(source, options)
    finally:
        source.stop()
        _say_damage(source)


def _say_damage(source: Any) -> None:
    if source.damage is not None:
        print(printable(f"{source.recording.path}: {source.damage}", 4_096), file=sys.stderr)
