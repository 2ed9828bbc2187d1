"""`run_in_executor(None, …)`: the computing moves to a thread, but not to another core."""

import asyncio

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


def compute():
    total = 0
    for n in range(8_000_000):
        total += n * n
    return total


@app.get("/cpu_executor")
async def cpu_executor():
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, compute)


scenario = Scenario(
    group="cpu",
    order=402,
    title="async def + run_in_executor",
    expect="No faster, because of the GIL; but the loop serves others meanwhile.",
    repair="a ProcessPoolExecutor instead of None.",
    repaired="cpu_processes",
    finding="computing-in-threads",
    seconds=0.5,
    makespan=lambda load: (
        load.requests * load.single if load.gil else -(-load.requests // load.cores) * load.single
    ),
)
