"""The command line. It imports nothing heavy before it knows what is wanted."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from loopviz import __version__
from loopviz.errors import InputError

if TYPE_CHECKING:
    from loopviz.draw.look import Palette
    from loopviz.scenario import ScenarioFile

__all__ = ["main"]

_MOST_REQUESTS = 1_000
_MOST_THREADS = 10_000


class _Parser(argparse.ArgumentParser):
    """Says what is wrong and what to do in two lines."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nSee '{self.prog} --help'.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0 done, 1 the run's own verdict is 'no', 2 bad input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # better a question mark than a traceback
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)  # type: ignore[no-any-return]
    except InputError as error:
        print(f"loopviz: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        from loopviz.session import leave

        leave(130)  # whoever interrupts does not want to wait for a busy worker thread


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="loopviz", description="See who is on the event loop of a FastAPI server, while it happens."
    )
    parser.add_argument("--version", action="version", version=f"loopviz {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="the live picture", description="Show the live picture.")
    run.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a scenario's file, or a folder of them; the built-in ones if left out",
    )
    run.add_argument(
        "--port",
        type=_number(0, 65535),
        default=0,
        help="where the server listens on 127.0.0.1; a free port if left out",
    )
    run.add_argument(
        "--requests",
        type=_number(1, _MOST_REQUESTS),
        default=None,
        metavar="N",
        help="requests to fire at once; the scenario's own number if left out",
    )
    _common(run)
    run.add_argument(
        "--record",
        metavar="FILE",
        default=None,
        help="write all events to FILE, for 'loopviz replay'; compressed if it ends in .gz",
    )
    run.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    run.add_argument(
        "--freeze-on",
        metavar="WHAT",
        help="freeze the picture when it happens: block>250ms, token-wait>100ms, latency>2s, error",
    )
    run.set_defaults(command=_run)

    record = commands.add_parser(
        "record",
        help="fire a scenario without a screen, and report",
        description="Fire a scenario, wait for the answers, and report.",
    )
    record.add_argument(
        "scenario", metavar="SCENARIO", help="a scenario's name (see 'loopviz scenarios') or file"
    )
    record.add_argument(
        "--requests",
        type=_number(1, _MOST_REQUESTS),
        default=None,
        metavar="N",
        help="requests to send at once; the scenario's own number if left out",
    )
    record.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default=None,
        help="write all events to FILE, for 'loopviz replay'; compressed if it ends in .gz",
    )
    record.add_argument("--json", action="store_true", help="print one JSON document")
    _common(record)
    record.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    record.set_defaults(command=_record)

    replay = commands.add_parser(
        "replay",
        help="a recording, in the same screen",
        description="Show what 'loopviz run --record' or 'loopviz record -o' has written.",
    )
    replay.add_argument("file", metavar="FILE", help="a recording")
    replay.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    replay.set_defaults(command=_replay)

    _export_parser(commands)
    _compare_parser(commands)
    _claims_parser(commands)

    scenarios = commands.add_parser(
        "scenarios", help="what there is, one line each", description="List the scenarios."
    )
    scenarios.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a scenario's file, or a folder of them; the built-in ones if left out",
    )
    scenarios.add_argument("--json", action="store_true", help="print one JSON document")
    scenarios.set_defaults(command=_scenarios)
    return parser


def _export_parser(commands: Any) -> None:
    export = commands.add_parser(
        "export",
        help="a recording, in the format of another tool",
        description="Write a recording as a trace, a picture, a page, a table or a summary.",
    )
    export.add_argument("file", metavar="FILE", help="a recording")
    export.add_argument(
        "--to",
        choices=("perfetto", "svg", "html", "csv", "json"),
        required=True,
        help="perfetto: a trace for ui.perfetto.dev; svg: a picture; html: a page to zoom in;"
        " csv: the segments; json: the summary",
    )
    export.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="where to write, '-' for standard output; if left out: there, or beside FILE on a terminal",
    )
    export.add_argument(
        "--from", dest="start", type=_seconds, metavar="S", help="svg, html: the window begins at S seconds"
    )
    export.add_argument("--until", type=_seconds, metavar="S", help="svg, html: the window ends at S seconds")
    export.set_defaults(command=_export)


def _compare_parser(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="the same load on several scenarios",
        description="Fire the same load at several scenarios in turn, each on a fresh server.",
    )
    compare.add_argument(
        "scenarios",
        nargs="+",
        metavar="SCENARIO",
        help="two names (see 'loopviz scenarios') or files, or more",
    )
    compare.add_argument(
        "--requests",
        type=_number(1, _MOST_REQUESTS),
        default=None,
        metavar="N",
        help="requests to send at once; the largest of the scenarios' own numbers if left out",
    )
    compare.add_argument(
        "--sweep",
        type=_steps,
        default=None,
        metavar="N,N,...",
        help="throughput and p95 with so many requests under way at a time, such as 1,2,5,10,20,50,100",
    )
    compare.add_argument("--json", action="store_true", help="print one JSON document")
    _common(compare)
    compare.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    compare.set_defaults(command=_compare)


def _claims_parser(commands: Any) -> None:
    claims = commands.add_parser(
        "claims",
        help="the folk wisdom, put to the test",
        description="Put claims about FastAPI to the test. A verdict is computed from what is measured.",
    )
    claims.add_argument("claims", nargs="*", metavar="ID", help="a claim's id; all of them if left out")
    claims.add_argument(
        "--scenarios",
        default=None,
        metavar="FOLDER",
        help="take scenarios from FOLDER, where it has one of the name that a claim wants",
    )
    claims.add_argument("--json", action="store_true", help="print one JSON document")
    claims.add_argument(
        "--loop", choices=("asyncio", "uvloop"), default="asyncio", help="the server's event loop (asyncio)"
    )
    claims.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    claims.set_defaults(command=_claims)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads",
        type=_number(1, _MOST_THREADS),
        default=40,
        metavar="N",
        help="tokens for worker threads (40, as AnyIO has)",
    )
    parser.add_argument(
        "--loop", choices=("asyncio", "uvloop"), default="asyncio", help="the server's event loop (asyncio)"
    )


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"it must be from {least} to {most}, not {value}")
        return value

    return number


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 <= value <= 1e9:
        raise argparse.ArgumentTypeError(f"it must be from 0 on, not {text}")
    return value


def _steps(text: str) -> tuple[int, ...]:
    number = _number(1, _MOST_REQUESTS)
    steps = tuple(sorted({number(part) for part in text.split(",")}))
    if len(steps) < 2:
        raise argparse.ArgumentTypeError(f"it takes two numbers at least, such as 1,10, not {text!r}")
    return steps


def _run(options: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError(
            "The live picture needs a terminal.\n"
            "Without one, use 'loopviz record SCENARIO'; 'loopviz scenarios' lists them."
        )
    from loopviz import scenario
    from loopviz.reload import Watcher
    from loopviz.run import run
    from loopviz.tui import parse_trigger
    from loopviz.workspace import Workspace

    trigger = parse_trigger(options.freeze_on) if options.freeze_on else None
    with Workspace():
        files = scenario.load(scenario.find(options.target))
        return run(
            files,
            watcher=Watcher(options.target, files) if options.target else None,
            trigger=trigger,
            palette=_palette(options),
            port=options.port,
            requests=options.requests,
            threads=options.threads,
            loop=options.loop,
            record=options.record,
        )


def _replay(options: argparse.Namespace) -> int:
    from loopviz.replay import Replay

    source = Replay(options.file)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        source.stop()
        raise InputError(
            "The picture needs a terminal.\nWithout one, use 'loopviz export'; see 'loopviz export --help'."
        )
    from loopviz.run import replay

    return replay(source, palette=_palette(options))


def _palette(options: argparse.Namespace) -> Palette:
    from loopviz.draw.look import Palette

    no_colour = bool(os.environ.get("NO_COLOR"))
    if options.ascii or not _takes_unicode(sys.stdout.encoding):
        return Palette("ascii", colour=not no_colour)
    return Palette("mono" if no_colour else "colour")


def _takes_unicode(encoding: str | None) -> bool:
    try:
        "▚·µ…".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _record(options: argparse.Namespace) -> int:
    from loopviz.record import record
    from loopviz.workspace import Workspace

    with Workspace():
        return record(
            _one(options.scenario),
            requests=options.requests,
            threads=options.threads,
            loop=options.loop,
            palette=_palette(options),
            as_json=options.json,
            output=options.output,
        )


def _export(options: argparse.Namespace) -> int:
    from loopviz.convert import export

    return export(options.file, options.to, output=options.output, start=options.start, until=options.until)


def _compare(options: argparse.Namespace) -> int:
    if len(options.scenarios) < 2:
        raise InputError(f"It takes two scenarios to compare: loopviz compare {options.scenarios[0]} ANOTHER")
    if options.sweep and options.requests:
        raise InputError("--sweep says how many requests there are.\nLeave out --requests.")
    from loopviz.workspace import Workspace

    with Workspace():
        files = [_one(name) for name in options.scenarios]
        if options.sweep:
            from loopviz.sweep import sweep

            return sweep(
                files,
                options.sweep,
                threads=options.threads,
                loop=options.loop,
                palette=_palette(options),
                as_json=options.json,
            )
        from loopviz.compare import compare

        return compare(
            files,
            requests=options.requests,
            threads=options.threads,
            loop=options.loop,
            palette=_palette(options),
            as_json=options.json,
        )


def _claims(options: argparse.Namespace) -> int:
    from loopviz.verdicts import claims
    from loopviz.workspace import Workspace

    with Workspace():
        return claims(
            options.claims,
            loop=options.loop,
            palette=_palette(options),
            as_json=options.json,
            folder=options.scenarios,
        )


def _one(name: str) -> ScenarioFile:
    from loopviz import scenario

    files = scenario.load(scenario.find(name))
    if len(files) != 1:
        raise InputError(
            f"{name} is a folder of {len(files)} scenarios.\n"
            f"Name one of them: {', '.join(f.name for f in files)}."
        )
    return files[0]


def _scenarios(options: argparse.Namespace) -> int:
    from loopviz import scenario
    from loopviz.workspace import Workspace

    with Workspace():
        files = scenario.load(scenario.find(options.target))
    if options.json:
        listed = [
            {
                "name": file.name,
                "group": file.facts.group,
                "key": file.facts.key,
                "title": file.facts.title,
                "expect": file.facts.expect,
                "requests": file.facts.requests,
                "seconds": file.facts.seconds,
                "method": file.method,
                "path": file.path,
                "file": str(file.file),
                "needs": list(file.facts.needs),
                "missing": list(file.missing),
            }
            for file in files
        ]
        print(json.dumps({"format": "loopviz-scenarios", "version": 1, "scenarios": listed}, indent=2))
        return 0
    name = max(len(file.name) for file in files)
    title = max(len(file.facts.title) for file in files)
    groups = list(dict.fromkeys(file.facts.group for file in files))
    for group in groups:
        if len(groups) > 1:
            print(f"{'' if group == groups[0] else chr(10)}{group}")
        for file in files:
            if file.facts.group == group:
                facts = file.facts
                lacks = f" (needs {', '.join(file.missing)}: {file.install})" if file.missing else ""
                print(
                    f"{facts.key or ' '}  {file.name:<{name}}  {facts.title:<{title}}  {facts.expect}{lacks}"
                )
    return 0
