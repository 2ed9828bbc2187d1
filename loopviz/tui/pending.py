"""What was asked of the source and is not done yet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

__all__ = ["Pending"]


class Pending:
    """Futures of the source, each with the notice to show when it is done."""

    def __init__(self) -> None:
        self._futures: list[tuple[Future[None], str]] = []

    def add(self, future: Future[None] | None, notice: str = "") -> None:
        """Wait for this as well; None is done already."""
        if future is not None:
            self._futures.append((future, notice))

    @property
    def waits(self) -> bool:
        """Whether something is not done yet."""
        return bool(self._futures)

    def done(self) -> Iterator[tuple[BaseException | None, str]]:
        """The error, if any, and the notice of each future that is done since the last call.

        That something was given up is no error.
        """
        for item in [item for item in self._futures if item[0].done()]:
            self._futures.remove(item)
            future, notice = item
            error = None if future.cancelled() else future.exception()
            yield None if isinstance(error, CancelledError) else error, notice
