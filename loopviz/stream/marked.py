"""How a server recognises the requests of loopviz's own client, and a view the files of a repaired copy."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["COPY", "HEADER", "OWN_ENDPOINT", "PROBE", "original_of", "shown_as"]

HEADER: Final = "x-loopviz-request"
"""The header with the number of a request of loopviz's own client, after a secret of the session."""

PROBE: Final = "health"
"""What a health probe has in place of a number: it is no request of the picture."""
OWN_ENDPOINT: Final = "/loopviz/health"
"""What probes ask for where scenarios are served: the server answers it itself."""

COPY: Final = "x-loopviz-copy"
"""The header of a request that is for the repaired copy of the application; its value is that secret."""

_MARK: Final = re.compile(r" \(repaired(?: \d+)?\)$")


def shown_as(file: str, number: int) -> str:
    """How a file is called in tracebacks and views whose text is that of the so many-th repaired copy."""
    return f"{original_of(file)} (repaired{f' {number}' if number > 1 else ''})"


def original_of(name: str) -> str:
    """The name of the file itself, for one that may be of a repaired copy; the same for a scenario's name."""
    return _MARK.sub("", name)
