"""A dependency with `yield`: what follows it runs after the response is out."""

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
    expect="The user waits for the first half; the second one takes a thread when the answer is out.",
    seconds=0.3,
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
