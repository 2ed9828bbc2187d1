"""What is meant by what is typed: scenarios, or an application, as ``fastapi dev`` and uvicorn find it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from loopviz.errors import InputError
from loopviz.paths import is_file, is_folder
from loopviz.scenario import find as find_scenarios
from loopviz.target.application import Application
from loopviz.target.reading import Contents, contents

__all__ = ["USUAL_FILES", "find"]

USUAL_FILES: Final = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
"""Where an application is looked for in a folder, as ``fastapi dev`` does, the first one first."""
_MODULE: Final = re.compile(r"[^\s.:/\\]+(\.[^\s.:/\\]+)*")
_ATTRIBUTE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def find(
    target: str | None, *, app_dir: str | None = None, factory: bool = False, builtin: bool = False
) -> Application | list[Path]:
    """The application, or the scenario files, that a target means.

    A target is ``module:attribute``, a file, ``file:attribute``, a folder, the name of a built-in scenario,
    or None: the project in the working folder, and without one the built-in scenarios; these in any case if
    `builtin`. `app_dir` is the folder where modules are looked for, and `factory` says that the attribute is
    a function that makes the application. Nothing is imported. Raises `InputError`.
    """
    if builtin:
        if target is not None:
            raise InputError(f"--builtin shows the built-in scenarios.\nLeave out it, or {target}.")
        return find_scenarios(None)
    found = _find(target, app_dir)
    if isinstance(found, Application):
        return replace(found, factory=factory)
    if factory or app_dir is not None:
        raise InputError(
            f"{'--factory' if factory else '--app-dir'} is for an application of your own, and "
            f"{'a scenario is' if len(found) == 1 else 'scenarios are'} meant.\n"
            "Name the application: loopviz run module:attribute."
        )
    return found


def _find(target: str | None, app_dir: str | None) -> Application | list[Path]:
    if target is None:
        here = Path.cwd()
        found = _of_project(here, app_dir)
        for parent in here.parents:
            found = found or _entered(parent, app_dir)
        return found or find_scenarios(None)
    path = Path(target)
    if is_folder(path):
        return _of_folder(path, target, app_dir)
    if is_file(path):
        return _of_file(path, app_dir) or [path]
    name, colon, attribute = target.rpartition(":")
    if colon and name and _ATTRIBUTE.fullmatch(attribute):
        if is_file(Path(name)):
            return _of_named(Path(name), attribute, app_dir)
        if name.endswith(".py") or "/" in name:
            raise InputError(f"{name} does not exist.\nGive a file, or a module: package.module:attribute.")
        return _of_module(name, attribute, Path.cwd(), app_dir)
    if path.suffix == ".py" or "/" in target:
        raise InputError(
            f"{target} does not exist.\nGive a file, a folder, or an application: package.module:attribute."
        )
    try:
        return find_scenarios(target)
    except InputError:
        _suggest(target, app_dir)
        raise


# -- a module ------------------------------------------------------------------------------------


def _of_module(module: str, attribute: str, folder: Path, app_dir: str | None) -> Application:
    if not _MODULE.fullmatch(module):
        raise InputError(
            f"{module}:{attribute} names no module.\nGive one, as in an import: package.module:attribute."
        )
    top = folder / (app_dir or "")
    file = _file_of(module, top)
    return Application(
        f"{module}:{attribute}",
        module,
        attribute,
        str(top.resolve()),
        str(folder.resolve()),
        None if file is None else str(file),
    )


def _file_of(module: str, folder: Path) -> Path | None:
    """The file of a module, looked for as an import would; None if that is not known before the import.

    Raises `InputError` if there is no such module.
    """
    first, *rest = module.split(".")
    spec = PathFinder.find_spec(first, [str(folder.resolve())]) or find_spec(first)
    if spec is None:
        raise _no_module(module, first, folder, folder)
    name = first
    for part in rest:
        places = spec.submodule_search_locations
        if places is None:
            raise InputError(
                f"There is no module {module!r}: {name} is a module, and no package.\n"
                f"Name what is in it after a colon, such as {name}:app."
            )
        name = f"{name}.{part}"
        found = PathFinder.find_spec(name, list(places))
        if found is None:
            if all(is_folder(Path(place)) for place in places):
                raise _no_module(module, name, Path(next(iter(places), folder)), folder)
            return None
        spec = found
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _no_module(module: str, missing: str, within: Path, folder: Path) -> InputError:
    package, _, part = missing.rpartition(".")
    names = sorted(set(_modules_in(within)))
    close = difflib.get_close_matches(part, names, 1, 0.5)
    hint = "Change the name, or give the folder that contains it: --app-dir FOLDER."
    if close:
        whole = [package, close[0], module.removeprefix(missing).lstrip(".")]
        hint = f"Did you mean {'.'.join(name for name in whole if name)}?"
    where = "" if missing == module else f": nothing is called {missing!r}"
    return InputError(f"There is no module {module!r}{where} (looked in {folder.resolve()}).\n{hint}")


def _modules_in(folder: Path) -> Iterator[str]:
    """The names of the modules in a folder."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.suffix == ".py" and entry.stem.isidentifier():
            yield entry.stem
        elif entry.name.isidentifier() and any(entry.glob("*.py")):
            yield entry.name


# -- a file --------------------------------------------------------------------------------------


def _of_file(path: Path, app_dir: str | None) -> Application | None:
    """The application of a file; None if it declares a scenario, or if nothing is seen in its text."""
    if path.suffix != ".py":
        raise InputError(f"{path} is not a Python file.\nThe name of a scenario file ends in .py.")
    found = contents(path)
    nothing = not (found.applications or found.factories or found.everything)
    return None if found.scenario or nothing else _of_contents(path, found, app_dir)


def _of_named(path: Path, attribute: str, app_dir: str | None) -> Application:
    """The application of this name in a file."""
    module, folder = _module_of(path, app_dir)
    file = str(path.resolve())
    return Application(f"{module}:{attribute}", module, attribute, folder, str(Path.cwd()), file)


def _of_contents(path: Path, found: Contents, app_dir: str | None) -> Application:
    attribute = found.attribute
    if attribute is not None or (not found.applications and found.everything):
        module, folder = _module_of(path, app_dir)
        name = f"{module}:{attribute}" if attribute else module
        return Application(name, module, attribute, folder, str(Path.cwd()), str(path.resolve()))
    if found.applications:
        raise InputError(
            f"{path} has {len(found.applications)} applications: {', '.join(found.applications)}.\n"
            f"Name one of them: loopviz run {path}:{found.applications[0]}"
        )
    raise InputError(
        f"{path} has no application, but functions that may make one: {', '.join(found.factories)}.\n"
        f"Name one of them: loopviz run {path}:{found.factories[0]} --factory"
    )


def _module_of(path: Path, app_dir: str | None) -> tuple[str, str]:
    """The name by which a file is imported, and the folder where that is found: above its packages."""
    path = path.resolve()
    base = path.parent if path.stem == "__init__" else path
    names, folder = [base.stem], base.parent
    top = Path(app_dir).resolve() if app_dir is not None else None
    while folder not in {top, folder.parent} and (top or is_file(folder / "__init__.py")):
        names.insert(0, folder.name)
        folder = folder.parent
    if top is not None and folder != top:
        raise InputError(f"{path} is not in the folder {top}.\nLeave out --app-dir.")
    if any("." in name for name in names):
        raise InputError(f"{path} cannot be imported: there is a dot in its name.\nRename it.")
    return ".".join(names), str(folder)


def _suggest(target: str, app_dir: str | None) -> None:
    """Raise an `InputError` with the application that may be meant, where a module is named without one."""
    if not _MODULE.fullmatch(target) or "." not in target or target.endswith(".py"):
        return
    try:
        file = _file_of(target, Path.cwd() / (app_dir or ""))
    except InputError:
        return
    if file is not None and file.suffix == ".py":
        attribute = contents(file).attribute or "app"
        raise InputError(
            f"{target} is a module: which application of it is meant?\nDid you mean {target}:{attribute}?"
        )


# -- a folder ------------------------------------------------------------------------------------


def _of_folder(path: Path, target: str, app_dir: str | None) -> Application | list[Path]:
    """A folder of scenarios, or a project, or a package."""
    files = [file for file in sorted(path.glob("*.py")) if not file.name.startswith("_")]
    if any(_declares(file) for file in files):
        return find_scenarios(target)
    found = _of_project(path, app_dir)
    if found is None and is_file(path / "__init__.py"):
        inside = contents(path / "__init__.py")
        if inside.applications:
            found = _of_contents(path / "__init__.py", inside, app_dir)
    if found is None and files and not any(map(_mentions, files)):
        raise InputError(
            f"{target} has neither a scenario nor an application in {', '.join(USUAL_FILES)}.\n"
            "Name the application: package.module:attribute, or a file."
        )
    return found or find_scenarios(target)


def _declares(file: Path) -> bool:
    try:
        return contents(file).scenario
    except InputError:
        return False


def _mentions(file: Path) -> bool:
    """Whether a file may be a scenario, although it declares none that is seen: it speaks of loopviz."""
    try:
        return b"loopviz" in file.read_bytes()
    except OSError:
        return True


def _of_project(folder: Path, app_dir: str | None) -> Application | None:
    """The application of a project: what its pyproject.toml names, or the usual file in the folder."""
    folder = folder.resolve()
    entered = _entered(folder, app_dir)
    if entered is not None:
        return entered
    for name in USUAL_FILES:
        file = folder / name
        if is_file(file):
            inside = contents(file)
            if inside.applications and not inside.scenario:
                found = _of_contents(file, inside, app_dir)
                place = found.app_dir if is_file(folder / "__init__.py") else str(folder)
                return replace(found, folder=place, found=f"{name} in {folder.name or folder}")
    return None


def _entered(folder: Path, app_dir: str | None) -> Application | None:
    """The application that the pyproject.toml of a folder names."""
    file = folder / "pyproject.toml"
    entry = _entry(file)
    if entry is None:
        return None
    module, _, attribute = entry.partition(":")
    if not module or not _ATTRIBUTE.fullmatch(attribute):
        raise InputError(
            f"{file}: the entrypoint {entry!r} names no application.\n"
            'Name module and attribute: [tool.fastapi] entrypoint = "package.module:app"'
        )
    return replace(_of_module(module, attribute, folder, app_dir), found=f"[tool.fastapi] of {file}")


def _entry(file: Path) -> str | None:
    """What a pyproject.toml says in ``[tool.fastapi] entrypoint``. Raises `InputError` if it is unusable."""
    if not is_file(file):
        return None
    import tomllib  # noqa: PLC0415 - most often there is nothing to read before the first frame

    text = ""
    try:
        text = file.read_text(encoding="utf-8")
        tool = tomllib.loads(text).get("tool", {})
    except (OSError, ValueError) as error:
        if "tool.fastapi" not in text:  # it is not known to concern an application
            return None
        raise InputError(f"{file} cannot be read: {error}\nCorrect it, or name the application.") from None
    declared = tool.get("fastapi", {}) if isinstance(tool, dict) else {}
    entry = declared.get("entrypoint") if isinstance(declared, dict) else None
    if entry is not None and not isinstance(entry, str):
        raise InputError(f"{file}: the entrypoint of [tool.fastapi] must be a text, not {entry!r}.")
    return entry
