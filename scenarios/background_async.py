"""An `async def` background task: the request's task continues after the response."""

import asyncio

from fastapi import BackgroundTasks, FastAPI

from loopviz.scenario import Scenario

app = FastAPI()


async def send_mail():
    await asyncio.sleep(1)


@app.get("/background_async")
async def background_async(background: BackgroundTasks):
    background.add_task(send_mail)
    return "a mail will be sent"


scenario = Scenario(
    group="machinery",
    order=630,
    title="BackgroundTasks with an async def",
    expect="Answered at once; the row continues after the response and delays no one.",
    makespan=lambda _: 0,
)
