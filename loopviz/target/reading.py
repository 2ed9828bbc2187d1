"""What a Python file has, by its syntax tree: a scenario, or applications. Nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from loopviz.errors import InputError
from loopviz.target.kinds import CLASSES, MAKERS, OTHERS, PREFERRED

__all__ = ["Contents", "contents"]

_SCENARIO = "scenario"
"""The name that declares a scenario."""
_FACTORIES = ("create_app", "make_app", "get_app", "build_app")

_Kind: TypeAlias = Literal["made", "likely", "imported", "other"]
"""What a name is: an application that a framework's class makes; what may be one; what may be one, or a
module, from elsewhere; something else."""


@dataclass(frozen=True)
class Contents:
    """What a file has at its top level."""

    scenario: bool
    """Whether it declares a scenario."""
    applications: tuple[str, ...]
    """The names of its applications: the usual names first, and then in the order of the names."""
    factories: tuple[str, ...]
    """The functions that may make one, by their names."""
    everything: bool
    """Whether it may have more than is seen: it imports all names of another module."""

    @property
    def attribute(self) -> str | None:
        """The application that is meant where none is named; None if that is not clear."""
        names = self.applications
        return names[0] if names and (len(names) == 1 or names[0] in PREFERRED) else None


def contents(path: Path) -> Contents:
    """What the file has. Raises `InputError` if it cannot be read, or is no Python."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise InputError(
            f"{path}:{error.lineno}: syntax error: {error.msg}\nFix that line and run again."
        ) from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path} cannot be read: {error}\nGive a Python file.") from None
    return _Reader(tree).contents()


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self._imported: dict[str, str] = {}
        """Names, and where they are imported from: ``fastapi.FastAPI``."""
        self._bound: dict[str, _Kind] = {}
        """The names of the top level, and what each is, as far as that is seen."""
        self._functions: list[str] = []
        for statement in _statements(tree.body):
            self._take(statement)

    def contents(self) -> Contents:
        """What was found."""
        made = sorted(name for name, kind in self._bound.items() if kind == "made")
        usual = [name for name in PREFERRED if self._bound.get(name) in {"made", "likely"}]
        imported = [name for name in PREFERRED if self._bound.get(name) == "imported"]
        return Contents(
            _SCENARIO in self._bound,
            tuple(dict.fromkeys([*usual, *made])) or tuple(imported),
            tuple(name for name in _FACTORIES if name in self._functions),
            "*" in self._bound,
        )

    def _take(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._take_import(statement)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                self._functions.append(name)
                self._bound[name] = "likely"
            case ast.ClassDef(name):
                self._bound[name] = "other"
            case ast.Assign(targets, value):
                for target in targets:
                    for found in _names(target):
                        self._bound[found.id] = self._kind(value)
            case ast.AnnAssign(ast.Name(name), annotation, value) if value is not None:
                annotated = self._kind(ast.Call(annotation, [], []))
                self._bound[name] = "made" if annotated == "made" else self._kind(value)
            case _:
                pass

    def _take_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        module = statement.module if isinstance(statement, ast.ImportFrom) else None
        for name in statement.names:
            if isinstance(statement, ast.Import):
                bound = name.asname or name.name.partition(".")[0]
                self._imported[bound] = name.name if name.asname else bound
            else:
                bound = name.asname or name.name
                self._imported[bound] = f"{module or ''}.{name.name}"
            # 'from . import api' is a module
            self._bound[bound] = "other" if module is None else "imported"

    def _kind(self, value: ast.expr) -> _Kind:
        """What an expression is: a call of a framework's class makes an application."""
        if isinstance(value, ast.Name):
            return self._bound.get(value.id, "other")
        if not isinstance(value, ast.Call):
            return "likely" if isinstance(value, ast.Attribute | ast.IfExp) else "other"
        package, _, rest = self._full(value.func).partition(".")
        name = rest.rpartition(".")[2]
        if name in CLASSES.get(package, ()) or name in MAKERS.get(package, ()):
            return "made"
        return "other" if package in OTHERS else "likely"

    def _full(self, called: ast.expr) -> str:
        """The full name of what is called, by the imports: ``fastapi.FastAPI``."""
        parts: list[str] = []
        while isinstance(called, ast.Attribute):
            parts.insert(0, called.attr)
            called = called.value
        if not isinstance(called, ast.Name):
            return ""
        return ".".join([self._imported.get(called.id, ""), *parts])


def _names(target: ast.expr) -> Iterator[ast.Name]:
    if isinstance(target, ast.Name):
        yield target
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _names(element)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of the top level, those within ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        match statement:
            case ast.If(_, inner, other):
                yield from _statements([*inner, *other])
            case ast.Try(inner, handlers, other, final) | ast.TryStar(inner, handlers, other, final):
                yield from _statements([*inner, *(s for h in handlers for s in h.body), *other, *final])
            case ast.With(_, inner):
                yield from _statements(inner)
            case _:
                pass
