"""A pool of two connections for all requests: the others wait at `connection()`."""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from loopviz.scenario import Scenario

engine = create_async_engine(
    f"sqlite+aiosqlite:///{os.environ['LOOPVIZ_WORKSPACE']}/shop.db", pool_size=2, max_overflow=0
)

QUERY = text(
    "WITH RECURSIVE days(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM days WHERE n < 2500)"
    " SELECT count(*) FROM days AS a JOIN days AS b ON a.n < b.n"
)


@asynccontextmanager
async def lifespan(app):
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/db_pool")
async def db_pool():
    async with AsyncSession(engine) as session:
        await session.connection()
        return await session.scalar(QUERY)


scenario = Scenario(
    group="database",
    order=340,
    title="async def + a pool of two",
    expect="Two at a time: the others await a connection; more threads would not help.",
    repair="a pool of more than two connections.",
    repaired="db_async",
    finding="convoy",
    requests=8,
    seconds=0.25,
    needs=("sqlalchemy", "aiosqlite", "greenlet"),
    makespan=lambda load: load.requests * load.seconds / min(2, load.cores),
)
