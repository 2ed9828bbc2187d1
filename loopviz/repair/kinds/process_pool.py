"""A computing function of the module is called in a process pool, which each worker has for itself."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from loopviz.repair.change import Change
from loopviz.repair.endpoints import is_route, require_either
from loopviz.repair.imports import imported_as
from loopviz.repair.known import HELPERS
from loopviz.repair.light import require_light
from loopviz.repair.outline import Function, Outline, own
from loopviz.repair.place import Place
from loopviz.repair.result import Refusal
from loopviz.repair.sharing import accesses, changes
from loopviz.repair.suspending import require_suspendable
from loopviz.repair.threads import raises_stop_iteration

if TYPE_CHECKING:
    from loopviz.repair.rewrite import Rewrite

__all__ = ["plan"]

_SETUP: Final = """\

@functools.cache
def {pool}():
    \"\"\"The worker processes: the first call starts them, not a worker that imports this module.\"\"\"
    return ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))

"""
_PICKLED: Final = frozenset({
    "str", "int", "float", "bytes", "bool", "list", "dict", "tuple", "set", "frozenset", "complex",
    "decimal.Decimal", "datetime.datetime", "datetime.date", "uuid.UUID",
})  # fmt: skip


def plan(place: Place) -> Change:
    """The change for the computing at a line. Raises `Refusal`."""
    outline = place.outline
    computing, call = _site(place)
    function = outline.function_around(call)
    _require_importable(outline)
    own_package = frozenset(PurePosixPath(place.name).with_suffix("").parts)
    _require_for_itself(outline, computing, own_package)
    skipped = _skipped(outline, call, computing)
    _require_pickled(outline, call, computing, skipped)
    if skipped == 0:
        require_suspendable(outline, call, function)
    if isinstance(function, ast.FunctionDef):
        _require_switch(outline, function, call)
    asyncio = _require_names(outline, call)
    existing = _existing(outline)
    pool = existing or outline.fresh("pool", "process_pool", "workers")

    def make(rewrite: Rewrite) -> None:
        from loopviz.repair import rewrite as r  # noqa: PLC0415 - it loads LibCST

        executor, run = r.parsed(f"{pool}()"), r.parsed(f"{asyncio}.get_running_loop().run_in_executor")

        def moved(updated: Any) -> Any:
            return updated.with_changes(func=run, args=r.arguments(updated, [executor, updated.func]))

        def other(updated: Any) -> Any:
            if skipped == 2:  # the loop's own executor
                first = updated.args[0].with_changes(value=executor)
                return updated.with_changes(args=[first, *updated.args[1:]])
            return updated.with_changes(func=run, args=r.arguments(updated, [executor]))

        if skipped:
            rewrite.replaced(call, other)
        else:
            rewrite.awaited(call, moved)
        rewrite.asynchronous(function, wanted=True)

    summary = f"Line {call.lineno} awaits {computing.name}() in a process pool: each process has its own GIL."
    if isinstance(function, ast.FunctionDef):
        summary += f" {function.name}() is async def now."
    imports = (
        "import functools",
        "import multiprocessing",
        "from concurrent.futures import ProcessPoolExecutor",
    )
    own_loop = skipped == 2 or asyncio != "asyncio"
    return Change(
        summary + " The first request waits for the processes to start.",
        make,
        (() if own_loop else ("import asyncio",)) + (() if existing else imports),
        (),
        () if existing else tuple(_SETUP.format(pool=pool).splitlines()),
        call,
    )


def _require_switch(outline: Outline, function: Function, call: ast.Call) -> None:
    """Raise `Refusal` unless a `def` function may be `async def` where the call is awaited."""
    try:
        require_either(outline, function)
        require_light(outline, function, [call])
    except Refusal as refusal:
        raise Refusal(f"{function.name}() would have to be async def: {refusal}") from None


def _require_names(outline: Outline, call: ast.Call) -> str:
    """The name of asyncio. Raises `Refusal` if a name that the pool needs means something else."""
    for module in ("functools", "multiprocessing"):
        if imported_as(outline, module, outline.tree) != module:
            raise Refusal(f"The module {module} has another name here.")
    name = ast.Name("ProcessPoolExecutor", ast.Load())
    if outline.bindings(name.id, call) and outline.meaning(name, call) != f"concurrent.futures.{name.id}":
        raise Refusal(f"The name {name.id} means something else here.")
    return imported_as(outline, "asyncio", call)


def _site(place: Place) -> tuple[Function, ast.Call]:
    """The function that computes, and where an endpoint or another `async def` function calls it."""
    outline, function = place.outline, place.function
    for call in place.here():
        for name in _names_called(outline, call):
            called = outline.module_function(name.id, name)
            if (
                isinstance(called, ast.FunctionDef)
                and called is not function
                and _may_await(outline, function)
            ):
                return called, call
    if _may_await(outline, function) or function not in outline.tree.body:
        raise Refusal(
            f"The computing is in {function.name}() itself: move it into a function at the top of the module,"
            " which gets what it needs as arguments; that one can run in a process pool."
        )
    computing = function
    for _ in range(5):
        every = list(_calls_of(outline, function))
        direct = [call for call in every if _may_await(outline, outline.function_around(call))]
        calls = direct or every
        if len(calls) != 1:
            raise Refusal(
                f"{function.name}() is called at {len(calls) or 'no'} places in this file, not at one."
            )
        around = outline.function_of(calls[0])
        if around is None or around is function:
            break
        if _may_await(outline, around):
            return function, calls[0]
        function = around
    raise Refusal(f"Nothing in this file calls {computing.name}() for a request.")


def _may_await(outline: Outline, function: Function) -> bool:
    routed = any(is_route(outline, decorator) for decorator in function.decorator_list)
    return isinstance(function, ast.AsyncFunctionDef) or routed


def _names_called(outline: Outline, call: ast.Call) -> Iterator[ast.Name]:
    """The name of the function that is called, also by a helper that calls it in a thread."""
    if isinstance(call.func, ast.Name):
        yield call.func
    position = 1 if _is_run_in_executor(call) else 0
    moves = position == 1 or outline.meaning(call.func) in HELPERS
    if moves and len(call.args) > position and isinstance(found := call.args[position], ast.Name):
        yield found


def _is_run_in_executor(call: ast.Call) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "run_in_executor"
        and len(call.args) > 1
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value is None
    )


def _calls_of(outline: Outline, function: Function) -> Iterator[ast.Call]:
    for node in outline.nodes:
        if isinstance(node, ast.Call) and outline.function_of(node) not in {None, function}:
            for name in _names_called(outline, node):
                if name.id == function.name and outline.module_function(name.id, name) is function:
                    yield node


def _skipped(outline: Outline, call: ast.Call, computing: Function) -> int:
    """How many arguments a helper takes before those of the function; 0 if there is no helper."""
    if isinstance(call.func, ast.Name) and call.func.id == computing.name:
        return 0
    if not isinstance(outline.parents[call], ast.Await):
        raise Refusal(f"The call at line {call.lineno} is not awaited where it is made.")
    return 2 if _is_run_in_executor(call) else 1


def _require_importable(outline: Outline) -> None:
    """Raise `Refusal` if a worker process that imports the module would start a server."""
    for node in outline.tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr in {
                "run",
                "serve",
                "serve_forever",
                "start",
            }:
                raise Refusal(f"Line {node.lineno} would be executed by each worker process as well.")
            if isinstance(called, ast.Attribute) and called.attr in {"seed", "manual_seed"}:
                raise Refusal(f"Line {node.lineno} would give each worker process the same random numbers.")


def _require_for_itself(
    outline: Outline, computing: Function, own_package: frozenset[str], depth: int = 0
) -> None:
    """Raise `Refusal` if a function needs more than its arguments, or does more than return a result."""
    name = f"{computing.name}()"
    if computing.decorator_list:
        raise Refusal(f"{name} is decorated, so a worker process may not find it.")
    if isinstance(computing, ast.AsyncFunctionDef):
        raise Refusal(f"{name} is async def.")
    if shared := changes(outline, computing, given=True):
        raise Refusal(f"{name} changes {shared[0]}: in a worker process that would be another one.")
    _require_returning(outline, computing)
    for used, _, node in accesses(outline, computing):
        found = outline.only(used, node)
        if isinstance(found, ast.FunctionDef) and found is not computing and depth < 3:
            _require_for_itself(outline, found, own_package, depth + 1)
        elif isinstance(found, ast.Name):
            _require_constant(outline, found, name)
    _require_only_libraries(outline, computing, own_package)


def _require_only_libraries(outline: Outline, computing: Function, own_package: frozenset[str]) -> None:
    """Raise `Refusal` if a function needs what another file of the application has, or what was imported."""
    for node in own(computing):
        if not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            continue
        for binding in outline.bindings(node.id, node):
            if not isinstance(binding.node, ast.Import | ast.ImportFrom):
                continue
            package = binding.target.partition(".")[0]
            is_value = isinstance(binding.node, ast.ImportFrom) and not _is_code(outline, node)
            of_library = package in sys.stdlib_module_names
            if not package or package in own_package or (is_value and not of_library):
                raise Refusal(
                    f"{computing.name}() needs {node.id} of another file, which may be another one"
                    " in a worker process."
                )


def _is_code(outline: Outline, node: ast.Name) -> bool:
    """Whether a name is that of a class, of a function that is called, or of a module that has one."""
    if node.id.isupper():
        return False
    used: ast.AST = node
    while isinstance(outline.parents[used], ast.Attribute):
        used = outline.parents[used]
    above = outline.parents[used]
    return node.id[:1].isupper() or (isinstance(above, ast.Call) and above.func is used)


def _require_returning(outline: Outline, computing: Function) -> None:
    """Raise `Refusal` if what a function returns or raises may not be able to leave its process."""
    name = f"{computing.name}()"
    for node in own(computing):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise Refusal(f"{name} is a generator, which cannot leave its process.")
        if isinstance(node, ast.Raise) and (
            not _is_builtin(outline, node.exc) or raises_stop_iteration(outline, node)
        ):
            raise Refusal(f"{name} raises at line {node.lineno} what may not be able to leave its process.")
        if isinstance(node, ast.Return) and _gives_function(outline, node.value):
            raise Refusal(f"{name} returns a function, which cannot leave its process.")


def _gives_function(outline: Outline, node: ast.expr | None) -> bool:
    """Whether a value has a lambda or a generator in it, other than for one of Python's own functions."""
    for inner in ast.walk(node) if node is not None else ():
        if isinstance(inner, ast.Lambda | ast.GeneratorExp):
            around = outline.parents[inner]
            around = outline.parents[around] if isinstance(around, ast.keyword) else around
            method = isinstance(around, ast.Call) and isinstance(around.func, ast.Attribute)
            if not (isinstance(around, ast.Call) and (method or _is_builtin(outline, around))):
                return True
    return False


def _is_builtin(outline: Outline, node: ast.expr | None) -> bool:
    made = node.func if isinstance(node, ast.Call) else node
    return made is None or outline.meaning(made).startswith("builtins.")


def _require_constant(outline: Outline, found: ast.Name, name: str) -> None:
    """Raise `Refusal` unless a name of the module is the same in each process."""
    parent = outline.parents[found]
    value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)] if value is not None else []
    known = [
        outline.meaning(call.func).startswith(("builtins.", "re.", "math.", "os.", "pathlib."))
        for call in calls
    ]
    changed = any(found.id in changes(outline, function) for function in outline.functions)
    if value is None or changed or not all(known):
        raise Refusal(f"{name} reads {found.id}, which may be another one in a worker process.")


def _require_pickled(outline: Outline, call: ast.Call, computing: Function, skipped: int) -> None:
    """Raise `Refusal` unless the arguments look as if they can be sent to another process."""
    if call.keywords:
        raise Refusal(f"{computing.name}() is called with keywords, which run_in_executor does not pass on.")
    for argument in call.args[skipped:]:
        if isinstance(argument, ast.Starred) or not _is_pickled(outline, argument):
            raise Refusal(f"It is not seen whether {ast.unparse(argument)} can be sent to another process.")


def _is_pickled(  # noqa: PLR0911 - one for each kind of expression
    outline: Outline, node: ast.expr, depth: int = 0
) -> bool:
    match node:
        case ast.Constant() | ast.JoinedStr():
            return True
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return all(_is_pickled(outline, part, depth) for part in parts)
        case ast.Dict(keys=keys, values=values):
            return all(part is not None and _is_pickled(outline, part, depth) for part in [*keys, *values])
        case ast.BinOp(left=left, right=right):
            return _is_pickled(outline, left, depth) and _is_pickled(outline, right, depth)
        case ast.UnaryOp(operand=operand):
            return _is_pickled(outline, operand, depth)
        case ast.Call(func=func, args=args, keywords=[]):
            of_builtin = outline.meaning(func).removeprefix("builtins.") in _PICKLED | {
                "len",
                "range",
                "sum",
                "sorted",
            }
            return of_builtin and all(_is_pickled(outline, part, depth) for part in args)
        case ast.Name(id=name):
            found = outline.only(name, node)
            if isinstance(found, ast.arg):
                return _is_plain_type(outline, found)
            parent = outline.parents.get(found) if isinstance(found, ast.Name) else None
            value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
            return value is not None and depth < 5 and _is_pickled(outline, value, depth + 1)
    return False


def _is_plain_type(outline: Outline, argument: ast.arg) -> bool:
    """Whether a parameter is a number, a text or a container of such, as a route's is if it does not say."""
    annotation = argument.annotation
    if annotation is None:
        function = outline.function_of(argument)
        every = [] if function is None else [*function.args.defaults, *function.args.kw_defaults]
        if any(default is not None and not isinstance(default, ast.Constant) for default in every):
            return False
        return function is not None and any(is_route(outline, d) for d in function.decorator_list)
    names = [n for n in ast.walk(annotation) if isinstance(n, ast.Name | ast.Attribute)]
    return bool(names) and all(outline.meaning(name).removeprefix("builtins.") in _PICKLED for name in names)


def _existing(outline: Outline) -> str:
    """The name of the pool that the module has from an earlier repair."""
    for node in outline.tree.body:
        if isinstance(node, ast.FunctionDef):
            (ours,) = ast.parse(_SETUP.format(pool=node.name)).body
            if ast.dump(ours) == ast.dump(node):
                return node.name
    return ""
