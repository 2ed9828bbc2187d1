"""``loopviz notes``: the speaker's notes of a talk that is held in another terminal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from loopviz.cli.arguments import add_ascii, add_theme, number

if TYPE_CHECKING:
    from loopviz.talk import Note

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "notes",
        help="show what to say, beside 'loopviz talk'",
        description="Show what to say, what comes next, and the clock, of the talk that is held in another "
        "terminal. Without one, it waits.",
    )
    parser.add_argument(
        "--talk",
        type=number(1, 2**31 - 1),
        default=None,
        metavar="PID",
        help="the process number of the talk (default: the one that has moved on last)",
    )
    add_ascii(parser)
    add_theme(parser)
    parser.set_defaults(command=notes)


def notes(options: argparse.Namespace) -> int:
    """Show the notes until the user quits; the exit code."""
    from loopviz.cli.console import require_terminal, screen_palette
    from loopviz.talk import follow, held, private_folder
    from loopviz.tui.notes import NotesApp

    require_terminal("What to say is in the talk's TOML file as well.")
    folder, wanted = private_folder(), options.talk

    def read() -> Note | None:
        process = wanted or next(iter(held(folder)), None)
        return follow(folder, process) if process is not None else None

    whose = "No talk is held" if wanted is None else f"No talk is held by process {wanted}"
    app = NotesApp(screen_palette(options), read, f"{whose}: 'loopviz talk' begins one. Waiting …")
    app.run()
    return app.return_code or app.return_value or 0
