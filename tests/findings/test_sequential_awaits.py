"""Findings: awaits one after the other that could be concurrent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests import streams
from tests.findings.bursts import burst, ends, findings, ids
from tests.streams import ns

HEAD = ["@app.get('/')", "async def handler(session, client):"]


def awaiting(*awaits: tuple[int, str, float], what: str = "socket") -> list[Event]:
    """A request that awaits at these lines of these functions, for so long (ms) each."""
    events: list[Event] = [(ns(4), ev.HANDLER, 1, "app.py", 2, "handler"), streams.step(4, 1)]
    at = 5.0
    for line, function, lasts in awaits:
        events += [streams.suspend(at, 1), streams.idle(at)]
        events += [(ns(at + 1), ev.AWAITS, 1, "app.py", line, function), streams.awaited(at + 1, 1, what)]
        events += [streams.iteration(at + lasts), streams.wake(at + lasts, 1), streams.step(at + lasts, 1)]
        at += lasts + 1
    return [*events, *ends(at, 1)]


def of(body: Sequence[str], *awaits: tuple[int, str, float], what: str = "socket") -> list[str]:
    """The ids of what is found where the handler has this body, which begins in line 3."""
    return ids(burst(1, awaiting(*awaits, what=what)), lines={"app.py": [*HEAD, *(f"    {b}" for b in body)]})


def test_two_awaits_at_different_lines():
    """Two awaits of which the second does not need the first's result take the sum of both."""
    source = [*HEAD, "    user = await client.get('/user')", "    news = await client.get('/news')"]
    source += ["    return user, news", "import httpx"]
    (found,) = findings(burst(1, awaiting((3, "handler", 300), (4, "handler", 200))), {"app.py": source})
    assert (found.id, found.confidence, found.repair) == ("sequential-awaits", "likely", "task-group")
    assert found.what == (
        "1 request awaited 2 times in a row at app.py:3, get(): 500 ms in all, and 300 ms the longest."
    )
    assert found.lost == 200_000_000
    assert found.change is not None
    assert found.change[1][0] == "async with asyncio.TaskGroup() as tasks:"


def test_a_comprehension_that_awaits():
    """A comprehension awaits for each element, in a function that it calls; gather is the repair."""
    source = [*HEAD, "    return [await fetch(n) for n in range(3)]", "", "async def fetch(n):"]
    source += ["    return await client.get(n)"]
    events = awaiting((6, "fetch", 200), (6, "fetch", 200), (6, "fetch", 200))
    (found,) = findings(burst(1, events), {"app.py": source})
    assert "3 times in a row at app.py:3, fetch()" in found.what
    assert found.lost == 400_000_000
    assert found.change == (
        ("return [await fetch(n) for n in range(3)]",),
        ("return await asyncio.gather(*[fetch(n) for n in range(3)])",),
    )


def test_a_loop_that_awaits():
    """So does a loop in which nothing depends on the time before."""
    body = ["for name in names:", "    found.append(await fetch(name))"]
    assert of(body, (4, "handler", 200), (4, "handler", 200)) == ["sequential-awaits"]


@pytest.mark.parametrize(
    "body",
    [
        ["user = await load_user()", "return await load_news(user)"],
        ["user = await load_user()", "name = user.name", "return await load_news(name)"],
        ["await session.execute(a)", "await session.execute(b)"],
        ["a = await load_user(session)", "b = await load_news(session)"],
        ["await asyncio.sleep(0.2)", "await asyncio.sleep(0.2)"],
        ["user = await load_user()", "if not user: return None", "return await load_news()"],
        ["a = await client.post('/a')", "b = await client.post('/b')"],
        ["return await gather(load_user(), load_news())"],
        ["a = await session.get(User, 1)", "b = await session.get(Item, 2)  # httpx, sqlalchemy"],
    ],
    ids=["result", "derived", "connection", "argument", "sleep", "condition", "writes", "gather", "session"],
)
def test_awaits_that_have_to_be_in_order(body):
    """The second needs the first, both use one connection, or the order may matter: nothing is said."""
    lines = range(3, 3 + len(body))
    assert of(body, *((line, "handler", 200) for line in (lines[0], lines[-1]))) == []


@pytest.mark.parametrize(
    "body",
    [
        ["await rights.require(user)", "return await load_page()"],
        ["await basket.load()", "price = await basket.price()"],
        ["receipt = await charge_card(order)", "parcel = await ship(order)"],
        ["self.user = await load_user()", "self.news = await load_news(self.user.id)"],
        ["self.token = await self.renew()", "return await self.fetch()"],
        ["state['user'] = await load_user()", "page = await load_page(state)"],
        ["found.append(await load_user())", "return await load_news(found)"],
    ],
    ids=["gate", "loads itself", "changes", "kept", "method of it", "kept in an argument", "filled"],
)
def test_awaits_that_are_there_for_their_effect(body):
    """An await that drops its result, changes something or fills an object may matter to the next one."""
    assert of(body, (3, "handler", 200), (4, "handler", 200)) == []


def test_awaits_on_what_was_entered():
    """What `async with` has entered is one thing, under whatever name; a client is used by many at a time."""
    body = ["async with pool.acquire() as c:", "    a = await c.fetch('a')", "    b = await c.fetch('b')"]
    assert of(body, (4, "handler", 200), (5, "handler", 200)) == []
    body = ["async with httpx.AsyncClient() as c:", "    a = await c.get('a')", "    b = await c.get('b')"]
    assert of(body, (4, "handler", 200), (5, "handler", 200)) == ["sequential-awaits"]


@pytest.mark.parametrize(
    "body",
    [
        ["out['users'] = await count_users()", "out['news'] = await latest_news(3)"],
        ["found.append(await load_user())", "found.append(await load_news())"],
        ["await fetch_prices()", "await fetch_news()"],
        ["users = await self.users.active()", "orders = await self.orders.open_orders()"],
    ],
    ids=["items", "appended", "finds", "services"],
)
def test_awaits_whose_order_does_not_matter(body):
    """Where results are only put together, or things are only found, the awaits could be concurrent."""
    assert of(body, (3, "handler", 200), (4, "handler", 200)) == ["sequential-awaits"]


@pytest.mark.parametrize(
    "body",
    [
        ["while page:", "    page = await fetch(page)"],
        ["for page in pages:", "    token = await fetch(page, token)"],
        ["for page in pages:", "    if not await fetch(page): break"],
        ["for page in pages:", "    await fetch(page); await asyncio.sleep(1)"],
        ["for page in pages:", "    found.append(await session.get(page))"],
        ["async for page in pages:", "    found.append(await fetch(page))"],
    ],
    ids=["while", "token", "break", "paced", "connection", "async for"],
)
def test_loops_that_have_to_be_in_order(body):
    """A loop that needs the result of the time before, that can end early, or that waits on purpose."""
    assert of(body, (4, "handler", 200), (4, "handler", 200)) == []


@pytest.mark.parametrize("what", ["lock", "queue", "connection"])
def test_what_somebody_else_has_is_no_reason(what):
    """Who waits for a lock or a queue would wait for it in a group as well."""
    body = ["a = await load_user()", "b = await load_news()"]
    assert of(body, (3, "handler", 200), (4, "handler", 200), what=what) == []


def test_a_function_whose_results_are_kept():
    """What a cache keeps takes no time when it is awaited again."""
    source = [*HEAD, "    return [await fetch(n) for n in range(3)]", "@alru_cache", "async def fetch(n):"]
    source += ["    return await client.get(n)"]
    assert ids(burst(1, awaiting((6, "fetch", 200), (6, "fetch", 200))), lines={"app.py": source}) == []


def test_without_the_source_nothing_is_said():
    """Whether one await needs another's result can be read in the source only."""
    assert ids(burst(1, awaiting((3, "handler", 200), (4, "handler", 200)))) == []


def test_source_that_python_warns_of_is_read_silently():
    """A text with a wrong escape sequence is the user's: reading it says nothing, and finds what is there."""
    body = ["for name in names:", r"    found.append(await fetch(name, '\d'))"]
    assert of(body, (4, "handler", 200), (4, "handler", 200)) == ["sequential-awaits"]


def test_source_that_cannot_be_parsed():
    """A file of another version of Python, or none of Python, leads to no finding."""
    assert of(["for name in:"], (3, "handler", 200), (3, "handler", 200)) == []
