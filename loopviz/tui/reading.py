"""What a terminal sends, read so that nothing in it ends the program."""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable
from functools import partial
from typing import Any

from textual import events
from textual._xterm_parser import XTermParser

__all__ = ["read_anything"]


class _Parser(XTermParser):
    """Skips keys that there cannot be, such as a code point beyond Unicode."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        try:
            yield from super()._sequence_to_key_events(sequence, alt)
        except (ValueError, OverflowError):
            yield events.Key("<ignore>", sequence)


def read_anything() -> None:
    """Let Textual read bytes that are not UTF-8 and sequences that are broken.

    In Textual 8.2.8 each of them ends the program with a traceback; not needed once it skips them.
    """
    if sys.platform != "win32":
        from textual.drivers import linux_driver  # noqa: PLC0415 - not on Windows

        driver: Any = linux_driver
        driver.getincrementaldecoder = lambda encoding: partial(getincrementaldecoder(encoding), "replace")
        driver.XTermParser = _Parser
