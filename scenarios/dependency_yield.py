"""A dependency with `yield`: the code after it runs when the response has been sent."""

import time
from typing import Annotated

from fastapi import Depends, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


def database():
    time.sleep(0.3)
    yield "connected"
    time.sleep(0.3)


@app.get("/dependency_yield")
async def dependency_yield(database: Annotated[str, Depends(database)]):
    return database


scenario = Scenario(
    group="machinery",
    order=560,
    title="a dependency with yield",
    expect="The client waits for the first half; the second half follows the response.",
    finding="slow-dependency",
    seconds=0.3,
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
