"""A changed copy of an application is served beside the original, in the same server."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import multiprocessing
import os
import sys
import traceback
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from loopviz.copied import Copy, NotCopiedError
from loopviz.errors import InputError
from loopviz.live.server.beside import Beside
from loopviz.live.server.mount import Mount
from loopviz.live.server.thread import ServerThread
from loopviz.live.session import Session
from loopviz.scenario import Scenario, ScenarioFile, find, read
from loopviz.stream.answer import Answer
from loopviz.stream.marked import original_of, shown_as
from loopviz.target.application import Application

MAIN = """
import os, time
from contextlib import asynccontextmanager

import httpx  # a library
from fastapi import FastAPI, Request

import shop.prices
from shop import stock
from .stock import Item

noted = []

@asynccontextmanager
async def lifespan(app):
    with open(os.environ["SHOP_LOG"], "a") as log:
        print("begin", WAITS, file=log)
    yield {"open": WAITS}
    with open(os.environ["SHOP_LOG"], "a") as log:
        print("end", WAITS, file=log)

WAITS = "slow"

app = FastAPI(lifespan=lifespan)

@app.get("/items/{name}")
async def item(name: str, request: Request) -> Item:
    from shop import later
    noted.append(name)
    return Item(
        name=name, waits=WAITS, price=shop.prices.PRICE, seen=len(noted), headers=sorted(request.headers),
        open=request.state.open, library=httpx.__name__, later=later.MODULE, stock=stock.__name__,
    )

@app.get("/broken")
async def broken():
    raise RuntimeError(WAITS)
"""
STOCK = """
from __future__ import annotations
from pydantic import BaseModel

class Item(BaseModel):
    name: str
    waits: str
    price: int
    seen: int
    headers: list[str]
    open: str
    library: str
    later: str
    stock: str
"""


def shop(folder: Path, main: str = MAIN) -> Path:
    """A package with an application; the folder in which it lies."""
    package = folder / "shop"
    package.mkdir()
    for name, text in {
        "__init__": "", "main": main, "stock": STOCK, "prices": "PRICE = 3\n", "later": "MODULE = __name__\n",
    }.items():  # fmt: skip
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


@contextmanager
def served(folder: Path, *, isolate: bool = True, workers: int = 1) -> Iterator[Session]:
    """A session with ``shop.main:app``."""
    file = str(folder / "shop" / "main.py")
    application = Application("shop.main:app", "shop.main", "app", str(folder), str(folder), file)
    session = Session([], application=application, isolate=isolate, workers=workers)
    session.start()
    try:
        session.wait()
        yield session
    finally:
        session.stop()


def fired(session: Session, scenario: ScenarioFile, requests: int = 1) -> list[Answer]:
    """The answers to some requests."""
    answers: list[Answer] = []
    session.fire_heard(scenario, requests, answers.append).result(20)
    return sorted(answers, key=lambda answer: answer.number)


def body(answer: Answer) -> Any:
    """The JSON in an answer."""
    return json.loads(answer.body or b"null")


def refusal(session: Session, scenario: ScenarioFile, file: Path, text: str) -> str:
    """Why a copy is refused."""
    with pytest.raises(InputError) as error:
        session.serve_copy(scenario, str(file), text).result(20)
    return str(error.value)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the application's lifespans write."""
    file = tmp_path / "log"
    file.touch()
    monkeypatch.setenv("SHOP_LOG", str(file))
    return file


def test_a_copy_of_an_application_answers_beside_the_original(tmp_path, log):
    """It has modules, state and a lifespan of its own, and libraries in common; neither sees the header."""
    folder = shop(tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*.py")}
    with served(folder) as session:
        (route,) = [file for file in session.scenarios if file.name == "GET /items/{name}"]
        route = type(route)(**{**vars(route), "path": "/items/a", "lacking": None})
        file = folder / "shop" / "main.py"
        first = body(fired(session, route)[0])
        assert (first["waits"], first["seen"]) == ("slow", 1)
        copy = session.serve_copy(route, str(file), MAIN.replace('"slow"', '"fast"')).result(20)
        assert copy.name == "GET /items/{name} (repaired)"
        changed = body(fired(session, copy)[0])
        assert changed["stock"].startswith("loopviz.copied.")
        assert changed["later"].startswith("loopviz.copied.")
        again = body(fired(session, route)[0])
        differing = {"waits": "fast", "open": "fast", "stock": changed["stock"], "later": changed["later"]}
        assert changed == {**first, **differing}
        assert again == {**first, "seen": 2}
        another = session.serve_copy(route, str(file), MAIN.replace('"slow"', '"other"')).result(20)
        assert body(fired(session, another)[0])["open"] == "other"
        assert fired(session, copy)[0].status == 200  # there is one copy: the newest
        session.end_copy().result(20)
        assert fired(session, another)[0].status == 503
        assert fired(session, route)[0].status == 200
    said = log.read_text().splitlines()
    assert said == ["begin slow", "begin fast", "end fast", "begin other", "end other", "end slow"]
    assert {path: path.read_bytes() for path in folder.rglob("*.py")} == before


def test_the_lifespan_of_a_copy_ends_with_the_server(tmp_path, log):
    """Before that of the original."""
    with served(shop(tmp_path)) as session:
        route = session.scenarios[0]
        session.serve_copy(route, str(tmp_path / "shop/main.py"), MAIN.replace('"slow"', '"fast"')).result(20)
    assert log.read_text().splitlines() == ["begin slow", "begin fast", "end fast", "end slow"]


def test_a_module_beside_the_main_one_can_be_the_changed_one(tmp_path, log):
    """The module with the application imports its copy."""
    with served(shop(tmp_path)) as session:
        (route,) = [file for file in session.scenarios if file.name == "GET /items/{name}"]
        route = type(route)(**{**vars(route), "path": "/items/a", "lacking": None})
        copy = session.serve_copy(route, str(tmp_path / "shop/prices.py"), "PRICE = 4\n").result(20)
        assert body(fired(session, copy)[0])["price"] == 4
        assert body(fired(session, route)[0])["price"] == 3


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("main.py", "import nothing_like_it", "main.py (repaired):1: No module named 'nothing_like_it'"),
        ("main.py", "1 +", "invalid syntax"),
        ("main.py", "raise SystemExit(3)", "main.py (repaired):1: SystemExit: 3"),
        ("main.py", "x = 1", "has no attribute 'app'"),
        ("unused.py", "", "The repaired copy does not import unused.py."),
    ],
)
def test_why_there_is_no_copy(tmp_path, log, file, text, expected):
    """What cannot be imported again is refused, and the original is served as before."""
    with served(shop(tmp_path), isolate=False) as session:
        route = session.scenarios[0]
        modules = {name: module for name, module in sys.modules.items() if name.startswith("shop")}
        assert expected in refusal(session, route, tmp_path / "shop" / file, text)
        assert {n: m for n, m in sys.modules.items() if n.startswith("shop")} == modules
        assert not [name for name in sys.modules if name.startswith("loopviz.copied.")]
    assert log.read_text() == "begin slow\nend slow\n"


def test_a_copy_whose_lifespan_fails_is_refused(tmp_path, log):
    """With the error of the lifespan."""
    with served(shop(tmp_path)) as session:
        text = MAIN.replace("    yield {", '    raise OSError("the port is taken")\n    yield {')
        (route,) = [file for file in session.scenarios if file.name == "GET /broken"]
        why = refusal(session, route, tmp_path / "shop/main.py", text)
        assert why == "The lifespan of the repaired copy has failed: the port is taken"
        assert fired(session, route)[0].status == 500


def test_files_that_were_saved_meanwhile_are_not_mixed_with_the_change(tmp_path, log):
    """A copy would have other changes than the one that is measured."""
    with served(shop(tmp_path)) as session:
        file = tmp_path / "shop" / "prices.py"
        later = file.stat().st_mtime + 60
        os.utime(file, (later, later))
        why = refusal(session, session.scenarios[0], tmp_path / "shop/main.py", MAIN)
        assert why.startswith("prices.py has been saved since the application was started.")


def test_of_several_workers_no_copy_is_served(tmp_path, log):
    """Which of them gets a request is not known."""
    with served(shop(tmp_path), workers=2) as session:
        why = refusal(session, session.scenarios[0], tmp_path / "shop/main.py", MAIN)
        assert why.startswith("There are 2 workers")


SCENARIO = """
import time
from fastapi import FastAPI
from loopviz.scenario import Scenario
import beside

app = FastAPI()

@app.get("/mine")
async def mine():
    return ["slow", beside.WORD, __name__]

scenario = Scenario(title="mine", expect="it")
"""


@pytest.mark.parametrize("isolate", [False, True])
def test_a_copy_of_a_scenario_is_served_too(tmp_path, isolate):
    """In a thread and in a process; modules beside it are copied as well."""
    file = tmp_path / "mine.py"
    file.write_text(SCENARIO)
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    session = Session(read(find(str(file))), isolate=isolate)
    session.start()
    try:
        session.wait()
        (scenario,) = session.scenarios
        fired(session, scenario)
        copy = session.serve_copy(scenario, str(file), SCENARIO.replace("slow", "fast")).result(20)
        changed, original = body(fired(session, copy)[0]), body(fired(session, scenario)[0])
        assert changed[:2] == ["fast", "beside"]
        assert original[:2] == ["slow", "beside"]
        assert changed[2].startswith("loopviz.copied.")
        assert [line.rstrip() for line in session.source_lines(shown_as(str(file), 1))][10].endswith(
            'return ["fast", beside.WORD, __name__]'
        )
    finally:
        session.stop()


def test_what_is_imported_from_elsewhere_is_shared(tmp_path, monkeypatch):
    """A library of a monorepo lies below the folder, and is found by a path of its own."""
    library = tmp_path / "libraries" / "paint"
    library.mkdir(parents=True)
    (library / "copied_paint.py").write_text("COLOURS = []\n")
    (tmp_path / "copied_one.py").write_text("import copied_paint\n")
    monkeypatch.syspath_prepend(str(library))
    for known in (False, True):
        if known:
            importlib.import_module("copied_paint")
        copy = Copy(
            11, [str(tmp_path)], str(tmp_path / "copied_one.py"), "import copied_paint\n", "one (repaired)"
        )
        assert copy.load("copied_one").copied_paint is sys.modules["copied_paint"]
        copy.forget()
        if not known:
            sys.modules.pop("copied_paint")
    sys.modules.pop("copied_paint")


def test_tracebacks_show_the_lines_of_the_copy(tmp_path):
    """The file has a mark in its name, and is still the user's own."""
    (tmp_path / "one.py").write_text("def fails():\n    raise ValueError('old')\n")
    text = "def fails():\n    # changed\n    raise ValueError('new')\n"
    copy = Copy(7, [str(tmp_path)], str(tmp_path / "one.py"), text, shown_as(str(tmp_path / "one.py"), 1))
    module = copy.load("one")
    try:
        module.fails()
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))
    assert 'one.py (repaired)", line 3' in shown
    assert "raise ValueError('new')" in shown
    copy.forget()
    assert original_of(shown_as("one.py", 3)) == "one.py"
    assert original_of("one.py") == "one.py"


def test_a_file_that_begins_with_a_byte_order_mark_is_copied(tmp_path):
    """The mark is no part of the code: Python reads it in a file only."""
    (tmp_path / "one.py").write_text("x = 1\n", encoding="utf-8-sig")
    copy = Copy(12, [str(tmp_path)], str(tmp_path / "one.py"), "\ufeffx = 2\n", "one.py (repaired)")
    assert copy.load("one").x == 2
    copy.forget()


def test_a_module_that_is_not_imported_is_no_copy(tmp_path):
    """Else the original would be measured as if it were repaired."""
    (tmp_path / "one.py").write_text("")
    (tmp_path / "two.py").write_text("")
    with pytest.raises(NotCopiedError):
        Copy(8, [str(tmp_path)], str(tmp_path / "two.py"), "x = 1", "two.py (repaired)").load("one")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_worker_processes_know_the_functions_of_a_copy(tmp_path, method):
    """A repair that moves work to a process pool is measured as it is."""
    (tmp_path / "one.py").write_text("def work():\n    return 'old'\n")
    text = "def work():\n    return 'new'\n"
    copy = Copy(9, [str(tmp_path)], str(tmp_path / "one.py"), text, "one.py (repaired)")
    module = copy.load("one")
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        assert pool.submit(module.work).result(30) == "new"
    copy.forget()
    assert "LOOPVIZ_COPY" not in os.environ


def test_a_copy_that_is_not_wanted_any_more_is_not_served(tmp_path, log):
    """Its lifespan ends as soon as it has begun."""
    text = MAIN.replace('"slow"', '"fast"').replace(
        "    with open", "    import asyncio; await asyncio.sleep(0.3)\n    with open", 1
    )
    with served(shop(tmp_path)) as session:
        (route,) = [file for file in session.scenarios if file.name == "GET /broken"]
        copy = session.serve_copy(route, str(tmp_path / "shop/main.py"), text)
        session.end_copy().result(20)
        with pytest.raises(InputError, match="not wanted any more"):
            copy.result(20)
        assert log.read_text().splitlines() == ["begin slow", "begin fast", "end fast"]


def test_a_lifespan_that_exits_ends_only_itself():
    """As when it finds that another instance of the application runs, which is the original."""

    @asynccontextmanager
    async def refuses(app: Any) -> AsyncIterator[None]:
        if app is not None:
            raise SystemExit("another instance runs")
        yield

    async def serve() -> str:
        with pytest.raises(RuntimeError, match="SystemExit: another instance runs"):
            await Mount(Starlette(lifespan=refuses)).begin()
        await asyncio.sleep(0.01)
        return "the loop goes on"

    assert asyncio.run(serve()) == "the loop goes on"


def test_a_copy_without_a_lifespan_is_forgotten_when_the_server_has_ended():
    """Nothing of it is left in the environment, or among the modules."""
    forgotten: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise AssertionError("there is none")

    beside = Beside("secret")
    asyncio.run(beside.serve(lambda: app, lambda: forgotten.append("it"), apart=False))
    assert not forgotten
    beside.over()
    beside.over()
    assert forgotten == ["it"]


def test_a_copy_that_is_forgotten_is_kept_by_nothing(tmp_path):
    """Each repair makes one, with all that the modules of the application hold."""
    (tmp_path / "one.py").write_text("old = 1\n", encoding="utf-8")
    text = "class Big: ...\nbig = Big()\n"
    copy = Copy(1, [str(tmp_path)], str(tmp_path / "one.py"), text, "one.py (repaired)")
    big = weakref.ref(copy.load("one").big)
    assert big() is not None
    copy.forget()
    del copy
    gc.collect()
    assert big() is None


@pytest.mark.parametrize("isolate", [False, True])
def test_a_server_that_does_not_run_serves_no_copy(tmp_path, isolate):
    """That is said, and nothing else is raised: it may have ended meanwhile, or be started again."""
    file = str(shop(tmp_path) / "shop" / "main.py")
    application = Application("shop.main:app", "shop.main", "app", str(tmp_path), str(tmp_path), file)
    session = Session([], application=application, isolate=isolate)
    scenario = ScenarioFile("GET /", Path(file), Scenario(title="", expect=""), None, "GET", "/")
    try:
        with pytest.raises(InputError, match="The server does not run"):
            session.serve_copy(scenario, file, MAIN)
        session.end_copy().result(1)
        assert session.resize(1, 2).result(1) is False
    finally:
        session.stop()


def test_nothing_is_left_of_what_a_closed_loop_does_not_run():
    """A coroutine that was never awaited would be named on standard error, over the picture."""
    thread = ServerThread.__new__(ServerThread)
    thread._loop = asyncio.new_event_loop()
    thread._loop.close()
    work = Beside("secret").end()
    with pytest.raises(RuntimeError, match="closed"):
        thread.submit(work)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
