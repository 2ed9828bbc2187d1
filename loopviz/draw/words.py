"""Plain words: durations, source lines, and one or two sentences on what happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from textwrap import wrap
from typing import Literal

from rich.cells import cell_len

from loopviz.clock import NS
from loopviz.draw.look import CODES, NAMES
from loopviz.draw.safe import printable
from loopviz.model import Block, Request, Starvation, State, Timeline, Where
from loopviz.model.lane import COMPUTES

__all__ = [
    "Mood",
    "ascii_only",
    "count",
    "culprits",
    "duration",
    "figure",
    "headline",
    "holder",
    "line",
    "one_line",
    "requests_named",
    "saved",
    "state_name",
    "story",
    "tick",
    "wrapped",
]

Mood = Literal["alarm", "good", "dim"]

_MORE_THAN_ONE_CORE = 1.25
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


def duration(ns: float) -> str:
    """A duration in the usual unit: ``85 µs``, ``120 ms``, ``1.8 s``."""
    if ns < 0.9995e6:
        return f"{ns / 1e3:.0f} µs"
    if ns < 0.9995e9:
        return f"{ns / 1e6:.0f} ms"
    return f"{ns / 1e9:.1f} s" if ns < 99.95e9 else f"{ns / 1e9:.0f} s"


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


def state_name(state: State) -> str:
    """A state's name in words."""
    return NAMES[CODES[state]]


def count(number: int, noun: str, plural: str = "") -> str:
    """A number of things: ``1 request``, ``2 requests``."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def saved(events: int, path: str | PurePath) -> str:
    """How many events are in the recording at `path`, and the command that plays it back."""
    shown = printable(str(path), 4_096)
    return f"{events} events are in {shown}: loopviz replay {shown}"


def wrapped(sentences: Iterable[str], width: int, lines: int) -> list[str]:
    """Sentences in at most `lines` lines, each sentence on a line of its own if they fit."""
    parts = [wrap(sentence, max(20, width)) for sentence in sentences]
    if sum(map(len, parts)) > lines:
        parts = [wrap(" ".join(sentences), max(20, width))]
    flat = [part for sentence in parts for part in sentence]
    if len(flat) > lines:
        flat = [*flat[: lines - 1], flat[lines - 1][: width - 2].rstrip() + " …"]
    return flat


def headline(request: Request) -> str:
    """A request's name: ``#9 GET /blocking``."""
    return f"#{request.id} {printable(request.method)} {printable(request.path)}"


def holder(block: Block) -> str:
    """What holds the loop: ``#9``, ``a callback of #9``, or a task or callbacks of no request."""
    what = {"step": "a task", "callback": "a callback", "callbacks": "callbacks"}[block.by]
    if not block.request:
        return what
    return f"#{block.request}" if block.by == "step" else f"{what} of #{block.request}"


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
            name = f"#{request}"
        shares[name] = shares.get(name, 0.0) + share
    largest = sorted(shares.items(), key=lambda item: -item[1])[:most]
    return ", ".join(f"{share:.0%} {name}" for name, share in largest if share >= 0.01)


def requests_named(numbers: Iterable[int], most: int = 4) -> str:
    """Requests by number: ``#10 #11 #12 #13 …``."""
    numbers = list(numbers)
    names = " ".join(f"#{number}" for number in numbers[:most])
    return f"{names} …" if len(numbers) > most else names


def story(timeline: Timeline, now: int, invitation: str, *, brief: bool = False) -> tuple[Mood, list[str]]:
    """What happens at `now` and why: a mood (``alarm``, ``good`` or ``dim``) and sentences.

    `invitation` is the sentence for a time when nothing happens. Sentences about a block, starvation or a
    wait for a thread fit into 77 columns when they are `brief`.
    """
    block = timeline.block_at(now)
    if block is not None:
        return "alarm", _of_block(timeline, block, now, brief=brief)
    starvation = timeline.starvation_at(now)
    if starvation is not None:
        return "alarm", _of_starvation(timeline, starvation, brief=brief)
    live = timeline.alive_at(now)
    states: Counter[State] = Counter()
    for request in live:
        if (segment := request.state_at(now)) is not None:
            states[segment.state] += 1
    if states[State.TOKEN_WAIT]:
        return "alarm", _of_threads(timeline, live, states[State.TOKEN_WAIT], now, brief=brief)
    return _of_calm(timeline, states, len(live), now) or ("dim", _of_the_past(timeline, now, invitation))


def _of_calm(
    timeline: Timeline, states: Counter[State], live: int, now: int
) -> tuple[Mood, list[str]] | None:
    """No block, and no request waits for a thread: what the concurrent requests do."""
    computing = [
        share
        for lane in timeline.workers.values()
        if lane.role == "thread"
        and lane.busy_at(now)
        and (share := lane.cpu_share(now)) is not None
        and share > COMPUTES
    ]
    if len(computing) > 1:
        each = sum(computing) / len(computing)
        said = f"{len(computing)} worker threads compute at once, and each gets about {each:.0%} of a core."
        if sum(computing) > _MORE_THAN_ONE_CORE:
            return "good", [said, "Together that is more than one core: no GIL limits them."]
        return "alarm", [said, "Only one of them can hold the GIL at a time."]
    if states[State.IN_PROCESS]:
        return "good", [
            f"{_are(states[State.IN_PROCESS])} in worker processes, each with its own GIL.",
            "The event loop is free to serve other requests.",
        ]
    if states[State.IN_THREAD]:
        return "good", [
            f"{_are(states[State.IN_THREAD])} in worker threads.",
            "The event loop is free to serve other requests.",
        ]
    if states[State.AWAITING]:
        return "good", [
            f"{_are(states[State.AWAITING])} suspended at an await. That costs the event loop nothing.",
            f"It was idle for {_idle_share(timeline, now):.0%} of the last second.",
        ]
    return ("good", [f"{_are(live)} in progress."]) if live else None


def _are(number: int) -> str:
    return f"{count(number, 'request')} {'is' if number == 1 else 'are'}"


def _of_block(timeline: Timeline, block: Block, now: int, *, brief: bool) -> list[str]:
    request = timeline.requests.get(block.request)
    who = {"step": "A task", "callback": "A callback", "callbacks": "Callbacks"}[block.by]
    if request is None:
        who += " outside any request" if block.by != "callbacks" else ""
    else:
        who = headline(request) if block.by == "step" else f"{who} of {headline(request)}"
    lasted, where = duration(block.lasted(now)), block.where
    has, holds = ("have", "hold") if block.by == "callbacks" else ("has", "holds")
    held = f"{holds} the loop for {lasted}" if brief else f"{has} held the event loop for {lasted}"
    held = f"{who} {held}"
    if where is None:
        held += ", line not seen." if brief else "; its line could not be seen (code that holds the GIL?)."
    else:
        calls = f" ({printable(where.calls, 30)})" if where.calls else ""
        held += f"{':' if brief else ' at'} {line(where)}{calls}."
    why = {"sleeping": "It only waits", "computing": "It computes"}.get(block.kind or "")
    victims = timeline.victims(block, now)
    if not victims:
        return [held, f"{why or 'Nothing else can run'}. No other request is known to be delayed so far."]
    delays = f"delays {count(len(victims), 'request')}"
    named = requests_named(victims)
    end = "" if named.endswith("…") else "."
    return [held, f"{f'{why}, and' if why else 'It'} {delays}: {named}{end}"]


def _of_starvation(timeline: Timeline, starvation: Starvation, *, brief: bool) -> list[str]:
    victims = starvation.victims
    waited = f"#{starvation.slowest} waited {duration(starvation.longest)}"
    if brief:
        delayed = f"Short steps or callbacks in a row delay {count(len(victims), 'request')}: {waited}."
    else:
        named = requests_named(victims)
        delayed = (
            f"Short steps or callbacks in a row hold the event loop. None is a block, but {waited}"
            f" for its turn. Delayed: {named}{'' if named.endswith('…') else '.'}"
        )
    busy = culprits(timeline, starvation, 2 if brief else 3)
    return [delayed, f"The loop's time: {busy}." if busy else "What the loop did meanwhile is not known."]


def _of_threads(timeline: Timeline, live: list[Request], waiting: int, now: int, *, brief: bool) -> list[str]:
    tokens = timeline.tokens_at(now)
    waits_since = {
        request.id: segment.start
        for request in live
        if (segment := request.state_at(now)) is not None and segment.state is State.TOKEN_WAIT
    }
    longest = min(waits_since, key=waits_since.__getitem__)
    waits = f"; {count(waiting, 'request')} {'waits' if waiting == 1 else 'wait'}"
    if not brief:
        waits = f", and {_are(waiting)} waiting"
    waits += f" for one: #{longest} for {duration(now - waits_since[longest])}."
    busy = sum(lane.role == "process" and lane.busy_at(now) for lane in timeline.workers.values())
    if busy and not (tokens and tokens.waiting):
        return [
            f"{count(busy, 'worker process', 'worker processes')} {'is' if busy == 1 else 'are'} busy{waits}",
            "The event loop is free. More processes than cores would not be faster.",
        ]
    in_use = "All threads are in use"
    if tokens and tokens.total >= 0:
        in_use = (
            "The only thread is in use" if tokens.total == 1 else f"All {tokens.total} threads are in use"
        )
    return [f"{in_use}{waits}", "The event loop is free. A higher thread limit (]) would let them start."]


def _idle_share(timeline: Timeline, now: int) -> float:
    return max(0.0, 1 - timeline.busy(now - NS, now) / NS)


def _of_the_past(timeline: Timeline, now: int, invitation: str) -> list[str]:
    """The result of the last burst."""
    burst = timeline.last_burst(now)
    if not burst:
        return [invitation]
    start = min(request.start for request in burst)
    end = max(request.done or start for request in burst)
    totals: Counter[State] = Counter()
    for request in burst:
        totals.update(request.totals)
    state, most = totals.most_common(1)[0]
    share = most / max(1, sum(totals.values()))
    errors = sum(request.failed for request in burst)
    failed = f", {errors} failed" if errors else ""
    return [
        f"Done: {count(len(burst), 'request')} in {duration(end - start)}{failed}."
        f" {share:.0%} of their time: {state_name(state)}.",
        invitation,
    ]
