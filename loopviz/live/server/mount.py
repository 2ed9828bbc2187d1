"""An application that is served, from the start of its lifespan to the end of it."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from loopviz.live.server import compat

__all__ = ["Mount"]


class Mount:
    """An application that is served: its lifespan runs in one task from start to end.

    As with uvicorn, an application that raises when it is asked for its lifespan has none.
    """

    def __init__(self, app: Any) -> None:
        self.app = compat.as_called(app)
        self.state: dict[str, Any] = {}
        """What its lifespan has put into its state: each request has a copy."""
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the lifespan, if there is one. Raises what it raises."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._live(), context=contextvars.Context())
        await _until(self._begun, self._task)
        if self._failure is not None:
            await self._failed(self._task)

    async def end(self) -> None:
        """End the lifespan. Raises what it raises."""
        if self._task is None:
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        await _until(self._over, self._task)
        if self._failure is not None:
            await self._failed(self._task)

    async def _failed(self, task: asyncio.Task[None]) -> None:
        """Raise the error of the lifespan, which reports it before it raises it."""
        await asyncio.wait([task], timeout=1.0)
        if task.done():
            task.result()
        lines = (self._failure or "").strip().splitlines()
        raise RuntimeError(lines[-1] if lines else "the lifespan failed and gave no reason")

    async def _live(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self.app(scope, self._messages.get, self._heard)
        except SystemExit as error:  # raised by a task, it would end the loop, and all that it serves
            if self._failure is not None:
                raise RuntimeError(f"SystemExit: {error}") from error
        except BaseException:
            if self._failure is not None:
                raise

    async def _heard(self, message: Any) -> None:
        kind = message["type"]
        if kind in {"lifespan.startup.failed", "lifespan.shutdown.failed"}:
            self._failure = message.get("message", "")
        if kind.startswith("lifespan.startup."):
            self._begun.set()
        else:
            self._over.set()


async def _until(event: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Wait for the event, or for the task's end."""
    waiting = asyncio.create_task(event.wait(), context=contextvars.Context())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
