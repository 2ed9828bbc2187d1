"""Awaits in a row that do not need each other become tasks of an `asyncio.TaskGroup`.

Three forms: assignments one after the other, a list comprehension with an await for each element, and a `for`
loop that appends the result of an await.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final, cast

from loopviz.repair.callers import tried
from loopviz.repair.change import Change
from loopviz.repair.imports import imported_as
from loopviz.repair.independent import require_independent, require_simple
from loopviz.repair.outline import Function, Outline, inside, name_of, root_of
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal

if TYPE_CHECKING:
    from loopviz.repair.rewrite import Rewrite

__all__ = ["plan"]

_NAMES: Final = (("group", "task_group"), ("tasks", "every_task"), ("task", "each_task"))
_OF_LISTS: Final = frozenset(
    f"builtins.{name}"
    for name in ("all", "any", "len", "list", "max", "min", "set", "sorted", "sum", "tuple")
)


def plan(place: Place) -> Change:
    """The change for the awaits at a line. Raises `Refusal`."""
    outline, function = place.outline, place.function
    if not isinstance(function, ast.AsyncFunctionDef):
        raise Refusal(f"{function.name}() is no async def: it awaits nothing.")
    statement = place.statement()
    if statement is None:
        raise Refusal(f"There is no await at line {place.line}.")
    _require_no_matter(outline, function, statement)
    asyncio = imported_as(outline, "asyncio", statement)
    imports = ("import asyncio",) if asyncio == "asyncio" else ()
    comprehension = next((n for n in ast.walk(statement) if isinstance(n, ast.ListComp) and _awaits(n)), None)
    loop = statement if isinstance(statement, ast.For) else outline.parents[statement]
    if isinstance(loop, ast.For):
        return _of_loop(outline, loop, asyncio, imports)
    if comprehension is not None:
        return _of_comprehension(outline, statement, comprehension, asyncio, imports)
    return _of_row(outline, statement, asyncio, imports)


def _require_no_matter(outline: Outline, function: Function, statement: ast.stmt) -> None:
    """Raise `Refusal` if somebody handles an exception of a statement, or something is held around it."""
    if any(
        getattr(node, "attr", "") in {"exception_handler", "add_exception_handler"} for node in outline.nodes
    ):
        raise Refusal("The application handles exceptions, and a task group raises groups of them.")
    for around in outline.above(statement):
        if around is function:
            break
        if isinstance(around, ast.Try | ast.TryStar):
            raise Refusal(
                f"The try at line {around.lineno} is around it, and a task group raises groups of exceptions."
            )
        if isinstance(around, ast.With | ast.AsyncWith) and not _is_for_clients(around):
            raise Refusal(
                f"The with at line {around.lineno} is around it, and what it holds may be for one at a time."
            )
    if outline.names & {"locals", "vars", "exec", "eval"}:
        raise Refusal("The file looks at all names of a function, and a task group needs more of them.")
    if (line := _caught_around(outline)) is not None:
        raise Refusal(
            f"The try at line {line} is around all requests, and a task group raises groups of exceptions."
        )
    if (line := tried(outline, function)) is not None:
        raise Refusal(
            f"The try at line {line} calls {function.name}(), and a task group raises groups of exceptions."
        )


def _caught_around(outline: Outline) -> int | None:
    """The line of a `try` in a middleware, which is around each request; None if there is none."""
    for node in outline.nodes:
        if isinstance(node, ast.Call) and name_of(node.func) in {"call_next", "app", "self.app"}:
            for around in outline.above(node):
                if isinstance(around, ast.Try | ast.TryStar) and around.handlers:
                    return around.lineno
    return None


def _of_row(outline: Outline, statement: ast.stmt, asyncio: str, imports: tuple[str, ...]) -> Change:
    if _target(statement) is None:
        raise Refusal(f"Line {statement.lineno} is not an await whose result gets a name.")
    row = _row(outline, statement)
    used: set[str] = set()
    group = _fresh(outline, used, "group", "task_group")
    names = [_fresh(outline, used, f"{_target(node)}_task", f"{_target(node)}_call") for node in row]

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair import blocks  # noqa: PLC0415 - it loads LibCST

        blocks.in_a_row(rewrite, row, names, group, asyncio)

    lines = f"{row[0].lineno} to {row[-1].end_lineno}"
    summary = (
        f"Lines {lines} run as {len(row)} tasks at the same time: together they take as long as the longest."
    )
    return Change(summary, make, imports)


def _row(outline: Outline, statement: ast.stmt) -> list[ast.Assign]:
    """The awaits around a statement that do not need each other. Raises `Refusal` if it is the only one."""
    block = _block(outline, statement)
    at = block.index(statement)
    first = at - sum(1 for _ in takewhile(lambda node: _target(node) is not None, block[:at][::-1]))
    row: list[ast.Assign] = []
    why = ""
    for node in takewhile(lambda node: _target(node) is not None, block[first:]):
        assign = cast("ast.Assign", node)
        try:
            _require_apart(outline, assign, row)
            row.append(assign)
        except Refusal as refusal:
            # Before the statement, another row begins; after it, this one is complete.
            if statement in row or assign is statement:
                why = str(refusal)
            if statement in row:
                break
            row = _alone(outline, assign)
    if statement not in row or len(row) < 2:
        raise Refusal(why or f"There is no other await next to line {statement.lineno}.")
    return row


def _alone(outline: Outline, node: ast.Assign) -> list[ast.Assign]:
    try:
        _require_apart(outline, node, [])
    except Refusal:
        return []
    return [node]


def _require_apart(outline: Outline, node: ast.Assign, row: Sequence[ast.Assign]) -> None:
    """Raise `Refusal` unless a statement needs nothing of the statements before it, and does them no harm."""
    _require_call(outline, cast("ast.Call", _call(node.value)))
    target = node.targets[0]
    if isinstance(target, ast.Name) and outline.scope(target.id, target) is not outline.function_of(node):
        raise Refusal(f"{target.id} is not the function's own, so that others see when it changes.")
    earlier = {_target(other): other for other in row}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in earlier:
            if isinstance(inner.ctx, ast.Store):
                raise Refusal(f"Line {node.lineno} gives {inner.id} another value.")
            at = earlier[inner.id].lineno
            raise Refusal(f"Line {node.lineno} needs {inner.id}, which line {at} awaits: it has to follow.")
    for other in row:
        if any(isinstance(n, ast.Name) and n.id == _target(node) for n in ast.walk(other.value)):
            raise Refusal(f"Line {other.lineno} needs what {_target(node)} was before line {node.lineno}.")


def _of_comprehension(
    outline: Outline, statement: ast.stmt, comprehension: ast.ListComp, asyncio: str, imports: tuple[str, ...]
) -> Change:
    value = statement.value if isinstance(statement, ast.Return | ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Call) and value.args and outline.meaning(value.func) in _OF_LISTS:
        value = value.args[0]
    if value is not comprehension:
        raise Refusal(f"Something else at line {statement.lineno} would be computed later than the calls.")
    _block(outline, statement)
    awaits = [node for node in ast.walk(comprehension) if isinstance(node, ast.Await)]
    if len(comprehension.generators) != 1 or len(awaits) != 1 or not inside(awaits[0], comprehension.elt):
        raise Refusal("Only one await for each element of one loop is understood.")
    (loop,) = comprehension.generators
    _require_loop(outline, loop.target, loop.iter, loop.ifs, awaits[0])
    targets = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    rest = [n for n in ast.walk(comprehension.elt) if not inside(n, awaits[0])]
    if any(isinstance(n, ast.Name) and n.id in targets for n in rest):
        raise Refusal("The element is needed once more after the await.")
    if any(isinstance(n, ast.NamedExpr | ast.Lambda | ast.Yield) for n in rest) or loop.is_async:
        raise Refusal("The comprehension does more than to await a call for each element.")
    used: set[str] = set()
    group, tasks, task = (_fresh(outline, used, *words) for words in _NAMES)

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair import blocks  # noqa: PLC0415 - it loads LibCST

        blocks.of_comprehension(rewrite, statement, comprehension, awaits[0], (group, tasks, task), asyncio)

    return Change(f"{_SUMMARY} of the comprehension at line {comprehension.lineno}.", make, imports)


def _of_loop(outline: Outline, loop: ast.For, asyncio: str, imports: tuple[str, ...]) -> Change:
    match loop.body:
        case [
            ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(attr="append", value=ast.Name(id=name)), args=[argument], keywords=[]
                )
            )
        ]:
            awaited = argument
        case _:
            raise Refusal("Only a loop is understood whose body appends the result of an await to a list.")
    if not (isinstance(awaited, ast.Await) and isinstance(awaited.value, ast.Call)):
        raise Refusal(f"The loop at line {loop.lineno} awaits no call.")
    if loop.orelse:
        raise Refusal(f"The loop at line {loop.lineno} has an else.")
    found = [b.node for b in outline.bindings(name, loop)]
    made = [outline.parents.get(node) for node in found]
    if not made or not all(
        isinstance(m, ast.Assign | ast.AnnAssign) and isinstance(m.value, ast.List) for m in made
    ):
        raise Refusal(f"It is not seen whether {name} is a list.")
    if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(awaited)) or root_of(loop.iter) == name:
        raise Refusal(f"The calls need what {name} has by then.")
    _require_loop(outline, loop.target, loop.iter, [], awaited)
    function = outline.function_around(loop)
    targets = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    if any(_means(outline, n, targets) and not inside(n, loop) for n in ast.walk(function)):
        raise Refusal("The element is used outside of the loop as well.")
    _block(outline, loop)
    used: set[str] = set()
    group, tasks, task = (_fresh(outline, used, *words) for words in _NAMES)

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair import blocks  # noqa: PLC0415 - it loads LibCST

        blocks.of_loop(rewrite, loop, awaited, name, (group, tasks, task), asyncio)

    return Change(f"{_SUMMARY} of the loop at line {loop.lineno}.", make, imports)


_SUMMARY: Final = "A task group runs a task for each element"


def _require_loop(
    outline: Outline, target: ast.expr, elements: ast.expr, conditions: Sequence[ast.expr], awaited: ast.Await
) -> None:
    if not all(isinstance(n, ast.Name | ast.Tuple | ast.List | ast.Store) for n in ast.walk(target)):
        raise Refusal("The loop stores its elements somewhere.")
    call = awaited.value
    if not isinstance(call, ast.Call):
        raise Refusal("What is awaited for each element is no call.")
    _require_call(outline, call)
    for node in (elements, *conditions):
        require_simple(outline, node)


def _require_call(outline: Outline, call: ast.Call) -> None:
    require_independent(outline, call)
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        require_simple(outline, argument)


def _target(node: ast.stmt) -> str | None:
    """The name that an await's result gets: ``a = await f()``; None if the statement is another one."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _call(value) is not None:
            return name
    return None


def _call(value: ast.expr) -> ast.Call | None:
    """The call that is awaited by ``await f()``."""
    return value.value if isinstance(value, ast.Await) and isinstance(value.value, ast.Call) else None


def _block(outline: Outline, statement: ast.stmt) -> list[ast.stmt]:
    """The statements among which one is. Raises `Refusal` if it shares its line with others."""
    parent = outline.parents[statement]
    for field in ("body", "orelse", "finalbody"):
        block = getattr(parent, field, [])
        if isinstance(block, list) and statement in block:
            before = outline.lines[statement.lineno - 1].encode()[: statement.col_offset]
            if before.strip():
                raise Refusal(f"The statement at line {statement.lineno} shares its line with another one.")
            return block
    raise Refusal(f"The statement at line {statement.lineno} is at a place that is not understood.")


def _awaits(node: ast.ListComp) -> bool:
    return any(isinstance(inner, ast.Await) for inner in ast.walk(node.elt))


def _means(outline: Outline, node: ast.AST, names: set[str]) -> bool:
    """Whether a node is one of the function's variables, and not a comprehension's of the same name."""
    if not (isinstance(node, ast.Name) and node.id in names):
        return False
    for around in outline.above(node):
        if isinstance(around, ast.stmt):
            break
        for loop in getattr(around, "generators", []):
            if any(isinstance(n, ast.Name) and n.id == node.id for n in ast.walk(loop.target)):
                return False
    return True


def _is_for_clients(node: ast.With | ast.AsyncWith) -> bool:
    """Whether a block is entered for an HTTP client, which many may use at a time."""
    return all(
        isinstance(item.context_expr, ast.Call)
        and ast.unparse(item.context_expr.func).endswith(("Client", "ClientSession"))
        for item in node.items
    )


def _fresh(outline: Outline, used: set[str], *wanted: str) -> str:
    free = [name for name in wanted if name not in used and name not in outline.names]
    name = free[0] if free else outline.fresh(wanted[0])
    while name in used:
        name += "_"
    used.add(name)
    return name
