"""The summary of a run: the document that ``loopviz record --json`` prints.

Times are seconds since the first request was sent. Fields may be added, but are not renamed or
removed: a change that would break a reader increases `VERSION`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from loopviz.clock import seconds
from loopviz.model.block import Block, Keeper
from loopviz.model.health import Health
from loopviz.model.pools import Pool
from loopviz.model.process import Process
from loopviz.model.request import Request
from loopviz.model.segments import Awaits, Segment, Where
from loopviz.model.starvation import Starvation
from loopviz.model.states import State
from loopviz.model.timeline import Timeline
from loopviz.model.websocket import WebSocket

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
    interrupted: int | None = None,
    findings: Iterable[dict[str, Any]] | None = None,
    listed: Callable[[Iterator[dict[str, Any]]], list[dict[str, Any]]] = list,
) -> dict[str, Any]:
    """The run in `timeline` as one JSON document.

    `limit` is the thread limit, `dropped` the number of lost events, and `blind` has what could not be
    seen, and why. `interrupted` is when the run was interrupted (ns): what had not ended then has no end,
    its states and segments are those up to then, and the field ``interrupted`` is added.
    `findings` are what was found in it, as `loopviz.findings.listed` has them; None where none was sought.
    `listed` makes a list of what may be long: the requests and the tasks that they have started.
    """
    requests = sorted(timeline.requests.values(), key=lambda request: request.id)
    zero = min((request.start for request in requests), default=0)
    last = timeline.last if interrupted is None else interrupted
    # A WebSocket lasts as long as its client wants.
    measured = [request for request in requests if request.websocket is None] or requests
    end = max((request.done or last for request in measured), default=zero)

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
            "awaits": _awaits(part.awaits),
        }

    def request(r: Request) -> dict[str, Any]:
        received = r.received if r.own else None
        totals = dict(r.totals)
        now = [] if r.done is not None or interrupted is None else list(r.open_segments(interrupted))
        for part in now:
            totals[part.state] += part.end - part.start
        return {
            "id": r.id,
            "method": r.method,
            "path": r.path,
            "status": r.status,
            "error": r.error,
            **({"worker": r.letter or None} if timeline.several else {}),
            "sent_s": at(r.start),
            "done_s": at(r.done),
            "latency_s": None if r.done is None else seconds(r.done - r.start),
            "client_latency_s": None if received is None else seconds(received - r.start),
            "states": {state.value: seconds(time) for state, time in totals.items()},
            "segments": [segment(part) for part in (*r.segments, *now)],
            "after_response": [segment(part) for part in r.after],
            **({} if r.websocket is None else _messages(r.websocket)),
        }

    def started(row: Request) -> dict[str, Any]:
        """A task that a request has started and did not await, up to the end of the run."""
        segments = row.history(timeline.last)
        return {
            "name": row.path,
            "started_by": row.started_by,
            "start_s": at(row.start),
            "end_s": at(row.done),
            "states": {
                state.value: seconds(sum(s.end - s.start for s in segments if s.state is state))
                for state in State
            },
            "segments": [segment(part) for part in segments],
        }

    def block(b: Block) -> dict[str, Any]:
        return {
            "start_s": at(b.start),
            "end_s": at(b.end),
            **({"worker": b.letter} if timeline.several else {}),
            "request": b.request or None,
            "task": (b.task or None) if not b.request else None,
            "started_by": b.started_by or None,
            "kind": b.kind,
            "cpu_share": _share(b.shares and b.shares.cpu),
            "gil_share": _share(b.shares and b.shares.gil),
            "where": _where(b.where),
            "lines": [{**(_where(where) or {}), "share": round(share, 3)} for where, share in b.line_shares],
            "held_by": _held_by(timeline, b.keeper),
            "gil_kept_s": seconds(b.gil),
            "by": b.by,
            "stopped_s": seconds(timeline.stopped_within(b.start, end if b.end is None else b.end)),
            "victims": sorted(timeline.victims(b, end) if b.end is None else b.victims),
        }

    blocks = [b for b in timeline.blocks if b.end is not None and b.end > zero]
    held = None if interrupted is None else timeline.block_at(interrupted)
    if held is not None and held.end is None:
        blocks.append(held)
    busy = timeline.busy(zero, end)
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": dict(environment),
        "scenario": scenario,
        **({} if interrupted is None else {"interrupted": True}),
        "makespan_s": seconds(end - zero),
        "given_up": sum(request.given_up for request in requests),
        "requests": listed(map(request, requests)),
        "incidents": [
            {
                "at_s": at(incident.t),
                "process": incident.name or _lane_name(timeline, incident.thread),
                "change": incident.change,
                "reason": incident.reason,
            }
            for incident in timeline.incidents
        ],
        "started_tasks": listed(map(started, timeline.started(timeline.last))),
        "loop": {
            "busy_s": seconds(busy),
            "idle_s": seconds(max(0, len(timeline.processes) * (end - zero) - busy))
            if timeline.sees_iterations
            else None,
            "max_lag_s": seconds(timeline.lag_since(zero)) if timeline.sees_iterations else None,
            "blocks": [block(b) for b in blocks],
            "starvations": [
                _starvation(starvation, zero)
                for starvation in timeline.starvations
                if starvation.end is not None and starvation.end > zero
            ],
        },
        "threadpool": {
            "limit": limit,
            "peak": timeline.peak,
            "max_token_wait_s": seconds(max((r.longest(State.TOKEN_WAIT, end) for r in requests), default=0)),
            "threads": [
                {
                    "name": lane.name,
                    "busy_s": seconds(lane.busy_until(timeline.last)),
                    "cpu_s": seconds(lane.cpu),
                }
                for lane in timeline.workers.values()
                if lane.role == "thread"
            ],
        },
        "processes": [
            {"name": lane.name, "busy_s": seconds(lane.busy_until(timeline.last)), "cpu_s": seconds(lane.cpu)}
            for lane in timeline.workers.values()
            if lane.role == "process"
        ],
        "pools": _pools(timeline, limit),
        **({"health": _health(timeline.health, zero, last)} if timeline.health.path else {}),
        **(
            {"workers": [_worker(timeline, process, zero, end) for process in timeline.processes]}
            if timeline.several
            else {}
        ),
        **({} if findings is None else {"findings": list(findings)}),
        "probe": {
            "events": timeline.events,
            "dropped": dropped,
            "blind": [{"what": what, "why": why} for what, why in blind],
        },
    }


def _health(health: Health, zero: int, last: int) -> dict[str, Any]:
    """What became of the health probes, and when a load balancer would have sent no requests."""
    return {
        "path": health.path,
        "timeout_s": seconds(health.timeout),
        "probes": health.ended,
        "failed": health.failed,
        "longest_s": seconds(health.longest),
        "out_for_s": seconds(health.out_for(last)),
        "out": [
            {
                "start_s": seconds(out.start - zero),
                "end_s": None if out.end is None else seconds(out.end - zero),
            }
            for out in health.outs
        ],
    }


def _worker(timeline: Timeline, process: Process, zero: int, end: int) -> dict[str, Any]:
    """What one of several workers did; its blocks and requests have its letter."""
    loop = process.loop
    busy = loop.busy(zero, end)
    requests = [request for request in timeline.requests.values() if request.worker == process.worker]
    return {
        "worker": process.letter,
        "pid": process.pid or None,
        "ended_s": None if process.ended is None else seconds(process.ended[0] - zero),
        "ended": None if process.ended is None else process.ended[1],
        "requests": len(requests),
        "loop": {
            "busy_s": seconds(busy),
            "idle_s": seconds(max(0, end - zero - busy)) if loop.sees_iterations else None,
            "max_lag_s": seconds(loop.lag_since(zero)) if loop.sees_iterations else None,
            "cpu_s": seconds(loop.lane.cpu),
        },
        "threadpool": {
            "peak": process.threads.peak,
            "threads": [
                {
                    "name": lane.name,
                    "busy_s": seconds(lane.busy_until(timeline.last)),
                    "cpu_s": seconds(lane.cpu),
                }
                for lane in timeline.workers.values()
                if lane.worker == process.worker and lane.role == "thread"
            ],
        },
    }


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _where(where: Where | None) -> dict[str, Any] | None:
    if where is None:
        return None
    return {"file": where.file, "line": where.line, "function": where.function, "calls": where.calls}


def _awaits(awaits: Awaits | None) -> dict[str, Any] | None:
    if awaits is None:
        return None
    return {"what": awaits.what, "name": awaits.name, "holder": awaits.holder or None}


def _starvation(starvation: Starvation, zero: int) -> dict[str, Any]:
    return {
        "start_s": seconds(max(starvation.start, zero) - zero),
        "end_s": None if starvation.end is None else seconds(starvation.end - zero),
        "victims": starvation.victims,
        "longest_wait_s": seconds(starvation.longest),
        "steps": starvation.steps,
        "culprits": [
            {"request": request or None, "where": _where(where), "share": round(share, 4)}
            for request, where, share in starvation.culprits
        ],
    }


def _messages(websocket: WebSocket) -> dict[str, Any]:
    return {
        "messages": {"received": websocket.received, "sent": websocket.sent},
        "close_code": websocket.code,
    }


def _held_by(timeline: Timeline, keeper: Keeper | None) -> dict[str, Any] | None:
    if keeper is None:
        return None
    lane = timeline.workers.get(keeper.thread)
    return {
        "thread": lane.name if lane else None,
        "request": keeper.request or None,
        "where": _where(keeper.where),
    }


def _lane_name(timeline: Timeline, thread: int) -> str | None:
    lane = timeline.workers.get(thread)
    return lane.name if lane else None


def _pools(timeline: Timeline, limit: int) -> list[dict[str, Any]]:
    """Every pool of workers that was seen; AnyIO's default limiter is the first one."""
    found: list[dict[str, Any]] = [
        {
            "name": pool.title,
            "kind": pool.kind,
            "size": pool.size if pool.size >= 0 else None,
            "peak": timeline.peak if pool.kind == "default-limiter" else pool.peak,
            "max_waiting_s": seconds(timeline.pools.longest(pool, timeline.last)),
        }
        for pool in sorted(timeline.pools.by_number.values(), key=lambda pool: pool.kind != "default-limiter")
        if not pool.is_for_one
    ]
    if not found or found[0]["kind"] != "default-limiter":
        name = Pool(0, "default-limiter", "", limit).title
        unused = {"name": name, "kind": "default-limiter", "size": limit, "peak": timeline.peak}
        found.insert(0, {**unused, "max_waiting_s": 0.0})
    return found
