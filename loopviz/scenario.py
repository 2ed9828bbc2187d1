"""Scenarios: small FastAPI files with a few declared facts, and how they are found and read.

A file has an ASGI application in `app` and a `Scenario` in `scenario`; everything else in it is
what its author would write anyway.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from loopviz.errors import InputError
from loopviz.loaded import module_name

__all__ = ["RESERVED_KEYS", "Load", "Scenario", "ScenarioFile", "builtin_folder", "find", "load", "nearest"]

RESERVED_KEYS = {
    "h": "left", "j": "down", "k": "up", "l": "right", "q": "quit", "x": "clear",
    "f": "fit", "m": "claims", "n": "next", "r": "slow motion", "t": "sort", "v": "compare",
    "w": "write", "z": "zoom",
}  # fmt: skip
"""Letters that the screen needs for itself, now or soon, and what for."""


@dataclass(frozen=True)
class Load:
    """What a makespan law is a function of."""

    requests: int
    """How many requests are sent at once."""
    threads: int
    """How many tokens for worker threads there are."""
    seconds: float
    """The scenario's declared `seconds`."""
    single: float
    """What one request computes, as measured in this run: the requests' time on the loop and their
    workers' CPU time, in threads and processes, per request, in seconds."""
    cores: int = 1
    """How many cores the program may use."""
    gil: bool = True
    """Whether the interpreter has a GIL."""

    @classmethod
    def here(cls, requests: int, threads: int, seconds: float, single: float) -> Load:
        """A load on this machine, with its cores and this interpreter's GIL."""
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
        gil = getattr(sys, "_is_gil_enabled", lambda: True)()
        return cls(requests, threads, seconds, single, cores, gil)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The declared facts of a scenario."""

    title: str
    """What it is, in a few words."""
    expect: str
    """What to expect, and why: one line."""
    key: str | None = None
    """The letter that fires it."""
    requests: int = 8
    """How many requests are fired at once, unless the user says otherwise."""
    seconds: float = 1.0
    """How long one request takes where nothing stands in its way."""
    makespan: Callable[[Load], float] | None = None
    """The law: seconds from the first request sent to the last answer."""
    group: str = "yours"
    """The heading under which it is listed."""
    order: int = 1_000
    """Where it stands among the others: the smallest comes first, then by name."""
    needs: tuple[str, ...] = ()
    """Modules outside loopviz's own dependencies; without them it is listed, and cannot be fired."""
    upstream: bool = False
    """Whether it calls the second server, whose address is in the environment: UPSTREAM_URL."""
    path: str | None = None
    """What is requested; the app's first endpoint if None."""

    def __post_init__(self) -> None:
        """Refuse values that no screen and no load could use."""
        if self.key is not None and not re.fullmatch("[a-z]", self.key):
            raise ValueError(f"key must be one letter from a to z, not {self.key!r}")
        if self.key in RESERVED_KEYS:
            raise ValueError(
                f"key {self.key!r} is loopviz's own ({RESERVED_KEYS[self.key]}); take another letter"
            )
        if not isinstance(self.requests, int) or self.requests < 1:
            raise ValueError(f"requests must be a whole number from 1, not {self.requests!r}")


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario, ready to be served."""

    name: str
    """The file's name without its ending."""
    file: Path
    facts: Scenario
    app: Any
    """An ASGI application."""
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
    package = Path(__file__).parent
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


def load(paths: Iterable[Path]) -> list[ScenarioFile]:
    """Read scenario files; two with one key are refused."""
    loaded = sorted((_load(path) for path in paths), key=lambda file: (file.facts.order, file.name))
    by_key: dict[str, ScenarioFile] = {}
    for scenario in loaded:
        key = scenario.facts.key
        if key is not None and (other := by_key.setdefault(key, scenario)) is not scenario:
            raise InputError(
                f"{other.file.name} and {scenario.file.name} both declare the key {key!r}.\n"
                "Give one of them another letter."
            )
    return loaded


def _load(path: Path) -> ScenarioFile:
    module = _execute(path)
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


def _execute(path: Path) -> ModuleType:
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file.\nA scenario's file ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that annotations in it can be resolved
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise InputError(
            f"{path}:{error.lineno}: syntax error: {error.msg}\nMend that line, and run again."
        ) from None
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}:{_line_in(path, error)}: {_explain(error)}") from None
    return module


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
