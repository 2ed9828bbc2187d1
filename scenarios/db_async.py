"""An asynchronous session: the query is awaited, and the loop serves other requests meanwhile."""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from loopviz.scenario import Scenario

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['LOOPVIZ_WORKSPACE']}/shop.db")

QUERY = text(
    "WITH RECURSIVE days(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM days WHERE n < 2500)"
    " SELECT count(*) FROM days AS a JOIN days AS b ON a.n < b.n"
)


@asynccontextmanager
async def lifespan(app):
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/db_async")
async def db_async():
    async with AsyncSession(engine) as session:
        return await session.scalar(QUERY)


scenario = Scenario(
    group="database",
    order=330,
    title="async def + AsyncSession",
    expect="As fast as with worker threads, and it uses none: the queries are awaited.",
    requests=6,
    seconds=0.25,
    needs=("sqlalchemy", "aiosqlite", "greenlet"),
    makespan=lambda load: load.requests * load.seconds / load.cores,
)
