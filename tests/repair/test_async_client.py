"""A blocking HTTP client becomes one shared client that is awaited."""

from __future__ import annotations

import pytest

from tests.repair.sources import refusal, repair


def module(statement: str, imports: str, after: str = "    return r.json()\n") -> str:
    """A module whose `async def` function has a statement."""
    return f"{imports}\nURL = 'http://127.0.0.1/a'\n\n\nasync def f(a=0, b=()):\n    {statement}\n{after}"


def test_httpx_becomes_a_shared_client():
    """The client is made when the module is imported; the call is awaited, and its URL stays as it is."""
    source = module("r = httpx.get(f'{URL}/x?a=1', params={'b': a})", "import os\n\nimport httpx\n")
    done = repair(source, "async-client", "httpx.get")
    assert done == (
        "import os\n\nimport httpx\n\nclient = httpx.AsyncClient()\n\nURL = 'http://127.0.0.1/a'\n\n\n"
        "async def f(a=0, b=()):\n    r = await client.get(f'{URL}/x?a=1', params={'b': a})\n"
        "    return r.json()\n"
    )


def test_a_second_repair_uses_the_same_client():
    """There is one client for the module, however many calls use it."""
    source = module("r = httpx.get(URL)\n    s = httpx.post(URL)", "import httpx\n")
    once = repair(source, "async-client", "httpx.get")
    twice = repair(once, "async-client", "httpx.post")
    assert twice.count("AsyncClient") == 1
    assert "s = await client.post(URL)" in twice


def test_a_name_that_is_taken_is_not_used():
    """Neither a name of the module nor one of a function is used for the client."""
    source = module("client = 1; r = httpx.get(URL)", "import httpx\n")
    assert "http_client = httpx.AsyncClient()" in repair(source, "async-client", "httpx.get")


@pytest.mark.parametrize(
    ("imports", "statement", "expected"),
    [
        ("import requests\n", "r = requests.get(URL)", "r = await client.get(URL)"),
        ("import requests as q\n", "r = q.get(URL, timeout=3)", "r = await client.get(URL, timeout=3)"),
        (
            "from requests import post\n",
            "r = post(URL, {'a': 1})",
            "r = await client.post(URL, data={'a': 1})",
        ),
        ("import requests\n", "r = requests.post(URL, json=a)", "r = await client.post(URL, json=a)"),
        (
            "import requests\n",
            "r = requests.get(URL, {'q': str(a)}, allow_redirects = False)",
            "r = await client.get(URL, params={'q': str(a)}, follow_redirects = False)",
        ),
        ("import requests\n", "r = requests.head(URL)", "r = await client.head(URL, follow_redirects=False)"),
        ("import requests\n", "r = requests.request('GET', URL)", "r = await client.request('GET', URL)"),
        ("import requests\n", "r = requests.get(URL).json()", "r = (await client.get(URL)).json()"),
        ("import requests\n", "b = requests.get(URL).ok", "b = (not (await client.get(URL)).is_error)"),
    ],
)
def test_requests_means_the_same_with_httpx(imports, statement, expected):
    """Redirects are followed and nothing times out, as with requests; arguments get the names of httpx."""
    after = "" if "r = " not in statement or ".json" in statement else "    return r.text\n"
    done = repair(module(statement, imports, after), "async-client", statement)
    assert f"    {expected}\n" in done
    assert done.startswith(
        "import httpx\n\nclient = httpx.AsyncClient(follow_redirects=True, timeout=None)\n"
    )
    assert "requests" not in done


def test_the_response_of_requests_is_read_as_that_of_httpx():
    """What is read of the response means the same: `ok` is no error."""
    after = (
        "    r.raise_for_status()\n    if r.ok and r.status_code < 300 and r.headers['a']:\n"
        "        return r.content\n    return not r.ok\n"
    )
    done = repair(module("r = requests.get(URL)", "import requests\n", after), "async-client", "requests.get")
    assert "if (not r.is_error) and r.status_code < 300 and r.headers['a']:" in done
    assert "return not (not r.is_error)\n" in done


@pytest.mark.parametrize(
    ("statement", "after", "why"),
    [
        ("r = requests.get(URL, verify=False)", "", "verify"),
        ("r = requests.get(URL, cookies=a)", "", "cookies"),
        ("r = requests.get(*b)", "", "not written out"),
        ("r = requests.get(URL, **a)", "", "not written out"),
        ("r = requests.get(a, params={'b': 1})", "", "query of its own"),
        ("r = requests.get(f'{a}?x=1', params={'b': 1})", "", "query of its own"),
        ("r = requests.get(URL, params={'b': None})", "", "None, True or False"),
        ("r = requests.post(URL, data=a)", "", "a form"),
        ("r = requests.get(URL, json=a)", "", "no body"),
        ("r = requests.get(URL, auth=a)", "", "kind of auth"),
        ("r = requests.get(URL)", "    return r\n", "passed on"),
        ("r = requests.get(URL)", "    return r.cookies\n", ".cookies"),
        ("r = requests.get(URL)", "    return lambda: r.text\n", "inside of this one"),
        ("r = s = requests.get(URL); r = 1", "", "not seen"),
        ("r = requests.Session().get(URL)", "", "no call of"),
        ("r = [requests.get(n).text for n in b]", "", "list comprehension"),
        ("try:\n        r = requests.get(URL)\n    except requests.RequestException: pass", "", "exceptions"),
        (
            "r = requests.get(URL)",
            "\n\ntry:\n    f()\nexcept requests.exceptions.Timeout: pass\n",
            "exceptions",
        ),
        ("r = httpx.get(URL, verify=False)", "", "verify"),
        ("r = httpx.get(URL, cookies=a)", "", "cookies"),
        ("r = httpx.Client().get(URL)", "", "no call of"),
    ],
)
def test_what_httpx_would_do_otherwise_is_refused(statement, after, why):
    """Where the shared client could answer otherwise, nothing is changed, and the reason is said."""
    source = module(statement, "import httpx\nimport requests\n", after)
    mark = next(line for line in statement.splitlines() if "URL" in line or "(" in line)
    assert why in refusal(source, "async-client", mark.strip())


def test_the_client_works_where_the_module_is_imported_before_a_loop_runs():
    """Making the client needs no event loop: it is made when the module is imported."""
    done = repair(module("r = httpx.get(URL)", "import httpx\n"), "async-client", "httpx.get")
    names: dict[str, object] = {}
    exec(compile(done, "file.py", "exec"), names)
    assert type(names["client"]).__name__ == "AsyncClient"


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ("", "import httpx\n\nclient = "),
        ('"""A docstring."""\n', '"""A docstring."""\n\nimport httpx\n\nclient = '),
        ("# a comment\nimport os\n", "# a comment\nimport os\n\nimport httpx\n\nclient = "),
        (
            "import os\nfrom fastapi import FastAPI\n",
            "import os\nimport httpx\nfrom fastapi import FastAPI\n\nclient",
        ),
        ("from . import x\n", "import httpx\n\nfrom . import x\n\nclient = "),
    ],
)
def test_where_import_and_client_stand(imports, expected):
    """The import is in its group, and the client below all imports."""
    source = module("import requests; r = requests.get(URL)", imports)
    assert repair(source, "async-client", "requests.get").startswith(expected)
