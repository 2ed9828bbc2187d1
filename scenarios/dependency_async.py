"""An `async def` dependency: it is awaited on the event loop, like the endpoint."""

import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


async def current_user():
    await asyncio.sleep(0.5)
    return "ada"


@app.get("/dependency_async")
async def dependency_async(user: Annotated[str, Depends(current_user)]):
    return user


scenario = Scenario(
    group="machinery",
    order=540,
    title="async def + an async dependency",
    expect="All at once: it is awaited in the request's own task, without a thread.",
    seconds=0.5,
    makespan=lambda load: load.seconds,
)
