"""Writes the tables of docs/scenarios.md, docs/claims.md and docs/modules.md, between their markers.

``uv run python -m docs.tables`` writes what the code declares. What a run of the claims
has measured is written by ``uv run loopviz claims --json | uv run python -m docs.tables --measured``.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from loopviz.claims import CLAIMS
from loopviz.draw.words import figure
from loopviz.scenario import find, read

__all__ = ["declared", "fill", "measured", "table_in"]

FOLDER = Path(__file__).parent
_TITLES = {"cpu": "CPU", "fan-out": "Fan-out"}


def declared() -> dict[str, str]:
    """The tables that follow from the code alone: file#name to text."""
    return {
        "scenarios.md#scenarios": _scenarios(),
        "claims.md#criteria": _criteria(),
        "modules.md#modules": _modules(),
    }


def measured(document: dict[str, Any]) -> str:
    """The table of a run: the document that ``loopviz claims --json`` prints."""
    environment = document["environment"]
    versions = ", ".join(
        f"{name} {environment[name]}" for name in ("fastapi", "starlette", "uvicorn", "anyio")
    )
    gil = "with the GIL" if environment["gil"] else "without the GIL"
    rows = []
    for claim in document["claims"]:
        figures = "; ".join(f"{f['name']} {figure(f['value'], f['unit'])}" for f in claim["figures"])
        verdict = f"**{claim['verdict']}**"
        if claim["depends_on"]:
            verdict += f": {claim['depends_on']}"
        if claim["verdict"].startswith("undecided"):
            figures = claim["why"]
        rows.append((claim["claim"], figures, verdict))
    table = _table(("claim", "measured", "verdict"), rows)
    system = environment["platform"].partition("-")[0]
    return f"Measured on {system}, Python {environment['python']} {gil}, {versions}:\n\n{table}"


def fill(text: str, name: str, table: str) -> str:
    """The text of a file with this table between the markers of that name."""
    begin, end = _markers(name)
    head, _, rest = text.partition(begin)
    return head + begin + table + end + rest.partition(end)[2]


def table_in(text: str, name: str) -> str:
    """What is between the markers of that name."""
    begin, end = _markers(name)
    return text.partition(begin)[2].partition(end)[0]


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- begin {name} -->\n\n", f"\n\n<!-- end {name} -->"


def _scenarios() -> str:
    parts = []
    for group, files in groupby(read(find()), key=lambda file: file.facts.group):
        rows = [(f"`{file.name}`", file.facts.title, file.facts.expect) for file in files]
        parts.append(
            f"## {_TITLES.get(group, group.capitalize())}\n\n"
            + _table(("scenario", "what it is", "what to expect"), rows)
        )
    return "\n\n".join(parts)


def _criteria() -> str:
    rows = [
        (f"`{claim.id}`", claim.question, claim.rule, ", ".join(f"`{name}`" for name in claim.scenarios))
        for claim in CLAIMS
    ]
    return _table(("id", "question", "criterion", "scenarios"), rows)


def _modules() -> str:
    package = FOLDER.parent / "loopviz"
    parts = []
    for folder, paths in groupby(sorted(package.rglob("*.py"), key=_place), key=lambda path: path.parent):
        rows = [(f"`{path.stem}`", _sentence(path)) for path in paths if path.stem != "__init__"]
        name = folder.relative_to(package.parent).as_posix()
        parts.append(f"## {name}/\n\n{_sentence(folder / '__init__.py')}")
        if rows:
            parts.append(_table(("module", "its job"), rows))
    return "\n\n".join(parts)


def _place(path: Path) -> tuple[str, str]:
    return path.parent.as_posix(), path.stem


def _sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def main() -> None:
    """Write the tables into their files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--measured", action="store_true", help="read a run of the claims from standard input"
    )
    tables = (
        {"claims.md#measured": measured(json.load(sys.stdin))} if parser.parse_args().measured else declared()
    )
    for place, table in tables.items():
        file, _, name = place.partition("#")
        path = FOLDER / file
        path.write_text(fill(path.read_text(encoding="utf-8"), name, table), encoding="utf-8")
        print(f"docs/{place} written")


if __name__ == "__main__":
    main()
