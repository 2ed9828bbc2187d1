"""Calls that are known: which block, which never do, and which must stay in the thread that they are in."""

from __future__ import annotations

import ast
import re
from typing import Final

from loopviz.repair.outline import Outline

__all__ = ["CURSORS", "HELPERS", "blocks", "is_about_the_loop", "is_of_a_file", "stays_in_its_thread"]

HELPERS: Final = frozenset({
    "asyncio.to_thread", "anyio.to_thread.run_sync", "fastapi.concurrency.run_in_threadpool",
    "starlette.concurrency.run_in_threadpool",
})  # fmt: skip
"""Functions that call their first argument in a worker thread."""

_BLOCKING: Final = re.compile(
    r"time\.sleep|builtins\.(?:open|input)|os\.(?:system|popen|wait\w*|fsync|walk|scandir)"
    r"|(?:requests|httpx)\.(?:get|post|put|patch|delete|head|options|request)"
    r"|urllib\.request\.\w+|subprocess\.(?:run|call|check_call|check_output|getoutput|getstatusoutput)"
    r"|socket\.(?:create_connection|getaddrinfo|gethostbyname|gethostbyaddr|getfqdn)"
    r"|shutil\.(?:copy\w*|move|rmtree|make_archive|unpack_archive)|smtplib\.\w+|ftplib\.\w+"
    r"|(?:psycopg2?|pymysql|MySQLdb|mysql\.connector|pyodbc|oracledb)\.connect|select\.(?:select|poll)"
)
_BLOCKING_METHODS: Final = frozenset(["read_text", "read_bytes", "write_text", "write_bytes"])
_OF_A_FILE: Final = frozenset(["read", "readline", "readlines", "write", "writelines", "flush"])
_AFFINE: Final = re.compile(
    r"sqlite3\.|signal\.|tkinter\.|threading\.(?:local|current_thread|get_ident)|sys\.(?:exit|_getframe|exc_info)"
    r"|builtins\.(?:next|iter|exec|eval|globals|locals|vars|dir|super|exit|quit|breakpoint|__import__|type|isinstance"
    r"|len|print|range|zip|map|filter|enumerate|reversed|str|int|float|bool|list|tuple|dict|set|frozenset|bytes)$"
)
CURSORS: Final = frozenset({
    "execute", "executemany", "executescript", "fetchone", "fetchall", "fetchmany", "commit", "rollback",
    "cursor", "close", "backup",
})  # fmt: skip
"""Methods of connections to databases and of their cursors."""
_LOOP: Final = re.compile(
    r"(?:asyncio|anyio|trio|uvloop|starlette\.concurrency|fastapi\.concurrency|nest_asyncio)\b"
)


def blocks(outline: Outline, call: ast.Call) -> bool:
    """Whether a call is known to block."""
    meaning = outline.meaning(call.func)
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return bool(_BLOCKING.fullmatch(meaning)) or method in _BLOCKING_METHODS or is_of_a_file(outline, call)


def is_of_a_file(outline: Outline, call: ast.Call) -> bool:
    """Whether a call reads or writes a file that a `with` block has opened: ``f.read()``."""
    if not (isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)):
        return False
    found = outline.only(call.func.value.id, call)
    item = outline.parents.get(found) if found is not None else None
    opened = item.context_expr if isinstance(item, ast.withitem) else None
    is_open = isinstance(opened, ast.Call) and outline.meaning(opened.func) == "builtins.open"
    return is_open and call.func.attr in _OF_A_FILE


def is_about_the_loop(outline: Outline, call: ast.Call) -> bool:
    """Whether a call is one of asyncio's or AnyIO's, so that it belongs to the loop's thread."""
    return bool(_LOOP.match(outline.meaning(call.func)))


def stays_in_its_thread(outline: Outline, call: ast.Call) -> str | None:
    """Why a call must not be made in another thread; None if nothing is known against it."""
    meaning = outline.meaning(call.func)
    if meaning.startswith("sqlite3."):
        return "A connection of sqlite3 can be used in the thread only that has made it."
    if _AFFINE.match(meaning):
        return f"{meaning.removeprefix('builtins.')}() does not belong in another thread."
    if is_about_the_loop(outline, call):
        return f"{meaning}() belongs to the event loop's thread."
    sqlite = any(
        binding.target.partition(".")[0] == "sqlite3"
        for name in ("sqlite3", *outline.names)
        for binding in outline.bindings(name, outline.tree)
    )
    if sqlite and isinstance(call.func, ast.Attribute) and call.func.attr in CURSORS:
        return "A connection of sqlite3 can be used in the thread only that has made it."
    return None
