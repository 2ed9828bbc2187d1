"""A ``def`` endpoint that returns at once: each request paid for the way to a thread and back."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from loopviz.clock import duration
from loopviz.findings import source
from loopviz.findings.finding import Finding
from loopviz.findings.loss import PART, Loss
from loopviz.findings.seen import Seen
from loopviz.findings.waits import calls, in_executor
from loopviz.findings.words import at, count, named
from loopviz.model import Span, State, Where

__all__ = ["look"]

_AT_ONCE = 1_000_000
"""An endpoint that takes less (ns) returns at once."""
_LEAST = 10
"""Fewer requests than this pay too little."""
_IO = {"eval", "exec", "input", "open", "print", "sleep"}
_COMPUTE = {"date", "datetime", "math", "random", "secrets", "statistics", "time", "timedelta", "uuid"}
"""Modules, and classes of them, whose functions never wait, but for `sleep`."""
_LITERALS = (
    ast.Constant, ast.Dict, ast.DictComp, ast.JoinedStr, ast.List, ast.ListComp, ast.Set, ast.SetComp,
    ast.Tuple,
)  # fmt: skip
_WAITS = (ast.While, ast.For, ast.With, ast.Yield, ast.YieldFrom)


def look(seen: Seen) -> Iterator[Finding]:
    """The endpoints that wait for nothing, compute nothing and yet were called in threads."""
    found: dict[Where, list[Span]] = defaultdict(list)
    for span in calls(seen):
        if span.called is not None and span.request in seen.by_number and not in_executor(seen, span):
            found[span.called].append(span)
    for called, spans in found.items():
        worked = median(span.end - span.start for span in spans)
        if len(spans) < _LEAST or worked >= _AT_ONCE or not _is_trivial(seen, called):
            continue
        loss = Loss()
        for span in spans:
            _add_ways(seen, span, loss)
        ways = [loss.of(number) for number in loss.requests]
        if ways and median(ways) >= PART * seen.took and seen.matters(loss):
            yield _finding(seen, called, worked, loss)


def _is_trivial(seen: Seen, called: Where) -> bool:
    """Whether it is a ``def`` endpoint that calls nothing but builtins, classes, and what never waits."""
    found = source.function_of(seen.lines(called.file), called.line)
    if found is None or not isinstance(found[1], ast.FunctionDef) or not source.is_endpoint(found[1]):
        return False
    nodes = [node for part in found[1].body for node in ast.walk(part)]
    if any(isinstance(node, _WAITS) for node in nodes):
        return False
    known = _values(found[0], set())
    values = known | _values(found[1], known)
    return all(_is_plain(node, values) for node in nodes if isinstance(node, ast.Call))


def _is_plain(call: ast.Call, values: set[str]) -> bool:
    """Whether a call never waits: of a builtin or a class, a method of a value, or a module that computes."""
    name = source.name_of(call.func)
    if isinstance(call.func, ast.Name):
        return (name[:1].isupper() or hasattr(builtins, name)) and name not in _IO
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = call.func.value
    if isinstance(owner, ast.Call):
        return _is_plain(owner, values)  # a method of what it returns
    first = _first(owner)
    module = isinstance(first, ast.Name) and first.id in _COMPUTE and name not in _IO
    return module or isinstance(first, ast.Constant | ast.JoinedStr) or source.name_of(first) in values


def _first(node: ast.expr) -> ast.expr:
    """What a chain of attributes, subscripts and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def _values(block: ast.Module | source.Function, known: set[str]) -> set[str]:
    """The names to which it gives literal values only, such as a dictionary, or what is in a known one."""
    given: dict[str, list[ast.expr]] = defaultdict(list)
    for statement in block.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            if isinstance(target, ast.Name):
                given[target.id].append(statement.value)
    return {name for name, values in given.items() if all(_is_value(value, known) for value in values)}


def _is_value(value: ast.expr, known: set[str]) -> bool:
    if isinstance(value, _LITERALS):
        return not any(isinstance(node, ast.Call) for node in ast.walk(value))
    return source.name_of(_first(value)) in known


def _add_ways(seen: Seen, span: Span, loss: Loss) -> None:
    """Add how long its request was on its way to the thread, and back."""
    before = after = 0
    for segment in seen.segments(seen.by_number[span.request]):
        if segment.state is State.RUNNING and segment.end <= span.start:
            before = segment.end
        elif segment.state is State.RUNNING and segment.start >= span.end:
            after = segment.start
            break
    if before and after:
        loss.add(span.request, before, span.start)
        loss.add(span.request, span.end, after)


def _finding(seen: Seen, called: Where, worked: float, loss: Loss) -> Finding:
    name = called.function.rpartition(".")[2]
    who, way = count(len(loss.requests), "request"), duration(median(map(loss.of, loss.requests)))
    return Finding(
        id="trivial-def",
        severity="low",
        confidence="measured",
        title="A thread for nothing",
        what=f"{who} worked {duration(worked)} each in {name} ({at(called)}), and the way to a worker thread"
        f" and back took {way}.",
        why="FastAPI calls a def endpoint in a worker thread because it may wait; this one never does.",
        do=f"Make {name} async def: what never waits needs no thread.",
        where=called,
        requests=named(loss.requests),
        culprits=named(loss.requests),
        evidence=(
            ("work of the endpoint", f"{duration(worked)} each"),
            ("way to a thread and back", f"{way} each"),
            ("requests", str(len(loss.requests))),
        ),
        lost=loss.total,
        change=((f"def {name}(...):",), (f"async def {name}(...):",)),
        repair="async-def",
        scenario=seen.repaired or "trivial_async",
        loss=loss,
    )
