"""The summary of a run: the document that ``loopviz record --json`` prints.

Times are seconds since the first request was sent. Fields may be added, but are not renamed or
removed: a change that would break a reader increases `VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from loopviz.clock import seconds
from loopviz.model.request import Request
from loopviz.model.segments import Segment, Where
from loopviz.model.states import State
from loopviz.model.timeline import Timeline

__all__ = ["FORMAT", "VERSION", "summarise"]

FORMAT = "loopviz-summary"
VERSION = 1


def summarise(
    timeline: Timeline,
    *,
    scenario: str | None,
    environment: Mapping[str, object],
    limit: int,
    dropped: int = 0,
    blind: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """The run in `timeline` as one JSON document.

    `limit` is the thread limit, `dropped` the number of lost events, and `blind` has what could not be
    seen, and why.
    """
    requests = sorted(timeline.requests.values(), key=lambda request: request.id)
    zero = min((request.start for request in requests), default=0)
    end = max((request.done or timeline.last for request in requests), default=zero)

    def at(t: int | None) -> float | None:
        return None if t is None else seconds(t - zero)

    def segment(part: Segment) -> dict[str, Any]:
        lane = timeline.workers.get(part.thread)
        return {
            "state": part.state.value,
            "start_s": at(part.start),
            "end_s": at(part.end),
            "thread": lane.name if lane else None,
            "where": _where(part.where),
        }

    def request(r: Request) -> dict[str, Any]:
        received = r.received if r.own else None
        return {
            "id": r.id,
            "method": r.method,
            "path": r.path,
            "status": r.status,
            "error": r.error,
            "sent_s": at(r.start),
            "done_s": at(r.done),
            "latency_s": None if r.done is None else seconds(r.done - r.start),
            "client_latency_s": None if received is None else seconds(received - r.start),
            "states": {state.value: seconds(time) for state, time in r.totals.items()},
            "segments": [segment(part) for part in r.segments],
            "after_response": [segment(part) for part in r.after],
        }

    busy = timeline.busy(zero, end)
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": dict(environment),
        "scenario": scenario,
        "makespan_s": seconds(end - zero),
        "requests": [request(r) for r in requests],
        "loop": {
            "busy_s": seconds(busy),
            "idle_s": seconds(max(0, end - zero - busy)) if timeline.sees_iterations else None,
            "max_lag_s": seconds(timeline.lag_since(zero)) if timeline.sees_iterations else None,
            "blocks": [
                {
                    "start_s": at(block.start),
                    "end_s": at(block.end),
                    "request": block.request or None,
                    "kind": block.kind,
                    "where": _where(block.where),
                    "victims": sorted(block.victims),
                    "by": block.by,
                }
                for block in timeline.blocks
                if block.end is not None and block.end > zero
            ],
            "starvations": [
                {
                    "start_s": at(max(starvation.start, zero)),
                    "end_s": at(starvation.end),
                    "victims": starvation.victims,
                    "longest_wait_s": seconds(starvation.longest),
                    "steps": starvation.steps,
                    "culprits": [
                        {"request": request or None, "where": _where(where), "share": round(share, 4)}
                        for request, where, share in starvation.culprits
                    ],
                }
                for starvation in timeline.starvations
                if starvation.end is not None and starvation.end > zero
            ],
        },
        "threadpool": {
            "limit": limit,
            "peak": timeline.peak,
            "max_token_wait_s": max((_longest(r, State.TOKEN_WAIT) for r in requests), default=0.0),
            "threads": [
                {"name": lane.name, "busy_s": seconds(lane.busy), "cpu_s": seconds(lane.cpu)}
                for lane in timeline.workers.values()
                if lane.role == "thread"
            ],
        },
        "processes": [
            {"name": lane.name, "busy_s": seconds(lane.busy), "cpu_s": seconds(lane.cpu)}
            for lane in timeline.workers.values()
            if lane.role == "process"
        ],
        "probe": {
            "events": timeline.events,
            "dropped": dropped,
            "blind": [{"what": what, "why": why} for what, why in blind],
        },
    }


def _where(where: Where | None) -> dict[str, Any] | None:
    if where is None:
        return None
    return {"file": where.file, "line": where.line, "function": where.function}


def _longest(request: Request, state: State) -> float:
    return seconds(max((s.end - s.start for s in request.segments if s.state is state), default=0))
