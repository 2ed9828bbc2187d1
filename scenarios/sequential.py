"""Ten calls, awaited one after the other: none is blocked, and each request takes the sum."""

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


@app.get("/sequential")
async def sequential():
    return [await fetch(number) for number in range(10)]


scenario = Scenario(
    group="fan-out",
    order=210,
    title="ten awaits, one after the other",
    expect="The sum of all ten: await lets others run, but does not speed up this one.",
    repair="await asyncio.gather(…) of the ten calls.",
    repaired="gather",
    finding="sequential-awaits",
    requests=4,
    seconds=2.0,
    upstream=True,
    makespan=lambda load: load.seconds,
)
