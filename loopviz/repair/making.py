"""Making a repair: the kind plans it, the statements are changed, and the result is checked."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Final

from loopviz.repair.change import Change
from loopviz.repair.imports import after_imports, with_import, without_imports
from loopviz.repair.kinds import (
    async_client,
    async_def,
    async_sleep,
    plain_def,
    process_pool,
    task_group,
    to_thread,
)
from loopviz.repair.outline import Outline, read
from loopviz.repair.place import Place, place
from loopviz.repair.result import Refusal, Refused, Repaired
from loopviz.repair.text import diff, edited, lines_of

__all__ = ["PLANS", "make"]

PLANS: Final[dict[str, Callable[[Place], Change]]] = {
    "async-sleep": async_sleep.plan,
    "to-thread": to_thread.plan,
    "async-client": async_client.plan,
    "plain-def": plain_def.plan,
    "async-def": async_def.plan,
    "task-group": task_group.plan,
    "process-pool": process_pool.plan,
}
"""What plans a repair of each kind: it raises `Refusal` where there is none."""

_BOM: Final = "\ufeff"


def make(source: str, kind: str, *, line: int, function: str, calls: str, name: str) -> Repaired | Refused:
    """Make a repair."""
    text = source.removeprefix(_BOM)
    mark = source[: len(source) - len(text)]
    try:
        outline = read(text)
        change = PLANS[kind](place(outline, line, function, calls, name))
        repaired = _changed(outline, change)
        _require_comments(text, repaired)
        kept = read(repaired)
        if not name.endswith("__init__.py"):  # its names may be for others
            repaired = edited(kept.lines, without_imports(kept, change.unused))
        _require_runnable(repaired, name)
    except Refusal as refusal:
        return Refused(str(refusal))
    except RecursionError:
        return Refused("The code is nested too deeply.")
    return Repaired(kind, mark + repaired, diff(source, mark + repaired, name), change.summary)


def _changed(outline: Outline, change: Change) -> str:
    from loopviz.repair.rewrite import Rewrite  # noqa: PLC0415 - it loads LibCST, which takes a quarter of a second

    rewrite = Rewrite(outline)
    change.make(rewrite)
    edits = rewrite.edits()
    if change.setup and change.needs_setup is not None:
        edits.insert(0, after_imports(outline, change.setup, outline.top(change.needs_setup)))
    result = edited(outline.lines, edits)
    for statement in change.imports:
        grown = read(result)
        result = edited(grown.lines, with_import(grown, statement))
    _require_the_rest_unchanged(outline, rewrite.touched, read(result))
    return result


def _require_the_rest_unchanged(before: Outline, touched: list[ast.stmt], after: Outline) -> None:
    """Raise `Refusal` if a statement that should be as it was is another one, or has gone."""
    waiting = [before.text(node) for node in before.tree.body if node not in touched][::-1]
    for node in after.tree.body:
        if waiting and after.text(node) == waiting[-1]:
            waiting.pop()
    if waiting:
        raise Refusal("The repair would change other statements as well.")


def _require_comments(before: str, after: str) -> None:
    """Raise `Refusal` if a comment would be lost."""
    if "#" not in before:
        return
    had, has = Counter(lines_of(before)), Counter(lines_of(after))
    if not any("#" in line for line in had - has):
        return
    if lost := Counter(_comments(before)) - Counter(_comments(after)):
        raise Refusal(f"The comment {next(iter(lost))!r} would be lost.")


def _comments(text: str) -> list[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="").readline))
    except (tokenize.TokenError, SyntaxError):
        raise Refusal("It is not seen whether comments would be lost.") from None
    return [token.string.rstrip() for token in tokens if token.type == tokenize.COMMENT]


def _require_runnable(source: str, name: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise Refusal(f"The repaired code would not compile: {error}.") from None
