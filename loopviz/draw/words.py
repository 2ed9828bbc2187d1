"""Plain words: durations, source lines, names of requests, blocks and states."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from textwrap import wrap
from typing import Literal

from rich.cells import cell_len

from loopviz.clock import NS, duration, ordinary
from loopviz.draw.look import CODES, KINDS, NAMES
from loopviz.draw.safe import printable
from loopviz.findings.words import count
from loopviz.model import Awaits, Block, Request, Starvation, State, Timeline, WebSocket, Where

__all__ = [
    "Mood",
    "ascii_only",
    "awaited",
    "count",
    "culprits",
    "duration",
    "figure",
    "fitting",
    "headline",
    "holder",
    "kind_name",
    "line",
    "one_line",
    "ordinary",
    "requests_named",
    "saved",
    "state_name",
    "tag",
    "tags",
    "task_name",
    "tick",
    "unsaved",
    "wrapped",
]

Mood = Literal["alarm", "good", "dim"]

_WRAPPERS = {"_run_coro", "_run_wrapped_task"}
"""Coroutines in which AnyIO's task groups run those of the program, whose names are not seen."""
_PLAIN = str.maketrans(
    "…µ·“”‘’×–—→Δ•●─━│┃▏▎▕┌┐└┘├┤┬┴┼╭╮╰╯▐▌▔▁▂▃▄▅▆▇█▀",  # noqa: RUF001 - these characters are meant
    "~u|\"\"''x-->d**--|||||+++++++++++++[]-_########",
)


def one_line(text: str) -> str:
    """The lines of an error message in one line."""
    return text.replace(".\n", ". ").replace("\n", ". ")


def ascii_only(text: str) -> str:
    """The text without any character outside ASCII, as wide as before."""
    if text.isascii():
        return text
    plain = text.translate(_PLAIN)
    return "".join(c if c.isascii() else "?" * cell_len(c) for c in plain)


def figure(value: float, unit: str) -> str:
    """A measured figure and its unit (``s``, ``x``, ``threads`` or another word): ``1.02 s``, ``7.9 x``."""
    if unit == "s":
        return f"{value:.2f} s" if value >= 1 else duration(value * NS)
    if unit == "x":
        return f"{value:.1f} x" if value < 10 else f"{value:.0f} x"
    if unit == "threads":
        return f"{value:.0f}"
    return f"{value:.0f} {unit}"


def tick(ns: int) -> str:
    """A round duration, as short as possible: ``5 s``, ``200 ms``, ``10 µs``."""
    for unit, name in ((NS, "s"), (1_000_000, "ms"), (1_000, "µs")):
        if ns >= unit:
            return f"{ns / unit:g} {name}"
    return f"{ns} ns"


def line(where: Where) -> str:
    """A source line: ``blocking.py:14``."""
    return f"{printable(PurePath(where.file).name)}:{where.line}"


def awaited(awaits: Awaits, *, brief: bool = False) -> str:
    """What is awaited: ``timer``, ``lock of #3``; with its name, ``queue get``, unless it is to be brief."""
    what = awaits.what if brief or not awaits.name else f"{awaits.what} {awaits.name}"
    return printable(f"{what} of {tag(awaits.holder, awaits.letter)}" if awaits.holder else what, 60)


def state_name(state: State) -> str:
    """A state's name in words."""
    return NAMES[CODES[state]]


def saved(events: int, path: str | PurePath) -> str:
    """How many events are in the recording at `path`, and the command that plays it back."""
    shown = printable(str(path), 4_096)
    return f"{count(events, 'event')} {'is' if events == 1 else 'are'} in {shown}: loopviz replay {shown}"


def unsaved(failed: str, path: str | PurePath, *, readable: bool) -> str:
    """Why a recording has ended early, and, if there is a part of it, the command that plays that back."""
    shown = printable(str(path), 4_096)
    part = f"\nWhat was written until then can be read: loopviz replay {shown}" if readable else ""
    return f"loopviz: {printable(failed, 1_000)}{part}"


def wrapped(sentences: Iterable[str], width: int, lines: int) -> list[str]:
    """Sentences in at most `lines` lines, each sentence on a line of its own if they fit."""
    parts = [wrap(sentence, max(20, width)) for sentence in sentences]
    if sum(map(len, parts)) > lines:
        parts = [wrap(" ".join(sentences), max(20, width))]
    flat = [part for sentence in parts for part in sentence]
    if len(flat) > lines:
        flat = [*flat[: lines - 1], flat[lines - 1][: width - 2].rstrip() + " …"]
    return flat


def tag(number: int, letter: str = "") -> str:
    """A request in two words' room: ``#12``; of a server with several workers, ``#12b``."""
    return f"#{number}{letter}"


def headline(request: Request) -> str:
    """A request's name, ``#9 GET /blocking``, or that of a task that a request has started."""
    if request.started_by:
        return f"the task {task_name(request.path)} (started by {tag(request.started_by, request.letter)})"
    return f"{tag(request.id, request.letter)} {printable(request.method)} {printable(request.path)}"


def task_name(name: str) -> str:
    """The name of a task's coroutine, without the functions and classes that it is defined in."""
    last = name.rpartition(".")[2] or name
    return "AnyIO task" if last in _WRAPPERS else printable(last, 40)


def messages(websocket: WebSocket) -> str:
    """How many messages the application has received and sent: ``3 in 5 out``."""
    return f"{websocket.received} in {websocket.sent} out"


def closed(websocket: WebSocket) -> str:
    """That it is over, with its close code: ``closed 1000``."""
    return "closed" if websocket.code is None else f"closed {websocket.code}"


def holder(block: Block) -> str:
    """What holds the loop: ``#9``, ``the task worker (started by #1)``, ``a callback of #9``."""
    what = {"step": "a task", "callback": "a callback", "callbacks": "callbacks"}[block.by]
    if block.request:
        who = tag(block.request, block.letter)
        return who if block.by == "step" else f"{what} of {who}"
    if block.by != "step" or not block.task:
        return what
    started = f" (started by {tag(block.started_by, block.letter)})" if block.started_by else ""
    return f"the task {task_name(block.task)}{started}"


def kind_name(block: Block) -> str:
    """The kind of a block: ``sleeping``, or ``sleeping 84 %, computing 16 %``; empty if it is not known."""
    if block.mixed:
        return ", ".join(f"{KINDS[kind][0]} {share:.0%}" for kind, share in block.mixed)
    return KINDS[block.kind][0] if block.kind else ""


def culprits(timeline: Timeline, starvation: Starvation, most: int = 3) -> str:
    """What the loop was busy with: ``62 % app.py:14, 30 % GET /other``, the largest shares first."""
    shares: dict[str, float] = {}
    for request, where, share in starvation.culprits:
        known = timeline.requests.get(request)
        name = "outside requests"
        if where is not None:
            name = line(where)
        elif known is not None:
            name = f"{printable(known.method)} {printable(known.path, 30)}"
        elif request:
            name = tag(request, starvation.letter)
        shares[name] = shares.get(name, 0.0) + share
    largest = sorted(shares.items(), key=lambda item: -item[1])[:most]
    return ", ".join(f"{share:.0%} {name}" for name, share in largest if share >= 0.01)


def requests_named(numbers: Iterable[int], most: int = 4, letter: str = "") -> str:
    """Requests of one worker by number: ``#10 #11 #12 #13 …``."""
    numbers = list(numbers)
    names = " ".join(tag(number, letter) for number in numbers[:most])
    return f"{names} …" if len(numbers) > most else names


def tags(requests: Iterable[Request], most: int = 4) -> str:
    """The same of requests that may be of different workers."""
    tagged = [tag(request.id, request.letter) for request in requests]
    return " ".join(tagged[:most]) + (" …" if len(tagged) > most else "")


def fitting(*sentences: str, columns: int = 77) -> str:
    """The first of these that fits into so many columns; else the last one, cut."""
    for sentence in sentences:
        if cell_len(sentence) <= columns:
            return sentence
    return f"{sentences[-1][: columns - 2].rstrip()} …"
