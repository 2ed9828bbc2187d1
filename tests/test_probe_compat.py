"""Names outside documented interfaces: each in one place, and what is reported without it."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import http.client
import itertools
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVarTuple

import anyio.to_thread
import pytest
import uvicorn
from fastapi import FastAPI

import loopviz.live.compat
import loopviz.live.server.compat
import loopviz.probe
from loopviz.errors import InputError
from loopviz.live.client import Client
from loopviz.live.server.thread import ServerThread
from loopviz.live.session import Session
from loopviz.live.sockets import bind
from loopviz.probe import compat, selftest, steps
from loopviz.scenario import find, read
from loopviz.stream import events as ev
from loopviz.stream.blind import REQUESTS, TASKS, Blind
from loopviz.stream.buffer import Buffer
from tests.probe_support import PLAIN, RawEvent, Served, Setup, every_setup, kinds, of_kind, story

Arguments = TypeVarTuple("Arguments")

PACKAGE = Path(loopviz.probe.__file__).parents[1]
FILES = sorted([*PACKAGE.glob("probe/*.py"), *PACKAGE.glob("live/**/*.py")])
DOCUMENTED = {
    "os._exit": "documented by Python",
    "sys._current_frames": "documented by CPython; also in PyPy",
}


# -- each name in one place ------------------------------------------------------------------------


def private(name: str) -> bool:
    """Whether it begins with one underscore."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def foreign_names(tree: ast.Module) -> Iterator[str]:
    """What a module uses of other packages under a private name: ``owner._name``, or a string of it."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            own.add(node.id if isinstance(node, ast.Name) else node.attr)
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=value) if private(name) and (
                name not in own or name in compat.SPELLED_OUT
            ):
                yield f"{ast.unparse(value)}.{name}"
            case ast.ImportFrom(module=str(module), names=names):
                words = [*module.split("."), *(alias.name for alias in names)]
                yield from (f"{module}.{word}" for word in words if private(word))
            case ast.Constant(value=str(text)) if private(text) and text.isidentifier() and node not in parts:
                yield repr(text)


def test_private_names_are_in_one_place() -> None:
    """Outside the two modules `compat`, no private name of another package is used in probe and live."""
    found = {
        (file.stem, name)
        for file in FILES
        if file.name != "compat.py"
        for name in foreign_names(ast.parse(file.read_text(encoding="utf-8")))
    }
    in_hot_path = {
        (module, name)
        for module, name in found
        if module == "steps" and name.rpartition(".")[2] in compat.SPELLED_OUT
    }
    ours = {  # what the probe puts on tasks, cycles and protocols
        ("state", "'_loopviz'"),
        ("state", "'_loopviz_handle'"),
        ("reading", "'_loopviz_read'"),
        ("reading", "'_loopviz_pieces'"),
    }
    documented = {(module, name) for module, name in found if name in DOCUMENTED}
    own = {(module, name) for module, name in found if name.startswith(("self._", "cls._"))} - in_hot_path
    assert found - in_hot_path - ours - documented - own == set()
    assert {name.rpartition(".")[2] for _, name in in_hot_path} == compat.SPELLED_OUT.keys()


def test_undocumented_names_are_in_one_place() -> None:
    """Names without an underscore that `compat` defines are not written down a second time."""
    modules = (compat, loopviz.live.compat, loopviz.live.server.compat)
    documented = {  # or common words
        "connection_lost", "drain", "more_body", "receive", "scope", "send", "total_tokens", "transport",
        "wait",
    }  # fmt: skip
    names = {
        value
        for module in modules
        for key in module.__all__
        if isinstance(value := getattr(module, key), str) and value not in documented
    }
    assert {"TaskStepMethWrapper", "RequestResponseCycle.run_asgi", "on_response"} <= names
    again = [
        (file.name, node.value)
        for file in FILES
        if file.name != "compat.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert again == []


@pytest.mark.parametrize("name", sorted(compat.SPELLED_OUT))
def test_what_is_spelled_out_exists(name: str) -> None:
    """Every name that the hot path spells out is there in this Python."""
    loop = asyncio.SelectorEventLoop()
    try:
        assert any(hasattr(owner, name) for owner in (asyncio.Handle, asyncio.Task, loop))
    finally:
        loop.close()


# -- without a name --------------------------------------------------------------------------------


def working_app() -> FastAPI:
    """An app with an endpoint on the loop and one in a thread."""
    app = FastAPI()

    @app.get("/async")
    async def async_() -> str:
        await asyncio.sleep(0.01)
        return "ok"

    @app.get("/sync")
    def sync() -> str:
        return "ok"

    return app


def served_without(setup: Setup = PLAIN) -> Served:
    """A server, after it has answered requests as without a probe, and the probe has failed nowhere."""
    with Served(working_app(), setup, threads=1) as served:
        for path in ("/async", "/sync", "/async"):
            assert served.get(path) == (200, '"ok"')
    return served


def blind_without(*missing: str, setup: Setup = PLAIN, failures: int = 0) -> dict[str, str]:
    """What the probe says that it cannot see, beside what it never sees here, and why."""
    served = served_without(setup)
    assert len(served.probe.failures) == failures
    never = ("CPU", "idle", "data came")
    return {what: why for what, why in served.probe.blind if not any(name in what for name in never)}


@every_setup
def test_nothing_is_missing(setup: Setup) -> None:
    """With all names in place, tasks, requests, threads and sleeps are visible."""
    assert blind_without(setup=setup) == {}


@every_setup
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("STEP_WRAPPER", "of 303 steps of a task, 2 were recognised in this Python 3"),
        ("WAKEUP", "of 303 steps of a task, 301 were recognised in this Python 3"),
        ("both", "asyncio's step wrapper of this Python 3"),
    ],
)
def test_renamed_steps(name: str, why: str, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """If asyncio renames what makes a step, tasks and requests are reported as not visible, and why.

    No task is reported then, rather than some of their steps; calls in threads are.
    """
    for renamed in ("STEP_WRAPPER", "WAKEUP") if name == "both" else (name,):
        monkeypatch.setattr(compat, renamed, "renamed")
    served = served_without(setup)
    blind = dict(served.probe.blind)
    assert why in blind[TASKS]
    assert "recognised by its task" in blind[REQUESTS]
    assert served.probe.failures == []
    seen = kinds(served.events)
    assert not {ev.TASK, ev.STEP, ev.YIELD, ev.END, ev.WAKE, ev.READ} & seen.keys()
    assert [event[3:5] for event in of_kind(served.events, ev.CALL)] == [(0, 0)] * 2
    assert seen[ev.RETURN] == 2
    assert served.probe._state is not None
    assert served.probe._state.live == {}


def test_a_hook_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks that raise on this Python are not installed on the server's loop."""

    def hook_steps(*_: object) -> dict[str, Callable[..., Any]]:
        def call_soon(*_: object, **__: object) -> None:
            raise AttributeError("no _fut_waiter")

        return {"call_soon": call_soon}

    monkeypatch.setattr(selftest, "hook_steps", hook_steps)
    assert "failed in their self-test: AttributeError: no _fut_waiter" in blind_without()[TASKS]


def test_hooks_that_lose_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks under which the loop never continues are not installed, and the server starts anyway."""

    def hook_steps(*_: object) -> dict[str, Callable[..., Any]]:
        return {"call_soon": lambda *_, **__: None}

    monkeypatch.setattr(selftest, "hook_steps", hook_steps)
    monkeypatch.setattr(selftest, "_PATIENCE", 0.05)
    assert "failed in their self-test: RuntimeError" in blind_without()[TASKS]


@pytest.mark.parametrize("awaited", ["", "Future"])
def test_malformed_steps(awaited: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps whose events do not say what the task awaits count as not visible."""
    original = steps.hook_steps

    def hook_steps(state: Any, adopt: Any) -> Any:
        state.buffer.queue = Renaming(awaited)
        return original(state, adopt)

    class Renaming(type(Buffer().queue)):  # type: ignore[misc]
        def __init__(self, awaited: str) -> None:
            self.awaited = awaited

        def append(self, event: RawEvent) -> None:
            super().append((*event[:5], self.awaited, 0))

    monkeypatch.setattr(selftest, "hook_steps", hook_steps)
    assert "what a task awaits was not recognised" in blind_without()[TASKS]


@every_setup
def test_renamed_timer(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the timer's callback, that a sleep's due time is not visible is reported; its steps are."""
    monkeypatch.setattr(compat, "set_result", None)
    served = served_without(setup)
    assert "timer of asyncio.sleep" in dict(served.probe.blind)["when the timer of a sleep is due"]
    assert "yield A Future" in story(served.events)[0]


def rename_run_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uvicorn's protocols serve requests in a coroutine of another name."""
    from uvicorn.protocols.http import h11_impl

    cycles: list[type[Any]] = [h11_impl.RequestResponseCycle]
    with contextlib.suppress(ImportError):
        from uvicorn.protocols.http import httptools_impl

        cycles.append(httptools_impl.RequestResponseCycle)
    for cycle in cycles:
        original: FunctionType = cycle.run_asgi
        code = original.__code__.replace(co_qualname="Exchange.run")
        monkeypatch.setattr(cycle, "run_asgi", FunctionType(code, original.__globals__))


@every_setup
def test_renamed_request(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """If uvicorn renames what serves a request, requests are reported as not visible; tasks are seen."""
    rename_run_asgi(monkeypatch)
    served = served_without(setup)
    blind = dict(served.probe.blind)
    assert TASKS not in blind
    assert f"uvicorn {uvicorn.__version__} serves requests in a way" in blind[REQUESTS]
    assert "a protocol ran Exchange.run" in blind[REQUESTS]
    assert served.probe.failures == []
    assert not of_kind(served.events, ev.READ)
    assert "Exchange.run" in {
        event[5].rpartition("<locals>.")[2] for event in of_kind(served.events, ev.TASK)
    }


@pytest.mark.parametrize("name", ["cycle_of", "SCOPE"])
def test_a_request_that_cannot_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If uvicorn's request object changes, requests are reported as not visible, with the error."""

    def cycle_of(_: object) -> object:
        raise KeyError("self")

    monkeypatch.setattr(compat, name, cycle_of if name == "cycle_of" else "renamed")
    blind = blind_without(failures=3)
    assert blind.keys() == {REQUESTS}
    assert "a request could not be read: " in blind[REQUESTS]
    assert ("KeyError: 'self'" if name == "cycle_of" else "'renamed'") in blind[REQUESTS]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("SEND", "the status of a response"),
        ("ON_RESPONSE", "the end of a response"),
        ("DATA_RECEIVED", "when the first byte of a request is read"),
    ],
)
def test_renamed_part_of_a_request(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one name of uvicorn's request object, only what it is for is reported as not visible."""
    monkeypatch.setattr(compat, name, "renamed")
    served = served_without()
    blind = dict(served.probe.blind)
    assert blind.keys() == {what}
    assert blind[what].endswith(f"of uvicorn {uvicorn.__version__} has no renamed")
    seen = kinds(served.events)
    expected = {"SEND": (3, 0, 3), "ON_RESPONSE": (3, 3, 0), "DATA_RECEIVED": (3, 3, 3)}[name]
    assert (seen[ev.READ], seen[ev.STATUS], seen[ev.RESPONDED]) == expected
    assert served.probe.failures == []


def test_renamed_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the transport, a request that came during a block has no time of arrival."""
    monkeypatch.setattr(compat, "TRANSPORT", "renamed")
    monkeypatch.setattr("loopviz.probe.requests.LONG", 0)
    served = served_without()
    assert [event[5] for event in of_kind(served.events, ev.READ)] == [0, 0, 0]
    assert (served.probe.failures, served.probe.blind) == ([], [])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("RECEIVE", "that a request waits for the rest of its body"),
        ("MESSAGE_EVENT", "that a request waits for the rest of its body"),
        ("MORE_BODY", "that a request waits for the rest of its body"),
        ("FLOW", "that a request waits until its client takes what was sent"),
        ("DRAIN", "that a request waits until its client takes what was sent"),
    ],
)
def test_renamed_waits_for_the_client(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name by which a wait for the client is recognised, that is reported, and nothing else is."""
    monkeypatch.setattr(compat, name, "renamed")
    served = served_without()
    ((found, why),) = served.probe.blind
    assert (found, "uvicorn" in why) == (what, True)
    assert served.probe.failures == []
    assert kinds(served.events)[ev.RESPONDED] == 3


def test_worker_calls_that_are_started_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AnyIO's method, worker threads are reported as not visible, and nothing else is."""
    monkeypatch.setattr(compat, "get_async_backend", None)
    served = served_without()
    ((what, why),) = served.probe.blind
    assert (what, why.partition(" ")[0]) == ("worker threads", "anyio")
    assert not of_kind(served.events, ev.CALL)
    assert kinds(served.events)[ev.RESPONDED] == 3


@pytest.mark.parametrize("name", ["ACQUIRE", "RELEASE"])
def test_renamed_limiter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one method of the limiter, waiting for a thread is reported as not visible."""
    monkeypatch.setattr(compat, name, "renamed")
    assert blind_without().keys() == {"waiting for a thread, and how many threads are in use"}


def test_a_limit_that_is_no_property(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the property, the thread limit is reported with the next thread that is taken."""
    monkeypatch.setattr(compat, "TOTAL", "renamed")
    served = served_without()
    assert served.probe.blind == []
    assert [event[2:] for event in of_kind(served.events, ev.TOKENS)] == [(1, 1, 0), (1, 0, 0)] * 2


def test_a_limiter_without_its_collections() -> None:
    """Without the limiter's own collections, its statistics give the same numbers."""

    class Limiter:
        total_tokens = float("inf")
        borrowed_tokens = 2

        def statistics(self) -> Any:
            return type("Statistics", (), {"tasks_waiting": 3})

    assert compat.limiter_counts(Limiter())() == (-1, 2, 3)  # type: ignore[arg-type]


def test_counts_of_a_limiter() -> None:
    """The limiter's collections give the numbers that it gives itself."""

    async def main() -> None:
        limiter = anyio.CapacityLimiter(1)
        count = compat.limiter_counts(limiter)
        assert count() == (1, 0, 0)
        await limiter.acquire_on_behalf_of(1)
        waiting = asyncio.create_task(limiter.acquire_on_behalf_of(2))
        await asyncio.sleep(0.01)
        assert count() == (1, 1, 1)
        limiter.release_on_behalf_of(1)
        assert count() == (1, 1, 0)  # the thread belongs to the next one at once
        await waiting

    asyncio.run(main())


def test_a_loop_without_a_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the loop's selector, that idle time is not visible is reported, and nothing else is missing."""
    monkeypatch.setattr(compat, "selector_of", lambda _: None)
    served = served_without()
    assert [what for what, _ in served.probe.blind] == [
        "the loop's idle time and its callbacks outside tasks",
        "when data came for a task while the loop was busy",
    ]
    assert kinds(served.events)[ev.RESPONDED] == 3


def test_a_loop_without_its_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the loop's queue every step goes through `call_soon`, and the events are the same."""
    plain = story(served_without().events)
    monkeypatch.setattr(compat, "ready_queue", lambda _: None)
    served = served_without()
    assert story(served.events) == plain
    assert served.probe.blind == []


def test_the_loops_own_queue() -> None:
    """The queue is used only if `call_soon` is asyncio's own, and the loop has all names for it."""

    class Subclass(asyncio.SelectorEventLoop):
        def call_soon(
            self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
        ) -> asyncio.Handle:
            return super().call_soon(callback, *args, context=context)

    for loop, expected in ((asyncio.SelectorEventLoop(), True), (Subclass(), False)):
        try:
            assert (compat.ready_queue(loop) is not None) is expected
            if expected:
                del loop._debug  # type: ignore[attr-defined]
                assert compat.ready_queue(loop) is None
                loop._debug = False  # type: ignore[attr-defined]
        finally:
            loop.close()


def test_running_loop_without_asyncios_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented function gives the same answer, in a thread with a running loop and in one without."""
    assert compat._documented_running_loop() is None

    async def main() -> bool:
        return compat._documented_running_loop() is compat.running_loop() is asyncio.get_running_loop()

    assert asyncio.run(main())
    monkeypatch.setattr(compat, "running_loop", compat._documented_running_loop)
    served = served_without()
    assert kinds(served.events)[ev.RESPONDED] == 3
    assert kinds(served.events)[ev.CALL] == 2


# -- whether requests are visible ------------------------------------------------------------------


def test_a_websocket_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that asks for another protocol does not make requests count as not visible."""
    monkeypatch.setattr(compat, "REQUEST", "renamed")
    with Served(working_app()) as served:
        headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)) as client:
            client.request("GET", "/async", headers=headers)
            assert client.getresponse().status == 200
        assert served.probe.blind == []
        served.get("/async")
        assert [what for what, _ in served.probe.blind] == [REQUESTS]


def test_other_tasks_are_no_requests() -> None:
    """A server that has served no request reports nothing about them, whatever other tasks it runs."""
    with Served(working_app()) as served:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), served.loop).result(5)
        with contextlib.closing(served.connect()) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 400")
        assert served.probe.blind == []


def test_answers_that_only_the_client_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session whose client has an answer to a request that was not seen says so, in its summary too."""
    monkeypatch.setattr(compat, "REQUEST", "renamed")
    monkeypatch.setattr(compat, "DATA_RECEIVED", "renamed")
    (file,) = read(find("trivial_async"))
    session = Session([file])
    session.start()
    try:
        session.wait()
        assert REQUESTS not in dict(session.blind)
        session.fire(file, 2).result(10)
        assert "serves requests in a way that was not recognised" in dict(session.blind)[REQUESTS]
        assert [what for what, _ in session.blind].count(REQUESTS) == 1
    finally:
        session.stop()


def test_installed_again() -> None:
    """What cannot be seen is said once, however often the probe is installed."""

    async def main() -> list[Blind]:
        probe = loopviz.probe.Probe(Buffer())
        for _ in range(2):
            probe.install(asyncio.Protocol)
            probe.uninstall()
        return probe.blind

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compat, "selector_of", lambda _: None)
        assert len(asyncio.run(main())) == len(set(asyncio.run(main())))


# -- the server thread and the client --------------------------------------------------------------


@pytest.mark.parametrize("name", ["get_loop_factory", "load", "http_protocol_class", "started"])
def test_an_unknown_uvicorn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uvicorn without one of the names that are needed is refused in words, with what to do."""
    if name in {"get_loop_factory", "load"}:
        monkeypatch.setattr(uvicorn.Config, name, None)
    sock = bind("127.0.0.1", 0)
    server = ServerThread(
        FastAPI(), sock, threads=1, loop="asyncio", watch=lambda _: None, unwatch=lambda: None
    )
    if name == "started":
        del server._server.started
    elif name == "http_protocol_class":
        monkeypatch.setattr(uvicorn.Config, "load", lambda _: None)
    server.start()
    with pytest.raises(InputError) as caught:
        server.wait()
    owner = "Server" if name == "started" else "Config"
    assert f"uvicorn {uvicorn.__version__} has no {owner}.{name}.\nInstall a version" in str(caught.value)
    assert server.stop(5)


def test_requests_whose_sending_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without httpcore's event a request counts as sent from before its connection, and that is said once."""
    monkeypatch.setattr(loopviz.live.compat, "SENDING", "renamed")
    events: list[RawEvent] = []
    blind: list[tuple[str, str]] = []
    with Served(working_app(), probed=False) as served:
        client = Client(
            f"http://127.0.0.1:{served.port}",
            events.append,
            itertools.count(1),
            lambda _: {},
            lambda what, why: blind.append((what, why)),
        )
        client.start()
        before = time.monotonic_ns()
        client.fire("GET", "/async", 2, at_once=1).result(10)
        client.stop(5)
    events.sort(key=lambda event: event[0])
    assert [event[1:3] for event in events] == [
        (ev.SENT, 1), (ev.RECEIVED, 1), (ev.SENT, 2), (ev.RECEIVED, 2)
    ]  # fmt: skip
    assert events[0][0] >= before
    assert events[1][0] - events[0][0] >= 10_000_000
    assert {what for what, _ in blind} == {"the moment at which a request is sent"}
    assert all("httpcore 1" in why for _, why in blind)


def test_without_uvicorns_own_view_of_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvicorn's names, an application is called as it is."""
    app = FastAPI()
    monkeypatch.setattr(uvicorn.Config, "load", lambda _: None)
    assert loopviz.live.server.compat.as_called(app) is app
