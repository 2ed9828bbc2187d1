"""An answer, as loopviz's own client has had it: kept only when it is asked for, and bounded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["LONGEST", "MOST", "Answer", "Heard", "answer"]

LONGEST: Final = 100_000
"""So many bytes of a body are kept, at most."""
MOST: Final = 4_000_000
"""So many bytes of the bodies of one burst are kept together, at most."""
_HEADERS: Final = 100
_VALUE: Final = 4_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets from a request."""

    number: int
    """The number of the request."""
    status: int | None
    """None if there was no answer."""
    headers: tuple[tuple[str, str], ...] = ()
    """In their order, with names in lower case; of very many, the first ones."""
    length: int = 0
    """The length of the body, in bytes, after a content coding was undone."""
    digest: str = ""
    """The SHA-256 of the body, as hexadecimal digits."""
    body: bytes | None = b""
    """The body; None if it is not kept because it is too long."""
    error: str | None = None
    """Why there was no answer."""


Heard = Callable[[Answer], object]
"""Called with each answer of a burst, in the client's thread."""


def answer(number: int, status: int, headers: Iterable[tuple[str, str]], body: bytes, room: int) -> Answer:
    """An answer with this body, which is kept if it is no longer than `LONGEST`, and than `room`."""
    kept = [(name.lower(), value[:_VALUE]) for name, value in headers][:_HEADERS]
    keeps = len(body) <= min(LONGEST, room)
    digest = hashlib.sha256(body).hexdigest()
    return Answer(number, status, tuple(kept), len(body), digest, body if keeps else None)
