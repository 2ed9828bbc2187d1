"""An endpoint that does nothing, as `async def`: what a request costs without a worker thread."""

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
    expect="One step on the event loop: what does not wait needs no thread.",
    requests=40,
    seconds=0.0,
    makespan=lambda _: 0,
)
