"""Find scenarios by what is typed: the exact name first."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.scenario.files import ScenarioFile

__all__ = ["matching"]


def matching(files: Sequence[ScenarioFile], words: str) -> list[ScenarioFile]:
    """The scenarios in whose name, group or title every word occurs, the best match first.

    Without words, all in the order given. With words, the order is: the exact name, a name that begins with
    what is typed, a part of the name, the name, the rest. Groups stay together: the best match's is first.
    """
    wanted = words.lower().split()
    found = [file for file in files if all(word in _text(file) for word in wanted)]
    if not wanted:
        return found
    ranks = {id(file): _rank(file, wanted) for file in found}
    groups: dict[str, int] = {}
    for file in found:
        groups[file.facts.group] = min(ranks[id(file)], groups.get(file.facts.group, ranks[id(file)]))
    order = {group: at for at, group in enumerate(groups)}
    found.sort(key=lambda f: (groups[f.facts.group], order[f.facts.group], ranks[id(f)]))
    return found


def _text(file: ScenarioFile) -> str:
    return f"{file.name} {file.facts.group} {file.facts.title}".lower()


def _rank(file: ScenarioFile, wanted: Sequence[str]) -> int:
    """How well a name matches: 0 is the exact name."""
    name, typed = file.name.lower(), " ".join(wanted)
    if typed in (name, name.replace("_", " ")):
        return 0
    if name.startswith(typed):
        return 1
    if all(word in name.split("_") for word in wanted):
        return 2
    return 3 if all(word in name for word in wanted) else 4
