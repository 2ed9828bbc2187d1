"""The fix for `blocking`: run the blocking call in a worker thread, and await it."""

import asyncio
import time

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/to_thread")
async def to_thread():
    await asyncio.to_thread(time.sleep, 1)
    return "slept in a worker thread"


scenario = Scenario(
    group="waiting",
    order=140,
    title="async def + asyncio.to_thread",
    expect="The loop is free; asyncio's default executor has only cores + 4 threads.",
    repair="run_in_threadpool: it has 40 threads.",
    repaired="threadpool",
    finding="pool-exhausted",
    makespan=lambda load: -(-load.requests // min(32, load.cores + 4)) * load.seconds,
)
