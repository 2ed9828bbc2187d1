"""A blocking HTTP client in `async def`: the loop waits for another server."""

import os

import httpx
from fastapi import FastAPI

from loopviz.scenario import Scenario

UPSTREAM = os.environ["UPSTREAM_URL"]

app = FastAPI()


@app.get("/http_blocking")
async def http_blocking():
    response = httpx.get(f"{UPSTREAM}/sleep?seconds=0.5")
    return response.json()


scenario = Scenario(
    group="waiting",
    order=160,
    title="async def + httpx.get",
    expect="One after the other: it holds the loop while it waits for another server.",
    repair="await a call of httpx.AsyncClient.",
    repaired="http_async",
    finding="blocking-call",
    requests=6,
    seconds=0.5,
    upstream=True,
    makespan=lambda load: load.requests * load.single,
)
