"""An endpoint that does nothing, as `async def`: the price of a request without the hop."""

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/trivial_async")
async def trivial_async():
    return "pong"


scenario = Scenario(
    group="machinery",
    order=660,
    title="async def that does nothing",
    expect="One step on the loop, and that is all: what does not wait needs no thread.",
    requests=40,
    seconds=0.0,
    makespan=lambda _: 0,
)
