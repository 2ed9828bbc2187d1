"""Applications behind one port, each served as uvicorn alone would serve it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI

from loopviz.live.server.mount import Mount
from loopviz.live.server.routing import Fit, fit
from loopviz.scenario import ScenarioFile, executed, require_own_paths
from loopviz.stream.marked import OWN_ENDPOINT

__all__ = ["Apps"]


class Apps:
    """An ASGI application that passes each request and each WebSocket to the scenario that it is for.

    One scenario gets everything. Of several, a request at which a scenario is fired is that scenario's; for
    any other request their applications' own routes are tried. What fits none belongs to the scenario whose
    path begins like it, and else it is answered by an empty FastAPI application: 404, as a user's own server
    would. Health probes (`OWN_ENDPOINT`) are answered here. Raises `InputError` for two scenarios that are
    fired at the same path.

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
        self._mounts: dict[str, Mount] = {}
        self._executed: dict[str, ScenarioFile] = {}
        """What is mounted: each with its application."""
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._fired: dict[tuple[str, str], str] = {}
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

    def file(self, name: str) -> ScenarioFile | None:
        """The version of a scenario that is served; None if there is none of this name."""
        return self._files.get(name)

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
        known = self._files.get(file.name) is file  # else a new version, perhaps with another path
        if not known:
            require_own_paths({**self._files, file.name: file}.values())
        self._asked += 1
        number = self._asked
        done, mount = await self._mounted(file)
        if number < self._served.get(file.name, 0):
            await mount.end()
            return
        self._served[file.name] = number
        before = self._mounts.get(file.name)
        self._files[file.name] = file
        self._mounts[file.name], self._executed[file.name] = mount, done
        if not known:
            self._route()
        if before is not None:
            await before.end()

    async def _prepare(self, name: str) -> None:
        try:
            await self.replace(self._files[name])
        finally:
            del self._preparing[name]

    async def _mounted(self, file: ScenarioFile) -> tuple[ScenarioFile, Mount]:
        with ThreadPoolExecutor(1, "loopviz scenario") as executor:  # not the loop's: not seen by the probe
            work = asyncio.wrap_future(executor.submit(self._execute, file))
            await asyncio.wait([work])
        done = work.result()
        mount = Mount(done.app)
        await mount.begin()
        return done, mount

    def _route(self) -> None:
        """Note at which method and path each scenario is fired."""
        require_own_paths(self._files.values())
        self._fired = {
            (file.method, unquote(file.path.partition("?")[0])): name
            for name, file in self._files.items()
            if file.servable
        }

    def _chosen(self, scope: Any) -> str | None:
        """The scenario that a request or a WebSocket is for; None if none has it."""
        if len(self._files) == 1:
            return next((name for name, file in self._files.items() if file.servable), None)
        fired = self._fired.get((scope.get("method", ""), scope["path"]))
        if fired is not None:
            return fired
        best: tuple[Fit, str] | None = None
        for name, file in self._files.items():
            if not file.servable:
                continue
            served = self._executed.get(name, file)
            found = fit(served.app, served.path, scope)
            if found is not None and (best is None or found > best[0]):
                best = (found, name)
        return best[1] if best is not None else None

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        following: asyncio.Task[None] | None = None
        try:
            for name, file in list(self._files.items()):
                needed = not self._lazily or file.app is not None or file.facts.key is not None
                if needed and file.servable:
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
        if scope["type"] == "http" and scope["path"] == OWN_ENDPOINT:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        name = None if scope["type"] == "lifespan" else self._chosen(scope)
        if name is None:
            await self._fallback(scope, receive, send)
            return
        if name not in self._mounts:
            await self.prepare(name)
        mount = self._mounts[name]
        scope["state"] = mount.state.copy()
        await mount.app(scope, receive, send)
