"""Scenario files: finding, reading and executing them.

A built-in scenario's facts are read from its syntax tree, without executing the file: some built-in
scenarios import a lot, and one whose modules are missing can still be listed. It is executed when it
is first needed. A user's own file is executed at once, so that its errors are reported at once.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from loopviz.errors import InputError
from loopviz.loaded import module_name
from loopviz.scenario.asking import Asked, ask, ask_literally
from loopviz.scenario.declaration import Scenario

__all__ = [
    "ScenarioFile",
    "builtin_folder",
    "execute",
    "executed",
    "find",
    "nearest",
    "read",
    "require_own_paths",
]


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario and its file. It can be served once it has an application: see `executed`."""

    name: str
    """The file's name without its suffix."""
    file: Path
    facts: Scenario
    app: Any
    """The ASGI application; None until the file has been executed."""
    method: str
    path: str
    """The real path, with its query. If it is `lacking` a value, its parameters are in braces."""
    missing: tuple[str, ...] = ()
    """Modules that it needs and that are not installed. It can be listed, but not fired."""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The headers of its requests, besides those that every request has."""
    body: bytes | None = None
    """The body of its requests."""
    lacking: str | None = None
    """Why it cannot be fired, and how to declare what it lacks, in two lines; None if it can be."""

    @property
    def install(self) -> str:
        """The command that installs what is missing."""
        if self.file.parent == builtin_folder():
            return "pip install 'loopviz[scenarios]'"
        return f"pip install {' '.join(self.missing)}"


def builtin_folder() -> Path:
    """The folder of the built-in scenarios, in the installed package or in the source tree."""
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
                f"{target} contains no scenario: it has no .py file.\n"
                "'loopviz scenarios' lists the built-in ones."
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
        "Give a scenario file, a folder of them, or nothing for the built-in scenarios."
    )


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def nearest(what: str, name: str, known: Sequence[str]) -> str:
    """An error message for an unknown name, with the known name that is most like it."""
    close = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
    return f"Unknown {what}: {name!r}.\n{hint}"


def read(paths: Iterable[Path]) -> list[ScenarioFile]:
    """Read scenario files, in the order in which they are listed.

    Raises `InputError` for a file that cannot be read, and for two files with the same key.
    """
    found = sorted((_read(path) for path in paths), key=lambda file: (file.facts.order, file.name))
    by_key: dict[str, ScenarioFile] = {}
    for scenario in found:
        key = scenario.facts.key
        if key is not None and (other := by_key.setdefault(key, scenario)) is not scenario:
            raise InputError(
                f"{other.file.name} and {scenario.file.name} both declare the key {key!r}.\n"
                "Change the key of one of them."
            )
    return found


def require_own_paths(files: Iterable[ScenarioFile]) -> None:
    """Raise `InputError` if two scenarios of one server are fired at the same method and path.

    One of them would be answered by the other's application. Queries do not distinguish them.
    """
    known: dict[tuple[str, str], ScenarioFile] = {}
    for file in files:
        fired = (file.method, unquote(file.path.partition("?")[0]))
        if not (file.missing or file.lacking) and (other := known.setdefault(fired, file)) is not file:
            raise InputError(
                f"{other.file.name} and {file.file.name} are both fired at {' '.join(fired)}.\n"
                "Change the path of one of them, or run one at a time."
            )


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
            return _file(path, facts, None, ask_literally(facts, method, declared), missing)
    return _executed(path, tree)


def _parsed(path: Path) -> ast.Module:
    if path.suffix != ".py":
        raise InputError(f"{path} is not a Python file.\nThe name of a scenario file ends in .py.")
    try:
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise _syntax_error(path, error) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}\nGive a Python file.") from None


def _declared(tree: ast.Module) -> Scenario | None:
    """The facts in `scenario = Scenario(…)`, if all are literals and the law is a plain lambda."""
    for node in tree.body:
        match node:
            case ast.Assign([ast.Name("scenario")], ast.Call(ast.Name("Scenario"), [], keywords)):
                try:
                    return Scenario(**{word.arg or "**": _value(word.value) for word in keywords})
                except (TypeError, ValueError):
                    return None  # executing the file reports what is wrong
    return None


def _value(node: ast.expr) -> Any:
    if not isinstance(node, ast.Lambda):
        return ast.literal_eval(node)
    own = {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
    used = {name.id for name in ast.walk(node.body) if isinstance(name, ast.Name)}
    if not all(name in own or hasattr(builtins, name) for name in used):
        raise ValueError("it uses a name that the file defines")
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
            f"{path} declares no scenario.\n"
            "Add 'from loopviz.scenario import Scenario' and 'scenario = Scenario(title=…, expect=…)'."
        )
    app = getattr(module, "app", None)
    if not callable(app):
        raise InputError(f"{path} has no application.\nAdd 'app = FastAPI()' and an endpoint.")
    asked = ask(path.name, facts, app, described=path.parent != builtin_folder())
    if asked is None and facts.method is not None:
        raise InputError(
            f"The application of {path} has no endpoint for {facts.method}.\n"
            f'Add one, or declare its path: path="/{path.stem}".'
        )
    if asked is None:
        raise InputError(f'The application of {path} has no endpoint.\nAdd one: @app.get("/{path.stem}").')
    return _file(path, facts, app, asked)


def _file(path: Path, facts: Scenario, app: Any, asked: Asked, missing: tuple[str, ...] = ()) -> ScenarioFile:
    return ScenarioFile(
        path.stem,
        path,
        facts,
        app,
        asked.method,
        asked.path,
        missing,
        headers=asked.headers,
        body=asked.body,
        lacking=asked.lacking,
    )


def execute(path: Path, tree: ast.Module | None = None) -> ModuleType:
    """Execute a scenario file and return its module. Raises `InputError` for whatever it raises."""
    name, file = module_name(path), path.resolve()
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise InputError(f"{path} is not a Python file.\nThe name of a scenario file ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that annotations in it can be resolved
    try:
        # Compiled from its present text: the import system would not notice a file that was saved
        # twice within a second.
        exec(compile(tree or _parsed(path), str(file), "exec"), module.__dict__)  # noqa: S102 - executing it is the purpose
    except SyntaxError as error:
        raise _syntax_error(path, error) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a file may raise an exception class of its own
        raise InputError(f"{path}:{_line_in(path, error)}: {_explain(error)}") from None
    return module


def _syntax_error(path: Path, error: SyntaxError) -> InputError:
    return InputError(f"{path}:{error.lineno}: syntax error: {error.msg}\nFix that line and run again.")


def _line_in(path: Path, error: BaseException) -> int:
    """The innermost line of the file itself in the error's traceback; 0 if there is none."""
    file = str(path.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return (lines[-1] or 0) if lines else 0


def _explain(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())  # one line, whatever the exception says
    except Exception:
        text = "its message raises an exception"
    unexpected = re.search(r"Scenario\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if unexpected:
        return nearest("field", unexpected[1], [field.name for field in fields(Scenario)])
    if isinstance(error, ImportError):
        return f"{text}\nInstall the missing package, or remove the import."
    return f"{type(error).__name__}: {text}\nFix that line and run again."
