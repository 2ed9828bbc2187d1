"""`async def` becomes `def`, and the other way round."""

from __future__ import annotations

import pytest

from tests.repair.sources import refusal, repair

HEAD = (
    "import asyncio\nimport time\nfrom contextvars import ContextVar\n\n"
    "from fastapi import Depends, FastAPI, HTTPException\nfrom pydantic import BaseModel\n\n"
    "app = FastAPI()\nseen = {}\nuser = ContextVar('user')\n\n\n"
    "class Item(BaseModel):\n    name: str\n\n\ndef helper(x):\n    return x + 1\n\n\n"
    "async def coroutine():\n    pass\n\n\n"
)


def endpoint(body: str, word: str = "async def", decorator: str = '@app.get("/")\n', after: str = "") -> str:
    """A module with an endpoint."""
    return f"{HEAD}{decorator}{word} work(a: str = '', b: dict = {{}}):\n    {body}\n{after}"


@pytest.mark.parametrize(
    "body",
    [
        "slow(a)",
        "with Session() as s:\n        return s.scalar(a)",
        "for n in range(3):\n        with open(a) as f:\n            n += len(f.read())",
        "x = {}\n    x['a'] = 1\n    return x",
        "b['a'] = 1",
    ],
)
def test_an_endpoint_without_an_await_becomes_def(body):
    """Nothing else changes."""
    source = endpoint(body)
    assert repair(source, "plain-def", "work(") == source.replace("async def work", "def work")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("await slow(a)", "awaits at line"),
        ("async with a: pass", "awaits at line"),
        ("async for x in a: pass", "awaits at line"),
        ("return [x async for x in a]", "awaits at line"),
        ("async def inner(): pass", "async def function in it"),
        ("asyncio.create_task(a)", "loop's thread"),
        ("return coroutine()", "makes a coroutine"),
        ("user.set(a)", "context variable"),
        ("global app\n    app = a", "changes app"),
        ("seen[a] = 1", "changes seen"),
        ("seen.update(a)", "changes seen"),
        ("yield a", "generator"),
    ],
)
def test_what_needs_the_loop_stays_async_def(body, why):
    """What awaits, belongs to the loop, or would be changed by several threads at once is refused."""
    assert why in refusal(endpoint(body), "plain-def", "work(")


@pytest.mark.parametrize("kind", ["plain-def", "async-def"])
@pytest.mark.parametrize(
    ("decorator", "after", "why"),
    [
        ("", "", "who calls"),
        ("@cache\n", "", "@cache"),
        ("@app.middleware('http')\n", "", "@app.middleware"),
        ("@app.websocket('/')\n", "", "@app.websocket"),
        ("@app.exception_handler(404)\n", "", "@app.exception_handler"),
        ('@app.get("/")\n', "\n\nwork(1)\n", "used at line"),
        ('@app.get("/")\n', "\n\nx = partial(work)\n", "used at line"),
        ('@app.get("/")\n', "\n\nx = [work]\n", "used at line"),
        ("@flask.get('/')\n", "", "@flask.get"),
    ],
)
def test_who_else_calls_it_may_need_it_as_it_is(kind, decorator, after, why):
    """Only what FastAPI alone calls may be changed, as far as the file shows."""
    word = "async def" if kind == "plain-def" else "def"
    source = endpoint("return a", word, decorator, after).replace("app = ", "flask = Flask()\napp = ", 1)
    assert why in refusal(source, kind, "work(")


@pytest.mark.parametrize("use", ["Depends(work)", "app.add_api_route('/x', work)", "tasks.add_task(work, 1)"])
def test_dependencies_routes_and_background_tasks_may_be_either(use):
    """FastAPI looks whether they are `async def`."""
    source = endpoint("return a", "async def", "", f"\n\nx = lambda tasks: {use}\n")
    assert "\ndef work(" in repair(source, "plain-def", "work(")


@pytest.mark.parametrize(
    "body",
    [
        'return "pong"',
        "return {'a': len(a), 'b': a.strip().upper(), 'c': b.get('x')}",
        "return Item(name=a)",
        "return helper(a)",
        "if not a:\n        raise HTTPException(404)\n    return f'{a}'",
        "return time.time()",
        "return [n for n in b]",
    ],
)
def test_an_endpoint_that_does_nothing_that_blocks_becomes_async_def(body):
    """Nothing else changes."""
    source = endpoint(body, "def")
    assert repair(source, "async-def", "work(") == source.replace("\ndef work", "\nasync def work")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("time.sleep(1)", "time.sleep()"),
        ("return open(a)", "open()"),
        ("return slow(a)", "slow()"),
        ("return b.c.get(a)", "b.c.get()"),
        ("return seen.cache.get(a)", "seen.cache.get()"),
        ("for n in range(8_000_000): pass", "for at line"),
        ("while a: pass", "while at line"),
        ("with a: pass", "with at line"),
        ("x = lambda: slow()", "function at line"),
    ],
)
def test_what_may_take_long_stays_def(body, why):
    """What is not known to be short stays in a worker thread."""
    assert why in refusal(endpoint(body, "def"), "async-def", "work(")


@pytest.mark.parametrize(
    "parameter", ["x=Depends(y)", "x: Annotated[User, Depends(y)]", "*, x: User = Security(y)"]
)
def test_what_a_dependency_gives_may_block_when_it_is_used(parameter):
    """An object of a database may send a query when an attribute is read; a text does not."""
    source = endpoint("return x.orders", "def").replace("a: str = '', b: dict = {}", parameter)
    assert "comes from a dependency" in refusal(source, "async-def", "work(")
    source = source.replace("User", "str").replace("x=", "x: str = ")
    assert repair(source, "async-def", "work(")


def test_it_is_already_what_it_would_be():
    """A `def` that should be `def`, and an `async def` that should be one, need nothing."""
    assert "is def already" in refusal(endpoint("pass", "def"), "plain-def", "work(")
    assert "is async def already" in refusal(endpoint("pass"), "async-def", "work(")


def test_spaces_and_comments_between_async_and_def():
    """`async   def` becomes `def`, and what follows stays as it is."""
    source = endpoint("pass  # nothing").replace("async def work(", "async   def  work( ")
    assert "\ndef  work( a" in repair(source, "plain-def", "work(")
