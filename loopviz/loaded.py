"""Scenario files as modules, and the modules beside them.

The file ``blocking.py`` of the folder ``demo`` is the module ``loopviz.loaded.demo_1a2b3c4d.blocking``: two
folders may have files of the same name. A file of a package has its own name, such as ``app.main``. It may
import what lies beside it (for a package: what lies beside the topmost package), as with ``python FILE``
and ``fastapi dev``. The modules beside it keep their plain names, so only one folder's are in
``sys.modules`` at a time: `use` changes which.

A worker process imports the function that it runs by the name of the function's module. For this, child
processes take the folders from the environment, however they are started.
"""

from __future__ import annotations

import os
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType

__all__ = ["beside", "forget_changed", "place", "spec", "use"]

_FOLDERS = "LOOPVIZ_FOLDERS"
_MARK = b"loopviz.scenario"
"""What a scenario file has in its text, and a module beside it has not."""

_DOT = "\N{ONE DOT LEADER}"
"""Stands in a module's name for a dot in the file's, which would separate packages."""

__path__: list[str] = []  # its subpackages, one for each folder, are found by `_Finder`

_lock = threading.RLock()
_in_use, *_others = os.environ.get(_FOLDERS, "").split(os.pathsep)
_folders: list[str] = [folder for folder in (_in_use, *_others) if folder]
"""Every folder from which a scenario was loaded."""
_added: set[str] = set()
"""What `use` has added to ``sys.path``."""
_kept: dict[str, dict[str, ModuleType]] = {}
"""The modules of folders that are not in use."""
_scenarios: set[str] = set()
"""Names of modules that are scenarios."""


class _Loader(SourceFileLoader):
    """Loads a module of `folder` from its present text: a cache would not notice every change.

    `folder` is where the modules are that it may import; "" for none.
    """

    def __init__(self, name: str, path: str, folder: str) -> None:
        super().__init__(name, path)
        self.folder = folder
        self.stamp = _stamp(path)

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        self.stamp = _stamp(path)
        return self.source_to_code(self.get_data(path), path)


class _Finder:
    """Finds the folders' packages, and the modules beside a scenario, for the folder of who imports."""

    @staticmethod
    def find_spec(  # noqa: PLR0911 - one for each kind of module
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, last = name.rpartition(".")
        if package == __name__:
            return _package(name, last)
        if path is not None:
            folder = _folder_of(name, list(path))
            if folder is not None and _DOT in last:
                return _dotted(name, next(iter(path)), folder)
            return None if folder is None else _loaded(PathFinder.find_spec(name, path, target), folder)
        folder = _importer()
        # Never a standard library's name: loopviz itself may not have imported that module yet.
        if not folder or name in sys.stdlib_module_names:
            return None
        found = PathFinder.find_spec(name, [folder], target)
        if found is None or found.loader is None:  # a mere folder comes after every module of that name
            return None
        if found.origin is not None and _is_scenario(found.origin):
            # 'import flask' in flask.py means the library.
            others = [entry for entry in sys.path if os.path.realpath(entry or os.curdir) != folder]
            library = PathFinder.find_spec(name, others, target)
            if library is not None and library.loader is not None:
                return library
        return _loaded(found, folder)


def place(file: Path) -> tuple[str, list[str]]:
    """The folder in which the modules of `file` are found, and the parts of its name there.

    The folder is the file's own one, or for a file of a package the one above the topmost package.
    """
    folder, names = file.parent, [file.stem.replace(".", _DOT)]
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return str(folder), names


def spec(file: Path, *, alone: bool = False) -> ModuleSpec:
    """How to make `file` a module, which child processes can import by its name.

    Unless it is `alone`, the modules beside it can be imported from now on.
    """
    file = file.resolve()
    folder, names = place(file)
    with _lock:
        if alone:
            _tell_children(folder)
        else:
            use(file)
        name = ".".join(names)
        if len(names) == 1 or not _is_free(names[0], folder):
            name = f"{__name__}.{_tag(folder)}.{name}"
        _scenarios.add(name)
    made = ModuleSpec(name, _Loader(name, str(file), "" if alone else folder), origin=str(file))
    made.has_location = True
    return made


def use(file: Path) -> None:
    """From now on the modules beside `file` are found, and those beside files in other folders are not."""
    global _in_use  # noqa: PLW0603 - one folder for a process
    folder, _ = place(file.resolve())
    with _lock:
        if _in_use == folder and folder in sys.path:
            return
        _in_use = folder
        _tell_children(folder)
        sys.path[:] = [entry for entry in sys.path if entry not in _added]
        _added.clear()
        if folder not in sys.path:
            _added.add(folder)
            sys.path.append(folder)  # for child processes, and for those who search it themselves
        for name, loader in _modules():
            if loader.folder not in {folder, ""}:
                _kept.setdefault(loader.folder, {})[name] = sys.modules.pop(name)
        sys.modules.update(_kept.pop(folder, {}))


def beside(file: Path) -> dict[Path, tuple[int, int] | None]:
    """The files of the modules that were loaded beside `file`, with time (ns) and size when they were."""
    folder, _ = place(file.resolve())
    with _lock:
        return {
            Path(loader.path): loader.stamp
            for name, loader in _modules()
            if loader.folder == folder and name not in _scenarios
        }


def forget_changed(file: Path) -> dict[str, ModuleType]:
    """If a module beside `file` was changed since it was loaded, forget all of them; those modules.

    Then they are imported anew. All of them, because others may have names of one that was changed.
    """
    folder, _ = place(file.resolve())
    with _lock:
        PathFinder.invalidate_caches()
        mine = [(name, loader) for name, loader in _modules() if loader.folder == folder]
        if all(loader.stamp == _stamp(loader.path) for name, loader in mine if name not in _scenarios):
            return {}
        names = [name for name, _ in mine if name not in _scenarios]
        for name in list(names):  # folders without __init__.py
            above = name.rpartition(".")[0]
            while above and getattr(getattr(sys.modules.get(above), "__spec__", None), "origin", "") is None:
                names.append(above)
                above = above.rpartition(".")[0]
        return {name: sys.modules.pop(name) for name in dict.fromkeys(names) if name in sys.modules}


def _modules() -> Iterator[tuple[str, _Loader]]:
    """The loaded modules of all folders, by the names that only one folder's can have."""
    own = f"{__name__}."
    for name, module in list(sys.modules.items()):
        if not name.startswith(own):  # first, because there may be a thousand scenarios
            loader = getattr(getattr(module, "__spec__", None), "loader", None)
            if isinstance(loader, _Loader):
                yield name, loader


def _importer() -> str:
    """The folder of the module that imports; if it is no module of a folder, the one in use."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        who = str(frame.f_globals.get("__name__")).partition(".")[0]
        if frame.f_globals is not globals() and who not in {"importlib", "_frozen_importlib"}:
            loader = getattr(frame.f_globals.get("__spec__"), "loader", None)
            if isinstance(loader, _Loader):
                return loader.folder
            break
        frame = frame.f_back
    # A forked process may have an older environment, but it is given the path.
    return _in_use if _in_use in sys.path else ""


def _package(name: str, tag: str) -> ModuleSpec | None:
    """The package that a folder is: ``loopviz.loaded.demo_1a2b3c4d``."""
    for folder in (*_folders, *sys.path):
        if folder and _tag(os.path.realpath(folder)) == tag:
            package = ModuleSpec(name, None, is_package=True)
            package.submodule_search_locations = [os.path.realpath(folder)]
            return package
    return None


def _folder_of(name: str, path: list[str]) -> str | None:
    """The folder to which a module within a package belongs."""
    if name.startswith(f"{__name__}."):
        package = sys.modules.get(".".join(name.split(".")[:3]))
        return next(iter(getattr(package, "__path__", ())), None)
    top = name.partition(".")[0]
    spec = getattr(sys.modules.get(top), "__spec__", None)
    if spec is None or not (spec.origin is None or isinstance(spec.loader, _Loader)):
        return None  # a package that was imported before from elsewhere, or in another way
    return next((f for f in _folders if any(p.startswith(str(Path(f, top))) for p in path)), None)


def _loaded(found: ModuleSpec | None, folder: str) -> ModuleSpec | None:
    if found is not None and type(found.loader) is SourceFileLoader:
        found.loader = _Loader(found.loader.name, found.loader.path, folder)
    return found


def _dotted(name: str, folder: str, beside: str) -> ModuleSpec | None:
    """A file of this folder with a dot in its name."""
    file = Path(folder, name.rpartition(".")[2].replace(_DOT, ".") + ".py")
    if not file.is_file():
        return None
    found = ModuleSpec(name, _Loader(name, str(file), beside), origin=str(file))
    found.has_location = True
    return found


def _is_free(top: str, folder: str) -> bool:
    """Whether the package `top` of `folder` can be imported by its plain name."""
    known = sys.modules.get(top)
    where = list(getattr(known, "__path__", ()))
    return top not in sys.stdlib_module_names and (known is None or str(Path(folder, top)) in where)


def _is_scenario(file: str) -> bool:
    try:
        return _MARK in Path(file).read_bytes()
    except OSError:
        return False


def _tag(folder: str) -> str:
    name = "".join(c if c.isalnum() else "_" for c in Path(folder).name)
    return f"{name}_{zlib.crc32(os.fsencode(folder)):08x}"


def _stamp(path: str) -> tuple[int, int] | None:
    """Time of the last change (ns) and size; None if the file does not exist."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _tell_children(folder: str) -> None:
    """Let them know `folder` as well, and which one is in use."""
    if folder not in _folders:
        _folders.append(folder)
    os.environ[_FOLDERS] = os.pathsep.join([_in_use, *(known for known in _folders if known != _in_use)])


if not any(finder is _Finder for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder)
    _parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", lambda: None)()
    if _in_use and _parent is None:  # multiprocessing's own children are given the path
        sys.path.append(_in_use)
        _added.add(_in_use)
