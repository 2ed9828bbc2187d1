"""Sentences about requests that have ended: those that ended in the same way are one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from loopviz.draw.narrate.arrivals import since
from loopviz.draw.narrate.spoken import between, named, numbers
from loopviz.draw.safe import printable
from loopviz.draw.words import count
from loopviz.model import Request

__all__ = ["End", "ends", "unanswered"]

_MOST = 3
"""So many ways of ending are said one by one."""


class End(NamedTuple):
    """A request that has ended, and when that was known (ns)."""

    t: int
    request: Request


def ends(found: Sequence[End], zero: int) -> list[tuple[str, list[End]]]:
    """How these requests have ended, in a few sentences; each request is in one of them."""
    ways: dict[tuple[str, str], list[End]] = {}
    for end in sorted(found, key=lambda end: end.request.id):
        ways.setdefault(_way(end.request), []).append(end)
    in_order = sorted(ways.items(), key=lambda way: -len(way[1]))
    said, rest = in_order, in_order[:0]
    if len(in_order) > _MOST:
        said, rest = in_order[: _MOST - 1], in_order[_MOST - 1 :]
    sentences = [(_sentence(verb, how, part, zero), part) for (verb, how), part in said]
    others = sorted((end for _, part in rest for end in part), key=lambda end: end.request.id)
    if others:
        who = count(len(others), "more request")
        tagged = numbers([(end.request.id, end.request.letter) for end in others])
        sentences.append((f"{who} ended in {len(rest)} other ways: {tagged}.", others))
    return sorted(sentences, key=lambda sentence: max(end.t for end in sentence[1]))


def unanswered(requests: Sequence[Request], now: int) -> str:
    """That these requests have no answer when the narration ends."""
    waited = [request.latency(now) for request in requests]
    who = named([(request.id, request.letter) for request in requests])
    return f"{who} had no answer when this ended, after {between(min(waited), max(waited))}."


def _sentence(verb: str, how: str, part: Sequence[End], zero: int) -> str:
    took = [_took(end) for end in part]
    who = _named(part)
    if len(part) == 1 and not part[0].request.own:
        request = part[0].request
        who += f", {printable(request.method, 20)} {printable(request.path, 60)},"
    has = verb.removeprefix("were ") if len(part) == 1 else verb
    if has != verb:
        has = f"was {has}"
    after = f"after {between(min(took), max(took))}"
    when = since([end.t for end in part], zero)
    if when:
        who = who[:1].lower() + who[1:]
    if how.startswith(":"):
        return f"{when}{who} {has} {after}{_stopped(how)}"
    return f"{when}{who} {has} {how}{' ' if how else ''}{after}."


def _stopped(how: str) -> str:
    return how if how.endswith((".", "!", "?", "…")) else f"{how}."


def _named(part: Sequence[End]) -> str:
    return named([(end.request.id, end.request.letter) for end in part])


def _took(end: End) -> int:
    """From sent to the end of the response; of one without a response, to its end."""
    request = end.request
    return max(0, (end.t if request.done is None else request.done) - request.start)


def _way(request: Request) -> tuple[str, str]:
    """What became of it, as a verb, and how."""
    if request.given_up:
        return "were given up", ""
    if request.websocket is not None:
        code = request.websocket.code
        return "were closed", "" if code is None else f"with code {code}"
    if request.failure is not None:
        status = "" if request.status is None else f"{request.status}"
        error = printable(request.error, 120) if request.error else "" if status else "no answer"
        return "failed", f": {' '.join(part for part in (status, error) if part)}"
    return "were answered", f"with {request.status}" if request.status is not None else ""
