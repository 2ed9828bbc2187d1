"""Changes of statements whose formatting and comments survive. Only this module and `blocks` need LibCST.

Of a file, only the statement of the module that is changed (a function, or the class that it is in) is parsed
with its formatting, so the size of the file does not matter. Its nodes are found by where Python's own tree
has them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import libcst as cst
from libcst import metadata

from loopviz.repair.outline import Function, Outline
from loopviz.repair.result import Refusal
from loopviz.repair.text import Edit, indent, lines_of, merged

__all__ = [
    "Cut",
    "Rewrite",
    "arguments",
    "call_of",
    "lambda_of",
    "named",
    "negated",
    "parsed",
    "renamed",
    "with_more",
]

_Span: TypeAlias = tuple[int, int, int, int]
_Change: TypeAlias = Callable[[Any], cst.CSTNode | cst.FlattenSentinel[Any]]


class Cut:
    """One statement of the module, with its formatting."""

    def __init__(self, outline: Outline, node: ast.stmt) -> None:
        self._first, last = outline.span(node)
        self._lines = outline.lines[self._first - 1 : last]
        self._outline = outline
        try:
            self._wrapper = metadata.MetadataWrapper(
                cst.parse_module("".join(self._lines)), unsafe_skip_copy=True
            )
        except cst.ParserSyntaxError as error:
            raise Refusal(f"The code from line {self._first} on cannot be parsed: {error.message}") from None
        self.module = self._wrapper.module
        self._before = lines_of(self.module.code)
        if len(self._before) != len(self._lines):
            raise Refusal("The code has characters between its lines that would be lost.")
        self._spans: dict[tuple[type[cst.CSTNode], _Span], cst.CSTNode] = {}
        self._starts: dict[tuple[type[cst.CSTNode], int, int], cst.CSTNode] = {}
        for found, position in self._wrapper.resolve(metadata.PositionProvider).items():
            start, end = position.start, position.end
            self._spans[type(found), (start.line, start.column, end.line, end.column)] = found
            self._starts[type(found), start.line, start.column] = found
        self._changes: dict[cst.CSTNode, _Change] = {}

    def expression(self, node: ast.expr, kind: type[cst.CSTNode]) -> Any:
        """The node with its formatting for a node of Python's tree. Raises `Refusal` if it is not found."""
        start = self._position(node.lineno, node.col_offset)
        end = self._position(node.end_lineno or node.lineno, node.end_col_offset or 0)
        found = self._spans.get((kind, (*start, *end)))
        if found is None:
            raise Refusal(f"The code at line {node.lineno} is written in a way that is not understood.")
        return found

    def function(self, node: Function) -> cst.FunctionDef:
        """The function with its formatting, likewise."""
        line = node.lineno - self._first + 1
        for (kind, (start, _, _, _)), found in self._spans.items():
            if (
                kind is cst.Name
                and start == line
                and isinstance(found, cst.Name)
                and found.value == node.name
            ):
                for function in self._starts.values():
                    if isinstance(function, cst.FunctionDef) and function.name is found:
                        return function
        raise Refusal(f"The function {node.name} is written in a way that is not understood.")

    def require_unspelled(self, node: cst.CSTNode) -> None:
        """Raise `Refusal` if a text has what is written there: ``f"{f()=}"``."""
        for (kind, _), found in self._spans.items():
            if kind is cst.FormattedStringExpression and getattr(found, "equal", None) is not None:
                waiting = [found]
                while waiting:
                    inner = waiting.pop()
                    if inner is node:
                        raise Refusal("The text has the call as it is written, with an equals sign.")
                    waiting += inner.children

    def statement(self, node: ast.stmt, kind: type[cst.CSTNode]) -> Any:
        """The statement with its formatting, likewise; for a simple one, its line."""
        found = self._starts.get((kind, *self._position(node.lineno, node.col_offset)))
        if found is None:
            raise Refusal(f"The statement at line {node.lineno} shares its line with another one.")
        return found

    def block_of(self, line: cst.CSTNode) -> cst.IndentedBlock:
        """The block of statements that a statement is in. Raises `Refusal` if it is in none."""
        for (kind, _), found in self._spans.items():
            if kind is cst.IndentedBlock and isinstance(found, cst.IndentedBlock) and line in found.body:
                return found
        raise Refusal("The statement is on one line with what is around it.")

    def change(self, node: cst.CSTNode, change: _Change) -> None:
        """Have a node replaced by what the function makes of it, after the nodes inside of it."""
        earlier = self._changes.get(node)
        self._changes[node] = change if earlier is None else lambda updated: change(earlier(updated))

    def edit(self) -> Edit:
        """The changed lines."""
        changed = self.module.visit(_Replacer(self._changes))
        lines = merged(self._lines, self._before, lines_of(changed.code))
        return Edit(self._first - 1, self._first - 1 + len(self._lines), lines)

    def _position(self, line: int, column: int) -> tuple[int, int]:
        """Where it is in the cut, in characters: Python's tree counts bytes."""
        before = self._outline.lines[line - 1].encode()[:column].decode(errors="replace")
        row = line - self._first
        lost = len(indent(self._lines[row])) - len(indent(self._before[row]))
        return row + 1, len(before) - lost


class Rewrite:
    """All changes of one repair to statements."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._cuts: dict[ast.stmt, Cut] = {}

    def cut(self, node: ast.AST) -> Cut:
        """The statement of the module that a node is in."""
        top = self._outline.top(node)
        if top not in self._cuts:
            self._cuts[top] = Cut(self._outline, top)
        return self._cuts[top]

    @property
    def touched(self) -> list[ast.stmt]:
        """The statements of the module that are changed."""
        return list(self._cuts)

    def edits(self) -> list[Edit]:
        """The changed lines of all of them."""
        return [cut.edit() for cut in self._cuts.values()]

    def awaited(self, call: ast.Call, change: Callable[[cst.Call], cst.Call]) -> None:
        """Replace a call by another one that is awaited, in parentheses where an operator binds stronger."""
        parent = self._outline.parents[call]
        binds = (isinstance(parent, ast.Attribute | ast.Subscript | ast.Await) and parent.value is call) or (
            isinstance(parent, ast.Call) and parent.func is call
        )

        def awaiting(updated: cst.Call) -> cst.CSTNode:
            left, right = updated.lpar, updated.rpar
            if binds and not left:
                left, right = [cst.LeftParen()], [cst.RightParen()]
            return cst.Await(change(updated.with_changes(lpar=[], rpar=[])), lpar=left, rpar=right)

        cut = self.cut(call)
        found = cut.expression(call, cst.Call)
        cut.require_unspelled(found)
        cut.change(found, awaiting)

    def replaced(self, node: ast.Call, change: Callable[[cst.Call], cst.Call]) -> None:
        """Replace a call by another one."""
        cut = self.cut(node)
        found = cut.expression(node, cst.Call)
        cut.require_unspelled(found)
        cut.change(found, change)

    def renamed(self, node: ast.Attribute, change: Callable[[Any], cst.BaseExpression]) -> None:
        """Replace an attribute such as ``response.ok`` by another expression."""
        cut = self.cut(node)
        cut.change(cut.expression(node, cst.Attribute), change)

    def asynchronous(self, function: Function, *, wanted: bool) -> None:
        """Make a function `async def`, or `def`."""
        cut = self.cut(function)

        def changed(updated: cst.FunctionDef) -> cst.FunctionDef:
            if wanted and updated.asynchronous is None:
                return updated.with_changes(asynchronous=cst.Asynchronous())
            return updated if wanted else updated.with_changes(asynchronous=None)

        cut.change(cut.function(function), changed)


def parsed(expression: str) -> Any:
    """An expression, such as a name, as a node."""
    return cst.parse_expression(expression)


def renamed(function: str, *, skipped: int = 0) -> Callable[[cst.Call], cst.Call]:
    """Make of a call one of another function, with the arguments from the `skipped` ones on."""
    return lambda call: call.with_changes(func=parsed(function), args=call.args[skipped:])


def arguments(updated: cst.Call, before: Sequence[cst.BaseExpression]) -> list[cst.Arg]:
    """The arguments of a call, with others before them."""
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    new = [cst.Arg(value, comma=comma) for value in before]
    if not updated.args and new:
        new[-1] = new[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return [*new, *updated.args]


def call_of(function: cst.BaseExpression, values: Sequence[cst.BaseExpression]) -> cst.Call:
    """A call of a function with these arguments."""
    return cst.Call(function, [cst.Arg(value) for value in values])


def lambda_of(value: cst.BaseExpression) -> cst.Lambda:
    """A function that computes a value."""
    return cst.Lambda(cst.Parameters(), value)


def named(argument: cst.Arg, name: str) -> cst.Arg:
    """An argument with this name; as it is if the name is empty."""
    if not name:
        return argument
    if argument.keyword is not None:
        return argument.with_changes(keyword=argument.keyword.with_changes(value=name))
    bare = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return argument.with_changes(keyword=cst.Name(name), equal=bare)


def with_more(updated: cst.Call, more: Sequence[str]) -> cst.Call:
    """A call with more arguments at its end."""
    if not more:
        return updated
    added = cst.ensure_type(cst.parse_expression(f"f({', '.join(more)})"), cst.Call).args
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    last = updated.args[-1]
    if isinstance(last.comma, cst.MaybeSentinel):
        last = last.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))
    return updated.with_changes(args=[*updated.args[:-1], last, *added])


def negated(attribute: cst.Attribute, name: str) -> cst.UnaryOperation:
    """``(not response.is_error)`` for ``response.ok``."""
    return cst.UnaryOperation(
        cst.Not(),
        attribute.with_changes(attr=cst.Name(name)),
        lpar=[cst.LeftParen()],
        rpar=[cst.RightParen()],
    )


class _Replacer(cst.CSTTransformer):
    def __init__(self, changes: dict[cst.CSTNode, _Change]) -> None:
        super().__init__()
        self._changes = changes

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        change = self._changes.get(original_node)
        return updated_node if change is None else change(updated_node)
