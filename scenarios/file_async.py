"""The same with `anyio.open_file`: each `open` and each `read` runs in a worker thread."""

import os
from pathlib import Path

import anyio
from fastapi import FastAPI

from loopviz.scenario import Scenario

FILE = Path(os.environ["LOOPVIZ_WORKSPACE"], "large.bin")
FILE.write_bytes(bytes(32_000_000))

app = FastAPI()


@app.get("/file_async")
async def file_async():
    size = 0
    for _ in range(80):
        async with await anyio.open_file(FILE, "rb") as file:
            size += len(await file.read())
    return size


scenario = Scenario(
    group="waiting",
    order=190,
    title="async def + anyio.open_file",
    expect="Not faster, but fair: worker threads read, and the loop is free.",
    requests=4,
    seconds=0.4,
    makespan=lambda load: load.requests * load.seconds,
)
