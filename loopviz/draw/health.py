"""Health probes as codes of a lane, and as sentences: what a load balancer would have made of them."""

from __future__ import annotations

from typing import Final

from loopviz.draw.safe import printable
from loopviz.draw.words import count, duration
from loopviz.model import Timeline
from loopviz.model.health import FALL, Health, Probe

__all__ = ["FAILED", "FAST", "LATE", "WAITING", "probe_codes", "probed", "state", "taken_out"]

LATE_AFTER: Final = 100_000_000
"""A probe that is answered later than this is late: the next one was sent before (ns)."""
_RECENT: Final = 10_000_000_000
"""So long a time out that is over is worth a sentence (ns)."""

FAST, LATE, FAILED, WAITING = ".", "l", "x", "?"
_RANK: Final = " .?lx"
"""Of several probes in a column, the worst is shown."""


def probe_codes(health: Health, width: int, first: int, stop: int, now: int) -> str:
    """What became of the probes sent in each half column, as it was known at `now`."""
    codes = [0] * (stop - first)
    for probe in health.between(first * width, min(now + 1, stop * width)):
        index = probe.sent // width - first
        codes[index] = max(codes[index], _RANK.index(_code(probe, now)))
    return "".join(_RANK[rank] for rank in codes)


def _code(probe: Probe, now: int) -> str:
    if probe.ended is None or probe.ended > now:
        return WAITING
    if not probe.ok:
        return FAILED
    return LATE if probe.ended - probe.sent > LATE_AFTER else FAST


def state(health: Health, now: int) -> tuple[str, bool]:
    """The probes at `now` in a few words, and whether that is bad."""
    out = health.out_at(now)
    if out is not None and (out.end is None or out.end > now):
        return f"OUT {duration(now - out.start)}", True
    newest: Probe | None = None
    waits: Probe | None = None
    for probe in health.newest_first(now):
        if probe.ended is None or probe.ended > now:
            waits = probe
        else:
            newest = probe
            break
    if waits is not None and now - waits.sent > LATE_AFTER:
        return f"waits {duration(now - waits.sent)}", True
    if newest is None or newest.ended is None:
        return "", False
    if not newest.ok:
        return "failed", True
    return f"{duration(newest.ended - newest.sent)}", False


def taken_out(timeline: Timeline, now: int) -> str:
    """What a load balancer would have done, in a sentence, during a time out and while it is recent."""
    out = timeline.health.out_at(now)
    if out is None:
        return ""
    why = f"(after {FALL} failed probes in a row)"
    if out.end is None or out.end > now:
        return f"A load balancer would have taken it out {duration(now - out.start)} ago {why}."
    burst = timeline.newest_burst(now)
    if now - out.end > _RECENT and (burst is None or out.end < burst.began):
        return ""
    return f"A load balancer would have taken it out for {duration(out.lasted(now))} {why}."


def probed(health: Health, now: int) -> str:
    """All probes in a line of a report."""
    said = f"{count(health.ended, 'probe')} of {printable(health.path, 60)}"
    if health.failed:
        why = next((probe.why for probe in health.newest_first(now) if probe.why), "")
        said += f", {health.failed} failed" + (f" ({printable(why, 60)})" if why else "")
    elif health.ended:
        said += ", none failed"
    if health.longest:
        said += f"; the longest answer took {duration(health.longest)}"
    out = health.out_for(now)
    if out:
        times = f" in {len(health.outs)} times" if len(health.outs) > 1 else ""
        said += (
            f"; a load balancer would have taken it out for {duration(out)}{times}"
            f" (after {FALL} failed probes in a row)"
        )
    return said
