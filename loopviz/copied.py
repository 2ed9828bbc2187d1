"""Copies of a user's modules, in one of which the text of a file is another one.

A copy of the module ``shop.main`` is ``loopviz.copied.c1.shop.main``. In a copy, importing a module that lies
in the same folders imports its copy, whether by its plain name or relative to a package; any other import
means what it always means. So the modules of the original are neither changed nor used by the copy, and they
share the libraries. A file whose text is replaced is known to tracebacks by its name with a mark, and
`linecache` has its lines; nothing is written.

A worker process that is not forked imports the function that it runs by the name of the function's module.
For this, child processes take the text from the environment.
"""

from __future__ import annotations

import base64
import builtins
import importlib
import json
import linecache
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

__all__ = ["ChangedSinceError", "Copy", "NotCopiedError", "is_installed", "show"]

__path__: list[str] = []  # the copies, which `_Finder` finds

_TEXT = "LOOPVIZ_COPY"
_MOST = 100_000
"""A variable of the environment that is longer is not accepted by every system."""

_copies: dict[str, Copy] = {}


class NotCopiedError(Exception):
    """The file is not imported in a way that a copy of it can be; or not at all."""


class ChangedSinceError(Exception):
    """A file has been saved since the original was imported; its message is the file's name."""


class Copy:
    """Copies of the modules in `roots`: folders that are searched for modules, as those of ``sys.path`` are.

    `text` takes the place of what is in `file`, and `shown` is how that file is called in tracebacks. Files
    that were saved after `since` (s, of `time.time`) are refused.
    """

    def __init__(
        self,
        number: int,
        roots: Sequence[str],
        file: str,
        text: str,
        shown: str,
        since: float | None = None,
    ) -> None:
        self.name = f"{__name__}.c{number}"
        self.roots = [os.path.realpath(root) for root in roots]
        self.file = os.path.realpath(file)
        self.text = text.removeprefix("\ufeff")  # a byte order mark is for files only
        self.shown = shown
        self.since = since
        self.used = False
        """Whether the text has been executed."""
        self._known: dict[str, bool] = {}
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self._import}
        self._given = _packed([number, self.roots, self.file, self.text, shown])

    def load(self, module: str) -> ModuleType:
        """Import the copy of this module.

        Raises what its modules raise, `NotCopiedError` and `ChangedSinceError`.
        """
        _copies[self.name] = self
        if _Finder not in sys.meta_path:
            sys.meta_path.insert(0, _Finder)
        if self._given is not None:
            os.environ[_TEXT] = self._given
        show(self.shown, self.text)
        try:
            found = importlib.import_module(f"{self.name}.{module}")
        except BaseException:
            self.forget()
            raise
        if not self.used:
            self.forget()
            raise NotCopiedError
        return found

    def forget(self) -> None:
        """Forget the modules. Functions that run go on; the text stays known to tracebacks."""
        _copies.pop(self.name, None)
        if os.environ.get(_TEXT) == self._given:
            os.environ.pop(_TEXT, None)
        for name in [name for name in sys.modules if name == self.name or name.startswith(f"{self.name}.")]:
            sys.modules.pop(name, None)
        globals().pop(self.name.rpartition(".")[2], None)  # the import system has made it an attribute

    def owns(self, path: str) -> bool:
        """Whether a file or folder lies in its folders, and is none of an installed library."""
        real = os.path.realpath(path)
        inside = [real[len(root) :] for root in self.roots if real.startswith(root.rstrip(os.sep) + os.sep)]
        return any(not is_installed(rest) for rest in inside)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - as the function in builtins
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What ``import`` calls in a copy."""
        top = name.partition(".")[0]
        itself = (globals or {}).get("__name__") == f"{self.name}.{name}"  # 'import flask' in flask.py
        if level or itself or not self._copies(top):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{self.name}.{name}", globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.name}.{top}"]

    def _copies(self, top: str) -> bool:
        """Whether a module of this name is imported as a copy."""
        known = self._known.get(top)
        if known is None:
            known = self._known[top] = self._finds(top)
        return known

    def _finds(self, top: str) -> bool:
        if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:
            return False
        found = PathFinder.find_spec(top, self.roots)
        if found is None:  # elsewhere, though it may be below one of the folders
            return False
        places = [place for place in (found.origin, *(found.submodule_search_locations or ())) if place]
        imported = sys.modules.get(top)
        if imported is not None:
            known = {os.path.realpath(place) for place in _places(imported)}
            places = [place for place in places if os.path.realpath(place) in known]
        return any(map(self.owns, places))


class _Loader(SourceFileLoader):
    """Loads a module of a copy."""

    def __init__(self, name: str, path: str, copy: Copy) -> None:
        super().__init__(name, path)
        self._copy = copy

    def get_code(self, fullname: str) -> CodeType | None:
        copy, path = self._copy, self.get_filename(fullname)
        if copy.since is not None and Path(path).stat().st_mtime > copy.since:
            raise ChangedSinceError(path)
        if os.path.realpath(path) != copy.file:
            return super().get_code(fullname)
        copy.used = True
        code: CodeType = compile(copy.text, copy.shown, "exec", dont_inherit=True)
        return code

    def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
        """Write no cache."""

    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        module.__dict__["__builtins__"] = self._copy.builtins
        exec(code or "", module.__dict__)  # noqa: S102 - as the import system does


class _Finder:
    """Finds the copies, and the modules in them."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(f"{__name__}."):
            return None
        copy = _copies.get(".".join(name.split(".")[:3])) or _given(name)
        if copy is None:
            return None
        if name == copy.name:
            package = ModuleSpec(name, None, is_package=True)
            package.submodule_search_locations = list(copy.roots)
            return package
        found = PathFinder.find_spec(name, path, target)
        if found is not None and type(found.loader) is SourceFileLoader:
            found.loader = _Loader(name, found.loader.path, copy)
        elif found is not None and found.loader is not None and found.submodule_search_locations is None:
            return ModuleSpec(name, _Same(name[len(copy.name) + 1 :]), origin=found.origin)
        return found


class _Same(Loader):
    """Loads the original of a module that is compiled: it may refuse to be loaded twice."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: Any = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        found = importlib.import_module(self._name)
        self._spec = found.__spec__
        return found

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _places(module: ModuleType) -> list[str]:
    """The file of a module, and the folders of a package."""
    file = getattr(module, "__file__", None)
    return [*([file] if isinstance(file, str) else []), *getattr(module, "__path__", ())]


def is_installed(path: str) -> bool:
    """Whether a path leads into the folder of installed libraries."""
    return any(part in {"site-packages", "dist-packages"} for part in Path(path).parts)


def show(name: str, text: str) -> None:
    """Let tracebacks and views have the lines of a text by this name."""
    # Without a time, it is not compared with a file.
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def _packed(values: list[Any]) -> str | None:
    """Values for the environment; None if they are too long for it."""
    packed = base64.b85encode(zlib.compress(json.dumps(values).encode())).decode()
    return packed if len(packed) <= _MOST else None


def _given(name: str) -> Copy | None:
    """The copy that another process has put into the environment, if it is the one that is meant."""
    try:
        number, roots, file, text, shown = json.loads(zlib.decompress(base64.b85decode(os.environ[_TEXT])))
    except (KeyError, ValueError, zlib.error):
        return None
    copy = Copy(number, roots, file, text, shown)
    if not f"{name}.".startswith(f"{copy.name}."):
        return None
    show(shown, text)
    return _copies.setdefault(copy.name, copy)


if _TEXT in os.environ:
    sys.meta_path.insert(0, _Finder)
