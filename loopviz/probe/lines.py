"""The source line to show for a stack: the innermost one of the user's code.

Where a stack has library code only, the line is the user's that led there, and what it called is named.
"""

from __future__ import annotations

import linecache
import re
import site
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from inspect import unwrap
from itertools import islice, takewhile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from loopviz.probe.chain import inwards
from loopviz.probe.threads import Threads, definition

__all__ = ["CALLS", "PASS_ON", "Line", "Lines", "short"]

CALLS = re.compile(r"[A-Za-z_][\w.]*(?=\s*\()")
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_LOOPVIZ = str(Path(__file__).parents[1])
_WORKER = Threads.worker_code()

# Modules that pass a request, a call or a step on to what does the work. They are not what takes the time.
PASS_ON = re.compile(
    r"(?:asyncio|anyio|asgiref|concurrent|contextlib|contextvars|functools|loopviz|queue|runpy|selectors|sniffio"
    r"|threading|uvicorn|uvloop|weakref|starlette\.(?:_\w+|applications|concurrency|middleware|routing)"
    r"|fastapi\.(?:applications|concurrency|middleware|routing)"
    r"|litestar\.(?:_asgi|app|handlers|middleware|routes))(?:\.|$)"
)
_COMPILED = (".pyx", ".pxd", ".pxi")
"""Cython's functions have frames in chains of awaits, without lines."""
_FRAMEWORKS = {"fastapi", "starlette", "uvicorn", "loopviz", "litestar"}


_OWN, _INSIDE = 8, 12
"""The frames of the user's, and of libraries inside of them, that are reported."""


class Line(NamedTuple):
    """A source line, and what is called there ("" where that is not known)."""

    file: str
    line: int
    function: str
    calls: str


class Lines:
    """Finds the user's line in a stack: the innermost one outside libraries.

    `own` are files and folders of the user's. The package that a file is in belongs to it, even if it is
    installed; so does the package of an endpoint that is seen at work.
    """

    def __init__(self, own: Iterable[str] = (), libraries: Iterable[str] = ()) -> None:
        """`libraries` are the folders of another Python's libraries."""
        self._own = {_package(Path(path)) for path in own}
        paths = sysconfig.get_paths()
        known = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
        known.update(site.getsitepackages(), [_LOOPVIZ], libraries)
        self._libraries = tuple(known)
        # By the code's identity: its hash is computed from all of its instructions, each time. The
        # code is kept alive with the result, so that its id is not used again.
        self._foreign: dict[int, tuple[bool, CodeType]] = {}
        self._calls: dict[tuple[int, int], tuple[str, CodeType]] = {}

    def of_thread(self, ident: int, frames: dict[int, FrameType]) -> Line | None:
        """Where the thread is, by the `frames` of all threads.

        If only library code is there: the endpoint that the request is for, if it is known, and what works
        for it; else a line of a library's, but never one of loopviz's.
        """
        stack = list(takewhile(_runs_no_loop, _outwards(frames.get(ident))))
        # A middleware of the user's that has called the next application is not at work.
        stack = [
            f
            for f, inner in zip(stack, [None, *stack], strict=False)
            if not (_is_asgi(f) and _is_asgi(inner))
        ]
        return self._users(stack) or self._of_endpoint(stack) or self._of_library(stack)

    def of_call(
        self, ident: int, frames: dict[int, FrameType], call: int, caller: Callable[[int], Line | None]
    ) -> Line | None:
        """Where a worker thread is in its `call`; None if it executes another one by now.

        If only library code is there: the line of the `caller`, which is given the number of its task, and
        the function that was called. `calls` is empty in any other case.
        """
        inside: list[FrameType] = []
        for frame in _outwards(frames.get(ident)):
            if frame.f_code is _WORKER:
                break
            inside.append(frame)
        else:
            return None
        given = frame.f_locals
        if given.get("number") != call:
            return None
        line = self._users(inside)
        working = _at_work(inside)
        if line is None and (at := caller(given.get("task", 0))) is not None:
            return _at(at, _called(working) if working is not None else _name(given.get("func")))
        if line is None and inside:
            line = self._line(working or inside[-1])
        return _at(line, "") if line is not None else None

    @staticmethod
    def stack(ident: int, frames: dict[int, FrameType]) -> list[FrameType]:
        """What the thread executes in a step or a call, by the `frames` of all threads; outermost first."""
        inside = takewhile(_runs_no_loop, _outwards(frames.get(ident)))
        return list(takewhile(lambda frame: frame.f_code is not _WORKER, inside))[::-1]

    def frames(self, chain: Iterable[FrameType], line: Line) -> str:
        """The user's frames of a chain, and a library's inside of the last of them, for FRAMES.

        `line` is what was found for the chain. "" where there is nothing but the line itself, or where the
        line is in none of the user's frames.
        """
        own: list[FrameType] = []
        inside: list[FrameType] = []
        for frame in chain:
            if self.is_library(frame.f_code):
                inside.append(frame)
            else:
                own.append(frame)
                inside.clear()
        shown = [self._line(frame)[:3] for frame in own[-_OWN:]]
        if not shown and line.calls:
            shown = [line[:3]]
            inside = inside[next((i for i, f in enumerate(inside) if not _passes_on(f)), len(inside)) :]
        if not shown or shown[-1] != line[:3]:
            return ""
        shown += [(f.f_code.co_filename, f.f_lineno or 0, f.f_code.co_qualname) for f in inside[:_INSIDE]]
        if len(shown) == 1:
            return ""
        return "\n".join(f"{number}\t{_plain(name)}\t{_plain(file)}" for file, number, name in shown)

    def of_task(self, coro: Any) -> Line | None:
        """Where a suspended task awaits: the user's innermost line in its chain of awaits."""
        return self.of_chain([frame for _, frame in inwards(coro)])

    def of_chain(self, chain: Sequence[FrameType]) -> Line | None:
        """The user's innermost line in a chain of awaits, the outermost frame first."""
        line = self._users(reversed(chain))
        if line is None and self.endpoint(chain) is not None:  # its package may be known only now
            line = self._users(reversed(chain))
        return line

    def endpoint(self, chain: Sequence[FrameType], *, adopts: bool = True) -> Line | None:
        """The definition of the user's function that a chain of awaits, or a stack, is to call or has called.

        It is in the ASGI scope. If `adopts`, its package counts as the user's from now on.
        """
        for frame in reversed(chain):
            code = frame.f_code
            if "scope" not in code.co_varnames[: code.co_argcount] or not self.is_library(code):
                continue
            scope = frame.f_locals.get("scope")
            endpoint = _endpoint_of(scope) if isinstance(scope, dict) else None
            if endpoint is None:
                continue
            with suppress(Exception):  # a callable object may do anything
                endpoint = unwrap(endpoint)
            file, line, function = definition(endpoint)
            package = _package_name(file)
            if self.is_foreign(file) and file not in self._own:
                if package in _FRAMEWORKS or not (package or file.startswith("<")):
                    return None
                if adopts:
                    self._own.add(file if file.startswith("<") else _package(Path(file)))
                    self._foreign.clear()
            return Line(file, line, function, "")
        return None

    def is_library(self, code: CodeType) -> bool:
        """Whether code is a library's, not the user's."""
        known = self._foreign.get(id(code))
        if known is None:
            known = (self.is_foreign(code.co_filename), code)
            if len(self._foreign) < 20_000:
                self._foreign[id(code)] = known
        return known[0]

    @property
    def libraries(self) -> tuple[str, ...]:
        """The folders of libraries."""
        return self._libraries

    def _users(self, innermost_first: Iterable[FrameType]) -> Line | None:
        for frame in innermost_first:
            if not self.is_library(frame.f_code) or (
                frame.f_code.co_filename.startswith("<") and "__jinja_template__" in frame.f_globals
            ):
                return self._line(frame)
        return None

    def is_foreign(self, file: str) -> bool:
        """Whether it is a library's: the folder that is nearest to it decides."""
        own = max((len(path) for path in self._own if _within(file, path)), default=0)
        if file.startswith("<") or file.endswith(_COMPILED):
            return not own
        library = max((len(path) for path in self._libraries if _within(file, path)), default=0)
        for found in _INSTALLED.finditer(file):
            library = max(library, found.end() - 1)
        return library > own

    def _of_endpoint(self, stack: Sequence[FrameType]) -> Line | None:
        """The endpoint that a stack of library code is for, and what works for it."""
        endpoint, working = self.endpoint(stack[::-1]), _working(stack)
        if endpoint is None or working is None:
            return None
        return self._users(stack) or _at(endpoint, _called(working))

    def _of_library(self, stack: Sequence[FrameType]) -> Line | None:
        frame = _working(stack)
        return self._line(frame) if frame is not None else None

    def _line(self, frame: FrameType) -> Line:
        code, instruction, number = frame.f_code, frame.f_lasti, frame.f_lineno or 0
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return _of_template(template, code, number)
        key = (id(code), instruction)
        known = self._calls.get(key)
        if known is None:
            known = (_call_at(code, instruction), code)
            if len(self._calls) < 20_000:
                self._calls[key] = known
        return Line(code.co_filename, number, code.co_qualname, known[0])


def _endpoint_of(scope: dict[str, Any]) -> Any:
    """The function that a router has chosen: Starlette's ``endpoint``, Litestar's ``route_handler``."""
    endpoint = scope.get("endpoint")
    return endpoint if endpoint is not None else getattr(scope.get("route_handler"), "fn", None)


def _at(line: Line, calls: str) -> Line:
    return Line(line.file, line.line, line.function, calls)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _runs_no_loop(frame: FrameType) -> bool:
    """Whether it is not the frame that runs the loop: the frames around it are not at work in a step."""
    runs = frame.f_code.co_name in {"run", "run_forever", "run_until_complete"}
    return not (runs and _module(frame) in {"asyncio.base_events", "asyncio.runners"})


def _before_finalizer(innermost_first: Sequence[FrameType]) -> Iterator[FrameType]:
    """The frames from the outermost one to a finalizer, which the garbage collector may call anywhere."""
    return takewhile(lambda frame: frame.f_code.co_name != "__del__", reversed(innermost_first))


def _at_work(innermost_first: Sequence[FrameType]) -> FrameType | None:
    """The outermost frame of a library's that does not only pass on what it is given."""
    for frame in _before_finalizer(innermost_first):
        if not _passes_on(frame):
            return frame
    return None


def _passes_on(frame: FrameType) -> bool:
    return _is_asgi(frame) or PASS_ON.match(_module(frame)) is not None


def _plain(text: str) -> str:
    """A name without the signs that separate names."""
    return text.replace("\t", " ").replace("\n", " ")


def _is_asgi(frame: FrameType | None) -> bool:
    """Whether a function has the parameters of an ASGI application."""
    code = frame.f_code if frame is not None else None
    return code is not None and {"scope", "receive", "send"}.issubset(code.co_varnames[: code.co_argcount])


def _working(innermost_first: Sequence[FrameType]) -> FrameType | None:
    """As `_at_work`; where all pass on, the innermost one that is not loopviz's."""
    found = _at_work(innermost_first)
    for frame in _before_finalizer(innermost_first) if found is None else ():
        if not _within(frame.f_code.co_filename, _LOOPVIZ):
            found = frame
    return found


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


def _called(frame: FrameType) -> str:
    """The name by which a library's function is known: ``requests.get``."""
    return short(_module(frame), frame.f_code.co_qualname)


def short(module: object, function: str) -> str:
    """The name by which a function of a module is known."""
    package = module.partition(".")[0].lstrip("_") if isinstance(module, str) else ""
    function = function.rpartition("<locals>.")[2]
    return f"{package}.{function}" if package and package != "builtins" else function


def _name(func: Any) -> str:
    """The name of a function that has no frame: ``time.sleep``."""
    while isinstance(func, partial):
        inner = func.func
        # asyncio.to_thread runs the function in a context.
        runs = getattr(inner, "__qualname__", None) == "Context.run" and func.args
        func = func.args[0] if runs else inner
    name = getattr(func, "__qualname__", None)
    if not isinstance(name, str):
        return short(type(func).__module__, type(func).__qualname__)
    return short(getattr(func, "__module__", None), name)


def _of_template(template: Any, code: CodeType, number: int) -> Line:
    """The line of a Jinja template for a line of the Python code that was made from it."""
    name = getattr(template, "name", None)
    file = getattr(template, "filename", None)
    return Line(
        file if isinstance(file, str) else code.co_filename,
        int(template.get_corresponding_lineno(number)),
        name if isinstance(name, str) else "template",
        "",
    )


def _package(path: Path) -> str:
    """The folder of the top package that a file or folder is in.

    Outside packages it is the folder itself, or the file itself where the folder is for installed packages.
    """
    folder = path if path.is_dir() else path.parent
    found = list(_INSTALLED.finditer(f"{folder}/"))
    if found and not _within(str(folder), _LOOPVIZ):
        installed = str(folder)[: found[-1].end() - 1]
        inside = folder.relative_to(installed).parts
        return str(Path(installed, inside[0]) if inside else path)
    while (folder / "__init__.py").is_file() and (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return str(folder)


def _package_name(file: str) -> str:
    """The name of the installed package that a file is in; "" if it is in none."""
    found = list(_INSTALLED.finditer(file))
    return re.split(r"[/\\.]", file[found[-1].end() :], maxsplit=1)[0] if found else ""


def _within(file: str, folder: str) -> bool:
    return file.startswith(folder) and (len(file) == len(folder) or file[len(folder)] in "/\\")


def _call_at(code: CodeType, instruction: int) -> str:
    """The name that the source calls at an instruction: ``time.sleep`` of ``time.sleep(1)``."""
    position = next(islice(code.co_positions(), max(0, instruction // 2), None), None)
    if position is None:
        return ""
    line, last_line, column, last_column = position
    if line is None or column is None or last_column is None:
        return ""
    source = linecache.getline(code.co_filename, line).encode()
    text = source[column : last_column if last_line == line else None].decode(errors="replace")
    found = CALLS.match(text)
    return found.group() if found else ""
