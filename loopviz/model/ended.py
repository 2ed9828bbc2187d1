"""The requests that have ended, so that those of any moment are found without looking at all."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from loopviz.model.request import Request

__all__ = ["Ended"]

_PAGE = 256
_RECENT = 40
"""Pages that are looked through for a request."""


@dataclass(slots=True)
class _Page:
    """Some requests that ended one after the other, and the times between which they lived (ns)."""

    start: int
    end: int
    requests: deque[Request] = field(default_factory=deque)


class Ended:
    """Requests in the order of their ends, in pages, of which those far from a moment are skipped."""

    def __init__(self) -> None:
        self._pages: deque[_Page] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, request: Request) -> None:
        """The request has ended just now."""
        pages = self._pages
        if not pages or len(pages[-1].requests) >= _PAGE:
            pages.append(_Page(request.start, request.since))
        page = pages[-1]
        page.start, page.end = min(page.start, request.start), max(page.end, request.since)
        page.requests.append(request)
        self._count += 1

    def remove(self, request: Request) -> bool:
        """It has not ended after all; False if it is none of those that ended last."""
        for page in islice(reversed(self._pages), _RECENT):
            if any(other is request for other in page.requests):
                page.requests = deque(other for other in page.requests if other is not request)
                if not page.requests:
                    self._pages.remove(page)
                self._count -= 1
                return True
        return False

    @property
    def oldest(self) -> Request | None:
        """The one that ended first."""
        return self._pages[0].requests[0] if self._pages else None

    def forget_oldest(self) -> Request:
        """Let go of the one that ended first."""
        page = self._pages[0]
        request = page.requests.popleft()
        if not page.requests:
            self._pages.popleft()
        self._count -= 1
        return request

    def clear(self) -> None:
        """Let go of all."""
        self._pages.clear()
        self._count = 0

    def at(self, now: int) -> Iterator[Request]:
        """Those that lived at `now`, perhaps some neighbours among them."""
        pages = self._pages
        for index in range(bisect_right(pages, now, key=lambda page: page.end), len(pages)):
            page = pages[index]
            if page.start <= now:
                yield from page.requests

    def after(self, t: int) -> Iterator[Request]:
        """Those that ended after `t`, the newest first, perhaps some neighbours among them."""
        for page in reversed(self._pages):
            if page.end <= t:
                return
            yield from reversed(page.requests)
