"""Arguments that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

__all__ = [
    "MOST_REQUESTS",
    "add_ascii",
    "add_force",
    "add_health",
    "add_json",
    "add_loop",
    "add_port",
    "add_recording",
    "add_requests",
    "add_runnable",
    "add_target",
    "add_theme",
    "add_threads",
    "loads",
    "number",
    "period",
    "ratio",
    "seconds",
]

MOST_REQUESTS = 1_000
"""The largest burst that can be asked for."""
_LONGEST = 86_400.0
"""The longest time that can be asked for (s): what is seen is kept in memory."""
_LONGEST_TIMEOUT = 60.0
_MOST_THREADS = 10_000
_THREAD_LIMIT = 40
"""`loopviz.scenario.THREAD_LIMIT`; its import would take longer than the rest of ``--help``."""


def add_target(parser: argparse.ArgumentParser) -> None:
    """TARGET: which scenarios."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a scenario file, or a folder of them (default: the built-in scenarios)",
    )


def add_runnable(parser: argparse.ArgumentParser) -> None:
    """TARGET: which scenarios, or which application; ``--builtin``."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="an application (module:attribute, a file, a project's folder), a scenario file or a folder of "
        "them (default: the project in this folder, as 'fastapi dev' finds it, or the built-in scenarios)",
    )
    parser.add_argument(
        "--builtin", action="store_true", help="the built-in scenarios, wherever this is started"
    )


def add_force(parser: argparse.ArgumentParser, what: str) -> None:
    """``--force``."""
    parser.add_argument("--force", action="store_true", help=f"overwrite {what} if it exists")


def add_recording(parser: argparse.ArgumentParser, *names: str, force: str) -> None:
    """The option of these names for the file of a recording, and ``--force``, which overwrites `force`."""
    parser.add_argument(
        *names,
        metavar="FILE",
        default=None,
        help="record all events in FILE, for 'loopviz replay'; compressed if its name ends in .gz",
    )
    add_force(parser, force)


def add_requests(parser: argparse.ArgumentParser, help_text: str) -> None:
    """``--requests N``."""
    parser.add_argument(
        "--requests", type=number(1, MOST_REQUESTS), default=None, metavar="N", help=help_text
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """``--threads N``: the thread limit."""
    parser.add_argument(
        "--threads",
        type=number(1, _MOST_THREADS),
        default=_THREAD_LIMIT,
        metavar="N",
        help=f"the thread limit: the most worker threads at once (default: {_THREAD_LIMIT}, as in AnyIO)",
    )


def add_loop(parser: argparse.ArgumentParser, *, own: bool = False) -> None:
    """``--loop NAME``; where an application of one's `own` may be served also ``auto``, by default None."""
    parser.add_argument(
        "--loop",
        choices=("auto", "asyncio", "uvloop") if own else ("asyncio", "uvloop"),
        default=None if own else "asyncio",
        help="the server's event loop (default: asyncio"
        + ("; auto: uvloop where it is installed, as uvicorn chooses)" if own else ")"),
    )


def add_port(parser: argparse.ArgumentParser) -> None:
    """``--port N``."""
    parser.add_argument(
        "--port",
        type=number(0, 65535),
        default=0,
        help="the server's port (default: a free port)",
    )


def add_health(parser: argparse.ArgumentParser) -> None:
    """``--health PATH`` and ``--health-timeout SECONDS``."""
    parser.add_argument(
        "--health",
        metavar="PATH",
        default=None,
        help="send ten health probes a second to PATH, as a load balancer does; auto: to a route that is "
        "called like a health check",
    )
    parser.add_argument(
        "--health-timeout",
        type=_timeout,
        default=1.0,
        metavar="TIME",
        help="a probe without an answer by then has failed: 500ms, 2s (default: 1s)",
    )


def _timeout(text: str) -> float:
    """The type of the time after which a health probe has failed (s)."""
    value = period(text)
    if not 0.01 <= value <= _LONGEST_TIMEOUT:
        raise argparse.ArgumentTypeError(f"it must be from 10ms to {_LONGEST_TIMEOUT:.0f}s, not {text!r}")
    return value


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_ascii(parser: argparse.ArgumentParser) -> None:
    """``--ascii``."""
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")


def add_theme(parser: argparse.ArgumentParser) -> None:
    """``--theme NAME``."""
    parser.add_argument(
        "--theme",
        metavar="NAME",
        default=None,
        help="dark, light, high-contrast, red-green or blue-yellow (default: LOOPVIZ_THEME, or dark)",
    )


def number(least: int, most: int) -> Callable[[str], int]:
    """The type of a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"it must be from {least} to {most}, not {value}")
        return value

    return parse


def seconds(text: str) -> float:
    """The type of a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 <= value <= 1e9:
        raise argparse.ArgumentTypeError(f"it must be 0 or more, not {text}")
    return value


def period(text: str) -> float:
    """The type of a length of time such as ``10s``, ``500ms`` or ``2m``, in seconds."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m)", text, re.ASCII)
    value = float(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[2]] if found else 0.0
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError(f"it must be a time such as 10s, 500ms or 2m, not {text!r}")
    return value


def ratio(text: str) -> tuple[int, int]:
    """The type of a ratio of width to height."""
    found = re.fullmatch(r"([0-9]{1,4}):([0-9]{1,4})", text, re.ASCII)
    wide, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (wide and high and wide <= 3 * high and high <= 3 * wide):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise argparse.ArgumentTypeError(f"it must be a ratio from 1:3 to 3:1, such as 16:9, not {shown!r}")
    return wide, high


def loads(text: str) -> tuple[int, ...]:
    """The type of a list of two or more numbers of requests, in rising order."""
    parse = number(1, MOST_REQUESTS)
    found = tuple(sorted({parse(part) for part in text.split(",")}))
    if len(found) < 2:
        raise argparse.ArgumentTypeError(f"it needs at least two numbers, such as 1,10, not {text!r}")
    return found
