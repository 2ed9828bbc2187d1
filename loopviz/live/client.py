"""Our own load: a client in a thread of its own that sends requests truly at once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Iterator, Mapping

import httpx

from loopviz.clock import now_ns
from loopviz.stream.events import RECEIVED, SENT, Event

__all__ = ["Client", "Heard"]

Heard = Callable[[int, Mapping[str, str]], None]
"""Told a request's number and the headers of its answer, on the client's thread."""


class Client:
    """Fires bursts of requests at `base_url`.

    `numbers` numbers the requests; `headers(number)` marks a request so that the server knows
    its number. Every request has a connection of its own, and no limit and no timeout of the
    client's stands between it and the server.
    """

    def __init__(
        self,
        base_url: str,
        emit: Callable[[Event], None],
        numbers: Iterator[int],
        headers: Callable[[int], dict[str, str]],
    ) -> None:
        self._base_url = base_url
        self._emit = emit
        self._numbers = numbers
        self._headers = headers
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="loopviz load", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def fire(
        self,
        method: str,
        path: str,
        requests: int,
        *,
        at_once: int | None = None,
        delay: float = 0.0,
        heard: Heard | None = None,
    ) -> concurrent.futures.Future[None]:
        """Send `requests` requests at once; the future is done when every answer is there.

        With `at_once`, no more than so many are under way: as soon as one is answered, the next is
        sent. They are sent `delay` seconds from now. `heard` is told each answer's headers.
        """
        numbers = [next(self._numbers) for _ in range(requests)]
        burst = self._burst(method, path, numbers, at_once or requests, delay, heard or _unheard)
        return asyncio.run_coroutine_threadsafe(burst, self._loop)

    def stop(self, timeout: float = 1.0) -> None:
        """Give up what is under way, and end."""
        if self._thread.ident is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout)
        else:
            self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _burst(
        self, method: str, path: str, numbers: list[int], at_once: int, delay: float, heard: Heard
    ) -> None:
        await asyncio.sleep(delay)
        client = httpx.AsyncClient(
            base_url=self._base_url,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=None,
            trust_env=False,
            verify=False,  # no certificates to load
        )

        async def runner(first: int) -> None:
            await self._one(client, line, method, path, first, heard)
            for number in rest:
                await self._one(client, _StartLine(1), method, path, number, heard)

        async with client:
            first, rest = numbers[:at_once], iter(numbers[at_once:])
            line = _StartLine(len(first))
            await asyncio.gather(*map(runner, first))

    async def _one(
        self, client: httpx.AsyncClient, line: _StartLine, method: str, path: str, number: int, heard: Heard
    ) -> None:
        sent = False

        async def trace(event: str, _: object) -> None:
            nonlocal sent
            if event == "http11.send_request_headers.started":
                await line.ready()
                sent = True
                self._emit((now_ns(), SENT, number, method, path))

        status = error = None
        try:
            response = await client.request(
                method, path, headers=self._headers(number), extensions={"trace": trace}
            )
            status = response.status_code
            heard(number, response.headers)
        except httpx.HTTPError as failure:
            error = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
        now = now_ns()
        if not sent:
            line.give_up()
            self._emit((now, SENT, number, method, path))
        self._emit((now, RECEIVED, number, status, error))


def _unheard(number: int, headers: Mapping[str, str]) -> None:
    """Nobody wants to know."""


class _StartLine:
    """Lets requests go when all of them are connected, or have failed to."""

    def __init__(self, runners: int) -> None:
        self._missing = runners
        self._go = asyncio.Event()

    async def ready(self) -> None:
        self.give_up()
        if self._go.is_set():  # the last one lets the others go first, so that numbers stay in order
            await asyncio.sleep(0)
        await self._go.wait()

    def give_up(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
            self._go.set()
