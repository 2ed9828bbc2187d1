"""More `def` requests than the thread limit: it is forty, for the whole server."""

import time

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/tokens")
def tokens():
    time.sleep(1)
    return "had a thread at last"


scenario = Scenario(
    group="machinery",
    order=510,
    title="sixty def requests, thread limit forty",
    expect="Two rounds: forty get a thread at once, twenty wait until one is free.",
    repair="async def, and await asyncio.sleep(1).",
    repaired="async",
    finding="thread-limit",
    requests=60,
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
