"""An endpoint that does nothing, as `def`: what the way to a worker thread and back costs."""

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/trivial_def")
def trivial_def():
    return "pong"


scenario = Scenario(
    group="machinery",
    order=650,
    title="def that does nothing",
    expect="To a worker thread and back for nothing: several times the work of async.",
    repair="async def: what never waits needs no thread.",
    repaired="trivial_async",
    finding="trivial-def",
    requests=40,
    seconds=0.0,
    makespan=lambda _: 0,
)
