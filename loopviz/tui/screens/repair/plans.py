"""What can be repaired of a burst: for each finding with a repair the changed text, or why there is none."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

from loopviz.draw.words import one_line
from loopviz.findings import Finding
from loopviz.findings.seen import Lines
from loopviz.model import Burst
from loopviz.repair import Refused, possible, repaired, why_none
from loopviz.repair.text import diff, lines_of
from loopviz.scenario import ScenarioFile
from loopviz.stream.marked import original_of
from loopviz.stream.source import Source

__all__ = ["Plan", "Refusals", "changed_since", "declared", "in_project", "nothing", "plans", "text_of"]

_HUNK: Final = re.compile(r"^@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@")
_OF_CALLS: Final = frozenset({"background-work", "blocking-call", "blocking-middleware"})
"""Findings whose repair is that of a call, if one fits."""
_LONGEST: Final = 2_000_000
"""So many bytes of a source file are read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One repair that can be fired."""

    scenario: ScenarioFile
    """What was fired, and is fired again."""
    file: str
    """The file that is repaired."""
    before: str
    """Its whole text, as it is in the file."""
    after: str
    diff: tuple[str, ...]
    """A unified diff; its lines have no line ends."""
    reason: str
    """What is wrong, in a sentence."""
    change: str
    """What the repair changes, and what it assumes, in a sentence or two."""
    finding: Finding | None = None
    twin: ScenarioFile | None = None
    """The scenario that is declared to be the repair."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Why nothing can be repaired."""

    why: tuple[str, ...]


def declared(source: Source, file: ScenarioFile, found: Sequence[Finding]) -> Plan | Refusals | None:
    """The repair that the scenario declares, another scenario; None if it declares none."""
    if file.facts.repaired is None:
        return None
    twin = next((other for other in source.scenarios if other.name == file.facts.repaired), None)
    if twin is None:
        return Refusals((f"The repair of {file.name} is {file.facts.repaired}, which is not served here.",))
    if twin.missing:
        return Refusals((f"{twin.name} needs {', '.join(twin.missing)}: {twin.install}",))
    return _declared(file, twin, next(iter(found), None))


def plans(lines: Lines, file: ScenarioFile, found: Sequence[Finding]) -> list[Plan] | Refusals:
    """The repairs for these findings of a scenario, in their order; or why there is none.

    `lines` has the lines of a source file. It takes a while the first time, and may be called in any thread.
    """
    made: list[Plan] = []
    why: list[str] = []
    for finding in found:
        plan = _made(lines, file, finding)
        if isinstance(plan, Plan):
            if all(plan.after != other.after for other in made):
                made.append(plan)
        else:
            why.append(f"{finding.title}: {plan}")
    return made or Refusals(tuple(why[:2]))


def nothing(name: str, burst: Burst | None, now: int, *, steady: bool = False) -> str:
    """Why there is no finding, of what was fired last, or of a steady load."""
    if steady:
        return f"Nothing is found in the steady load of {name}: there is nothing to repair."
    if burst is None or not burst.began:
        return f"{name} has not been measured yet: there is nothing to repair."
    if not burst.over(now):
        return f"Nothing is found in {name} so far: wait until its requests are answered."
    return f"{name} needs no repair: nothing is found in it, and it declares none."


def _declared(file: ScenarioFile, twin: ScenarioFile, finding: Finding | None) -> Plan:
    """The repair that a scenario declares: another scenario."""
    before, after = (text_of(str(one.file)) or "" for one in (file, twin))
    names = (f"a/{file.file.name}", f"b/{twin.file.name}")
    old, new = _without_facts(before), _without_facts(after)
    lines = list(unified_diff(old.lines, new.lines, *names, lineterm=""))
    lines = [_HUNK.sub(lambda found: _moved(found, old.first, new.first), line) for line in lines]
    reason = finding.what if finding is not None else file.facts.expect
    change = file.facts.repair or twin.facts.title
    return Plan(file, str(file.file), before, after, tuple(lines), reason, change, finding, twin)


class _Place(TypedDict):
    """What is repaired in a text, as `loopviz.repair` wants it."""

    line: int
    function: str
    calls: str


class _Part(NamedTuple):
    """Lines of a file."""

    first: int
    """How many lines are before them."""
    lines: list[str]


def _without_facts(text: str) -> _Part:
    """The code of a scenario file: from the first import up to what is declared of it."""
    lines = text.splitlines()
    first = next((at for at, line in enumerate(lines) if line.startswith(("import ", "from "))), 0)
    end = next((at for at, line in enumerate(lines) if line.startswith("scenario = ")), len(lines))
    while end > first and not lines[end - 1].strip():
        end -= 1
    return _Part(first, lines[first:end])


def _moved(hunk: re.Match[str], old: int, new: int) -> str:
    return f"@@ -{int(hunk[1]) + old}{hunk[2]} +{int(hunk[3]) + new}{hunk[4]} @@"


def _made(lines: Lines, file: ScenarioFile, finding: Finding) -> Plan | str:
    """The repair for a finding, or why there is none."""
    where = finding.where
    if where is None or (finding.repair is None and finding.id not in _OF_CALLS):
        return _unknown(finding)
    name = original_of(where.file)
    before = text_of(name)
    if before is None:
        return f"{Path(name).name} cannot be read."
    shown = lines(where.file)
    if name != where.file:  # a copy that was repaired before: the repairs add up
        text = "".join(line if line.endswith("\n") else f"{line}\n" for line in shown)
    else:
        text = before
        if not _is_shown(text, shown):
            return f"{Path(name).name} has been saved since it was started. Start it again, then fire it."
    relative = in_project(name)[1]
    place: _Place = {"line": where.line, "function": where.function, "calls": where.calls}
    if finding.repair is None:
        return why_none(text, **place) or _unknown(finding)
    result = repaired(text, finding.repair, name=relative, **place)
    if isinstance(result, Refused):
        other = possible(text, **place)
        again = result if other is None else repaired(text, other, name=relative, **place)
        if isinstance(again, Refused):
            return result.why
        result = again
    changes = result.diff if text is before else diff(before, result.source, relative)
    return Plan(file, name, before, result.source, changes, finding.what, result.summary, finding)


def _unknown(finding: Finding) -> str:
    return f"no repair is known for it. {finding.do}"


def _is_shown(text: str, shown: Sequence[str]) -> bool:
    """Whether a text is what views show of the file."""
    lines = [line.rstrip("\r\n") for line in lines_of(text.removeprefix("\ufeff"))]
    return not shown or lines == [line.rstrip("\r\n") for line in shown]


def in_project(file: str) -> tuple[Path, str]:
    """The folder of the project that a file is in, and the file's path there, with slashes.

    The project is the nearest folder above that is a repository, or has a ``pyproject.toml``; without one, it
    is the folder of the file, or of its package.
    """
    path = Path(file)
    folder = path.parent
    for above in path.parents:
        if (above / ".git").exists():
            folder = above
            break
    else:
        while (folder / "__init__.py").is_file():
            folder = folder.parent
        folder = next((above for above in path.parents if (above / "pyproject.toml").is_file()), folder)
    return folder, path.relative_to(folder).as_posix()


def text_of(file: str) -> str | None:
    """The text of a source file as it is, with its line ends; None if it cannot be read."""
    with suppress(OSError, SyntaxError, ValueError, LookupError):
        path = Path(file)
        if path.stat().st_size > _LONGEST:
            return None
        with path.open("rb") as stream:
            encoding, _ = tokenize.detect_encoding(stream.readline)
        return path.read_bytes().decode("utf-8" if encoding == "utf-8-sig" else encoding)
    return None


def changed_since(plan: Plan) -> str | None:
    """Why a patch would not fit the file any more; None if it does."""
    if text_of(plan.file) == plan.before:
        return None
    return one_line(f"{Path(plan.file).name} has been saved meanwhile: the patch would not fit.")
