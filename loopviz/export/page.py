"""One self-contained HTML page that draws the timeline, with zoom, pan and tables. It uses no network.

The page is made of ``page.html``, ``page.css`` and ``page.js`` in this folder and of the colours in
`loopviz.draw.themes`. The recorded data are embedded as JSON in which no character can end the element,
and the script shows them as text only. A content security policy allows the style and the script, by
their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from importlib.resources import files
from itertools import chain
from typing import Any

from loopviz.draw.look import APPEARANCES, BLOCK, CODES
from loopviz.draw.raster import code_of, lane_code
from loopviz.draw.safe import printable
from loopviz.draw.theme import Theme
from loopviz.draw.themes import DARK, LIGHT
from loopviz.draw.words import awaited, kind_name
from loopviz.export.material import (
    Framing,
    Material,
    Window,
    all_blocks,
    extent,
    loop_stretches,
    requests_by_number,
    segments,
    text,
    worker_spans,
)
from loopviz.model import Request, Segment, Span, State, Where

__all__ = ["page"]

_UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""Inside a JSON string the escapes mean the same characters, which do not occur outside of strings."""


_MOST_FINDINGS = 20
_VARIABLES = {
    "back": "background", "lane": "lane", "text": "text", "dim": "dim", "line": "grid", "accent": "accent",
    "alarm": "alarm_text", "thread": "thread", "caption": "caption", "outline": "outline",
}  # fmt: skip
"""The CSS variables of the page, and the names of their colours in a theme."""


class _Places:
    """The source lines, each once; segments refer to them by number."""

    def __init__(self) -> None:
        self.numbers: dict[Where, int] = {}

    def number(self, where: Where | None) -> int:
        """The line's number, -1 for none."""
        return -1 if where is None else self.numbers.setdefault(where, len(self.numbers))

    def listed(self) -> list[list[Any]]:
        return [[text(w.file), w.line, text(w.function), text(w.calls)] for w in self.numbers]


def page(material: Material, framing: Framing) -> Iterator[str]:
    """The page, in pieces; the window of `framing` is what it shows at first."""
    style, script = _colours() + _asset("page.css"), _asset("page.js")
    title = f"{printable(material.name, 80)} - loopviz"
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy, quote=False)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="dark light">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n"
    )
    yield _asset("page.html")
    yield '<script type="application/json" id="data">\n'
    yield from _data(material, framing.window)
    yield f"</script>\n<script>{script}</script>\n</body>\n</html>\n"


def _colours() -> str:
    """The CSS variables, for readers who prefer dark and for those who prefer light pages."""
    dark, light = (
        "; ".join(f"--{name}: {getattr(theme.colours, field)}" for name, field in _VARIABLES.items())
        for theme in (DARK, LIGHT)
    )
    return f"\n:root {{ {dark} }}\n@media (prefers-color-scheme: light) {{ :root {{ {light} }} }}\n"


def _shades(theme: Theme, code: str) -> dict[str, str]:
    shades = theme.states[code]
    return {"fill": shades.fill, "ink": shades.ink}


@cache
def _asset(name: str) -> str:
    return files("loopviz.export").joinpath(name).read_text(encoding="utf-8")


def _hash(inline: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}"


def _json(value: object) -> str:
    """JSON in ASCII, without any character that has a meaning in HTML."""
    return json.dumps(value, separators=(",", ":")).translate(_UNSAFE)


def _data(material: Material, window: Window | None) -> Iterator[str]:
    """Times are nanoseconds since the first request was sent."""
    timeline = material.timeline
    zero, end = extent(timeline)
    places = _Places()
    states = [
        {
            "code": row.code,
            "name": row.name,
            "dark": _shades(DARK, row.code),
            "light": _shades(LIGHT, row.code),
            "tile": row.look.tile,
            "stroke": row.look.stroke,
        }
        for row in APPEARANCES
    ]
    numbers = {row.code: number for number, row in enumerate(APPEARANCES)}

    def number(state: State, part: Segment | Span) -> int:
        """Which of `states` it was in, or that of a block."""
        return numbers[code_of(state, part.end - part.start, timeline.threshold)]

    head: dict[str, Any] = {
        "name": text(material.name, 80),
        "end": end - zero,
        "window": list(window) if window is not None else None,
        "states": states,
        "block": BLOCK,
        "waiting": CODES[State.TOKEN_WAIT],
        "environment": {text(k): text(v) for k, v in material.environment.items()},
        "limit": material.limit,
        "dropped": material.dropped,
        "blind": [[text(what), text(why)] for what, why in material.blind],
        "blocks": [
            [
                block.start - zero,
                (block.end if block.end is not None else timeline.last) - zero,
                block.request,
                block.kind or "",
                places.number(block.culprit[1]),
                sorted(block.victims),
                kind_name(block),
                block.culprit[0],
            ]
            for block in all_blocks(timeline)
        ],
        "findings": [
            {
                "severity": finding.severity,
                "likely": finding.confidence == "likely",
                "title": text(finding.title),
                "said": [text(finding.what), text(finding.why), text(finding.do)],
                "before": [text(line) for line in finding.change[0]] if finding.change else [],
                "after": [text(line) for line in finding.change[1]] if finding.change else [],
            }
            for finding in material.findings[:_MOST_FINDINGS]
        ],
        "tokens": [
            [t - zero, tokens.total, tokens.borrowed, tokens.waiting] for t, tokens in timeline.tokens
        ],
    }
    yield _json(head)[:-1]
    yield ',\n"loop":'
    yield from _listed(
        [number(State.RUNNING, s), s.start - zero, s.end - zero, s.request, places.number(s.where)]
        for s in loop_stretches(timeline)
    )
    spans = worker_spans(timeline)
    lanes = {worker: order for order, worker in enumerate(timeline.workers)}
    yield ',\n"lanes":'
    threads = (
        {
            "name": text(lane.name),
            "code": lane_code(lane),
            "spans": [
                [s.start - zero, s.end - zero, s.request, places.number(s.where)] for s in spans[worker]
            ],
        }
        for worker, lane in timeline.workers.items()
    )
    others = (
        {
            "name": f"loop {process.letter}",
            "code": CODES[State.RUNNING],
            "spans": [
                [s.start - zero, s.end - zero, s.request, places.number(s.where)]
                for s in loop_stretches(timeline, process.worker)
            ],
        }
        for process in timeline.processes[1:]
    )
    yield from _listed(chain(threads, others))

    def life(request: Request) -> dict[str, Any]:
        return {
            "id": request.id,
            "name": f"{text(request.method, 20)} {text(request.path)}",
            "status": request.status,
            "error": text(request.error),
            "failed": request.failed,
            "start": request.start - zero,
            "done": None if request.done is None else request.done - zero,
            "segments": [
                [
                    number(s.state, s), s.start - zero, s.end - zero, lanes.get(s.thread, -1),
                    places.number(s.where), int(after), awaited(s.awaits) if s.awaits else "",
                ]
                for s, after in segments(request, timeline.last)
            ],
        }  # fmt: skip

    yield ',\n"requests":'
    yield from _listed(life(request) for request in requests_by_number(timeline))
    yield f',\n"places":{_json(places.listed())}}}\n'


def _listed(items: Iterable[object]) -> Iterator[str]:
    """A JSON array, an item a line."""
    separator = "["
    empty = True
    for item in items:
        yield separator + _json(item)
        separator, empty = ",\n", False
    yield "[]" if empty else "]"
