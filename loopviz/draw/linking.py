"""Source lines as links: a click in the terminal opens the file (OSC 8)."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote

from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.model import Request, Timeline, Where

__all__ = ["known_lines", "linked", "linked_style"]

_LINE = re.compile(r"[^\s():,]+:\d+")
_BLOCKS = 50
_REQUESTS = 40
_SEGMENTS = 20
"""So many blocks, requests, and segments of each, are looked at for the file of a line that is named."""


@lru_cache(maxsize=1_000)
def _url(file: str) -> str | None:
    """The file's URL; None if there is no such file here. What a recording names need not exist."""
    try:
        path = Path(file).absolute()
        if not file or not path.is_file():
            return None
        if sys.platform == "win32":
            return path.as_uri()
        # The machine's name says to a terminal on another one that it does not have the file.
        return f"file://{quote(socket.gethostname())}{quote(os.fsencode(path))}"
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=1_000)
def _with_link(style: Style, url: str) -> Style:
    return style + Style(link=url)


def linked_style(style: Style, where: Where) -> Style:
    """The style, with a link to the line's file if there is one on this machine."""
    url = _url(where.file)
    return style if url is None else _with_link(style, url)


def linked(line: list[Segment], wheres: Iterable[Where]) -> list[Segment]:
    """The line with a link on each source line that is one of these, as `words.line` writes it.

    `wheres` is read only if the line names any source line.
    """
    matches = [match for segment in line if ":" in segment.text for match in _LINE.findall(segment.text)]
    named = {match for match in matches if any(map(str.isalpha, match))}  # not 127.0.0.1:8000
    if not named:
        return line
    found: dict[str, Where] = {}
    for where in wheres:
        if (text := words.line(where)) in named:
            found.setdefault(text, where)
            if len(found) == len(named):
                break
    if not found:
        return line
    return [
        part for segment in line for part in (_split(segment, found) if ":" in segment.text else (segment,))
    ]


def _split(segment: Segment, found: dict[str, Where]) -> Iterator[Segment]:
    text, style = segment.text, segment.style or Style.null()
    end = 0
    for match in _LINE.finditer(text):
        where = found.get(match[0])
        if where is not None:
            if match.start() > end:
                yield Segment(text[end : match.start()], segment.style)
            yield Segment(match[0], linked_style(style, where))
            end = match.end()
    if end < len(text):
        yield Segment(text[end:], segment.style)


def known_lines(timeline: Timeline, moment: int) -> Iterator[Where]:
    """The source lines that a picture of this moment may name, those of blocks first."""
    for block in islice(timeline.blocks_until(moment), _BLOCKS):
        yield from (where for where in (block.where, block.culprit[1]) if where is not None)
        yield from (where for where, _ in block.line_shares)
    starvation = timeline.starvation_at(moment)
    if starvation is not None:
        yield from (where for _, where, _ in starvation.culprits if where is not None)
    burst = timeline.newest_burst(moment)
    requests: Iterable[Request] = chain(timeline.alive_at(moment), burst.requests if burst else ())
    for request in islice(requests, _REQUESTS):
        for segment in islice(request.newest_first(moment), _SEGMENTS):
            if segment.where is not None:
                yield segment.where
