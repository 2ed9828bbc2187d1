"""Which functions are shown, in which order: one section each, which stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loopviz.model import Where
from loopviz.model.heat import NOWHERE, Spot, Warmth
from loopviz.tui.scene.code.functions import Function, functions, of_line
from loopviz.tui.scene.code.ink import Piece, inked
from loopviz.tui.scene.code.places import Mark, Places

__all__ = ["Section", "Sections"]

_MOST = 24
"""So many functions are shown, those that were there first."""
_LONGEST = 2_000
"""Lines of a function that are kept."""
_STUBS = (".py", ".pyw", ".pyi")

Reader = Callable[[str], "Sequence[str] | None"]


@dataclass(slots=True, eq=False)
class Section:
    """A function, and what is at its lines."""

    file: str
    function: Function
    name: str
    known: bool
    """Whether its source is there."""
    text: Sequence[str]
    """Its lines, from `function.first` on; empty if the source is not there."""
    answers: bool = False
    """Whether it is an endpoint: what is at no line yet waits above it."""
    touched: set[int] = field(default_factory=set)
    """The lines at which something is, or was."""
    marks: dict[int, list[Mark]] = field(default_factory=dict)
    heat: dict[int, Warmth] = field(default_factory=dict)
    through: dict[int, list[Mark]] = field(default_factory=dict)
    """What is in a function that was called at a line."""
    above: list[Mark] = field(default_factory=list)
    before: Warmth | None = None
    """The time at no line; of all requests, at the first endpoint."""
    _pieces: list[list[Piece]] | None = None

    @property
    def weight(self) -> tuple[int, int]:
        """How many requests are there, and how long they were."""
        marks = sum(map(len, self.marks.values())) + len(self.above)
        return marks, sum(warmth.total for warmth in self.heat.values())

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of its lines; where the source is not there, of those that are known."""
        if self.known:
            return range(self.function.first, self.function.first + len(self.text))
        return sorted(self.touched | {self.function.line})

    def warm(self, number: int, warmth: Warmth) -> None:
        """Time at a line; that at a decorator and that at the definition are at one."""
        known = self.heat.get(number)
        self.heat[number] = total = Warmth(warmth.where, dict(warmth.times))
        if known is not None:
            total.add(known)

    def pieces(self, number: int) -> list[Piece]:
        """A line, in pieces."""
        if self._pieces is None:
            self._pieces = inked(self.text, python=self.file.endswith(_STUBS))
        at = number - self.function.first
        return self._pieces[at] if 0 <= at < len(self._pieces) else []


class Sections:
    """The functions of some requests, in the order in which they were found; the busiest first of several."""

    def __init__(self) -> None:
        self.shown: list[Section] = []
        self._key: object = None
        self._files: dict[str, tuple[Sequence[str] | None, list[Function]]] = {}
        self._by: dict[tuple[str, int], Section] = {}

    def forget(self) -> None:
        """Find them again."""
        self.shown, self._by, self._files, self._key = [], {}, {}, None

    def update(
        self,
        key: object,
        read: Reader,
        endpoints: Iterable[Where],
        places: Places,
        heat: Mapping[Spot, Warmth],
    ) -> bool:
        """Put everything where it is now; `key` says of which requests it is. Returns whether that is new.

        `endpoints` answer them: their functions are shown even while nothing is there.
        """
        fresh = key != self._key
        if fresh:
            self.forget()
            self._key = key
        for section in self.shown:
            section.marks, section.heat, section.through, section.above = {}, {}, {}, []
            section.before = None
        added: list[Section] = []
        answering = [one for where in endpoints if (one := self._section(read, where, added)) is not None]
        for section in answering:
            section.answers = True
        first = next(iter(answering), None)
        if first is not None:
            first.before = heat.get(NOWHERE)
        self._put(read, added, places, heat, first)
        self.shown += [section for section in added if section.answers]
        self.shown += sorted((section for section in added if not section.answers), key=_busiest)
        for section in self.shown:
            section.touched.update(section.marks, section.heat, section.through)
        return fresh or bool(added)

    def _put(
        self,
        read: Reader,
        added: list[Section],
        places: Places,
        heat: Mapping[Spot, Warmth],
        first: Section | None,
    ) -> None:
        """Put marks and times at their lines; `first` has what is at no line of a known function."""
        for spot, warmth in heat.items():
            if warmth.where is None:
                continue
            if (at := self._section(read, warmth.where, added)) is not None:
                at.warm(_line(at, spot[1]), warmth)
        for spot, marks in places.lines.items():
            if (at := self._section(read, places.wheres[spot], added)) is not None:
                at.marks.setdefault(_line(at, spot[1]), []).extend(marks)
        for spot, marks in places.through.items():
            if (at := self._section(read, places.wheres[spot], added)) is not None:
                at.through.setdefault(_line(at, spot[1]), []).extend(marks)
        for endpoint, marks in places.above.items():
            at = first if endpoint is None else self._section(read, places.wheres[endpoint], added)
            at = at or next(iter([*self.shown, *added]), None)
            if at is not None:
                at.answers = True
                at.above.extend(marks)

    def _section(self, read: Reader, where: Where, added: list[Section]) -> Section | None:
        lines, known = self._functions(read, where.file)
        if lines is None:
            function = Function(0, where.line, 0, where.function)
            found = next(
                (s for (file, _), s in self._by.items() if file == where.file and s.name == _outer(where)),
                None,
            )
            if found is not None:
                return found
        else:
            function = of_line(known, where.line, len(lines))
        key = where.file, function.first or function.line
        section = self._by.get(key)
        if section is None and len(self._by) < _MOST:
            text = lines[function.first - 1 : min(function.last, function.first + _LONGEST)] if lines else ()
            name = function.name or _outer(where)
            section = self._by[key] = Section(where.file, function, name, lines is not None, text)
            added.append(section)
        return section

    def _functions(self, read: Reader, file: str) -> tuple[Sequence[str] | None, list[Function]]:
        lines = read(file)
        known = self._files.get(file)
        if known is None or known[0] is not lines:
            if known is not None:  # another version of the file is served
                for key in [key for key in self._by if key[0] == file]:
                    self.shown.remove(self._by.pop(key))
            known = self._files[file] = lines, [] if lines is None else functions(lines)
        return known


def _outer(where: Where) -> str:
    """The function of a line, without those that are defined inside of it."""
    return where.function.partition(".<locals>")[0]


def _line(section: Section, number: int) -> int:
    """What is at a decorator is at the definition: its first line is how a function is known."""
    function = section.function
    return function.line if function.first <= number < function.line else number


def _busiest(section: Section) -> tuple[int, int, str, int]:
    marks, time = section.weight
    return -marks, -time, section.file, section.function.first
