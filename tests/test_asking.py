"""What the requests of a scenario ask for: values declared, values of the OpenAPI document, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loopviz import cli
from loopviz.claims import Burst
from loopviz.errors import InputError
from loopviz.experiment.bench import Bench
from loopviz.live.session import Session
from loopviz.scenario import Scenario, ScenarioFile, read
from loopviz.scenario.asking import ask
from loopviz.stream import events as ev

HEAD = """
from enum import Enum
from typing import Annotated
from fastapi import Body, Cookie, FastAPI, Header, Path, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field
from loopviz.scenario import Scenario

app = FastAPI()

"""
ECHO = "{'path': r.url.path, 'query': r.url.query, 'body': (await r.body()).decode()}"
PARAMETER = "@app.get('/a/{item}')\nasync def a(item: int): return item"
MODELS = """
class Inner(BaseModel):
    n: int = Field(examples=[5, 6])
    optional: str = "x"

class Item(BaseModel):
    name: str = Field(json_schema_extra={"example": "apple"})
    inner: Inner
    kind: Annotated[str, Field(json_schema_extra={"enum": ["k1", "k2"]})]

@app.post("/items")
async def items(item: Item): return item
"""
NO_FIELD: dict[str, Any] = {"schema": {"properties": {}, "required": [{}]}}
TWICE = """
class E(BaseModel):
    a: 'E | F'
    b: 'F | E'

class F(BaseModel):
    a: 'E | F'
    b: 'F | E'

@app.post('/e')
async def e(e: E): return e
"""


def scenario(folder: Path, text: str, facts: str = "", name: str = "mine") -> ScenarioFile:
    """A scenario with this application and these facts."""
    path = folder / f"{name}.py"
    declared = f'\n\nscenario = Scenario(title="t", expect="e", requests=2, seconds=0.01{facts})\n'
    path.write_text(HEAD + text + declared, encoding="utf-8")
    (file,) = read([path])
    return file


def fired(file: ScenarioFile) -> tuple[set[int | None], set[tuple[str, str]]]:
    """The status of what loopviz fires at a scenario, and the methods and paths that it reports."""
    session = Session([file])
    session.start()
    try:
        session.wait()
        session.fire(file, 2).result(20)
        events = session.drain_all()
    finally:
        assert session.stop()
    received = {event[3] for event in events if event[1] == ev.RECEIVED}
    return received, {(event[3], event[4]) for event in events if event[1] == ev.SENT}


@pytest.mark.parametrize(
    ("text", "facts", "path"),
    [
        (PARAMETER, ', params={"item": 3}', "/a/3"),
        (PARAMETER, ', params={"item": 3, "q": ["a b", True]}', "/a/3?q=a+b&q=true"),
        (PARAMETER, ', path="/a/4"', "/a/4"),
        (PARAMETER, ', path="/a/{item}?x=1", params={"item": 5, "y": 2}', "/a/5?x=1&y=2"),
        (PARAMETER.replace("item: int", "item: Annotated[int, Path(examples=[7])]"), "", "/a/7"),
        (PARAMETER.replace("item: int", "item: Annotated[int, Path(openapi_examples={'x': {'value': 8}})]"),
         "", "/a/8"),
        (PARAMETER.replace("item: int", "item: Annotated[int, Path(json_schema_extra={'example': 9})]"), "",
         "/a/9"),
        ("class K(str, Enum):\n    a = 'a1'\n    b = 'b1'\n" + PARAMETER.replace("int", "K"), "", "/a/a1"),
        ("@app.get('/f/{p:path}')\nasync def f(p: str): return p", ', params={"p": "x/y é"}',
         "/f/x/y%20%C3%A9"),
        ("@app.get('/q')\nasync def q(a: Annotated[str, Query(examples=['w'])], o: int = 1): return a", "",
         "/q?a=w"),
        ("@app.get('/q')\nasync def q(a: Annotated[list[int], Query(examples=[[1, 2]])]): return a", "",
         "/q?a=1&a=2"),
        ("@app.get('/h')\nasync def h(x_t: Annotated[str, Header(examples=['t'])], "
         "c: Annotated[str, Cookie(examples=['k'])]): return [x_t, c]", "", "/h"),
        ("@app.get('/h')\nasync def h(x_t: Annotated[str, Header()]): return x_t", ', headers={"X-T": "t"}',
         "/h"),
        ("sub = FastAPI()\n@sub.get('/in/{n}')\nasync def n(n: Annotated[int, Path(examples=[1])]): "
         "return n\napp.mount('/sub', sub)", "", "/sub/in/1"),
    ],
)  # fmt: skip
def test_the_real_path_is_asked_for(tmp_path: Path, text: str, facts: str, path: str) -> None:
    """Parameters have their declared value, or the document's; the path that is reported is the real one."""
    file = scenario(tmp_path, text, facts)
    assert file.lacking is None
    assert (file.method, file.path) == ("GET", path)
    assert fired(file) == ({200}, {("GET", path)})


@pytest.mark.parametrize(
    ("text", "facts", "body"),
    [
        (MODELS, "", {"name": "apple", "inner": {"n": 5}, "kind": "k1"}),
        (MODELS, ', json={"name": "n", "inner": {"n": 1}, "kind": "k"}',
         {"name": "n", "inner": {"n": 1}, "kind": "k"}),
        (MODELS.replace("item: Item", "item: Annotated[Item, Body(examples=[{'name': 'whole', 'inner': "
         "{'n': 1}, 'kind': ''}])]"), "", {"name": "whole", "inner": {"n": 1}, "kind": ""}),
        (MODELS.replace("item: Item", "item: Annotated[Item, Body(openapi_examples={'e': {'value': {'name': "
         "'open', 'inner': {'n': 1}, 'kind': ''}}})]"), "", {"name": "open", "inner": {"n": 1}, "kind": ""}),
        ("class D(BaseModel):\n    n: int = 3\n@app.put('/d')\nasync def d(d: D): return d", "", {}),
        ("@app.post('/o')\nasync def o(r: Request, o: Annotated[list[int] | None, Body()] = None): return 1",
         "", None),
    ],
)  # fmt: skip
def test_a_body_is_put_together(tmp_path: Path, text: str, facts: str, body: Any) -> None:
    """A body is the declared one, the document's example, or what its required fields' values add up to."""
    file = scenario(tmp_path, text, facts)
    assert (None if file.body is None else json.loads(file.body)) == body
    assert fired(file)[0] == {200}


def test_a_body_that_is_no_json(tmp_path: Path) -> None:
    """A declared text is sent as it is, with the declared headers; by POST where nothing else is known."""
    raw = "async def app(scope, receive, send):\n    r = Request(scope, receive)\n    said = f'{r.method}'"
    raw += "\n    said += (await r.body()).decode() + r.headers['content-type']"
    raw += "\n    assert said == 'POSTa=1text/x', said\n    await PlainTextResponse('')(scope, receive, send)"
    file = scenario(tmp_path, raw, ', path="/x", body="a=1", headers={"content-type": "text/x"}')
    assert (file.method, file.body) == ("POST", b"a=1")
    assert fired(file) == ({200}, {("POST", "/x")})


def test_the_endpoint_is_the_one_that_is_meant(tmp_path: Path) -> None:
    """Method and body choose among the endpoints of one path, and a method among all."""
    text = "@app.get('/x')\nasync def g(): return 1\n"
    text += "@app.post('/x')\nasync def p(n: Annotated[int, Body()]): return n"
    assert scenario(tmp_path, text).method == "GET"
    assert scenario(tmp_path, text, ', path="/x", json=3').method == "POST"
    assert scenario(tmp_path, text, ', method="post", json=3').path == "/x"
    with pytest.raises(InputError, match=r"no endpoint for DELETE"):
        scenario(tmp_path, text, ', method="DELETE"')


@pytest.mark.parametrize(
    ("text", "lacks", "advice"),
    [
        (PARAMETER, "the path parameter 'item' of GET /a/{item}.", "params={'item': …}"),
        ("@app.get('/q')\nasync def q(a: int, b: str): return a",
         "the query parameter 'a' and the query parameter 'b' of GET /q.", "params={'a': …, 'b': …}"),
        ("@app.get('/h')\nasync def h(x_t: Annotated[str, Header()]): return x_t", "the header 'x-t'",
         "headers={'x-t': …}"),
        (MODELS.replace("examples=[5, 6]", ""), "the field 'inner.n' in the body of POST /items.",
         "json={'name': …, 'inner': …, 'kind': …}"),
        ("@app.post('/l')\nasync def l(n: Annotated[list[int], Body()]): return n", "the body of POST /l.",
         "json=…"),
        ("class N(BaseModel):\n    next: 'N'\n@app.post('/n')\nasync def n(n: N): return n", "in the body",
         "json="),
        (PARAMETER + "\ndef openapi(): raise LookupError('none')\napp.openapi = openapi",
         "GET /a/{item} (its openapi() raises LookupError).", "params={'item': …}"),
        (PARAMETER + "\napp.openapi = lambda: {'paths': {'/a/{item}': {'get': {'parameters': [3, "
         "{'$ref': 7}]}}}}", "the path parameter 'item'", "params={'item': …}"),
        (TWICE, "the field 'a' in the body and the field 'b'", "json="),
        ("from starlette.applications import Starlette\nfrom starlette.routing import Route\n"
         "async def f(r): return PlainTextResponse('')\napp = Starlette(routes=[Route('/f/{p:path}', f)])",
         "the path parameter 'p' of GET /f/{p}.", "params={'p': …}"),
    ],
)  # fmt: skip
def test_what_is_lacking_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, lacks: str, advice: str
) -> None:
    """Without a value nothing is fired: two lines say what is lacking and how to declare it; exit code 2."""
    file = scenario(tmp_path, text)
    assert file.lacking is not None
    assert cli.main(["record", str(file.file)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("loopviz: mine.py: no value for ")
    assert lacks in first
    assert advice in second
    session = Session([file])
    try:
        with pytest.raises(InputError, match="no value for"):
            session.fire(file, 1)
    finally:
        session.stop()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"paths": 3},
        {"paths": {"/x": {"post": []}}},
        {"paths": {"/x": {"post": {"parameters": 3, "requestBody": {"required": True, "content": {3: 4}}}}}},
        {
            "paths": {"/x": {"post": {"parameters": [{"name": 3, "in": "path"}, {"$ref": "#/a"}]}}},
            "a": {"$ref": "#/a"},
        },
        {
            "paths": {
                "/x": {"post": {"requestBody": {"required": True, "content": {"text/json+json": NO_FIELD}}}}
            }
        },
    ],
)
def test_a_document_that_is_none_is_no_error(tmp_path: Path, document: Any) -> None:
    """A document of any shape is read without an error, and never for ever."""
    text = f"@app.post('/x')\nasync def x(): return 1\napp.openapi = lambda: {document!r}"
    file = scenario(tmp_path, text)
    assert (file.method, file.path) == ("POST", "/x")


def test_reading_leaves_the_document_as_it_was(tmp_path: Path) -> None:
    """The application's document is not kept from when loopviz read it: the application may change it."""
    file = scenario(tmp_path, PARAMETER, ', params={"item": 1}')
    assert file.app.openapi_schema is None


def test_a_property_that_raises_is_no_error() -> None:
    """An application whose attributes raise is asked for what is declared."""

    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    asked = ask("x.py", Scenario(title="t", expect="e", path="/x/{n}", params={"n": 1}), Hostile())
    assert asked is not None
    assert (asked.method, asked.path) == ("GET", "/x/1")
    assert ask("x.py", Scenario(title="t", expect="e"), Hostile()) is None


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (', params={"item": None}', "params must be a dictionary of names and values"),
        (", params=[1]", "params must be a dictionary of names and values"),
        (", json={1, 2}", "json must be a value that JSON can express"),
        (", json=float('nan')", "json must be a value that JSON can express"),
        (', json=1, body="x"', "declare json or body, not both"),
        (", body=3", "body must be a text or bytes"),
        (', headers={"a": 1}', "headers must be a dictionary of names and texts"),
        (', headers={"a": "x\\r\\ny: z"}', "headers must be a dictionary of names and texts"),
        (', headers={"a b": "x"}', "headers must be a dictionary of names and texts"),
        (', headers={"Content-Length": "99"}', "headers must not have 'Content-Length': the client sets it"),
        (', method="GET /"', "method must be a method such as 'POST'"),
        (', path="http://example.com/"', "path must begin with /"),
        (', path="/a b"', "path must begin with /"),
    ],
)
def test_a_declaration_that_cannot_be_sent_is_refused(tmp_path: Path, facts: str, says: str) -> None:
    """A fact that cannot be sent is refused with its line, and with what it must be."""
    with pytest.raises(InputError) as caught:
        scenario(tmp_path, PARAMETER, facts)
    first, second = str(caught.value).splitlines()
    assert "mine.py:" in first
    assert says in first
    assert second


def test_a_get_and_a_post_of_one_path_are_distinguished(tmp_path: Path) -> None:
    """Two scenarios at one path, with two methods, are measured each by its own name."""
    text = "@app.{}('/')\nasync def root(): return 1"
    files = [scenario(tmp_path, text.format(method), name=method) for method in ("get", "post")]
    with Bench(files) as bench:
        sample = bench.fire(Burst("get", 2), Burst("post", 3))
    assert len(sample.of("get").requests) == 2
    assert len(sample.of("post").requests) == 3
