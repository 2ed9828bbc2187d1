"""A task queue: another process does the work, and the client gets a receipt."""

import os
import time
from pathlib import Path

from celery import Celery
from fastapi import FastAPI

from loopviz.scenario import Scenario

FOLDER = Path(os.environ["LOOPVIZ_WORKSPACE"], "queue")
FOLDER.mkdir(exist_ok=True)

queue = Celery(
    broker="filesystem://",
    backend=FOLDER.as_uri(),
    broker_transport_options={
        "data_folder_in": FOLDER,
        "data_folder_out": FOLDER,
        "control_folder": FOLDER,
        "polling_interval": 0.05,
    },
)


@queue.task
def report():
    time.sleep(1)
    return "done"


app = FastAPI()


@app.get("/celery", status_code=202)
def order_report():
    return {"receipt": report.delay().id}


@app.get("/celery/{receipt}")
def look(receipt: str):
    return {"state": report.AsyncResult(receipt).state}


scenario = Scenario(
    group="task queue",
    order=810,
    title="Celery: 202, and a worker process",
    expect="Accepted at once: a worker process does the work, and no request waits.",
    seconds=0.1,
    worker="queue",
    needs=("celery",),
    makespan=lambda load: load.seconds,
)
