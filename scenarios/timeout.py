"""Ten calls, some of them slow: the response has the answers that arrived in time."""

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
    response = await app.state.client.get("/sleep", params={"seconds": 0.1 * number + 0.05})
    return response.json()


@app.get("/timeout")
async def timeout():
    tasks = [asyncio.create_task(fetch(number)) for number in range(10)]
    done, late = await asyncio.wait(tasks, timeout=0.5)
    for task in late:
        task.cancel()
    return {"answers": [task.result() for task in done], "missing": len(late)}


scenario = Scenario(
    group="fan-out",
    order=240,
    title="ten calls with a time limit",
    expect="Never longer than the limit: the client gets a partial answer in time.",
    requests=4,
    seconds=0.5,
    upstream=True,
    makespan=lambda load: load.seconds,
)
