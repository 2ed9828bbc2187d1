"""The requests that were asked for once: a file in the project, ``.loopviz/requests.json``."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from loopviz.errors import InputError

__all__ = ["file_in", "known", "read", "remember"]

_FORMAT: Final = "loopviz-requests"
_VERSION: Final = 1
_LARGEST: Final = 1_000_000
"""How much of a file is read, in characters."""


def file_in(folder: str | Path) -> Path:
    """The file of a project."""
    return Path(folder) / ".loopviz" / "requests.json"


def read(folder: str | Path) -> dict[str, str]:
    """The lines that are remembered in a project, by the names of its routes, such as ``GET /items/{id}``.

    Raises `InputError`, of one line, if the file is broken.
    """
    file = file_in(folder)
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise InputError(f"{file} cannot be read: it is no file")
    try:
        with file.open(encoding="utf-8") as opened:
            document = json.loads(opened.read(_LARGEST))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise InputError(f"{file} is no file of remembered requests")
    if document.get("version") != _VERSION:
        raise InputError(f"{file} is of another version: {document.get('version')!r}")
    lines = document.get("requests")
    if not isinstance(lines, dict):
        raise InputError(f"{file} has no requests")
    return {name: line for name, line in lines.items() if isinstance(line, str)}


def known(folder: str | Path) -> dict[str, str]:
    """The same; nothing if the file is broken, which is said when something is to be remembered in it."""
    try:
        return read(folder)
    except InputError:
        return {}


def remember(folder: str | Path, name: str, line: str | None) -> None:
    """Remember the line of a route, or forget it if None. The file is whole at any time.

    Raises `InputError` if the file is broken, which is left as it is, or if it cannot be written.
    """
    lines: dict[str, str] = read(folder)
    if lines.get(name) == line:
        return
    if line is None:
        del lines[name]
    else:
        lines[name] = line
    file = file_in(folder)
    try:
        file.parent.mkdir(exist_ok=True)
        _write(file, {"format": _FORMAT, "version": _VERSION, "requests": dict(sorted(lines.items()))})
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror or error}") from None


def _write(file: Path, document: Mapping[str, Any]) -> None:
    """Write a file of its own beside it, which takes its place: a reader sees the one or the other."""
    handle, made = tempfile.mkstemp(dir=file.parent, prefix="requests-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as whole:
            whole.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        Path(made).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(made).unlink()
        raise
