"""`def` and pure-Python computing: each request has a thread, and all threads share one GIL."""

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/cpu_threads")
def cpu_threads():
    total = 0
    for n in range(8_000_000):
        total += n * n
    return total


scenario = Scenario(
    group="cpu",
    order=401,
    title="def + computing",
    expect="No faster: the threads share the GIL and so one core. The loop gets turns.",
    repair="compute in a process pool.",
    repaired="cpu_processes",
    finding="computing-in-threads",
    seconds=0.5,
    makespan=lambda load: (
        load.requests * load.single
        if load.gil
        else -(-load.requests // min(load.threads, load.cores)) * load.single
    ),
)
