"""The plain sentences of the commands: each is a line, written at once, without any control character."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from loopviz.draw.look import Palette
    from loopviz.draw.narrate import Sentence
    from loopviz.scenario import Scenario
    from loopviz.stream.source import Source

__all__ = ["Voice", "facts_of"]

_LONGEST = 2_000
"""Characters of a line."""


class Voice:
    """Writes sentences to `stream` (standard output) in the characters that `palette` allows."""

    def __init__(self, palette: Palette, stream: TextIO | None = None) -> None:
        self._palette = palette
        self._stream = stream or sys.stdout
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            with suppress(OSError, ValueError):  # it is no file
                self._poll.register(self._stream.fileno(), 0)

    def narrate(self, sentences: Iterable[Sentence]) -> None:
        """Write sentences with their times. Raises `BrokenPipeError`."""
        for sentence in sentences:
            self.say(sentence.line())

    def say(self, text: str) -> None:
        """Write a line. Raises `BrokenPipeError`."""
        from loopviz.cli.console import shown
        from loopviz.draw.safe import printable

        print(shown(printable(text, _LONGEST), self._palette), file=self._stream, flush=True)

    def check(self) -> None:
        """Raise `BrokenPipeError` if the reader has gone: without a sentence, nothing would show it."""
        if self._poll is not None and any(
            what & (select.POLLERR | select.POLLHUP) for _, what in self._poll.poll(0)
        ):
            raise BrokenPipeError


def facts_of(source: Source) -> Callable[[str], Scenario | None]:
    """What gives a scenario's facts by its name, of a server or of a recording.

    A recording does not have the law of a scenario, which is code. If it is a built-in one, and has not
    changed since, it has the same law.
    """
    from loopviz.scenario import builtin_folder, read

    sources = getattr(source, "sources", {})
    known: dict[str, Scenario | None] = {}

    def facts(name: str) -> Scenario | None:
        if name not in known:
            file = builtin_folder() / f"{name}.py"
            known[name] = None
            with suppress(Exception):  # whatever is wrong with it, it is not used
                # A name in a recording may be any text, also a path of a file elsewhere, or of a pipe.
                text = sources.get(name) if name.isidentifier() else None
                if text and file.read_text(encoding="utf-8") == text:
                    known[name] = read([file])[0].facts
        found = next((file.facts for file in source.scenarios if file.name == name), None)
        return known[name] or found

    return facts
