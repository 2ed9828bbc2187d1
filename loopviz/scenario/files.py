"""Scenario files: finding, reading and executing them.

A built-in scenario's facts are read from its syntax tree, without executing the file: some built-in
scenarios import a lot, and one whose modules are missing can still be listed. It is executed when it
is first needed. A user's own file is executed at once, so that its errors are reported at once.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import importlib
import importlib.util
import linecache
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote
from weakref import WeakSet

from loopviz import loaded
from loopviz.errors import InputError
from loopviz.paths import is_file, is_folder
from loopviz.scenario.asking import Asked, ask, ask_literally
from loopviz.scenario.declaration import Scenario
from loopviz.scenario.failing import explain, innermost, message_of

__all__ = [
    "ScenarioFile",
    "apart",
    "builtin_folder",
    "execute",
    "executed",
    "find",
    "nearest",
    "read",
    "require_own_paths",
]


_versions = WeakSet[ModuleType]()
"""Modules that `execute` has made: in another thread, an older version may be executed beside a newer one."""


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario and its file. It can be served once it has an application: see `executed`."""

    name: str
    """The file's name without its suffix; see `apart` for files that have the same one."""
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
    suggested: str | None = None
    """A request line with values made up from their types, to be confirmed; None without one."""
    line: int = 0
    """The line of its endpoint in the file; 0 if that is not known."""
    broken: str | None = None
    """Why the file cannot be read, in one or two lines; None if it can be. It is listed, and not served."""

    @property
    def servable(self) -> bool:
        """Whether it can be served."""
        return not self.missing and self.broken is None

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
    if is_folder(path):
        files = _files_in(path)
        if not files:
            raise InputError(
                f"{target} contains no scenario: it has no .py file.\n"
                "'loopviz scenarios' lists the built-in ones."
            )
        return files
    if is_file(path):
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


def read(
    paths: Iterable[Path],
    reading: Callable[[Path], object] | None = None,
    *,
    tolerant: bool = False,
) -> list[ScenarioFile]:
    """Read scenario files, in the order in which they are listed.

    `reading` is called with each one before it is read, and so may be executed. If `tolerant`, a file that
    cannot be read is `broken`, so long as there is another one that can be.
    Raises `InputError` for a file that cannot be read, and for two files with the same key.
    """
    found, refused = [], None
    for path in paths:
        if reading is not None:
            reading(path)
        try:
            found.append(_read(path))
        except InputError as error:
            if not tolerant:
                raise
            refused = refused or error
            found.append(_broken(path, str(error)))
    if refused is not None and all(file.broken is not None for file in found):
        raise refused
    found.sort(key=lambda file: (file.facts.order, file.name))
    by_key: dict[str, ScenarioFile] = {}
    for scenario in found:
        key = scenario.facts.key
        if key is not None and (other := by_key.setdefault(key, scenario)) is not scenario:
            one, two = other.file.name, scenario.file.name
            if one == two:
                one, two = str(other.file), str(scenario.file)
            raise InputError(f"{one} and {two} both declare the key {key!r}.\nChange the key of one of them.")
    return apart(found)


def apart(files: Sequence[ScenarioFile]) -> list[ScenarioFile]:
    """The same scenarios, each with a name of its own.

    Files of the same name get as many of their folders as tell them apart, such as ``old/main`` and
    ``new/main``; the same file twice is numbered: ``main (1)`` and ``main (2)``.
    """
    paths = [file.file.resolve().with_suffix("").parts for file in files]
    named = []
    for index, (file, path) in enumerate(zip(files, paths, strict=True)):
        others = {other for other in paths if other != path}
        length = 1
        while any(other[-length:] == path[-length:] for other in others):
            length += 1
        name = "/".join(path[-length:])
        if paths.count(path) > 1:
            name += f" ({paths[: index + 1].count(path)})"
        named.append(replace(file, name=name))
    return named


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
    if file.broken is not None:
        raise InputError(file.broken)
    if file.missing:
        raise InputError(
            f"{file.name} needs {' and '.join(file.missing)}, which is not installed.\n"
            f"Install it: {file.install}"
        )
    if file.app is None:
        return replace(_executed(file.file, _parsed(file.file)), name=file.name)
    if not _is_builtin(file.file):
        loaded.use(file.file)  # what it imports from now on lies beside it
    return file


def _read(path: Path) -> ScenarioFile:
    tree = _parsed(path)
    facts, route = _declared(tree), _route(tree)
    builtin = _is_builtin(path)
    if facts is not None and (builtin or facts.needs):
        missing = tuple(name for name in facts.needs if _is_missing(name, path))
        if (missing or builtin) and (route or facts.path):
            method, declared = route or ("GET", "")
            return _file(path, facts, None, ask_literally(facts, method, declared), missing)
    return _executed(path, tree)


def _broken(path: Path, error: str) -> ScenarioFile:
    """What is listed of a file that cannot be read."""
    facts = Scenario(title="cannot be read", expect=error.partition("\n")[0])
    return ScenarioFile(path.stem, path, facts, None, "GET", "/", lacking=error, broken=error)


def _is_builtin(path: Path) -> bool:
    return path.resolve().parent == builtin_folder().resolve()


def _is_missing(module: str, path: Path) -> bool:
    """Whether a module that the file `path` needs is not installed. The file itself is not that module."""
    found = importlib.util.find_spec(module)
    return found is None or found.origin == str(path.resolve())


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
    app = getattr(module, "app", None)
    if not isinstance(facts, Scenario):
        if callable(app):
            raise InputError(
                f"{path} declares no scenario: it is an application.\n'loopviz run {path}' shows it."
            )
        raise InputError(
            f"{path} declares no scenario, and has no application.\n"
            "Add 'from loopviz.scenario import Scenario' and 'scenario = Scenario(title=…, expect=…)'; or an "
            "'app'."
        )
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
    """Execute a scenario file and return its module. Raises `InputError` for whatever it raises.

    May be called in any thread. If it raises, the version before is still the one that is imported by its
    name, and whose source is shown.
    """
    file = path.resolve()
    tree = tree or _parsed(path)
    spec = loaded.spec(file, alone=_is_builtin(path))
    name = spec.name
    forgotten = loaded.forget_changed(file) | _taken(name)
    for module in forgotten.values():
        linecache.checkcache(getattr(module, "__file__", None) or "")
    source = _Source(file)
    module = importlib.util.module_from_spec(spec)
    try:
        # Compiled from its present text: the import system would not notice a file that was saved
        # twice within a second.
        code = compile(tree, str(file), "exec")
        package = importlib.import_module(name.rpartition(".")[0])
        imported = sys.modules.get(name)
        if imported is not None and imported not in _versions:
            return imported  # the package itself imports it
        _versions.add(module)
        sys.modules[name] = module  # so that annotations in it can be resolved
        exec(code, module.__dict__)  # noqa: S102 - executing it is the purpose
        if sys.modules.get(name) is module:  # else a newer version is being read
            setattr(package, name.rpartition(".")[2], module)
    except BaseException as error:  # a file may raise an exception class of its own
        source.restore()
        if sys.modules.get(name) in {None, module}:  # else a newer version is being read
            sys.modules.pop(name, None)
            sys.modules.update(forgotten)
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, SyntaxError) and error.filename in {str(path), str(file)}:
            raise _syntax_error(path, error) from None
        _, line = innermost(error, str(file).__eq__)
        raise InputError(f"{path}:{line}: {_explain(error)}") from None
    return module


def _taken(name: str) -> dict[str, ModuleType]:
    """Take the version before from the modules."""
    before = sys.modules.pop(name, None)
    return {} if before is None else {name: before}


class _Source:
    """The text that is executed, as the text that is shown of the file: it may be saved again meanwhile."""

    def __init__(self, file: Path) -> None:
        self._name = str(file)
        self._before = linecache.cache.get(self._name)
        try:
            text = importlib.util.decode_source(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            text = ""
        # Without a time, it is not replaced by what is in the file later.
        self._own = (len(text), None, text.splitlines(keepends=True), self._name)
        linecache.cache[self._name] = self._own

    def restore(self) -> None:
        """Show the text of the version before again."""
        if linecache.cache.get(self._name) is self._own:
            if self._before is None:
                linecache.cache.pop(self._name)
            else:
                linecache.cache[self._name] = self._before


def _syntax_error(path: Path, error: SyntaxError) -> InputError:
    return InputError(f"{path}:{error.lineno}: syntax error: {error.msg}\nFix that line and run again.")


def _explain(error: BaseException) -> str:
    unexpected = re.search(
        r"Scenario\.__init__\(\) got an unexpected keyword argument '(\w+)'", message_of(error)
    )
    if unexpected:
        return nearest("field", unexpected[1], [field.name for field in fields(Scenario)])
    return explain(error)
