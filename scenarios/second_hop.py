"""A `def` endpoint with a response model: FastAPI validates the response in a thread as well."""

import time

from fastapi import FastAPI
from pydantic import BaseModel

from loopviz.scenario import Scenario

app = FastAPI()


class Report(BaseModel):
    text: str


@app.get("/second_hop")
def second_hop() -> Report:
    time.sleep(1)
    return Report(text="validated in a worker thread")


scenario = Scenario(
    group="machinery",
    order=520,
    title="def + a response model",
    expect="Forty have slept after 1 s; then each waits for a thread for the response.",
    repair="async def, and await asyncio.sleep(1).",
    repaired="async",
    finding="thread-limit",
    requests=80,
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
