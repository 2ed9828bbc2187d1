"""What a call in a worker thread is: an endpoint, a dependency, a file, a stream, or something else."""

from __future__ import annotations

from typing import Literal, TypeAlias

from loopviz.findings import source
from loopviz.findings.seen import Seen
from loopviz.findings.waits import Holder
from loopviz.model import Where
from loopviz.model.pools import Pool

__all__ = ["Kind", "kind_of", "kind_of_call"]

Kind: TypeAlias = Literal[
    "endpoint", "dependency", "file", "stream", "background", "validation", "call", "wsgi"
]

_BRIDGE = "WSGI"
"""How a2wsgi calls its threads."""
_FILES = {
    "BufferedReader.read", "FileIO.read", "TextIOWrapper.read", "exists", "isdir", "lstat", "open", "stat",
}  # fmt: skip
"""Functions without Python code, by which files are read."""


def kind_of(seen: Seen, pool: Pool, holder: Holder) -> Kind:
    """What held the threads of the pool."""
    if pool.name.startswith(_BRIDGE):
        return "wsgi"
    if holder.after:
        return "background"
    return kind_of_call(seen, holder.called, holder.where, holder.role)


def kind_of_call(seen: Seen, called: Where | None, where: Where | None, role: str = "") -> Kind:
    """What a call is: as its task was seen to await it, by its function, and by the line that was seen."""
    if role == "dependency":
        return "dependency"
    if called is None or not called.file:
        return "file" if called is not None and called.function in _FILES else "call"
    if source.is_library(called.file):
        return _of_library(seen, called, where)
    found = source.function_of(seen.lines(called.file), called.line)
    if found is None:
        return "call"
    tree, function = found
    if source.is_endpoint(function):
        return "endpoint"
    return "dependency" if source.depends_on(tree, function.name) else "call"


def _of_library(seen: Seen, called: Where, where: Where | None) -> Kind:
    """Of a function of a library's, which may call one of the user's."""
    file, name = called.file.replace("\\", "/").lower(), called.function.rpartition(".")[2]
    if "wsgi" in file:
        return "wsgi"
    if "contextlib" in file:  # a dependency that yields
        found = None if where is None else source.function_of(seen.lines(where.file), where.line)
        return "dependency" if found is not None and source.depends_on(found[0], found[1].name) else "call"
    if name in {"_next", "next"}:
        return "stream"
    if "/fastapi/" in file or "/pydantic" in file:
        return "validation"
    files = "fileio" in file or "/starlette/staticfiles" in file or "/starlette/responses" in file
    return "file" if files else "call"
