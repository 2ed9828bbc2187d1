"""Sentences about a loop that is held: by a block, by a wait for the GIL, or by many short steps."""

from __future__ import annotations

from loopviz.draw.look import KINDS
from loopviz.draw.safe import printable
from loopviz.draw.story.moment import Moment
from loopviz.draw.words import count, culprits, duration, fitting, headline, holder, line, requests_named, tag
from loopviz.model import Block, Starvation

__all__ = [
    "block",
    "elsewhere",
    "gil_block",
    "gil_kept",
    "repair_of_block",
    "repair_of_gil_kept",
    "starvation",
    "stopped",
]

_MOST_OF_IT = 0.8
"""Below this share of the samples, the line at which a block was seen most is not named alone."""
_BRIEF = {"sleeping": "sleeps on", "computing": "computes on"}
_REPAIRS = {
    "sleeping": "await instead, or a plain def: a worker thread.",
    "computing": "compute in a process pool, or in chunks.",
}


def block(moment: Moment) -> list[str]:
    """Who holds the loop, for how long and at which line; what it does; whom it delays."""
    return _held(moment, "the event loop")


def gil_kept(moment: Moment) -> list[str]:
    """The same of a step that keeps the GIL as well, so that no thread runs either."""
    return _held(moment, "the loop and the GIL")


def repair_of_gil_kept(moment: Moment) -> str:
    """What repairs that: a thread would keep the GIL as well."""
    if _block(moment).kind == "sleeping":
        return "C code that releases the GIL while it waits."
    return "compute in a process pool: in a thread it would keep the GIL as well."


def stopped(moment: Moment) -> list[str]:
    """The server's process is stopped."""
    since = moment.timeline.stopped_since(moment.now)
    lasted = "" if since is None else f" for {duration(moment.now - since)}"
    return [
        f"The server's process is stopped{lasted}: by SIGSTOP, or a debugger.",
        "Nothing in it runs until it goes on. That is no block.",
    ]


def _held(moment: Moment, what: str) -> list[str]:
    found = _block(moment)
    if moment.brief:
        return [_in_brief(moment, found, what), *_why(moment, found)]
    request = moment.timeline.requests.get(found.request)
    who = {"step": "A task", "callback": "A callback", "callbacks": "Callbacks"}[found.by]
    if request is not None:
        who = headline(request) if found.by == "step" else f"{who} of {headline(request)}"
    elif found.by == "step" and found.task:
        who = f"T{holder(found)[1:]}"
    elif found.by != "callbacks":
        who += " outside any request"
    has = "have" if found.by == "callbacks" else "has"
    held = f"{who} {has} held {what} for {duration(found.lasted(moment.now))}"
    where = found.where
    if where is None:
        held += "; its line could not be seen (code that holds the GIL?)."
    else:
        calls = f" ({printable(where.calls, 30)})" if where.calls else ""
        held += f" at {line(where)}{calls}{_shares_of_lines(found)}."
    return [held, *_why(moment, found)]


def elsewhere(moment: Moment) -> list[str]:
    """Who holds the loop of one worker, and who waits for that worker while another one is idle."""
    found = moment.elsewhere
    if found is None:
        raise LookupError("no worker is idle while requests wait for another one")
    waiting, idle = found.waiting, [f"worker {letter}" for letter in found.idle]
    free = f"{idle[0]} is" if len(idle) == 1 else f"{len(idle)} others are"
    wait = "waits" if len(waiting) == 1 else "wait"
    queue = f"worker {found.block.letter}'s queue"
    named, fewer = (_all_named(moment, waiting, most) for most in (3, 1))
    long = f"{named} {wait} in {queue} while {free} idle: who has accepted a connection keeps it."
    short = fitting(
        long,
        f"{named} {wait} in {queue} while {free} idle.",
        f"{fewer} {wait} in {queue} while {free} idle.",
        f"{count(len(waiting), 'request')} {wait} in {queue} while {free} idle.",
    )
    if not moment.brief:
        return [block(moment)[0], long]
    who, where = holder(found.block), found.block.where
    does = "hold" if found.block.by == "callbacks" else "holds"
    if not found.block.mixed:
        does = _BRIEF.get(found.block.kind or "", does)
    held = f"{who[0].upper()}{who[1:]} {does} worker {found.block.letter}'s loop"
    at = "" if where is None else f": {line(where)}"
    said = f"{len(waiting)} {wait} while {free} idle."
    fewer = f"{len(waiting)} {wait}, {free} idle."
    return [fitting(f"{held}{at}. {said}", f"{held}{at}. {fewer}", f"{held}. {said}", f"{held}."), short]


def _all_named(moment: Moment, numbers: list[int], most: int) -> str:
    named = " ".join(moment.tag(number) for number in numbers[:most])
    return f"{named} and {len(numbers) - most} more" if len(numbers) > most else named


def _in_brief(moment: Moment, found: Block, what: str) -> str:
    """Who does what on the loop, where, and how many wait, as far as that fits into 77 columns."""
    who = holder(found)
    who = who[0].upper() + who[1:]
    does = "hold" if found.by == "callbacks" else "holds"
    if not (found.mixed or found.keeps_gil):
        does = _BRIEF.get(found.kind or "", does)
    lasted, where = duration(found.lasted(moment.now)), found.where
    at = "its line was not seen" if where is None else line(where)
    most = ""
    if len(found.line_shares) > 1 and found.line_shares[0][1] < _MOST_OF_IT:
        most = f" {found.line_shares[0][1]:.0%}"
    calls = f" ({printable(where.calls, 30)})" if where is not None and where.calls else ""
    victims = len(moment.timeline.victims(found, moment.now))
    others = f" {count(victims, 'other waits', 'others wait')}." if victims else ""
    loop = what.replace("event ", "")
    if found.keeps_gil:
        others = ""  # the next sentence says it
    return fitting(
        f"{who} {does} {what} for {lasted}: {at}{calls}{most}.{others}",
        f"{who} {does} {loop} for {lasted}: {at}{calls}{most}.{others}",
        f"{who} {does} {loop}: {at}{calls}{most}.{others}",
        f"{who} {does} {loop}: {at}.{others}",
    )


def _why(moment: Moment, found: Block) -> list[str]:
    """What it does meanwhile, and which requests it delays."""
    timeline, now = moment.timeline, moment.now
    why = {"sleeping": "It only waits", "computing": "It computes"}.get(found.kind or "")
    if found.mixed:
        deeds = [f"{KINDS[kind][1]} {share:.0%}" for kind, share in found.mixed[:2]]
        why = f"It {', '.join(deeds)} of the time"
    if stopped := timeline.stopped_within(found.start, now if found.end is None else found.end):
        why = f"For {duration(stopped)} of it the whole program was stopped"
    victims = timeline.victims(found, now)
    if not victims:
        said = f"{why or 'Nothing else can run'}."
        none = f"{said} No other request is known to be delayed so far."
        return [fitting(none, said) if moment.brief else none]
    delays = f"delays {count(len(victims), 'request')}"
    subject = f"{why}, and" if why else "It"
    if moment.brief:
        named, fewer = (requests_named(victims, most, found.letter) for most in (4, 2))
        return [
            fitting(
                f"{subject} {delays}: {_ended(named)}",
                f"{subject} {delays}: {_ended(fewer)}",
                f"{subject} {delays}.",
            )
        ]
    return [f"{subject} {delays}: {_ended(requests_named(victims, 3 if found.mixed else 4, found.letter))}"]


def _ended(named: str) -> str:
    return named if named.endswith("…") else f"{named}."


def _shares_of_lines(found: Block) -> str:
    """The share of the line that is named, and the next line, where a block has several."""
    (_, share), *others = found.line_shares
    if share >= _MOST_OF_IT or not others:
        return ""
    where, next_share = others[0]
    return f" for {share:.0%} of it, and {line(where)} for {next_share:.0%}"


def repair_of_block(moment: Moment) -> str:
    """What repairs a block of this kind; empty where that is not known."""
    found = _block(moment)
    if found.mixed or moment.timeline.stopped_within(found.start, moment.now):
        return ""
    return _REPAIRS.get(found.kind or "", "")


def gil_block(moment: Moment) -> list[str]:
    """The loop waits for the GIL: which call has it, or in which step the loop waits."""
    found, timeline, brief = _block(moment), moment.timeline, moment.brief
    number, where = found.culprit
    request = timeline.requests.get(number)
    lasted = duration(found.lasted(moment.now))
    at = "" if where is None else f": {line(where)}" if brief else f" at {line(where)}"
    if where is not None and where.calls:
        at += f" ({printable(where.calls, 30)})"
    if found.keeper is not None:
        who = "A thread" if request is None else tag(number, found.letter) if brief else headline(request)
        worker = not brief and found.keeper.thread in timeline.workers
        keeps = f"keeps the GIL for {lasted}" if brief else f"has kept the GIL for {lasted}"
        held = f"{who} {keeps}{at}{', in a worker thread' if worker else ''}."
    else:
        who = "The loop" if request is None else tag(number, found.letter) if brief else headline(request)
        waits = "waits" if brief else "has waited"
        held = f"{who} {waits} for the GIL for {lasted}{at}{'' if brief else ': other threads have it'}."
    victims = timeline.victims(found, moment.now)
    if not victims:
        return [held, "The event loop cannot run Python code without the GIL."]
    named = requests_named(victims, letter=found.letter)
    delays = f"delays {count(len(victims), 'request')}: {named}{'' if named.endswith('…') else '.'}"
    return [held, f"The event loop cannot run, which {delays}"]


def starvation(moment: Moment) -> list[str]:
    """Many short steps: who waits, and what the loop does meanwhile."""
    found = _starvation(moment)
    victims = found.victims
    waited = f"{tag(found.slowest, found.letter)} waited {duration(found.longest)}"
    if moment.brief:
        delayed = f"Short steps or callbacks in a row delay {count(len(victims), 'request')}: {waited}."
    else:
        named = requests_named(victims, letter=found.letter)
        delayed = (
            f"Short steps or callbacks in a row hold the event loop. None is a block, but {waited}"
            f" for its turn. Delayed: {named}{'' if named.endswith('…') else '.'}"
        )
    busy = culprits(moment.timeline, found, 2 if moment.brief else 3)
    return [delayed, f"The loop's time: {busy}." if busy else "What the loop did meanwhile is not known."]


def _block(moment: Moment) -> Block:
    if moment.block is None:
        raise LookupError("no block holds the loop")
    return moment.block


def _starvation(moment: Moment) -> Starvation:
    if moment.starvation is None:
        raise LookupError("no request starves")
    return moment.starvation
