"""Whether two versions of an application answer the same: status codes, headers and bodies.

The original may vary by itself: two of its own answers differ in a time stamp or in a random id. What varies
there is no difference between the versions, and is listed apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, Final

from loopviz.stream.answer import Answer

__all__ = ["IGNORED", "Compared", "Difference", "compare"]

IGNORED: Final = frozenset(
    {
        "age",
        "connection",
        "date",
        "keep-alive",
        "server-timing",
        "traceparent",
        "x-correlation-id",
        "x-process-time",
        "x-request-id",
        "x-response-time",
        "x-runtime",
    }
)
"""Headers that differ from answer to answer by their nature. They are not compared."""
_DEEPEST: Final = 60
_MOST: Final = 100
"""So many places of a JSON document are named."""
_AROUND: Final = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in which an answer of the changed version differs."""

    what: str
    """``status``, ``header content-type``, ``$.items[0].price`` of a JSON body, or ``body``."""
    before: str
    """What the original says there."""
    after: str
    requests: int = 1
    """In how many answers."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The answers of two versions, compared."""

    same: int
    """How many answers of the changed version are as the original's."""
    of: int
    differences: tuple[Difference, ...] = ()
    """What differs, each place once: statuses, headers, then bodies."""
    varies: tuple[str, ...] = ()
    """What differs between answers of the original as well; it is not counted."""
    unread: int = 0
    """How many bodies were too long to be compared place by place."""
    briefly: bool = False
    """Whether status codes only were compared."""


def compare(original: Sequence[Answer], changed: Sequence[Answer], *, briefly: bool = False) -> Compared:
    """Compare the answers of two versions to equal requests, the first with the first.

    The originals are compared with each other first. There may be fewer of them: then the last one stands for
    those that are missing. `briefly`, only the status codes are compared.
    """
    varies = [] if briefly else _varying(original)
    differences: dict[str, Difference] = {}
    same = unread = 0
    for number, after in enumerate(changed if original else ()):
        before = original[min(number, len(original) - 1)]
        places = (
            islice(_places(before, after), int(before.status != after.status))
            if briefly
            else _places(before, after)
        )
        found = {what: pair for what, *pair in places if not _covered(what, varies)}
        unread += not briefly and (before.body is None or after.body is None)
        same += not found
        for what, (one, other) in found.items():
            known = differences.get(what)
            times = 1 if known is None else known.requests + 1
            first = known or Difference(what, one, other)
            differences[what] = Difference(what, first.before, first.after, times)
    ordered = tuple(sorted(differences.values(), key=_order))
    return Compared(same, len(changed) if original else 0, ordered, tuple(varies), unread, briefly)


def _varying(answers: Sequence[Answer]) -> list[str]:
    """The places in which answers of one version differ from its first one."""
    found: dict[str, None] = {}
    for other in answers[1:]:
        for what, _, _ in _places(answers[0], other):
            found.setdefault(what)
    return list(found)


def _covered(what: str, varies: Sequence[str]) -> bool:
    """Whether a place, or one that it is in, varies in the original."""
    return any(what == place or what.startswith((f"{place}.", f"{place}[")) for place in varies)


def _order(difference: Difference) -> tuple[int, str]:
    what = difference.what
    return (0 if what == "status" else 1 if what.startswith("header ") else 2, what)


def _places(one: Answer, other: Answer) -> Iterator[tuple[str, str, str]]:
    """Where two answers differ: the place, and what each of them has there."""
    if one.status != other.status:
        yield "status", _status(one), _status(other)
    if one.status is None or other.status is None:
        return
    body = list(_bodies(one, other))
    yield from _headers(one, other, same_body=not body)
    yield from body


def _status(answer: Answer) -> str:
    return str(answer.status) if answer.status is not None else answer.error or "no answer"


def _headers(one: Answer, other: Answer, *, same_body: bool) -> Iterator[tuple[str, str, str]]:
    before, after = _by_name(one), _by_name(other)
    for name in dict.fromkeys((*before, *after)):
        left, right = before.get(name), after.get(name)
        if left == right or name in IGNORED or (name == "content-length" and not same_body):
            continue
        yield f"header {name}", "none" if left is None else left, "none" if right is None else right


def _by_name(answer: Answer) -> dict[str, str]:
    """The values of each header, in the order in which they came."""
    found: dict[str, str] = {}
    for name, value in answer.headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _bodies(one: Answer, other: Answer) -> Iterator[tuple[str, str, str]]:
    if one.digest == other.digest and one.length == other.length:
        return
    if one.body is None or other.body is None:
        yield "body", f"{one.length} bytes", f"{other.length} bytes"
        return
    if _is_json(one) and _is_json(other):
        with suppress(ValueError, RecursionError):
            found = _values("$", json.loads(one.body), json.loads(other.body), _DEEPEST)
            yield from islice(found, _MOST)
            return
    at = next((at for at, (a, b) in enumerate(zip_longest(one.body, other.body)) if a != b), 0)
    yield "body", _excerpt(one.body, at), _excerpt(other.body, at)


def _is_json(answer: Answer) -> bool:
    return any(name == "content-type" and "json" in value.lower() for name, value in answer.headers)


def _values(place: str, one: Any, other: Any, deep: int) -> Iterator[tuple[str, str, str]]:
    """The innermost places at which two JSON values differ."""
    if not deep:
        if one != other:
            yield place, _short(one), _short(other)
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            inner = f"{place}.{key}"
            if key in one and key in other:
                yield from _values(inner, one[key], other[key], deep - 1)
            else:
                before, after = (_short(value[key]) if key in value else "nothing" for value in (one, other))
                yield inner, before, after
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield place, f"{len(one)} items", f"{len(other)} items"
            return
        for at, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _values(f"{place}[{at}]", a, b, deep - 1)
    elif one != other or type(one) is not type(other):
        yield place, _short(one), _short(other)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 2 * _AROUND else f"{text[: 2 * _AROUND]}…"


def _excerpt(body: bytes, at: int) -> str:
    """What a body has around a byte."""
    start = max(0, at - _AROUND // 2)
    text = body[start : at + _AROUND].decode("utf-8", "replace")
    return f"{'…' if start else ''}{text}{'…' if at + _AROUND < len(body) else ''} (byte {at})"
