"""Which line of a stack is shown: the user's, or what the user's line called."""

from __future__ import annotations

import asyncio
import functools
import sys
import textwrap
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loopviz.probe.lines import Line, Lines

INSTALLED = "/env/lib/site-packages"
CALL = "def call(function, *args):\n    return function(*args)\n"
ASGI = "def app(scope, receive, send):\n    return receive()\n"
DELETE = (
    "class Old:\n    def __init__(self, wait):\n        self.wait = wait\n"
    "    def __del__(self):\n        self.wait()\n"
)


def code(file: str, text: str = CALL, name: str = "") -> dict[str, Any]:
    """The variables of a module with this text, which is said to be in `file`."""
    variables: dict[str, Any] = {"__name__": name or Path(file).parent.name + "." + Path(file).stem}
    exec(compile(text, file, "exec"), variables)
    return variables


def of_thread(lines: Lines, function: Callable[..., Any], *args: Any) -> Line | None:
    """The line of a thread that has called `function(*args, wait)`, once it waits."""
    over = threading.Event()
    thread = threading.Thread(target=function, args=(*args, over.wait))
    thread.start()
    assert thread.ident is not None
    try:
        deadline = time.monotonic() + 10
        while sys._current_frames()[thread.ident].f_code.co_name != "wait":
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return lines.of_thread(thread.ident, sys._current_frames())
    finally:
        over.set()
        thread.join()


def library(lines: Lines, file: str) -> bool:
    """Whether code in this file is a library's."""
    return lines.is_library(code(file)["call"].__code__)


# -- whose code it is ------------------------------------------------------------------------------


def test_a_librarys_code_is_not_the_users(tmp_path):
    """Installed packages, Python's own modules and generated code are a library's, wherever the user's is."""
    lines = Lines([str(tmp_path)])
    assert not library(lines, str(tmp_path / "app.py"))
    assert not library(lines, "/elsewhere/app.py")
    assert library(lines, str(tmp_path / ".venv/lib/site-packages/lib/core.py"))
    assert library(lines, "<string>")
    assert library(lines, "uvloop/loop.pyx")
    assert lines.is_library(threading.Thread.run.__code__)


def test_an_installed_application_is_the_users_own(tmp_path):
    """The whole top package of an application's file is the user's, and its neighbour is not."""
    folder = tmp_path / "site-packages"
    (folder / "shop/web").mkdir(parents=True)
    lines = Lines([str(folder / "shop/web/main.py")])
    assert not library(lines, str(folder / "shop/web/main.py"))
    assert not library(lines, str(folder / "shop/db/queries.py"))
    assert library(lines, str(folder / "shopping/core.py"))
    assert library(lines, str(folder / "lib/core.py"))


def test_an_installed_file_without_a_package_is_alone(tmp_path):
    """An application that is a file among the installed packages does not make all of them the user's."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    lines = Lines([str(folder / "app.py")])
    assert not library(lines, str(folder / "app.py"))
    assert library(lines, str(folder / "lib/core.py"))


START = (
    "def start(app, endpoint, work, partial, wait):\n"
    "    return app({'endpoint': endpoint}, partial(work, wait), None)\n"
)


def serves(endpoint: Any, work: Any) -> functools.partial[Any]:
    """A function of `wait`, without a frame in this file: routing for `endpoint` calls `work(wait)`."""
    routing = code(f"{INSTALLED}/web/routing.py", ASGI)["app"]
    start = code(f"{INSTALLED}/starlette/routing.py", START, "starlette.routing")["start"]
    return functools.partial(start, routing, endpoint, work, functools.partial)


def test_the_package_of_an_endpoint_is_the_users_own():
    """An endpoint at work shows that its package is the user's, although the application is elsewhere."""
    lines = Lines()
    endpoint = code(f"{INSTALLED}/shop/api.py")["call"]
    assert lines.is_library(endpoint.__code__)
    found = of_thread(lines, serves(endpoint, endpoint))
    assert found is not None
    assert found[:3] == (f"{INSTALLED}/shop/api.py", 2, "call")
    assert not library(lines, f"{INSTALLED}/shop/db.py")
    assert library(lines, f"{INSTALLED}/lib/core.py")


def test_a_frameworks_endpoint_is_not_the_users():
    """That FastAPI serves its documentation does not make FastAPI the user's."""
    lines = Lines()
    docs = code(f"{INSTALLED}/fastapi/applications.py")["call"]
    of_thread(lines, serves(docs, docs))
    assert lines.is_library(docs.__code__)


def test_pythons_own_function_as_an_endpoint_is_not_the_users():
    """An endpoint that is a function of Python's own does not make its module the user's."""
    lines = Lines()
    of_thread(lines, serves(textwrap.dedent, code(f"{INSTALLED}/lib/core.py")["call"]))
    assert lines.is_library(textwrap.dedent.__code__)


# -- stacks of library code ------------------------------------------------------------------------


def handler() -> None:
    """Stand for an endpoint that has not been called yet."""


def test_work_before_an_endpoint_names_both():
    """Where a library works for an endpoint, that is the line, and the outermost function is named."""
    parse = code(f"{INSTALLED}/parser/core.py")["call"]
    inner = code(f"{INSTALLED}/scanner/core.py")["call"]
    found = of_thread(Lines(), serves(handler, functools.partial(parse, inner)))
    assert found == Line(__file__, handler.__code__.co_firstlineno, "handler", "parser.call")


def test_work_for_an_endpoint_of_litestars():
    """Litestar's router leaves the chosen function elsewhere in the scope."""
    endpoint = types.SimpleNamespace(fn=handler)
    routing = code(f"{INSTALLED}/litestar/routes/http.py", ASGI, "litestar.routes.http")["app"]
    text = START.replace("'endpoint'", "'route_handler'")
    start = code(f"{INSTALLED}/litestar/_asgi/asgi_router.py", text, "litestar._asgi.asgi_router")["start"]
    encode = code(f"{INSTALLED}/litestar/encoding.py")["call"]
    found = of_thread(Lines(), functools.partial(start, routing, endpoint, encode, functools.partial))
    assert found == Line(__file__, handler.__code__.co_firstlineno, "handler", "litestar.call")


class Unwilling:
    """An endpoint whose attributes raise."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


def test_an_endpoint_whose_attributes_raise_hides_no_line():
    """It has no definition; the line of what works for it is found all the same."""
    work = code("/home/me/app.py")["call"]
    found = of_thread(Lines(), serves(Unwilling(), work))
    assert found is not None
    assert found.file == "/home/me/app.py"
    encode = code(f"{INSTALLED}/encoder/core.py")["call"]
    found = of_thread(Lines(), serves(Unwilling(), encode))
    assert found is not None
    assert found.function == "Unwilling"


def test_a_middleware_that_has_called_the_next_application_is_not_at_work():
    """The user's ASGI middleware is the line while it works itself, not while what it has called works."""
    parse = code(f"{INSTALLED}/parser/core.py")["call"]
    pass_on = code("/home/me/app.py", ASGI.replace("receive()", "send(scope, receive, None)"))["app"]
    routing = code(f"{INSTALLED}/web/routing.py", ASGI)["app"]
    start = code(f"{INSTALLED}/starlette/routing.py", START.replace("None", "send"), "starlette.routing")
    start["send"] = routing
    passing = functools.partial(start["start"], pass_on, handler, parse, functools.partial)
    found = of_thread(Lines(), passing)
    assert found == Line(__file__, handler.__code__.co_firstlineno, "handler", "parser.call")
    working = code("/home/me/app.py", ASGI.replace("receive()", "send(receive)"))["app"]
    start["send"] = code(f"{INSTALLED}/parser/core.py")["call"]
    found = of_thread(Lines(), functools.partial(start["start"], working, handler, parse, functools.partial))
    assert found is not None
    assert found[:3] == ("/home/me/app.py", 2, "app")


def test_work_for_no_endpoint_names_the_library():
    """Without an endpoint the outermost function of a library that does not only pass on is the line."""
    parse = code(f"{INSTALLED}/parser/core.py")["call"]
    inner = code(f"{INSTALLED}/scanner/core.py")["call"]
    passes = code(f"{INSTALLED}/starlette/routing.py", name="starlette.routing")["call"]
    found = of_thread(Lines(), passes, parse, inner)
    assert found is not None
    assert found[:3] == (f"{INSTALLED}/parser/core.py", 2, "call")


def test_a_finalizer_is_not_blamed():
    """What the garbage collector runs is not named: the function in whose middle it ran is."""
    drop = "def call(make, wait):\n    make(wait)\n"
    passes = code(f"{INSTALLED}/starlette/routing.py", drop, "starlette.routing")["call"]
    old = code(f"{INSTALLED}/lib/core.py", DELETE)["Old"]
    found = of_thread(Lines(), passes, old)
    assert found is not None
    assert found[:3] == (f"{INSTALLED}/starlette/routing.py", 2, "call")


def test_loopvizs_own_frames_are_never_named():
    """A stack of loopviz's own code and of code that passes on shows none of loopviz's."""
    root = str(Path(sys.modules["loopviz"].__file__ or "").parent)
    ours = code(f"{root}/probe/steps.py", name="loopviz.probe.steps")["call"]
    found = of_thread(Lines(), ours)
    assert found is not None
    assert not found.file.startswith(root)


def test_what_runs_the_loop_is_not_at_work_in_a_step():
    """A program of the user's that runs the server is not blamed for the work of a library on its loop."""
    main = code("/home/me/main.py")["call"]
    runs = code(
        f"{INSTALLED}/asyncio/base_events.py", CALL.replace("call", "run_forever"), "asyncio.base_events"
    )
    parse = code(f"{INSTALLED}/parser/core.py")["call"]
    found = of_thread(Lines(), main, runs["run_forever"], parse)
    assert found is not None
    assert found.file == f"{INSTALLED}/parser/core.py"


# -- templates -------------------------------------------------------------------------------------


def test_a_line_of_a_template_is_mapped_to_its_source(tmp_path):
    """In code that Jinja has made of a template, the line is the template's."""
    jinja2 = pytest.importorskip("jinja2")
    (tmp_path / "page.html").write_text(
        "<p>1</p>\n<p>2</p>\n\n{% for i in [1] %}\n{{ wait() }}\n{% endfor %}\n"
    )
    template = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path), autoescape=True).get_template(
        "page.html"
    )
    text = jinja2.Environment(autoescape=True).from_string("one\ntwo\n{{ wait() }}")
    render = code("/home/me/app.py", "def render(template, wait):\n    template.render(wait=wait)\n")[
        "render"
    ]
    assert of_thread(Lines(), render, template) == Line(str(tmp_path / "page.html"), 5, "page.html", "")
    found = of_thread(Lines(), render, text)
    assert found is not None
    assert found.line == 3


# -- chains of awaits ------------------------------------------------------------------------------


async def generator():
    """Await inside an asynchronous generator."""
    await asyncio.sleep(10)  # in the generator
    yield 1


class Wrapped:
    """An object whose `__await__` is a coroutine's."""

    def __await__(self):
        return (yield from inner().__await__())


async def inner():
    """Await."""
    await asyncio.sleep(10)  # in the coroutine


async def for_each():
    """Iterate."""
    async for _ in generator():
        pass


async def with_a_default():
    """Await the next item, or a default."""
    await anext(generator(), None)


async def sends():
    """Await what is sent."""
    await generator().asend(None)  # codespell:ignore asend


async def awaits_an_object():
    """Await an object."""
    await Wrapped()


@pytest.mark.parametrize(
    ("chain", "mark"),
    [
        (for_each, "in the generator"),
        (with_a_default, "in the generator"),
        (sends, "in the generator"),
        (awaits_an_object, "in the coroutine"),
    ],
)
def test_a_chain_of_awaits_is_followed_to_its_end(chain, mark):
    """The line inside an asynchronous generator, or behind an `__await__`, is found."""

    async def look() -> Line | None:
        task = asyncio.ensure_future(chain())
        await asyncio.sleep(0.01)
        line = Lines().of_task(task.get_coro())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return line

    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = [n for n, text in enumerate(source, 1) if text.endswith(f"# {mark}")]
    line = asyncio.run(look())
    assert line is not None
    assert (line.file, line.line) == (__file__, number)


def test_the_end_of_a_generator_is_followed_too():
    """The line in the `finally` of a generator that is being closed is found."""

    async def ends():
        items = started()
        await anext(items)
        await items.aclose()

    async def started():
        try:
            yield 1
        finally:
            await asyncio.sleep(10)

    async def look() -> Line | None:
        task = asyncio.ensure_future(ends())
        await asyncio.sleep(0.01)
        line = Lines().of_task(task.get_coro())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return line

    line = asyncio.run(look())
    assert line is not None
    assert line.function.endswith("started")
