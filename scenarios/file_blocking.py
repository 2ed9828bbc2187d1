"""Reading files in `async def`: one `read` is fast, eighty reads of a large file are not."""

import os
from pathlib import Path

from fastapi import FastAPI

from loopviz.scenario import Scenario

FILE = Path(os.environ["LOOPVIZ_WORKSPACE"], "large.bin")
FILE.write_bytes(bytes(32_000_000))

app = FastAPI()


@app.get("/file_blocking")
async def file_blocking():
    size = 0
    for _ in range(80):
        with open(FILE, "rb") as file:
            size += len(file.read())
    return size


scenario = Scenario(
    group="waiting",
    order=180,
    title="async def + open().read()",
    expect="One after the other: reading a file has no await, so it holds the loop.",
    repair="await anyio.open_file(…), or a plain def.",
    repaired="file_async",
    finding="blocking-call",
    requests=4,
    seconds=0.15,
    makespan=lambda load: load.requests * load.single,
)
