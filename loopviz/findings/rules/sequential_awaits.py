"""Awaits one after the other in one request that could be concurrent: it takes the sum, not the longest."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loopviz.clock import duration
from loopviz.findings.finding import Change, Finding
from loopviz.findings.loss import Loss
from loopviz.findings.rows import Await, Row, rows
from loopviz.findings.seen import Seen
from loopviz.findings.source import Function, function_of, functions, is_library, name_of, tree_of
from loopviz.findings.words import at, count, named
from loopviz.model import Request, Segment, State, Where

__all__ = ["look"]

_LONG = 10_000_000
"""A shorter await (ns) is none that counts: connecting and reading in parts are such."""
_OTHERS = {"condition", "connection", "event", "lock", "queue", "semaphore", "task"}
"""What somebody else has, or does: another order would not make it faster."""
_DEPTH = 4
"""So many functions deep, what a function calls is followed."""
_MOST_LINES = 6


@dataclass(slots=True)
class _Found:
    """A row, and what was seen of it."""

    file: str
    function: Function
    row: Row
    lost: Loss = field(default_factory=Loss)
    number: int = 0
    """The most awaits of a request."""
    sum: int = 0
    """How long a request awaited them, at most; and the longest of them."""
    longest: int = 0


def look(seen: Seen) -> Iterator[Finding]:
    """One finding for each row of awaits that costs time; the one that costs most first."""
    found: dict[tuple[str, int, int], _Found] = {}
    for request in seen.requests:
        segments = [s for s in seen.segments(request) if _counts(s)]
        if len(segments) < 2:
            continue
        for file, function in _functions(seen, request, segments):
            for row in rows(function, "\n".join(seen.lines(file))):
                if _is_cached(seen, file, row):
                    continue
                key = file, function.lineno, row.line
                one = found.setdefault(key, _Found(file, function, row))
                _add(seen, one, request, segments)
    for one in sorted(found.values(), key=lambda one: -one.lost.total):
        if one.number > 1 and seen.matters(one.lost):
            yield _finding(seen, one)


def _counts(segment: Segment) -> bool:
    """Whether it is an await of something that no other task has."""
    if segment.state is not State.AWAITING or segment.where is None or segment.end - segment.start < _LONG:
        return False
    return segment.awaits is None or segment.awaits.what not in _OTHERS


def _functions(seen: Seen, request: Request, segments: Sequence[Segment]) -> Iterator[tuple[str, Function]]:
    """The functions in which the rows may be: the endpoint, those that were seen, and those in between."""
    known: set[tuple[str, int]] = set()
    wheres = [request.handler, *dict.fromkeys(segment.where for segment in segments)]
    for where in wheres:
        if where is None or is_library(where.file):
            continue
        found = function_of(seen.lines(where.file), where.line)
        for function in () if found is None else (found[1], *_callers(found[0], found[1])):
            if (where.file, function.lineno) not in known and isinstance(function, ast.AsyncFunctionDef):
                known.add((where.file, function.lineno))
                yield where.file, function


def _callers(tree: ast.Module, function: Function) -> list[Function]:
    """The functions of the file by which this one is called, directly or through others."""
    wanted, found = {function.name}, list[Function]()
    for _ in range(_DEPTH):
        new = [f for f in functions(tree) if f.name not in wanted and _calls(f) & wanted]
        found += new
        wanted |= {f.name for f in new}
    return found


def _calls(function: Function) -> set[str]:
    return {name_of(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)} - {""}


def _is_cached(seen: Seen, file: str, row: Row) -> bool:
    """Whether the results of what is awaited are kept, by a decorator: the second time it takes no time."""
    names, tree = {await_.name for await_ in row.awaits}, tree_of(seen.lines(file))
    return tree is not None and any(
        "cache" in ast.unparse(decorator).lower()
        for function in functions(tree)
        if function.name in names
        for decorator in function.decorator_list
    )


def _add(seen: Seen, one: _Found, request: Request, segments: Sequence[Segment]) -> None:
    """Add what the request lost: all of the row's awaits but the longest."""
    parts: dict[object, list[Segment]] = defaultdict(list)
    names = [await_.name for await_ in one.row.awaits]
    for segment in segments:
        which = _which(seen, one, segment.where)
        if which is None:
            continue
        alone = one.row.loop is None and names.count(one.row.awaits[which].name) == 1
        parts[which if alone else (which, segment.start)].append(segment)
    if len(parts) < 2:
        return
    sums = {key: sum(s.end - s.start for s in part) for key, part in parts.items()}
    longest = max(sums, key=lambda key: sums[key])
    for key, part in parts.items():
        for segment in part if key != longest else ():
            one.lost.add(request.id, segment.start, segment.end)
    if sum(sums.values()) > one.sum:
        one.number, one.sum, one.longest = len(parts), sum(sums.values()), sums[longest]


def _which(seen: Seen, one: _Found, where: Where | None) -> int | None:
    """Which of the awaits a suspended task is at: in its lines, or in what it calls."""
    if where is None:
        return None
    name = where.function.rpartition(".")[2]
    for index, await_ in enumerate(one.row.awaits):
        if where.file == one.file and name == one.function.name:
            if await_.first <= where.line <= await_.last:
                return index
        elif name == await_.name or _leads(seen, await_, where, name):
            return index
    return None


def _leads(seen: Seen, await_: Await, where: Where, name: str) -> bool:
    """Whether what is awaited calls the function that was seen, as the source of that one's file says."""
    tree = tree_of(seen.lines(where.file))
    inner = next((f for f in functions(tree) if f.name == name), None) if tree is not None else None
    if tree is None or inner is None:
        return False
    return any(function.name == await_.name for function in _callers(tree, inner))


def _finding(seen: Seen, one: _Found) -> Finding:
    row, loss = one.row, one.lost
    where = Where(one.file, row.line, one.function.name)
    who = count(len(loss.requests), "request")
    called = " and ".join(dict.fromkeys(f"{await_.name}()" for await_ in row.awaits[:3]))
    return Finding(
        id="sequential-awaits",
        severity=seen.severity(loss),
        confidence="likely",
        title="Awaits one after the other",
        what=f"{who} awaited {one.number} times in a row at {at(where)}, {called}: {duration(one.sum)} in"
        f" all, and {duration(one.longest)} the longest.",
        why="An await lets other requests run, but this one goes on only when it is done; none of these needs"
        " the result of another one.",
        do="Await them together, by asyncio.gather(...) or in an asyncio.TaskGroup.",
        where=where,
        requests=named(loss.requests),
        culprits=named(loss.requests),
        evidence=(
            ("awaits in a row", str(one.number)),
            ("together", duration(one.sum)),
            ("the longest", duration(one.longest)),
            ("requests", str(len(loss.requests))),
        ),
        lost=loss.total,
        change=_change(seen, one),
        repair="task-group",
        scenario=seen.repaired or "gather",
        loss=loss,
    )


def _change(seen: Seen, one: _Found) -> Change | None:
    """The row as it is, and with all of it awaited together."""
    row, lines = one.row, seen.lines(one.file)
    await_ = row.awaits[0]
    call = ast.unparse(await_.call)
    if isinstance(row.loop, ast.ListComp | ast.SetComp):
        text = lines[row.loop.lineno - 1].strip()
        if row.loop.lineno != row.loop.end_lineno:
            return None
        whole = lines[row.loop.lineno - 1].encode()[row.loop.col_offset : row.loop.end_col_offset].decode()
        inside = whole.replace("await ", "", 1)
        return (text,), (text.replace(whole, f"await asyncio.gather(*{inside})", 1),)
    if row.loop is not None:
        before = lines[row.loop.lineno - 1 : row.loop.end_lineno]
        target, each = ast.unparse(row.loop.target), ast.unparse(row.loop.iter)
        after = (f"await asyncio.gather(*[{call} for {target} in {each}])",)
        return _dedented(before[:_MOST_LINES]), after
    statements = row.statements
    before = lines[statements[0].lineno - 1 : statements[-1].end_lineno]
    made = ["async with asyncio.TaskGroup() as tasks:"]
    for number, await_ in enumerate(row.awaits, 1):
        made.append(f"    task_{number} = tasks.create_task({ast.unparse(await_.call)})")
    return _dedented(before[:_MOST_LINES]), tuple(made[:_MOST_LINES])


def _dedented(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines without the indentation of the first."""
    depth = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    return tuple(line[depth:] if not line[:depth].strip() else line for line in lines)
