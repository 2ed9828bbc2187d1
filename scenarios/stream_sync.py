"""A response from a `def` generator: every chunk needs a worker thread."""

import time

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from loopviz.scenario import Scenario

app = FastAPI()


def lines():
    for number in range(5):
        time.sleep(0.2)
        yield f"line {number}\n"


@app.get("/stream_sync")
async def stream_sync():
    return StreamingResponse(lines())


scenario = Scenario(
    group="machinery",
    order=600,
    title="a stream from a def generator",
    expect="Each chunk takes a worker thread: all at once while there are threads.",
    repair="an async def generator that awaits.",
    repaired="stream_async",
    makespan=lambda load: max(load.seconds, load.requests * load.seconds / load.threads),
)
