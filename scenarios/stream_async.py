"""A response from an `async def` generator: between two chunks the loop serves other requests."""

import asyncio

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from loopviz.scenario import Scenario

app = FastAPI()


async def lines():
    for number in range(5):
        await asyncio.sleep(0.2)
        yield f"line {number}\n"


@app.get("/stream_async")
async def stream_async():
    return StreamingResponse(lines())


scenario = Scenario(
    group="machinery",
    order=610,
    title="a stream from an async generator",
    expect="All at once, on one thread.",
    makespan=lambda load: load.seconds,
)
