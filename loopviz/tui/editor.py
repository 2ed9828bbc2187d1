"""The user's editor: from `$VISUAL` or `$EDITOR`, a file and a line to the command that opens them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loopviz.errors import InputError
from loopviz.paths import is_file

__all__ = ["Editing", "editing", "how_it_ended"]

_Form = Callable[[str, int], list[str]]
"""The arguments for a file and a line."""


def _plus(file: str, line: int) -> list[str]:
    return [f"+{line}", file]


def _goto(file: str, line: int) -> list[str]:
    return ["--goto", f"{file}:{line}"]


def _colon(file: str, line: int) -> list[str]:
    return [f"{file}:{line}"]


def _option(file: str, line: int) -> list[str]:
    return ["--line", str(line), file]


_TERMINAL: Final[Mapping[str, _Form]] = {
    **dict.fromkeys(("vi", "vim", "nvim", "view", "ex", "nano", "pico", "emacs", "emacsclient", "mg"), _plus),
    **dict.fromkeys(("micro", "kak", "joe", "jed", "ne", "less", "more"), _plus),
    **dict.fromkeys(("hx", "helix"), _colon),
}
_GRAPHICAL: Final[Mapping[str, _Form]] = {
    **dict.fromkeys(("code", "code-insiders", "codium", "vscodium", "cursor", "windsurf"), _goto),
    **dict.fromkeys(("subl", "sublime_text", "zed", "zeditor"), _colon),
    **dict.fromkeys(("gvim", "mvim", "nvim-qt", "gedit", "xed", "pluma"), _plus),
    **dict.fromkeys(("kate", "kwrite", "pycharm", "charm", "idea", "mate"), _option),
}
"""Editors with a window of their own: the picture stays on the terminal."""


@dataclass(frozen=True, slots=True)
class Editing:
    """A command that opens a file at a line."""

    command: tuple[str, ...]
    graphical: bool
    """Whether it has a window of its own. Of an editor that is not known here, it has none."""
    name: str

    def start(self, files: tuple[int, int] | None = None) -> subprocess.Popen[bytes]:
        """Start it on the terminal, or with a window. `files` are the terminal's, to read and to write.

        Raises `OSError` if it cannot be executed.
        """
        if self.graphical:
            null = subprocess.DEVNULL
            return subprocess.Popen(  # noqa: S603 - the user's own command
                self.command, stdin=null, stdout=null, stderr=null, start_new_session=True
            )
        given, shown = files or (None, None)
        return subprocess.Popen(self.command, stdin=given, stdout=shown, stderr=shown)  # noqa: S603 - as above


def editing(file: str, line: int, environment: Mapping[str, str] = os.environ) -> Editing:
    """How the user's editor opens this line. Raises `InputError` if there is no editor, or no such file."""
    path = Path(file).absolute()
    if "\0" in file or not is_file(path):
        raise InputError(f"{file} is not a file here.")
    asked = environment.get("VISUAL", "").strip() or environment.get("EDITOR", "").strip()
    if not asked:
        raise InputError("There is no editor: set EDITOR, as in EDITOR=vim or EDITOR='code --wait'.")
    try:
        program, *options = shlex.split(asked)
    except ValueError as error:
        raise InputError(f"EDITOR cannot be read: {error}.") from None
    if shutil.which(program) is None and shutil.which(asked) is not None:  # a path with spaces, not quoted
        program, options = asked, []
    found = shutil.which(program)
    if found is None:
        raise InputError(f"The editor {program} was not found: set EDITOR to one that is installed.")
    name = Path(program).name.lower().removesuffix(".exe").removesuffix(".cmd")
    graphical = name in _GRAPHICAL
    form = _GRAPHICAL.get(name) or _TERMINAL.get(name)
    where = form(str(path), max(1, line)) if form else [str(path)]
    return Editing((found, *options, *where), graphical, name)


def how_it_ended(name: str, code: int) -> str:
    """What to say when the editor has ended; nothing if all was well."""
    if code == 0:
        return ""
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return f"The editor {name} has ended with {how}."
