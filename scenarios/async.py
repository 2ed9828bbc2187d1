"""`async def` and `await asyncio.sleep`: while it waits, the loop serves other requests."""

import asyncio

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/async")
async def async_():
    await asyncio.sleep(1)
    return "slept, and let others run"


scenario = Scenario(
    group="waiting",
    order=120,
    key="a",
    title="async def + await asyncio.sleep",
    expect="All at once, on one thread: waiting costs the event loop nothing.",
    makespan=lambda load: load.seconds,
)
