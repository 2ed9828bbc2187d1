"""The same wait as a coroutine: no request needs a thread."""

import asyncio

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/asgi")
async def report():
    await asyncio.sleep(0.5)
    return "from the event loop"


scenario = Scenario(
    group="other models",
    order=720,
    title="the same in ASGI",
    expect="All at once: waiting needs only a task, and a task costs little.",
    requests=20,
    seconds=0.5,
    makespan=lambda load: load.seconds,
)
