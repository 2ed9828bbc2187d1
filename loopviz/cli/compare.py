"""``loopviz compare``: the same load on several scenarios, each on a fresh server; or a sweep of loads."""

from __future__ import annotations

import argparse
from typing import Any

from loopviz.cli.arguments import add_ascii, add_json, add_loop, add_requests, add_threads, loads
from loopviz.errors import InputError

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "compare",
        help="compare scenarios under the same load",
        description="Fire the same load at several scenarios in turn, each on a fresh server.",
    )
    parser.add_argument(
        "scenarios",
        nargs="+",
        metavar="SCENARIO",
        help="two or more names (see 'loopviz scenarios') or files",
    )
    add_requests(
        parser, "how many requests to send at once (default: the largest of the scenarios' own numbers)"
    )
    parser.add_argument(
        "--sweep",
        type=loads,
        default=None,
        metavar="N,N,...",
        help="measure throughput and p95 latency at these numbers of concurrent requests, "
        "such as 1,2,5,10,20,50,100",
    )
    add_json(parser)
    add_threads(parser)
    add_loop(parser)
    add_ascii(parser)
    parser.set_defaults(command=compare)


def compare(options: argparse.Namespace) -> int:
    """Measure each scenario in turn and print the comparison, or the sweep; the exit code."""
    if len(options.scenarios) < 2:
        raise InputError(
            f"A comparison needs two scenarios or more: loopviz compare {options.scenarios[0]} ANOTHER"
        )
    if options.sweep and options.requests:
        raise InputError("--sweep gives the numbers of requests.\nLeave out --requests.")
    from loopviz.cli.comparison import run_comparison
    from loopviz.cli.console import palette_for, show_progress
    from loopviz.cli.scenarios import one
    from loopviz.cli.sweep import run_sweep
    from loopviz.live.helpers.workspace import Workspace
    from loopviz.scenario import apart

    with Workspace():
        files = apart([one(name) for name in options.scenarios])
        common: dict[str, Any] = {
            "threads": options.threads,
            "loop": options.loop,
            "palette": palette_for(options),
            "as_json": options.json,
            "progress": show_progress,
        }
        if options.sweep:
            return run_sweep(files, options.sweep, **common)
        return run_comparison(files, requests=options.requests, **common)
