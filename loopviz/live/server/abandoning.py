"""Requests that loopviz's own client has given up: those that have not begun are not begun any more."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from hmac import compare_digest
from types import TracebackType
from typing import Any, Final

from anyio import CancelScope

__all__ = ["Abandoning"]

_HEAD: Final = {"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]}
_BODY: Final = {"type": "http.response.body", "body": b""}
_DIGITS: Final = 19


class _Scope:
    """A cancel scope around an application, which is exited whatever the application has left open.

    AnyIO refuses to exit a scope inside of which another is still open. Without loopviz that is no error.
    """

    def __init__(self) -> None:
        self.scope = CancelScope()

    def __enter__(self) -> CancelScope:
        return self.scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        with suppress(RuntimeError):
            return bool(self.scope.__exit__(kind, error, trace))
        return False


class Abandoning:
    """An ASGI application that does not pass on requests that were given up, and answers them with 503.

    uvicorn calls an application for every request that it reads, also if the client has gone meanwhile: after
    a block, one after the other would run without a client. A request of loopviz's own client has the header
    `name` with `prefix` and its number. Others are passed on as they are.

    An own request runs in a cancel scope of AnyIO. When it is given up, what it awaits is cancelled there, as
    Starlette does with a streaming response whose client has gone. A thread is not interrupted, and shielded
    work is completed. uvicorn alone would let all of it go on. Until then the application does not notice the
    scope: it has no deadline, and counts as no cancellation.
    """

    def __init__(self, app: Any, name: str, prefix: str) -> None:
        self.app = app
        self._name = name.encode()
        self._prefix = prefix.encode()
        self._given_up: set[int] = set()
        self._scopes: dict[int, CancelScope] = {}

    def give_up(self, numbers: Iterable[int]) -> None:
        """These requests are given up. May be called in any thread."""
        self._given_up.update(numbers)

    def cancel(self) -> None:
        """Cancel what the requests that were given up await. To be called on the server's loop."""
        for number, scope in list(self._scopes.items()):
            if number in self._given_up:
                scope.cancel()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        number = self._number(scope["headers"]) if scope["type"] == "http" else 0
        if not number or number in self._scopes:  # an application may forward the header
            await self.app(scope, receive, send)
            return
        if number not in self._given_up:
            with _Scope() as cancelling:
                self._scopes[number] = cancelling
                try:
                    await self.app(scope, receive, send)
                finally:
                    del self._scopes[number]
            if not cancelling.cancelled_caught:
                return
        with suppress(Exception):  # its response has begun
            await send(_HEAD)
            await send(_BODY)

    def _number(self, headers: list[tuple[bytes, bytes]]) -> int:
        """The number of a request of loopviz's own client; 0 for any other."""
        length = len(self._prefix)
        for name, value in headers:
            if name == self._name and compare_digest(value[:length], self._prefix):
                digits = value[length:]
                return int(digits) if digits.isdigit() and len(digits) < _DIGITS else 0
        return 0
