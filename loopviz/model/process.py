"""A process of the server: its event loop and its threads.

A server has one, or several with ``--workers``: then each is a *worker*, with a number from 0 and a letter.
"""

from __future__ import annotations

from collections.abc import Callable

from loopviz.model.lane import Lane
from loopviz.model.limits import Limits
from loopviz.model.loop import Loop
from loopviz.model.pools import Pools
from loopviz.model.requests import Requests
from loopviz.model.rows import Rows
from loopviz.model.shared import Shared
from loopviz.model.tasks import Tasks
from loopviz.model.workers import Workers
from loopviz.stream import events as ev

__all__ = ["Process"]


class Process:
    """One process: what happens in it, apart from its requests and tasks, and which of those are its."""

    def __init__(
        self,
        worker: int,
        requests: Requests,
        rows: Rows,
        tasks: Tasks,
        pools: Pools,
        shared: Shared,
        limits: Limits,
        threshold: int,
        lanes: dict[int, Lane],
    ) -> None:
        self.worker = worker
        """Its number, from 0."""
        self.letter = ""
        """Its letter; empty where it is the only one."""
        self.pid = 0
        """0 if it is not known."""
        self.began = 0
        """When it was started (ns), for the last time; 0 if that is not known."""
        self.ended: tuple[int, str] | None = None
        """When it has ended (ns), and how; None while it runs."""
        self.loop = Loop(requests, rows, tasks, shared, limits, threshold, worker)
        self.threads = Workers(tasks, pools, shared, limits, lanes, worker)
        self._requests = requests
        self._tasks = tasks
        self._pools = pools
        loop, threads = self.loop, self.threads
        self.handlers: dict[str, Callable[..., object]] = {
            ev.READ: self._read,
            ev.BEHIND: self._behind,
            ev.WAKE: loop.wake,
            ev.LATE_WAKE: loop.late_wake,
            ev.STEP: loop.step,
            ev.YIELD: loop.suspend,
            ev.END: loop.end,
            ev.TOKENS: threads.limiter,
            ev.POOL: self._pool,
            ev.POOL_CALL: threads.handed,
            ev.SUBMIT: threads.submit,
            ev.CALL: threads.call,
            ev.AWAITS_CALL: threads.awaits_call,
            ev.RETURN: threads.returns,
            ev.RESULT: threads.result,
            ev.THREAD: self._thread,
            ev.CPU: self._cpu,
            ev.IDLE: loop.sleeps,
            ev.ITERATION: loop.iterates,
            ev.GIL: self._gil,
            ev.KEEPS: self._keeps,
            ev.SWITCHED: self._switched,
            ev.WAITED: self._waited,
            ev.STOPPED: loop.stopped,
            ev.HOLDS: loop.holds,
            ev.CALLBACK: loop.callback,
            ev.EXECUTES: threads.executes,
            ev.WITHIN: threads.within,
        }
        """Of the events that say something about this process only."""

    def name(self, letter: str) -> None:
        """It is not the only one, and this is its letter."""
        self.letter = letter
        self.loop.name(letter)
        self.threads.name(letter)

    def begins(self, t: int, pid: int) -> None:
        """WORKER: it was started, perhaps again."""
        self.began, self.pid, self.ended = t, pid, None

    def ends(self, t: int, reason: str) -> None:
        """WORKER: it has ended, and with it its tasks and its requests."""
        self.ended = t, reason
        self._tasks.all_end(t, self.worker)
        self.threads.ends(t)
        self.loop.ends(t)

    # -- events --------------------------------------------------------------------------------

    def _read(self, t: int, number: int, method: str, path: str, arrived: int) -> None:
        found = self._requests.read(t, number, method, path, arrived)
        if found is None:
            return
        request, new = found
        request.worker, request.letter = self.worker, self.letter
        if new or self._requests.several:  # it is known only now that it could have run here
            self.loop.arrived(number, request.start)

    def _behind(self, t: int, number: int) -> None:
        self._requests.behind(t, number)
        self.loop.spares(number, t)  # it was added as a request that is known only now

    def _pool(self, t: int, number: int, kind: str, name: str, size: int) -> None:
        self._pools.declared(t, number, kind, name, size, self.worker)

    def _thread(self, t: int, number: int, role: str) -> None:
        if role == "loop":
            self.loop.lane.number = number
        else:
            self.threads.lane(number, role)

    def _cpu(self, t: int, number: int, used: int) -> None:
        if number == self.loop.lane.number:
            self.loop.cpu(t, used)
        else:
            self.threads.cpu(t, number, used)

    def _switched(self, t: int, number: int, switched: int) -> None:
        part = self.loop if number == self.loop.lane.number else self.threads
        part.switched(t, number, switched)

    def _waited(self, t: int, number: int, core: int, late: int) -> None:
        part = self.loop if number == self.loop.lane.number else self.threads
        part.waited(t, number, core, late)

    def _gil(self, t: int, since: int, thread: int, file: str, line: int, function: str) -> None:
        self.loop.gil(t, since, self.threads.keeper(t, since, thread, file, line, function))

    def _keeps(
        self, t: int, since: int, thread: int, file: str, line: int, function: str, calls: str
    ) -> None:
        keeper = self.threads.keeper(t, since, thread, file, line, function, calls)
        self.loop.keeps(t, since, keeper)
