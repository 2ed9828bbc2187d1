"""A middleware that blocks: it holds the loop for every request, whatever the endpoint."""

import time

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.middleware("http")
async def audit(request, call_next):
    time.sleep(0.2)
    return await call_next(request)


@app.get("/middleware_blocking")
async def middleware_blocking():
    return "innocent"


scenario = Scenario(
    group="machinery",
    order=590,
    title="a middleware that blocks",
    expect="One after the other: middleware runs on the loop, for every endpoint.",
    repair="await asyncio.sleep(0.2) in the middleware.",
    repaired="async",
    finding="blocking-middleware",
    seconds=0.2,
    makespan=lambda load: load.requests * load.seconds,
)
