"""``loopviz scenarios``: list the available scenarios."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loopviz.cli.arguments import add_json, add_target
from loopviz.draw.safe import printable
from loopviz.errors import InputError

if TYPE_CHECKING:
    from loopviz.scenario import ScenarioFile

__all__ = ["add_parser", "one"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "scenarios", help="list the available scenarios", description="List the available scenarios."
    )
    add_target(parser)
    add_json(parser)
    parser.set_defaults(command=scenarios)


def scenarios(options: argparse.Namespace) -> int:
    """Print the scenarios of a target by group; the exit code."""
    from loopviz.cli.importing import importing
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.scenario import find, read

    with Workspace(), importing() as reading:
        files = read(find(options.target), reading, tolerant=True)
    if options.json:
        print(json.dumps(_document(files), indent=2))
    else:
        _print(files)
    return 0


def one(name: str) -> ScenarioFile:
    """The scenario of a name or a file, to be fired.

    Raises `InputError` if it is a folder of several, or if its requests lack a value.
    """
    from loopviz.cli.importing import importing
    from loopviz.scenario import find, read

    with importing() as reading:
        files = read(find(name), reading)
    if len(files) != 1:
        raise InputError(
            f"{name} is a folder of {len(files)} scenarios.\n"
            f"Name one of them: {', '.join(f.name for f in files)}."
        )
    if files[0].lacking is not None:
        raise InputError(files[0].lacking)
    return files[0]


def _document(files: Sequence[ScenarioFile]) -> dict[str, Any]:
    listed = [
        {
            "name": file.name,
            "group": file.facts.group,
            "key": file.facts.key,
            "title": file.facts.title,
            "expect": file.facts.expect,
            "repair": file.facts.repair,
            "repaired": file.facts.repaired,
            "finding": file.facts.finding,
            "requests": file.facts.requests,
            "seconds": file.facts.seconds,
            "method": file.method,
            "path": file.path,
            "file": str(file.file),
            "needs": list(file.facts.needs),
            "missing": list(file.missing),
            "lacking": file.lacking,
        }
        for file in files
    ]
    return {"format": "loopviz-scenarios", "version": 1, "scenarios": listed}


def _print(files: Sequence[ScenarioFile]) -> None:
    from loopviz.draw.words import one_line

    titles = {file.name: printable(file.facts.title) for file in files}
    name = max(len(file.name) for file in files)
    title = max(map(len, titles.values()))
    groups = list(dict.fromkeys(file.facts.group for file in files))
    for group in groups:
        if len(groups) > 1:
            print(f"{'' if group == groups[0] else chr(10)}{printable(group, len(group))}")
        for file in files:
            if file.facts.group == group:
                facts = file.facts
                lacks = f" (needs {', '.join(file.missing)}: {file.install})" if file.missing else ""
                if file.broken is not None:
                    lacks = ""
                elif file.lacking is not None:
                    lacks = f" (cannot be fired: {one_line(file.lacking)})"
                line = (
                    f"{facts.key or ' '}  {file.name:<{name}}  {titles[file.name]:<{title}}  {facts.expect}"
                )
                print(printable(line + lacks, 2_000))
