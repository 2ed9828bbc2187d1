"""What a recording's file holds: its header, and which events are believed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice, product
from pathlib import Path, PurePath
from typing import Any, Final

from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.stream.source import Environment, Source

__all__ = [
    "FORMAT", "LONGEST_LINE", "LONGEST_TEXT", "VERSION", "Foreign", "Header", "Recorded", "checked", "mended",
]  # fmt: skip

FORMAT: Final = "loopviz-recording"
VERSION: Final = 1
LONGEST_LINE: Final = 1 << 22
"""Bytes of a line."""
LONGEST_TEXT: Final = 1 << 16
"""Characters of a text in an event."""
_MOST_SCENARIOS = 500
_LARGEST = (1 << 63) - 1

# -- events --------------------------------------------------------------------------------------

_INT, _TEXT = (int,), (str,)
_INT_OR_NONE, _TEXT_OR_NONE = (int, type(None)), (str, type(None))
_LINE = (_TEXT, _INT, _TEXT)
_FIELDS: dict[str, tuple[tuple[type, ...], ...]] = {
    ev.SENT: (_INT, _TEXT, _TEXT),
    ev.RECEIVED: (_INT, _INT_OR_NONE, _TEXT_OR_NONE),
    ev.READ: (_INT, _TEXT, _TEXT, _INT),
    ev.STATUS: (_INT, _INT),
    ev.RAISED: (_INT, _TEXT, _TEXT),
    ev.RESPONDED: (_INT,),
    ev.TASK: (_INT, _INT, _INT, _TEXT),
    ev.WAKE: (_INT,),
    ev.STEP: (_INT,),
    ev.RAN: (_INT, _INT, _INT, _TEXT_OR_NONE, _INT),
    ev.YIELD: (_INT, _TEXT, _INT),
    ev.END: (_INT,),
    ev.TOKEN_WAIT: (_INT,),
    ev.TOKENS: (_INT, _INT, _INT),
    ev.SUBMIT: (_INT, _INT, _INT),
    ev.CALL: (_INT, _INT, _INT, _INT, *_LINE),
    ev.RETURN: (_INT,),
    ev.RESULT: (_INT, _INT),
    ev.THREAD: (_INT, _TEXT),
    ev.CPU: (_INT, _INT),
    ev.IDLE: (),
    ev.ITERATION: (),
    ev.HOLDS: (_INT, _INT, *_LINE, _TEXT),
    ev.EXECUTES: (_INT, *_LINE),
    ev.AWAITS: (_INT, *_LINE),
}
_SHAPES: dict[str, frozenset[tuple[type, ...]]] = {
    kind: frozenset((int, str, *types) for types in product(*allowed)) for kind, allowed in _FIELDS.items()
}
"""The types that an event's values may have, by kind: one look says whether they do."""
_KEPT_TEXTS = frozenset({ev.SENT, ev.READ, ev.CALL, ev.HOLDS, ev.EXECUTES, ev.AWAITS})
"""Kinds whose texts a timeline keeps; they are few, and told again and again."""
_PARTICULAR = frozenset({ev.RAN, ev.THREAD})
_ROLES = frozenset({"loop", "worker", "process"})
_MOST_TEXTS = 20_000
_UNUSUAL = re.compile(rb"[0-9]{19}|[\[,]\s*-|\\u[dD]")
"""What a line has if a number in it is large or negative, or if it may have half a character."""


class Foreign(Exception):  # noqa: N818 - it is what the text is, and no error here
    """The text is not what a recording holds; says why, in a few words."""


def checked(line: bytes, texts: dict[str, str]) -> tuple[int, list[Event], int]:
    """When a line's events were taken in, those of known kinds, and how many there are in all.

    Raises `Foreign` if it holds anything else.

    `texts` are those that have been read before: each is kept once.
    """
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        raise Foreign("it is not JSON") from None
    if type(parsed) is not list or not parsed or type(parsed[0]) is not int:
        raise Foreign("it is no list that begins with a time")
    if len(line) > LONGEST_TEXT or _UNUSUAL.search(line):
        parsed = [parsed[0], *map(_bounded, parsed[1:])]
    seen = parsed[0]
    if not 0 < seen <= _LARGEST:
        raise Foreign("its time is out of range")
    if len(parsed) < 2:
        raise Foreign("it has no events")  # or a small archive would stand for hours of nothing
    if len(texts) > _MOST_TEXTS:
        texts.clear()
    return seen, _events(parsed, seen + 1_000_000_000, texts), len(parsed) - 1


def _events(line: list[Any], latest: int, texts: dict[str, str]) -> list[Event]:
    shapes, same, found = _SHAPES, texts.setdefault, []
    for values in islice(line, 1, None):
        try:
            kind = values[1]
            shape = shapes.get(kind)
        except (IndexError, KeyError, TypeError):
            raise Foreign("an event is no list of a time, a kind and fields") from None
        if shape is None:
            continue  # a later version's
        if tuple(map(type, values)) not in shape:
            raise Foreign(f"an event {kind!r} has the wrong fields")
        if not 0 < values[0] <= latest:
            raise Foreign(f"the time of an event {kind!r} is out of range")
        if kind in _KEPT_TEXTS:
            found.append(tuple([same(value, value) if type(value) is str else value for value in values]))
        else:
            if kind in _PARTICULAR:
                _particular(kind, values)
            found.append(tuple(values))
    return found


def _particular(kind: str, values: list[Any]) -> None:
    if kind == ev.THREAD:
        if values[3] not in _ROLES:
            raise Foreign("a thread has an unknown role")
    elif not 0 <= values[3] <= values[0] >= values[4] > 0:
        raise Foreign("a step ends before it begins")


def _bounded(values: Any) -> Any:
    """An event with texts and numbers of a bearable size, and whole characters."""
    if type(values) is not list:
        return values
    if len(values) > 1 and values[1] == ev.TOKENS and values[2:3] == [-1]:
        return [*_bounded(values[:2]), -1, *_bounded(values[3:])]
    for i, value in enumerate(values):
        if type(value) is int:
            if value < 0:
                raise Foreign("a number is negative")
            values[i] = min(value, _LARGEST)
        elif type(value) is str:
            values[i] = mended(value, LONGEST_TEXT)
    return values


def mended(text: str, longest: int) -> str:
    """At most so many characters of the text, and whole ones."""
    return text[:longest].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# -- header --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recorded:
    """A scenario as it was when it was recorded."""

    name: str
    title: str
    expect: str
    key: str | None
    requests: int
    seconds: float
    group: str
    method: str
    path: str
    file: str
    source: str
    """The text of its file."""

    @classmethod
    def of(cls, scenario: ScenarioFile) -> Recorded:
        """This scenario, and what its file holds now."""
        facts = scenario.facts
        try:
            source = scenario.file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            source = ""
        return cls(
            scenario.name, facts.title, facts.expect, facts.key, facts.requests, float(facts.seconds),
            facts.group, scenario.method, scenario.path, str(scenario.file), source[:LONGEST_TEXT],
        )  # fmt: skip

    def shown(self) -> ScenarioFile:
        """The scenario for a screen: it can be listed, and it has no application."""
        try:
            facts = Scenario(
                title=self.title,
                expect=self.expect,
                key=self.key,
                requests=self.requests,
                seconds=self.seconds,
                group=self.group,
            )
        except ValueError:
            facts = Scenario(title=self.title, expect=self.expect, group=self.group)
        return ScenarioFile(self.name, Path(PurePath(self.file)), facts, None, self.method, self.path)


@dataclass(frozen=True)
class Header:
    """What was recorded, and where."""

    environment: Environment
    mode: str
    address: str
    threads: int
    started: int
    """When recording began (ns of the events' clock)."""
    scenarios: tuple[Recorded, ...] = ()
    blind: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, source: Source, started: int) -> Header:
        """What is recorded from this source."""
        return cls(
            source.environment,
            source.mode,
            source.address,
            source.threads,
            started,
            tuple(Recorded.of(scenario) for scenario in source.scenarios),
            tuple(source.blind),
        )

    def line(self) -> bytes:
        """The first line of a recording; a text is left out if the line would be too long with it."""
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        line = json.dumps(document).encode()
        if len(line) >= LONGEST_LINE:
            document["scenarios"] = [scenario | {"source": ""} for scenario in document["scenarios"]]
            line = json.dumps(document).encode()
        return line + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Header:
        """The header that a line holds; raises `Foreign` if it is none of this version."""
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise Foreign("it is no recording of loopviz")
        version = document.get("version")
        if type(version) is not int or version != VERSION:
            told = str(version)[:20] if type(version) is int and version < 1 << 63 else "of an unknown kind"
            raise Foreign(f"it is a recording of version {told}, and this loopviz reads version {VERSION}")
        scenarios = [_recorded(found) for found in _list(document, "scenarios")[:_MOST_SCENARIOS]]
        return cls(
            _environment(_get(document, "environment", dict)),
            _text(document, "mode"),
            _text(document, "address"),
            _int(document, "threads", 1_000_000),
            _int(document, "started", _LARGEST),
            tuple(scenarios),
            tuple(_pair(found) for found in _list(document, "blind")[:_MOST_SCENARIOS]),
        )


def _environment(found: dict[str, Any]) -> Environment:
    texts = {field.name: _text(found, field.name) for field in fields(Environment) if field.name != "gil"}
    return Environment(gil=_get(found, "gil", bool), **texts)


def _recorded(found: Any) -> Recorded:
    if not isinstance(found, dict):
        raise Foreign("a scenario in its header is none")
    seconds = found.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
        raise Foreign("its header has no good 'seconds'")
    texts = {
        name: _text(found, name) for name in ("name", "title", "expect", "group", "method", "path", "file")
    }
    return Recorded(
        key=None if found.get("key") is None else _text(found, "key"),
        requests=_int(found, "requests", 1_000_000),
        seconds=float(seconds),
        source=_text(found, "source", LONGEST_TEXT),
        **texts,
    )


def _get(found: dict[str, Any], name: str, kind: type) -> Any:
    value = found.get(name)
    if type(value) is not kind:
        raise Foreign(f"its header has no good {name!r}")
    return value


def _text(found: dict[str, Any], name: str, longest: int = 2_000) -> str:
    return mended(_get(found, name, str), longest)


def _int(found: dict[str, Any], name: str, most: int) -> int:
    value: int = _get(found, name, int)
    if not 0 < value <= most:
        raise Foreign(f"its header has no good {name!r}")
    return value


def _list(found: dict[str, Any], name: str) -> list[Any]:
    value: list[Any] = _get(found, name, list)
    return value


def _pair(found: Any) -> tuple[str, str]:
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(part, str) for part in found):
        raise Foreign("its header has no good 'blind'")
    return mended(found[0], 2_000), mended(found[1], 2_000)


def cut(event: Sequence[Any]) -> Event:
    """An event whose texts are short enough for a reader."""
    return tuple(value[:LONGEST_TEXT] if isinstance(value, str) else value for value in event)
