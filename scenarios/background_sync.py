"""A `def` background task: it runs in a worker thread after the response."""

import time

from fastapi import BackgroundTasks, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


def send_mail():
    time.sleep(1)


@app.get("/background_sync")
async def background_sync(background: BackgroundTasks):
    background.add_task(send_mail)
    return "a mail will be sent"


scenario = Scenario(
    group="machinery",
    order=620,
    title="BackgroundTasks with a def",
    expect="Answered at once; the row continues after the response, in a worker thread.",
    makespan=lambda _: 0,
)
