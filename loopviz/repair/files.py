"""Files that all requests share, by their paths: which are read, and which are written."""

from __future__ import annotations

import ast

from loopviz.repair.outline import Outline, name_of

__all__ = ["shared_file"]

_WRITES = frozenset("wax+")
_METHODS = {
    "exists": False, "is_file": False, "read_bytes": False, "read_text": False, "stat": False,
    "touch": True, "unlink": True, "write_bytes": True, "write_text": True,
}  # fmt: skip
_FUNCTIONS = {
    "os.path.exists": False, "os.path.getmtime": False, "os.path.getsize": False, "os.path.isfile": False,
    "os.stat": False, "os.remove": True, "os.rename": True, "os.replace": True, "os.truncate": True,
    "os.unlink": True,
}  # fmt: skip
"""Functions with a path as their first argument, and whether they change what is there."""


def shared_file(outline: Outline, call: ast.Call) -> tuple[str, bool] | None:
    """The file that a call opens, and whether to write it; None if there is none, or not the same for all."""
    if outline.meaning(call.func) == "builtins.open" and call.args:
        path, mode = call.args[0], call.args[1] if len(call.args) > 1 else None
        mode = next((keyword.value for keyword in call.keywords if keyword.arg == "mode"), mode)
        known = mode.value if isinstance(mode, ast.Constant) else "r" if mode is None else "w"
        return _named(outline, path, writes=bool(_WRITES & set(str(known))))
    if call.args and (writes := _FUNCTIONS.get(outline.meaning(call.func))) is not None:
        return _named(outline, call.args[0], writes=writes)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        return _named(outline, call.func.value, writes=_METHODS[call.func.attr])
    return None


def _named(outline: Outline, path: ast.expr, *, writes: bool) -> tuple[str, bool] | None:
    """Its name, if the path is written out or a name of the module's."""
    inner = path
    if isinstance(inner, ast.Call) and name_of(inner.func).endswith("Path") and len(inner.args) == 1:
        inner = inner.args[0]
    if isinstance(inner, ast.Name):
        same = outline.scope(inner.id, inner) is not outline.function_of(inner)
    else:
        same = isinstance(inner, ast.Constant)
    return (f"the file {ast.unparse(inner)}", writes) if same else None
