"""Awaits one after the other that could be concurrent, as the source says: none needs another's result.

This errs on the side of saying nothing. What uses one connection, lock, stream or request is left out, and so
is what may change something, what waits on purpose, and a loop that can end early.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopviz.findings.source import Function, name_of

__all__ = ["Await", "Row", "rows"]

_NEVER = re.compile(
    r"(?i)^(accept|acquire|aclose|aenter|await_|begin|body|close|commit|connect|delete|disconnect|drain|enter\w*"
    r"|execute\w*|fetch_?(one|all|many|val|row)|flush|form|gather|insert|join|json|notify\w*|patch|post|publish"
    r"|push|put|read\w*|receive\w*|recv\w*|refresh|rollback|run_until\w*|save\w*|scalars?|send\w*|set|sleep\w*"
    r"|start\w*|stop\w*|stream|text|to_thread|run_in_threadpool|run_sync|update\w*|wait|write\w*|create\w*|add\w*"
    r"|remove\w*|store\w*|log\w*|emit\w*|lock|release)$"
)
"""Functions whose order matters, or that wait on purpose."""
_CHANGES = re.compile(
    r"(?i)^_*(allocate|apply|approve|archive|assign|book|cancel|charge|clear|close|commit|complete|confirm|credit"
    r"|debit|decrement|delete|deliver|deposit|dispatch|enqueue|ensure|finish|import|increment|init|initialize"
    r"|invalidate|issue|login|logout|mark|merge|migrate|move|patch|pay|place|post|publish|purchase|push|put"
    r"|record|refund|register|release|rename|replace|require|reserve|reset|restore|rollback|schedule|set|ship|sign"
    r"|submit|subscribe|transfer|trigger|unlock|upload|upsert|withdraw)(_\w+)?$"
)
"""Functions that change something, by the verb that their names begin with."""
_FINDS = re.compile(r"(?i)^_*(count|download|fetch|find|get|list|load|look_?up|query|read|search)(_\w+)?$")
"""Functions that find something, and change nothing."""
_FIRST = re.compile(r"[.\[(]")
"""What ends the name of an object, where a part of it is written."""
_CLIENT = re.compile(r"(?i)client|TaskGroup|timeout|move_on|fail_after")
"""What is entered and can be used by several tasks at a time."""
_SLEEPS = {"sleep", "sleep_until", "checkpoint"}
_CONNECTION = re.compile(
    r"(?i)(?:^|_)(session|db|database|conn|connection|cursor|cur|tx|transaction|ws|websocket|reader|writer|lock"
    r"|stream|pipe|pipeline|channel|uow|queue|event|semaphore)$"
)
"""Names of what one task at a time can use."""
_READS = {"get", "head", "options", "request"}
_HTTP = re.compile(r"\b(?:aiohttp|httpx|niquests)\b")
_DATABASE = re.compile(r"\b(?:aiosqlite|asyncpg|databases|peewee|psycopg|sqlalchemy|sqlmodel|tortoise)\b")
"""In a file that names one of these, a session is one of a database."""


@dataclass(frozen=True, slots=True)
class Await:
    """One of the awaits."""

    call: ast.Call
    first: int
    """Its first and its last line."""
    last: int

    @property
    def name(self) -> str:
        """What is called there."""
        return name_of(self.call.func)


@dataclass(frozen=True, slots=True)
class Row:
    """Awaits that could be concurrent: those of consecutive statements, or the one of a loop."""

    awaits: tuple[Await, ...]
    loop: ast.For | ast.ListComp | ast.SetComp | None = None
    """The loop, where it is one await each time."""
    statements: tuple[ast.stmt, ...] = ()
    """The statements that they are in, where there is no loop."""

    @property
    def line(self) -> int:
        """The first line of it."""
        return self.awaits[0].first


def rows(function: Function, source: str) -> Iterator[Row]:
    """The rows of a function; `source` is the text of its file."""
    http = _HTTP.search(source) is not None and _DATABASE.search(source) is None
    yield from _of_block(function.body, http=http)


class _Run:
    """The awaits of consecutive statements, up to one that needs the result of another."""

    def __init__(self, *, http: bool, entered: frozenset[str]) -> None:
        self._http = http
        self._entered = entered
        self._awaits: list[Await] = []
        self._statements: list[ast.stmt] = []
        self._results: set[str] = set()
        """The names of what depends on the results."""
        self._kept: set[str] = set()
        """The results that are kept in something else, as they are written: ``self.user``."""

    def ended(self) -> list[Row]:
        """What it was, if it was a row; the next await begins another one."""
        found = (
            [Row(tuple(self._awaits), statements=tuple(self._statements))] if len(self._awaits) > 1 else []
        )
        self._awaits, self._statements, self._results, self._kept = [], [], set(), set()
        return found

    def add(self, statement: ast.stmt) -> Iterator[Row]:
        """Add the awaits of a statement; the rows that end with it."""
        found = list(_awaits(statement))
        if _has_effect(statement, http=self._http):
            yield from self.ended()
            return
        for one in found:
            if not self._is_apart(one) or _reads(one.call) & self._results or self._reads_kept(one.call):
                yield from self.ended()
            if not _may(one.call, http=self._http):
                yield from self.ended()
                continue
            self._awaits.append(one)
            if not self._statements or self._statements[-1] is not statement:
                self._statements.append(statement)
        if found or _reads(statement) & self._results:
            self._results |= _targets(statement) | _filled(statement)
            self._kept |= _kept(statement)

    def _is_apart(self, one: Await) -> bool:
        """Whether it uses nothing that one task at a time can use, and another one uses as well."""
        mine = _uses(one.call) & self._entered
        if mine and any(mine & _uses(other.call) for other in self._awaits):
            return False
        return _apart([*self._awaits, one], http=self._http)

    def _reads_kept(self, call: ast.Call) -> bool:
        """Whether it may read a result that is kept in an object: by its name, or as the object's method."""
        if not self._kept:
            return False
        owners = {text.rpartition(".")[0] for text in self._kept} | {
            _FIRST.split(text)[0] for text in self._kept
        }
        parts = {ast.unparse(n) for n in ast.walk(call) if isinstance(n, ast.Attribute | ast.Subscript)}
        given = {ast.unparse(one) for one in (*call.args, *(word.value for word in call.keywords))}
        if isinstance(call.func, ast.Attribute):
            given.add(ast.unparse(call.func.value))
        return bool(parts & self._kept or given & owners)


def _of_block(
    block: Sequence[ast.stmt], *, http: bool, entered: frozenset[str] = frozenset()
) -> Iterator[Row]:
    """The rows of a block of statements, and of the blocks in it; what was `entered` before is one thing."""
    run = _Run(http=http, entered=entered)
    for statement in block:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
            yield from _comprehensions(statement, http=http)
            yield from run.add(statement)
        else:
            yield from run.ended()
            yield from _inside(statement, http=http, entered=entered)
    yield from run.ended()


def _inside(statement: ast.stmt, *, http: bool, entered: frozenset[str]) -> Iterator[Row]:
    """The rows of a compound statement."""
    if isinstance(statement, ast.For) and (one := _of_loop(statement, http=http)) is not None:
        yield one
        return
    if isinstance(statement, ast.AsyncWith):
        entered |= _entered(statement)
    if isinstance(statement, ast.If | ast.With | ast.AsyncWith | ast.Try):
        for name in ("body", "orelse", "finalbody"):
            yield from _of_block(getattr(statement, name, []), http=http, entered=entered)


def _of_loop(loop: ast.For, *, http: bool) -> Row | None:
    """A loop whose one await needs nothing of the time before."""
    nodes = [node for statement in loop.body for node in _walk(statement)]
    if any(isinstance(n, ast.Break | ast.Return | ast.Try | ast.While | ast.For | ast.Raise) for n in nodes):
        return None
    awaited = [node for node in nodes if isinstance(node, ast.Await)]
    entered = [node for node in nodes if isinstance(node, ast.AsyncWith)]
    inner = {name for node in nodes if isinstance(node, ast.AsyncWith | ast.With) for name in _bound(node)}
    calls = [node.value for node in awaited if isinstance(node.value, ast.Call)]
    calls += [i.context_expr for n in entered for i in n.items if isinstance(i.context_expr, ast.Call)]
    outer = [call for call in calls if not (_receivers(call) & inner)]
    if len(outer) != 1 or not _may(outer[0], http=http) or any(name_of(c.func) in _SLEEPS for c in calls):
        return None
    call = outer[0]
    results = {
        name
        for statement in loop.body
        for node in _walk(statement)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        and (isinstance(node, ast.AugAssign) or any(isinstance(n, ast.Await) for n in _walk(node)))
        for name in _targets(node)
    }
    if _reads(call) & results or _names_connection(call, http=http):
        return None
    return Row((Await(call, loop.body[0].lineno, loop.end_lineno or loop.lineno),), loop)


def _comprehensions(statement: ast.stmt, *, http: bool) -> Iterator[Row]:
    """The list and set comprehensions of a statement that await for each element."""
    for node in _walk(statement):
        if not isinstance(node, ast.ListComp | ast.SetComp) or not isinstance(node.elt, ast.Await):
            continue
        call = node.elt.value
        plain = not any(part.is_async for part in node.generators)
        if (
            plain
            and isinstance(call, ast.Call)
            and _may(call, http=http)
            and not _names_connection(call, http=http)
        ):
            yield Row((Await(call, node.lineno, node.end_lineno or node.lineno),), node)


def _awaits(statement: ast.stmt) -> Iterator[Await]:
    """The awaits of a statement in their order; those whose result another one needs, and loops, are none."""
    stack: list[ast.AST] = [statement]
    found: list[Await] = []
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(node, ast.Await):
            if isinstance(node.value, ast.Call):
                found.append(Await(node.value, node.lineno, node.end_lineno or node.lineno))
            continue
        stack += list(ast.iter_child_nodes(node))
    yield from sorted(found, key=lambda one: (one.first, one.call.col_offset))


def _may(call: ast.Call, *, http: bool) -> bool:
    """Whether the order of such calls is likely not to matter."""
    if any(isinstance(node, ast.Await) for node in ast.walk(call)):
        return False
    name = name_of(call.func)
    if name in _READS:
        return http or not _names_connection(call, http=http)
    return bool(name) and not _NEVER.match(name) and not _CHANGES.match(name)


def _has_effect(statement: ast.stmt, *, http: bool) -> bool:
    """Whether it awaits something and drops the result: then what it does matters, and so may the order.

    It may check something as well, and raise. A function that only finds something is none of these; a method
    that does keeps it in its object.
    """
    value = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(value, ast.Await) or not isinstance(value.value, ast.Call):
        return False
    name = name_of(value.value.func)
    if isinstance(value.value.func, ast.Attribute):
        return not (http and name in _READS)
    return not _FINDS.match(name)


def _filled(statement: ast.stmt) -> set[str]:
    """The objects whose methods get results: ``found`` of ``found.append(await load())``."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return _receivers(value) if isinstance(value, ast.Call) else set()


def _kept(statement: ast.stmt) -> set[str]:
    """Where the statement keeps its value in an object, as it is written."""
    return {
        ast.unparse(node)
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store)
    }


def _entered(statement: ast.AsyncWith) -> frozenset[str]:
    """The names of what it enters, unless that is a client, which many tasks can use at a time."""
    found: set[str] = set()
    for item in statement.items:
        called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
        if item.optional_vars is not None and not _CLIENT.search(ast.unparse(called)):
            found |= _targets(item.optional_vars)
    return frozenset(found)


def _uses(call: ast.Call) -> set[str]:
    """The names that are arguments of the call, and the object whose method it is."""
    used = {name_of(given) for given in (*call.args, *(word.value for word in call.keywords))}
    return (used | _receivers(call)) - {""}


def _apart(row: Sequence[Await], *, http: bool) -> bool:
    """Whether no two of them use one connection."""
    used = [_connections(one.call, http=http) for one in row]
    return not any(used[-1] & other for other in used[:-1])


def _names_connection(call: ast.Call, *, http: bool) -> bool:
    return bool(_connections(call, http=http))


def _connections(call: ast.Call, *, http: bool) -> set[str]:
    """What it uses that one task at a time can use, by name: the object of the method, and arguments."""
    used = {name_of(given) for given in (*call.args, *(word.value for word in call.keywords))}
    if isinstance(call.func, ast.Attribute) and not (http and call.func.attr in _READS):
        used.add(name_of(call.func.value))
    return {name for name in used if name and _CONNECTION.search(name)}


def _receivers(call: ast.Call) -> set[str]:
    """The names of the object whose method is called."""
    return _reads(call.func.value) if isinstance(call.func, ast.Attribute) else set()


def _bound(statement: ast.AsyncWith | ast.With) -> set[str]:
    return {
        node.id
        for item in statement.items
        if item.optional_vars is not None
        for node in ast.walk(item.optional_vars)
        if isinstance(node, ast.Name)
    }


def _reads(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _targets(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes in it that are executed with it: not those of functions that are defined in it."""
    stack = [node]
    while stack:
        found = stack.pop()
        yield found
        stack += [
            inner
            for inner in ast.iter_child_nodes(found)
            if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
        ]
