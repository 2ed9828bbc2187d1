"""Scenarios: small FastAPI files with a few declared facts, and how they are found and read.

A file has an ASGI application in `app` and a `Scenario` in `scenario`; everything else in it is
what its author would write anyway.

The declared facts are read without executing the file where that can be done: a built-in scenario
is executed when it is first needed, because some of them import a lot, and one whose modules are
missing can be listed all the same. A user's own file is executed at once, so that its errors are
told at once.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from loopviz.errors import InputError
from loopviz.loaded import module_name
from loopviz.scenario.declaration import Scenario

__all__ = ["ScenarioFile", "builtin_folder", "execute", "executed", "find", "nearest", "read"]


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario; it can be served once its application is there, see `executed`."""

    name: str
    """The file's name without its ending."""
    file: Path
    facts: Scenario
    app: Any
    """An ASGI application; None as long as the file has not been executed."""
    method: str
    path: str
    missing: tuple[str, ...] = ()
    """Modules that it needs and that are not installed: it can be listed, and not fired."""

    @property
    def install(self) -> str:
        """The command that installs what is missing."""
        if self.file.parent == builtin_folder():
            return "pip install 'loopviz[scenarios]'"
        return f"pip install {' '.join(self.missing)}"


def builtin_folder() -> Path:
    """Where the scenarios lie that come with loopviz: in the wheel, or in the source tree."""
    package = Path(__file__).parents[1]
    installed = package / "_scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def find(target: str | None = None) -> list[Path]:
    """The scenario files of a target: nothing (the built-in ones), a file or a folder."""
    if target is None:
        return _files_in(builtin_folder())
    path = Path(target)
    if path.is_dir():
        files = _files_in(path)
        if not files:
            raise InputError(
                f"{target} has no scenario in it: no .py file.\n"
                "See 'loopviz scenarios' for the built-in ones."
            )
        return files
    if path.is_file():
        return [path]
    if not path.suffix and "/" not in target:
        known = [file.stem for file in _files_in(builtin_folder())]
        if target in known:
            return [builtin_folder() / f"{target}.py"]
        raise InputError(nearest("scenario, file or folder", target, known))
    raise InputError(
        f"{target} does not exist.\n"
        "Give a scenario's file, a folder of them, or nothing for the built-in ones."
    )


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def nearest(what: str, name: str, known: Sequence[str]) -> str:
    """An error message for an unknown name: with the one that was probably meant."""
    close = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
    return f"There is no {what} {name!r}.\n{hint}"


def read(paths: Iterable[Path]) -> list[ScenarioFile]:
    """Read scenario files; two with one key are refused."""
    found = sorted((_read(path) for path in paths), key=lambda file: (file.facts.order, file.name))
    by_key: dict[str, ScenarioFile] = {}
    for scenario in found:
        key = scenario.facts.key
        if key is not None and (other := by_key.setdefault(key, scenario)) is not scenario:
            raise InputError(
                f"{other.file.name} and {scenario.file.name} both declare the key {key!r}.\n"
                "Give one of them another letter."
            )
    return found


def executed(file: ScenarioFile) -> ScenarioFile:
    """The scenario with its application. Raises `InputError` if the file cannot be executed."""
    if file.missing:
        raise InputError(
            f"{file.name} needs {' and '.join(file.missing)}, which is not installed.\n"
            f"Install it: {file.install}"
        )
    return file if file.app is not None else _executed(file.file, _parsed(file.file))


def _read(path: Path) -> ScenarioFile:
    tree = _parsed(path)
    facts, route = _declared(tree), _route(tree)
    builtin = path.parent == builtin_folder()
    if facts is not None and (builtin or facts.needs):
        missing = tuple(name for name in facts.needs if importlib.util.find_spec(name) is None)
        if (missing or builtin) and (route or facts.path):
            method, declared = route or ("GET", "")
            return ScenarioFile(path.stem, path, facts, None, method, facts.path or declared, missing)
    return _executed(path, tree)


def _parsed(path: Path) -> ast.Module:
    if path.suffix != ".py":
        raise InputError(f"{path} is not a Python file.\nA scenario's file ends in .py.")
    try:
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise _syntax_error(path, error) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: it cannot be read: {error}\nGive a Python file.") from None


def _declared(tree: ast.Module) -> Scenario | None:
    """The facts in `scenario = Scenario(…)`, if all of them are literal, and the law a plain lambda."""
    for node in tree.body:
        match node:
            case ast.Assign([ast.Name("scenario")], ast.Call(ast.Name("Scenario"), [], keywords)):
                try:
                    return Scenario(**{word.arg or "**": _value(word.value) for word in keywords})
                except (TypeError, ValueError):
                    return None  # executing the file will tell what is wrong
    return None


def _value(node: ast.expr) -> Any:
    if not isinstance(node, ast.Lambda):
        return ast.literal_eval(node)
    own = {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
    used = {name.id for name in ast.walk(node.body) if isinstance(name, ast.Name)}
    if not all(name in own or hasattr(builtins, name) for name in used):
        raise ValueError("it uses what the file defines")
    return eval(compile(ast.Expression(node), "<law>", "eval"), {})  # noqa: S307 - the user's own file


def _route(tree: ast.Module) -> tuple[str, str] | None:
    """Method and path of the first endpoint, from its decorator."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(
                        ast.Attribute(ast.Name("app"), "get" | "post" | "put" | "patch" | "delete" as method),
                        [ast.Constant(str() as path), *_],
                    ):
                        return method.upper(), path
    return None


def _executed(path: Path, tree: ast.Module) -> ScenarioFile:
    module = execute(path, tree)
    facts = getattr(module, "scenario", None)
    if not isinstance(facts, Scenario):
        raise InputError(
            f"{path}: it declares no scenario.\n"
            "Add 'from loopviz.scenario import Scenario' and 'scenario = Scenario(title=…, expect=…)'."
        )
    app = getattr(module, "app", None)
    if not callable(app):
        raise InputError(f"{path}: it has no application.\nAdd 'app = FastAPI()' and an endpoint.")
    for route in getattr(app, "routes", ()):
        methods = getattr(route, "methods", None)
        if methods and getattr(route, "include_in_schema", False):
            method = "GET" if "GET" in methods else min(methods)
            return ScenarioFile(path.stem, path, facts, app, method, facts.path or route.path)
    if facts.path is None:
        raise InputError(f'{path}: its application has no endpoint.\nAdd one: @app.get("/{path.stem}").')
    return ScenarioFile(path.stem, path, facts, app, "GET", facts.path)


def execute(path: Path, tree: ast.Module | None = None) -> ModuleType:
    """Execute a scenario file; the module that it makes. Raises `InputError` if it raises anything."""
    name, file = module_name(path), path.resolve()
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise InputError(f"{path} is not a Python file.\nA scenario's file ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that annotations in it can be resolved
    try:
        # Compiled from what is there now: the import system would take a file that was saved twice
        # within a second for the old one.
        exec(compile(tree or _parsed(path), str(file), "exec"), module.__dict__)  # noqa: S102 - it is what it is for
    except SyntaxError as error:
        raise _syntax_error(path, error) from None
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}:{_line_in(path, error)}: {_explain(error)}") from None
    return module


def _syntax_error(path: Path, error: SyntaxError) -> InputError:
    return InputError(f"{path}:{error.lineno}: syntax error: {error.msg}\nMend that line, and run again.")


def _line_in(path: Path, error: BaseException) -> int:
    """The line of the file itself at which the error left it."""
    file = str(path.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return (lines[-1] or 0) if lines else 0


def _explain(error: BaseException) -> str:
    unexpected = re.search(r"Scenario\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if unexpected:
        return nearest("field", unexpected[1], [field.name for field in fields(Scenario)])
    if isinstance(error, ImportError):
        return f"{error}\nInstall what it needs, or take the import out."
    return f"{type(error).__name__}: {error}\nMend that line, and run again."
