"""Whether a line is in a middleware: by how its function is defined.

Starlette and FastAPI have three forms. A function under ``@app.middleware("http")`` and the ``dispatch`` of a
class get the request and what to call next; a pure ASGI middleware gets scope, receive and send, and passes
them on. A function that a middleware calls is none by its definition: that is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from loopviz.findings.snippets import definition
from loopviz.model import Where

__all__ = ["is_middleware"]

_PARAMETERS = re.compile(r"def\s+\w+\s*\(([^)]*)\)", re.DOTALL)
_DECORATOR = re.compile(r"\s*@[\w.]+\.middleware\(")
_HEAD = 12
"""Lines that a definition takes at most, and the decorators before it."""
_BODY = 200
"""Lines of its body that are read."""


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
