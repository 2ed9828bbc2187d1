"""The source files that a stream of events carries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loopviz.model.limits import MAX_SOURCE, MAX_SOURCES, MAX_TEXT

__all__ = ["Sources"]


class Sources:
    """Lines of source files, by the names of the files."""

    def __init__(self) -> None:
        self.only = False
        """Whether no other file may be read: what a recording names is not opened."""
        self._files: dict[str, list[str]] = {}
        self._room = MAX_TEXT

    def __contains__(self, file: str) -> bool:
        return file in self._files

    def __iter__(self) -> Iterator[str]:
        """The names of the files."""
        return iter(self._files)

    def add(self, file: str, first: int, text: str) -> None:
        """SOURCE: lines of a file, from the line `first` on. They replace those that were known."""
        if (file not in self._files and len(self._files) >= MAX_SOURCES) or len(text) > self._room:
            return
        self._room -= len(text)
        lines = self._files.setdefault(file, [])
        new = text.split("\n")
        if first > MAX_SOURCE:
            return
        lines += [""] * (first - 1 - len(lines))
        lines[first - 1 : first - 1 + len(new)] = new
        del lines[MAX_SOURCE:]

    def of(self, file: str) -> Sequence[str] | None:
        """The lines of the file, the first at 0; None if the stream does not carry it. Not to be changed."""
        return self._files.get(file)
