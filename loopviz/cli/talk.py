"""``loopviz talk``: a talk on the stage, step by step."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from loopviz.cli.arguments import add_ascii, add_loop, add_theme, number, seconds
from loopviz.cli.run import show

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "talk",
        help="hold a talk, step by step",
        description="Hold a talk: each step is predicted, fired and explained. 'loopviz notes' in a second "
        "terminal shows what to say.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a TOML file of steps (default: the built-in talk on the states of a request)",
    )
    parser.add_argument(
        "--step", type=number(1, 99), default=1, metavar="N", help="begin with this step (default: 1)"
    )
    parser.add_argument(
        "--play",
        type=seconds,
        nargs="?",
        const=4.0,
        metavar="SECONDS",
        help="play all by itself, and show what stands still for so many seconds (default: 4)",
    )
    add_loop(parser)
    add_theme(parser)
    add_ascii(parser)
    parser.set_defaults(command=talk, port=0, threads=40, requests=None, record=None)


def talk(options: argparse.Namespace) -> int:
    """Show the stage until the user quits; the exit code."""
    from loopviz.cli.console import require_terminal, screen_palette
    from loopviz.cli.importing import importing
    from loopviz.errors import InputError
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.scenario import find, read
    from loopviz.talk import Link, builtin_talk, private_folder, read_talk
    from loopviz.tui import Aside
    from loopviz.tui.screens.talk import Lecture

    palette = screen_palette(options)
    path = builtin_talk() if options.file is None else Path(options.file)
    talked = read_talk(path)
    if options.step > len(talked.steps):
        raise InputError(
            f"There is no step {options.step}: {path.name} has {len(talked.steps)}.\nBegin with one of those."
        )
    require_terminal("Without one, use 'loopviz record SCENARIO'; 'loopviz scenarios' lists them.")
    named = dict.fromkeys(step.file for step in talked.steps if step.file is not None)
    catalogue = find()
    # With files of its own, the catalogue is not served as well: they may use the same keys and paths.
    paths = catalogue if set(named) <= set(catalogue) else list(named)
    folder = private_folder()
    aside = Aside()
    with Workspace():
        try:
            aside.read_nothing()
            with importing(aside.keys, lambda: aside.hold(screen=False)) as reading:
                files = read(paths, reading)
            with Link(folder) as link:
                by_path = {file.file: file for file in files}
                lecture = Lecture(talked, by_path, options.step, options.play, link.publish)
                return show(files, options, palette, None, None, None, aside, lecture)
        finally:
            aside.release()
