"""What all exports need from a timeline: its extent, its spans in the order of time, and safe texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from heapq import merge
from itertools import chain

from loopviz.clock import NS
from loopviz.draw.safe import printable
from loopviz.draw.source import lines_of
from loopviz.draw.theme import Theme
from loopviz.draw.themes import DARK
from loopviz.findings import Finding
from loopviz.findings.listed import of_run
from loopviz.model import Block, Request, Segment, Span, State, Timeline, Where

__all__ = [
    "LONGEST",
    "Caption",
    "Framing",
    "Material",
    "Window",
    "all_blocks",
    "exact_seconds",
    "extent",
    "loop_stretches",
    "requests_by_number",
    "segments",
    "source_line",
    "text",
    "worker_spans",
]

Window = tuple[int, int]
"""From and to, in nanoseconds since the first request was sent."""

LONGEST = 1_000
"""Characters of a recorded text that an export keeps."""


@dataclass(frozen=True)
class Caption:
    """What the recording says of the scenario that it shows."""

    title: str
    lesson: str
    """What to expect, in one sentence."""
    file: str
    path: str
    """What is asked for, without its query."""
    source: str = ""
    """The text of its file; empty if it is not known."""
    repaired: str | None = None
    """The scenario that shows its repair, as it declares."""


@dataclass(frozen=True)
class Framing:
    """What a picture shows, and in what form."""

    window: Window | None = None
    theme: Theme = DARK
    ratio: tuple[int, int] | None = None
    """Width to height; None for as high as is needed."""


@dataclass(frozen=True)
class Material:
    """What is exported: a timeline, and the facts that it does not hold."""

    timeline: Timeline
    name: str
    """The title: the name of a scenario, or of the recording."""
    environment: Mapping[str, object] = field(default_factory=dict)
    limit: int = 0
    """The thread limit."""
    dropped: int = 0
    blind: Sequence[tuple[str, str]] = ()
    scenario: str | None = None
    caption: Caption | None = None
    """None where the recording shows several scenarios, or none that it knows."""

    @cached_property
    def findings(self) -> list[Finding]:
        """What was found, the gravest first."""
        return of_run(
            self.timeline,
            partial(lines_of, self.timeline),
            repaired=self.caption.repaired if self.caption is not None else None,
            gil=self.environment.get("gil") is not False,
            dropped=self.dropped,
        )


def text(recorded: object, limit: int = LONGEST) -> str:
    """A recorded text in a form that is safe to show anywhere; empty for None."""
    return "" if recorded is None else printable(str(recorded), limit)


def exact_seconds(ns: int) -> str:
    """Nanoseconds as seconds with nine decimals, exact."""
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    return f"{sign}{ns // NS}.{ns % NS:09}"


def requests_by_number(timeline: Timeline) -> list[Request]:
    """The requests, sorted by number."""
    return sorted(timeline.requests.values(), key=lambda request: request.id)


def extent(timeline: Timeline) -> tuple[int, int]:
    """When the first request was sent, and when something last happened to a request (ns of the clock).

    Without requests: the extent of the loop's long spans, or else an empty millisecond.
    """
    requests = timeline.requests.values()
    if requests:
        start = min(request.start for request in requests)
        end = max(request.since if request.ended else timeline.last for request in requests)
    else:
        first = timeline.loop.spans[0].start if timeline.loop.spans else timeline.last
        start, end = first, timeline.last
    return start, max(end, start + 1_000_000)


def segments(request: Request, now: int) -> Iterator[tuple[Segment, bool]]:
    """The segments of a request in the order of time, and whether each is after the response."""
    done = request.done
    for segment in request.history(now):
        if segment.end > segment.start:
            yield segment, done is not None and segment.start >= done


def worker_spans(timeline: Timeline) -> dict[int, list[Span]]:
    """The calls of each worker, by its number, in the order of time and without overlaps.

    A lane keeps only its newest calls. Older ones are taken from the requests that they were for, where
    they begin some microseconds later: at the end of the step that made the call.
    """
    now = timeline.last
    spans = {number: list(lane.newest_first(now)) for number, lane in timeline.workers.items()}
    since = {
        number: lane.spans[0].start
        for number, lane in timeline.workers.items()
        if lane.spans and len(lane.spans) == lane.spans.maxlen
    }
    if since:
        for request in timeline.requests.values():
            for segment in chain(request.segments, request.after):
                if segment.thread in since and segment.end <= since[segment.thread]:
                    older = Span(segment.start, segment.end, request.id, segment.where)
                    spans[segment.thread].append(older)
    return {
        number: list(_apart(sorted(found, key=lambda span: span.start))) for number, found in spans.items()
    }


def all_blocks(timeline: Timeline) -> list[Block]:
    """The blocks in the order of time; a block that still lasts ends at the timeline's last event."""
    blocks = list(timeline.blocks)
    for process in timeline.processes:
        lasting = process.loop.block_at(timeline.last)
        if lasting is not None and lasting.end is None:
            victims = timeline.victims(lasting, timeline.last)
            blocks.append(replace(lasting, end=timeline.last, victims=victims))
    return blocks


def loop_stretches(timeline: Timeline, worker: int = 0) -> list[Span]:
    """What the event loop of this worker did: its long spans, and the shorter steps of requests.

    Short callbacks that belong to no request are only counted; see `Timeline.busy_bins`.
    """
    now = timeline.last
    long = sorted(timeline.process(worker).loop.spans(now), key=lambda span: span.start)
    steps = sorted(
        (
            Span(segment.start, segment.end, request.id, segment.where)
            for request in timeline.requests.values()
            if request.worker == worker or not timeline.several
            for segment in chain(request.segments, request.after, request.open_segments(now))
            if segment.state is State.RUNNING
        ),
        key=lambda span: span.start,
    )
    # Of two spans with the same start, the longer one comes first, and so is kept.
    return list(_apart(merge(long, steps, key=lambda span: (span.start, -span.end))))


def _apart(spans: Iterator[Span] | list[Span]) -> Iterator[Span]:
    """The same spans without overlaps: each begins where the one before ends, or later."""
    reached = -1
    for span in spans:
        if span.end <= max(reached, span.start):
            continue
        yield span if span.start >= reached else span._replace(start=reached)
        reached = span.end


def source_line(where: Where | None) -> dict[str, object]:
    """A source line, as arguments of a slice."""
    if where is None:
        return {}
    found: dict[str, object] = {
        "file": text(where.file),
        "line": where.line,
        "function": text(where.function),
    }
    if where.calls:
        found["calls"] = text(where.calls)
    return found
