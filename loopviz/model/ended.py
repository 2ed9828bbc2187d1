"""The requests that have ended, in an order that makes those of any moment quick to find."""

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
"""Pages that are searched for a request."""


@dataclass(slots=True)
class _Page:
    """Requests that ended one after the other, and the times between which they lived (ns)."""

    start: int
    end: int
    requests: deque[Request] = field(default_factory=deque)


class Ended:
    """Requests in the order of their ends, in pages: a query skips those that are far from its moment."""

    def __init__(self) -> None:
        self._pages: deque[_Page] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, request: Request) -> None:
        """Add a request that has just ended."""
        pages = self._pages
        if not pages or len(pages[-1].requests) >= _PAGE:
            pages.append(_Page(request.start, request.since))
        page = pages[-1]
        page.start, page.end = min(page.start, request.start), max(page.end, request.since)
        page.requests.append(request)
        self._count += 1

    def remove(self, request: Request) -> bool:
        """Remove a request that has not ended after all; False if it is not among the latest."""
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
        """Remove and return the one that ended first."""
        page = self._pages[0]
        request = page.requests.popleft()
        if not page.requests:
            self._pages.popleft()
        self._count -= 1
        return request

    def clear(self) -> None:
        """Remove all of them."""
        self._pages.clear()
        self._count = 0

    def at(self, now: int) -> Iterator[Request]:
        """The requests that lived at `now`, and possibly some that did not."""
        pages = self._pages
        for index in range(bisect_right(pages, now, key=lambda page: page.end), len(pages)):
            page = pages[index]
            if page.start <= now:
                yield from page.requests

    def after(self, t: int) -> Iterator[Request]:
        """The requests that ended after `t`, the newest first, and possibly some that did not."""
        for page in reversed(self._pages):
            if page.end <= t:
                return
            yield from reversed(page.requests)
