"""A blocking call moves to a worker thread."""

from __future__ import annotations

import pytest

from tests.repair.sources import refusal, repair

HEAD = "import subprocess\nfrom pathlib import Path\n\nimport requests\n"


def in_async(statement: str, head: str = HEAD, after: str = "") -> str:
    """A module whose `async def` function has a statement."""
    return f"{head}\n\nasync def f(a=0, b=(), c=None):\n    {statement}\n{after}"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("subprocess.run(a)", "await asyncio.to_thread(subprocess.run, a)"),
        ("x = slow()", "x = await asyncio.to_thread(slow)"),
        ("x = slow(a, *b, c=c, **a)", "x = await asyncio.to_thread(slow, a, *b, c=c, **a)"),
        ("return slow(a)", "return await asyncio.to_thread(slow, a)"),
        ("print(subprocess.run(a), a)", "print(await asyncio.to_thread(subprocess.run, a), a)"),
        ("x = requests.get(a).json()", "x = (await asyncio.to_thread(requests.get, a)).json()"),
        ("x = requests.get(a)[0]", "x = (await asyncio.to_thread(requests.get, a))[0]"),
        ("x = Path(a).read_text()", "x = await asyncio.to_thread(Path(a).read_text)"),
        ("x = open(a).read()", "x = await asyncio.to_thread(lambda: open(a).read())"),
        ("for x in c.fetchall(): pass", "for x in await asyncio.to_thread(c.fetchall): pass"),
        ("subprocess.run(await c())", "await asyncio.to_thread(subprocess.run, await c())"),
        ("x = f'{slow(a)!r:>{b}}'", "x = f'{await asyncio.to_thread(slow, a)!r:>{b}}'"),
        ("x = [*subprocess.run(a)]", "x = [*await asyncio.to_thread(subprocess.run, a)]"),
        ("x = 2 ** slow(a)", "x = 2 ** await asyncio.to_thread(slow, a)"),
        (
            "x = slow(  # the arguments\n        a,  # the first\n        b,\n    )",
            "x = await asyncio.to_thread(  # the arguments\n        slow, a,  # the first\n        b,\n    )",
        ),
    ],
)
def test_the_call_moves_and_its_arguments_stay(statement, expected):
    """The function and its arguments go to `asyncio.to_thread`, which is awaited in the call's place."""
    done = repair(in_async(statement), "to-thread", statement.splitlines()[0])
    assert f"    {expected}\n" in done
    assert done.startswith("import asyncio\n")


def test_what_was_seen_decides_among_several_calls():
    """Of two calls at a line, it is the one that was seen at work."""
    source = in_async("x = one(two(a))")
    done = repair(source, "to-thread", "x = one", calls="two")
    assert "x = one(await asyncio.to_thread(two, a))" in done
    done = repair(source, "to-thread", "x = one", calls="one")
    assert "x = await asyncio.to_thread(one, two(a))" in done


def test_a_call_of_several_lines():
    """The line may be any of those that the call has."""
    source = in_async("x = subprocess.run(\n        a,\n        b,\n    )")
    assert "await asyncio.to_thread(subprocess.run, " not in source
    for mark in ("subprocess.run(", "a,\n", "b,\n"):
        assert "asyncio.to_thread(\n        subprocess.run, a" in repair(source, "to-thread", mark)


def test_a_helper_moves_as_a_whole():
    """A call in a plain function of the module: what moves is the call of that function."""
    source = in_async(
        "x = fetch(a)",
        after="\n\ndef fetch(url):\n    return get(url)\n\n\ndef get(url):\n    return requests.get(url)\n",
    )
    done = repair(source, "to-thread", "requests.get", function="get", calls="requests.get")
    assert "x = await asyncio.to_thread(fetch, a)" in done
    assert "return get(url)" in done


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("with open(a): pass", "context of a with"),
        ("for x in open(a): pass", "while the loop runs"),
        ("x = [subprocess.run(n) for n in b]", "list comprehension"),
        ("x = {subprocess.run(n) for n in b}", "set comprehension"),
        ("x = {n: subprocess.run(n) for n in b}", "dict comprehension"),
        ("x = map(lambda n: subprocess.run(n), b)", "lambda"),
        ("subprocess.run(n for n in b)", "generator"),
        ("x = next(b)", "next()"),
        ("await slow(a)", "no call at line"),
        ("x = one(a) + two(a)", "which one blocks"),
        ("with lock:\n        subprocess.run(a)", "with lock"),
        ("with Session() as x:\n        x.execute(a)", "with Session()"),
        ("x = a + 1", "no call at line"),
        ("x = open(a).read(y := 1)", "cannot do"),
        ("x = open(a)", "read later"),
        ("asyncio.run(a)", "event loop's thread"),
        ("anext = helper()", "is async def"),
        ("x = numbers()", "generator"),
        ("x = count()", "changes total"),
        ("class A:\n        x = subprocess.run(1)", "no call at line"),
    ],
)
def test_what_cannot_be_moved_simply_is_refused(statement, why):
    """The reason is said, and nothing is changed."""
    after = (
        "\n\nasync def helper():\n    pass\n\n\ndef numbers():\n    yield 1\n\n\n"
        "total = 0\n\n\ndef count():\n"
        "    global total\n    total += 1\n"
    )
    source = in_async(statement, f"import asyncio\n{HEAD}", after)
    mark = statement.splitlines()[-1].strip()
    assert why in refusal(source, "to-thread", mark, function="f")


@pytest.mark.parametrize("statement", ["x = sqlite3.connect(a)", "x = c.execute(a)"])
def test_a_connection_of_sqlite_stays_in_its_thread(statement):
    """sqlite3 refuses other threads than the one that has made the connection."""
    source = in_async(statement, "import sqlite3\n")
    assert "sqlite3" in refusal(source, "to-thread", statement)


@pytest.mark.parametrize(
    ("uses", "why"),
    [
        ("", "no places"),
        ("async def g():\n    fetch(1)\n    fetch(2)\n", "2 places"),
        ("async def g():\n    run(fetch)\n", "without being called"),
        ("fetch(1)\n", "not called by one"),
    ],
)
def test_a_helper_that_is_not_called_at_one_place(uses, why):
    """Nothing is changed where it is not clear what would have to be awaited."""
    source = f"import requests\n\n\ndef fetch(url):\n    return requests.get(url)\n\n\n{uses}"
    assert why in refusal(source, "to-thread", "requests.get(", function="fetch")


def test_a_def_endpoint_is_in_a_thread_already():
    """An endpoint that is `def` has no event loop to free."""
    source = "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\ndef f():\n    slow()\n"
    assert "no async def" in refusal(source, "to-thread", "slow()")
