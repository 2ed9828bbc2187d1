"""Computing in chunks, with `await asyncio.sleep(0)` between them: other requests get their turns."""

import asyncio

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/cpu_chunks")
async def cpu_chunks():
    total = 0
    for start in range(0, 8_000_000, 20_000):
        for n in range(start, start + 20_000):
            total += n * n
        await asyncio.sleep(0)
    return total


scenario = Scenario(
    group="cpu",
    order=404,
    title="async def + computing in chunks",
    expect="Fair, not faster: none is blocked, all are slowed down and end together.",
    repair="to be faster as well: a process pool.",
    repaired="cpu_processes",
    finding="short-steps",
    seconds=0.5,
    makespan=lambda load: load.requests * load.single,
)
