"""Imports of a module: what is added, and what is no longer needed."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Sequence
from typing import cast

from loopviz.repair.outline import Outline
from loopviz.repair.result import Refusal
from loopviz.repair.text import Edit, line_end

__all__ = ["after_imports", "imported_as", "with_import", "without_imports"]

_PLAIN = re.compile(r"(?:import [\w., \t]+|from [\w.]+ import [\w., \t]+)(?:\r\n|\r|\n)?")


def imported_as(outline: Outline, module: str, at: ast.AST) -> str:
    """The name by which a module is reached at a node, if it is imported, or else will be: its own.

    Raises `Refusal` if that name means something else there.
    """
    for node in outline.tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name
                if alias.name == module and _is_module(outline, name, module, at):
                    _require_bound(outline, name, at)
                    return name
    if outline.bindings(module, at) and not _is_module(outline, module, module, at):
        raise Refusal(f"The name {module} means something else here.")
    _require_bound(outline, module, at)
    return module


def _require_bound(outline: Outline, name: str, at: ast.AST) -> None:
    """Raise `Refusal` if a function imports a name itself, and perhaps not before a node."""
    function = outline.function_of(at)
    if function is None or outline.scope(name, at) is not function:
        return
    found = [binding.node for binding in outline.bindings(name, at)]
    line = getattr(at, "lineno", 0)
    if not any(node in function.body and getattr(node, "lineno", 0) < line for node in found):
        raise Refusal(f"{function.name}() imports {name} at another place.")


def with_import(outline: Outline, statement: str) -> list[Edit]:  # noqa: PLR0911 - one for each place
    """Add an import such as ``import asyncio`` where it belongs, unless the module has it already."""
    node = cast("ast.Import | ast.ImportFrom", ast.parse(statement).body[0])
    imports = [found for found in outline.tree.body if isinstance(found, ast.Import | ast.ImportFrom)]
    if any(ast.dump(node) == ast.dump(found) for found in imports):
        return []
    if isinstance(node, ast.Import) and any(
        alias.name == node.names[0].name and alias.asname == node.names[0].asname
        for found in imports
        if isinstance(found, ast.Import)
        for alias in found.names
    ):
        return []
    end = line_end(outline.lines)
    line = f"{statement}{end}"
    groups = _groups(outline)
    wanted = _rank(node)
    for group in groups:
        ranks = {_rank(found) for found in group}
        if wanted in ranks or (len(ranks) > 1 and min(ranks) < wanted < max(ranks)):
            for found in group:
                if (_rank(found), _key(found)) > (wanted, _key(node)):
                    first = found.lineno - 1
                    return [Edit(first, first, (line,))]
            last = group[-1].end_lineno or group[-1].lineno
            return [Edit(last, last, (line,))]
    for group in groups:
        if min(_rank(found) for found in group) > wanted:
            first = _above_comments(outline, group[0].lineno - 1)
            return [Edit(first, first, (line, end))]
    if groups:
        last = groups[-1][-1].end_lineno or 0
        return [Edit(last, last, (end, line))]
    return [_at_top(outline, (line,))]


def after_imports(outline: Outline, lines: Sequence[str], before: ast.stmt) -> Edit:
    """Insert lines of the module's own code after its imports; `before` is the statement that needs them."""
    end = line_end(outline.lines)
    text = tuple(f"{line}{end}" for line in lines)
    last = 0
    needed = {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}
    begun = False
    for node in outline.tree.body:
        begun = begun or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not isinstance(node, ast.Import | ast.ImportFrom):
            begun = begun or node is before
        elif not begun:
            last = node.end_lineno or node.lineno
        elif needed & {alias.asname or alias.name.partition(".")[0] for alias in node.names}:
            if node.lineno > before.lineno:
                raise Refusal(f"Line {node.lineno} imports what is needed before.")
            last = node.end_lineno or node.lineno
    if not last:
        return _at_top(outline, text)
    follows = outline.lines[last].strip() if last < len(outline.lines) else ""
    return Edit(last, last, (end, *text, end) if follows else (end, *text))


def without_imports(outline: Outline, names: Iterable[str]) -> list[Edit]:
    """Remove the imports of names that the module no longer uses, where an import is one plain line."""
    unused = {name for name in names if not _is_used(outline, name)}
    edits = []
    for node in outline.tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom) or node.lineno != node.end_lineno:
            continue
        line = outline.lines[node.lineno - 1]
        if not _PLAIN.fullmatch(line):
            continue  # with a comment, or with something beside it
        kept = [alias for alias in node.names if (alias.asname or alias.name) not in unused]
        if len(kept) == len(node.names):
            continue
        text = line.rstrip("\r\n")
        head = text[: text.index("import ") + len("import ")]
        new = head + ", ".join(f"{a.name} as {a.asname}" if a.asname else a.name for a in kept)
        edits.append(Edit(node.lineno - 1, node.lineno, (new + line[len(text) :],) if kept else ()))
    return edits


def _is_module(outline: Outline, name: str, module: str, at: ast.AST) -> bool:
    return outline.meaning(ast.Name(name, ast.Load()), at) == module


def _groups(outline: Outline) -> list[list[ast.Import | ast.ImportFrom]]:
    """The imports at the module's beginning, in groups of lines that follow each other."""
    groups: list[list[ast.Import | ast.ImportFrom]] = []
    for index, node in enumerate(outline.tree.body):
        if index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if not isinstance(node, ast.Import | ast.ImportFrom):
            break
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        line = outline.lines[node.lineno - 1].lstrip("\f")
        if not line.startswith(("import", "from")):
            continue  # behind another statement
        if groups and (groups[-1][-1].end_lineno or 0) == node.lineno - 1:
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _at_top(outline: Outline, lines: tuple[str, ...]) -> Edit:
    """Insert lines below the docstring, imports from the future, and comments at the very beginning."""
    end = line_end(outline.lines)
    last = 0
    for index, node in enumerate(outline.tree.body):
        docstring = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        last = node.end_lineno or node.lineno
    if last:
        return Edit(last, last, (end, *lines))
    while last < len(outline.lines) and outline.lines[last].startswith("#"):
        last += 1
    before = (end,) if last else ()
    return Edit(last, last, (*before, *lines, end))


def _above_comments(outline: Outline, line: int) -> int:
    """The line above the comments that stand directly above one, unless they are the file's first."""
    first = line
    while first and outline.lines[first - 1].startswith("#"):
        first -= 1
    return first or line


def _rank(node: ast.Import | ast.ImportFrom) -> int:
    """The standard library before other packages, and those before the program's own."""
    if isinstance(node, ast.ImportFrom) and node.level:
        return 2
    name = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
    return 0 if name.partition(".")[0] in sys.stdlib_module_names else 1


def _key(node: ast.Import | ast.ImportFrom) -> tuple[bool, str]:
    name = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
    return isinstance(node, ast.ImportFrom), name.lower()


def _is_used(outline: Outline, name: str) -> bool:
    """Whether a name is used: in code, in `__all__`, or in an annotation that is a text."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for node in outline.nodes:
        if isinstance(node, ast.Name) and (node.id == name or node.id in {"globals", "eval", "exec", "vars"}):
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and word.search(node.value):
            parent = outline.parents.get(node)
            if not (isinstance(parent, ast.Expr) or _is_prose(node.value)):
                return True
    return False


def _is_prose(text: str) -> bool:
    """Whether a text is no name, and no annotation."""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False
