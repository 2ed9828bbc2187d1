"""Statements become a block with a task group, and read its results."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import libcst as cst

from loopviz.repair.result import Refusal
from loopviz.repair.rewrite import Cut, Rewrite

__all__ = ["in_a_row", "of_comprehension", "of_loop"]


def in_a_row(
    rewrite: Rewrite, row: Sequence[ast.Assign], names: Sequence[str], group: str, asyncio: str
) -> None:
    """``a = await f()`` and so on: one block creates the tasks, then each name gets its result."""
    cut = rewrite.cut(row[0])
    lines = [_line(cut, node) for node in row]

    def together(updated: Mapping[cst.CSTNode, Any]) -> list[cst.BaseStatement]:
        created, results = [], []
        for line, name in zip(lines, names, strict=True):
            new = updated[line]
            (assign,) = new.body
            task = _created(group, assign.value.expression)
            start = cst.Assign([cst.AssignTarget(cst.Name(name))], task)
            first = line is lines[0]
            created.append(new.with_changes(body=[start], leading_lines=[] if first else new.leading_lines))
            result = cst.parse_expression(f"{name}.result()")
            results.append(
                cst.SimpleStatementLine(
                    [assign.with_changes(value=result, semicolon=cst.MaybeSentinel.DEFAULT)]
                )
            )
        return [_group(updated[lines[0]].leading_lines, created, group, asyncio), *results]

    _replace(cut, lines, together)


def of_comprehension(
    rewrite: Rewrite,
    statement: ast.stmt,
    comprehension: ast.ListComp,
    awaited: ast.Await,
    names: tuple[str, str, str],
    asyncio: str,
) -> None:
    """``[await f(x) for x in xs]``: a list of tasks, then a list of their results."""
    group, tasks, task = names
    cut = rewrite.cut(statement)
    line = _line(cut, statement)
    comp, inner = cut.expression(comprehension, cst.ListComp), cut.expression(awaited, cst.Await)
    made: list[cst.ListComp] = []

    def results(updated: cst.ListComp) -> cst.ListComp:
        # The element as it was, with the task's result in place of the await.
        made.append(updated)
        element = comp.elt.deep_replace(inner, cst.parse_expression(f"{task}.result()"))
        if comp.elt is inner:
            element = cst.parse_expression(f"{task}.result()")
        loop = cst.CompFor(cst.Name(task), cst.Name(tasks))
        return updated.with_changes(elt=element, for_in=loop)

    cut.change(comp, results)

    def together(updated: Mapping[cst.CSTNode, Any]) -> list[cst.BaseStatement]:
        call = _created(group, inner.expression)
        every = made[0].with_changes(elt=call, lpar=[], rpar=[])
        start = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(cst.Name(tasks))], every)])
        new = updated[line]
        block = _group(new.leading_lines, [start], group, asyncio)
        return [block, new.with_changes(leading_lines=[])]

    _replace(cut, [line], together)


def of_loop(
    rewrite: Rewrite, loop: ast.For, awaited: ast.Await, name: str, names: tuple[str, str, str], asyncio: str
) -> None:
    """``for x in xs: results.append(await f(x))``: a list of tasks, whose results extend the list."""
    group, tasks, task = names
    cut = rewrite.cut(loop)
    found = cut.statement(loop, cst.For)
    inner = cut.expression(awaited, cst.Await)
    _require_no_comments(found)

    def together(_: Mapping[cst.CSTNode, Any]) -> list[cst.BaseStatement]:
        every = cst.ListComp(_created(group, inner.expression), cst.CompFor(found.target, found.iter))
        start = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(cst.Name(tasks))], every)])
        results = cst.parse_statement(f"{name}.extend({task}.result() for {task} in {tasks})")
        return [_group(found.leading_lines, [start], group, asyncio), results]

    _replace(cut, [found], together)


def _created(group: str, call: cst.BaseExpression) -> cst.Call:
    return cst.Call(cst.parse_expression(f"{group}.create_task"), [cst.Arg(call)])


def _group(
    leading: Sequence[cst.EmptyLine], body: Sequence[cst.BaseStatement], group: str, asyncio: str
) -> cst.With:
    item = cst.WithItem(cst.parse_expression(f"{asyncio}.TaskGroup()"), cst.AsName(cst.Name(group)))
    return cst.With([item], cst.IndentedBlock(body), asynchronous=cst.Asynchronous(), leading_lines=leading)


def _line(cut: Cut, node: ast.stmt) -> cst.SimpleStatementLine:
    found: cst.SimpleStatementLine = cut.statement(node, cst.SimpleStatementLine)
    if len(found.body) != 1:
        raise Refusal(f"The statement at line {node.lineno} shares its line with another one.")
    return found


def _require_no_comments(node: cst.CSTNode) -> None:
    """Raise `Refusal` if a statement that is written anew has comments, which would be lost."""
    waiting = [child for child in node.children if not isinstance(child, cst.EmptyLine)]
    while waiting:
        child = waiting.pop()
        if isinstance(child, cst.Comment):
            raise Refusal("The loop has comments, which would be lost.")
        waiting += child.children


def _replace(
    cut: Cut,
    lines: Sequence[cst.CSTNode],
    together: Callable[[Mapping[cst.CSTNode, Any]], list[cst.BaseStatement]],
) -> None:
    """Replace statements that follow each other in a block by others."""
    block = cut.block_of(lines[0])

    def changed(updated: cst.IndentedBlock) -> cst.IndentedBlock:
        by_line: dict[cst.CSTNode, Any] = dict(zip(block.body, updated.body, strict=True))
        first = block.body.index(lines[0])
        new = together(by_line)
        body = [*updated.body[:first], *new, *updated.body[first + len(lines) :]]
        return updated.with_changes(body=body)

    cut.change(block, changed)
