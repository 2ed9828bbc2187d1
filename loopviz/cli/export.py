"""``loopviz export``: a recording in the format of another tool."""

from __future__ import annotations

import argparse
from typing import Any

from loopviz.cli.arguments import add_force, ratio, seconds

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "export",
        help="write a recording in the format of another tool",
        description="Write a recording as a trace, a picture, a page, a table or a summary.",
    )
    parser.add_argument("file", metavar="FILE", help="a recording")
    parser.add_argument(
        "--to",
        choices=("perfetto", "svg", "html", "csv", "json"),
        required=True,
        help="perfetto: a trace for ui.perfetto.dev; svg: a picture; html: a page to zoom in;"
        " csv: the segments; json: the summary",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write, '-' for standard output (default: beside FILE on a terminal,"
        " else standard output)",
    )
    add_force(parser, "OUT")
    parser.add_argument(
        "--from", dest="start", type=seconds, metavar="S", help="svg, html: the window begins at S seconds"
    )
    parser.add_argument("--until", type=seconds, metavar="S", help="svg, html: the window ends at S seconds")
    parser.add_argument(
        "--theme", metavar="NAME", help="svg: the colours: dark (default), light, or another theme"
    )
    parser.add_argument(
        "--ratio",
        type=ratio,
        metavar="W:H",
        help="svg: width to height, such as 16:9 for a slide (default: as high as its rows need)",
    )
    parser.set_defaults(command=export)


def export(options: argparse.Namespace) -> int:
    """Write the recording in the format that was asked for; the exit code."""
    from loopviz.cli.conversion import convert

    return convert(
        options.file,
        options.to,
        options.output,
        options.start,
        options.until,
        theme=options.theme,
        ratio=options.ratio,
        force=options.force,
    )
