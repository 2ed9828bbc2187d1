"""A request as one line of text: ``POST /items -H "x-token: secret" {"name": "apple"}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from loopviz.errors import InputError
from loopviz.scenario import ScenarioFile

__all__ = ["line_of", "parse", "text_of", "with_line"]

_LINE: Final = re.compile(r"\s*(?:([A-Za-z]+)\s+)?(/\S*)\s*(.*)", re.DOTALL)
_HEADER: Final = re.compile(r"""-H\s*("(?:[^"\\]|\\.)*"|'[^']*'|\S+)\s*""", re.DOTALL)
_NAME: Final = re.compile(r"[!#-'*+.^-`|~\w-]+", re.ASCII)
_FORM: Final = re.compile(r"[\w.%+~\[\]-]+=[^\s=]*(&[\w.%+~\[\]-]+=[^\s=]*)*")
_OPEN: Final = re.compile(r"{(\w+)(?::\w+)?}")
_FRAMING: Final = ("content-length", "transfer-encoding")
_EXAMPLE: Final = """'GET /items/1' or 'POST /items {"name": "apple"}'"""
_MOST: Final = 100_000
"""The longest line that is read."""


def parse(text: str) -> tuple[str, str, dict[str, str], bytes | None]:
    """Method, path with its query, headers and body of a request line; GET if no method is given.

    A body that is JSON, or a form such as ``a=1&b=2``, gets its content type. Raises `InputError`.
    """
    found = _LINE.fullmatch(text) if len(text) <= _MOST and _is_unicode(text) else None
    if found is None:
        raise InputError(f"{_short(text)!r} is no request.\nWrite method and path, such as {_EXAMPLE}.")
    method, path, rest = (found[1] or "GET").upper(), found[2], found[3].strip()
    lacking = _OPEN.findall(path.partition("?")[0])
    if lacking:
        raise InputError(f"No value for {' and '.join(lacking)} in {path}.\nWrite it in place of the braces.")
    headers: dict[str, str] = {}
    while (header := _HEADER.match(rest)) is not None:
        name, value = _header(header[1])
        headers[name] = value
        rest = rest[header.end() :]
    path = quote(path.partition("#")[0], safe="!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    if not rest:
        return method, path, headers, None
    kind = _kind(rest, named="content-type" in headers)
    if kind is not None:
        headers.setdefault("content-type", kind)
    return method, path, headers, rest.encode()


def line_of(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> str:
    """The line of a request, which `parse` reads."""
    text = "" if body is None else body.decode("utf-8", "replace")
    implied = _kind(text, named=True) if text else None
    parts = [method, path]
    for name, value in headers.items():
        if not (name == "content-type" and value == implied):
            parts.append("-H " + json.dumps(f"{name}: {value}", ensure_ascii=False))
    return " ".join([*parts, text] if text else parts)


def text_of(file: ScenarioFile) -> str:
    """The line of what a scenario's requests ask for: where values are lacking, what is suggested."""
    if file.lacking is not None:
        return file.suggested or f"{file.method} {file.path}"
    return line_of(file.method, file.path, file.headers, file.body)


def with_line(file: ScenarioFile, text: str) -> ScenarioFile:
    """The same scenario, fired with this line. Raises `InputError`."""
    method, path, headers, body = parse(text)
    return replace(file, method=method, path=path, headers=headers, body=body, lacking=None)


def _header(quoted: str) -> tuple[str, str]:
    text = quoted
    if quoted.startswith("'"):
        text = quoted[1:-1]
    elif quoted.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    name, colon, value = text.partition(":")
    name, value = name.strip().lower(), value.strip()
    if not colon or not _NAME.fullmatch(name) or not (value.isascii() and value.isprintable()):
        raise InputError(f"{_short(text)!r} is no header.\nWrite it so: -H 'name: value'.")
    if name in _FRAMING:
        raise InputError(f"The header {name} is set by the client.\nLeave it out.")
    return name, value


def _kind(body: str, *, named: bool) -> str | None:
    """The content type of a body; None if it is neither JSON nor a form.

    Raises `InputError` for what begins like JSON and is none, unless the content type is `named`.
    """
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        if body[0] in '{["' and not named:
            raise InputError(
                f"The body is no JSON: {error}.\nCorrect it, or say what it is: -H 'content-type: …'."
            ) from None
    else:
        return "application/json"
    return "application/x-www-form-urlencoded" if _FORM.fullmatch(body) else None


def _is_unicode(text: str) -> bool:
    """Whether it can be sent as UTF-8: an argument may have other bytes, and a file half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
