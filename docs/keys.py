"""Writes docs/keys.md from the table of keys: ``uv run python -m docs.keys``."""

from __future__ import annotations

from pathlib import Path

from loopviz.tui.keymap import Keys
from loopviz.tui.keys import TABLE, Row

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).with_name("keys.md")
_HEAD = """\
# Keys

Every key in the last lines of the screen can be clicked as well. The first four tables are about the
picture. In a field, letters are typed. In the help, in an opened request and among the scenarios to compare,
only `ctrl+p`, `ctrl+z`, `ctrl+c` and `ctrl+q` of the table *Everywhere* work; the speaker's notes have only
the keys of their own table. This page is written by `uv run python -m docs.keys` from `loopviz/tui/keys.py`.
"""


def page() -> str:
    """The page, as Markdown."""
    keys = Keys()
    lines = [_HEAD]
    for section in TABLE:
        lines += [f"## {section.heading}\n", "| key | does |", "|---|---|"]
        lines += [_row(keys, row) for row in section.rows]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _row(keys: Keys, row: Row) -> str:
    first, further = keys.of_row(row)
    others = ", ".join([*map(_code, further), *([row.also] if row.also else [])])
    pressed = _code(first) if row.keys else row.column
    return f"| {pressed} | {row.words}{f' (also {others})' if others else ''} |"


def _code(keys: list[str]) -> str:
    return " ".join(f"`{key}`" for key in keys)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
