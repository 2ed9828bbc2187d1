"""An ASGI application that executes programs, and stamps what truly happens.

It takes its stamps around every operation and at every step of an await. Who is woken by an operation, say by
the release of a lock, is read from asyncio's own futures: those that were pending before it and are done
after it.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import anyio.to_thread

from tests.truth.programs import Load, Program
from tests.truth.states import Stamp

__all__ = ["Application", "Failure"]

MS = 1_000_000
_NUMBER = re.compile(rb"x-loopviz-request: *\w+-(\d+)", re.IGNORECASE)


class Failure(Exception):  # noqa: N818 - it is none of ours
    """What a program raises."""


class Actor:
    """A coroutine of the application."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.task: asyncio.Task[Any] | None = None
        """The task in which it is suspended."""


class _Driven:
    """Awaits something for an actor, and stamps each of the steps that it takes and whom they wake."""

    def __init__(self, app: Application, actor: Actor, awaited: Awaitable[Any], on: tuple[Any, ...]) -> None:
        self.app, self.actor, self.awaited, self.on = app, actor, awaited, on

    def __await__(self) -> Generator[Any, Any, Any]:
        app, actor = self.app, self.actor
        steps: Any = self.awaited.__await__()
        action, sent = steps.send, None
        while True:
            try:
                waiter = app.waking(action, sent)
            except StopIteration as stop:
                return stop.value
            app.suspend(actor, waiter, self.on)
            try:
                sent = yield waiter
                action = steps.send
            except BaseException as error:
                action, sent = steps.throw, error
            app.resume(actor)


class Application:
    """Executes a load's programs: the request with number n the n-th of them."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.stamps: list[Stamp] = []
        self.actors = itertools.count(1)
        self.calls = itertools.count(1)
        self.suspended: set[Actor] = set()
        self.pool = ThreadPoolExecutor(load.workers)
        self.locks = [asyncio.Lock(), asyncio.Lock()]
        self.semaphores = [asyncio.Semaphore(1), asyncio.Semaphore(2)]
        self.events = [asyncio.Event(), asyncio.Event()]
        self.queues: list[asyncio.Queue[int]] = [asyncio.Queue(), asyncio.Queue()]
        self.jobs: asyncio.Queue[tuple[asyncio.Future[None], int]] = asyncio.Queue()
        self.limiter: Any = None
        self.worker: asyncio.Task[None] | None = None
        self.kept: set[asyncio.Task[Any]] = set()
        self.keys = itertools.count(1)

    def stamp(self, kind: str, *fields: Any) -> None:
        """Note what happens now."""
        self.stamps.append((time.monotonic_ns(), kind, *fields))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        headers = dict(scope["headers"])
        request = int(headers[b"x-loopviz-request"].rpartition(b"-")[2])
        self.limiter = anyio.to_thread.current_default_thread_limiter()
        root = Actor(next(self.actors))
        self.stamp("root", request, root.number)
        self.stamp("resume", root.number)
        answered = False

        async def respond(status: int) -> None:
            nonlocal answered
            if not answered:
                answered = True
                await send(
                    {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]}
                )
                await send({"type": "http.response.body", "body": b""})
                self.stamp("done", request)

        status = 200
        try:
            for op in self.load.programs[request - 1][1]:
                if op == ("respond",):
                    await respond(status)
                else:
                    await self.execute(root, [op])
        except Failure:
            status = 500
        finally:
            await respond(status)
            self.stamp("end", root.number)

    async def close(self) -> None:
        """Let what was merely started end."""
        while self.kept:
            await asyncio.sleep(0.005)
        if self.worker is not None:
            self.worker.cancel()
        self.pool.shutdown(wait=False)

    # -- actors --------------------------------------------------------------------------------

    async def execute(self, actor: Actor, program: Program) -> None:
        """Execute a program in a coroutine."""
        for op in program:
            await getattr(self, f"do_{op[0]}")(actor, *op[1:])

    async def wait(self, actor: Actor, awaited: Awaitable[Any], *on: Any) -> Any:
        """Await something, with stamps of every step that this takes."""
        return await _Driven(self, actor, awaited, on)

    def suspend(self, actor: Actor, waiter: object, on: tuple[Any, ...]) -> None:
        """The actor's step is about to end."""
        actor.task = asyncio.current_task()
        self.suspended.add(actor)
        if waiter is None:
            on = ("turn",)
        elif on[0] == "handed" and actor.task in self.limiter._wait_queue:
            on = ("token",)
        self.stamp("suspend", actor.number, *on)

    def resume(self, actor: Actor) -> None:
        """The actor's step has just begun."""
        self.stamp("resume", actor.number)
        self.suspended.discard(actor)

    def waking(self, action: Callable[..., Any], *args: Any) -> Any:
        """Do something that may wake others, and stamp who is woken."""
        waiters: list[tuple[Actor, Any]]
        waiters = [(a, getattr(a.task, "_fut_waiter", None)) for a in self.suspended]
        waiters = [(a, waiter) for a, waiter in waiters if waiter is not None and not waiter.done()]
        now = time.monotonic_ns()
        try:
            return action(*args)
        finally:
            self.stamps += [
                (now, "woken", a.number) for a, waiter in waiters if waiter is not None and waiter.done()
            ]

    def child(
        self,
        parent: Actor,
        program: Program,
        *,
        promised: bool = False,
        started: bool = False,
        failed: list[int] | None = None,
    ) -> tuple[int, Coroutine[Any, Any, None]]:
        """A coroutine for a child of `parent`, which is to be made a task at once.

        Its failure cancels its siblings if there is a list `failed`, for the keys of the bounds.
        """
        actor = Actor(next(self.actors))
        self.stamp("begin", actor.number, 0 if started else parent.number, parent.number if started else 0)
        if promised:
            self.stamp("promise", parent.number, actor.number)

        async def run() -> None:
            self.stamp("resume", actor.number)
            try:
                await self.execute(actor, program)
            except Failure:
                if failed is not None:
                    failed.append(self.bound(parent.number, time.monotonic_ns(), "task"))
                raise
            finally:
                self.stamp("end", actor.number)

        return actor.number, run()

    def start(self, coro: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that is kept alive, and whose exception nobody needs to see."""
        task = asyncio.create_task(coro)
        self.kept.add(task)
        task.add_done_callback(self.kept.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return task

    def bound(self, actor: int, since: int, how: str) -> int:
        """The actor may be cancelled from `since` on; a key."""
        key = next(self.keys)
        self.stamp("bound", actor, key, since, how)
        return key

    @contextmanager
    def bounded(self, actor: Actor, ms: int, how: str) -> Iterator[None]:
        """The actor may be cancelled in `ms`."""
        key = self.bound(actor.number, time.monotonic_ns() + ms * MS, how)
        try:
            yield
        finally:
            self.stamp("free", key)

    # -- operations that hold the loop ---------------------------------------------------------

    async def do_block(self, actor: Actor, ms: int) -> None:
        """Sleep on the loop."""
        time.sleep(ms / 1000)

    async def do_compute(self, actor: Actor, ms: int) -> None:
        """Compute on the loop."""
        until = time.monotonic_ns() + ms * MS
        while time.monotonic_ns() < until:
            sum(range(50))

    async def do_raise(self, actor: Actor) -> None:
        """Raise."""
        raise Failure

    # -- operations that await -----------------------------------------------------------------

    async def do_sleep(self, actor: Actor, ms: int) -> None:
        """Await a timer."""
        due = time.monotonic_ns() + ms * MS
        await self.wait(actor, asyncio.sleep(ms / 1000), "sleep", due, ms * MS)

    async def do_give_way(self, actor: Actor) -> None:
        """Let others run."""
        await self.wait(actor, asyncio.sleep(0), "turn")

    async def do_lock(self, actor: Actor, which: int, body: Program) -> None:
        """Hold a lock while the body is executed."""
        lock = self.locks[which]
        await self.acquired(actor, lock, body)

    async def do_semaphore(self, actor: Actor, which: int, body: Program) -> None:
        """The same with a semaphore."""
        await self.acquired(actor, self.semaphores[which], body)

    async def acquired(self, actor: Actor, lock: asyncio.Lock | asyncio.Semaphore, body: Program) -> None:
        """Execute the body while a lock or a semaphore is held."""
        await self.wait(actor, lock.acquire(), "signal")
        try:
            await self.execute(actor, body)
        finally:
            self.waking(lock.release)

    async def do_wait_event(self, actor: Actor, which: int, ms: int) -> None:
        """Await an event, `ms` at most."""
        with suppress(TimeoutError), self.bounded(actor, ms, "task"):
            async with asyncio.timeout(ms / 1000):
                await self.wait(actor, self.events[which].wait(), "signal")

    async def do_set_event(self, actor: Actor, which: int) -> None:
        """Wake all who await an event."""
        self.waking(self.events[which].set)
        self.events[which].clear()

    async def do_put(self, actor: Actor, which: int) -> None:
        """Put an item into a queue."""
        self.waking(self.queues[which].put_nowait, 1)

    async def do_get(self, actor: Actor, which: int, ms: int) -> None:
        """Await an item of a queue, `ms` at most."""
        with suppress(TimeoutError), self.bounded(actor, ms, "task"):
            async with asyncio.timeout(ms / 1000):
                await self.wait(actor, self.queues[which].get(), "signal")

    async def do_job(self, actor: Actor, ms: int) -> None:
        """Let the shared worker do something, and await it."""
        if self.worker is None:
            worker = Actor(next(self.actors))
            self.stamp("begin", worker.number, 0, actor.number)
            self.worker = asyncio.create_task(self.work(worker))
        future = asyncio.get_running_loop().create_future()
        self.waking(self.jobs.put_nowait, (future, ms))
        await self.wait(actor, future, "signal")

    async def work(self, worker: Actor) -> None:
        """A worker that the first request to need it has started, and that serves all."""
        self.stamp("resume", worker.number)
        try:
            while True:
                future, ms = await self.wait(worker, self.jobs.get(), "signal")
                if ms > 30:
                    await self.do_sleep(worker, ms)
                else:
                    time.sleep(ms / 1000)
                if not future.done():
                    self.waking(future.set_result, None)
        finally:
            self.stamp("end", worker.number)

    async def do_outside(self, actor: Actor, ms: int) -> None:
        """Await a future that a thread of the application's own sets."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def answer() -> None:
            if not future.done():
                future.set_result(None)

        def other_thread() -> None:
            time.sleep(ms / 1000)
            if not future.done():  # else a timeout has ended the wait
                self.stamp("woken", actor.number)
            loop.call_soon_threadsafe(answer)

        threading.Thread(target=other_thread, daemon=True).start()
        await self.wait(actor, future, "signal")

    # -- worker threads ------------------------------------------------------------------------

    def call(self, number: int, ms: int) -> None:
        """Execute in a worker thread."""
        self.stamp("call", number)
        time.sleep(ms / 1000)
        self.stamp("return", number)

    async def do_thread(self, actor: Actor, ms: int) -> None:
        """Call a function in a thread of AnyIO."""
        number = next(self.calls)
        await self.wait(actor, anyio.to_thread.run_sync(self.call, number, ms), "handed", number)

    async def do_to_thread(self, actor: Actor, ms: int) -> None:
        """The same in a thread of asyncio's executor."""
        number = next(self.calls)
        await self.wait(actor, asyncio.to_thread(self.call, number, ms), "call", number)

    async def do_pool(self, actor: Actor, ms: int) -> None:
        """The same in a thread of the application's own."""
        number, loop = next(self.calls), asyncio.get_running_loop()
        await self.wait(actor, loop.run_in_executor(self.pool, self.call, number, ms), "call", number)

    # -- children ------------------------------------------------------------------------------

    async def do_gather(self, actor: Actor, bodies: list[Program]) -> None:
        """Await children by `gather`."""
        children = [self.child(actor, body) for body in bodies]
        coros = [coro for _, coro in children]
        gathered = asyncio.gather(*coros, return_exceptions=True)
        await self.wait(actor, gathered, "children", [n for n, _ in children])

    async def do_group(self, actor: Actor, bodies: list[Program]) -> None:
        """Await children in asyncio's group."""
        group = asyncio.TaskGroup()
        await group.__aenter__()
        await self.grouped(actor, group, group.create_task, bodies)

    async def do_anyio_group(self, actor: Actor, bodies: list[Program]) -> None:
        """Await children in AnyIO's group."""
        group = anyio.create_task_group()
        await group.__aenter__()

        def start(coro: Coroutine[Any, Any, None]) -> object:
            return group.start_soon(lambda: coro)

        await self.grouped(actor, group, start, bodies)

    async def grouped(
        self, actor: Actor, group: Any, start: Callable[[Any], object], bodies: list[Program]
    ) -> None:
        """Start children in a group, and await its end."""
        failed: list[int] = []
        children = [self.child(actor, body, promised=True, failed=failed) for body in bodies]
        for _, coro in children:
            start(coro)
        try:
            await self.wait(actor, group.__aexit__(None, None, None), "children", [n for n, _ in children])
        except* Failure:
            pass
        finally:
            for key in failed:
                self.stamp("free", key)

    async def do_later(self, actor: Actor, body: Program, meanwhile: Program) -> None:
        """Start a task, do something else, and await it then."""
        number, coro = self.child(actor, body, promised=True)
        task = self.start(coro)
        try:
            await self.execute(actor, meanwhile)
        except BaseException:
            self.stamp("break", actor.number, number)
            raise
        with suppress(Failure):
            await self.wait(actor, task, "children", [number])

    async def do_start(self, actor: Actor, body: Program) -> None:
        """Merely start a task."""
        _, coro = self.child(actor, body, started=True)
        self.start(coro)

    async def do_cancel(self, actor: Actor, ms: int, body: Program) -> None:
        """Start a task, cancel it after `ms`, and await it."""
        number, coro = self.child(actor, body, promised=True)
        task = self.start(coro)
        try:
            await self.do_sleep(actor, ms)
        except BaseException:
            self.stamp("break", actor.number, number)
            raise
        self.bound(number, time.monotonic_ns(), "task")
        self.waking(task.cancel)
        with suppress(Failure, asyncio.CancelledError):
            await self.wait(actor, task, "children", [number])

    # -- timeouts ------------------------------------------------------------------------------

    async def do_timeout(self, actor: Actor, ms: int, body: Program) -> None:
        """Execute the body, `ms` at most."""
        with suppress(TimeoutError), self.bounded(actor, ms, "task"):
            async with asyncio.timeout(ms / 1000):
                await self.execute(actor, body)

    async def do_wait_for(self, actor: Actor, ms: int, body: Program) -> None:
        """The same with `wait_for`."""
        with suppress(TimeoutError), self.bounded(actor, ms, "task"):
            if sys.version_info >= (3, 12):
                await asyncio.wait_for(self.execute(actor, body), ms / 1000)
            else:  # there it makes a task of it
                number, coro = self.child(actor, body)
                await self.wait(actor, asyncio.wait_for(coro, ms / 1000), "children", [number])

    async def do_scope(self, actor: Actor, ms: int, body: Program) -> None:
        """The same with AnyIO's cancel scope."""
        with self.bounded(actor, ms, "scope"), anyio.move_on_after(ms / 1000):
            await self.execute(actor, body)
