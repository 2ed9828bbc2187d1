"""A blocking HTTP client inside `async def`: the loop waits for somebody else's server."""

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
    expect="One after the other: while it waits for the upstream's answer, it holds the loop.",
    requests=6,
    seconds=0.5,
    upstream=True,
    makespan=lambda load: load.requests * load.single,
)
