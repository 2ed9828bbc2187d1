"""Scenario files that import what lies beside them, and files of the same name in several folders."""

from __future__ import annotations

import importlib
import json
import linecache
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from loopviz import cli
from loopviz.errors import InputError
from loopviz.live.session import Session
from loopviz.scenario import ScenarioFile, read

MAIN = """
{imports}
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/{name}")
async def answer():
    {lazily}
    return {value}

def compute():
    return {value}

scenario = Scenario(title="a title", expect="it", requests=1{more})
"""


def main(
    file: Path,
    imports: str = "import helper",
    value: str = "helper.VALUE",
    lazily: str = "pass",
    more: str = "",
) -> Path:
    """A scenario file that answers with a value of what it imports."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = MAIN.format(imports=imports, value=value, lazily=lazily, more=more, name=file.stem)
    file.write_text(text, encoding="utf-8")
    return file


def module(file: Path, value: str, more: str = "") -> Path:
    """A module beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{more}\nVALUE = {value!r}\n\ndef compute():\n    return VALUE\n", encoding="utf-8")
    return file


def answer(*files: ScenarioFile) -> list[Any]:
    """What the scenarios answer, each on a server of its own, in turn."""
    answers = []
    for file in files:
        session = Session([file])
        session.start()
        try:
            session.wait()
            response = httpx.get(f"http://{session.address}{file.path}", trust_env=False, timeout=30)
            answers.append(response.json() if response.status_code == 200 else response.status_code)
        finally:
            session.stop()
    return answers


def of(file: ScenarioFile) -> ModuleType:
    """The module that a scenario file became."""
    return sys.modules[next(r.endpoint.__module__ for r in file.app.routes if r.path == file.path)]


def test_a_module_beside_the_file(tmp_path):
    """`import helper` finds helper.py beside the file, as with `python FILE`, and what that imports."""
    module(tmp_path / "helper.py", "beside", more="import helper_two")
    module(tmp_path / "helper_two.py", "further")
    (file,) = read([main(tmp_path / "main.py")])
    assert answer(file) == ["beside"]


def test_a_folder_beside_the_file(tmp_path):
    """A package beside it, and a folder without __init__.py, are found as well."""
    module(tmp_path / "helper_pack" / "one.py", "one")
    (tmp_path / "helper_pack" / "__init__.py").write_text("from . import one\n")
    module(tmp_path / "helper_space" / "two.py", "two")
    imports = "import helper_pack\nfrom helper_space import two"
    (file,) = read([main(tmp_path / "main.py", imports, "[helper_pack.one.VALUE, two.VALUE]")])
    assert answer(file) == [["one", "two"]]


@pytest.mark.parametrize(
    "imports", ["from . import helper", "from helper_app import helper", "import helper_app.helper as helper"]
)
def test_a_file_of_a_package(tmp_path, imports):
    """A file of a package is a module of it, as with `fastapi dev`: relative and absolute imports are one."""
    folder = tmp_path / "helper_app"
    module(folder / "helper.py", "in the package", more="from helper_app import other")
    module(folder / "other.py", "other")
    (folder / "__init__.py").write_text("")
    value = "[helper.VALUE, __name__, helper is __import__('sys').modules['helper_app.helper']]"
    (file,) = read([main(folder / "main.py", imports, value)])
    assert answer(file) == [["in the package", "helper_app.main", True]]


def test_a_package_that_imports_the_file(tmp_path):
    """If the package itself imports the file, it is executed once."""
    folder = tmp_path / "helper_self"
    module(folder / "helper.py", "x")
    counted = "import builtins\nbuiltins.helper_count = getattr(builtins, 'helper_count', 0) + 1"
    file = main(folder / "main.py", counted, "__import__('builtins').helper_count")
    (folder / "__init__.py").write_text("from .main import app\n")
    assert answer(*read([file])) == [1]


def test_one_name_in_two_folders(tmp_path):
    """Files of the same name are two modules and two scenarios, each with the modules beside it.

    This holds while the other one is used, and for what is imported when a request comes.
    """
    for name in ("old", "new"):
        module(tmp_path / name / "helper.py", name)
        module(tmp_path / name / "helper_late.py", f"late {name}")
        main(
            tmp_path / name / "main.py",
            value="[helper.VALUE, late()]",
            imports="import helper\n\ndef late():\n    import helper_late\n    return helper_late.VALUE",
        )
    old, new = read([tmp_path / "old" / "main.py", tmp_path / "new" / "main.py"])
    assert sorted([old.name, new.name]) == ["new/main", "old/main"]
    both = answer(old, new, old)
    expected = {
        name: [name.partition("/")[0], f"late {name.partition('/')[0]}"] for name in (old.name, new.name)
    }
    assert both == [expected[old.name], expected[new.name], expected[old.name]]


def test_a_module_of_another_folder_is_not_found(tmp_path):
    """A folder without helper.py has none, although one was loaded from another folder before."""
    module(tmp_path / "one" / "helper.py", "one")
    read([main(tmp_path / "one" / "main.py")])
    with pytest.raises(InputError, match=r"two/main\.py:2: No module named 'helper'"):
        read([main(tmp_path / "two" / "main.py")])


def test_a_comparison_names_both(tmp_path, capsys):
    """`loopviz compare` distinguishes files of the same name, and numbers a file that is given twice."""
    paths = []
    for name, seconds in (("old", 0.3), ("new", 0.05)):
        module(tmp_path / name / "helper.py", name)
        paths.append(main(tmp_path / name / "main.py", lazily=f"import time; time.sleep({seconds})"))
    arguments = ["compare", *map(str, [*paths, paths[0]]), "--json", "--requests", "1"]
    assert cli.main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert [run["scenario"] for run in document["runs"]] == ["old/main (1)", "new/main", "old/main (2)"]
    assert document["winner"] == "new/main"


def test_one_key_in_two_folders(tmp_path):
    """The error about a key names both files, by their paths if their names are the same."""
    files = [main(tmp_path / name / "main.py", "pass", "1", more=', key="u"') for name in ("old", "new")]
    with pytest.raises(InputError) as caught:
        read(files)
    assert all(str(file) in str(caught.value) for file in files)


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_worker_processes_import_both(tmp_path, context):
    """Worker processes import functions of the file and of a module beside it, of two folders in turn."""
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} here")
    for name in ("old", "new"):
        module(tmp_path / name / "helper.py", name)
        module(tmp_path / name / "helper_deep" / "inner.py", f"deep {name}")
        (file,) = read([main(tmp_path / name / "main.py", "import helper, helper_deep.inner")])
        loaded = of(file)
        with ProcessPoolExecutor(1, multiprocessing.get_context(context)) as pool:
            functions = [
                loaded.compute,
                sys.modules["helper"].compute,
                sys.modules["helper_deep.inner"].compute,
            ]
            assert [pool.submit(f).result(30) for f in functions] == [name, name, f"deep {name}"]


def test_other_children_import_it_by_its_name(tmp_path):
    """A child process that was started in another way unpickles a function of the file."""
    module(tmp_path / "helper.py", "beside")
    (file,) = read([main(tmp_path / "main.py")])
    pickled = pickle.dumps(of(file).compute)
    code = "import pickle, sys; print(pickle.loads(bytes.fromhex(sys.argv[1]))())"
    done = subprocess.run(
        [sys.executable, "-c", code, pickled.hex()],
        capture_output=True, text=True, timeout=30, check=False, cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONPATH": ""},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("beside\n", "")


def test_a_file_named_like_a_library(tmp_path):
    """A scenario httpx.py may import the library httpx, and a queue.py beside it hides no queue."""
    module(tmp_path / "queue.py", "not the standard one")
    (file,) = read(
        [
            main(
                tmp_path / "httpx.py",
                "import httpx, queue",
                "[httpx.__name__, bool(queue.Queue), bool(httpx.Client)]",
            )
        ]
    )
    assert answer(file) == [["httpx", True, True]]
    main(tmp_path / "plotlyx.py", "pass", "1", more=", needs=('plotlyx',)")
    assert read([tmp_path / "plotlyx.py"])[0].missing == ("plotlyx",)


def test_the_builtin_folder_is_not_searched():
    """The built-in scenarios do not become modules that others import."""
    read([Path(__file__).parent.parent / "scenarios" / "trivial_async.py"])
    with pytest.raises(ImportError):
        importlib.import_module("threadpool")


def test_a_changed_module_beside_it(tmp_path):
    """When the file is read again, changed modules beside it are imported anew, with what uses them."""
    module(tmp_path / "helper_two.py", "one")
    module(tmp_path / "helper.py", "-", more="import helper_two\ndef both(): return helper_two.VALUE")
    path = main(tmp_path / "main.py", value="helper.both()")
    (before,) = read([path])
    unchanged = sys.modules["helper"]
    (again,) = read([path])
    assert sys.modules["helper"] is unchanged
    module(tmp_path / "helper_two.py", "two")  # of the same length, within the same second
    (after,) = read([path])
    assert answer(before, again, after) == ["one", "one", "two"]
    assert "VALUE = 'two'\n" in linecache.getlines(str(tmp_path / "helper_two.py"))


def test_the_source_is_that_of_the_version_that_is_served(tmp_path):
    """The text of a file that was read is shown, not a later or a broken one."""
    path = main(tmp_path / "main.py", "pass", "'one'")
    read([path])
    lines = linecache.getlines(str(path))
    assert "    return 'one'\n" in lines
    text = path.read_text()
    path.write_text("# saved\n" + text.replace("'one'", "'two'") + "\n1 / 0\n")
    linecache.checkcache()
    assert linecache.getlines(str(path)) == lines  # not read again yet
    with pytest.raises(InputError, match="ZeroDivisionError"):
        read([path])
    assert linecache.getlines(str(path)) == lines
    path.write_text("# saved\n" + text.replace("'one'", "'two'"))
    read([path])
    assert linecache.getlines(str(path))[0] == "# saved\n"
    assert "    return 'two'\n" in linecache.getlines(str(path))


def test_after_an_error_the_version_before_is_imported_by_its_name(tmp_path):
    """A function of the served version can be pickled after a version that failed."""
    path = main(tmp_path / "main.py", "pass", "'one'")
    (file,) = read([path])
    compute = of(file).compute
    path.write_text(path.read_text() + "\n1 / 0\n")
    with pytest.raises(InputError):
        read([path])
    assert pickle.loads(pickle.dumps(compute)) is compute


def test_an_error_beside_it(tmp_path):
    """An error in a module beside the file is reported with the line of the file that imports it."""
    (tmp_path / "helper.py").write_text("x = (\n")
    with pytest.raises(InputError) as caught:
        read([main(tmp_path / "main.py")])
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{tmp_path / 'main.py'}:2: SyntaxError")
    assert "helper.py, line 1" in first
    assert second


def test_the_folders_of_another_loopviz_are_not_inherited(tmp_path):
    """What another loopviz starts, as from its editor, imports nothing from beside that one's scenarios."""
    (tmp_path / "uvicorn.py").write_text("raise RuntimeError('inherited')")
    done = subprocess.run(
        [sys.executable, "-m", "loopviz", "record", "trivial_async", "--requests", "1", "--json"],
        env=os.environ | {"LOOPVIZ_FOLDERS": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
