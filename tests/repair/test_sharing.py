"""What a function uses that is not its own."""

from __future__ import annotations

import pytest

from loopviz.repair.outline import Outline, read
from loopviz.repair.sharing import Given, accesses, changes

SOURCE = """
from fastapi import Depends, FastAPI
from elsewhere import basket

app = FastAPI()
STATE = {"n": 0}


def bump():
    STATE["n"] += 1


def made():
    return {}


@app.get("/own")
async def own(item: str):
    rows = [item]
    rows.append(item)


@app.get("/read")
async def reads():
    return STATE["n"]


@app.get("/called")
async def calls():
    bump()


@app.get("/alias")
async def alias():
    state = STATE
    state["n"] = 1


@app.get("/given")
async def given(b=Depends(basket)):
    b.n = 1


@app.get("/made")
async def gets(d=Depends(made)):
    d["n"] = 1
"""


@pytest.fixture
def outline() -> Outline:
    """The source, read."""
    return read(SOURCE)


@pytest.mark.parametrize(
    ("name", "changed"),
    [("own", []), ("reads", []), ("calls", ["STATE"]), ("alias", ["STATE"]), ("given", []), ("gets", [])],
)
def test_what_outlives_a_function_that_changes_it(outline, name, changed):
    """The module's things, also by another name and in functions that are called; not the function's own."""
    function = next(one for one in outline.functions if one.name == name)
    assert changes(outline, function) == changed


@pytest.mark.parametrize(("name", "shared"), [("given", {"b"}), ("gets", set())])
def test_what_a_dependency_gives(outline, name, shared):
    """One of another file may give all requests the same; one of this file is seen to make something new."""
    function = next(one for one in outline.functions if one.name == name)
    found = {used for used, changed, _ in accesses(outline, function, Given.UNSEEN) if changed}
    assert found == shared
