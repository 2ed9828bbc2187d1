"""An application of the user's own: which one is meant, and importing it as uvicorn does."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from loopviz.errors import InputError
from loopviz.scenario.failing import explain, innermost
from loopviz.target.kinds import PREFERRED, is_application

__all__ = ["Application", "applications_in", "load", "made_of"]


@dataclass(frozen=True)
class Application:
    """Which application is served, and how: plain data, which another process can be given."""

    name: str
    """For the header and the JSON documents: the import string, such as ``shop.main:app``."""
    module: str
    """The module that has it, as it is imported."""
    attribute: str | None
    """Its name there, with dots for attributes of attributes; None if that is found after the import."""
    app_dir: str
    """The folder that comes first on ``sys.path``."""
    folder: str
    """The working folder: where the values of its requests are remembered, and where it is run."""
    file: str | None = None
    """The file of the module, if it is known."""
    factory: bool = False
    """Whether the attribute is a function that makes the application."""
    host: str = "127.0.0.1"
    env_file: str | None = None
    """A file with environment variables."""
    reload: bool = False
    """Whether it is started again when a file has been saved."""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further settings of uvicorn's, by the names of the arguments of ``uvicorn.Config``."""
    found: str | None = None
    """How it was found, in a few words, where the user has not named it."""

    def as_dict(self) -> dict[str, Any]:
        """It as a value that JSON can express; ``Application(**value)`` is the same application."""
        return asdict(self)


def load(application: Application) -> Any:
    """Import the application as uvicorn does, and return it. Called in the process that serves it.

    ``uvicorn.Config(functools.partial(load, application), factory=True, **application.settings)`` serves it:
    then its logging is configured before it is imported, as with the command uvicorn.
    Raises `InputError` for whatever its modules raise.
    """
    if Path.cwd() != Path(application.folder):
        os.chdir(application.folder)
    _read_environment(application.env_file)
    sys.path.insert(0, application.app_dir)
    module = _imported(application)
    _require_own(application, module)
    return made_of(application, module)


def made_of(application: Application, module: ModuleType) -> Any:
    """The application in its module, which has been imported. Raises `InputError`."""
    attribute = application.attribute or _chosen(application, module)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise _no_attribute(application, module, attribute) from None
    return _made(application, module, attribute, found)


def applications_in(module: ModuleType) -> list[str]:
    """The names of the applications in a module: the usual names first, then in the order of the names."""
    usual = [name for name in PREFERRED if callable(getattr(module, name, None))]
    own = [name for name, thing in sorted(vars(module).items()) if is_application(thing)]
    return list(dict.fromkeys([*usual, *own]))


def _read_environment(file: str | None) -> None:
    if file is None:
        return
    try:
        from dotenv import load_dotenv  # noqa: PLC0415 - uvicorn needs it for this as well
    except ImportError:
        raise InputError(
            "--env-file needs python-dotenv, which is not installed.\nInstall it: pip install python-dotenv"
        ) from None
    load_dotenv(dotenv_path=file)


def _imported(application: Application) -> ModuleType:
    name = application.module
    try:
        return importlib.import_module(name)
    except BaseException as error:  # a module may raise an exception class of its own
        if isinstance(error, KeyboardInterrupt):
            raise
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise InputError(
                f"There is no module {name!r}: {missing!r} is not found from {application.app_dir}.\n"
                "Change the name, or give the folder that contains it: --app-dir FOLDER."
            ) from None
        raise _failed(application, error) from None


def _require_own(application: Application, module: ModuleType) -> None:
    """Refuse a module of the same name from elsewhere: one that was imported before, as of the library."""
    there = getattr(module, "__file__", None)
    if application.file is None or there is None or Path(there).resolve() == Path(application.file).resolve():
        return
    raise InputError(
        f"{application.file} cannot be imported: {application.module!r} is the name of {there}.\nRename it."
    )


def _failed(application: Application, error: BaseException) -> InputError:
    """What an import, or a factory, has raised, with the innermost line of the user's own code."""
    if isinstance(error, SyntaxError):
        return InputError(
            f"{error.filename}:{error.lineno}: syntax error: {error.msg}\nFix that line and run again."
        )
    file, line = innermost(error, lambda name: _is_own(name, application.app_dir))
    where = f"{file}:{line}" if file else application.name
    return InputError(f"{where}: {explain(error)}")


def _is_own(file: str, folder: str) -> bool:
    if file.startswith("<"):  # <frozen os>
        return False
    own = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118 - with a separator at its end
    return os.path.realpath(file).startswith(own) and "site-packages" not in Path(file).parts


def _chosen(application: Application, module: ModuleType) -> str:
    names = applications_in(module)
    if not names:
        raise InputError(
            f"{module.__name__} has no application.\n"
            f"Add 'app = FastAPI()', or name a function that makes one: {module.__name__}:NAME --factory."
        )
    if len(names) > 1 and names[0] not in PREFERRED:
        raise InputError(
            f"{application.module} has {len(names)} applications: {', '.join(names)}.\n"
            f"Name one of them, such as {application.module}:{names[0]}."
        )
    return names[0]


def _no_attribute(application: Application, module: ModuleType, attribute: str) -> InputError:
    names = applications_in(module)
    close = difflib.get_close_matches(attribute, [*names, *vars(module)], 1, 0.6)
    hint = f"It has no application: is {module.__name__} the right module?"
    if names:
        hint = f"Its applications: {', '.join(names)}."
    elif close:
        hint = f"Did you mean {application.module}:{close[0]}?"
    return InputError(f"{application.module} has no attribute {attribute!r}.\n{hint}")


def _made(application: Application, module: ModuleType, attribute: str, found: Any) -> Any:
    """The application, made by its factory if it has one. Like uvicorn, it takes what can be called so."""
    if not callable(found):
        raise InputError(
            f"{application.module}:{attribute} is no application: it is of type {type(found).__name__}.\n"
            f"Its applications: {_listed(applications_in(module))}."
        )
    if not application.factory and not _takes_nothing(found):
        return found
    try:
        made = found()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, TypeError) and error.__traceback__ and error.__traceback__.tb_next is None:
            raise InputError(
                f"{application.module}:{attribute} cannot be called without arguments: it is no factory.\n"
                "Leave out --factory if it is the application, or name a function that makes it."
            ) from None
        raise _failed(application, error) from None
    if not callable(made):
        raise InputError(
            f"{application.module}:{attribute}() returns no application, but {type(made).__name__}.\n"
            "Return the application from it."
        )
    return made


def _takes_nothing(thing: Any) -> bool:
    """Whether it can be called without arguments, which an application cannot be."""
    try:
        inspect.signature(thing).bind()
    except (TypeError, ValueError):
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
