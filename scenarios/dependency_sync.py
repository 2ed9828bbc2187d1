"""A `def` dependency of an `async def` endpoint: FastAPI calls it in a worker thread."""

import time
from typing import Annotated

from fastapi import Depends, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


def current_user():
    time.sleep(0.5)
    return "ada"


@app.get("/dependency_sync")
async def dependency_sync(user: Annotated[str, Depends(current_user)]):
    return user


scenario = Scenario(
    group="machinery",
    order=530,
    title="async def + a def dependency",
    expect="The async endpoint needs a thread after all: a sync dependency is not free.",
    repair="async def for the dependency as well.",
    repaired="dependency_async",
    finding="slow-dependency",
    seconds=0.5,
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
