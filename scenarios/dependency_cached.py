"""A dependency that is used twice in one request: it runs once."""

import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


async def current_user():
    await asyncio.sleep(0.5)
    return "ada"


User = Annotated[str, Depends(current_user)]


async def settings(user: User):
    return f"settings of {user}"


@app.get("/dependency_cached")
async def dependency_cached(user: User, settings: Annotated[str, Depends(settings)]):
    return user, settings


scenario = Scenario(
    group="machinery",
    order=550,
    title="a dependency used twice",
    expect="Half a second instead of one: its result is cached within the request.",
    seconds=0.5,
    makespan=lambda load: load.seconds,
)
