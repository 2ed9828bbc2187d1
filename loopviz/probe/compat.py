"""Every name that the probe uses outside the documented interfaces of asyncio, AnyIO and uvicorn.

Each name is in this module once, with what it is for, and with what is done or reported without it. Seen
in CPython 3.11.7, 3.12.1, 3.13.0 and 3.14.8, uvloop 0.23.0, AnyIO 4.14.2 to 4.16.0, and uvicorn 0.38.0 to
0.54.0.

Hooks read a name when they are made, so that their hot paths have local variables only. A hot path that
must spell a name out is listed in `SPELLED_OUT`. What happens without a name is tested by its removal.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import threading
from asyncio import futures, tasks
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, thread
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import Context
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from anyio import CapacityLimiter

try:
    from anyio import WouldBlock
    from anyio.abc import TaskGroup
    from anyio.to_thread import current_default_thread_limiter
except ImportError:  # a server that is attached to may do without
    WouldBlock = TaskGroup = current_default_thread_limiter = None  # type: ignore[assignment,misc]

try:
    from anyio._core._eventloop import get_async_backend
except ImportError:  # see `worker_call`
    get_async_backend = None  # type: ignore[assignment]

__all__ = [
    "ACQUIRE",
    "APP_SEND",
    "AWAIT_WRAPPERS",
    "CHILDREN",
    "CONNECTION_LOST",
    "DATA_RECEIVED",
    "DRAIN",
    "ERROR_LOG",
    "EXECUTORS",
    "EXECUTOR_LOG",
    "EXIT_STACK",
    "FLOW",
    "GROUP",
    "HYPERCORN",
    "LOCK",
    "LOGGER",
    "MESSAGE_EVENT",
    "MORE_BODY",
    "ON_RESPONSE",
    "PIPE",
    "PIPELINE",
    "PYTHON_STEPS",
    "RECEIVE",
    "REFUSE",
    "RELEASE",
    "REQUEST",
    "SCOPE",
    "SEND",
    "SPELLED_OUT",
    "STEP_WRAPPER",
    "TOTAL",
    "TRANSPORT",
    "WAIT",
    "WAKEUP",
    "WEBSOCKETS",
    "WEBSOCKET_CLASS",
    "ThreadPool",
    "WouldBlock",
    "add_thread",
    "awaited_future",
    "callbacks_of",
    "change_callback",
    "children_of",
    "coroutine_of",
    "cycle_of",
    "declared",
    "default_executor",
    "default_limiter",
    "future_of_process",
    "handle_of",
    "has_readers",
    "held_back",
    "host_of",
    "hypercorn_streams",
    "installed",
    "is_a",
    "is_done",
    "is_future",
    "is_shut_down",
    "leave_out_hooks",
    "limiter_counts",
    "pool_name",
    "pool_processes",
    "pool_size",
    "reader_callback",
    "ready_queue",
    "running_loop",
    "selector_of",
    "set_pool_size",
    "set_result",
    "tasks_waiting",
    "thread_pool",
    "worker_call",
    "writes_later",
]

# -- asyncio: a task's steps ----------------------------------------------------------------------

STEP_WRAPPER: Final = "TaskStepMethWrapper"
"""The type of the callback by which a task written in C schedules its first step, and any step after it
yielded. Without it the self-test fails, and tasks and requests are reported as not visible."""

WAKEUP: Final = "task_wakeup"
"""The name of the built-in method by which such a task is woken. Without it: as `STEP_WRAPPER`."""

_python_task = getattr(tasks, "_PyTask", None)

PYTHON_STEPS: frozenset[Any] = frozenset(
    step
    for name in ("_Task__step", "_Task__wakeup")
    if (step := getattr(_python_task, name, None)) is not None
)
"""The same two of a task written in Python, where asyncio has no C module. Without them such tasks are
not seen, and the self-test says so where tasks are of that kind."""

SPELLED_OUT: Final = {
    "_fut_waiter": "asyncio.Task: the future that the task awaits, or None",
    "_callback": "asyncio.Handle: what is called; None in a handle of a step that is not scheduled",
    "_args": "asyncio.Handle: the arguments of the callback",
    "_context": "asyncio.Handle: the context in which the callback is called",
    "_loop": "asyncio.Handle: the loop; read by its `__repr__` and in debug mode",
    "_repr": "asyncio.Handle: the text kept by `cancel` in debug mode",
    "_source_traceback": "asyncio.Handle: where it was made, in debug mode",
    "_cancelled": "asyncio.Handle: whether the loop skips it",
    "_debug": "asyncio.BaseEventLoop: whether it is in debug mode; checked by `ready_queue`",
    "_closed": "asyncio.BaseEventLoop: whether it is closed; checked by `ready_queue`",
}
"""Names that `loopviz.probe.steps` spells out: they are used at every step, where a `getattr` for a name
in a variable would cost about one per cent each. Without one of them the self-test fails, and tasks and
requests are reported as not visible."""


CHILDREN: Final = "_children"
"""The futures of the one that ``asyncio.gather`` returns. Without it tasks and calls in a `gather` count as
not awaited by the task that awaits the `gather`, unless their callbacks show it."""


def callbacks_of(future: object) -> list[Any]:
    """The done callbacks of a future.

    Without asyncio's attribute, a task counts as awaited only where it is awaited directly.
    """
    try:
        return [callback for callback, _ in getattr(future, "_callbacks", None) or ()]
    except Exception:  # a subclass of Future may do anything
        return []


def children_of(future: object) -> list[Any] | tuple[Any, ...]:
    """The futures of the one that ``asyncio.gather`` returns; none of another future. See `CHILDREN`."""
    try:
        children = getattr(future, CHILDREN, None)
    except Exception:  # a subclass of Future may do anything
        return ()
    return children if isinstance(children, (list, tuple)) else ()


def declared(found: object, name: str) -> Any:
    """The value of an attribute that the class of an object has; None if it has none.

    Objects of the program are asked for nothing else: their ``__getattr__`` and ``__class__`` may run code of
    the program, as those of a lazy object do.
    """
    for kind in type(found).__mro__:
        if name in kind.__dict__:
            try:
                return getattr(found, name, None)
            except Exception:
                return None
    return None


def is_a(found: object, kind: type) -> bool:
    """As `isinstance`, but without ``__class__`` of the object, and registered classes: see `declared`."""
    return type.__subclasscheck__(kind, type(found))


def is_future(found: object) -> bool:
    """As `asyncio.isfuture`, but without ``__class__`` of the object: see `declared`."""
    return declared(found, "_asyncio_future_blocking") is not None


def is_done(task: Any) -> bool:
    """Whether a task has ended, which may be of a subclass that hides it."""
    try:
        return bool(task.done())
    except Exception:
        return asyncio.Task.done(task)


def coroutine_of(task: Any) -> Any:
    """The coroutine of a task, which may be of a subclass that hides it."""
    try:
        return task.get_coro()
    except Exception:
        return asyncio.Task.get_coro(task)


def host_of(group: Any) -> asyncio.Task[Any] | None:
    """The task that has opened the task group, or None if `group` is no task group.

    Without the names used here, tasks in task groups count as awaited only while their group is left.
    """
    if is_a(group, asyncio.TaskGroup):
        return getattr(group, "_parent_task", None)
    if TaskGroup is not None and is_a(group, TaskGroup):
        return getattr(group.cancel_scope, "_host_task", None)
    return None


def ready_queue(loop: asyncio.AbstractEventLoop) -> deque[asyncio.Handle] | None:
    """The queue in which asyncio's own `call_soon` puts handles.

    None, and so the loop's `call_soon` is called for every step, if the loop is not asyncio's, if a
    subclass or another tool has replaced `call_soon`, or without one of the names used here.
    """
    kind, base = type(loop), asyncio.BaseEventLoop
    missing = object()
    if (
        isinstance(loop, base)
        and kind.call_soon is base.call_soon
        and getattr(kind, "_call_soon", None) is getattr(base, "_call_soon", missing)
        and not {"call_soon", "_call_soon"} & vars(loop).keys()
        and {"_debug", "_closed"} <= vars(loop).keys()
    ):
        ready = getattr(loop, "_ready", None)
        return ready if isinstance(ready, deque) else None
    return None


set_result: Callable[..., None] | None = getattr(futures, "_set_result_unless_cancelled", None)
"""The callback of the timer that `asyncio.sleep` sets. Without it the time at which a sleep was due is
reported as not visible: a task counts as ready only when the loop has noticed the timer."""


def selector_of(loop: asyncio.AbstractEventLoop) -> Any | None:
    """The selector in which the loop sleeps. None where it has none, as in uvloop.

    Without it the loop's idle time and its callbacks outside tasks are reported as not visible.
    """
    return getattr(loop, "_selector", None)


def has_readers(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the selector's keys have the loop's readers: handles, as the first of their ``data``.

    If not, since the loop is not asyncio's with a selector, or without one of a handle's names that are used
    here, it is reported that the arrival of data for a busy loop is not visible.
    """
    names = {"_callback", "_cancelled"} <= vars(asyncio.Handle).keys()
    return names and isinstance(loop, asyncio.SelectorEventLoop) and selector_of(loop) is not None


def reader_callback(handle: Any) -> Callable[..., Any] | None:
    """The callback of a reader; None if it has been removed."""
    return None if handle._cancelled else handle._callback


def change_callback(handle: Any, before: object, callback: Callable[..., Any]) -> None:
    """Let a handle call `callback`, if it would call `before`: not if it was cancelled."""
    if handle._callback is before:
        handle._callback = callback


def tasks_waiting(future: Any) -> list[Any]:
    """The tasks that await a future themselves. None are found without the names used here."""
    owners = [declared(callback, "__self__") for callback in callbacks_of(future)]
    return [task for task in owners if is_a(task, asyncio.Task) and task is not future]


_PROBE: Final = f"{Path(__file__).parent}{os.sep}"


def leave_out_hooks(made: Any) -> None:
    """Remove the hooks from where debug mode says that a handle or a task was made."""
    with suppress(Exception):  # a task factory may return anything
        traceback = made._source_traceback
        if traceback:
            traceback[:] = [entry for entry in traceback if not entry.filename.startswith(_PROBE)]


_run_handle = getattr(asyncio.Handle, "_run", None)
_run_code = getattr(_run_handle, "__code__", None)


def handle_of(frame: FrameType | None) -> tuple[Any, Context | None] | None:
    """The handle, and its context, of the callback that a thread runs; `frame` is its innermost one.

    None where it cannot be found: on uvloop, or without the names used here. Then one callback cannot be
    distinguished from the next.
    """
    while frame is not None and frame.f_code is not _run_code:
        frame = frame.f_back
    if frame is None:
        return None
    handle = frame.f_locals.get("self")
    return None if handle is None else (handle, getattr(handle, "_context", None))


def _documented_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


running_loop: Callable[[], asyncio.AbstractEventLoop | None] = getattr(
    asyncio, "_get_running_loop", _documented_running_loop
)
"""The running loop, or None. Without asyncio's function, which raises nothing and so is faster in a thread
without a loop, the documented one is used."""

WAIT: Final = "wait"
"""The method by which a task waits for an asyncio.Event. It is documented."""


def writes_later(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a transport keeps what it is given until the end of the iteration.

    asyncio's selector loop passes it to the kernel at once; uvloop does not, and Windows' proactor may not.
    """
    return not isinstance(loop, asyncio.SelectorEventLoop)


# -- executors ------------------------------------------------------------------------------------


def default_executor(loop: asyncio.AbstractEventLoop) -> Any | None:
    """The executor that a loop uses if it is given none; None if it has not made it yet, or without the name.

    Without it the sentence about a wait for its threads names no pool.
    """
    return getattr(loop, "_default_executor", None)


def pool_size(executor: Any) -> int:
    """The most workers that an executor has; -1 without the name: then its size is not reported."""
    size = getattr(executor, "_max_workers", None)
    return size if isinstance(size, int) and size > 0 else -1


class ThreadPool(NamedTuple):
    """What a `ThreadPoolExecutor` keeps, as far as its size depends on it."""

    lock: Any
    """Held by `submit`, by `shutdown`, and while threads are added."""
    queue: SimpleQueue[Any]
    """What is to be executed."""
    idle: threading.Semaphore
    """Counts the threads that wait for something to do."""
    threads: set[threading.Thread]


def thread_pool(executor: Any) -> ThreadPool | None:
    """The parts of an executor; None if it makes its threads in another way, or without one of the names.

    Then its size cannot be changed, and that is said.
    """
    own = getattr(type(executor), "_adjust_thread_count", None)
    if own is None or own is not getattr(ThreadPoolExecutor, "_adjust_thread_count", None):
        return None
    names = ("_shutdown_lock", "_work_queue", "_idle_semaphore", "_threads")
    lock, queue, idle, threads = (getattr(executor, name, None) for name in names)
    if not (isinstance(queue, SimpleQueue) and isinstance(idle, threading.Semaphore)):
        return None
    return ThreadPool(lock, queue, idle, threads) if lock is not None and isinstance(threads, set) else None


EXECUTORS: Final[AbstractContextManager[Any]] = getattr(thread, "_global_shutdown_lock", nullcontext())
"""What `submit` of an executor holds besides the executor's own lock, while it begins a thread."""
EXECUTOR_LOG: Final = "concurrent.futures"
"""The logger to which a worker thread of an executor reports the exception with which it ends. Under another
name the end of a thread that was not needed any more would be logged."""


def set_pool_size(executor: Any, size: int) -> None:
    """Let an executor have so many threads from the next one on."""
    executor._max_workers = size


def add_thread(executor: Any) -> None:
    """Let an executor begin a thread as when something is submitted: unless one is idle, or it has enough."""
    executor._adjust_thread_count()


def is_shut_down(executor: Any) -> bool:
    """Whether an executor takes nothing any more; False without the names."""
    return bool(getattr(executor, "_shutdown", False) or getattr(executor, "_broken", False))


def pool_processes(executor: Any) -> dict[int, Any]:
    """The processes of a pool by process id; without the name none, and no end of one is reported."""
    found = getattr(executor, "_processes", None)
    return found if isinstance(found, dict) else {}


def pool_name(executor: Any) -> str:
    """The prefix of the names of an executor's threads; without the name, the class of the executor."""
    prefix = getattr(executor, "_thread_name_prefix", None)
    return prefix if isinstance(prefix, str) and prefix else type(executor).__name__


# -- what a task awaits ---------------------------------------------------------------------------

AWAIT_WRAPPERS: Final = frozenset(
    {"async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper"}
)
"""The types of CPython's objects between an `await` and a generator or coroutine. Under other names the line
of an await inside an asynchronous generator is not seen."""


def awaited_future(task: object) -> Any | None:
    """The future that a task awaits; None if it awaits none.

    Without the name it is always None, and what is awaited is not reported.
    """
    return getattr(task, "_fut_waiter", None)


def future_of_process(future: object) -> bool:
    """Whether a future of `concurrent.futures` is that of a call in a process pool.

    Without the names it is False: then such a call is reported as one in a thread.
    """
    module = sys.modules.get("concurrent.futures.process")
    with suppress(RuntimeError):  # a pool is made or ends while they are read
        for manager in list(getattr(module, "_threads_wakeups", ())):
            items = getattr(manager, "pending_work_items", {})
            if any(getattr(item, "future", None) is future for item in list(items.values())):
                return True
    return False


GROUP: Final = "_tasks"
"""The tasks of a task group of asyncio's or AnyIO's, for their name. Without it they have none."""

PIPE: Final = "_transport"
"""A stream reader's transport. Without it a pipe of a subprocess is a socket."""

LOCK: Final = "_lock"
"""The lock of a condition or adapter. Without it, who holds the lock by it is not seen."""

EXIT_STACK: Final = "_exit_callbacks"
"""What an exit stack is to leave. Without it, who holds a lock by it is not seen."""


# -- AnyIO: worker threads and their limit --------------------------------------------------------


def worker_call() -> tuple[type, str] | None:
    """Where AnyIO hands a function to a worker thread: the class, and the name of the class method.

    None, and then worker threads are reported as not visible, without it.
    """
    if get_async_backend is None:
        return None
    backend, name = get_async_backend(), "run_sync_in_worker_thread"
    return (backend, name) if isinstance(vars(backend).get(name), classmethod) else None


ACQUIRE: Final = "acquire_on_behalf_of_nowait"
"""The method that every way to take a thread from the limiter calls first. It is documented; that it is
called first is not. Without it, waiting for a thread is reported as not visible."""

RELEASE: Final = "release_on_behalf_of"
"""The method that gives a thread back. As `ACQUIRE`."""

TOTAL: Final = "total_tokens"
"""The limiter's property that is the thread limit. It is documented; that it is a property of the class is
not. Without it a change of the limit is seen when a thread is taken or given back, not when it is made."""


def default_limiter() -> CapacityLimiter | None:
    """The limiter of AnyIO's worker threads on the running loop; None without AnyIO."""
    return None if current_default_thread_limiter is None else current_default_thread_limiter()


def limiter_counts(limiter: CapacityLimiter) -> Callable[[], tuple[int, int, int]]:
    """A function for the thread limit (-1: none), the threads in use, and the tasks waiting for one.

    It counts in the limiter's own collections. Without those it asks ``statistics()``, which copies the
    borrowers each time: slower, and the same numbers.
    """
    queue: Any = getattr(limiter, "_wait_queue", None)
    borrowers: Any = getattr(limiter, "_borrowers", None)
    if queue is None or borrowers is None:
        return lambda: (
            _whole(limiter.total_tokens),
            limiter.borrowed_tokens,
            limiter.statistics().tasks_waiting,
        )
    return lambda: (_whole(limiter.total_tokens), len(borrowers), len(queue))


def _whole(total: float) -> int:
    return int(total) if total != float("inf") else -1


# -- uvicorn: requests ----------------------------------------------------------------------------

REQUEST: Final = "RequestResponseCycle.run_asgi"
"""The coroutine that serves one request, in a task of its own. Without it requests are reported as not
visible as soon as one has been served."""


def cycle_of(coro: Any) -> Any:
    """The object of uvicorn's for the request that such a coroutine serves.

    Raises if it cannot be found: then requests are reported as not visible, as without `REQUEST`.
    """
    return coro.cr_frame.f_locals["self"]


SCOPE: Final = "scope"
"""The cycle's ASGI scope. Without it: as `REQUEST`."""

TRANSPORT: Final = "transport"
"""The cycle's transport, for its socket. Without it a request's time of arrival is unknown, which is no
different from a platform that does not know it."""

SEND: Final = "send"
"""The cycle's method that is given every ASGI message of the response. Without it the status of a response
is reported as not visible."""

ON_RESPONSE: Final = "on_response"
"""The cycle's callback for a response that has been written. Without it the end of a response is reported
as not visible."""

RECEIVE: Final = "receive"
"""The cycle's method that gives the application the request's body. Without it, `MESSAGE_EVENT` or
`MORE_BODY`, waiting for the rest of the body is drawn as awaiting, and reported as not visible."""

MESSAGE_EVENT: Final = "message_event"
"""The cycle's asyncio.Event, for which `RECEIVE` waits. As `RECEIVE`."""

MORE_BODY: Final = "more_body"
"""The cycle's flag: not all of the body has arrived. As `RECEIVE`."""

FLOW: Final = "flow"
"""The cycle's flow control. Without it or `DRAIN`, a wait for the client to take a part of the response is
drawn as awaiting, and reported as not visible."""

DRAIN: Final = "drain"
"""The flow control's method that waits until the transport's buffer has room. As `FLOW`."""

CONNECTION_LOST: Final = "connection_lost"
"""The protocol's method that is called at the end of a connection. asyncio documents it."""

DATA_RECEIVED: Final = "data_received"
"""The protocol's method that is given the bytes of a connection. Without it the time at which a request's
first byte is read is taken when its task is made, and that is reported."""

PIPELINE: Final = "pipeline"
"""The requests that httptools' protocol has read, and keeps until those before them on their connection are
answered: pairs of a cycle and an application. Without it they count as read when their task is made."""


def held_back(protocol: Any) -> int:
    """How many bytes h11's protocol has been given and keeps unread, until a response is complete.

    Its connection is h11's, and has a documented attribute for them. Without it: as `PIPELINE`.
    """
    unread = getattr(getattr(protocol, "conn", None), "trailing_data", None)
    return len(unread[0]) if unread else 0


LOGGER: Final = "logger"
"""The attribute of a cycle, or of a WebSocket's protocol, through which an exception that the application
lets out is logged. Without it the exception's name is reported as not visible; the status 500 is visible."""

ERROR_LOG: Final = "uvicorn.error"
"""The name of that logger; the server's own errors go there as well."""

WEBSOCKETS: Final = {
    "WebSocketsSansIOProtocol.run_asgi": ("send", "receive"),
    "WSProtocol.run_asgi": ("send", "receive"),
    "WebSocketProtocol.run_asgi": ("asgi_send", "asgi_receive"),
}
"""The coroutines that serve a WebSocket, each a method of the connection's protocol, which has the names
that a cycle has; and that protocol's methods for ASGI messages. Without the coroutine WebSockets are reported
as not visible when there is one; without a method, what it shows."""

WEBSOCKET_CLASS: Final = "ws_protocol_class"
"""The HTTP protocol's attribute for the class of WebSockets' protocols: None if no library for them is
installed, which is reported when a client asks for one. Without the attribute nothing is reported."""

REFUSE: Final = "send_500_response"
"""The method of a WebSocket's protocol that answers 500 for the application. Without it the status of such a
WebSocket is unknown."""


HYPERCORN: Final = "_handle"
"""The coroutine in which hypercorn runs an application for one request, in a task of its own; its arguments
`scope` and `send` are those of ASGI. Without it hypercorn's requests are not seen."""

APP_SEND: Final = "app_send"
"""The method of hypercorn's streams that is the `send` of an application. Without it the status and the end
of a response are reported as not visible."""


def hypercorn_streams() -> list[type]:
    """Hypercorn's classes with `APP_SEND`, if they are loaded; without them the first request has no end."""
    modules = ("hypercorn.protocol.http_stream", "HTTPStream"), ("hypercorn.protocol.ws_stream", "WSStream")
    found = [getattr(sys.modules.get(module), name, None) for module, name in modules]
    return [kind for kind in found if isinstance(kind, type)]


def installed(library: str) -> str:
    """Name and version of a library, or of Python, for a message."""
    if library == "Python":
        return f"Python {platform.python_version()}"
    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return library
