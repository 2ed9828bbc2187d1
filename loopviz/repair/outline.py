"""What a module has: its functions, and what its names mean.

This reads Python's own syntax tree, which costs little. Only what is changed is parsed with its formatting.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias, cast

from loopviz.repair.result import Refusal
from loopviz.repair.text import lines_of

__all__ = [
    "SCOPES", "Binding", "Function", "Outline", "handlers_around", "inside", "last_of", "name_of", "own",
    "read", "root_of", "start_of",
]  # fmt: skip

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_BUILTINS: Final = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Binding:
    """Something that gives a name its meaning: an import has what is imported as `target`."""

    node: ast.AST
    target: str = ""


class Outline:
    """The syntax tree of a module, and questions about it."""

    def __init__(self, source: str, tree: ast.Module) -> None:
        self.lines = lines_of(source)
        self.tree = tree
        self._local: dict[Function | ast.Lambda, dict[str, list[Binding]]] = {}
        self.known: dict[object, Any] = {}
        """What others have worked out about the module, by keys of theirs."""

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """What each node is in. The nodes are in the order in which they stand in the file."""
        # Nothing else looks at all nodes of a long file, so this does not use the slower `ast.walk`.
        parents: dict[ast.AST, ast.AST] = {}
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            children: list[ast.AST] = []
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, ast.AST):
                    children.append(value)
                elif isinstance(value, list):
                    children += [child for child in value if isinstance(child, ast.AST)]
            for child in children:
                parents[child] = node
            waiting += children[::-1]
        return parents

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes but the module itself."""
        return list(self.parents)

    @cached_property
    def functions(self) -> list[Function]:
        """All functions, with those inside of others."""
        return [node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def names(self) -> frozenset[str]:
        """All names that are used somewhere in the module."""
        return frozenset(name for node in self.nodes for name in _identifiers(node))

    @cached_property
    def _module(self) -> dict[str, list[Binding]]:
        found = _bindings(self.tree.body)
        for node in self.nodes:
            if isinstance(node, ast.Global):
                for name in node.names:
                    found.setdefault(name, []).append(Binding(node))
        return found

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node is in, from the inside outwards."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def top(self, node: ast.AST) -> ast.stmt:
        """The statement of the module that a node is in."""
        for parent in self.above(node):
            if isinstance(parent, ast.Module):
                break
            node = parent
        return cast("ast.stmt", node)

    def text(self, node: ast.stmt) -> str:
        """The text of a statement of the module, from its first line's beginning to its own end."""
        first, last = self.span(node)
        lines = self.lines[first - 1 : last]
        lines[-1] = lines[-1].encode()[: node.end_col_offset].decode(errors="replace")
        return "".join(lines)

    def span(self, node: ast.stmt) -> tuple[int, int]:
        """The first and the last line of a statement, with its decorators, counted from 1."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        return first, node.end_lineno or node.lineno

    def qualname(self, function: Function) -> str:
        """The name that Python gives a function: ``Timer.__call__.<locals>.timed_send``."""
        parts = [function.name]
        for parent in self.above(function):
            if isinstance(parent, ast.ClassDef):
                parts.append(parent.name)
            elif isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
                parts += ["<locals>", parent.name]
        return ".".join(reversed(parts))

    def function_of(self, node: ast.AST) -> Function | None:
        """The function whose body, not that of a lambda or a class in it, a node is in."""
        for parent in self.above(node):
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
                return parent
        return None

    def function_around(self, node: ast.AST) -> Function:
        """The same. Raises `Refusal` if there is none."""
        function = self.function_of(node)
        if function is None:
            raise Refusal(f"Line {getattr(node, 'lineno', 0)} is code of the module itself.")
        return function

    def is_local(self, name: str, at: ast.AST) -> bool:
        """Whether a name belongs to a function around a node, not to the module."""
        return bool(self._locals_of(name, at))

    def bindings(self, name: str, at: ast.AST) -> list[Binding]:
        """What gives a name its meaning at a node: in the functions around it, else in the module."""
        return self._locals_of(name, at) or self._module.get(name, [])

    def only(self, name: str, at: ast.AST) -> ast.AST | None:
        """The one thing that gives a name its meaning at a node; None if there are several, or none."""
        found = self.bindings(name, at)
        return found[0].node if len(found) == 1 else None

    def module_function(self, name: str, at: ast.AST) -> Function | None:
        """The function of the module that a name means at a node, if it can mean nothing else."""
        if self.is_local(name, at):
            return None
        found = self.only(name, at)
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) and found in self.tree.body:
            return found
        return None

    def meaning(self, node: ast.expr, at: ast.AST | None = None) -> str:
        """What an expression such as ``t.sleep`` means, by the imports: ``time.sleep``; "" if not known."""
        parts = name_of(node).split(".")
        if not parts[0]:
            return ""
        found = self.bindings(parts[0], at or node)
        if not found and parts[0] in _BUILTINS and "*" not in self._module:
            return ".".join(["builtins", *parts])
        if not found or not all(isinstance(binding.node, ast.Import | ast.ImportFrom) for binding in found):
            return ""
        targets = {binding.target for binding in found}
        return ".".join([*targets, *parts[1:]]) if len(targets) == 1 else ""

    def fresh(self, *wanted: str) -> str:
        """The first of some names that the module does not use; else the first one with a number."""
        for name in wanted:
            if name not in self.names:
                return name
        number = 2
        while f"{wanted[0]}_{number}" in self.names:
            number += 1
        return f"{wanted[0]}_{number}"

    def scope(self, name: str, at: ast.AST) -> Function | ast.Lambda | None:
        """The function that a name belongs to at a node; None if it is the module's."""
        inner: ast.AST = at
        for parent in (at, *self.above(at)):
            scope = isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            # What decorates a function, and the values of its parameters, belong to the scope around it.
            body = parent.body if isinstance(parent, ast.Lambda) else getattr(parent, "body", [])
            if scope and (parent is at or inner is body or (isinstance(body, list) and inner in body)):
                function = cast("Function | ast.Lambda", parent)
                if function not in self._local:
                    self._local[function] = _of_function(function)
                if self._local[function].get(name):
                    return function
            inner = parent
        return None

    def _locals_of(self, name: str, at: ast.AST) -> list[Binding]:
        scope = self.scope(name, at)
        return [] if scope is None else self._local[scope][name]


def read(source: str) -> Outline:
    """The outline of a module. Raises `Refusal` if it is no Python that this interpreter reads."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a wrong escape in somebody's string
            tree = ast.parse(source)
        return Outline(source, tree)
    except SyntaxError as error:
        raise Refusal(f"The file cannot be parsed: {error.msg}, line {error.lineno}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refusal(f"The file cannot be parsed: {error or type(error).__name__}.") from None


def own(scope: ast.AST) -> Iterator[ast.AST]:
    """What is executed in a function itself: not what is in functions, lambdas and classes inside of it."""
    body = (
        scope.body
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
        else ast.iter_child_nodes(scope)
    )
    waiting = list(body)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, SCOPES):
            # Decorators, defaults and bases are executed by the function around.
            outside = [*getattr(node, "decorator_list", []), *getattr(node, "bases", [])]
            arguments = getattr(node, "args", None)
            if isinstance(arguments, ast.arguments):
                outside += [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
            waiting += outside[::-1]
        else:
            waiting += list(ast.iter_child_nodes(node))[::-1]


def inside(node: ast.AST, outer: ast.AST) -> bool:
    """Whether a node is, or is in, another one."""
    return any(found is node for found in ast.walk(outer))


def name_of(node: ast.expr) -> str:
    """The dotted name that an expression is: ``time.sleep``; "" if it is something else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def handlers_around(outline: Outline, node: ast.AST) -> Iterator[ast.ExceptHandler]:
    """What handles an exception of a node, in its function: the innermost first."""
    inner = node
    for around in outline.above(node):
        if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(around, ast.Try | ast.TryStar) and inner in around.body:
            yield from around.handlers
        inner = around


def last_of(node: ast.expr) -> str:
    """The last part of a dotted name: ``Depends`` of ``fastapi.Depends``; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else name_of(node)


def start_of(node: ast.AST) -> tuple[int, int]:
    """The line and the column at which a node begins."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def root_of(node: ast.expr) -> str:
    """The name that a chain of attributes, items and calls begins with; "" if it does not begin with one."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _of_function(function: Function | ast.Lambda) -> dict[str, list[Binding]]:
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    found = {argument.arg: [Binding(argument)] for argument in every if argument is not None}
    if isinstance(function, ast.Lambda):
        return found
    for name, bindings in _bindings(function.body).items():
        found.setdefault(name, []).extend(bindings)
    for node in own(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            for name in node.names:
                found.pop(name, None)
    return found


def _bindings(body: list[ast.stmt]) -> dict[str, list[Binding]]:  # noqa: C901 - a case for each kind of node
    found: dict[str, list[Binding]] = {}

    def bind(name: str | None, node: ast.AST, target: str = "") -> None:
        if name is not None:
            found.setdefault(name, []).append(Binding(node, target))

    for node in own(ast.Module(body=body, type_ignores=[])):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    first = alias.name.partition(".")[0]
                    bind(alias.asname or first, node, alias.name if alias.asname else first)
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    bind(alias.asname or alias.name, node, f"{'.' * level}{module or ''}.{alias.name}")
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bind(node.name, node)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bind(name, node)
            case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
                bind(name, node)
            case ast.MatchMapping(rest=name):
                bind(name, node)
    return found


def _identifiers(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.keyword):  # a parameter of somebody else's
        return
    for field in ("id", "arg", "name", "asname", "rest"):
        if isinstance(name := getattr(node, field, None), str):
            yield name.partition(".")[0]
    if isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
