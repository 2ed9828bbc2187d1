"""Applications are served as uvicorn alone serves them: how answers are sent, and who gets which request."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from loopviz.errors import InputError
from loopviz.live.server.apps import Apps
from loopviz.live.server.thread import ServerThread
from loopviz.live.session import Session
from loopviz.live.sockets import bind
from loopviz.scenario import ScenarioFile, find, read
from loopviz.scenario.watch import SavedFile, Watcher
from loopviz.stream import events as ev
from tests.served import serving

HEAD = """
import asyncio
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse
from loopviz.scenario import Scenario

"""


def scenario(folder: Path, name: str, text: str, facts: str = "") -> Path:
    """A scenario file with this text."""
    path = folder / f"{name}.py"
    declared = f'\n\nscenario = Scenario(title="{name}", expect="e", requests=1, seconds=0.01{facts})\n'
    path.write_text(HEAD + text + declared, encoding="utf-8")
    return path


@contextmanager
def session(*files: ScenarioFile, loop: str = "asyncio", lazily: bool = False) -> Iterator[Session]:
    """A session that serves."""
    made = Session(files, loop=loop, lazily=lazily)
    made.start()
    try:
        made.wait()
        yield made
    finally:
        made.stop()
        until = time.monotonic() + 20
        while not made.ended:
            assert time.monotonic() < until, "it has not ended"
            time.sleep(0.01)


@contextmanager
def bare(app: Any) -> Iterator[int]:
    """The port of uvicorn alone, with this application."""
    sock = bind("127.0.0.1", 0)
    server = ServerThread(app, sock, threads=40, loop="asyncio", watch=lambda _: None, unwatch=lambda: None)
    port: int = sock.getsockname()[1]
    server.start()
    try:
        server.wait()
        yield port
    finally:
        assert server.stop(20)


def fired_status(file: ScenarioFile, requests: int = 2) -> set[int | None]:
    """How requests that loopviz fires at a scenario are answered."""
    with session(file) as made:
        made.fire(file, requests).result(20)
        return {event[3] for event in made.drain_all() if event[1] == ev.RECEIVED}


async def web_socket(app: Any, path: str, text: str) -> list[Any]:
    """What an application sends to a WebSocket that sends one text; its lifespan lasts as long."""
    begun, leave = asyncio.Event(), asyncio.Event()
    life = iter(["lifespan.startup", "lifespan.shutdown"])
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": text},
            {"type": "websocket.disconnect", "code": 1000},
        ]
    )
    sent: list[Any] = []

    async def live() -> dict[str, str]:
        kind = next(life)
        if kind == "lifespan.shutdown":
            begun.set()
            await leave.wait()
        return {"type": kind}

    async def nothing(message: Any) -> None:
        assert message["type"].endswith("complete")

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {}, "state": {}}, live, nothing))
    await begun.wait()
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
        "state": {},
    }
    await app(scope, receive, send)
    leave.set()
    await lifespan
    return sent


def port_of(made: Session) -> int:
    """The port that a session serves on."""
    return int(made.address.rpartition(":")[2])


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_answers_are_not_held_back(tmp_path: Path, loop: str) -> None:
    """A connection that the server accepts sends what it has at once (TCP_NODELAY)."""
    (file,) = read(
        [scenario(tmp_path, "one", "app = FastAPI()\n@app.get('/one')\nasync def one(): return 1")]
    )
    with (
        session(file, loop=loop) as made,
        closing(http.client.HTTPConnection("127.0.0.1", port_of(made), timeout=10)) as connection,
    ):
        connection.request("GET", "/one")
        assert connection.getresponse().read() == b"1"
        (protocol,) = serving(made).server._server.server_state.connections
        transport: Any = getattr(protocol, "transport", None)
        accepted = transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


ORDINARY = """
from contextlib import asynccontextmanager
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.applications import Starlette

@asynccontextmanager
async def lifespan(app):
    yield {"made": "in the lifespan"}

app = FastAPI(lifespan=lifespan)
sub = FastAPI()
router = APIRouter(prefix="/router")
inner = APIRouter(prefix="/inner")

@sub.get("/hello")
async def hello(request: Request):
    return [request.scope["root_path"], str(request.url_for("hello")), request.app is sub]

@router.get("/deep")
async def deep(): return "deep"

@inner.post("/deeper")
async def deeper(): return "deeper"

router.include_router(inner)
app.include_router(router)

@app.get("/x")
async def x(request: Request):
    request.state.mine = 1
    scope = request.scope
    return [request.app is app, request.state.made, sorted(scope["state"]), scope["root_path"]]

@app.get("/hidden", include_in_schema=False)
async def hidden(): return "hidden"

@app.get("/go/away")
async def away(): return RedirectResponse("/x")

async def page(request): return PlainTextResponse("page")
app.mount("/sub", sub)
app.mount("/starlette", Starlette(routes=[Mount("/more", routes=[Route("/page", page)])]))

@app.get("/{item}")
async def item(item: str): return item

@app.exception_handler(404)
async def own(request, error): return JSONResponse({"own": request.url.path}, 404)

@app.websocket("/ws/{name}")
async def ws(w: WebSocket, name: str):
    await w.accept()
    async for text in w.iter_text():
        await w.send_json([name, text, w.app is app, w.state.made])
"""
ASKED = [
    ("GET", "/x"), ("GET", "/x/"), ("HEAD", "/x"), ("OPTIONS", "/x"), ("POST", "/x"), ("GET", "/sub/hello"),
    ("GET", "/sub/docs"), ("GET", "/sub/none"), ("GET", "/router/deep"), ("POST", "/router/inner/deeper"),
    ("GET", "/hidden"), ("GET", "/foo"), ("GET", "/go/away"), ("GET", "/openapi.json"), ("GET", "/docs"),
    ("GET", "/redoc"), ("GET", "/no/such/page"), ("GET", "/starlette/more/page"), ("GET", "/"),
    ("GET", "/%C3%A9"),
]  # fmt: skip


def answer(port: int, method: str, path: str) -> tuple[int, bytes, str | None, str | None]:
    """Status, body, the methods that are allowed, and where the answer sends the client."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers={"Host": "here"})
        got = connection.getresponse()
        return got.status, got.read(), got.getheader("allow"), got.getheader("location")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_ordinary_application_is_served_as_uvicorn_serves_it(tmp_path: Path, loop: str) -> None:
    """Every path, method, mount, page and error of an application is answered as without loopviz."""
    (file,) = read([scenario(tmp_path, "ordinary", ORDINARY)])
    assert (file.method, file.path) == ("GET", "/router/deep")
    with bare(file.app) as port:
        expected = {asked: answer(port, *asked) for asked in ASKED}
    assert [expected[asked][0] for asked in ASKED] == [
        200, 307, 405, 405, 405, 200, 200, 404, 200, 200, 200, 200, 307, 200, 200, 200, 404, 200, 404, 200
    ]  # fmt: skip
    with session(file, loop=loop) as made:
        for asked in ASKED:
            assert answer(port_of(made), *asked) == expected[asked], asked


def test_what_requests_of_an_application_have_in_common(tmp_path: Path) -> None:
    """A request has the lifespan's state in a copy of its own, and the application in its scope."""
    (file,) = read([scenario(tmp_path, "ordinary", ORDINARY)])
    with session(file) as made:
        for _ in range(2):
            found = json.loads(answer(port_of(made), "GET", "/x")[1])
            assert found == [True, "in the lifespan", ["made", "mine"], ""]


def test_web_sockets_reach_their_application(tmp_path: Path) -> None:
    """A WebSocket is accepted, by the application alone and by one of several, and has its state."""
    ordinary = scenario(tmp_path, "ordinary", ORDINARY)
    other = scenario(tmp_path, "other", "app = FastAPI()\n@app.get('/other')\nasync def other(): return 1")
    for files in ([ordinary], [other, ordinary]):
        accepted, reported = asyncio.run(web_socket(Apps(read(files)), "/ws/me", "hello"))[:2]
        assert accepted["type"] == "websocket.accept"
        assert json.loads(reported["text"]) == ["me", "hello", True, "in the lifespan"]
    refused = asyncio.run(web_socket(Apps(read([other, ordinary])), "/no/such", "hello"))
    assert [message["type"] for message in refused] == ["websocket.close"]


def test_an_included_router_is_an_endpoint(tmp_path: Path) -> None:
    """A file whose only endpoint is in an included router is fired at it."""
    text = """
router = APIRouter(prefix="/items")

@router.get("/slow")
async def slow():
    await asyncio.sleep(0.02)
    return 1

app = FastAPI()
app.include_router(router)
"""
    (file,) = read([scenario(tmp_path, "router_only", text)])
    assert (file.method, file.path) == ("GET", "/items/slow")
    assert fired_status(file) == {200}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app = FastAPI()\n@app.get('/h', include_in_schema=False)\nasync def h(): return 1", ("GET", "/h")),
        ("sub = FastAPI()\n@sub.put('/in')\nasync def h(): return 1\napp = FastAPI()\napp.mount('/sub', sub)",
         ("PUT", "/sub/in")),
        ("inner = FastAPI()\n@inner.get('/w')\nasync def w(): return 1\n"
         "from starlette.middleware.gzip import GZipMiddleware\napp = GZipMiddleware(inner)", ("GET", "/w")),
        ("from starlette.applications import Starlette\nfrom starlette.routing import Route\n"
         "from starlette.endpoints import HTTPEndpoint\n"
         "class Page(HTTPEndpoint):\n    async def post(self, request): return PlainTextResponse('p')\n"
         "app = Starlette(routes=[Route('/page', Page)])", ("POST", "/page")),
        ("app = FastAPI()\n@app.websocket('/ws')\nasync def ws(w: WebSocket): ...\n"
         "@app.get('/after')\nasync def after(): return 1", ("GET", "/after")),
    ],
    ids=["hidden", "mounted", "middleware", "class", "after a web socket"],
)  # fmt: skip
def test_endpoints_of_many_kinds_are_found(tmp_path: Path, text: str, expected: tuple[str, str]) -> None:
    """The first endpoint is found in a mount, behind middleware, as a class, and hidden from the document."""
    (file,) = read([scenario(tmp_path, "one", text)])
    assert (file.method, file.path) == expected
    assert fired_status(file) == {200}


SEVERAL = {
    "one": """
app = FastAPI()
@app.get("/one")
async def one(): return "one"
@app.get("/shared/one")
async def shared(): return "one"
@app.get("/{anything:path}")
async def anything(anything: str): return "one takes all"
""",
    "two": """
app = FastAPI()
@app.get("/two")
async def two(): return "two"
@app.get("/two/slash/")
async def slash(): return "slash"
@app.post("/shared/two")
async def shared(): return "two"
sub = FastAPI()
@sub.get("/in")
async def inside(): return "inside"
app.mount("/mounted", sub)
""",
    "three": """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await PlainTextResponse(f"raw {scope['path']}")(scope, receive, send)
    else:
        raise NotImplementedError
""",
}


def test_several_applications_are_tried_by_their_own_routes(tmp_path: Path) -> None:
    """The best route wins, a path at which a scenario is fired is its own; ASGI without routes is called."""
    files = read(
        [
            scenario(tmp_path, name, text, ', path="/three/x"' if name == "three" else "")
            for name, text in SEVERAL.items()
        ]
    )
    with session(*files) as made:
        expected = [
            ("GET", "/one", b'"one"'), ("GET", "/two", b'"two"'), ("GET", "/three/x", b"raw /three/x"),
            ("GET", "/shared/one", b'"one"'), ("POST", "/shared/two", b'"two"'),
            ("GET", "/mounted/in", b'"inside"'), ("GET", "/else", b'"one takes all"'),
            ("POST", "/three/y", b"raw /three/y"),
        ]  # fmt: skip
        for method, path, body in expected:
            assert answer(port_of(made), method, path)[:2] == (200, body), path
        assert answer(port_of(made), "POST", "/two")[0] == 405
        for file in files:
            made.fire(file, 2).result(20)
        received = [event for event in made.drain_all() if event[1] == ev.RECEIVED]
    assert [event[3] for event in received] == [200] * 6


def test_a_path_with_another_slash_is_redirected_by_one_of_several(tmp_path: Path) -> None:
    """A path that an application would redirect is redirected, if no other application has it."""
    one = scenario(tmp_path, "one", "app = FastAPI()\n@app.get('/one')\nasync def one(): return 1")
    two = scenario(tmp_path, "two", SEVERAL["two"])
    with session(*read([one, two])) as made:
        status, _, _, location = answer(port_of(made), "GET", "/two/slash")
        assert (status, location) == (307, "http://here/two/slash/")
        assert answer(port_of(made), "GET", "/neither")[0] == 404


def test_two_scenarios_at_one_path_are_refused(tmp_path: Path) -> None:
    """Two scenarios that would be fired at the same method and path are refused, and both are named."""
    text = "app = FastAPI()\n@app.{method}('/')\nasync def root(): return 1"
    one = scenario(tmp_path, "one", text.format(method="get"))
    two = scenario(tmp_path, "two", text.format(method="get"), ', path="/?query=1"')
    posted = scenario(tmp_path, "posted", text.format(method="post"))
    with pytest.raises(InputError, match=r"(?s)one\.py and two\.py .*GET /\.\nChange the path") as caught:
        Session(read([one, two]))
    assert len(str(caught.value).splitlines()) == 2
    Session(read([one, posted])).stop()


def saved_by(watcher: Watcher) -> list[SavedFile]:
    """What the watcher has read, once it has read something."""
    until = time.monotonic() + 10
    while not (found := watcher.poll()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_a_saved_file_may_not_take_the_path_of_another(tmp_path: Path) -> None:
    """Hot reload serves a new version and a new path, and refuses a path that another scenario has."""
    text = "app = FastAPI()\n@app.get('/{path}')\nasync def root(): return '{says}'"
    one = scenario(tmp_path, "one", text.format(path="one", says="first"))
    two = scenario(tmp_path, "two", text.format(path="two", says="two"))
    files = read([one, two])
    watcher = Watcher(str(tmp_path), files)
    with session(*files) as made:
        scenario(tmp_path, "one", text.format(path="moved", says="second version"))
        (saved,) = saved_by(watcher)
        assert saved.scenario is not None
        made.reload(saved.scenario).result(10)
        assert answer(port_of(made), "GET", "/moved")[:2] == (200, b'"second version"')
        assert answer(port_of(made), "GET", "/one")[0] == 404
        scenario(tmp_path, "one", text.format(path="two", says="a third one"))
        (saved,) = saved_by(watcher)
        assert saved.scenario is None
        assert "one.py" in (saved.error or "")
        assert "two.py" in (saved.error or "")
        with pytest.raises(InputError, match="both fired at GET /two"):
            made.reload(read([one])[0]).result(10)
        assert answer(port_of(made), "GET", "/two")[:2] == (200, b'"two"')


def test_scenarios_that_are_prepared_later_are_served(tmp_path: Path) -> None:
    """A built-in scenario that is not executed yet is prepared by the first request for it."""
    files = read([*find("trivial_async"), *find("trivial_def")])
    with session(*files, lazily=True) as made:
        for name in ("trivial_async", "trivial_def"):
            assert answer(port_of(made), "GET", f"/{name}")[0] == 200
        assert answer(port_of(made), "GET", "/trivial_def/nothing")[0] == 404
        made.fire(files[0], 1).result(20)


LIVES = """
done = []

class App:
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["made"] = "by hand"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            done.append("ended")
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await PlainTextResponse(scope["state"]["made"] + str("app" in scope))(scope, receive, send)

app = App()
"""


def test_a_lifespan_is_run_by_the_protocol(tmp_path: Path) -> None:
    """The lifespan of a plain ASGI application, and of one behind middleware, begins and ends."""
    plain = scenario(tmp_path, "plain", LIVES, ', path="/plain"')
    (file,) = read([plain])
    with session(file) as made:
        assert answer(port_of(made), "GET", "/plain")[:2] == (200, b"by handFalse")
    assert file.app.__call__.__globals__["done"] == ["ended"]
    wrapped = ORDINARY.replace("is app", "is within")
    wrapped += (
        "\nfrom starlette.middleware.gzip import GZipMiddleware\nwithin = app\napp = GZipMiddleware(app)"
    )
    (file,) = read([scenario(tmp_path, "wrapped", wrapped)])
    with session(file) as made:
        assert json.loads(answer(port_of(made), "GET", "/x")[1])[:2] == [True, "in the lifespan"]


@pytest.mark.parametrize(
    ("sends", "says"), [('"message": "no database"', "no database"), ("", "gave no reason")]
)
def test_a_lifespan_that_reports_its_failure(tmp_path: Path, sends: str, says: str) -> None:
    """A startup that fails by message is the reason that the server does not start."""
    text = f"""
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({{"type": "lifespan.startup.failed", {sends}}})
"""
    files = read([scenario(tmp_path, "failing", text, ', path="/x"')])
    with pytest.raises(InputError, match=says), session(*files):
        pass


HOSTILE = """
class App:
    @property
    def routes(self): raise RuntimeError("not now")
    @property
    def app(self): raise RuntimeError("not now")
    def openapi(self): raise RuntimeError("no document")
    async def __call__(self, scope, receive, send):
        assert scope["type"] != "lifespan"
        await PlainTextResponse("hostile")(scope, receive, send)

app = App()
"""
OLD = """
class App:
    def __init__(self, scope): self.scope = scope
    async def __call__(self, receive, send):
        assert self.scope["type"] == "http"
        await PlainTextResponse("ASGI 2")(self.scope, receive, send)

app = App
"""
FACTORY = """
def app():
    made = FastAPI()
    @made.get("/x")
    async def x(): return "made"
    return made
"""


@pytest.mark.parametrize(
    ("text", "body"),
    [(HOSTILE, b"hostile"), (OLD, b"ASGI 2"), (FACTORY, b'"made"')],
    ids=["h", "2", "factory"],
)
def test_applications_that_are_not_starlettes(tmp_path: Path, text: str, body: bytes) -> None:
    """Whatever uvicorn serves is served: hostile attributes, ASGI 2, a factory; alone and among others."""
    file = scenario(tmp_path, "x", text, ', path="/x"')
    other = scenario(tmp_path, "other", "app = FastAPI()\n@app.get('/other')\nasync def other(): return 1")
    for files in ([file], [other, file]):
        with session(*read(files)) as made:
            assert answer(port_of(made), "GET", "/x")[:2] == (200, body)
            made.fire(read([file])[0], 1).result(20)
