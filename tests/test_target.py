"""Which application is meant by what is typed: the conventions of `fastapi dev` and of uvicorn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loopviz import cli
from loopviz.errors import InputError
from loopviz.scenario import builtin_folder
from loopviz.target import Application, find, load
from loopviz.target.reading import contents

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n"
SCENARIO = APP + "from loopviz.scenario import Scenario\nscenario = Scenario(title='t', expect='e')\n"
TWO = "from fastapi import FastAPI\nfirst = FastAPI()\nsecond = FastAPI()\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder, and a function that writes files into it."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str = APP) -> Path:
        path = Path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def found(target: str | None, **options) -> Application:
    """The application that is meant."""
    application = find(target, **options)
    assert isinstance(application, Application)
    return application


def refusal(target: str | None, **options) -> str:
    """Why a target is refused, in one or two lines."""
    with pytest.raises(InputError) as refused:
        find(target, **options)
    assert 1 <= str(refused.value).count("\n") + 1 <= 2
    return str(refused.value)


def test_an_import_string_is_looked_for_in_the_working_folder(here, tmp_path):
    """`shop.main:app` is the module below the working folder, which comes first on sys.path."""
    file = here("shop/main.py")
    application = found("shop.main:app")
    assert application == Application(
        "shop.main:app", "shop.main", "app", str(tmp_path), str(tmp_path), str(file)
    )


def test_the_folder_of_the_module_can_be_given(here, tmp_path):
    """With --app-dir the module is looked for there; the working folder stays."""
    here("src/shop/main.py")
    application = found("shop.main:app", app_dir="src")
    assert (application.app_dir, application.folder) == (str(tmp_path / "src"), str(tmp_path))


def test_a_file_is_imported_from_above_its_packages(here, tmp_path):
    """The folder above the folders with an __init__.py is put on sys.path."""
    here("src/shop/__init__.py", "")
    here("src/shop/web/__init__.py", "")
    here("src/shop/web/main.py")
    application = found("src/shop/web/main.py")
    assert (application.name, application.app_dir) == ("shop.web.main:app", str(tmp_path / "src"))
    here("plain/main.py")
    assert found("plain/main.py").app_dir == str(tmp_path / "plain")


def test_one_of_several_applications_of_a_file_is_named(here):
    """A file with several is refused with their names, and taken with the name of one."""
    here("main.py", TWO)
    assert "first, second" in refusal("main.py")
    assert found("main.py:second").attribute == "second"


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        (APP, "app"),
        (TWO + "api = FastAPI()\n", "api"),
        ("import fastapi\nservice = fastapi.FastAPI()\n", "service"),
        ("import litestar as l\nx = l.Litestar([])\n", "x"),
        ("from starlette.applications import Starlette as S\nx: S = make()\n", "x"),
        ("from django.core.asgi import get_asgi_application as g\napplication = g()\n", "application"),
        ("from .factory import make\ntry:\n    app = make()\nexcept ValueError:\n    raise\n", "app"),
        (APP + "app = Wrapped(app)\n", "app"),
        ("from shop.web import app\n", "app"),
        ("from shop import api\nfrom quart import Quart\nweb = Quart('x')\n", "web"),
        ("async def app(scope, receive, send): ...\n", "app"),
        ("import typer\napp = typer.Typer()\n", None),
        ("from flask import Flask\napp = Flask('x')\n", None),
        ("app = 'a name'\n", None),
        ("from . import api\n", None),
        ("def f():\n    app = FastAPI()\n", None),
    ],
)
def test_the_application_of_a_file_is_seen_in_its_text(here, text, attribute):
    """What is assigned at the top level decides; nothing is executed."""
    assert contents(here("main.py", "raise SystemExit\n" + text)).attribute == attribute


def test_a_scenario_file_stays_one(here, tmp_path):
    """A file that declares a scenario is a scenario, although it has an application."""
    here("main.py", SCENARIO)
    assert find("main.py") == [Path("main.py")]
    assert find("blocking") == [builtin_folder() / "blocking.py"]
    assert find(None) == find(None, builtin=True)
    assert find(str(tmp_path)) == [tmp_path / "main.py"]


def test_a_factory_is_suggested(here):
    """A file with nothing but a function that makes an application says how to name it."""
    here("main.py", "def create_app(): ...\n")
    assert "main.py:create_app --factory" in refusal("main.py")


def test_nothing_means_the_project_in_the_working_folder(here, tmp_path, monkeypatch):
    """pyproject.toml comes before the usual files, and the folders above are asked after them."""
    here("shop/main.py")
    here("pyproject.toml", '[tool.fastapi]\nentrypoint = "shop.main:app"\n')
    here("app/main.py")
    assert found(None).name == "shop.main:app"
    assert "pyproject.toml" in (found(None).found or "")
    here("inner/deep/x.txt", "")
    monkeypatch.chdir(tmp_path / "inner" / "deep")
    assert (found(None).name, found(None).folder) == ("shop.main:app", str(tmp_path))
    (tmp_path / "inner" / "deep" / "api.py").write_text(APP, encoding="utf-8")
    assert found(None).name == "api:app"


def test_the_usual_files_are_tried_in_their_order(here, tmp_path):
    """main.py comes before app.py, and one without an application is passed over."""
    here("api.py")
    assert found(None).name == "api:app"
    here("app.py")
    assert found(None).name == "app:app"
    here("main.py", "print('a script')\n")
    assert found(None).name == "app:app"
    assert find(None, builtin=True) != []
    assert found(str(tmp_path)).folder == str(tmp_path)


def test_a_package_is_a_target(here, tmp_path):
    """A folder with an __init__.py that has the application is imported as a package."""
    here("shop/__init__.py")
    assert found("shop").name == "shop:app"
    assert found("shop").app_dir == str(tmp_path)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("shop.mainn:app", "Did you mean shop.main?"),
        ("shopp.main:app", "Did you mean shop.main?"),
        ("shop.main.app:app", "shop.main is a module, and no package"),
        ("shop.main", "Did you mean shop.main:app?"),
        ("no_such:app", "--app-dir"),
        ("no.py:app", "no.py does not exist"),
        ("no.py", "Give a file, a folder, or an application"),
        ("a b:app", "names no module"),
        ("no_such_thing", "Unknown scenario, file or folder"),
        ("notes.txt", "ends in .py"),
        ("broken.py", "broken.py:1: syntax error"),
        ("lib", "lib has neither a scenario nor an application"),
        ("empty", "empty contains no scenario"),
    ],
)
def test_what_is_not_found_is_answered_with_what_may_be_meant(here, target, says):
    """Two lines: what is not there, and the nearest that is, or what to do."""
    here("shop/main.py")
    here("notes.txt", "x")
    here("broken.py", "app = (\n")
    here("lib/tools.py", "x = 1\n")
    here("empty/notes.txt", "x")
    assert says in refusal(target)


def test_an_application_among_scenarios_is_said_to_be_one(here, capsys):
    """`loopviz scenarios main.py` of an application says how to show it."""
    here("main.py")
    assert cli.main(["scenarios", "main.py"]) == 2
    assert "'loopviz run main.py' shows it" in capsys.readouterr().err


def test_options_of_an_application_are_refused_for_scenarios(here):
    """--factory and --app-dir have no meaning for scenarios."""
    assert "--factory" in refusal("blocking", factory=True)
    assert "--app-dir" in refusal("blocking", app_dir=".")
    assert "--builtin" in refusal("blocking", builtin=True)


@pytest.mark.parametrize(
    "text", ["[tool.fastapi]\nentrypoint = 5\n", "[tool.fastapi]\nentrypoint='x'\n", "[tool.fastapi\n"]
)
def test_a_broken_entrypoint_is_reported(here, text):
    """An entrypoint that names no application is an error with the file's name."""
    here("pyproject.toml", text)
    assert "pyproject.toml" in refusal(None)


def test_a_broken_file_of_another_tool_is_passed_over(here):
    """A pyproject.toml that says nothing of an application is not loopviz's to complain of."""
    here("pyproject.toml", "[tool.other\n")
    assert isinstance(find(None), list)


def test_an_application_is_plain_data(here):
    """It passes through JSON unchanged, and so to another process."""
    here("main.py")
    application = found("main.py")
    assert Application(**json.loads(json.dumps(application.as_dict()))) == application


@pytest.fixture
def imported(here, tmp_path):
    """A function that loads the application of a module with this text."""

    def one(
        text: str, attribute: str | None = "app", *, factory: bool = False, name: str = "own_module"
    ) -> object:
        file = here(f"{name}.py", text)
        sys.modules.pop(name, None)
        plain = Application(
            f"{name}:{attribute}", name, attribute, str(tmp_path), str(tmp_path), str(file), factory
        )
        return load(plain)

    return one


def test_an_application_is_imported_as_uvicorn_does(imported):
    """An attribute, one of an attribute, what a factory makes, with --factory and, as uvicorn, without."""
    text = (
        "class A:\n    inner = lambda s, r, w: 'inner'\nasync def app(s, r, w): ...\ndef make(): return app\n"
    )
    assert callable(imported(text))
    assert imported(text, "A.inner")(1, 2, 3) == "inner"
    assert imported(text, "make", factory=True).__name__ == "app"
    assert imported(text, "make").__name__ == "app"
    assert imported(text, None).__name__ == "app"


@pytest.mark.parametrize(
    ("text", "attribute", "says"),
    [
        ("app = print\n", "ap", "Its applications: app."),
        ("def create(): ...\n", "creat", "Did you mean own_module:create?"),
        ("app = {}\n", "app", "it is of type dict"),
        ("import no_such_library\n", "app", "own_module.py:1: No module named 'no_such_library'"),
        ("\n1 / 0\n", "app", "own_module.py:2: ZeroDivisionError: division by zero"),
        ("import os\nos.environ['NO_SUCH_VARIABLE']\n", "app", "own_module.py:2: KeyError"),
        ("raise SystemExit(3)\n", "app", "own_module.py:1: SystemExit: 3"),
        ("x = (\n", "app", "own_module.py:1: syntax error"),
        ("def app(): return 5\n", "app", "returns no application, but int"),
        ("def app():\n    raise ValueError('no')\n", "app", "own_module.py:2: ValueError: no"),
        (TWO, None, "has 2 applications: first, second"),
        ("x = 1\n", None, "own_module has no application"),
    ],
)
def test_an_import_that_fails_is_two_lines(imported, text, attribute, says):
    """What the module raises is reported with its line; what is missing, with what there is."""
    with pytest.raises(InputError) as refused:
        imported(text, attribute)
    assert says in str(refused.value)
    assert str(refused.value).count("\n") == 1


def test_a_factory_with_arguments_is_none(imported):
    """--factory with something that needs arguments says so."""
    with pytest.raises(InputError, match="cannot be called without arguments"):
        imported("async def app(s, r, w): ...\n", factory=True)


def test_a_name_of_the_library_is_refused(imported, here, tmp_path):
    """A file that has the name of an imported module of Python's own is not silently replaced by that."""
    import queue

    kept = sys.modules["queue"]
    file, folder = here("queue.py"), str(tmp_path)
    with pytest.raises(InputError, match="Rename it"):
        load(Application("queue:app", "queue", "app", folder, folder, str(file)))
    assert sys.modules["queue"] is kept is queue


def test_the_environment_file_is_read_first(imported, here, tmp_path, monkeypatch):
    """Without python-dotenv, --env-file says what to install."""
    monkeypatch.setitem(sys.modules, "dotenv", None)
    file = here("own_env.py")
    with pytest.raises(InputError, match="pip install python-dotenv"):
        load(
            Application(
                "own_env:app", "own_env", "app", str(tmp_path), str(tmp_path), str(file), env_file=".env"
            )
        )
