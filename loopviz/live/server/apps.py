"""Several applications behind one port, each unchanged and with its own middleware."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI

from loopviz.live.server import compat
from loopviz.scenario import ScenarioFile, executed

__all__ = ["Apps"]


class Apps:
    """An ASGI application that passes each request to the scenario that has its path.

    The first part of the path decides. A path that no scenario has is answered 404 by an empty FastAPI
    application, as a user's own server would.

    A scenario whose application is not loaded yet is prepared by `prepare`, on the server's loop: its
    file is executed by `execute` (in a thread of its own, since it may import a lot) and its lifespan
    is started. A request for it does the same. All scenarios are ready when the server serves. If
    `lazily`, only those with a key are; those that need no further package, no upstream server and no worker
    process are prepared next, and the rest when they are first used.
    """

    def __init__(
        self,
        files: Iterable[ScenarioFile],
        execute: Callable[[ScenarioFile], ScenarioFile] = executed,
        *,
        lazily: bool = False,
    ) -> None:
        self._lazily = lazily
        self._files = {file.name: file for file in files}
        self._execute = execute
        self._mounts: dict[str, _Mount] = {}
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._names: dict[str, str] = {}
        self._asked = 0
        self._served: dict[str, int] = {}
        self._fallback = FastAPI(lifespan=self._lifespan, openapi_url=None)
        self._route()

    def ready(self, name: str) -> bool:
        """Whether a request to the scenario is served at once. May be called in any thread."""
        return name in self._mounts

    def serves(self, file: ScenarioFile) -> bool:
        """Whether this version of a scenario is the one that is served. May be called in any thread."""
        return self._files.get(file.name) is file

    async def prepare(self, name: str) -> None:
        """Prepare the scenario; returns when it is ready. Raises what its file or its lifespan raises."""
        if name in self._mounts:
            return
        task = self._preparing.get(name)
        if task is None:
            # A context of its own: what runs here belongs to no request, and may run longer than the request
            # that started it.
            task = asyncio.create_task(self._prepare(name), context=contextvars.Context())
            self._preparing[name] = task
        await asyncio.shield(task)

    async def replace(self, file: ScenarioFile) -> None:
        """Serve this version of a scenario, or a new one, from now on.

        If that raises, the previous version is still served. A version that is ready only after a newer one
        is not served.
        """
        self._asked += 1
        number = self._asked
        mount = await self._mounted(file)
        if number < self._served.get(file.name, 0):
            await mount.end()
            return
        self._served[file.name] = number
        before = self._mounts.get(file.name)
        self._files[file.name] = file
        self._mounts[file.name] = mount
        self._route()
        if before is not None:
            await before.end()

    async def _prepare(self, name: str) -> None:
        try:
            await self.replace(self._files[name])
        finally:
            del self._preparing[name]

    async def _mounted(self, file: ScenarioFile) -> _Mount:
        with ThreadPoolExecutor(1, "loopviz scenario") as executor:  # not the loop's: not seen by the probe
            work = asyncio.wrap_future(executor.submit(self._execute, file))
            await asyncio.wait([work])
        mount = _Mount(work.result())
        await mount.begin()
        return mount

    def _route(self) -> None:
        """Map the first part of each path to the first scenario that has it."""
        names: dict[str, str] = {}
        for name, file in self._files.items():
            mount = self._mounts.get(name)
            app = mount.file.app if mount is not None else file.app
            for route in getattr(app, "routes", ()):
                if getattr(route, "include_in_schema", False):
                    names.setdefault(_first_part(route.path), name)
            if not file.missing:
                names.setdefault(_first_part(file.path), name)
        self._names = names

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        following: asyncio.Task[None] | None = None
        try:
            for name, file in list(self._files.items()):
                needed = not self._lazily or file.app is not None or file.facts.key is not None
                if needed and not file.missing:
                    await self.prepare(name)
            if self._lazily:
                following = asyncio.create_task(self._follow(), context=contextvars.Context())
            yield
        finally:
            for task in (following, *self._preparing.values()):
                if task is not None:
                    task.cancel()
            for mount in reversed(list(self._mounts.values())):
                await mount.end()
            self._mounts.clear()

    async def _follow(self) -> None:
        """Prepare what costs little, so that it can be fired even while the loop is blocked."""
        for name, file in list(self._files.items()):
            facts = file.facts
            if not (facts.needs or facts.upstream or facts.worker):
                with suppress(Exception):  # it is raised again when the scenario is fired
                    await self.prepare(name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        name = self._names.get(_first_part(scope["path"])) if scope["type"] == "http" else None
        if name is None:
            await self._fallback(scope, receive, send)
            return
        if name not in self._mounts:
            await self.prepare(name)
        mount = self._mounts[name]
        if mount.state:
            scope.setdefault("state", {}).update(mount.state)
        await mount.file.app(scope, receive, send)


class _Mount:
    """An application that is served: its lifespan runs in one task from start to end."""

    def __init__(self, file: ScenarioFile) -> None:
        self.file = file
        self.state: Mapping[str, Any] = {}
        """What its lifespan has yielded: part of every request's state."""
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the lifespan, if there is one. Raises what it raises."""
        lifespan = compat.lifespan_of(self.file.app)
        if lifespan is None:
            return
        self._task = asyncio.create_task(self._live(lifespan), context=contextvars.Context())
        begun = asyncio.create_task(self._begun.wait(), context=contextvars.Context())
        await asyncio.wait([self._task, begun], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._task.done():
            self._task.result()

    async def end(self) -> None:
        """End the lifespan. Raises what it raises."""
        self._over.set()
        if self._task is not None:
            await self._task

    async def _live(self, lifespan: Callable[[Any], Any]) -> None:
        async with lifespan(self.file.app) as state:
            self.state = state or {}
            self._begun.set()
            await self._over.wait()


def _first_part(path: str) -> str:
    return path.partition("/")[2].partition("/")[0]
