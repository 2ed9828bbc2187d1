"""`async def` and pure-Python computing: it blocks the loop as a sleep does, and uses a core as well."""

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/cpu")
async def cpu():
    total = 0
    for n in range(8_000_000):
        total += n * n
    return total


scenario = Scenario(
    group="cpu",
    order=400,
    key="c",
    title="async def + computing",
    expect="One after the other: computing holds the event loop for as long as it takes.",
    repair="compute in a process pool.",
    repaired="cpu_processes",
    finding="blocking-call",
    seconds=0.5,
    makespan=lambda load: load.requests * load.single,
)
