"""The same timer as plain ASGI: no second task, the messages pass through it."""

import time

from fastapi import FastAPI

from loopviz.scenario import Scenario


class Timer:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        began = time.perf_counter()

        async def timed_send(message):
            if message["type"] == "http.response.start":
                taken = f"{time.perf_counter() - began:.3f}"
                message["headers"].append((b"x-process-time", taken.encode()))
            await send(message)

        await self.app(scope, receive, timed_send)


app = FastAPI()
app.add_middleware(Timer)


@app.get("/timer_asgi")
async def timer_asgi():
    time.sleep(0.2)
    return "timed"


scenario = Scenario(
    group="machinery",
    order=580,
    title="a timer: plain ASGI",
    expect="It reports 0.2 s for each request: the time behind a block is not in it.",
    repair="await asyncio.sleep(0.2) in the endpoint.",
    repaired="async",
    finding="blocking-call",
    seconds=0.2,
    makespan=lambda load: load.requests * load.seconds,
)
