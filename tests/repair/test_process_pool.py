"""Computing moves to a process pool."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repair.sources import refusal, repair

HEAD = """import asyncio
import re

from fastapi import FastAPI

app = FastAPI()
WORDS = re.compile("a+")
LIMIT = 3
cache = {}
engine = create_engine("sqlite://")


def compute(n=10, words=()):
    total = 0
    for number in range(n):
        total += number * number
    return total


def cached(n):
    cache[n] = compute(n)
    return cache[n]


def queries(n):
    return engine.execute(n)


def numbers(n):
    yield from range(n)


"""


def module(body: str, decorator: str = '@app.get("/")\n', word: str = "async def", head: str = HEAD) -> str:
    """A module with an endpoint that computes."""
    return f"{head}{decorator}{word} work(a: int = 0, b=None, c: object = None):\n    {body}\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return compute(a)", "return await asyncio.get_running_loop().run_in_executor(pool(), compute, a)"),
        ("x = compute()", "x = await asyncio.get_running_loop().run_in_executor(pool(), compute)"),
        (
            "x = await asyncio.to_thread(compute, 1, [a, 'b'])",
            "x = await asyncio.get_running_loop().run_in_executor(pool(), compute, 1, [a, 'b'])",
        ),
        (
            "x = await loop.run_in_executor(None, compute, a * 2)",
            "x = await loop.run_in_executor(pool(), compute, a * 2)",
        ),
    ],
)
@pytest.mark.parametrize("mark", ["compute", "total += "])
def test_the_function_runs_in_a_pool(body, expected, mark):
    """It is found by its call, and by the line in it that computes."""
    source = module(body)
    done = repair(source, "process-pool", body if mark == "compute" else mark)
    assert f"    {expected}\n" in done
    assert "from concurrent.futures import ProcessPoolExecutor\n" in done
    assert '\n\n\n@functools.cache\ndef pool():\n    """' in done
    assert (
        '"""\n    return ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))\n\n\napp ='
        in done
    )


def test_a_def_endpoint_becomes_async_def():
    """It has nothing else to do, and so needs no thread."""
    done = repair(module("return compute(a)", word="def"), "process-pool", "total += ")
    assert "async def work(" in done
    assert "return await asyncio.get_running_loop()" in done


def test_there_is_one_pool():
    """A second repair uses the pool of the first."""
    once = repair(module("x = compute(a)\n    y = compute(1)"), "process-pool", "x = compute")
    twice = repair(once, "process-pool", "y = compute")
    assert twice.count("ProcessPoolExecutor(") == 1
    assert twice.count("run_in_executor(pool(), ") == 2


def test_what_would_not_come_back_is_refused():
    """An exception that cannot be sent, and a module that starts a server when it is imported."""
    source = module("return compute(a)")
    raising = source.replace(
        "    total = 0\n", "    total = 0\n    if n:\n        raise HTTPException(status_code=404)\n"
    )
    assert "leave its process" in refusal(raising, "process-pool", "return compute(")
    assert repair(
        raising.replace("HTTPException(status_code=404)", "ValueError(n)"), "process-pool", "return compute("
    )
    assert "each worker process" in refusal(
        source + "\n\nuvicorn.run(app)\n", "process-pool", "return compute("
    )


@pytest.mark.parametrize(
    ("body", "mark", "why"),
    [
        (
            "total = 0\n    for n in range(9):\n        total += n",
            "        total += n\n",
            "at the top of the module",
        ),
        ("return compute(n=a)", "return compute(", "keywords"),
        ("return compute(*b)", "return compute(", "*b can be sent"),
        ("return compute(c)", "return compute(", "c can be sent"),
        ("return compute(open(a))", "return compute(", "can be sent"),
        ("return cached(a)", "return cached(", "changes cache"),
        ("return queries(a)", "return queries(", "reads engine"),
        ("return numbers(a)", "return numbers(", "generator"),
        ("return [compute(n) for n in b]", "return [compute", "can be sent"),
        ("return [compute(1) for n in b]", "return [compute", "list comprehension"),
        ("with lock:\n        compute(1)", "compute(1)", "with lock"),
        ("return a", "total += ", "1 places, not"),
        ("compute(1)\n    compute(2)", "total += ", "places in this file"),
    ],
)
def test_what_another_process_cannot_do_is_refused(body, mark, why):
    """Where arguments, results or state would not reach the process, nothing is changed."""
    source = module(body)
    if mark == "        total += n\n":
        source = source.replace("number * number", "number")
    if body == "return a":
        source, why = source.replace("cache[n] = compute(n)", "cache[n] = n"), "no places"
    assert why in refusal(source, "process-pool", mark)


def test_only_one_pool_is_made(tmp_path):
    """A worker process, which imports the module, makes no pool of its own, and the result is right."""
    head = HEAD.replace('engine = create_engine("sqlite://")\n', "engine = None\n")
    head = head.replace("from fastapi import FastAPI\n\napp = FastAPI()\n", "")
    source = module("return compute(a)", "", head=head)
    done = repair(source, "process-pool", "return compute(")
    (tmp_path / "computing.py").write_text(
        done + "\n\nif __name__ != '__main__':\n    import os\n    os.write(1, b'imported ')\n"
    )
    code = (
        "import asyncio, computing\n"
        "async def main():\n"
        "    answers = await asyncio.gather(*[computing.work(n) for n in (3, 4)])\n"
        "    print('answers', *answers, len(computing.pool()._processes) <= 2)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n    computing.pool().shutdown()\n"
    )
    (tmp_path / "main.py").write_text(code)
    ran = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert "answers 5 14 True" in ran.stdout
