"""Standard streams that were closed before the program began, as by ``>&-``."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

__all__ = ["Nowhere", "open_closed_streams"]


class Nowhere(io.FileIO):
    """Takes what is written to a closed stream; `used` is whether there was any."""

    used = False

    def write(self, data: Any) -> int:
        """Discard it."""
        self.used = True
        return len(data)


def open_closed_streams() -> Nowhere | None:
    """Open the streams that are closed; what takes standard output's place, if that is one of them.

    Otherwise the next file that is opened, such as a recording, would be the one that a child process, or an
    application, writes to as its standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    nowhere = None
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the program runs
    if sys.stdout is None:
        nowhere = Nowhere(1, "w", closefd=False)
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(nowhere), encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    return nowhere
