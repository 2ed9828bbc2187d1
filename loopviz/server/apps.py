"""Several applications behind one port, each unchanged and with its own middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from loopviz.scenario import ScenarioFile

__all__ = ["Apps"]


class Apps:
    """An ASGI application that hands each request to the scenario whose path it asks for.

    The first part of the path decides. What nobody claims is answered 404 by an empty FastAPI
    application, as a user's own server would.
    """

    def __init__(self, files: Iterable[ScenarioFile]) -> None:
        self._apps: dict[str, Any] = {}
        for file in files:
            for route in getattr(file.app, "routes", ()):
                if getattr(route, "include_in_schema", False):
                    self._apps.setdefault(_first_part(route.path), file.app)
            self._apps.setdefault(_first_part(file.path), file.app)
        self._fallback = FastAPI(lifespan=self._lifespan, openapi_url=None)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in {id(app): app for app in self._apps.values()}.values():
                router = getattr(app, "router", None)
                if router is not None:
                    await stack.enter_async_context(router.lifespan_context(app))
            yield

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI interface."""
        app = self._fallback
        if scope["type"] == "http":
            app = self._apps.get(_first_part(scope["path"]), app)
        await app(scope, receive, send)


def _first_part(path: str) -> str:
    return path.partition("/")[2].partition("/")[0]
