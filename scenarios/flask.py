"""A Flask application behind a WSGI bridge: each request has a thread, and there are ten."""

import time

from a2wsgi import WSGIMiddleware
from flask import Flask

from loopviz.scenario import Scenario

flask_app = Flask(__name__)


@flask_app.get("/flask")
def report():
    time.sleep(0.5)
    return "from a thread of Flask's own"


app = WSGIMiddleware(flask_app, workers=10)


scenario = Scenario(
    group="other models",
    order=710,
    title="Flask, served as WSGI",
    expect="Ten at a time: each needs a thread, and the eleventh waits for one.",
    repair="serve it with ASGI, and await.",
    repaired="asgi",
    finding="thread-limit",
    requests=20,
    seconds=0.5,
    path="/flask",
    needs=("flask", "a2wsgi"),
    makespan=lambda load: -(-load.requests // 10) * load.seconds,
)
