"""Whether a line is in a middleware: by how its function is defined.

Starlette and FastAPI have three forms. A function under ``@app.middleware("http")`` and the ``dispatch`` of a
class get the request and what to call next; a pure ASGI middleware gets scope, receive and send, and passes
them on. A function that a middleware calls is none by its definition, but the frames say who has called it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from loopviz.findings.snippets import definition, line_at
from loopviz.model import Where

__all__ = ["is_middleware", "middleware_of"]

_PARAMETERS = re.compile(r"def\s+\w+\s*\(([^)]*)\)", re.DOTALL)
_DECORATOR = re.compile(r"\s*@[\w.]+\.middleware\(")
_HEAD = 12
"""Lines that a definition takes at most, and the decorators before it."""
_BODY = 200
"""Lines of its body that are read."""


def middleware_of(
    lines: Callable[[str], Sequence[str]], where: Where, frames: Sequence[Where]
) -> Where | None:
    """The middleware that a line is of: its function, the one around that, or one that has called it.

    `frames` are those of the stack, the outermost first. A middleware is further out there for all that it
    passes requests on to, so each frame on the way must be at a line that has the name of what it calls.
    """
    called = where
    before = next((i for i, frame in enumerate(frames) if frame[:3] == where[:3]), 0)
    for caller in (None, *reversed(frames[:before])):
        if caller is not None:
            name = called.function.rpartition(".")[2]
            line = line_at(lines(caller.file), caller.line)
            if not re.search(rf"\b{re.escape(name)}\s*\(", line):
                return None
            called = caller
        source = lines(called.file)
        outer = called._replace(function=called.function.rpartition(".<locals>.")[0])
        for one in (called, outer):
            if one.function and is_middleware(source, one):
                return one
    return None


def is_middleware(lines: Sequence[str], where: Where) -> bool:
    """Whether the function of `where` is a middleware, by the `lines` of its file."""
    at = definition(lines, where)
    found = _PARAMETERS.search("\n".join(lines[at - 1 : at - 1 + _HEAD])) if at else None
    if found is None:
        return False
    names = [part.partition(":")[0].partition("=")[0].strip(" \n\t*") for part in found[1].split(",")]
    names = [name for name in names if name and name != "self"]
    if len(names) == 2 and (names[1] == "call_next" or where.function.endswith(".dispatch")):
        return True
    if len(names) == 2 and _decorated(lines, at):
        return True
    return len(names) == 3 and _passes_on(lines[at : at + _BODY], names)


def _decorated(lines: Sequence[str], at: int) -> bool:
    for line in reversed(lines[max(0, at - 1 - _HEAD) : at - 1]):
        if _DECORATOR.match(line):
            return True
        if not line.lstrip().startswith(("@", "#", ")")):
            return False
    return False


def _passes_on(body: Sequence[str], names: Sequence[str]) -> bool:
    """Whether it passes on what an ASGI application gets: its first two arguments, to a call."""
    call = re.compile(rf"\(\s*{re.escape(names[0])}\s*,\s*{re.escape(names[1])}\s*,")
    return names[0] == "scope" and any(call.search(line) and "def " not in line for line in body)
