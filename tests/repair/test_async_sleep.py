"""`time.sleep` becomes `await asyncio.sleep`."""

from __future__ import annotations

import pytest

from tests.repair.sources import refusal, repair

ASYNC = """import time


async def f():
    time.sleep(1)
"""
ENDPOINT = """import time

from fastapi import Depends, FastAPI

app = FastAPI()


@app.get("/")
def endpoint():
    time.sleep(1)
    return "slept"
"""


def in_async(statement: str, head: str = "import time\n", after: str = "") -> str:
    """A module whose `async def` function has a statement."""
    return f"{head}\n\nasync def f(x=0, xs=()):\n    {statement}\n{after}"


def test_the_sleep_is_awaited_and_imports_follow():
    """The call awaits asyncio's sleep, asyncio is imported, and time no longer."""
    assert repair(ASYNC, "async-sleep", "time.sleep(1)") == (
        "import asyncio\n\n\nasync def f():\n    await asyncio.sleep(1)\n"
    )


@pytest.mark.parametrize(
    ("head", "call"),
    [
        ("import time\n", "time.sleep(x)"),
        ("import time as t\n", "t.sleep(x)"),
        ("from time import sleep\n", "sleep(x)"),
        ("from time import sleep as nap\n", "nap(x)"),
    ],
)
def test_every_spelling_is_recognised(head, call):
    """The imports say what a name means."""
    source = in_async(call, head)
    assert "    await asyncio.sleep(x)\n" in repair(source, "async-sleep", call)


def test_an_import_that_is_still_used_stays():
    """Only what is no longer used is removed, also of an import of several names."""
    source = in_async("time.sleep(1)", "import os, time\n", "    return os.getpid()\n")
    assert "import os\n" in repair(source, "async-sleep", "time.sleep")
    source = in_async("sleep(1)", "from time import monotonic, sleep\n", "    return monotonic()\n")
    assert "from time import monotonic\n" in repair(source, "async-sleep", "sleep(1)")
    source = in_async("time.sleep(1)", after="    return time.time()\n")
    assert "import asyncio\nimport time\n" in repair(source, "async-sleep", "time.sleep")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("import asyncio\nimport time\n", "import asyncio\n\n"),
        ("import asyncio as aio\nimport time\n", "import asyncio as aio\n\n"),
        ("from __future__ import annotations\n\nimport time\n", "annotations\n\nimport asyncio\n\n"),
        ('"""A docstring."""\nimport time\n', '"""A docstring."""\nimport asyncio\n\n'),
        ("import time  # noqa\n", "import asyncio\nimport time  # noqa\n"),
        ("import time; import os\n", "import asyncio\nimport time; import os\n"),
        ('import time\n__all__ = ["time"]\n', "import asyncio\nimport time\n"),
        ("import time\n\nfrom fastapi import FastAPI\n", "import asyncio\n\nfrom fastapi import FastAPI\n"),
        (
            "from fastapi import FastAPI\n\ntry:\n    import time\nexcept ImportError:\n    pass\n",
            "import asyncio\n\nfrom fastapi import FastAPI\n\ntry:\n    import time\n",
        ),
    ],
)
def test_the_import_stands_where_imports_stand(head, expected):
    """Below the docstring and imports from the future, in its group and order; one that is there is used."""
    assert repair(in_async("time.sleep(1)", head), "async-sleep", "time.sleep").startswith(
        expected
    ) or expected in repair(in_async("time.sleep(1)", head), "async-sleep", "time.sleep")


def test_an_import_inside_of_the_function():
    """A name that the function imports means what is imported."""
    source = "async def f():\n    import time\n    time.sleep(1)\n"
    assert "await asyncio.sleep(1)" in repair(source, "async-sleep", "time.sleep")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("x = time.sleep(1)", "x = await asyncio.sleep(1)"),
        ("return time.sleep(1)", "return await asyncio.sleep(1)"),
        ("if x and not time.sleep(1): return", "if x and not await asyncio.sleep(1): return"),
        ("if (y := time.sleep(1)): return y", "if (y := await asyncio.sleep(1)): return y"),
        ("x = time.sleep(1) if x else None", "x = await asyncio.sleep(1) if x else None"),
        ("print(f'{time.sleep(1)}')", "print(f'{await asyncio.sleep(1)}')"),
        ("(time.sleep)(1)", "await asyncio.sleep(1)"),
        ("(time.sleep(1))", "(await asyncio.sleep(1))"),
        ("time.sleep(1); print(x)", "await asyncio.sleep(1); print(x)"),
        ("time.sleep(  # why\n        1,\n    )", "await asyncio.sleep(  # why\n        1,\n    )"),
        ("while time.sleep(1): pass", "while await asyncio.sleep(1): pass"),
    ],
)
def test_wherever_an_expression_may_stand(statement, expected):
    """An await stands where the call stood, and comments and spaces stay."""
    assert f"    {expected}\n" in repair(in_async(statement), "async-sleep", "time.sleep")


def test_a_match_statement():
    """The subject of a match, and what is in its cases."""
    source = (
        "import time\n\n\nasync def f(x):\n    match x:\n        case [1, *rest] if rest:\n"
        "            time.sleep(1)\n        case {'a': 1, **more}:\n            return more\n"
    )
    assert "            await asyncio.sleep(1)\n" in repair(source, "async-sleep", "time.sleep")


def test_methods_middleware_and_inner_functions():
    """The innermost function of the line is what counts, whatever is around it."""
    source = (
        "import time\n\n\nclass A:\n    def g(self):\n        async def h():\n            time.sleep(1)\n"
        "        return h\n"
    )
    assert "await asyncio.sleep" in repair(source, "async-sleep", "time.sleep", function="A.g.<locals>.h")


def test_functions_of_the_same_name():
    """The line decides which of two functions of one name is meant."""
    source = "import time\n\n\nasync def f():\n    time.sleep(1)\n\n\nasync def f():\n    time.sleep(2)\n"
    done = repair(source, "async-sleep", "time.sleep(2)", function="f")
    assert "    time.sleep(1)\n" in done
    assert "    await asyncio.sleep(2)\n" in done


@pytest.mark.parametrize("offload", ["asyncio.to_thread", "run_in_threadpool", "anyio.to_thread.run_sync"])
def test_a_sleep_in_a_thread_needs_none(offload):
    """A sleep that was moved to a thread sleeps on the loop, which costs nothing."""
    head = "import asyncio\nimport time\n\nimport anyio\nfrom fastapi.concurrency import run_in_threadpool\n"
    done = repair(in_async(f"await {offload}(time.sleep, x)", head), "async-sleep", offload + "(")
    assert "    await asyncio.sleep(x)\n" in done
    assert "import time" not in done


def test_a_sleep_in_an_executor_needs_none():
    """Likewise with `run_in_executor`."""
    source = in_async("await loop.run_in_executor(None, time.sleep, x)")
    assert "    await asyncio.sleep(x)\n" in repair(source, "async-sleep", "time.sleep")


def test_a_def_endpoint_becomes_async_def():
    """An endpoint that only sleeps in its thread sleeps on the loop, and needs no thread."""
    done = repair(ENDPOINT, "async-sleep", "time.sleep", function="endpoint")
    assert "async def endpoint():\n    await asyncio.sleep(1)\n" in done
    assert done == repair(ENDPOINT, "async-sleep", "def endpoint", function="endpoint")
    assert done == repair(ENDPOINT, "async-sleep", "@app.get", function="endpoint")


def test_dependencies_and_background_tasks_may_be_either():
    """What FastAPI calls may be `def` as well as `async def`."""
    for use in ("Depends(work)", "tasks.add_task(work)", "Depends(dependency=work)"):
        source = (
            f"import time\nfrom fastapi import Depends\n\n\ndef work():\n    time.sleep(1)\n\n\nx = {use}\n"
        )
        assert "async def work():\n    await asyncio" in repair(source, "async-sleep", "time.sleep")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (in_async("[time.sleep(n) for n in xs]"), "list comprehension"),
        (in_async("list(time.sleep(n) for n in xs)"), "generator expression"),
        (in_async("run(lambda: time.sleep(1))"), "lambda"),
        (in_async("time.sleep(*xs)"), "one argument"),
        (in_async("time.sleep(-1)"), "negative"),
        (in_async("with lock: time.sleep(1)"), "with lock"),
        (in_async("with transaction.atomic():\n        time.sleep(1)"), "held while other"),
        (in_async("time = x; time.sleep(1)"), "no time.sleep"),
        (in_async("time.sleep(1)", "import fake as time\n"), "no time.sleep"),
        (in_async("time.sleep(1)", "import time\ntime = None\n"), "no time.sleep"),
        (in_async("time.sleep(1)", "import time\nimport anyio as asyncio\n"), "something else"),
        (in_async("asyncio = 1; time.sleep(1)"), "something else"),
        ("import time\n\n\ndef f():\n    time.sleep(1)\n", "who calls"),
        ("import time\n\n\ndef f():\n    time.sleep(1)\n\n\nf()\n", "used at line 8"),
        (ENDPOINT.replace("@app.get", "@cache\n@app.get"), "@cache"),
        (ENDPOINT.replace("return", "yield"), "generator"),
        (ENDPOINT.replace('"slept"', "requests.get(url)"), "requests.get()"),
        (ENDPOINT.replace('"slept"', "sum(work())"), "work()"),
        (ENDPOINT.replace("fastapi", "flask").replace("FastAPI", "Flask"), "@app.get"),
        (
            "import time\n\nn = 0\n\n\nasync def f():\n    global n\n    old = n\n"
            "    time.sleep(1)\n    n = old + 1\n",
            "n is",
        ),
        (
            "import time\n\nd = {}\n\n\nasync def f():\n"
            "    if 1 not in d:\n        time.sleep(1)\n        d[1] = 2\n",
            "d is",
        ),
        (
            "import time\n\n\nclass A:\n    async def f(self):\n"
            "        old = self.n\n        time.sleep(1)\n        self.n = old + 1\n",
            "self is",
        ),
    ],
)
def test_what_would_change_more_than_it_should_is_refused(source, why):
    """Where an await cannot stand, or others could come between, the reason is said."""
    assert why in refusal(source, "async-sleep", "time.sleep")


def test_a_counter_before_the_sleep_is_no_reason_to_refuse():
    """What is changed before the call, or after it, is not torn apart by an await."""
    source = in_async("stats['n'] += 1\n    time.sleep(1)", "import time\n\nstats = {'n': 0}\n")
    assert "await asyncio.sleep" in repair(source, "async-sleep", "time.sleep")


@pytest.mark.parametrize(
    ("function", "line", "why"),
    [("g", 5, "g() is not at line 5"), ("f", 99, "f() is not at line 99"), ("<module>", 1, "module itself")],
)
def test_a_file_that_has_changed(function, line, why):
    """Where the function is not at the line, nothing is changed."""
    from loopviz.repair import Refused, repaired

    done = repaired(ASYNC, "async-sleep", line=line, function=function)
    assert isinstance(done, Refused)
    assert why in done.why
