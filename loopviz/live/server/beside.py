"""A changed copy of the application, beside the original: requests with a header are the copy's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hmac import compare_digest
from typing import Any, Final

from loopviz.draw.safe import printable
from loopviz.errors import InputError
from loopviz.live.server.mount import Mount
from loopviz.stream.marked import COPY

__all__ = ["Beside"]

_HEAD: Final = {"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]}
_BODY: Final = {"type": "http.response.body", "body": b""}
_END: Final = 2.0
"""So long the lifespan of a copy may take to end (s)."""


class Beside:
    """An ASGI application that passes requests with the header `COPY` to the copy, and all others on.

    The header has the `secret` of the session. Neither application sees it. The copy has a lifespan of its
    own, which begins when it is served, and ends when it is served no longer, or before the original's.
    """

    def __init__(self, secret: str) -> None:
        self.app: Any = None
        self._name = COPY.encode()
        self._secret = secret.encode()
        self._mount: Mount | None = None
        self._asked = 0
        """How often another copy, or none, was asked for."""
        self._forget: Callable[[], object] = lambda: None

    async def serve(self, make: Callable[[], Any], forget: Callable[[], object], *, apart: bool) -> None:
        """Make a copy, start its lifespan, and serve it from now on. Raises what either of the two raises.

        To be called on the server's loop. The copy is made there, or in a thread `apart`, as the original
        was. `forget` is called when it is not served any more, and if it cannot be served.
        """
        await self.end()
        number = self._asked
        try:
            mount = await _begun(make, apart=apart)
        except BaseException:
            forget()
            raise
        if number != self._asked:  # meanwhile another one was, or none
            await self._end(mount)
            forget()
            raise InputError("The repaired copy is not wanted any more.")
        self._mount, self._forget = mount, forget

    async def end(self) -> None:
        """Serve the copy no longer: its lifespan ends."""
        self._asked += 1
        mount, self._mount = self._mount, None
        if mount is None:
            return
        try:
            await self._end(mount)
        finally:
            self._forget()

    def over(self) -> None:
        """The server has ended: forget a copy whose lifespan it did not end, as the original has none."""
        mount, self._mount = self._mount, None
        if mount is not None:
            self._forget()

    @staticmethod
    async def _end(mount: Mount) -> None:
        with suppress(Exception):  # it is not the original's
            await asyncio.wait_for(mount.end(), _END)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        if scope["type"] == "lifespan":
            await self.app(scope, self._ending(receive), send)
            return
        if not self._is_for_copy(scope):
            await self.app(scope, receive, send)
            return
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != self._name]
        mount = self._mount
        if mount is None:
            await send(_HEAD)
            await send(_BODY)
            return
        if "state" in scope:
            scope["state"] = mount.state.copy()
        await mount.app(scope, receive, send)

    def _is_for_copy(self, scope: Any) -> bool:
        return any(
            name == self._name and compare_digest(value, self._secret) for name, value in scope["headers"]
        )

    def _ending(self, receive: Any) -> Any:
        """The messages of the original's lifespan; before its end, the copy's ends."""

        async def received() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.end()
            return message

        return received


async def _begun(make: Callable[[], Any], *, apart: bool) -> Mount:
    """The application that is made, when its lifespan has begun."""
    if apart:
        with ThreadPoolExecutor(1, "loopviz copy") as executor:  # not the loop's: not seen by the probe
            work = asyncio.wrap_future(executor.submit(make))
            await asyncio.wait([work])
        app = work.result()
    else:
        app = make()
    mount = Mount(app)
    try:
        await mount.begin()
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"The lifespan of the repaired copy has failed: {printable(why)}") from error
    return mount
