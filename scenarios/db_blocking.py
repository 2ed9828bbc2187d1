"""A synchronous session in `async def`: every query holds the event loop."""

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


@app.get("/db_blocking")
async def db_blocking():
    with Session(engine) as session:
        return session.scalar(QUERY)


scenario = Scenario(
    group="database",
    order=310,
    title="async def + Session",
    expect="One after the other: while the database works, the whole server waits.",
    repair="an AsyncSession, or a plain def.",
    repaired="db_async",
    finding="blocking-call",
    requests=6,
    seconds=0.25,
    needs=("sqlalchemy",),
    makespan=lambda load: load.requests * load.single,
)
