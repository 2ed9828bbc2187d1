"""The command line. Nothing heavy is imported before the command is known."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from loopviz import __version__
from loopviz.cli import attach, claims, compare, export, notes, record, replay, run, scenarios, talk
from loopviz.cli.streams import open_closed_streams
from loopviz.draw.safe import printable
from loopviz.errors import InputError

__all__ = ["main"]

_COMMANDS = (run, attach, record, replay, export, compare, claims, talk, notes, scenarios)
"""The commands' modules, in the order of the help; each adds its arguments by `add_parser`."""
_LONGEST_END = 1.0
"""How long Python may take to end after the command (s)."""
_GIVEN = ("LOOPVIZ_FOLDERS", "LOOPVIZ_COPY")
"""As in `loopviz.loaded` and `loopviz.copied`, which read them when they are imported: not here."""


class _Parser(argparse.ArgumentParser):
    """Reports an error in two lines: what is wrong, and where the arguments are listed.

    An option is written out: an abbreviation would mean another one as soon as there is one more option.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **(named | {"allow_abbrev": False}))

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {printable(message, 2_000)}\nSee '{self.prog} --help'.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: done; 1: standard output was closed; 2: unusable arguments or input; 130: interrupted.
    """
    if arguments is None:  # of another loopviz, which has started this one, as from an editor
        for name in _GIVEN:
            os.environ.pop(name, None)
    code = _run(arguments)
    if arguments is None:
        _end_soon(code)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    nowhere = open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # better a question mark than a traceback
    options = _parse(arguments)
    try:
        code: int = options.command(options)
        if nowhere is None:
            return code
        sys.stdout.flush()
        return code or int(nowhere.used)
    except InputError as error:
        for line in f"loopviz: {error}".splitlines():
            print(printable(line, 2_000), file=sys.stderr)
        return 2
    except BrokenPipeError:  # standard output was closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("loopviz: Standard output cannot be written: no space left on device.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        from loopviz.cli.console import show_progress
        from loopviz.live.session import leave

        show_progress("")
        print("loopviz: interrupted", file=sys.stderr)
        leave(130)  # do not wait for a busy worker thread


def _end_soon(code: int) -> None:
    """See to it that Python's own end does not take long: the application may have left something that lasts.

    It waits for threads that are no daemons, and calls what was registered with `atexit`.
    """
    session = sys.modules.get("loopviz.live.session")
    if session is None:  # nothing of an application was executed
        return

    def watch() -> None:
        time.sleep(_LONGEST_END)
        names = [thread.name for thread in threading.enumerate() if not thread.daemon and thread is not first]
        what = f"its threads {', '.join(map(repr, names))}" if names else "what is done at exit"
        if sys.__stderr__ is not None:
            with suppress(OSError, ValueError):
                waited = f"The program has not ended after {_LONGEST_END:g} s"
                text = f"loopviz: {waited}: not waiting any longer for {what}."
                sys.__stderr__.write(printable(text, 1_000) + "\n")
        session.leave(code)

    with suppress(OSError, ValueError):
        sys.stdout.flush()  # however long the reader takes
    first = threading.main_thread()
    threading.Thread(target=watch, name="loopviz end", daemon=True).start()


def _help(parser: argparse.ArgumentParser, _: argparse.Namespace) -> int:
    """Without a command: what commands there are."""
    parser.print_help()
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options. An unknown argument is reported by the command, whose help lists the known ones."""
    before, words = _command_in(sys.argv[1:] if arguments is None else arguments)
    options, unknown = _parser().parse_known_args(before)
    options.words = words
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _command_in(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The arguments up to ``--cmd``, and the user's command, which is the rest: with options of its own."""
    if "--cmd" not in arguments:
        return arguments, ()
    place = list(arguments).index("--cmd") + 1
    words = arguments[place:]
    return arguments[:place], words[1:] if words[:1] == ["--"] else words


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="loopviz",
        description="See live which request holds a FastAPI server's event loop, and which ones it delays.",
    )
    parser.add_argument("--version", action="version", version=f"loopviz {__version__}")
    parser.set_defaults(command=partial(_help, parser), parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    for chosen in commands.choices.values():
        chosen.set_defaults(parser=chosen)
    return parser
