"""`async def` and `time.sleep`: it never awaits, so it blocks the event loop for every request."""

import time

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/blocking")
async def blocking():
    time.sleep(1)
    return "slept on the event loop"


scenario = Scenario(
    group="waiting",
    order=130,
    key="b",
    title="async def + time.sleep",
    expect="One after the other: each holds the loop for a second, and all others wait.",
    repair="await asyncio.sleep(1), or a plain def.",
    repaired="async",
    finding="blocking-call",
    makespan=lambda load: load.requests * load.seconds,
)
