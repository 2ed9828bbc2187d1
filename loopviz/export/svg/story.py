"""The picture in words: its description for screen readers, and the line of facts below its name."""

from __future__ import annotations

from collections.abc import Sequence

from loopviz.clock import NS
from loopviz.draw.fold import Fold
from loopviz.draw.words import count, duration, headline, holder, kind_name, line, state_name
from loopviz.export.material import Material, all_blocks, text
from loopviz.model import Request

__all__ = ["facts", "moment", "story"]

_MOST = 3
"""Findings that are said, the gravest."""


def story(
    material: Material, rows: Sequence[Request], shown: Sequence[Fold], zero: int, start: int, end: int
) -> str:
    """The picture in words, for screen readers.

    `rows` are the requests in the window from `start` to `end`, and `shown` are the rows drawn. What
    was found is said of the whole recording.
    """
    timeline = material.timeline
    parts = [f"From {moment(start - zero)} to {moment(end - zero)}: {count(len(rows), 'request')}."]
    blocks = [b for b in all_blocks(timeline) if b.start < end and (b.end or end) > start]
    for block in blocks[:8]:
        number, line_at = block.culprit
        who = holder(block)
        who = f"Request {number}{block.letter}" if number and who.startswith("#") else who.capitalize()
        if block.kind == "waiting_for_gil":
            who = f"Request {number}{block.letter}" if number else "Waiting for the GIL"
        verb = "block" if block.by == "callbacks" else "blocks"
        where = f" at {line(line_at)}" if line_at else ""
        kind = f", {name}," if (name := kind_name(block)) else ""
        parts.append(
            f"{who} {verb} the event loop{where}{kind} for {duration(block.lasted(timeline.last))}"
            f" from {moment(block.start - zero)} on; requests known to be delayed: {len(block.victims)}."
        )
    if len(blocks) > 8:
        parts.append(f"And {count(len(blocks) - 8, 'more block')}.")
    for fold in shown:
        request = fold.first
        name = headline(request) if fold.count == 1 else f"{fold.name} {text(request.path, 200)}"
        spent = sorted(request.totals.items(), key=lambda item: -item[1])
        states = ", ".join(f"{state_name(state)} {duration(ns)}" for state, ns in spent[:3] if ns)
        parts.append(f"{name}: {duration(request.latency(timeline.last))} ({states}).")
    for finding in material.findings[:_MOST]:
        parts += [text(finding.what), text(finding.why), text(finding.do)]
    return " ".join(parts)


def facts(material: Material) -> str:
    """Numbers of requests and blocks, the thread limit, and what the program ran on."""
    timeline, environment = material.timeline, material.environment
    parts = [count(len(timeline.requests), "request"), count(len(all_blocks(timeline)), "block")]
    if material.limit:
        parts.append(f"thread limit {material.limit}")
    if "python" in environment:
        parts.append(f"Python {text(environment['python'], 20)}")
    if "gil" in environment:
        parts.append(f"GIL {'on' if environment['gil'] else 'off'}")
    if "event_loop" in environment:
        parts.append(text(environment["event_loop"], 20))
    if material.dropped:
        parts.append(f"{count(material.dropped, 'event')} lost")
    return " · ".join(parts)


def moment(ns: int, step: int = 1_000_000) -> str:
    """A time since the first request, as exact as the steps of its axis."""
    if step >= NS:
        return f"{ns / 1e9:.0f} s"
    if step >= 1_000_000:
        digits = 1 if step >= 100_000_000 else 2 if step >= 10_000_000 else 3
        return f"{ns / 1e9:.{digits}f} s"
    return f"{ns / 1e6:.3f} ms" if step >= 1_000 else f"{ns / 1e3:.3f} µs"
