"""A `def` endpoint with a response model: FastAPI validates it in a thread, for a second token."""

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
    expect="The first forty are ready after a second, and wait another one for a token to be validated.",
    requests=80,
    makespan=lambda load: -(-load.requests // load.threads) * load.seconds,
)
