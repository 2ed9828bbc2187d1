"""The same ten calls at once, with `asyncio.gather`: each is a task."""

import asyncio
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


async def fetch(number):
    response = await app.state.client.get("/sleep", params={"seconds": 0.2, "call": number})
    return response.json()


@app.get("/gather")
async def gather():
    return await asyncio.gather(*(fetch(number) for number in range(10)))


scenario = Scenario(
    group="fan-out",
    order=220,
    title="ten calls with asyncio.gather",
    expect="As long as the longest of the ten: they wait together, each in a task.",
    requests=4,
    seconds=0.2,
    upstream=True,
    makespan=lambda load: load.seconds,
)
