"""Plain words: durations, source lines, and one or two sentences on what happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, KeysView
from pathlib import PurePath
from textwrap import wrap
from typing import Literal

from rich.cells import cell_len

from loopviz.clock import NS
from loopviz.draw.look import CODES, KINDS, NAMES
from loopviz.draw.safe import printable
from loopviz.model import Awaits, Block, Request, Starvation, State, Timeline, WebSocket, Where
from loopviz.model.lane import COMPUTES, Lane
from loopviz.model.pools import Pool

__all__ = [
    "Mood",
    "ascii_only",
    "awaited",
    "count",
    "culprits",
    "duration",
    "figure",
    "headline",
    "holder",
    "kind_name",
    "line",
    "one_line",
    "requests_named",
    "saved",
    "state_name",
    "story",
    "task_name",
    "tick",
    "unsaved",
    "wrapped",
]

Mood = Literal["alarm", "good", "dim"]

_MORE_THAN_ONE_CORE = 1.25
_WINDOW = 600_000_000
"""How far back threads' CPU time is compared (ns)."""
_SHORTEST = 150_000_000
"""The shortest time in which the CPU time of several threads is compared (ns)."""
_MOST_OF_IT = 0.8
"""Below this share of the samples, the line at which a block was seen most is not named alone."""
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


def awaited(awaits: Awaits, *, brief: bool = False) -> str:
    """What is awaited: ``timer``, ``lock of #3``; with its name, ``queue get``, unless it is to be brief."""
    what = awaits.what if brief or not awaits.name else f"{awaits.what} {awaits.name}"
    return printable(f"{what} of #{awaits.holder}" if awaits.holder else what, 60)


def state_name(state: State) -> str:
    """A state's name in words."""
    return NAMES[CODES[state]]


def count(number: int, noun: str, plural: str = "") -> str:
    """A number of things: ``1 request``, ``2 requests``."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


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


def headline(request: Request) -> str:
    """A request's name, ``#9 GET /blocking``, or that of a task that a request has started."""
    if request.started_by:
        return f"the task {task_name(request.path)} (started by #{request.started_by})"
    return f"#{request.id} {printable(request.method)} {printable(request.path)}"


def task_name(name: str) -> str:
    """The name of a task's coroutine, without the functions and classes that it is defined in."""
    return printable(name.rpartition(".")[2] or name, 40)


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
        return f"#{block.request}" if block.by == "step" else f"{what} of #{block.request}"
    if block.by != "step" or not block.task:
        return what
    started = f" (started by #{block.started_by})" if block.started_by else ""
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
    live = []
    states: Counter[State] = Counter()
    awaits: Counter[Awaits] = Counter()
    sockets = 0
    for request in timeline.alive_at(now):
        segment = request.state_at(now)
        if request.websocket is not None and segment is not None and segment.state is State.AWAITING:
            sockets += 1  # open, and nothing happens: no part of what requests do
            continue
        live.append(request)
        if segment is not None:
            states[segment.state] += 1
            if segment.awaits is not None:
                awaits[segment.awaits] += 1
    if states[State.TOKEN_WAIT]:
        return "alarm", _of_threads(timeline, live, now, brief=brief)
    said = _of_calm(timeline, states, awaits, len(live), now)
    return said or ("dim", _of_the_past(timeline, now, invitation, sockets))


def _of_calm(
    timeline: Timeline, states: Counter[State], awaits: Counter[Awaits], live: int, now: int
) -> tuple[Mood, list[str]] | None:
    """No block, and no request waits for a thread: what the concurrent requests do."""
    computing = _shares(
        [lane for lane in timeline.workers.values() if lane.role == "thread" and lane.busy_at(now)], now
    )
    if len(computing) > 1:
        each = sum(computing) / len(computing)
        said = f"{len(computing)} worker threads compute at once, and each gets about {each:.0%} of a core."
        if sum(computing) > _MORE_THAN_ONE_CORE:  # as with C code that gives up the GIL
            return "good", [said, f"Together they use {sum(computing):.1f} cores."]
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
    suspended = _of_suspended(states)
    if suspended:
        only = not (states[State.SENDING] or states[State.RECEIVING])
        subject = _awaited_by(awaits) if only else "It"
        idle = f"{subject} was idle for {_idle_share(timeline, now):.0%} of the last second."
        return "good", [f"{suspended} That costs the event loop nothing.", idle]
    return ("good", [f"{_are(live)} in progress."]) if live else None


def _of_suspended(states: Counter[State]) -> str:
    """What the requests wait for that need nothing of the server; empty if there are none."""
    for state, deed in ((State.SENDING, "take the response"), (State.RECEIVING, "send the body")):
        if number := states[state]:
            whom = "waits for its client" if number == 1 else "wait for their clients"
            return f"{count(number, 'request')} {whom} to {deed}."
    number = states[State.AWAITING]
    return f"{_are(number)} suspended at an await." if number else ""


def _awaited_by(awaits: Counter[Awaits]) -> str:
    """What requests await, where that is known, and the subject of the sentence on the loop that follows."""
    kinds: Counter[str] = Counter()
    for kind, number in awaits.items():
        kinds[awaited(kind, brief=True)] += number
    if not kinds:
        return "It"
    named = [kind if number == 1 else f"{kind} ({number})" for kind, number in kinds.most_common(3)]
    more = ", …" if len(kinds) > 3 else ""
    who = "It awaits" if awaits.total() == 1 else "They await"
    return f"{who}: {', '.join(named)}{more}. The loop"


def _shares(lanes: list[Lane], now: int) -> list[float]:
    """The part of a core that each of the threads that compute has used, all in the same time."""
    lanes = [lane for lane in lanes if (lane.cpu_share(now) or 0.0) > COMPUTES]
    spans = [span for lane in lanes if (span := lane.measured(now, _WINDOW)) is not None]
    if len(spans) < len(lanes) or not spans:
        return []
    start, end = max(first for first, _ in spans), min(last for _, last in spans)
    if end - start < _SHORTEST:
        return []
    shares = (lane.used(start, end) / (end - start) for lane in lanes)
    return [share for share in shares if share > COMPUTES]


def _are(number: int) -> str:
    return f"{count(number, 'request')} {'is' if number == 1 else 'are'}"


def _of_block(timeline: Timeline, block: Block, now: int, *, brief: bool) -> list[str]:
    if block.kind == "waiting_for_gil":
        return _of_gil(timeline, block, now, brief=brief)
    request = timeline.requests.get(block.request)
    who = {"step": "A task", "callback": "A callback", "callbacks": "Callbacks"}[block.by]
    if request is not None:
        who = headline(request) if block.by == "step" else f"{who} of {headline(request)}"
    elif block.by == "step" and block.task:
        who = f"T{holder(block)[1:]}"
    elif block.by != "callbacks":
        who += " outside any request"
    lasted, where = duration(block.lasted(now)), block.where
    has, holds = ("have", "hold") if block.by == "callbacks" else ("has", "holds")
    held = f"{holds} the loop for {lasted}" if brief else f"{has} held the event loop for {lasted}"
    held = f"{who} {held}"
    if where is None:
        held += ", line not seen." if brief else "; its line could not be seen (code that holds the GIL?)."
    else:
        calls = f" ({printable(where.calls, 30)})" if where.calls else ""
        held += f"{':' if brief else ' at'} {line(where)}{calls}{_shares_of_lines(block, brief=brief)}."
    why = {"sleeping": "It only waits", "computing": "It computes"}.get(block.kind or "")
    if block.mixed:
        deeds = [f"{KINDS[kind][1]} {share:.0%}" for kind, share in block.mixed[:2]]
        why = f"It {', '.join(deeds)} of the time"
    if stopped := timeline.stopped_within(block.start, now if block.end is None else block.end):
        why = f"For {duration(stopped)} of it the whole program was stopped"
    victims = timeline.victims(block, now)
    if not victims:
        return [held, f"{why or 'Nothing else can run'}. No other request is known to be delayed so far."]
    delays = f"delays {count(len(victims), 'request')}"
    named = requests_named(victims, 3 if block.mixed else 4)
    end = "" if named.endswith("…") else "."
    return [held, f"{f'{why}, and' if why else 'It'} {delays}: {named}{end}"]


def _shares_of_lines(block: Block, *, brief: bool) -> str:
    """The share of the line that is named, and the next line, where a block has several."""
    (_, share), *others = block.line_shares
    if share >= _MOST_OF_IT or not others:
        return ""
    if brief:
        return f" {share:.0%}"
    where, next_share = others[0]
    return f" for {share:.0%} of it, and {line(where)} for {next_share:.0%}"


def _of_gil(timeline: Timeline, block: Block, now: int, *, brief: bool) -> list[str]:
    """The loop waits for the GIL: which call has it, or in which step the loop waits."""
    number, where = block.culprit
    request = timeline.requests.get(number)
    lasted = duration(block.lasted(now))
    at = "" if where is None else f": {line(where)}" if brief else f" at {line(where)}"
    if block.keeper is not None:
        who = headline(request) if request is not None else "A thread"
        keeps = f"keeps the GIL for {lasted}" if brief else f"has kept the GIL for {lasted}"
        held = f"{who} {keeps}{at}{'' if brief else ', in a worker thread'}."
    else:
        who = headline(request) if request is not None else "The loop"
        waits = "waits" if brief else "has waited"
        held = f"{who} {waits} for the GIL for {lasted}{at}{'' if brief else ': other threads have it'}."
    victims = timeline.victims(block, now)
    if not victims:
        return [held, "The event loop cannot run Python code without the GIL."]
    named = requests_named(victims)
    delays = f"delays {count(len(victims), 'request')}: {named}{'' if named.endswith('…') else '.'}"
    return [held, f"The event loop cannot run, which {delays}"]


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


def _of_threads(timeline: Timeline, live: list[Request], now: int, *, brief: bool) -> list[str]:
    """The pool for which most requests wait; no pool where that is not known."""
    since = {
        request.id: segment.start
        for request in live
        if (segment := request.state_at(now)) is not None and segment.state is State.TOKEN_WAIT
    }
    pool, waiting = _fullest(timeline, since.keys(), now)
    longest = min(waiting, key=since.__getitem__)
    number, lasts = len(waiting), f"#{longest} for {duration(now - since[longest])}."
    waits = f"{count(number, 'request')} {'waits' if number == 1 else 'wait'}"
    if not brief:
        waits = f"{_are(number)} waiting"
    worker = "process" if pool is not None and pool.kind == "processes" else "thread"
    if pool is None or not pool.full_at(now):
        whose = f" of {_pool_name(pool, brief=brief)}" if pool is not None else ""
        return [f"{waits} for a {worker}{whose}: {lasts}", "The event loop is free."]
    remedy = f"The event loop is free. {_REMEDIES[pool.kind]}"
    if brief and pool.kind != "default-limiter":
        return [f"{_pool_name(pool, brief=True)} is full ({pool.size}): {waits}, {lasts}", remedy]
    workers = f"worker {worker}es" if worker == "process" else f"{worker}s"
    in_use = f"All {pool.size} {workers}"
    if pool.size == 1:
        in_use = f"The only {'worker ' if worker == 'process' else ''}{worker}"
    if pool.kind != "default-limiter":
        in_use += f" of {_pool_name(pool, brief=False)}"
    in_use += " is in use" if pool.size == 1 else " are in use"
    return [f"{in_use}{'; ' if brief else ', and '}{waits} for one: {lasts}", remedy]


_REMEDIES = {
    "default-limiter": "A higher thread limit (]) would let them start.",
    "limiter": "A higher total_tokens of it would let them start.",
    "default-executor": "loop.set_default_executor can set a larger one.",
    "executor": "A higher max_workers of it would let them start.",
    "processes": "More processes than cores would not be faster.",
}


def _fullest(timeline: Timeline, waiting: KeysView[int], now: int) -> tuple[Pool | None, set[int]]:
    """The pool for which most of these requests wait, and those; None if it is not known for most."""
    pools = timeline.pools.by_number
    known = {
        number: requests & waiting
        for number, requests in timeline.pools.waiting_at(now).items()
        if number in pools
    }
    number = max(known, key=lambda number: len(known[number]), default=None)
    unknown = waiting - set().union(*known.values())
    if number is not None and len(known[number]) >= len(unknown):
        return pools[number], known[number]
    tokens = timeline.tokens_at(now)
    if tokens is not None and tokens.waiting and not pools:  # a recording of before: it names no pools
        return Pool(0, "default-limiter", "", tokens.total), unknown
    return None, unknown


def _pool_name(pool: Pool, *, brief: bool) -> str:
    """A pool in the middle of a sentence; in at most 20 columns if it is to be brief."""
    if pool.kind == "default-executor" and brief:
        return "asyncio's executor"
    return printable(pool.title, 18 if brief else 40)


def _idle_share(timeline: Timeline, now: int) -> float:
    return max(0.0, 1 - timeline.busy(now - NS, now) / NS)


def _of_the_past(timeline: Timeline, now: int, invitation: str, sockets: int) -> list[str]:
    """The result of the last burst; without one, the WebSockets that are open."""
    burst = timeline.last_burst(now)
    if not burst:
        is_open = f"{count(sockets, 'WebSocket')} {'is' if sockets == 1 else 'are'} open."
        return [is_open, invitation] if sockets else [invitation]
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
