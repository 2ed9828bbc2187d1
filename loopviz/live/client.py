"""Our own client, in a thread of its own: bursts, sent at the same moment, and a steady load."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from loopviz.clock import now_ns
from loopviz.live import compat
from loopviz.live.arrivals import Arrivals
from loopviz.live.claimed import claimed
from loopviz.stream.answer import MOST, Answer, Heard, answer
from loopviz.stream.endings import GIVEN_UP
from loopviz.stream.events import CLAIMED, RECEIVED, SENT, Event

if TYPE_CHECKING:
    import httpx

__all__ = ["MOST_UNANSWERED", "Client", "Fired"]

MOST_UNANSWERED = 300
"""A steady load has no more requests than this that are not answered: each has a socket at both ends."""

_CLOSING = 0.1
"""How long what is cancelled has to end before it is cancelled again (s)."""
_NOT_TRACED = f"{{}} does not report {compat.SENDING!r}; the time before its connection is used"

Fired = Callable[[int, int], None]
"""Called before a burst is sent with the number of its first request, and how many it has."""


@dataclass(frozen=True)
class _Asked:
    """What each request of a burst asks for."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    heard: _Hearing | None = None

    def hears(self, number: int, response: httpx.Response | None, error: str | None) -> None:
        """A request was answered, or has had no answer."""
        if self.heard is not None:
            self.heard.hears(number, response, error)


class _Hearing:
    """Who wants the answers of a burst, and how much of their bodies is kept."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._room = MOST

    def hears(self, number: int, response: httpx.Response | None, error: str | None) -> None:
        """Pass an answer on, bounded."""
        if response is None:
            self._heard(Answer(number, None, error=error))
            return
        kept = answer(
            number, response.status_code, response.headers.multi_items(), response.content, self._room
        )
        self._room -= len(kept.body or b"")
        self._heard(kept)


@dataclass(eq=False)
class _Load:
    """A steady load: what it asks for, how often, and which of its requests are not answered."""

    asked: _Asked
    per_second: float
    unanswered: set[int] = field(default_factory=set)
    ended: bool = False
    """Whether no more is sent; those that are sent may still be answered."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has ended."""
    arrivals: Arrivals | None = None


class Client:
    """Fires bursts of requests at `base_url`, or a steady load.

    `numbers` numbers the requests; `headers(number)` marks a request so that the server knows its
    number; `blind(what, why)` reports what cannot be measured. Every request has a connection of its
    own, and the client sets no limit and no timeout.
    """

    def __init__(
        self,
        base_url: str,
        emit: Callable[[Event], None],
        numbers: Iterator[int],
        headers: Callable[[int], dict[str, str]],
        blind: Callable[[str, str], None],
    ) -> None:
        self._base_url = base_url
        self._emit = emit
        self._numbers = numbers
        self._headers = headers
        self._blind = blind
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="loopviz client", daemon=True)
        self._bursts: dict[concurrent.futures.Future[None], set[int]] = {}
        """Those that are not over, with the numbers of the requests that have no answer yet."""
        self._sending: set[asyncio.Task[Any]] = set()
        """The tasks of those that are being sent."""
        self._load: _Load | None = None
        self._skipped, self._why = 0, ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @staticmethod
    def prepare() -> None:
        """Import what sends requests, so that the first is not late. It takes longer than a frame."""
        import httpx  # noqa: F401, PLC0415

    def fire(
        self,
        method: str,
        path: str,
        requests: int,
        *,
        at_once: int | None = None,
        delay: float = 0.0,
        fired: Fired | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        heard: Heard | None = None,
    ) -> concurrent.futures.Future[None]:
        """Send `requests` requests at once; the future is done when all of them are answered.

        Each has these `headers` and this `body`. `heard` is given each answer; without it, they are not kept.
        `at_once` limits the concurrent requests: as soon as one is answered, the next is sent. The first are
        sent `delay` seconds from now. `fired` is called, by this thread, before anything is sent.
        """
        numbers = self._in_a_row(requests)
        if fired is not None:
            fired(numbers[0], requests)
        hearing = None if heard is None else _Hearing(heard)
        asked = _Asked(method, path, dict(headers or {}), body, hearing)
        unanswered = set(numbers)
        burst = self._burst(asked, numbers, at_once or requests, delay, unanswered)
        answered = asyncio.run_coroutine_threadsafe(burst, self._loop)
        self._bursts[answered] = unanswered
        answered.add_done_callback(self._over)
        return answered

    def load(
        self,
        method: str,
        path: str,
        per_second: float,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Send so many requests a second from now on, whether or not those before are answered; 0 ends it.

        There is one load: another one ends the one before. Requests that are sent are waited for. While
        `MOST_UNANSWERED` have no answer no more are sent; see `loading`. May be called in any thread.
        """
        asked = _Asked(method, path, dict(headers or {}), body)
        load = self._load
        if load is not None and (per_second <= 0 or load.asked != asked):
            self._end_load()
            load = None
        if per_second <= 0:
            return
        if load is not None:
            load.per_second = per_second
            self._loop.call_soon_threadsafe(self._change, load)
            return
        load = self._load = _Load(asked, per_second)
        self._skipped, self._why = 0, ""
        done = asyncio.run_coroutine_threadsafe(self._steady(load), self._loop)
        self._bursts[done] = load.unanswered
        done.add_done_callback(self._over)

    @property
    def loading(self) -> tuple[float, int, int, str] | None:
        """The load: requests a second, how many are not answered, how many were not sent, and why not."""
        load = self._load
        return None if load is None else (load.per_second, len(load.unanswered), self._skipped, self._why)

    def give_up(self) -> list[int]:
        """Close the connections of all requests that are not answered; send no more of their bursts.

        A steady load ends.

        Returns their numbers, in order. Each is reported as received, with the error `GIVEN_UP`, and its
        burst's future is cancelled. Returns at once, and may be called in any thread.
        """
        numbers = []
        self._end_load()
        for answered, unanswered in list(self._bursts.items()):
            numbers += [number for number in sorted(unanswered) if _take(unanswered, number)]
            answered.cancel()
        for number in numbers:
            self._emit((now_ns(), RECEIVED, number, None, GIVEN_UP))
        return sorted(numbers)

    def _end_load(self) -> None:
        load, self._load = self._load, None
        if load is not None:
            load.ended = True
            self._loop.call_soon_threadsafe(load.over.set)

    def _over(self, answered: concurrent.futures.Future[None]) -> None:
        self._bursts.pop(answered, None)

    def _in_a_row(self, count: int) -> list[int]:
        """As many numbers that follow each other: the server numbers other clients' requests meanwhile."""
        while True:
            numbers = list(islice(self._numbers, count))  # with the GIL, no other thread runs in between
            if numbers[-1] - numbers[0] == count - 1:
                return numbers

    def stop(self, timeout: float = 1.0) -> None:
        """Cancel the requests that are not answered yet, and end."""
        if self._thread.ident is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout)
        else:
            self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        """Cancel what is being sent, and wait for it.

        Their own tasks end what they have started. AnyIO's tasks are not to be cancelled from outside before
        their first step: what they were made for would never be awaited.
        """
        await asyncio.sleep(0)  # what was asked for at the last moment begins
        sending = list(self._sending)
        for task in sending:
            if not task.cancelling():  # else it is closing its connections: a second time would end that
                task.cancel()
        left = set(sending)
        while left:
            _, left = await asyncio.wait(left, timeout=_CLOSING)
            for task in asyncio.all_tasks() - {asyncio.current_task()} if left else ():
                task.cancel()  # AnyIO 4.14 may lose a cancellation
        await asyncio.sleep(0)  # connections that are closed are gone in the next iteration

    def _sends(self) -> None:
        """The present task sends a burst or a load: `_end` cancels it."""
        task = asyncio.current_task()
        if task is not None:
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _burst(
        self, asked: _Asked, numbers: list[int], at_once: int, delay: float, unanswered: set[int]
    ) -> None:
        self._sends()
        await asyncio.sleep(delay)
        client = self._connections()

        async def runner(first: int) -> None:
            await self._one(client, line, asked, first, unanswered)
            for number in rest:
                await self._one(client, _StartLine(1), asked, number, unanswered)

        async with client:
            first, rest = numbers[:at_once], iter(numbers[at_once:])
            line = _StartLine(len(first))
            await asyncio.gather(*map(runner, first))

    def _connections(self) -> httpx.AsyncClient:
        """A new connection for every request, and no limits."""
        import httpx  # noqa: PLC0415 - as `prepare`

        return httpx.AsyncClient(
            base_url=self._base_url,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=None,
            trust_env=False,
            verify=False,  # no certificates to load
        )

    async def _steady(self, load: _Load) -> None:
        """Send a load until it ends, and wait for its answers."""
        self._sends()
        tasks: set[asyncio.Task[None]] = set()
        unanswered = load.unanswered

        def send() -> None:
            if load.ended:
                return
            if len(unanswered) >= MOST_UNANSWERED:
                self._skip(1, f"{MOST_UNANSWERED} are not answered")
                return
            number = next(self._numbers)
            unanswered.add(number)
            task = self._loop.create_task(self._one(client, _StartLine(1), load.asked, number, unanswered))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def missed(number: int) -> None:
            self._skip(number, "the client had no time to send them")

        load.arrivals = arrivals = Arrivals(self._loop, send, missed)
        async with self._connections() as client:
            try:
                arrivals.change(load.per_second)
                await load.over.wait()
                arrivals.change(0)
                while tasks:
                    await asyncio.wait(tasks)
            finally:
                arrivals.change(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                # One that was begun while the load was given up.
                for number in [number for number in sorted(unanswered) if _take(unanswered, number)]:
                    self._emit((now_ns(), RECEIVED, number, None, GIVEN_UP))

    def _change(self, load: _Load) -> None:
        if load.arrivals is not None and not load.ended:
            load.arrivals.change(load.per_second)

    def _skip(self, number: int, why: str) -> None:
        self._skipped, self._why = self._skipped + number, why

    async def _one(
        self, client: httpx.AsyncClient, line: _StartLine, asked: _Asked, number: int, unanswered: set[int]
    ) -> None:
        sent = False
        method, path = asked.method, asked.path

        async def trace(event: str, _: object) -> None:
            nonlocal sent
            if event == compat.SENDING:
                await line.ready()
                if number not in unanswered:  # given up: it is cancelled in a moment
                    await self._loop.create_future()
                sent = True
                self._emit((now_ns(), SENT, number, method, path))

        status = error = response = None
        began = now_ns()
        try:
            response = await client.request(
                method,
                path,
                headers=asked.headers | self._headers(number),
                content=asked.body,
                extensions={"trace": trace},
            )
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
        else:
            status = response.status_code
            said = claimed(response.headers)
            if said is not None and number in unanswered:
                self._emit((now_ns(), CLAIMED, number, *said))
        if not _take(unanswered, number):
            return
        now = now_ns()
        if not sent:
            line.failed()
            self._emit((now if status is None else began, SENT, number, method, path))
        if not sent and status is not None:
            from loopviz.probe.compat import installed  # noqa: PLC0415 - the probe is not needed here

            self._blind("the moment at which a request is sent", _NOT_TRACED.format(installed("httpcore")))
        self._emit((now, RECEIVED, number, status, error))
        asked.hears(number, response, error)


def _take(numbers: set[int], number: int) -> bool:
    """Remove the number; whether it was there. One thread only gets it."""
    try:
        numbers.remove(number)
    except KeyError:
        return False
    return True


class _StartLine:
    """Holds requests until all of them are connected, or have failed to connect."""

    def __init__(self, runners: int) -> None:
        self._missing = runners
        self._go = asyncio.Event()

    async def ready(self) -> None:
        self._one_less()
        if self._go.is_set():  # the last one waits for the others, so that numbers stay in order
            await asyncio.sleep(0)
        await self._go.wait()

    def failed(self) -> None:
        self._one_less()

    def _one_less(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
            self._go.set()
