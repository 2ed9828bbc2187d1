"""Ten calls for two different answers: a cache of tasks sends two, and all requests await them."""

import os
from contextlib import asynccontextmanager

import httpx
from async_lru import alru_cache
from fastapi import FastAPI

from loopviz.scenario import Scenario

UPSTREAM = os.environ["UPSTREAM_URL"]


@asynccontextmanager
async def lifespan(app):
    async with httpx.AsyncClient(base_url=UPSTREAM) as app.state.client:
        yield


app = FastAPI(lifespan=lifespan)


@alru_cache(ttl=10)
async def fetch(number):
    response = await app.state.client.get("/sleep", params={"seconds": 0.2, "call": number})
    return response.json()


@app.get("/cached")
async def cached():
    return [await fetch(number % 2) for number in range(10)]


scenario = Scenario(
    group="fan-out",
    order=250,
    title="ten awaits with a cache",
    expect="Two calls instead of ten, shared by all requests: a repeated call is free.",
    requests=4,
    seconds=0.4,
    needs=("async_lru",),
    upstream=True,
    makespan=lambda load: load.seconds,
)
