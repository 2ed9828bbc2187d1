"""`def` and `time.sleep`: the endpoint runs in a worker thread, and waits there."""

import time

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/sync")
def sync():
    time.sleep(1)
    return "slept in a worker thread"


scenario = Scenario(
    group="waiting",
    order=110,
    key="s",
    title="def + time.sleep",
    expect="All at once while there are threads; the 41st request waits for one.",
    repair="async def, and await asyncio.sleep(1).",
    repaired="async",
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
