"""What a person types where sentences are in place of the picture: a line for each key of the screen."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, Self

from loopviz.cli.arguments import MOST_REQUESTS
from loopviz.draw.words import count
from loopviz.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from loopviz.scenario import ScenarioFile
    from loopviz.stream.source import Source

__all__ = ["Lines", "Orders", "complain"]

_MOST_THREADS = 10_000
_LATE = 1.0
"""When what was fired is not sent after this time (s), it is said what it waits for."""
_JUDGED = 0.7
"""So long after the last answer the verdict has been said (s)."""
_BACKGROUND = 0.2
"""How often a program in the background looks whether it has the terminal (s)."""
_LONGEST = 10_000
"""Characters of a line that is read."""
_AHEAD = 1_000
"""So many lines are read before they are followed: what writes more has to wait."""


class Lines:
    """The lines of standard input, which are read in a thread of its own. Use it as a context manager.

    While it is entered, the observed program has an empty standard input: else it could take what was typed.
    """

    def __init__(self) -> None:
        self._lines: Queue[str | None] = Queue(_AHEAD)
        self._before: Any = None
        self._kept = -1
        self.terminal = False
        """Whether a person types them."""
        self.over = False
        """Whether there will be no more."""

    def __enter__(self) -> Self:
        with suppress(OSError, ValueError):
            self.terminal = os.isatty(0)
            kept, null = os.dup(0), os.open(os.devnull, os.O_RDONLY)
            self.over = _same(kept, null)
            os.dup2(null, 0)
            os.close(null)
            self._kept = kept
        if self._kept < 0 or self.over:
            self.over = True
            return self
        if hasattr(signal, "SIGTTIN"):  # in the background, reading would stop the program
            self._before = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        threading.Thread(target=self._read, name="loopviz lines", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept >= 0:
            with suppress(OSError):
                os.dup2(self._kept, 0)
        if self._before is not None:
            signal.signal(signal.SIGTTIN, self._before)

    def new(self) -> list[str]:
        """The lines since the last call, `_AHEAD` at most."""
        found: list[str] = []
        with suppress(Empty):
            while len(found) < _AHEAD:
                line = self._lines.get_nowait()
                if line is None:
                    self.over = True
                    break
                found.append(line)
        return found

    def _read(self) -> None:
        rest = b""
        while True:
            if self.terminal and not self._in_front():
                time.sleep(_BACKGROUND)
                continue
            try:
                read = os.read(self._kept, 4096)
            except BlockingIOError:  # another program has set it so, which has the same terminal or pipe
                select.select([self._kept], [], [], _BACKGROUND)
                continue
            except OSError:
                if self.terminal and not self._in_front():
                    continue
                read = b""
            *whole, rest = (rest + read).split(b"\n")
            rest = rest[:_LONGEST]
            for line in whole if read else [*whole, rest]:
                self._lines.put(line[:_LONGEST].decode(errors="replace").strip())
            if not read:
                self._lines.put(None)
                return

    def _in_front(self) -> bool:
        """Whether this program is the one that the terminal's keys are for."""
        if not hasattr(os, "tcgetpgrp"):
            return True
        try:
            return os.tcgetpgrp(self._kept) == os.getpgrp()
        except OSError:
            return True


def _same(one: int, other: int) -> bool:
    """Whether both are the same device, as the null device."""
    numbers = os.fstat(one).st_rdev, os.fstat(other).st_rdev
    return numbers[0] == numbers[1] != 0


class Orders:
    """Does what a line says. `say` writes an answer; what is wrong goes to standard error.

    `requests` is how many are fired; None: as many as the scenario says. `route` finds what a request line
    of an application fires. Without `fires` nothing can be fired: the server was started by others.
    """

    def __init__(
        self,
        source: Source,
        say: Callable[[str], None],
        requests: int | None = None,
        route: Callable[[str], ScenarioFile] | None = None,
        *,
        fires: bool = True,
    ) -> None:
        self._source = source
        self._say = say
        self._requests = requests
        self._route_of = route
        self._fires = fires
        self._lines: deque[str] = deque()
        self._last: tuple[ScenarioFile, int] | None = None
        self._fired: list[tuple[ScenarioFile, Future[None], float]] = []
        self._waits = False
        self._answered = 0.0

    def follow(self, lines: Iterable[str]) -> bool:
        """Do what these lines say, and those before that had to wait; False if that is to quit."""
        self._lines += lines
        while self._lines and not self._has_to_wait():
            if not self._does(self._lines.popleft()):
                return False
        return True

    @property
    def idle(self) -> bool:
        """Whether all lines have been followed."""
        return not self._lines

    def _has_to_wait(self) -> bool:
        """Whether the next line waits for answers, and for what is said when all have come."""
        if self._waits and not self._fired and time.monotonic() > self._answered + _JUDGED:
            self._waits = False
        return self._waits

    def _does(self, line: str) -> bool:
        """Do what a line says; False if that is to quit."""
        word, _, rest = line.partition(" ")
        try:
            if word in {"q", "quit", "exit"}:
                return False
            if line:
                self._obey(line, word, rest.strip())
        except InputError as error:
            complain(str(error))
        return True

    def look(self) -> None:
        """Say what has become of what was fired: what it waits for, or why it cannot be sent."""
        left = []
        for file, answered, late in self._fired:
            if answered.done():
                self._answered = time.monotonic()
                error = None if answered.cancelled() else answered.exception()
                if error is not None:
                    complain(str(error) if isinstance(error, InputError) else f"{file.name}: {error}")
                continue
            again = late
            if time.monotonic() > late:
                again = float("inf")
                waits = self._source.preparing(file.name)
                if waits is not None:
                    self._say(f"{file.name} waits: {waits}.")
            left.append((file, answered, again))
        self._fired = left

    def help(self) -> None:
        """Say what can be typed."""
        if not self._fires:
            self._say(self.hint())
            return
        own = self._source.application is not None
        for line in self._listed():
            self._say(line)
        for line in (
            "A request line, such as GET /slow: fire that." if own else "A name fires a scenario as well.",
            "n 20: fire 20 requests at once from now on; n alone: as many as each scenario says.",
            *([] if own else ["A number does the same as n. b 20 fires b with 20 requests once."]),
            *([] if own else ["r: fire the scenario that shows the repair of the last one."]),
            "t 4: the thread limit is 4 from now on.",
            "g: give up what is not answered.",
            "H: send health probes, as a load balancer does, or no more.",
            "wait: the next line waits until all is answered.",
            "q: quit. ? says this again.",
        ):
            self._say(line)

    def hint(self) -> str:
        """What can be typed, in a line."""
        if not self._fires:
            return "Type q and Enter to quit: loopviz leaves the server as it is."
        if self._source.application is not None:
            return "Type a route's number or a request line, and Enter, to fire it; ? lists them; q quits."
        keys = [f"{f.facts.key} ({f.name})" for f in self._source.scenarios if f.facts.key and f.servable]
        some = f"such as {', '.join(keys[:4])}" if keys else "a scenario's name"
        return f"Type a letter, {some}, and Enter, to fire it; ? lists them; q quits."

    def _listed(self) -> list[str]:
        if self._source.application is not None:
            return [f"{at}: {file.name}" for at, file in enumerate(self._source.scenarios, 1)]
        files = sorted(self._source.scenarios, key=lambda file: not file.facts.key)
        return [
            f"{file.facts.key}: {file.name}, {file.facts.title}"
            if file.facts.key
            else f"{file.name}: {file.facts.title}"
            for file in files
        ]

    def _obey(self, line: str, word: str, rest: str) -> None:
        own = self._source.application is not None
        if word in {"?", "h", "help"}:
            self.help()
        elif not self._fires:
            raise InputError("Nothing can be fired at a server that others have started.\nq quits.")
        elif word == "g":
            number = self._source.give_up()
            self._say(f"Given up: {count(number, 'request')}." if number else "Nothing is running.")
        elif word == "wait":
            self._waits = True
        elif word == "H":
            self._probe()
        elif word == "n" or (line.isdecimal() and not own):
            self._count(rest if word == "n" else line)
        elif word == "t":
            limit = _number(rest, _MOST_THREADS)
            self._source.set_threads(limit)
            self._say(f"The thread limit is {limit}.")
        elif word in {"r", "F"} and not own:
            self._repair()
        else:
            self._fire(*self._meant(line, word, rest))

    def _probe(self) -> None:
        """Send health probes, or no more."""
        self._source.set_probing(self._source.probing is None)
        probing = self._source.probing
        self._say(
            "No more health probes." if probing is None else f"Ten health probes a second: {probing.path}."
        )

    def _count(self, text: str) -> None:
        self._requests = _number(text, MOST_REQUESTS) if text else None
        own = "as many requests as each scenario says"
        self._say(f"From now on: {own if self._requests is None else f'{self._requests} at once'}.")

    def _repair(self) -> None:
        """Fire the scenario that shows the repair of the last one, with as many requests."""
        if self._last is None:
            raise InputError("Nothing has been fired yet, so there is nothing to repair.")
        file, number = self._last
        repaired = next((f for f in self._source.scenarios if f.name == file.facts.repaired), None)
        if repaired is None:
            raise InputError(f"No repair of {file.name} is served here.")
        self._fire(repaired, number)

    def _meant(self, line: str, word: str, rest: str) -> tuple[ScenarioFile, int | None]:
        """What a line fires, and with how many requests, if it says that."""
        files: Sequence[ScenarioFile] = self._source.scenarios
        if self._source.application is not None:
            return self._route(files, line), None
        for file in files:
            if word in {file.facts.key, file.name} and word:
                return file, _number(rest, MOST_REQUESTS) if rest else None
        raise InputError(f"{line!r} is no key and no scenario here.\n? lists them.")

    def _route(self, files: Sequence[ScenarioFile], line: str) -> ScenarioFile:
        if line.isdecimal():
            number = _number(line, max(1, len(files)))
            if not files:
                raise InputError("The routes are not known (yet).\nType a request line: GET /path.")
            return files[number - 1]
        if self._route_of is None:
            raise InputError(f"{line!r} cannot be fired here.")
        return self._route_of(line)

    def _fire(self, file: ScenarioFile, number: int | None) -> None:
        many = number or self._requests or file.facts.requests
        answered = self._source.fire(file, many)
        self._last = (file, many)
        if answered is not None:
            self._fired.append((file, answered, time.monotonic() + _LATE))


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise InputError(f"{text!r} is not a number from 1 to {most}.")
    return int(text)


def complain(error: str) -> None:
    """Say on standard error what is wrong, in its lines, without any control character."""
    from loopviz.draw.safe import printable

    for line in f"loopviz: {error}".splitlines():
        print(printable(line, 2_000), file=sys.stderr, flush=True)
