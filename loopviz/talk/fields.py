"""The fields of a talk's tables: what each must be, checked, and refused in a few words otherwise."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FieldError", "choice", "lines", "number", "one_line", "table", "texts", "whole"]

Check = Callable[[Any], Any]


class FieldError(ValueError):
    """What is wrong with a field, and how to correct it; `field` is its name."""

    def __init__(self, what: str, fix: str, field: str = "") -> None:
        super().__init__(what)
        self.what, self.fix, self.field = what, fix, field


def table(value: Any, checks: Mapping[str, Check], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The checked fields of a table. Raises `FieldError` for an unknown, missing or wrong field."""
    for name in value:
        if name not in checks:
            raise FieldError(f"unknown field {_shown(name)}", _nearest(name, list(checks)), name)
    for name in required:
        if name not in value:
            raise FieldError(f"{name} is missing", f"Add a line: {name} = …", name)
    found = {}
    for name, given in value.items():
        try:
            found[name] = checks[name](given)
        except FieldError as error:
            inner = error.field  # of a table within this one
            what = f"{name}.{error.what}" if inner else f"{name} {error.what}"
            raise FieldError(what, error.fix, inner if inner and inner in given else name) from None
    return found


def one_line(most: int) -> Check:
    """A text of one to `most` characters in one line."""

    def check(value: Any) -> str:
        text = _text(value, most)
        if not text.isprintable():
            raise FieldError("has a line break or a control character", "Write it in one line of plain text.")
        return text

    return check


def lines(most: int) -> Check:
    """A text of one or more lines, `most` characters in all; tabs become blanks."""

    def check(value: Any) -> str:
        text = _text(value.expandtabs(4) if isinstance(value, str) else value, most).replace("\r\n", "\n")
        if not text.replace("\n", "").isprintable():
            raise FieldError("has a control character", "Use plain text and line breaks.")
        return text

    return check


def whole(least: int, most: int) -> Check:
    """A whole number from `least` to `most`."""

    def check(value: Any) -> int:
        fix = f"Write a whole number from {least} to {most}."
        if isinstance(value, bool) or not isinstance(value, int):
            raise FieldError(f"must be a whole number, not {_kind(value)}", fix)
        if not least <= value <= most:
            raise FieldError("is too small" if value < least else "is too large", fix)
        return value

    return check


def number(least: float, most: float, unit: str) -> Check:
    """A number from `least` to `most`."""

    def check(value: Any) -> float:
        fix = f"Write a number of {unit} from {least:g} to {most:g}."
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FieldError(f"must be a number of {unit}, not {_kind(value)}", fix)
        if not least <= value <= most:  # also refuses nan
            raise FieldError(f"is not from {least:g} to {most:g}", fix)
        return float(value)

    return check


def choice(known: tuple[str, ...]) -> Check:
    """One of the `known` words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            given = _shown(value) if isinstance(value, str) else _kind(value)
            raise FieldError(f"must not be {given}", f"Write one of {', '.join(known)}.")
        return value

    return check


def texts(least: int, most: int, longest: int) -> Check:
    """A list of `least` to `most` different texts of one line each."""
    each = one_line(longest)

    def check(value: Any) -> tuple[str, ...]:
        fix = f"Write a list of {least} to {most} different texts."
        if not isinstance(value, list):
            raise FieldError(f"must be a list of texts, not {_kind(value)}", fix)
        if not least <= len(value) <= most:
            raise FieldError(f"has {len(value)} texts", fix)
        found = tuple(each(text) for text in value)
        if len(set(found)) < len(found):
            raise FieldError("has the same text twice", fix)
        return found

    return check


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str):
        raise FieldError(f"must be a text, not {_kind(value)}", "Write a text in quotes.")
    text = value.strip()
    if not text:
        raise FieldError("is empty", "Write a text, or leave the field out.")
    if len(text) > most:
        raise FieldError(f"has {len(text)} characters", f"Write at most {most}.")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _kind(value: Any) -> str:
    names: tuple[tuple[type, str], ...] = (
        (bool, "true or false"), (int, "a number"), (float, "a decimal number"), (str, "a text"),
        (list, "a list"), (dict, "a table"),
    )  # fmt: skip
    return next((name for type_, name in names if isinstance(value, type_)), "a date or time")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name[:40], known, 1, 0.5)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
