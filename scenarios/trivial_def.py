"""An endpoint that does nothing, as `def`: the price of the hop into a worker thread."""

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
    expect="A hop into a thread and back for nothing: several times the work of its neighbour.",
    requests=40,
    seconds=0.0,
    makespan=lambda _: 0,
)
