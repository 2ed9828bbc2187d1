"""Scenario files: how they are found and read, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopviz.errors import InputError
from loopviz.scenario import RESERVED_KEYS, Load, Scenario, builtin_folder, find, nearest, read

GOOD = """
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/{name}")
async def handler() -> None: ...

scenario = Scenario(title="A title", expect="Something."{more})
"""


def write(folder: Path, name: str = "mine", text: str | None = None, more: str = "") -> Path:
    """A scenario file; a good one unless `text` says otherwise."""
    path = folder / f"{name}.py"
    path.write_text(GOOD.format(name=name, more=more) if text is None else text, encoding="utf-8")
    return path


def complaint(path: Path) -> list[str]:
    """The lines of the error that reading a file ends in."""
    with pytest.raises(InputError) as caught:
        read([path])
    lines = str(caught.value).splitlines()
    assert 1 <= len(lines) <= 2
    assert all(lines)
    assert "Traceback" not in str(caught.value)
    return lines


def test_the_built_in_ones() -> None:
    """Without a target there are the built-in scenarios, and all of them can be read."""
    files = read(find())
    assert {"async", "blocking", "cpu", "sync"} <= {file.name for file in files}
    for file in files:
        assert file.file.parent == builtin_folder()
        assert file.method == "GET"
        assert file.path.startswith("/")
        assert file.facts.key not in RESERVED_KEYS
        assert file.facts.title
        assert file.facts.expect


@pytest.mark.parametrize(
    ("name", "requests", "threads", "seconds"),
    [
        ("async", 8, 40, 1),
        ("blocking", 8, 40, 8),
        ("cpu", 8, 40, 2),
        ("sync", 40, 40, 1),
        ("sync", 41, 40, 2),
    ],
)
def test_makespan_laws(name: str, requests: int, threads: int, seconds: float) -> None:
    """The built-in scenarios' laws say what queueing theory says."""
    (file,) = read(find(name))
    assert file.facts.makespan is not None
    made = file.facts.makespan(Load(requests=requests, threads=threads, seconds=1, single=0.25))
    assert made == pytest.approx(seconds)


def test_find_by_name_file_and_folder(tmp_path: Path) -> None:
    """A built-in one is found by its name, others by their file or folder, sorted, private files left out."""
    assert find("async") == [builtin_folder() / "async.py"]
    two, one = write(tmp_path, "two"), write(tmp_path, "one")
    write(tmp_path, "_helper")
    (tmp_path / "notes.txt").write_text("not a scenario")
    assert find(str(tmp_path)) == [one, two]
    assert find(str(two)) == [two]


@pytest.mark.parametrize(("given", "meant"), [("asinc", "async"), ("blockin", "blocking"), ("synch", "sync")])
def test_unknown_name(given: str, meant: str) -> None:
    """An unknown name is refused with the nearest one that is known."""
    with pytest.raises(InputError, match=rf"(?s){given}.*Did you mean {meant}"):
        find(given)


def test_unknown_name_like_nothing() -> None:
    """A name that is like none is refused with all that there are."""
    with pytest.raises(InputError, match=r"(?s)zzz.*async.*blocking.*sync"):
        find("zzz")


@pytest.mark.parametrize("target", ["no/such/file.py", "missing.py", "./missing"])
def test_missing_file(target: str) -> None:
    """A file that is not there is said not to exist."""
    with pytest.raises(InputError, match=r"missing|no/such") as caught:
        find(target)
    assert "does not exist" in str(caught.value)


def test_empty_folder(tmp_path: Path) -> None:
    """A folder without a scenario is refused."""
    with pytest.raises(InputError, match=r"no \.py file"):
        find(str(tmp_path))


def test_reading(tmp_path: Path) -> None:
    """A file's facts, application, method and first path are read."""
    (file,) = read([write(tmp_path, more=', key="u", requests=3, seconds=0.5')])
    assert (file.name, file.method, file.path) == ("mine", "GET", "/mine")
    assert (file.facts.key, file.facts.requests, file.facts.seconds) == ("u", 3, 0.5)
    assert callable(file.app)


def test_another_method(tmp_path: Path) -> None:
    """An endpoint that is not for GET is requested by its own method, on the path that is declared."""
    text = GOOD.replace("app.get", "app.post").format(name="mine", more=', path="/mine?x=1"')
    (file,) = read([write(tmp_path, text=text)])
    assert (file.method, file.path) == ("POST", "/mine?x=1")


def test_a_bare_asgi_application(tmp_path: Path) -> None:
    """Any ASGI callable will do if the path is declared."""
    text = "from loopviz.scenario import Scenario\nasync def app(scope, receive, send): ...\n"
    path = write(tmp_path, text=text + 'scenario = Scenario(title="t", expect="e", path="/x")\n')
    (file,) = read([path])
    assert (file.method, file.path) == ("GET", "/x")


def test_syntax_error(tmp_path: Path) -> None:
    """A syntax error is reported with its line."""
    path = write(tmp_path, text="x = 1\ny = (\n")
    assert complaint(path)[0].startswith(f"{path}:2: syntax error")


def test_nothing_declared(tmp_path: Path) -> None:
    """A file without a scenario is refused, with what to add."""
    first, second = complaint(write(tmp_path, text="x = 1\n"))
    assert "declares no scenario" in first
    assert "Scenario(" in second


def test_no_application(tmp_path: Path) -> None:
    """A file without an application is refused, with what to add."""
    text = 'from loopviz.scenario import Scenario\nscenario = Scenario(title="t", expect="e")\n'
    first, second = complaint(write(tmp_path, text=text))
    assert "no application" in first
    assert "FastAPI()" in second


def test_no_endpoint(tmp_path: Path) -> None:
    """An application without an endpoint is refused, with what to add."""
    text = "\n".join(
        line
        for line in GOOD.format(name="mine", more="").splitlines()
        if "handler" not in line and "@" not in line
    )
    first, second = complaint(write(tmp_path, text=text))
    assert "no endpoint" in first
    assert "@app.get" in second


def test_unknown_field(tmp_path: Path) -> None:
    """An unknown field is reported with its line and the most similar known field."""
    path = write(tmp_path, more=", request=3")
    first, second = complaint(path)
    assert first.startswith(f"{path}:10:")
    assert "'request'" in first
    assert "requests" in second


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (', key="A"', "'A'"),
        (', key="ab"', "'ab'"),
        (', key="q"', RESERVED_KEYS["q"]),
        (", requests=0", "0"),
        (", requests=1.5", "1.5"),
        (", repair=1", "repair must be a text"),
        (", repaired=('async',)", "repaired must be the name of a scenario"),
    ],
)
def test_bad_values(tmp_path: Path, more: str, says: str) -> None:
    """A value that no screen and no load could use is refused, with its line and the value."""
    path = write(tmp_path, more=more)
    first = complaint(path)[0]
    assert first.startswith(f"{path}:10:")
    assert says in first


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS))
def test_reserved_keys(key: str) -> None:
    """No scenario may take a key that the screen needs for itself."""
    with pytest.raises(ValueError, match=RESERVED_KEYS[key]):
        Scenario(title="t", expect="e", key=key)


def test_one_key_twice(tmp_path: Path) -> None:
    """Two scenarios with one key are refused, and both are named."""
    paths = [write(tmp_path, name, more=', key="u"') for name in ("one", "two")]
    with pytest.raises(InputError, match=r"one\.py and two\.py .*'u'"):
        read(paths)
    assert len(read([write(tmp_path, "one"), write(tmp_path, "two")])) == 2  # none has a key


def test_import_error(tmp_path: Path) -> None:
    """A missing module is reported by its name, with the line that imports it."""
    path = write(tmp_path, text="x = 1\nimport no_such_module_at_all\n")
    first, second = complaint(path)
    assert first.startswith(f"{path}:2:")
    assert "no_such_module_at_all" in first
    assert "Install" in second


@pytest.mark.parametrize("bad", ["1 / 0", "raise SystemExit(3)", "int('x')"])
def test_exception_at_import(tmp_path: Path, bad: str) -> None:
    """Whatever a file raises while it is read is reported by its type and line."""
    path = write(tmp_path, text=f"\n\n{bad}\n")
    assert complaint(path)[0].startswith(f"{path}:3: ")


def test_not_python(tmp_path: Path) -> None:
    """A file that is no Python is refused."""
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert "not a Python file" in complaint(path)[0]


def test_nearest() -> None:
    """An unknown name is answered with the closest one, or with all."""
    assert "Did you mean spam?" in nearest("dish", "spamm", ["spam", "egg"])
    assert "Known: spam, egg." in nearest("dish", "zzzzz", ["spam", "egg"])
