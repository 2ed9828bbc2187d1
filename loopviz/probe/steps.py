"""Tasks and their steps: the hooks on the loop's `call_soon`, `create_task` and timers.

asyncio schedules every step of every task with ``loop.call_soon(<a method of the task>)``. An
attribute of that name on the loop *instance* therefore sees when a task is woken (the call
itself), when its step begins and ends (the callback, wrapped), what it awaits afterwards
(``_fut_waiter``), and tasks that are older than the probe: one hook for all of it, on asyncio's loop
and on uvloop's. The coroutine is not wrapped, so stacks, ``get_coro()`` and debuggers show what they
always show. Only eager tasks take their first step elsewhere, inside `create_task`.

Private names of asyncio are documented in `loopviz.probe.compat`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, Token
from types import BuiltinFunctionType, MethodType
from typing import Any

from loopviz.clock import NS
from loopviz.clock import now_ns as clock
from loopviz.probe import compat
from loopviz.probe.joins import join
from loopviz.probe.state import ATTRIBUTE, HANDLE, ProbeState, Trace, put_on
from loopviz.probe.wakes import MOST_FOLLOW, Marked, woken_late
from loopviz.stream import blackbox
from loopviz.stream.blackbox import DONE, SUSPENDED, YIELDED
from loopviz.stream.events import END, RAN, STEP, YIELD

__all__ = ["hook_steps", "hook_timers"]

_NEVER = 1e9
"""A timer that is due later than this (s), or at infinity, is not a timer that a task waits for."""


def hook_steps(state: ProbeState, adopt: Callable[[object], int]) -> dict[str, Callable[..., Any]]:
    """The methods to put on the loop, by name.

    `adopt(coroutine)` is asked once for every new task: the number of the request that the task
    serves as its root, or 0.
    """
    loop, emit, live, buffer = state.loop, state.emit, state.live, state.buffer
    # The hook of every step appends to the buffer itself, which saves the call of `emit`.
    queue, append, capacity = buffer.queue, buffer.queue.append, buffer.capacity
    future, task_type, current_task = asyncio.Future, asyncio.Task, asyncio.current_task
    is_done = compat.is_done
    memory = None if buffer.box is None else buffer.box.memory
    note_begun, note_ran = blackbox.BEGUN.pack_into, blackbox.RAN.pack_into
    first, size, after = blackbox.STEPS_AT, blackbox.RAN.size, blackbox.EVENTS_AT
    place = first
    # If it is given, the hook puts a handle there itself, as asyncio's own call_soon would.
    ready = compat.ready_queue(loop)
    wrapper_name, wakeup, python_steps = compat.STEP_WRAPPER, compat.WAKEUP, compat.PYTHON_STEPS
    call_soon: Callable[..., asyncio.Handle] = loop.call_soon
    create_task: Callable[..., asyncio.Task[Any]] = loop.create_task
    step_wrapper: type | None = None
    marks: list[Marked] = []
    """What the step that is being executed has scheduled because its task is done."""

    class Step(asyncio.Handle):
        """A task's next step: the task's own callback, called between two readings of the clock.

        asyncio makes a handle for every step. A task has one step scheduled at a time, so one handle
        serves all of them, which saves half of what the readings cost.
        """

        __slots__ = ("entered", "trace")

        _context: Context
        _callback: Any
        _args: tuple[Any, ...]

        def __init__(self, trace: Trace) -> None:
            self.trace = trace
            self.entered = False
            self._loop = loop
            self._callback = self._repr = self._source_traceback = None
            self._cancelled = False

        @property
        def __self__(self) -> asyncio.Task[Any] | None:
            """The task: in debug mode asyncio names it where it would name this callback."""
            return self.trace.ref()

        def _run(self) -> None:
            nonlocal place
            trace, callback, args = self.trace, self._callback, self._args
            self._callback = None  # from here on it can be scheduled again
            self._args = ()  # the future that was awaited, and so its result, is not needed any more
            outer = state.current
            if outer is not None:
                state.pause()
            state.woken = trace.woken
            trace.woken = trace.since = 0
            state.began = clock()  # before `current`: the sampler reads both, in the opposite order
            state.current = trace
            if memory is not None:
                note_begun(memory, 0, trace.number, state.began)
            try:
                if self.entered:
                    callback(*args)
                else:
                    self._context.run(callback, *args)
            except BaseException as error:
                if self.entered or isinstance(error, (SystemExit, KeyboardInterrupt)):
                    raise
                message = f"Exception in callback {callback!r}"
                loop.call_exception_handler({"message": message, "exception": error, "handle": self})
            finally:
                del args
                now = state.touched = clock()
                state.current = None
                woken, began = state.woken, state.began
                if now > state.read_due:
                    state.read_clocks(now, began)
                if marks:
                    end_marks(now)
                task = callback.__self__
                waiter = task._fut_waiter
                due = 0
                awaited: str | None = ""
                if waiter is not None:
                    trace.since = now
                    awaited = "Future" if type(waiter) is future else type(waiter).__name__
                    if waiter is state.timer:
                        due = state.due
                        state.timer = None  # it may have a large result
                elif is_done(task):
                    awaited = None
                    live.pop(trace.number, None)
                else:
                    trace.woken = 0
                if memory is not None:
                    how = DONE if awaited is None else SUSPENDED if awaited else YIELDED
                    note_ran(memory, place, trace.number, woken, began, now, how, due)
                    place += size
                    if place == after:
                        place = first
                if len(queue) < capacity:
                    append((now, RAN, trace.number, woken, began, awaited, due))
                else:
                    buffer.dropped += 1
                if trace.joins is not None or (waiter is not None and awaited != "Future"):
                    joined(trace, task, waiter)
                if outer is not None:
                    state.resume(outer)

        __call__ = _run

    def end_marks(now: int) -> None:
        for mark in marks:
            mark.loopviz_at = now
        marks.clear()

    def joined(trace: Trace, task: asyncio.Task[Any], waiter: asyncio.Future[Any] | None) -> None:
        """Report what the task awaits of what it has started."""
        try:
            join(state, trace, task, waiter)
        except Exception as error:
            state.failed("awaited tasks", error)

    def after_first_step(task: asyncio.Task[Any], trace: Trace) -> None:
        """Report how an eager task's first step has ended: suspended, giving way, or done."""
        now = state.touched = clock()
        if marks:
            end_marks(now)
        waiter = task._fut_waiter  # type: ignore[attr-defined]
        if waiter is not None:
            trace.since = now
            due = state.due if waiter is state.timer else 0
            state.timer = None if due else state.timer
            emit((now, YIELD, trace.number, type(waiter).__name__, due))
        elif is_done(task):
            emit((now, END, trace.number))
            live.pop(trace.number, None)
        else:
            emit((now, YIELD, trace.number, "", 0))
        if trace.joins is not None or (waiter is not None and type(waiter) is not future):
            joined(trace, task, waiter)

    def first_seen(task: asyncio.Task[Any], context: Context | None) -> Trace:
        """A task seen for the first time: it serves a request as its root, or inherits one."""
        coro = compat.coroutine_of(task)
        if state.trace_expected(task, coro) is not None:  # it yields in its eager first step
            return state.attach(task, 0)
        request = adopted = adopt(coro)
        if context is not None:
            if request:
                context.run(state.request.set, request)
            else:
                request = context.get(state.request, 0)
        if not request and state.current is not None:  # made with a context of its own
            request = state.current.request
        trace = state.announce(coro, request, root=adopted > 0).bind(task)
        if state.cause and state.current is None and not state.read:
            woken_late(state, trace)
        return trace

    def woken_at(trace: Trace) -> int:
        """When the task is woken whose next step is being scheduled."""
        if state.cause and state.current is None:
            return woken_late(state, trace)
        return clock() if trace is not state.current else state.began

    def follow(callback: Callable[..., object], args: tuple[Any, ...]) -> Callable[..., object]:
        """A callback that is no step. What it wakes could have run as early as it could itself.

        That matters where the callback follows from another cause, or from the end of a task: `gather` and
        task groups wake the task that awaits them by such callbacks.
        """
        if state.cause:
            if state.current is None and state.follows < MOST_FOLLOW and callable(callback):
                return Marked(state, callback, state.cause, follows=state.follows + 1)
        elif args and issubclass(type(args[0]), task_type) and callable(callback):
            mark = Marked(state, callback, clock())
            if state.current is not None:
                marks.append(mark)  # the task is done when its step ends
            return mark
        return callback

    def schedule(
        callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        """Schedule a callback that is no step."""
        handle = call_soon(follow(callback, args), *args, context=context)
        if loop.get_debug():
            compat.leave_out_hooks(handle)
        return handle

    def prepare(task: asyncio.Task[Any], context: Context | None) -> Step:
        """A handle for the steps of a task."""
        trace: Trace | None = put_on(task, ATTRIBUTE)
        if trace is None:
            trace = first_seen(task, context)
        else:
            trace.woken = woken_at(trace)
        scheduled = Step(trace)
        object.__setattr__(task, HANDLE, scheduled)
        return scheduled

    def probed_call_soon(
        callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        nonlocal step_wrapper
        kind = type(callback)
        if kind is not step_wrapper:
            if kind is BuiltinFunctionType:
                if callback.__name__ != wakeup:
                    return schedule(callback, args, context)
            elif kind is MethodType:
                if callback.__func__ not in python_steps:  # type: ignore[attr-defined]
                    return schedule(callback, args, context)
            elif kind.__name__ == wrapper_name:
                step_wrapper = kind
            else:
                return schedule(callback, args, context)
        task = callback.__self__  # type: ignore[attr-defined]
        try:
            scheduled: Step | None = getattr(task, HANDLE, None)  # an AttributeError would cost a microsecond
        except Exception:  # a subclass of Task may do anything
            scheduled = None
        if type(scheduled) is not Step or scheduled._callback is not None:
            try:
                scheduled = prepare(task, context)
            except Exception as error:
                state.failed("task", error)
                return call_soon(callback, *args, context=context)
        else:
            trace = scheduled.trace
            # Scheduled in its own step it mostly yields (`sleep(0)`), and the end of the step reports that.
            other = trace is not state.current
            trace.woken = woken_at(trace) if state.cause else clock() if other else state.began
        scheduled._callback, scheduled._args = callback, args
        if ready is not None and context is not None and not (loop._debug or loop._closed):  # type: ignore[attr-defined]
            scheduled._context = context
            scheduled.entered = False
            ready.append(scheduled)
            return scheduled
        scheduled.entered = True
        return call_soon(scheduled, context=context)

    def probed_create_task(coro: Any, **options: Any) -> asyncio.Task[Any]:
        # Without a factory the first step goes through call_soon, as every other one.
        if loop.get_task_factory() is None and not options.get("eager_start"):
            task = create_task(coro, **options)
            if loop.get_debug():
                compat.leave_out_hooks(task)
            return task
        outer, expected = state.current, state.expected
        inherited: Token[int] | None = None
        try:
            request = adopt(coro)
            if request:
                # A factory need not accept a context: the task copies the current one.
                context = options.get("context")
                if context is not None:
                    context.run(state.request.set, request)
                else:
                    inherited = state.request.set(request)
            trace = state.announce(coro, request or state.request.get(), root=request > 0)
            state.expected = (coro, trace, current_task())
        except Exception as error:
            state.failed("create_task", error)
            state.expected = expected
            return create_task(coro, **options)
        if outer is None:
            state.began = clock()
            state.woken, state.current = 0, trace
            if memory is not None:
                note_begun(memory, 0, trace.number, state.began)
            emit((state.began, STEP, trace.number))
        try:
            task = create_task(coro, **options)
        except BaseException:
            emit((clock(), END, trace.number))
            live.pop(trace.number, None)
            raise
        finally:
            state.expected = expected
            state.current = outer
            if inherited is not None:
                state.request.reset(inherited)
        try:
            if loop.get_debug():
                compat.leave_out_hooks(task)
            created(task, trace)
        except Exception as error:  # a factory may return anything
            state.failed("create_task", error)
            emit((clock(), END, trace.number))
            live.pop(trace.number, None)
        return task

    def created(task: asyncio.Task[Any], trace: Trace) -> None:
        """Give a task that was just created the trace that was announced for it."""
        seen: Trace | None = put_on(task, ATTRIBUTE)
        if seen is None:  # it has not been scheduled: it is done, or suspended, in its first step
            trace.bind(task)
        elif seen is not trace:  # the factory has wrapped the coroutine, so it was not recognised
            emit((clock(), END, seen.number))
            live.pop(seen.number, None)
            trace.woken = seen.woken
            trace.bind(task)
            scheduled = put_on(task, HANDLE)
            if type(scheduled) is Step:
                scheduled.trace = trace
        after_first_step(task, trace)

    return {"call_soon": probed_call_soon, "create_task": probed_create_task}


def hook_timers(state: ProbeState) -> dict[str, Callable[..., Any]]:
    """Remember the latest timer that only sets a future's result: `asyncio.sleep`'s due time.

    A task is ready when its timer is due, whether or not the loop has time to notice.
    """
    loop, sets_result = state.loop, compat.set_result

    def probed_call_at(when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        if callback is sets_result:
            try:
                state.due = int(when * NS) if when < _NEVER else 0
                state.timer = args[0]
            except Exception as error:
                state.failed("timer", error)
        handle = call_at(when, callback, *args, context=context)
        if loop.get_debug():
            compat.leave_out_hooks(handle)
        return handle

    def probed_call_later(delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        if callback is sets_result:
            try:
                state.due = clock() + int(delay * NS) if delay < _NEVER else 0
                state.timer = args[0]
            except Exception as error:
                state.failed("timer", error)
        return call_later(delay, callback, *args, context=context)

    if sets_result is None:
        return {}
    call_at, call_later = loop.call_at, loop.call_later
    if isinstance(loop, asyncio.BaseEventLoop):  # whose call_later calls self.call_at
        return {"call_at": probed_call_at}
    return {"call_at": probed_call_at, "call_later": probed_call_later}
