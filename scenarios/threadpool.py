"""The same fix with Starlette's `run_in_threadpool`: it shares the thread limit of `def` endpoints."""

import time

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/threadpool")
async def threadpool():
    await run_in_threadpool(time.sleep, 1)
    return "slept in a worker thread"


scenario = Scenario(
    group="waiting",
    order=150,
    title="async def + run_in_threadpool",
    expect="All at once while there are threads; the limit is that of def endpoints.",
    repair="await asyncio.sleep(1): it needs no thread.",
    repaired="async",
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
