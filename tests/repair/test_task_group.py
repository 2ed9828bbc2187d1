"""Awaits in a row become tasks of a group."""

from __future__ import annotations

import asyncio

import pytest

from tests.repair.sources import refusal, repair

HEAD = """import asyncio

import httpx

client = httpx.AsyncClient()
calls = []


async def fetch(x, y=0):
    response = await client.get(f"http://127.0.0.1/{x}")
    return response.json()


async def nap(x):
    await asyncio.sleep(x / 1000)
    return x


async def save(x):
    await asyncio.sleep(0)


async def store_later(x):
    calls.append(x)


async def strict(x):
    raise ValueError(x)


async def locked(x):
    async with lock:
        pass


"""


def module(body: str, head: str = HEAD) -> str:
    """A module whose `async def` function has a body."""
    return f"{head}async def work(a=1, b=(1, 2, 3), c=None):\n    {body}\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "x = await fetch(1)\n    y = await fetch(2, y=a)\n    return x, y",
            "async with asyncio.TaskGroup() as group:\n"
            "        x_task = group.create_task(fetch(1))\n"
            "        y_task = group.create_task(fetch(2, y=a))\n"
            "    x = x_task.result()\n    y = y_task.result()\n    return x, y",
        ),
        (
            "# both\n    x = await fetch(1)  # the first\n\n    # and\n    y = await client.get('/2')",
            "# both\n    async with asyncio.TaskGroup() as group:\n"
            "        x_task = group.create_task(fetch(1))  # the first\n\n        # and\n"
            "        y_task = group.create_task(client.get('/2'))\n"
            "    x = x_task.result()\n    y = y_task.result()",
        ),
        (
            "return [await fetch(n) for n in b]",
            "async with asyncio.TaskGroup() as group:\n"
            "        tasks = [group.create_task(fetch(n)) for n in b]\n"
            "    return [task.result() for task in tasks]",
        ),
        (
            "x = sum([(await fetch(n))['a'] for n in range(a) if n])",
            "async with asyncio.TaskGroup() as group:\n"
            "        tasks = [group.create_task(fetch(n)) for n in range(a) if n]\n"
            "    x = sum([task.result()['a'] for task in tasks])",
        ),
        (
            "group = []\n    for n in b:\n        group.append(await fetch(n))\n    return group",
            "group = []\n    async with asyncio.TaskGroup() as task_group:\n"
            "        tasks = [task_group.create_task(fetch(n)) for n in b]\n"
            "    group.extend(task.result() for task in tasks)\n    return group",
        ),
    ],
)
def test_calls_that_do_not_need_each_other_run_at_the_same_time(body, expected):
    """Tasks are created in one block, and the results are read in order below it."""
    mark = "await fetch" if "y = await fetch" not in body else "y = await"
    assert repair(
        module(body), "task-group", "    " + mark if mark.startswith("y") else _last(body)
    ) == module(expected)


def _last(body: str) -> str:
    """The last line with an await."""
    return [line for line in body.splitlines() if "await" in line][-1]


def test_the_results_are_the_same():
    """What the function returns is what it returned before, in the same order."""
    body = (
        "x = await nap(3)\n    y = await nap(1)\n    z = []\n    for n in b:\n"
        "        z.append(await nap(n))\n"
        "    w = [await nap(n) for n in b if n != 2]\n    return x, y, z, w"
    )
    source = module(body)
    before = _run(source)
    for mark in ("x = await", "z.append", "w = ["):
        source = repair(source, "task-group", mark)
    assert source.count("TaskGroup") == 3
    assert _run(source) == before == (3, 1, [1, 2, 3], [1, 3])


def _run(source: str) -> object:
    names: dict[str, object] = {}
    exec(compile(source, "file.py", "exec"), names)
    return asyncio.run(names["work"]())  # type: ignore[operator]


def test_a_row_ends_where_a_result_is_needed():
    """What needs an earlier result waits for it; what comes before still runs at the same time."""
    source = module("x = await fetch(1)\n    y = await fetch(2)\n    z = await fetch(x)\n    return z")
    done = repair(source, "task-group", "x = await")
    assert "    y = y_task.result()\n    z = await fetch(x)\n" in done
    source = module("x = await fetch(1)\n    y = await fetch(x)\n    z = await fetch(2)\n    return z")
    assert "    x = await fetch(1)\n    async with" in repair(source, "task-group", "z = await")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("x = await fetch(1)\n    y = await fetch(x)", "needs x"),
        ("x = await fetch(1)\n    x = await fetch(2)", "another value"),
        ("x = await fetch(1)\n    if x:\n        return x\n    y = await fetch(2)", "no other await"),
        ("x = await fetch(c)\n    c = await fetch(1)", "needs what c was"),
        ("x = await fetch(1)", "no other await"),
        ("await fetch(1)\n    await fetch(2)", "not an await whose result"),
        ("x = await save(1)\n    y = await save(2)", "the order matters"),
        ("x = await store_later(1)\n    y = await store_later(2)", "the order matters"),
        ("x = await strict(1)\n    y = await strict(2)", "raises"),
        ("x = await locked(1)\n    y = await locked(2)", "others may wait"),
        ("x = await c.execute(1)\n    y = await c.execute(2)", "not seen whether two calls of c.execute"),
        ("x = await client.post('/1')\n    y = await client.post('/2')", "client.post"),
        ("x = await foreign(1)\n    y = await foreign(2)", "not in this file"),
        ("x = await fetch(1)\n    y = await fetch(slow())", "slow() at line"),
        (
            "async with Session() as s:\n        x = await fetch(1)\n        y = await fetch(2)",
            "one at a time",
        ),
        (
            "try:\n        x = await fetch(1)\n        y = await fetch(2)\n    except ValueError: pass",
            "The try",
        ),
        ("x = await fetch(1); y = await fetch(2)", "shares its line"),
        ("return [await fetch(n) for n in b for m in b]", "one loop"),
        ("return [(n, await fetch(n)) for n in b]", "once more"),
        ("return [await fetch(n) async for n in b]", "does more"),
        ("return [await fetch(n) for n in slow()]", "slow() at line"),
        ("return slow([await fetch(n) for n in b])", "computed later"),
        ("return {n: await fetch(n) for n in b}", "not an await whose result"),
        ("for n in b:\n        await fetch(n)", "Only a loop"),
        ("x = []\n    for n in b:\n        x.append(await fetch(x))", "by then"),
        ("x = []\n    for n in b:\n        x.append(await fetch(n))\n    return n", "outside of the loop"),
        ("x = []\n    for n in b:\n        # why\n        x.append(await fetch(n))", "comments"),
        ("x = c\n    for n in b:\n        x.append(await fetch(n))", "is a list"),
        ("x = []\n    for n in b:\n        x.append(await fetch(n))\n    else:\n        pass", "has an else"),
    ],
)
def test_what_may_need_its_order_is_refused(body, why):
    """Where a call could need another one, or do something, nothing is changed, and the reason is said."""
    mark = next(line.strip() for line in body.splitlines() if "await" in line)
    assert why in refusal(module(body), "task-group", mark, function="work")


def test_an_application_that_handles_exceptions():
    """A task group raises groups of exceptions, which a handler for one does not get."""
    source = module(
        "return [await fetch(n) for n in b]", HEAD + "@app.exception_handler(ValueError)\ndef f(): pass\n\n\n"
    )
    assert "handles exceptions" in refusal(source, "task-group", "return [await")


def test_who_calls_it_may_handle_exceptions():
    """A `try` around a call that leads there would not catch a group of exceptions."""
    after = "\n\nasync def one():\n    return await work()\n\n\nasync def two():\n    {}\n"
    source = module("return [await fetch(n) for n in b]")
    tried = source + after.format("try:\n        await one()\n    except ValueError:\n        pass")
    assert "groups of exceptions" in refusal(tried, "task-group", "return [await")
    assert repair(source + after.format("await one()"), "task-group", "return [await")


def test_a_def_function_awaits_nothing():
    """There is nothing to run at the same time."""
    assert "no async def" in refusal("def f():\n    x = 1\n", "task-group", "x = 1")
