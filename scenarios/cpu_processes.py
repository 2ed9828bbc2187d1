"""A process pool: each process has its own interpreter, with its own GIL, and can use its own core."""

import asyncio
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI

from loopviz.scenario import Scenario

CORES = getattr(os, "process_cpu_count", os.cpu_count)()


def compute():
    total = 0
    for n in range(8_000_000):
        total += n * n
    return total


def warm_up():
    time.sleep(0.2)  # long enough that each process takes one call


@asynccontextmanager
async def lifespan(app):
    spawn = multiprocessing.get_context("spawn")  # a server has threads: it should not fork
    app.state.pool = pool = ProcessPoolExecutor(CORES, spawn)
    await asyncio.gather(*[asyncio.wrap_future(pool.submit(warm_up)) for _ in range(CORES)])
    yield
    pool.shutdown(cancel_futures=True)


app = FastAPI(lifespan=lifespan)


@app.get("/cpu_processes")
async def cpu_processes():
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(app.state.pool, compute)


scenario = Scenario(
    group="cpu",
    order=403,
    title="async def + process pool",
    expect="As many at once as there are cores, each process with a GIL of its own.",
    seconds=0.5,
    makespan=lambda load: -(-load.requests // load.cores) * load.single,
)
