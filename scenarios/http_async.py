"""The same call with an asynchronous client, one for the whole application."""

import os
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from loopviz.scenario import Scenario

UPSTREAM = os.environ["UPSTREAM_URL"]


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(base_url=UPSTREAM) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/http_async")
async def http_async():
    response = await app.state.client.get("/sleep?seconds=0.5")
    return response.json()


scenario = Scenario(
    group="waiting",
    order=170,
    title="async def + httpx.AsyncClient",
    expect="All at once: while one awaits the other server, the loop serves the others.",
    seconds=0.5,
    upstream=True,
    makespan=lambda load: load.seconds,
)
