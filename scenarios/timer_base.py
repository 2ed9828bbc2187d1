"""A timer as `BaseHTTPMiddleware`, around an endpoint that blocks."""

import time

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from loopviz.scenario import Scenario


class Timer(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        began = time.perf_counter()
        response = await call_next(request)
        response.headers["X-Process-Time"] = f"{time.perf_counter() - began:.3f}"
        return response


app = FastAPI()
app.add_middleware(Timer)


@app.get("/timer_base")
async def timer_base():
    time.sleep(0.2)
    return "timed"


scenario = Scenario(
    group="machinery",
    order=570,
    title="a timer: BaseHTTPMiddleware",
    expect="It runs the endpoint in a second task; waits before and after do not count.",
    repair="write the timer as plain ASGI.",
    repaired="timer_asgi",
    finding="blocking-call",
    seconds=0.2,
    makespan=lambda load: load.requests * load.seconds,
)
