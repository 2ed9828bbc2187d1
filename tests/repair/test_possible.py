"""Which kind of repair fits a call that blocks."""

from __future__ import annotations

import pytest

from loopviz.repair import possible, why_none
from tests.repair.sources import line_of

HEAD = (
    "import sqlite3\nimport subprocess\nimport time\nfrom pathlib import Path\n\n"
    "import httpx\nimport requests\n"
    "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n"
)


@pytest.mark.parametrize(
    ("statement", "calls", "kind"),
    [
        ("time.sleep(1)", "time.sleep", "async-sleep"),
        ("x = httpx.get(URL)", "httpx.get", "async-client"),
        ("x = httpx.get(URL, verify=False)", "httpx.get", "to-thread"),
        ("x = requests.get(URL).json()", "requests.get", "async-client"),
        ("x = requests.get(URL).elapsed", "requests.get", "to-thread"),
        ("subprocess.run(['a'])", "subprocess.run", "to-thread"),
        ("x = Path('a').read_text()", "Path", "to-thread"),
        ("x = open('a').read()", "open", "to-thread"),
        ("x = client.query('a')", "client.query", "to-thread"),
        ("with open('a') as x: x = 1", "open", "plain-def"),
        ("with open('a') as x: y = x.read()", "x.read", "plain-def"),
        ("with open('a') as x: await z(x.read())", "x.read", "to-thread"),
        ("with Session() as x: return x.scalar(1)", "x.scalar", "plain-def"),
        ("x = [time.sleep(n) for n in y]", "time.sleep", "plain-def"),
        ("c = sqlite3.connect('a'); c.execute('b')", "c.execute", "plain-def"),
        ("x = 1 + 1", "", None),
        ("for n in range(8_000_000): x = n", "range", None),
        ("await later()", "later", None),
    ],
)
def test_the_kind_for_a_call_in_an_endpoint(statement, calls, kind):
    """No thread where none is needed, a thread for the call, else one for the whole endpoint."""
    source = f"{HEAD}@app.get('/')\nasync def f():\n    {statement}\n"
    assert possible(source, line=line_of(source, statement), function="f", calls=calls) == kind


def test_nothing_fits():
    """A function that others call, at a line that is not there, or in a file that is none."""
    source = f"{HEAD}async def f():\n    with lock: slow()\n\n\nf()\n"
    assert possible(source, line=line_of(source, "slow()"), function="f", calls="slow") is None
    assert possible(source, line=999, function="f") is None
    assert possible("async def", line=1, function="f") is None


@pytest.mark.parametrize(
    ("lines", "calls", "why"),
    [
        (("n = STATE[0]", "time.sleep(1)", "STATE[0] = n"), "time.sleep", "STATE is read before the call"),
        (
            ("n = STATE[0]", "n = requests.get(n).json()", "STATE[0] = n"),
            "requests.get",
            "STATE is read before",
        ),
        (("n = 1", "time.sleep(1)"), "time.sleep", None),
        (("n = 1", "x = n"), "", None),
    ],
)
def test_why_nothing_fits(lines, calls, why):
    """The reason is that of the repair that would be made otherwise."""
    source = f"{HEAD}STATE = [1]\n\n\n@app.get('/')\nasync def f():\n    " + "\n    ".join(lines) + "\n"
    found = why_none(source, line=line_of(source, lines[1]), function="f", calls=calls)
    assert (found or "").startswith(why or "")
    assert (found is None) == (why is None)
    assert why_none("async def", line=1, function="f") is None
