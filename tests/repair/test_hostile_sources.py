"""Sources whose repair would change what they do in a way that is easily missed: they are refused."""

from __future__ import annotations

import pytest

from loopviz.repair import Refused, repaired
from tests.repair.sources import refusal, repair

HEAD = """\
import asyncio
import os
import threading
import time
from contextvars import ContextVar

import httpx
import requests
from fastapi import Depends, FastAPI, Request

app = FastAPI()
STATE = {"n": 1}
lock = threading.Lock()
current = ContextVar("current")


def load():
    return STATE["n"]


def store(n, where=None):
    STATE["n"] = n


def raised(given):
    given["n"] += 1


async def pause():
    time.sleep(9)


def wake():
    asyncio.create_task(pause())


class Service:
    def work(self):
        self.n += 1
        time.sleep(1)

    def read(self):
        time.sleep(1)
        return self.n


service = Service()
conn = anything.connect()


"""


def endpoint(*lines: str, arguments: str = "") -> str:
    """A module with an endpoint that has these lines."""
    body = "".join(f"    {line}\n" for line in lines)
    return f'{HEAD}@app.get("/")\nasync def endpoint({arguments}):\n{body}'


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("n = load()", "time.sleep(2)", "store(n - 1)"), "STATE is read before"),
        (("s = STATE", "n = s['n']", "time.sleep(2)", "s['n'] = n"), "STATE is read before"),
        (("u = STATE.get('u')", "n = u.n", "time.sleep(2)", "u.n = n"), "STATE is read before"),
        (("s = request.app.state", "n = s.n", "time.sleep(2)", "s.n = n"), "request is read before"),
        (("n = app.state.n", "time.sleep(2)", "app.state.n = n"), "app is read before"),
        (("raised(STATE)", "time.sleep(2)", "raised(STATE)"), "STATE is read before"),
        (("n = os.environ['N']", "time.sleep(2)", "os.environ['N'] = n"), "os.environ is read before"),
        (("lock.acquire()", "try:", "    time.sleep(2)", "finally:", "    lock.release()"), "lock.acquire()"),
        (("os.chdir('a')", "time.sleep(2)", "os.chdir('..')"), "changes the process"),
        (("n = service.n", "time.sleep(2)", "setattr(service, 'n', n)"), "service is read before"),
        (("n = ROW[0]", "time.sleep(2)", "ROW.rotate(1)"), "ROW is read before"),
        (("time.sleep(2)", "import asyncio", "await asyncio.sleep(0)"), "imports asyncio at another place"),
    ],
)
def test_what_others_would_change_meanwhile_is_refused(lines, why):
    """Also by another name, in another function, or in an imported module."""
    source = endpoint(*lines, arguments="request: Request")
    assert why in refusal(source, "async-sleep", "time.sleep(2)")


def test_a_lock_that_is_free_again_is_none():
    """What is acquired and released before the call, or awaited, keeps nobody out."""
    source = endpoint("lock.acquire()", "lock.release()", "await sem.acquire()", "time.sleep(2)")
    assert "await asyncio.sleep(2)" in repair(source, "async-sleep", "time.sleep(2)")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("n = STATE['n']", "await pause()", "STATE['n'] = n"), "STATE is read before"),
        (("with lock:", "    await pause()"), "with lock"),
    ],
)
def test_a_coroutine_that_never_gave_way_is_relied_upon(lines, why):
    """Who awaits a function that only blocks was never suspended there."""
    assert why in refusal(endpoint(*lines), "async-sleep", "time.sleep(9)")


def test_variables_of_a_function_around_are_shared():
    """An application that a function makes has its state there."""
    source = (
        "import time\nfrom fastapi import FastAPI\n\ndef create():\n    app = FastAPI()\n    n = 0\n\n"
        "    @app.get('/')\n    async def count():\n        nonlocal n\n        m = n\n"
        "        time.sleep(2)\n        n = m + 1\n\n    return app\n"
    )
    assert "n is read before" in refusal(source, "async-sleep", "time.sleep(2)")
    assert "count() changes n" in refusal(source, "plain-def", "time.sleep(2)")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("wake()", "x = requests.get(a)"), "event loop's thread"),
        (("store(1)", "x = requests.get(a)"), "changes STATE"),
        (("queue.put_nowait(1)", "x = requests.get(a)"), "put_nowait() at line"),
        (("service.work()", "x = requests.get(a)"), "changes service"),
        (("x = conn.read(a)", "y = requests.get(a)"), "conn is shared"),
    ],
)
def test_a_function_moves_with_all_that_it_calls(lines, why):
    """What is called in a function that becomes def runs in the thread as well."""
    assert why in refusal(endpoint(*lines, arguments="a, queue"), "plain-def", "requests.get(a)")


@pytest.mark.parametrize(
    ("line", "head", "why"),
    [
        ("slow()", "def slow():\n    wake()\n", "event loop's thread"),
        ("slow()", "def slow():\n    current.set(1)\n", "context variable"),
        ("slow()", "def slow():\n    store(1)\n", "changes STATE"),
        ("service.work()", "", "changes service"),
        ("b.work()", "", "changes b"),
        ("conn.execute(a)", "", "conn is shared"),
        ("self.db.execute(a)", "", "self.db is shared"),
        ("db.query(a)", "db = scoped_session(make)\n", "db is shared"),
        ("slow()", "def slow():\n    raise StopIteration\n", "cannot leave a thread"),
        ("async for x in a.rows(): pass", "", "asynchronous already"),
        ("print(f'{slow(a)=}')", "def slow(a): ...\n", "as it is written"),
    ],
)
def test_what_a_thread_cannot_do_is_refused(line, head, why):
    """What it calls counts, methods of the module's classes do, and objects that all requests share."""
    source = f"{HEAD}{head}\n\nasync def endpoint(self, a, b: Service):\n    {line}\n"
    calls = "slow" if "slow" in line else ""
    assert why in refusal(source, "to-thread", f"    {line}", calls=calls)


def test_a_method_that_changes_nothing_moves():
    """So does one of an object that is the function's own."""
    source = endpoint("service.read()", "Service().work()")
    assert "await asyncio.to_thread(service.read)" in repair(source, "to-thread", "service.read()")
    assert "to_thread(Service().work)" in repair(source, "to-thread", "Service().work()", calls="Service")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("requests.get('http://a', params={'x': True})", "None, True or False"),
        ("requests.get('http://a', params={'x': q})", "None, True or False"),
        ("requests.post('http://a', data={'x': None})", "None, True or False"),
        ("requests.get('http://a', headers={'x': None})", "leaves out a header"),
        ("requests.get('http://a', allow_redirects=False).raise_for_status()", "redirect"),
        ("httpx.post('http://a', content=open(q))", "reads no file or generator"),
        ("httpx.post('http://a', content=q)", "reads no file or generator"),
    ],
)
def test_values_that_are_sent_in_other_ways(line, why):
    """A parameter that may be None, and a body that may be a generator."""
    source = endpoint(line, arguments="q: str = None")
    assert why in refusal(source, "async-client", "    requests." if "requests." in line else "    httpx.")


def test_a_url_of_pydantic_is_no_text():
    """The library requests makes a text of it, httpx does not."""
    source = (
        HEAD
        + "from pydantic import HttpUrl\n\n\n"
        + "async def f(u: HttpUrl, v: str):\n    requests.get(u)\n    requests.get(v)\n"
    )
    assert "whether the URL is a text" in refusal(source, "async-client", "requests.get(u)")
    assert "client.get(v)" in repair(source, "async-client", "requests.get(v)")


@pytest.mark.parametrize("line", ["r.close()", "for part in r.iter_raw(): pass"])
def test_a_response_that_is_closed(line):
    """That of an asynchronous client has `aclose`, and no `close`."""
    source = endpoint("r = httpx.get(a)", line, arguments="a")
    assert "is not awaited" in refusal(source, "async-client", "httpx.get(a)")


def test_exceptions_of_requests_are_os_errors():
    """Those of httpx are not."""
    source = endpoint("try:", "    x = requests.get('http://a').text", "except OSError:", "    pass")
    assert "catches OSError" in refusal(source, "async-client", "requests.get('http://a')")


def test_a_client_is_made_below_the_import_that_it_needs():
    """An import can stand below a function; below the function that needs the client it is too late."""
    late = "def a(): ...\n\n\nimport httpx\n\n\nasync def f(u):\n    return httpx.get(u).text\n"
    done = repair(late, "async-client", "httpx.get")
    assert done.index("import httpx") < done.index("client = httpx") < done.index("async def f")
    bottom = "async def f(u):\n    return httpx.get(u).text\n\n\nimport httpx\n"
    assert "imports what is needed before" in refusal(bottom, "async-client", "httpx.get")


@pytest.mark.parametrize(
    "lines",
    [
        "    await asyncio.to_thread(  # one\n        time.sleep,  # two\n        2,\n    )",
        "    (\n        time  # two\n        .sleep\n    )(2)",
    ],
)
def test_comments_are_not_lost(lines):
    """Where a comment has no place any more, there is no repair."""
    source = f"import asyncio\nimport time\n\n\nasync def f():\n{lines}\n"
    assert "The comment '# two' would be lost." in refusal(source, "async-sleep", ".sleep")


def test_a_comprehension_may_compute():
    """A range that is long, or not known, takes long on the event loop."""
    source = HEAD + "@app.get('/')\ndef f(n: int):\n    return sum([i * i for i in range(n)])\n"
    assert "may be a long one" in refusal(source, "async-def", "return sum")
    assert "async def f" in repair(source.replace("range(n)", "range(9)"), "async-def", "return sum")


ROW = (
    "async def x(c: httpx.AsyncClient):\n    return await c.get('http://a')\n\n\n"
    "async def f(c: httpx.AsyncClient):\n    {}\n    a = await x(c)\n    b = await x(c)\n    return a, b\n"
)


def test_names_that_others_see_are_given_in_their_order():
    """A task could read a global name that the await before it was to set."""
    source = HEAD + ROW.format("global a")
    assert "not the function's own" in refusal(source, "task-group", "a = await")
    assert "TaskGroup" in repair(HEAD + ROW.format("pass"), "task-group", "a = await")
    assert "all names" in refusal(
        HEAD + ROW.format("pass") + "    print(locals())\n", "task-group", "a = await"
    )


def test_a_middleware_catches_exceptions_of_all_requests():
    """It would get a group of them."""
    middleware = (
        "@app.middleware('http')\nasync def caught(request, call_next):\n    try:\n"
        "        return await call_next(request)\n    except httpx.HTTPError:\n        return None\n\n\n"
    )
    source = HEAD + middleware + ROW.format("pass")
    assert "around all requests" in refusal(source, "task-group", "a = await")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("n = int(open('n').read())", "time.sleep(2)", "open('n', 'w').write(n)"), "the file 'n' is read"),
        (("with open('n', mode='w') as f:", "    time.sleep(2)"), "a half of it"),
        (("with open(NAME, 'a') as f:", "    time.sleep(2)"), "a half of it"),
        (("n = Path('n').read_text()", "time.sleep(2)", "Path('n').write_text(n)"), "the file 'n' is read"),
    ],
)
def test_files_are_shared(lines, why):
    """Requests that read a file and write it one after the other would mix."""
    assert why in refusal(endpoint(*lines), "async-sleep", "time.sleep(2)")
    own = endpoint(*lines, arguments="NAME").replace("'n'", "NAME")
    assert "asyncio.sleep(2)" in repair(own, "async-sleep", "time.sleep(2)")


def test_a_file_that_is_written_is_not_written_by_several_threads():
    """The whole function does not move, either."""
    source = endpoint("with open('n', 'w') as f:", "    f.write(requests.get(a).text)", arguments="a")
    assert "changes the file 'n'" in refusal(source, "plain-def", "requests.get(a)")


def test_another_add_task():
    """A scheduler's takes a function of one kind only."""
    source = (
        HEAD + "from jobs import scheduler\n\n\ndef job():\n    time.sleep(2)\n\n\nscheduler.add_task(job)\n"
    )
    assert "job() is used at line" in refusal(source, "async-sleep", "time.sleep(2)")


@pytest.mark.parametrize(
    ("head", "computing", "arguments", "why"),
    [
        ("random.seed(3)", "n", "n: int", "same random numbers"),
        ("", "n", "n=Depends(load)", "can be sent"),
        ("", "Box(lambda: n)", "n: int", "returns a function"),
        ("", "n\n    raise StopIteration", "n: int", "may not be able to leave"),
    ],
)
def test_what_another_process_would_do_otherwise(head, computing, arguments, why):
    """A seed, an argument that a dependency gives, and a result with a function in it."""
    source = (
        f"{HEAD}{head}\n\n\ndef compute(n):\n    return {computing}\n\n\n"
        f"@app.get('/')\nasync def f({arguments}):\n    return compute(n)\n"
    )
    assert why in refusal(source, "process-pool", "    return compute(")


SHOP = (
    HEAD
    + """
from functools import lru_cache
from typing import Annotated

from shop.deps import get_session
from shop.stock import book_one, count_of, stock
from .rows import fetch, store as put

ROWS = {1: "a"}
QUEUE = []


class Basket:
    total = 0


basket = Basket()


@lru_cache
def settings():
    return {"n": 0}


def get_basket():
    return basket


class Params:
    n = 1


Db = Annotated[Session, Depends(get_session)]


@app.delete("/{n}")
async def delete(n: int):
    del ROWS[n]


async def load_late():
    time.sleep(8)
    return STATE["n"]


async def kept(key, seen={}):
    if key not in seen:
        time.sleep(7)
        seen[key] = 1


"""
)


def shop(*lines: str, arguments: str = "") -> str:
    """A module with an endpoint that has these lines, and with things that are kept elsewhere."""
    return SHOP + endpoint(*lines, arguments=arguments).removeprefix(HEAD)


@pytest.mark.parametrize(
    ("lines", "arguments", "why"),
    [
        (("n = stock.get(1)", "time.sleep(2)", "stock.set(1, n - 1)"), "", "stock.set() at line"),
        (("n = count_of(1)", "time.sleep(2)", "book_one(n)"), "", "book_one() at line"),
        (("n = fetch(1)", "time.sleep(2)", "put(1, n)"), "", "put() at line"),
        (("n = db.query(1).first()", "time.sleep(2)", "db.commit()"), "db: Db", "db.commit() at line"),
        (("n = b.n", "time.sleep(2)", "b.n = n"), "b=Depends(get_basket)", "b is read before"),
        (
            ("n = b.n", "time.sleep(2)", "b.n = n"),
            "b: Annotated[dict, Depends(settings)]",
            "b is read before",
        ),
        (("n = b.n", "time.sleep(2)", "b.n = n"), "b=Depends(get_session)", "b is read before"),
        (("n = b.n", "time.sleep(2)", "b.n = n"), "b=Depends(lambda: basket)", "b is read before"),
    ],
)
def test_what_another_file_or_a_dependency_keeps(lines, arguments, why):
    """Others come between asking for it and changing it."""
    assert why in refusal(shop(*lines, arguments=arguments), "async-sleep", "time.sleep(2)")


@pytest.mark.parametrize(
    ("lines", "arguments"),
    [
        (("p.n = p.n + 1", "time.sleep(2)", "p.n = 1"), "p: Annotated[Params, Depends()]"),
        (("p.n = p.n + 1", "time.sleep(2)", "p.n = 1"), "p=Depends(Params)"),
        (("time.sleep(2)", "stock.set(1, stock.get(1))"), ""),
        (("n = await count_of(1)", "time.sleep(2)", "await book_one(1)"), ""),
        (("httpx.get(1)", "time.sleep(2)", "stock.set(1, 2)"), ""),
        (("for key in list(ROWS):", "    time.sleep(2)"), ""),
        (("basket.hits = 1", "time.sleep(2)", "return basket.name"), ""),
        (("own = {}", "def put(n): own['n'] = n", "put(len(own))", "time.sleep(2)", "put(1)"), ""),
    ],
)
def test_what_is_the_requests_own_or_not_looked_at_again(lines, arguments):
    """An object that is made for each request, a copy, another attribute, or what was awaited before."""
    source = shop(*lines, arguments=arguments)
    assert "await asyncio.sleep(2)" in repair(source, "async-sleep", "time.sleep(2)")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("Basket.total += 1", "time.sleep(2)", "return Basket.total"), "changed before the call and read"),
        (("STATE['n'] += 1", "time.sleep(2)", "return STATE"), "STATE is changed before"),
        (("for key in ROWS.items():", "    time.sleep(2)"), "delete() would change it"),
        (("if 1 in ROWS:", "    time.sleep(2)", "    return ROWS[1]"), "delete() would change it"),
        (("n = STATE['n']", "time.sleep(2)", "def put(): STATE['n'] = n", "put()"), "STATE is read before"),
        (("n = STATE['n']", "put = lambda n: STATE.update(n=n)", "time.sleep(2)", "put(1)"), "STATE is read"),
        (("n = STATE['n']", "put = STATE.update", "time.sleep(2)", "put(n=1)"), "STATE is read before"),
    ],
)
def test_what_is_looked_at_again(lines, why):
    """Others change meanwhile what was changed, or is read once more; also by a function inside."""
    assert why in refusal(shop(*lines), "async-sleep", "time.sleep(2)")


def test_a_default_is_the_same_for_all_calls():
    """An endpoint's is not: FastAPI copies it."""
    assert "seen is read before" in refusal(SHOP, "async-sleep", "time.sleep(7)")


def test_what_is_awaited_reads_and_changes():
    """The call itself may be what reads, or changes, what is shared."""
    source = shop("n = await load_late()", "STATE['n'] = n + 1")
    assert "STATE is read before" in refusal(source, "async-sleep", "time.sleep(8)")
    for mark in ("Path('n').read_text()", "Path('n').write_text(n)"):
        source = shop("n = Path('n').read_text()", "Path('n').write_text(n)")
        assert "the file 'n' is read before" in refusal(source, "to-thread", mark)


def test_what_a_result_is_stored_in_is_looked_at_afterwards():
    """A cache that gets the answer is not read before."""
    source = shop("STATE[u] = requests.get(u).json()", arguments="u: str")
    assert "(await asyncio.to_thread(requests.get, u))" in repair(source, "to-thread", "requests.get(u)")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("async with asyncio.timeout(1):", "    time.sleep(2)"), "`asyncio.timeout(1)` at line"),
        (("with anyio.fail_after(1):", "    time.sleep(2)"), "`anyio.fail_after(1)` at line"),
    ],
)
def test_a_deadline_ends_what_awaits(lines, why):
    """It could not end what blocks."""
    source = f"import anyio\n{endpoint(*lines)}"
    assert why in refusal(source, "async-sleep", "time.sleep(2)")
    waited = endpoint("await asyncio.wait_for(pause(), 1)")
    assert "would end pause() in time" in refusal(waited, "async-sleep", "time.sleep(9)")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("if 1 in ROWS:", "    return ROWS[1], requests.get(u)"), "ROWS is read several times"),
        (("for row in ROWS:", "    requests.get(u)"), "ROWS is read several times"),
        (("x = stock.get(requests.get(u))", "stock.save(1, x)"), "stock.save() at line"),
        (("b.n += 1", "requests.get(u)"), "changes b"),
        (("def inner(): asyncio.create_task(pause())", "inner()", "requests.get(u)"), "event loop's thread"),
        (("def inner(): STATE['n'] = 1", "inner()", "requests.get(u)"), "changes STATE"),
    ],
)
def test_a_thread_comes_between_anywhere(lines, why):
    """What others change on the event loop is not read twice in a thread."""
    source = shop(*lines, arguments="u: str, b=Depends(get_basket)")
    assert why in refusal(source, "plain-def", "requests.get(u)")


def test_a_session_of_the_request_may_be_in_a_thread():
    """The database decides what two of them do to the same rows."""
    source = shop("row = db.get(requests.get(u))", "row.n -= 1", "db.commit()", arguments="u: str, db: Db")
    assert "\ndef endpoint(" in repair(source, "plain-def", "requests.get(u)")


def test_an_error_of_a_negative_duration_is_relied_upon():
    """A sleep of asyncio raises none."""
    lines = ("try:", "    time.sleep(WAIT)", "except ValueError:", "    return 'negative'")
    source = endpoint(*lines, arguments="n: float")
    assert "negative duration" in refusal(source.replace("WAIT", "n"), "async-sleep", "time.sleep(n)")
    assert "asyncio.sleep(2)" in repair(source.replace("WAIT", "2"), "async-sleep", "time.sleep(2)")


def test_a_stream_that_is_cancelled_executes_no_more():
    """What comes after an await in a finally is lost when the client has gone."""
    stream = HEAD + (
        "async def rows():\n    try:\n        yield 1\n    finally:\n"
        "        time.sleep(2)\n        service.read()\n"
    )
    assert "cancelled" in refusal(stream, "async-sleep", "time.sleep(2)")
    used = stream + "\n\n@app.get('/')\nasync def f(a=Depends(rows)): ...\n"
    assert "asyncio.sleep(2)" in repair(used, "async-sleep", "time.sleep(2)")
    last = stream.replace("        time.sleep(2)\n        service.read()\n", "        time.sleep(2)\n")
    assert "asyncio.sleep(2)" in repair(last, "async-sleep", "time.sleep(2)")


def test_the_default_of_a_function_inside_is_computed_around_it():
    """It may be awaited there."""
    source = endpoint("def inner(n=time.sleep(2)): ...", "return inner()")
    done = repair(source, "async-sleep", "time.sleep(2)", function="endpoint")
    assert "def inner(n=await asyncio.sleep(2)): ..." in done


@pytest.mark.parametrize(
    ("line", "head"),
    [
        ("check(x)", "def check(x):\n    raise ValueError(x)\n"),
        ("check(x)", "def check(x):\n    assert x\n"),
        ("assert x", ""),
        ("record(x)", "from audit import record\n"),
        ("events.happened(x)", "from audit import events\n"),
        ("events.happened(x)", "events = Events()\n"),
        ("json.dump(x, open(x, 'w'))", ""),
        ("os.rename(x, 'b')", ""),
    ],
)
def test_what_has_an_order_is_not_done_by_tasks(line, head):
    """What is called may raise, be written down, or change a file, also in another file."""
    source = f"{HEAD}{head}\n\nasync def x(x, c: httpx.AsyncClient):\n    {line}\n    return await c.get(x)\n"
    source += "\n\nasync def f(c: httpx.AsyncClient):\n    a = await x(1, c)\n    b = await x(2, c)\n"
    why = refusal(source, "task-group", "a = await")
    assert "order" in why or "group" in why or "mixed" in why
    harmless = source.replace(f"    {line}\n", "    logger.info(x)\n")
    assert "TaskGroup" in repair(harmless, "task-group", "a = await")


@pytest.mark.parametrize(
    ("head", "computing"),
    [
        ("from .tables import RATES", "sum(RATES)"),
        ("from shop.tables import RATES", "RATES.get(n)"),
        ("from .tables import heavy", "heavy(n)"),
        ("from . import tables", "tables.heavy(n)"),
        ("import shop.tables", "shop.tables.heavy(n)"),
        ("from tables import rates", "rates[n]"),
    ],
)
def test_another_process_has_other_tables(head, computing):
    """What another file of the application has may have been changed since it was imported."""
    source = (
        f"{head}\n{HEAD}def compute(n):\n    return {computing}\n\n\n@app.get('/')\nasync def f(n: int):\n"
    )
    source += "    return compute(n)\n"
    line = source[: source.index("    return compute(n)")].count("\n") + 1
    done = repaired(source, "process-pool", line=line, function="f", name="shop/main.py")
    assert isinstance(done, Refused)
    assert "of another file" in done.why
    library = source.replace(head, "from numpy import dot").replace(computing, "dot(n, n)")
    assert "ProcessPoolExecutor" in repair(library, "process-pool", "    return compute(n)")


@pytest.mark.parametrize(
    ("use", "refused"),
    [
        ("return str(error)", True),
        ("return {'error': f'{error}'}", True),
        ("raise HTTPException(502, repr(error)) from error", True),
        ("logger.info('no answer: %s', error)", False),
        ("raise HTTPException(502) from error", False),
        ("raise error", False),
    ],
)
def test_the_words_of_an_exception(use, refused):
    """Those of another client are other ones: clients see them if they are in an answer."""
    lines = ("try:", "    r = LIBRARY.get('http://a').text", "except Exception as error:", f"    {use}")
    for library in ("requests", "httpx"):
        source = endpoint(*(line.replace("LIBRARY", library) for line in lines))
        mark = f"{library}.get("
        if refused:
            assert "other words" in refusal(source, "async-client", mark)
            assert "to_thread" in repair(source, "to-thread", mark)
        else:
            assert "AsyncClient(" in repair(source, "async-client", mark)


def test_all_sleeps_of_a_function_are_one_finding():
    """Those that can be awaited are changed together, and no other one."""
    source = endpoint(
        "time.sleep(1); time.sleep(2)",
        "n = STATE['n']",
        "time.sleep(3)",
        "STATE['n'] = n",
        "a = lambda: time.sleep(4)",
    )
    done = repair(source, "async-sleep", "time.sleep(2)", function="endpoint")
    assert "await asyncio.sleep(1); await asyncio.sleep(2)" in done
    assert "    time.sleep(3)\n" in done
    assert "lambda: time.sleep(4)" in done
    assert "STATE is read before" in refusal(source, "async-sleep", "time.sleep(3)")


def test_other_attributes_of_an_object_are_other_things():
    """An object of which one attribute is read and another one set is not changed by others meanwhile."""
    lines = (
        "url = request.app.state.url",
        "rows = load(url)",
        "time.sleep(2)",
        "request.app.state.rows = rows",
    )
    source = endpoint(*lines, arguments="request: Request") + "\n\ndef load(url):\n    return [url]\n"
    assert "await asyncio.sleep(2)" in repair(source, "async-sleep", "time.sleep(2)")
    same = source.replace("state.url", "state.rows[0].url")
    assert "is read before" in refusal(same, "async-sleep", "time.sleep(2)")


def test_something_that_is_changed_on_both_sides():
    """Two requests would be in between of each other, and the reason says which it is."""
    source = endpoint("STATE['n'] = 1", "time.sleep(2)", "STATE['n'] = 2")
    assert "STATE is changed before the call and after it" in refusal(source, "async-sleep", "time.sleep(2)")


def test_functions_of_numpy_change_nothing_of_the_application():
    """Their names are those of changes: add, take, insert."""
    source = "import numpy as np\n" + endpoint("x = np.array([1])", "time.sleep(2)", "return np.add(x, 1)")
    assert "await asyncio.sleep(2)" in repair(source, "async-sleep", "time.sleep(2)")


def test_a_block_at_the_end_of_a_finally_goes_on():
    """If its first call is awaited and the client has gone, the next one is never executed."""
    stream = HEAD + (
        "async def rows():\n    try:\n        yield 1\n    finally:\n        if STATE:\n"
        "            time.sleep(2)\n            service.read()\n"
    )
    assert "cancelled" in refusal(stream, "async-sleep", "time.sleep(2)")
    last = stream.replace("            service.read()\n", "")
    assert "asyncio.sleep(2)" in repair(last, "async-sleep", "time.sleep(2)")
