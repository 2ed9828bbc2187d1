"""The verdict on a burst that is over: measured against expected, why, and what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loopviz.clock import NS
from loopviz.draw.expected import Expected, computed, expected, law
from loopviz.draw.reasons import reason
from loopviz.draw.safe import printable
from loopviz.draw.words import Mood, count, duration, fitting, line, ordinary
from loopviz.findings import Finding
from loopviz.model import Burst, Request, State, Timeline
from loopviz.scenario import Scenario

__all__ = ["Verdict", "Verdicts", "in_brief", "verdict"]

_NEAR = 0.1
"""As expected is what differs by this part, or by `_ALWAYS`."""
_ALWAYS = 150_000_000
"""What is always allowed (ns): the client and the server take some time as well."""
_AGAIN = 500_000_000
"""How long a verdict is kept (ns): what is known of a burst changes a little after its end."""
_REPAIR = 68
"""Columns for what to do, where no scenario declares it in a few words."""
_WHOLE = 0.05
"""A factor that is so near to a whole number is one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a burst that is over."""

    mood: Mood
    measured: str
    """How many requests, in which time, and whether that was expected; in at most 77 columns."""
    why: str
    """Why it took that time, as far as it was observed; in at most 77 columns. May be empty."""
    repair: str
    """What to change; empty where nothing is to be repaired."""
    repaired: str
    """The scenario that shows it."""


class Verdicts:
    """Keeps the latest verdict for a moment, for views that ask in every frame."""

    def __init__(self) -> None:
        self._kept: tuple[Burst, Finding | None, int, Verdict] | None = None

    def of(
        self,
        timeline: Timeline,
        burst: Burst,
        scenario: Scenario | None,
        now: int,
        found: Sequence[Finding] = (),
        *,
        again: int = _AGAIN,
    ) -> Verdict:
        """As `verdict`; it may be that of a moment before, by less than `again` (ns)."""
        kept, gravest = self._kept, found[0] if found else None
        if kept is None or kept[:2] != (burst, gravest) or not 0 <= now - kept[2] < again:
            kept = self._kept = burst, gravest, now, verdict(timeline, burst, scenario, now, found)
        return kept[3]


def verdict(
    timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int, found: Sequence[Finding] = ()
) -> Verdict:
    """The verdict on a burst that was over at `now` (ns); `found` is what was found in it."""
    requests = burst.requests
    given_up = sum(request.given_up for request in requests) + burst.unsent
    failed = [request for request in requests if request.failed]
    unseen = burst.count - len(requests)
    took, many = duration(burst.makespan(now)), count(burst.count, "request")
    short, why, lost = reason(timeline, burst, requests, now)
    if found:
        why, lost = in_brief(found[0]), True
    if burst.unsent and not burst.began:
        return Verdict("alarm", f"{many} given up before the first was sent.", "", "", "")
    if given_up:
        measured = f"{given_up} of {many} were given up, {took} after the first was sent."
        if given_up == 1:
            measured = f"1 of {many} was given up, {took} after the first was sent."
    elif not failed and unseen > 0:
        measured = f"{many} in {took}; how {unseen} of them ended was not seen."
    elif failed:
        some = f"{'At least ' if unseen > 0 else ''}{len(failed)} of {burst.count} failed"
        measured = fitting(
            f"{some}: {_failures(failed)}. {many} in {took}.",
            f"{some}: {_failures(failed)}.",
        )
    else:
        than = _compared(timeline, burst, scenario, now)
        done = f"Done: {many} in {took}{than}"
        brief = f"Done: {burst.count} in {took}{than}"
        reasons = [f"{done}: {short}."] if short else []
        few, at, where = short.partition(" at ")
        if at and where != "once":  # blocks, and their line
            reasons += [f"{brief}: {short}.", f"{done}: {few}."]
        measured = fitting(*reasons, f"{done}.", f"Done: {many} in {took}.")
    repair = repaired = ""
    if scenario is not None and scenario.repair and (lost or failed or not _only_under_load(scenario, burst)):
        repair, repaired = printable(scenario.repair, 200), printable(scenario.repaired or "", 40)
    if not repair and found and (scenario is None or not scenario.repair):
        do = printable(found[0].do, 200)
        shorter = (f"{do.partition(end)[0].rstrip('.')}." for end in (". ", ": ", "; ", ", ") if end in do)
        repair = fitting(do, *shorter, columns=_REPAIR)
    return Verdict("alarm" if failed or given_up else "dim", measured, why, repair, repaired)


def in_brief(finding: Finding) -> str:
    """What was found, in at most 77 columns: its first words, as far as they are a sentence."""
    whole = printable(finding.what, 1_000)
    sentences = [whole, whole.partition(". ")[0]]
    for end in ("; ", ": ", ", "):
        sentences += _shorter(sentences[-1], end)
    place = "" if finding.where is None else f": {line(finding.where)}"
    return fitting(*(f"{sentence.rstrip('.')}." for sentence in sentences), f"{finding.title}{place}.")


def _shorter(sentence: str, end: str) -> Iterator[str]:
    """The sentence without its last part, and so on."""
    while end in sentence:
        sentence = sentence.rpartition(end)[0]
        yield sentence


# -- measured against expected -----------------------------------------------------------------


def _compared(timeline: Timeline, burst: Burst, scenario: Scenario | None, now: int) -> str:
    """How the time compares with what was expected, to be put after it; empty where nothing was."""
    wanted = expected(timeline, burst, scenario, now)
    if wanted is None or scenario is None:
        return ""
    took = burst.makespan(now)
    single = computed(timeline, burst)
    times = _times(scenario, burst) if wanted.declared else None
    if times is not None:
        # The law is in CPU times of one request, and those are this run's: to say that it was expected
        # would go in a circle.
        if not single:
            return ""
        ran = "CPU time" if _computes(timeline, burst, single) else "run time"
        return f", {_number(took / single)} times one request's {ran} ({_number(times)} expected)"
    what = _beside(took, wanted.ns)
    more = took - wanted.ns
    if abs(more) <= max(_NEAR * wanted.ns, _ALWAYS):
        return f", {_as_expected(wanted, what, near=abs(more) <= _NEAR * wanted.ns)}"
    than = "expected" if wanted.declared else "the run before"
    much = _beside(took, abs(more))
    return f", {much} {'more' if more > 0 else 'less'} than {than} ({what if wanted.ns else 'at once'})"


def _beside(took: int, ns: int) -> str:
    """A duration in the unit of the measured one that it stands beside: ``100 ms`` beside ``174 ms``."""
    return duration(ns) if took < NS else ordinary(ns)


def _as_expected(wanted: Expected, what: str, *, near: bool) -> str:
    if not wanted.declared:
        return f"as the run before ({what})"
    if not wanted.ns:
        return "at once, as expected"
    return f"as expected ({what})" if near else f"expected {duration(wanted.ns)}"


def _times(scenario: Scenario, burst: Burst) -> float | None:
    """How many CPU times of one request are expected; None if the law does not depend on that."""
    none, one = law(scenario, burst, 0.0), law(scenario, burst, 1.0)
    return None if none is None or one is None or none == one else one - none


def _computes(timeline: Timeline, burst: Burst, single: float) -> bool:
    """Whether its requests compute while they run: in workers, or on a loop whose blocks do not only wait."""
    running = sum(request.totals[State.RUNNING] for request in burst.requests)
    if running * 2 < single * len(burst.requests):
        return True  # what counts is mostly the CPU time of workers
    start, end = burst.began or 0, burst.done or 0
    blocks = [block for block in timeline.blocks if block.start < end and (block.end or end) > start]
    read = [(block.lasted(end), block.shares) for block in blocks if block.shares is not None]
    computed = sum(lasted * (shares.cpu + shares.core) for lasted, shares in read)
    return computed * 2 >= sum(lasted for lasted, _ in read)


def _only_under_load(scenario: Scenario, burst: Burst) -> bool:
    """Whether so few requests take no longer than one alone, and many would: there is no harm yet."""
    now, many = (law(scenario, burst, 1.0, requests) for requests in (burst.count, 1_000 * burst.count))
    return now is not None and many is not None and now <= scenario.seconds < many


# -- what failed -----------------------------------------------------------------------------------


def _failures(failed: list[Request]) -> str:
    """The most frequent failures: ``500 RuntimeError``."""
    kinds = Counter(_failure(request) for request in failed).most_common(2)
    return ", ".join(kind if len(kinds) == 1 else f"{number} {kind}" for kind, number in kinds)


def _failure(request: Request) -> str:
    error = printable((request.error or "").partition(":")[0], 30)
    status = "" if request.status is None else str(request.status)
    return f"{status} {error}".strip() or printable(request.failure or "no answer", 30)


def _number(value: float) -> str:
    """A factor, in as few digits as it needs: ``8``, ``4.1``."""
    return f"{value:.0f}" if value >= 20 or abs(value - round(value)) < _WHOLE else f"{value:.1f}"
