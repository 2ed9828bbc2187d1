"""A background task that blocks: its own client has the answer, all other requests wait."""

import time

from fastapi import BackgroundTasks, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


async def send_mail():
    time.sleep(0.5)


@app.get("/background_blocking")
async def background_blocking(background: BackgroundTasks):
    background.add_task(send_mail)
    return "a mail will be sent"


scenario = Scenario(
    group="machinery",
    order=640,
    title="BackgroundTasks that block the loop",
    expect="The first is answered at once; each later one waits for the tasks before it.",
    repair="await in the background task, or a plain def.",
    repaired="background_async",
    finding="background-work",
    seconds=0.5,
    makespan=lambda load: (load.requests - 1) * load.seconds,
)
