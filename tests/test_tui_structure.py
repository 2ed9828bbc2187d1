"""How the screen's code is built: what it may use, and where."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import textual

import loopviz

PACKAGE = Path(loopviz.__file__).parent
INSIDE = ("app", "screen", "widget", "dom", "message_pump", "binding", "containers")
COLOUR = re.compile(r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6})\b")


def private_names(code: str) -> set[str]:
    """The private names that a module uses or defines as attributes and functions."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


@pytest.fixture(scope="module")
def textuals() -> set[str]:
    """The private names in the modules of Textual that the screens build on."""
    folder = Path(textual.__file__).parent
    return set().union(*(private_names((folder / f"{name}.py").read_text()) for name in INSIDE))


MODULES = sorted(
    path
    for path in (PACKAGE / "tui").rglob("*.py")
    if path.name != "compat.py" and re.search(r"^(?:from|import) textual", path.read_text(), re.MULTILINE)
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_only_compat_knows_textuals_private_names(path, textuals):
    """No other module uses a private name of Textual, or redefines one by accident."""
    assert "_bindings" in textuals
    assert private_names(path.read_text()) & textuals == set()


def test_colours_are_in_one_place():
    """No module but draw/look and draw/themes has a colour as a hexadecimal number."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.name not in {"look.py", "themes.py"} and COLOUR.search(path.read_text())
    }
    assert found == set()
