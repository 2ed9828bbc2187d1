"""What a suspended task awaits, by the library functions in its chain of awaits and by its future.

Nothing is guessed: what is not recognised is a ``future``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from types import CodeType, FrameType
from typing import Any, NamedTuple

from loopviz.probe import compat

__all__ = ["Awaited", "awaited_by", "what_is_awaited"]


class Awaited(NamedTuple):
    """What is awaited: its kind, its name among others of its kind, and the lock, if it is one."""

    what: str
    name: str = ""
    lock: Any = None


class _Rule(NamedTuple):
    what: str
    name: str = ""
    over: str = "future event"
    """Kinds that a frame inside may have found, and that this one replaces."""


_POOLED = "future event queue lock condition semaphore"

_RULES = {
    "asyncio.tasks:sleep": _Rule("timer"),
    "asyncio.tasks:_wait": _Rule("task"),
    "asyncio.tasks:_wait_for_one": _Rule("task", over="queue"),
    "asyncio.tasks:as_completed.<locals>._wait_for_one": _Rule("task", over="queue"),
    "asyncio.tasks:_AsCompletedIterator._wait_for_one": _Rule("task", over="queue"),
    "asyncio.locks:Lock.acquire": _Rule("lock"),
    "asyncio.locks:Semaphore.acquire": _Rule("semaphore"),
    "asyncio.locks:Event.wait": _Rule("event"),
    "asyncio.locks:Condition.wait": _Rule("condition"),
    "asyncio.locks:Barrier.wait": _Rule("condition", "barrier", over="condition"),
    "asyncio.queues:Queue.get": _Rule("queue", "get"),
    "asyncio.queues:Queue.put": _Rule("queue", "put"),
    "asyncio.queues:Queue.join": _Rule("queue", "join"),
    "asyncio.streams:StreamReader._wait_for_data": _Rule("socket"),
    "asyncio.streams:StreamWriter.wait_closed": _Rule("socket"),
    "asyncio.streams:FlowControlMixin._drain_helper": _Rule("drain"),
    "asyncio.taskgroups:TaskGroup.__aexit__": _Rule("task"),
    "asyncio.taskgroups:TaskGroup._aexit": _Rule("task"),
    "asyncio.base_subprocess:BaseSubprocessTransport._wait": _Rule("subprocess"),
    "asyncio.subprocess:Process.wait": _Rule("subprocess"),
    "asyncio.subprocess:Process.communicate": _Rule("subprocess", over="future event task"),
    "anyio._backends._asyncio:Lock.acquire": _Rule("lock"),
    "anyio._backends._asyncio:Semaphore.acquire": _Rule("semaphore"),
    "anyio._backends._asyncio:CapacityLimiter.acquire_on_behalf_of": _Rule("semaphore", "limiter"),
    "anyio._backends._asyncio:AsyncIOBackend.run_sync_in_worker_thread": _Rule(
        "thread", over="future event semaphore"
    ),
    "anyio._backends._asyncio:AsyncIOBackend.connect_tcp": _Rule("socket"),
    "anyio._backends._asyncio:AsyncIOBackend.wait_readable": _Rule("socket"),
    "anyio._backends._asyncio:AsyncIOBackend.wait_writable": _Rule("drain"),
    "anyio._backends._asyncio:TaskGroup.__aexit__": _Rule("task"),
    "anyio._backends._asyncio:SocketStream.receive": _Rule("socket"),
    "anyio._backends._asyncio:SocketStream.send": _Rule("drain"),
    "anyio._backends._asyncio:UNIXSocketStream.receive": _Rule("socket"),
    "anyio._backends._asyncio:UNIXSocketStream.send": _Rule("drain"),
    "anyio._backends._asyncio:UDPSocket.receive": _Rule("socket"),
    "anyio._backends._asyncio:ConnectedUDPSocket.receive": _Rule("socket"),
    "anyio._backends._asyncio:TCPSocketListener.accept": _Rule("socket"),
    "anyio._backends._asyncio:Process.wait": _Rule("subprocess"),
    "anyio._backends._asyncio:StreamReaderWrapper.receive": _Rule("subprocess", over="future event socket"),
    "anyio._core._synchronization:Condition.wait": _Rule("condition"),
    "anyio.streams.memory:MemoryObjectReceiveStream.receive": _Rule("stream", "receive"),
    "anyio.streams.memory:MemoryObjectSendStream.send": _Rule("stream", "send"),
    "fastapi.dependencies.utils:solve_dependencies": _Rule("thread", "dependency", over="thread"),
    "anyio.to_process:run_sync": _Rule("process", over=f"{_POOLED} socket subprocess"),
    "httpcore._async.connection_pool:AsyncPoolRequest.wait_for_connection": _Rule(
        "connection", "httpcore", over=_POOLED
    ),
}
"""What functions of asyncio, AnyIO and httpcore wait for, and for what FastAPI needs a thread.

Where one was renamed, the kind is `future`."""

_LOOPS = re.compile(r"asyncio\.(?:\w+_events)$|uvloop")
_LOOPS_SOCKETS = re.compile(
    r"(?:\w+\.)?(?:_?sock_|_sock_|_connect_sock$|create_connection|create_unix_connection|start_tls"
    r"|_create_connection_transport|connect_accepted_socket|create_datagram_endpoint|sendfile)"
)
_POOL = re.compile(r"(?:^|[._])_?pool|Pool|wait_for_available_connection", re.ASCII)
_TAKES = re.compile(
    r"(?i)acquire|borrow|checkout|connection|getconn|lease|wait|(?:^|[._])_?(?:do_)?(?:get|take)"
)
_NO_POOLS = {"asyncio", "anyio", "concurrent", "starlette", "fastapi", "uvicorn", "asgiref"}

_BARE = {
    "aiohttp": "socket", "aiomysql": "socket", "aiosqlite": "thread", "asyncpg": "socket", "grpc": "socket",
    "psycopg": "socket", "websockets": "socket",
}  # fmt: skip
"""What a library's own future stands for."""

_PIPE = re.compile(r"Pipe|ReadUnix")
"""The classes of asyncio's and uvloop's transports that read from a subprocess."""

_UNNAMED = re.compile(r"Task-\d+$")


def what_is_awaited(
    task: asyncio.Task[Any], chain: Sequence[FrameType], is_library: Callable[[CodeType], bool]
) -> Awaited | None:
    """What the task awaits; None if it awaits nothing (any more).

    `chain` are the frames of its chain of awaits, the outermost first.
    """
    future = compat.awaited_future(task)
    if future is None:
        return None
    found = _of_future(future, chain)
    for frame in reversed(chain):
        code = frame.f_code
        if not is_library(code):
            break
        known = _of_frame(frame, code.co_qualname, found)
        if known is not None:
            found = known
    return found


def awaited_by(future: Any, depth: int = 3) -> asyncio.Task[Any] | None:
    """The task that awaits a future or task: directly, by a function of asyncio's, or by a task group."""
    for callback in compat.callbacks_of(future):
        for found in _bound(callback):
            if compat.is_a(found, asyncio.Task):
                return found  # type: ignore[no-any-return]
            if compat.is_future(found) and found is not future and depth:
                task = awaited_by(found, depth - 1)
            else:
                task = compat.host_of(found)
            if task is not None:
                return task
    return None


def _bound(callback: Any) -> Iterator[Any]:
    """What a callback is bound to, or encloses."""
    if compat.is_a(callback, partial):
        yield from callback.args
        callback = callback.func
    yield compat.declared(callback, "__self__")
    for cell in compat.declared(callback, "__closure__") or ():
        with suppress(ValueError):  # it is empty
            yield cell.cell_contents


def _of_future(future: Any, chain: Sequence[FrameType]) -> Awaited:
    """What is known of a future, and the function that awaits it."""
    module, function = _place(chain[-1]) if chain else ("", "")
    if (module, function) == ("asyncio.tasks", "wait_for"):  # Python 3.11 waits for a future of its own
        inner = chain[-1].f_locals.get("fut")
        future = inner if compat.is_future(inner) else future
    if compat.is_a(future, asyncio.Task):
        return Awaited("task", _task_name(future))
    children = compat.children_of(future)
    if children:  # asyncio.gather
        return Awaited("task", _names(children))
    for callback in compat.callbacks_of(future):
        name = compat.declared(callback, "__qualname__")
        if name == "shield.<locals>._outer_done_callback":
            return Awaited("task")
        if name == "_chain_future.<locals>._call_check_cancel":
            return Awaited(_of_executor(callback))
    package = module.partition(".")[0]
    if package in _BARE and not _is_pool(module, function):
        return Awaited(_BARE[package], package)
    return Awaited("future")


def _of_executor(callback: Any) -> str:
    """What a future stands for that asyncio has chained to one of `concurrent.futures`."""
    for source in _bound(callback):
        if compat.is_a(source, concurrent.futures.Future):
            return "process" if compat.future_of_process(source) else "thread"
    return "future"


def _of_frame(frame: FrameType, function: str, found: Awaited) -> Awaited | None:  # noqa: PLR0911 - a rule each
    """What is known from a library's function, if that is more than `found`."""
    module = _place(frame)[0]
    rule = _RULES.get(f"{module}:{function}")
    if rule is not None:
        if found.what not in rule.over.split():
            return None
        return _with_details(Awaited(rule.what, rule.name), frame)
    package = module.partition(".")[0]
    if found.what == "future" and _LOOPS.match(module) and _LOOPS_SOCKETS.match(function):
        return Awaited("socket")
    if package == "uvicorn" and found.what in {"event", "queue"}:
        return _of_uvicorn(frame, module, function)
    if found.what in _POOLED.split() and package not in _NO_POOLS:
        if package == "sqlalchemy" and found.what == "queue":  # the only one that it has is its pool's
            return Awaited("connection", package)
        if _is_pool(module, function):
            return Awaited("connection", package)
    return None


def _of_uvicorn(frame: FrameType, module: str, function: str) -> Awaited | None:
    if function == "FlowControl.drain":
        return Awaited("drain")
    if function == "RequestResponseCycle.receive":
        more = getattr(frame.f_locals.get("self"), "more_body", None)
        return Awaited("body") if more else Awaited("event", "disconnect")
    if "websockets" in module:
        return Awaited("drain" if "send" in function else "socket", "WebSocket")
    return None


def _with_details(awaited: Awaited, frame: FrameType) -> Awaited:
    subject = frame.f_locals.get("self")
    if awaited.what in {"lock", "semaphore"}:
        return Awaited(awaited.what, awaited.name, subject)
    if awaited.what == "task":
        tasks = frame.f_locals.get("fs") if subject is None else getattr(subject, compat.GROUP, None)
        return Awaited("task", _names(list(tasks)) if isinstance(tasks, (set, list, tuple)) else "")
    if awaited.what == "socket" and _PIPE.search(type(getattr(subject, compat.PIPE, None)).__name__):
        return Awaited("subprocess")
    return awaited


def _is_pool(module: str, function: str) -> bool:
    """Whether a function gets a connection from a pool."""
    taking = _TAKES.search(function.rpartition(".")[2]) is not None
    return taking and _POOL.search(f"{module}.{function}") is not None


def _place(frame: FrameType) -> tuple[str, str]:
    """A frame's module and function. Cython's frames have another module's variables."""
    code = frame.f_code
    if code.co_filename.endswith(".pyx"):
        return code.co_filename.removesuffix(".pyx").replace("/", "."), code.co_qualname
    module = frame.f_globals.get("__name__")
    return (module if isinstance(module, str) else "", code.co_qualname)


def _names(tasks: Iterable[Any]) -> str:
    """The name of tasks that have the same one; else "", as for futures."""
    names = {_task_name(task) for task in tasks if not compat.is_done(task)}
    return names.pop() if len(names) == 1 else ""


def _task_name(task: Any) -> str:
    """A task's name; where it was given none, its coroutine's."""
    if not compat.is_a(task, asyncio.Task):
        return ""
    try:
        name = str(task.get_name())
    except Exception:  # a subclass of Task may do anything
        return ""
    if not _UNNAMED.match(name):
        return name[:60]
    coro = compat.coroutine_of(task)
    name = compat.declared(coro, "__qualname__")
    return (name if isinstance(name, str) else type(coro).__name__).rpartition("<locals>.")[2][:60]
