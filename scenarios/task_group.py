"""The same in a task group: if one call fails, the others are cancelled."""

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


@app.get("/task_group")
async def task_group():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fetch(number)) for number in range(10)]
    return [task.result() for task in tasks]


scenario = Scenario(
    group="fan-out",
    order=230,
    title="ten calls in a task group",
    expect="As long as the longest of the ten, like gather; a failure cancels the rest.",
    requests=4,
    seconds=0.2,
    upstream=True,
    makespan=lambda load: load.seconds,
)
