"""Which of its child tasks and executor calls a suspended task awaits.

A request's state follows from the tasks that its root task awaits. asyncio does not keep who awaits whom, but
the futures do: the done callbacks of a child lead to the future at which its parent is suspended, through
``gather``, ``wait``, ``shield``, ``as_completed`` and the like. Tasks in a task group are awaited by the
task that has opened the group, as it cannot leave the group without them.

This is looked at when a task that has started other tasks, or submitted calls, is suspended. Only what
differs from the event before is reported; see AWAITS_TASK and AWAITS_CALL in `loopviz.stream.events`.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Iterable, Iterator
from contextvars import Context
from functools import partial
from types import BuiltinMethodType, CellType, FunctionType, MethodType
from typing import Any

from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.state import ATTRIBUTE, Child, Joins, ProbeState, Trace, put_on
from loopviz.stream.events import AWAITS_CALL, AWAITS_TASK, RESULT

__all__ = ["join"]

_MOST = 50
"""With more children or calls than this, only new ones, and those in a `gather`, are looked at again."""
_MOST_NEW = 1_000
"""New children that are looked at when a task is suspended; the rest count as awaited."""
_IN_GROUP = 2
_NODES = 80
"""Objects that are looked at to find the way from a callback to a future."""
_COLLECTIONS = (list, tuple, set, frozenset, dict, deque)
_ENDS = (type, int, str, bytes, float, asyncio.AbstractEventLoop, Context)


def join(
    state: ProbeState, trace: Trace, task: asyncio.Future[Any], waiter: asyncio.Future[Any] | None
) -> None:
    """Report which tasks and calls `task` awaits, now that it is suspended at `waiter`.

    Without a waiter it has ended, or yields.
    """
    joins = trace.joins or Joins()
    _recount(joins)
    if waiter is None:
        if compat.is_done(task):
            _cancelled_calls(state, trace, joins)
            trace.joins = None
        elif len(joins.new) > 2 * max(joins.kept, _MOST):  # it only ever yields
            joins.new = [child for child in joins.new if child.number in state.live]
            joins.kept = len(joins.new)
        return
    looked_at = _classify_new(state, task, joins) if joins.new else []
    leaves = list(_leaves(waiter))
    for leaf in leaves:
        other: Trace | None = put_on(leaf, ATTRIBUTE)
        if other is not None and other is not trace and other.number in state.live:
            looked_at.append(joins.tasks.setdefault(other.number, Child(other, awaited=False)))
    if len(joins.tasks) <= _MOST:
        looked_at = list(joins.tasks.values())
    direct = set(map(id, leaves))
    _join_tasks(state, trace, looked_at, waiter, direct)
    _cancelled_calls(state, trace, joins)
    _join_calls(state, trace, joins, waiter, direct)
    _prune(state, joins)
    trace.joins = joins if joins.tasks or joins.calls or joins.recount else None


def _recount(joins: Joins) -> None:
    """A task that waited for a thread may have been cancelled, which changes the limiter without a call."""
    if joins.recount is not None:
        if joins.recount_due:
            joins.recount()
            joins.recount = None
        joins.recount_due = not joins.recount_due


def _classify_new(state: ProbeState, task: object, joins: Joins) -> list[Child]:
    """The new children that are in no task group. Those in a group count for the task that opened it."""
    found: list[Child] = []
    for trace in joins.new:
        child = trace.ref()
        if child is None or compat.is_done(child):
            continue
        host = _host_of(child)
        if host is None:
            joins.tasks[trace.number] = kept = Child(trace)
            if len(found) < _MOST_NEW:
                found.append(kept)
        elif host is not task:
            other: Trace | None = put_on(host, ATTRIBUTE)
            if other is not None and other.number in state.live:
                state.emit((clock(), AWAITS_TASK, other.number, trace.number, _IN_GROUP))
    joins.new.clear()
    joins.kept = 0
    return found


def _join_tasks(
    state: ProbeState, trace: Trace, children: list[Child], waiter: asyncio.Future[Any], direct: set[int]
) -> None:
    for child in children:
        task = child.trace.ref()
        if task is None or compat.is_done(task):
            continue
        awaited = id(task) in direct
        if not awaited:
            callbacks = compat.callbacks_of(task)
            # What awaits a task later adds a callback to it.
            if child.awaited or len(callbacks) != child.callbacks:
                awaited = _leads_to(callbacks, waiter)
                child.callbacks = len(callbacks)
        if awaited is not child.awaited:
            child.awaited = awaited
            state.emit((clock(), AWAITS_TASK, trace.number, child.trace.number, int(awaited)))


def _prune(state: ProbeState, joins: Joins) -> None:
    """Forget the children that have ended; not each time if there are many."""
    if len(joins.tasks) <= _MOST or len(joins.tasks) > 2 * joins.pruned:
        live = state.live
        joins.tasks = {number: child for number, child in joins.tasks.items() if number in live}
        joins.pruned = len(joins.tasks)


def _cancelled_calls(state: ProbeState, trace: Trace, joins: Joins) -> None:
    """Forget calls that are over; no worker will execute one that was cancelled before it began."""
    for number, call in list(joins.calls.items()):
        if call.future.done():
            del joins.calls[number]
            if call.future.cancelled():
                state.emit((clock(), AWAITS_CALL, trace.number, number, 0))
                if not call.begun:  # asyncio has cancelled the executor's future by now
                    state.emit((clock(), RESULT, number, trace.number))


def _join_calls(
    state: ProbeState, trace: Trace, joins: Joins, waiter: asyncio.Future[Any], direct: set[int]
) -> None:
    many = len(joins.calls) > _MOST
    for number, call in joins.calls.items():
        awaited = id(call.future) in direct or (
            call.awaited if many else _leads_to(compat.callbacks_of(call.future), waiter)
        )
        if awaited is not call.awaited:
            call.awaited = awaited
            state.emit((clock(), AWAITS_CALL, trace.number, number, int(awaited)))


def _leaves(waiter: Any) -> Iterator[Any]:
    """The futures that `waiter` stands for: those of a `gather`, or itself."""
    todo, seen = [waiter], set()
    while todo:
        future = todo.pop()
        children = compat.children_of(future)
        if not children:
            yield future
        elif id(future) not in seen:
            seen.add(id(future))
            todo += reversed(children)


def _host_of(task: asyncio.Task[Any]) -> object | None:
    """The task that has opened the task group that `task` is in, or None if it is in none."""
    for callback in compat.callbacks_of(task):
        owners = [compat.declared(callback, "__self__")]
        if type(callback) is FunctionType:
            owners += [cell.cell_contents for cell in callback.__closure__ or () if _is_full(cell)]
        for owner in owners:
            host = compat.host_of(owner)
            if host is not None:
                return host
    return None


def _is_full(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _leads_to(callbacks: list[Any], waiter: asyncio.Future[Any]) -> bool:
    """Whether these done callbacks lead to `waiter`, so that the end of their future can end its wait."""
    if compat.is_a(waiter, asyncio.Task) or not callbacks:
        return False
    todo: list[Any] = list(callbacks)
    seen: set[int] = set()
    while todo and len(seen) < _NODES:
        node = todo.pop()
        if node is waiter:
            return True
        if id(node) not in seen:
            seen.add(id(node))
            todo += _referred(node)
    return False


def _referred(node: Any) -> Iterable[Any]:
    """What a callback, or something that it refers to, works on."""
    found: Iterable[Any] = ()
    kind = type(node)  # not `isinstance`, which asks the object for its class
    if issubclass(kind, (asyncio.Task, *_ENDS)):
        pass
    elif issubclass(kind, asyncio.Future):
        found = compat.callbacks_of(node)
    elif kind is FunctionType:
        found = node.__closure__ or ()
    elif kind in {MethodType, BuiltinMethodType}:
        found = (node.__self__,)
    elif issubclass(kind, partial):
        found = (node.func, *node.args, *node.keywords.values())
    elif kind in _COLLECTIONS:
        found = gc.get_referents(node) if len(node) <= _NODES else ()
    elif kind is CellType or str(kind.__module__).partition(".")[0] in {"asyncio", "anyio"}:
        found = gc.get_referents(node)
    return found
