"""A trace that ui.perfetto.dev and chrome://tracing open, in the Trace Event Format (JSON).

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU is the format.
There are three kinds of processes: the server with its event loop and worker threads, or each of its
workers; each worker process of the application; and "requests", where each request is a thread, and its
states are slices.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from loopviz.draw.look import BLOCK, CODES, look_of
from loopviz.draw.raster import code_of, lane_code
from loopviz.draw.words import awaited, duration, headline, line, state_name, tag
from loopviz.export.material import (
    Material,
    all_blocks,
    loop_stretches,
    requests_by_number,
    segments,
    source_line,
    text,
    worker_spans,
)
from loopviz.model import Request, Segment, Span, State, Timeline

__all__ = ["LOOP", "REQUESTS", "SERVER", "trace"]

SERVER, REQUESTS, PROCESSES = 1, 999_999, 1_000
"""Process numbers: the server, the requests (each request is a thread), and the first worker process."""
LOOP = 1
"""The thread number of the event loop; those of worker threads follow."""

_Json = dict[str, Any]


def trace(material: Material) -> Iterator[str]:
    """The trace, in pieces; each line holds one event."""
    timeline = material.timeline
    zero = _first(timeline)
    yield '{"traceEvents":[\n'
    separator = ""
    for event in _events(timeline, zero):
        yield separator + json.dumps(event, separators=(",", ":"))
        separator = ",\n"
    about: _Json = {
        "name": text(material.name),
        "clock_zero_ns": str(zero),
        "events": str(timeline.events),
        "dropped": str(material.dropped),
        **{text(key): text(value) for key, value in material.environment.items()},
        **{f"not seen: {text(what)}": text(why) for what, why in material.blind},
    }
    yield "\n]," + json.dumps({"displayTimeUnit": "ms", "otherData": about})[1:] + "\n"


def _first(timeline: Timeline) -> int:
    """The time of the earliest event in the trace (ns): times in a trace are not negative."""
    starts = [request.start for request in timeline.requests.values()]
    starts += [block.start for block in timeline.blocks]
    loops = [process.loop for process in timeline.processes]
    for lane in (*(loop.lane for loop in loops), *timeline.workers.values()):
        starts += [span.start for span in lane.newest_first(timeline.last)]
        starts += [t for t, _ in lane.samples]
    starts += [span.start for loop in loops for span in loop.spans(timeline.last)]
    starts += [t for t, _ in timeline.tokens]
    return min(starts, default=timeline.last)


def _events(timeline: Timeline, zero: int) -> Iterator[_Json]:
    """Names first, then slices, then what refers to slices: viewers sort by time, and stably."""
    requests = requests_by_number(timeline)
    tracks = _tracks(timeline)
    yield from _names(timeline, tracks, requests)
    for process in timeline.processes:
        yield from _loop(timeline, zero, process.worker)
    calls = worker_spans(timeline)
    for number, spans in calls.items():
        code = lane_code(timeline.workers[number])
        for span in spans:
            name = _of_span(span, timeline.workers[number].letter)
            yield _slice(name, span.start - zero, span, tracks[number], _call(span), code)
    for request in requests:
        yield from _life(request, timeline, zero)
    yield from _flows(timeline, calls, tracks, zero)
    yield from _counters(timeline, tracks, zero)


def _tracks(timeline: Timeline) -> dict[int, tuple[int, int]]:
    """The process and thread number of each worker."""
    threads = LOOP
    processes = PROCESSES
    tracks = {}
    for number, lane in timeline.workers.items():
        if lane.role == "process":
            tracks[number] = (processes, processes)
            processes += 1
        else:
            threads += 1
            tracks[number] = (SERVER + lane.worker, threads)
    return tracks


def _names(
    timeline: Timeline, tracks: Mapping[int, tuple[int, int]], requests: list[Request]
) -> Iterator[_Json]:
    for process in timeline.processes:
        name = f"worker {process.letter}" if timeline.several else "server"
        if timeline.several and process.pid:
            name += f" (pid {process.pid})"
        yield from _process(SERVER + process.worker, name, process.worker)
        yield from _thread((SERVER + process.worker, LOOP), "event loop", 0)
    for number, (pid, tid) in tracks.items():
        name = text(timeline.workers[number].name)
        if pid >= PROCESSES:
            yield from _process(pid, f"worker {name}", pid - PROCESSES + 1)
        yield from _thread((pid, tid), name, tid)
    if requests:
        yield from _process(REQUESTS, "requests", REQUESTS)
    for order, request in enumerate(requests):
        yield from _thread((REQUESTS, request.id), headline(request), order)


def _process(pid: int, name: str, order: int) -> Iterator[_Json]:
    yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": order}}


def _thread(track: tuple[int, int], name: str, order: int) -> Iterator[_Json]:
    pid, tid = track
    yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}
    yield {"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": order}}


def _slice(
    name: str,
    at: int,
    part: Span | Segment,
    track: tuple[int, int],
    args: _Json,
    code: str,
    cat: str = "work",
) -> _Json:
    """A complete event; `at` is when it begins, in nanoseconds from the trace's zero."""
    return {
        "ph": "X",
        "name": name,
        "cat": cat,
        "pid": track[0],
        "tid": track[1],
        "ts": at / 1_000,
        "dur": (part.end - part.start) / 1_000,
        "cname": look_of(code).trace,
        "args": args,
    }


def _of_span(span: Span, letter: str) -> str:
    """The name of a slice in a lane of this worker: ``#9 blocking.py:14``."""
    owner = tag(span.request, letter) if span.request else "callback"
    return f"{owner} {line(span.where)}" if span.where else owner


def _call(span: Span) -> _Json:
    return {"request": span.request, **source_line(span.where)}


def _loop(timeline: Timeline, zero: int, worker: int) -> Iterator[_Json]:
    track = (SERVER + worker, LOOP)
    blocks = [block for block in all_blocks(timeline) if block.worker == worker]
    waiting = {b.start for b in blocks if b.kind == "waiting_for_gil" and not b.culprit[0]}
    letter = timeline.process(worker).letter
    for span in loop_stretches(timeline, worker):
        code = code_of(State.RUNNING, span.end - span.start, timeline.threshold)
        cat = "block" if code == BLOCK else "work"
        name = "waiting for the GIL" if span.start in waiting else _of_span(span, letter)
        yield _slice(name, span.start - zero, span, track, _call(span), code, cat)
    for block in blocks:
        lasted = block.lasted(timeline.last)
        yield {
            "ph": "i",
            "s": "t",
            "name": f"block {duration(lasted)}",
            "cat": "block",
            "pid": track[0],
            "tid": LOOP,
            "ts": (block.start - zero) / 1_000,
            "args": {
                "request": block.request,
                **({"task": text(block.task)} if block.task and not block.request else {}),
                **({"started_by": block.started_by} if block.started_by else {}),
                "kind": block.kind or "unknown",
                **({"cpu_share": round(block.shares.cpu, 3)} if block.shares is not None else {}),
                **({"gil_kept_by": block.keeper.request} if block.keeper is not None else {}),
                "lasted_ms": lasted / 1e6,
                "victims": " ".join(tag(number, letter) for number in sorted(block.victims)),
                **source_line(block.culprit[1]),
            },
        }


def _life(request: Request, timeline: Timeline, zero: int) -> Iterator[_Json]:
    """The track of a request: one slice for the whole latency, and its states inside."""
    track = (REQUESTS, request.id)
    end = timeline.last if request.done is None else request.done
    whole = Segment(State.QUEUED, request.start, end)
    facts: _Json = {
        "request": request.id,
        "status": request.status,
        "error": text(request.error) or None,
        "done": request.done is not None,
    }
    facts = {key: value for key, value in facts.items() if value is not None}
    if end > request.start:
        code = CODES[State.QUEUED]
        yield _slice(
            f"{text(request.method)} {text(request.path)}",
            request.start - zero, whole, track, facts, code, "request",
        )  # fmt: skip
    for segment, after in segments(request, timeline.last):
        code = code_of(segment.state, segment.end - segment.start, timeline.threshold)
        lane = timeline.workers.get(segment.thread)
        args = {**({"thread": text(lane.name)} if lane else {}), **source_line(segment.where)}
        if segment.awaits:
            args["awaits"] = awaited(segment.awaits)
        yield _slice(
            state_name(segment.state), segment.start - zero, segment, track, args,
            code, "after response" if after else "state",
        )  # fmt: skip


def _flows(
    timeline: Timeline, calls: Mapping[int, list[Span]], tracks: Mapping[int, tuple[int, int]], zero: int
) -> Iterator[_Json]:
    """An arrow from a request to each call that a worker executed for it."""
    number = 0
    for worker, spans in calls.items():
        for span in spans:
            request = timeline.requests.get(span.request)
            if request is None or not _alive(request, span.start, timeline.last):
                continue
            number += 1
            arrow = {"name": "call", "cat": "call", "id": number, "ts": (span.start - zero) / 1_000}
            pid, tid = tracks[worker]
            yield {"ph": "s", "pid": REQUESTS, "tid": request.id, **arrow}
            yield {"ph": "f", "bp": "e", "pid": pid, "tid": tid, **arrow}


def _alive(request: Request, at: int, now: int) -> bool:
    """Whether a slice of the request covers the moment `at`: an arrow has to start in a slice."""
    if request.start <= at < (now if request.done is None else request.done):
        return True
    return any(segment.start <= at < segment.end for segment in request.after) or any(
        segment.start <= at < segment.end for segment in request.open_segments(now)
    )


def _counters(timeline: Timeline, tracks: Mapping[int, tuple[int, int]], zero: int) -> Iterator[_Json]:
    for t, tokens in timeline.tokens:
        args = {"in use": tokens.borrowed, "waiting": tokens.waiting}
        yield {
            "ph": "C",
            "name": "worker threads",
            "pid": SERVER,
            "tid": 0,
            "ts": (t - zero) / 1_000,
            "args": args,
        }
    lanes = [(SERVER + one.worker, "event loop", one.loop.lane) for one in timeline.processes]
    lanes += [(tracks[number][0], text(lane.name), lane) for number, lane in timeline.workers.items()]
    for pid, name, lane in lanes:
        before: tuple[int, int] | None = None
        for t, used in lane.samples:
            if before is not None and t > before[0]:
                share = round(100 * (used - before[1]) / (t - before[0]), 1)
                at = (before[0] - zero) / 1_000
                args_share = {"%": share}
                yield {
                    "ph": "C", "name": f"on CPU, {name}", "pid": pid, "tid": 0, "ts": at, "args": args_share
                }  # fmt: skip
            before = t, used
