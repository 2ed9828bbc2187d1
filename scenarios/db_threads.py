"""The same session in `def`: every query holds a worker thread instead."""

import os

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from loopviz.scenario import Scenario

engine = create_engine(f"sqlite:///{os.environ['LOOPVIZ_WORKSPACE']}/shop.db")

QUERY = text(
    "WITH RECURSIVE days(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM days WHERE n < 2500)"
    " SELECT count(*) FROM days AS a JOIN days AS b ON a.n < b.n"
)

app = FastAPI()


@app.get("/db_threads")
def db_threads():
    with Session(engine) as session:
        return session.scalar(QUERY)


scenario = Scenario(
    group="database",
    order=320,
    title="def + Session",
    expect="As many at once as there are cores: the database driver releases the GIL.",
    requests=6,
    seconds=0.25,
    needs=("sqlalchemy",),
    makespan=lambda load: load.requests * load.single / load.cores,
)
