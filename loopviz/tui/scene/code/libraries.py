"""Which files are libraries, by their paths: what is there is shown on request only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loopviz.model import Where

__all__ = ["Libraries", "short"]

_INSTALLED = re.compile(r".*[/\\](?:(?:site|dist)-packages|python3?\.?\d*t?)[/\\]", re.DOTALL)
_TOP = re.compile(r"[^/\\]+(?:[/\\]|$)")


class Libraries:
    """The files of installed packages, but for those of the packages that have an endpoint."""

    def __init__(self, endpoints: Iterable[Where] = ()) -> None:
        self._own = {package for where in endpoints if (package := _package(where.file))}
        self._known: dict[object, bool] = {}

    def __contains__(self, file: object) -> bool:
        known = self._known.get(file)
        if known is None:
            package = _package(file) if isinstance(file, str) else ""
            known = self._known[file] = bool(package) and package not in self._own
        return known


def short(file: str) -> str:
    """The path of a file within the folder of installed packages; any other as it is."""
    return _INSTALLED.sub("", file, count=1)


def _package(file: str) -> str:
    """The folder of the installed package, or the file itself where it is in none; empty if not installed."""
    installed = _INSTALLED.match(file)
    if installed is None:
        return "" if not file.startswith("<frozen ") else file
    top = _TOP.match(file, installed.end())
    return file if top is None else file[: top.end()]
