"""The first line of a recording: what was recorded, and where."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePath
from typing import Any

from loopviz.recording.format import (
    FORMAT,
    LARGEST,
    LONGEST_LINE,
    LONGEST_TEXT,
    VERSION,
    FormatError,
    well_formed,
)
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream.source import Environment, Source

__all__ = ["Header", "ScenarioSnapshot", "parse_blind"]

_MOST_SCENARIOS = 500


@dataclass(frozen=True)
class ScenarioSnapshot:
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
    repair: str | None = None
    repaired: str | None = None

    @classmethod
    def of(cls, scenario: ScenarioFile) -> ScenarioSnapshot:
        """The scenario, with the present text of its file."""
        facts = scenario.facts
        try:
            source = scenario.file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            source = ""
        return cls(
            scenario.name, facts.title, facts.expect, facts.key, facts.requests, float(facts.seconds),
            facts.group, scenario.method, scenario.path, str(scenario.file), source[:LONGEST_TEXT],
            facts.repair, facts.repaired,
        )  # fmt: skip

    def listed(self) -> ScenarioFile:
        """The scenario as a screen lists it; it has no application."""
        try:
            facts = Scenario(
                title=self.title,
                expect=self.expect,
                key=self.key,
                requests=self.requests,
                seconds=self.seconds,
                group=self.group,
                repair=self.repair,
                repaired=self.repaired,
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
    scenarios: tuple[ScenarioSnapshot, ...] = ()
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
            tuple(ScenarioSnapshot.of(scenario) for scenario in source.scenarios),
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
        """The header in this line. Raises `FormatError` if it is not a header of this version."""
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise FormatError("it is not a loopviz recording")
        version = document.get("version")
        if type(version) is not int or version != VERSION:
            known = type(version) is int and version <= LARGEST
            shown = str(version)[:20] if known else "of an unknown kind"
            raise FormatError(f"it has format version {shown}, and this loopviz reads version {VERSION}")
        scenarios = [_snapshot(found) for found in _list(document, "scenarios")[:_MOST_SCENARIOS]]
        return cls(
            _environment(_get(document, "environment", dict)),
            _text(document, "mode"),
            _text(document, "address"),
            _int(document, "threads", 1_000_000),
            _int(document, "started", LARGEST),
            tuple(scenarios),
            parse_blind(_list(document, "blind")),
        )


def _environment(found: dict[str, Any]) -> Environment:
    texts = {field.name: _text(found, field.name) for field in fields(Environment) if field.name != "gil"}
    return Environment(gil=_get(found, "gil", bool), **texts)


def _snapshot(found: Any) -> ScenarioSnapshot:
    if not isinstance(found, dict):
        raise FormatError("a scenario in its header is not an object")
    seconds = found.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
        raise FormatError("its header has no valid 'seconds'")
    texts = {
        name: _text(found, name) for name in ("name", "title", "expect", "group", "method", "path", "file")
    }
    return ScenarioSnapshot(
        key=_optional(found, "key"),
        requests=_int(found, "requests", 1_000_000),
        seconds=float(seconds),
        source=_text(found, "source", LONGEST_TEXT),
        repair=_optional(found, "repair"),
        repaired=_optional(found, "repaired"),
        **texts,
    )


def _get(found: dict[str, Any], name: str, kind: type) -> Any:
    value = found.get(name)
    if type(value) is not kind:
        raise FormatError(f"its header has no valid {name!r}")
    return value


def _text(found: dict[str, Any], name: str, longest: int = 2_000) -> str:
    return well_formed(_get(found, name, str), longest)


def _optional(found: dict[str, Any], name: str) -> str | None:
    return None if found.get(name) is None else _text(found, name)


def _int(found: dict[str, Any], name: str, most: int) -> int:
    value: int = _get(found, name, int)
    if not 0 < value <= most:
        raise FormatError(f"its header has no valid {name!r}")
    return value


def _list(found: dict[str, Any], name: str) -> list[Any]:
    value: list[Any] = _get(found, name, list)
    return value


def parse_blind(found: Any) -> tuple[tuple[str, str], ...]:
    """What could not be seen, and why, from a header or a last line. Raises `FormatError`."""
    if not isinstance(found, list):
        raise FormatError("it has no valid 'blind'")
    return tuple(_pair(pair) for pair in found[:_MOST_SCENARIOS])


def _pair(found: Any) -> tuple[str, str]:
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(part, str) for part in found):
        raise FormatError("it has no valid 'blind'")
    return well_formed(found[0], 2_000), well_formed(found[1], 2_000)
