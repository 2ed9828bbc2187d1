"""Changes recordings by their structure: values, identifiers, times, order, kinds, lines, bytes and archives.

`Mutator.make` returns the same bytes for the same random generator. What it changes is most often still
valid JSON, and often still a valid recording of something that cannot happen: that reaches further than
flipped bits do. Large inputs are in `tests.worst_recordings`.
"""

# ruff: noqa: C901, PLR0911 - a mutation is a choice of many small ways

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from loopviz.stream.schema import SCHEMA, FieldSchema

__all__ = ["Mutator"]

LARGEST = (1 << 63) - 1
DAY = 86_400_000_000_000

_TEXTS = (
    "", "\x1b[2J\x1b]0;title\x07", "\x9b31m", "\ud800", "\udfff\ud800", "x" * 70_000, "\U0001f600" * 40,
    "e\u0301" * 300, "\u202eabc\u2066", "</script><svg onload=x>", "]]>&amp;<!--", "\u2028\u2029", "=1+1",
    "@SUM(A1)", "\t\r\n", "\x00", "../../etc/passwd", "\ufffe\uffff", "長" * 99, '"', "'", "\\", ",;", "\xa0",
    "{0}%s%n", "[red]x[/]", "\u200b\u200d\ufeff", "WS", "task", "timer", "disconnect", "loop", "idle",
)  # fmt: skip
_NUMBERS = (
    0, 1, 2, -1, 5_000_000, 100_000_000, 1 << 31, 1 << 53, LARGEST, LARGEST - 1, 1 << 63, 1 << 64, -(1 << 63),
    10**30, 5_000_000_000_000, 31 * DAY,
)  # fmt: skip
_LITERALS = {
    "@0": b"NaN", "@1": b"Infinity", "@2": b"-Infinity", "@3": b"1e308", "@4": b"-0.0", "@5": b"1e999",
    "@6": b"9" * 5_000, "@7": b"-0", "@8": b"[" * 5_000, "@9": b"[" * 400 + b"]" * 400, "@10": b"01",
    "@11": b'"\xed\xa0\x80"', "@12": b'"\x1b[2J"', "@13": b'"\x00"', "@14": b'"\xff"', "@15": b"1.0",
    "@16": b"true", "@17": b'{"a":1,"a":2}', "@18": b"", "@19": b'"\\u0000"', "@20": b"1E400", "@21": b"nul",
}  # fmt: skip
"""What `json.dumps` would not write: a text that stands for each, and the bytes."""
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[[[]]]], {"end": True}, [1, "idle"], 0.5, -1.5)

Part = Any
"""A line: a parsed value, or bytes that are no JSON."""


def _hostile(random: Random) -> Any:
    return random.choice((
        random.choice(_TEXTS), random.choice(_NUMBERS), random.choice(list(_LITERALS)), random.choice(_OTHERS)
    ))  # fmt: skip


def _line(part: Part) -> bytes:
    if isinstance(part, bytes):
        return part
    try:
        line = json.dumps(part, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return b"[]"
    if b'"@' in line:
        for name, literal in _LITERALS.items():
            line = line.replace(f'"{name}"'.encode(), literal)
    return line


class Draft:
    """A recording, taken apart into its lines."""

    def __init__(self, random: Random, parts: list[Part], others: Sequence[list[Part]]) -> None:
        self.random = random
        self.parts = parts
        self.others = others

    @property
    def lines(self) -> list[list[Any]]:
        """The lines of events."""
        return [part for part in self.parts if isinstance(part, list) and len(part) > 1]

    def line(self) -> list[Any]:
        """A line of events; an empty list if there is none."""
        lines = self.lines
        return self.random.choice(lines) if lines else []

    def event(self) -> tuple[list[Any], int]:
        """A line, and the index of one of its events; an index of 0 if there is none."""
        line = self.line()
        found = [i for i, event in enumerate(line) if i and isinstance(event, list) and len(event) > 1]
        return line, self.random.choice(found) if found else 0

    def events(self) -> list[list[Any]]:
        """All events."""
        return [e for line in self.lines for e in line[1:] if isinstance(e, list) and len(e) > 1]

    def text(self) -> bytes:
        """The recording."""
        return b"".join(_line(part) + b"\n" for part in self.parts)


# -- values ------------------------------------------------------------------------------------


def _value(d: Draft) -> None:
    """Any value in an event is replaced by anything."""
    line, i = d.event()
    if i:
        event = line[i]
        event[d.random.randrange(len(event))] = _hostile(d.random)


def _length(d: Draft) -> None:
    """An event has a field more, or less."""
    line, i = d.event()
    if i and d.random.random() < 0.5:
        del line[i][d.random.randrange(len(line[i]))]
    elif i:
        line[i].insert(d.random.randrange(len(line[i])), _hostile(d.random))


def _plausible(d: Draft) -> None:
    """Some fields of some events have other values of the right type, often at a limit."""
    for _ in range(d.random.choice((1, 1, 5, 50))):
        line, i = d.event()
        kind = _kind(line[i]) if i else None
        if kind is None or not kind:
            continue
        j = d.random.randrange(len(kind))
        if j + 2 < len(line[i]):
            line[i][j + 2] = _of(d.random, kind[j], line[i][0])


def _number(d: Draft) -> None:
    line, i = d.event()
    numbers = [j for j, value in enumerate(line[i]) if type(value) is int] if i else []
    if numbers:
        j, change = d.random.choice(numbers), d.random.choice((1, 10**6, 10**9, DAY, 40 * DAY, LARGEST))
        line[i][j] += d.random.choice((-1, 1)) * change


def _text(d: Draft) -> None:
    """A text is replaced in one event, or wherever it occurs."""
    line, i = d.event()
    texts = [value for value in line[i][2:] if isinstance(value, str)] if i else []
    if not texts:
        return
    before, after = d.random.choice(texts), d.random.choice(_TEXTS)
    for event in [line[i]] if d.random.random() < 0.5 else d.events():
        for j, value in enumerate(event):
            if j > 1 and value == before:
                event[j] = after


def _header(d: Draft) -> None:
    """A value anywhere in the first line, or in the last one."""
    objects = [part for part in d.parts if isinstance(part, dict) and part]
    if not objects:
        return
    here: Any = d.random.choice(objects)
    for _ in range(d.random.randrange(4)):
        inner = list(here.values()) if isinstance(here, dict) else here
        inner = [value for value in inner if isinstance(value, list | dict) and value]
        if not inner:
            break
        here = d.random.choice(inner)
    at = d.random.choice(list(here)) if isinstance(here, dict) else d.random.randrange(len(here))
    match d.random.randrange(6):
        case 0:
            del here[at]
        case 1 if isinstance(here, list):
            here.extend([here[at]] * d.random.choice((1, 600)))
        case 2 if isinstance(here[at], str):
            here[at] = d.random.choice(_TEXTS)
        case _:
            here[at] = _hostile(d.random)


def _version(d: Draft) -> None:
    if d.parts and isinstance(d.parts[0], dict):
        d.parts[0]["version"] = d.random.choice((0, 2, -1, 1.0, "1", True, None, 10**30, "\x1b[2J"))


# -- identifiers -------------------------------------------------------------------------------


@cache
def _kind_fields(name: str) -> tuple[FieldSchema, ...] | None:
    kind = SCHEMA.get(name)
    return None if kind is None else kind.fields


def _kind(event: Sequence[Any]) -> tuple[FieldSchema, ...] | None:
    return _kind_fields(event[1]) if isinstance(event[1], str) else None


_GROUPS = (
    {"request"}, {"task", "parent", "other", "holder"}, {"call"}, {"thread"}, {"pool"}, {"callback"},
)  # fmt: skip


def _numbers(d: Draft, group: set[str]) -> list[tuple[list[Any], int]]:
    """Where numbers of this kind of thing are: an event, and an index."""
    return [
        (event, j)
        for event in d.events()
        for j, field in enumerate(_kind(event) or (), 2)
        if field.name in group and j < len(event) and type(event[j]) is int
    ]


def _identity(d: Draft) -> None:
    """Two things become one, exchange their names, refer to nothing, or are named anew at each event."""
    places = _numbers(d, d.random.choice(_GROUPS))
    if not places:
        return
    known = sorted({event[j] for event, j in places})
    one, other = d.random.choice(known), d.random.choice(known)
    match d.random.randrange(6):
        case 0:
            change = {one: other}
        case 1:
            change = {one: other, other: one}
        case 2:
            change = {one: d.random.choice((0, 999_999, LARGEST))}
        case 3:
            change = dict.fromkeys(known, one)
        case 4:
            for number, (event, j) in enumerate(places, 1_000):
                event[j] = number
            return
        case _:
            event, j = d.random.choice(places)
            event[j] = d.random.choice((0, one, other, 999_999))
            return
    for event, j in places:
        event[j] = change.get(event[j], event[j])


def _cycle(d: Draft) -> None:
    """Tasks await each other in a circle, are their own parents, or hold what they await."""
    line = d.line()
    tasks = sorted({event[j] for event, j in _numbers(d, {"task", "parent", "other"})})
    if not line or not tasks or type(line[0]) is not int:
        return
    t = line[0] - d.random.randrange(50_000_000)
    ring = d.random.sample(tasks, min(len(tasks), d.random.choice((1, 2, 3, 20))))
    made: list[Any] = []
    for one, other in zip(ring, [*ring[1:], ring[0]], strict=True):
        match d.random.randrange(3):
            case 0:
                made.append([t, "awaits-task", one, other, d.random.choice((0, 1, 2))])
            case 1:
                made.append([t, "task", one, other, d.random.choice((0, 1, 2)), "ring"])
            case _:
                made.append([t, "awaited", one, "lock", "ring", other])
    line[1:1] = made * d.random.choice((1, 3))


# -- times -------------------------------------------------------------------------------------


def _times(d: Draft) -> None:
    """All times are shifted, stretched, squeezed, turned around or made equal; also those in fields."""
    lines = [line for line in d.lines if type(line[0]) is int]
    if not lines:
        return
    zero, last = int(lines[0][0]), int(lines[-1][0])
    way, by = d.random.randrange(6), d.random.choice((1_000, 10**6, 10**9, DAY, 29 * DAY, 40 * DAY))
    factor = d.random.choice((0, 2, 100, 10**4, 10**6))
    late = d.random.choice((0, 1, zero))

    def moved(t: int) -> int:
        if t < zero - DAY:
            return t  # no moment
        match way:
            case 0:
                return t + by
            case 1:
                return zero + (t - zero) * factor
            case 2:
                return zero + (t - zero) // 1_000
            case 3:
                return zero + last - t
            case 4:
                return zero
            case _:
                return max(late, t - by)

    with_fields, with_lines = d.random.random() < 0.7, d.random.random() < 0.8
    if with_lines and way != 3:
        for line in lines:
            line[0] = moved(line[0])
    for event in d.events():
        if type(event[0]) is int:
            event[0] = moved(event[0])
        for j, field in enumerate(_kind(event) or (), 2) if with_fields else ():
            if field.field.unit == "clock" and j < len(event) and type(event[j]) is int and event[j]:
                event[j] = moved(event[j])


def _time(d: Draft) -> None:
    """The time of one event, of one kind of event, or of one line, is another."""
    line, i = d.event()
    if not i or type(line[0]) is not int or type(line[i][0]) is not int:
        return
    by = d.random.choice((-1, 1)) * d.random.choice((1, 10**6, 10**8, 10**9, 10**11, DAY))
    match d.random.randrange(4):
        case 0:
            line[0] += by
        case 1:
            for event in d.events():
                if event[1] == line[i][1] and type(event[0]) is int:
                    event[0] += by
        case 2:
            for event in line[1:]:
                if isinstance(event, list) and event:
                    event[0] = line[0]
        case _:
            line[i][0] += by


# -- order -------------------------------------------------------------------------------------


def _order(d: Draft) -> None:
    """Events are dropped, repeated, exchanged, turned around, or moved to another line."""
    line, i = d.event()
    if not i:
        return
    other = d.line()
    match d.random.randrange(8):
        case 0:
            del line[i]
        case 1:
            line[i:i] = [list(line[i]) for _ in range(d.random.choice((1, 2, 300)))]
        case 2:
            j = d.random.randrange(1, len(line))
            line[i], line[j] = line[j], line[i]
        case 3:
            line[1:] = line[:0:-1]
        case 4:
            other.insert(d.random.randrange(1, len(other) + 1), line.pop(i))
        case 5:
            d.random.shuffle(line)
        case 6:
            del line[1 : d.random.randrange(1, len(line) + 1)]
        case _:
            other[1:1] = [list(event) for event in line[1:] if isinstance(event, list)]


def _without(d: Draft) -> None:
    """No event of a kind is left: nothing ends, or nothing begins."""
    line, i = d.event()
    if i:
        kind, share = line[i][1], d.random.choice((0.5, 1.0))
        for line in d.lines:
            line[1:] = [
                event
                for event in line[1:]
                if not (isinstance(event, list) and event[1:2] == [kind] and d.random.random() < share)
            ]


def _lines(d: Draft) -> None:
    """Lines are dropped, repeated, exchanged, split or joined; the first and the last among them."""
    if not d.parts:
        return
    i, j = d.random.randrange(len(d.parts)), d.random.randrange(len(d.parts))
    match d.random.randrange(11):
        case 0:
            del d.parts[i]
        case 1:
            d.parts.insert(j, d.parts[i])
        case 2:
            d.parts[i], d.parts[j] = d.parts[j], d.parts[i]
        case 3:
            del d.parts[0]
        case 4:
            d.parts.insert(d.random.choice((1, j)), d.parts[0])
        case 5:
            d.parts.pop()
        case 6:
            d.parts.insert(j, d.parts[-1])
        case 7:
            d.parts[1:] = d.parts[:0:-1]
        case 8:
            lines = d.lines
            if lines:
                whole = [lines[-1][0], *(event for line in lines for event in line[1:])]
                d.parts = [d.parts[0], whole, d.parts[-1]]
        case 9:
            line = d.line()
            at = next((k for k, part in enumerate(d.parts) if part is line), None)
            if at is not None:
                d.parts[at : at + 1] = [[line[0], event] for event in line[1:]]
        case _:
            d.parts.insert(j, d.random.choice((
                b"", b" ", b"\x00", b"[]", b"{}", b"null", b"[1", b"\xff", b"#", b"[" * 2_000,
                b" " * 5_000_000, b"\t\r", b'{"end":true}', b'{"end":true,"events":1,"dropped":0}', b'"',
            )))  # fmt: skip


def _splice(d: Draft) -> None:
    """The beginning of one recording and the end of another."""
    other = [_copy(part) for part in d.random.choice(d.others)]
    d.parts = d.parts[: d.random.randrange(len(d.parts) + 1)] + other[d.random.randrange(len(other) + 1) :]


# -- kinds -------------------------------------------------------------------------------------


def _kinds(d: Draft) -> None:
    """An event, or all of its kind, is of another kind: one with the same fields, any, or an unknown one."""
    line, i = d.event()
    if not i:
        return
    before = line[i][1]
    alike = [name for name, kind in SCHEMA.items() if len(kind.fields) + 2 == len(line[i])]
    after = d.random.choice(
        [d.random.choice(alike or list(SCHEMA)), d.random.choice(list(SCHEMA)), "later", "", "\x1b[2J"]
    )
    for event in d.events() if d.random.random() < 0.4 else [line[i]]:
        if event[1] == before:
            event[1] = after


def _of(random: Random, field: FieldSchema, t: Any) -> Any:
    """A value of a field that a reader accepts."""
    if type(None) in field.types and random.random() < 0.3:
        return None
    if field.choices:
        return random.choice(field.choices)
    if str in field.types:
        return random.choice(_TEXTS)
    t = t if type(t) is int and t > 0 else 1
    if field.field.past:
        return max(field.field.least, t - random.choice((0, 1, 10**6, 10**8, 10**10, t)))
    if field.field.unit == "clock":
        return random.choice((0, 1, max(1, t - 10**8), t, t + 1, t + 10**9, t + 40 * DAY, LARGEST))
    if field.field.unit == "ns":
        return random.choice((0, 1, 10**6, 10**9, t, LARGEST))
    return random.choice((field.field.least, 0, 1, 2, 3, 4, 5, random.randrange(40), 999_999, LARGEST))


def _inserted(d: Draft) -> None:
    """Events that a reader accepts are inserted: of any kind, about a few things, or of one kind."""
    line = d.line()
    if not line or type(line[0]) is not int or line[0] < 2:
        return
    names = list(SCHEMA)
    one = d.random.choice(names) if d.random.random() < 0.3 else None
    for _ in range(d.random.choice((1, 3, 20, 200))):
        name = one or d.random.choice(names)
        t = max(1, line[0] - d.random.choice((0, 1, 10**6, d.random.randrange(10**9), 10**10)))
        fields = [_of(d.random, field, t) for field in SCHEMA[name].fields]
        line.insert(d.random.randrange(1, len(line) + 1), [t, name, *fields])


_STRUCTURAL: tuple[tuple[int, Callable[[Draft], None]], ...] = (
    (3, _value), (1, _length), (6, _plausible), (2, _number), (3, _text), (2, _header), (1, _version),
    (5, _identity), (3, _cycle), (3, _times), (3, _time), (5, _order), (3, _without), (2, _lines),
    (1, _splice), (3, _kinds), (6, _inserted),
)  # fmt: skip


# -- bytes -------------------------------------------------------------------------------------


def _flipped(random: Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 10)) if found else 0):
        found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found)


def _truncated(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _with_bytes(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    part = random.choice((
        b"\n", b"\x00", b"[" * 5_000, b'"', b"\x1b[2J", b"9" * 5_000, b"{}\n", b"[]\n", b"\xff", b"\n" * 9,
        b"\\ud800", b"\x00" * 70_000, b"[1,[1,",
    ))  # fmt: skip
    return data[:at] + part + data[at:]


def _encoded(random: Random, data: bytes) -> bytes:
    """The same text in another encoding, or with other ends of lines."""
    match random.randrange(6):
        case 0:
            return b"\xef\xbb\xbf" + data
        case 1:
            return data.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-32", "utf-16-be")))
        case 2:
            return data.replace(b"\n", b"\r\n")
        case 3:
            return data.replace(b"\n", b"\r")
        case 4:
            return data.decode("utf-8", "replace").encode("latin-1", "replace")
        case _:
            return data.replace(b"\n", b"\n\x00")


_BYTES = (_flipped, _truncated, _with_bytes, _encoded)


def _archive(random: Random, data: bytes) -> bytes:
    """Compressed; mostly with a fault."""
    whole = gzip.compress(data, 1, mtime=0)
    half = len(data) // 2
    match random.randrange(11):
        case 0:
            return _flipped(random, whole)
        case 1:
            return _truncated(random, whole)
        case 2:
            return gzip.compress(data[:half], 1, mtime=0) + gzip.compress(data[half:], 1, mtime=0)
        case 3:
            return whole + random.choice((b"\0", b"garbage", whole, b"\x1f\x8b"))
        case 4:
            return gzip.compress(whole, 1, mtime=0)
        case 5:
            return zlib.compress(data, 1)
        case 6:
            return gzip.compress(data + bytes(3_000_000), 1, mtime=0)
        case 7:
            return whole[:-8] + random.choice((bytes(8), b"", whole[-8:-4] + b"\xff" * 4))
        case 8:
            return whole[:3] + bytes([random.randrange(256)]) + whole[4:]  # the flags
        case _:
            return whole


class Mutator:
    """Makes mutated recordings from whole ones."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        self._seeds = [[json.loads(line) for line in seed.splitlines()] for seed in seeds]

    def make(self, random: Random) -> bytes:
        """A recording that has been changed once or several times."""
        parts = [_copy(part) for part in random.choice(self._seeds)]
        draft = Draft(random, parts, self._seeds)
        weights = [weight for weight, _ in _STRUCTURAL]
        changes = random.choices(_STRUCTURAL, weights, k=random.choice((0, 1, 1, 1, 2, 3, 8)))
        for _, change in changes:
            change(draft)
        data = draft.text()
        way = random.random()
        if not changes or way < 0.1:
            data = random.choice(_BYTES)(random, data)
        if way > 0.88:
            data = _archive(random, data)
        return data


def _copy(part: Part) -> Part:
    if isinstance(part, list):
        return [list(event) if isinstance(event, list) else event for event in part]
    return json.loads(json.dumps(part)) if isinstance(part, dict) else part
