"""`def` and C code that releases the GIL: hashing a large buffer uses one core per thread."""

import hashlib

from fastapi import FastAPI

from loopviz.scenario import Scenario

app = FastAPI()

DATA = bytes(20_000_000)


@app.get("/cpu_native")
def cpu_native():
    digest = hashlib.sha512()
    for _ in range(20):
        digest.update(DATA)
    return digest.hexdigest()


scenario = Scenario(
    group="cpu",
    order=405,
    title="def + C code that releases the GIL",
    expect="Threads on several cores: hashing in C does not hold the GIL.",
    seconds=0.5,
    makespan=lambda load: load.requests * load.single / min(load.requests, load.threads, load.cores),
)
