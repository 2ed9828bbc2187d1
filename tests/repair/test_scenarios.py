"""The built-in scenarios: their repair does what the scenario does that they declare as their repair."""

from __future__ import annotations

import ast
from typing import NamedTuple

import pytest

from loopviz.scenario import builtin_folder
from tests.repair.sources import refusal, repair


class Case(NamedTuple):
    """How a scenario is repaired."""

    name: str
    kind: str
    mark: str
    """What the line has that a finding names."""
    function: str
    twin: str
    """The scenario that has the repaired function."""
    of_twin: str
    """What that function is called there."""


CASES = [
    Case("blocking", "async-sleep", "time.sleep(1)", "blocking", "async", "async_"),
    Case("background_blocking", "async-sleep", "time.sleep(", "send_mail", "background_async", "send_mail"),
    Case("background_sync", "async-sleep", "time.sleep(1)", "send_mail", "background_async", "send_mail"),
    Case("dependency_sync", "async-sleep", "time.sleep(", "current_user", "dependency_async", "current_user"),
    Case("middleware_blocking", "async-sleep", "time.sleep(", "audit", "", "await asyncio.sleep(0.2)"),
    Case("second_hop", "async-sleep", "time.sleep(1)", "second_hop", "", "await asyncio.sleep(1)"),
    Case("sync", "async-sleep", "time.sleep(1)", "sync", "async", "async_"),
    Case("threadpool", "async-sleep", "(time.sleep, 1)", "threadpool", "async", "async_"),
    Case("timer_asgi", "async-sleep", "time.sleep(0.2)", "timer_asgi", "async", "async_"),
    Case("timer_base", "async-sleep", "time.sleep(0.2)", "timer_base", "async", "async_"),
    Case("to_thread", "async-sleep", "(time.sleep, 1)", "to_thread", "async", "async_"),
    Case("tokens", "async-sleep", "time.sleep(1)", "tokens", "async", "async_"),
    Case("http_blocking", "async-client", "httpx.get(f", "http_blocking", "", "await client.get("),
    Case("db_blocking", "plain-def", "session.scalar(", "db_blocking", "db_threads", "db_threads"),
    Case("file_blocking", "plain-def", "file.read()", "file_blocking", "", "size += len(file.read())"),
    Case("trivial_def", "async-def", '    return "pong"', "trivial_def", "trivial_async", "trivial_async"),
    Case("sequential", "task-group", "await fetch(", "sequential", "task_group", "task_group"),
    Case(
        "cpu_executor",
        "process-pool",
        "total += ",
        "compute",
        "",
        "await loop.run_in_executor(pool(), compute)",
    ),
]


def source_of(name: str) -> str:
    """The text of a built-in scenario."""
    return (builtin_folder() / f"{name}.py").read_text(encoding="utf-8")


def shape(source: str, function: str) -> str:
    """What a function does: its code without its name, its texts and its durations."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            node.name, node.decorator_list = "f", []
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant):
                    inner.value = 0
            return ast.dump(node)
    raise AssertionError(function)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.kind}")
def test_the_repair_does_what_the_twin_does(case: Case):
    """The repaired function is that of the twin, but for names, texts and durations."""
    source = source_of(case.name)
    calls = "time.sleep" if "time.sleep(" in case.mark else case.mark.partition("(")[0].strip()
    done = repair(source, case.kind, case.mark, function=case.function, calls=calls)
    if case.twin:
        assert shape(done, case.function) == shape(source_of(case.twin), case.of_twin)
    else:
        assert case.of_twin in done
    declared = source.index("scenario = Scenario(")
    assert done.endswith(source[declared:])


@pytest.mark.parametrize(
    ("name", "mark", "function"),
    [
        ("cpu", "total += ", "cpu"),
        ("cpu_threads", "total += ", "cpu_threads"),
        ("cpu_chunks", "total += ", "cpu_chunks"),
    ],
)
def test_computing_within_the_endpoint_has_to_be_moved_by_hand(name, mark, function):
    """What a process pool is to run has to be a function of its own; the refusal says so."""
    assert "at the top of the module" in refusal(source_of(name), "process-pool", mark, function=function)
