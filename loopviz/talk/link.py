"""How the speaker's notes follow a talk: by a small file, which the talk replaces whenever it moves on."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loopviz.clock import NS
from loopviz.talk.fields import Check, FieldError, lines, number, one_line, table, whole
from loopviz.talk.progress import Phase, Progress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Link", "Note", "follow", "held"]

_MOST_BYTES = 256 * 1024
_NAME = re.compile(r"talk-(\d{1,10})\.json")


@dataclass(frozen=True, slots=True)
class Note:
    """What the notes show of a talk at one moment. Times of the clock are ns of `loopviz.clock`."""

    title: str
    position: int
    steps: int
    phase: str
    headline: str
    began: int
    """When the talk began."""
    since: int
    """When the present step began."""
    say: str = ""
    question: str = ""
    answer: str = ""
    next_headline: str = ""
    next_say: str = ""
    planned: float = 0.0
    """How long the step is planned to take (s)."""
    planned_before: float = 0.0
    """How long the steps before it are planned to take."""
    planned_all: float = 0.0

    @classmethod
    def of(cls, progress: Progress, began: int, since: int) -> Note:
        """The note for the present step."""
        talk, step, following = progress.talk, progress.step, progress.following
        asked = progress.question
        return cls(
            talk.title,
            progress.position,
            len(talk.steps),
            progress.phase.value,
            step.headline,
            began,
            since,
            step.say,
            asked.text if asked is not None else "",
            (asked.answer or "") if asked is not None else "",
            following.headline if following is not None else "",
            following.say if following is not None else "",
            (step.minutes or 0.0) * 60,
            sum(before.minutes or 0.0 for before in talk.steps[: progress.position - 1]) * 60,
            talk.minutes * 60,
        )


class Link:
    """The file of a talk that is held. Use it as a context manager; it is removed at the end.

    No error of it ends a talk: without the file there are no notes, and that is all.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"talk-{os.getpid()}.json"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._lock = os.open(_lock_of(self._path), os.O_RDWR | os.O_CREAT, 0o600)
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for path in (self._path, _lock_of(self._path)):
            with suppress(OSError):
                path.unlink()
        if self._lock is not None:
            os.close(self._lock)

    def publish(self, note: Note) -> None:
        """Replace the file by one with this note."""
        new = self._path.with_suffix(".new")
        with suppress(OSError):
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as opened:
                json.dump(asdict(note), opened)
            new.replace(self._path)


def held(folder: Path) -> list[int]:
    """The process numbers of the talks that are held, the one that has moved on last first.

    The files of talks whose program was killed are removed.
    """
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name is None:
                continue
            with suppress(OSError):
                if _is_held(path):
                    found.append((path.stat().st_mtime_ns, int(name[1])))
                else:
                    path.unlink()
                    _lock_of(path).unlink()
    return [process for _, process in sorted(found, reverse=True)]


def follow(folder: Path, process: int) -> Note | None:
    """The note of a talk; None if it is not held, or if what is there is no note."""
    path = folder / f"talk-{process}.json"
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not _is_held(path):
            return None
        file = os.open(path, flags)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                return None
            data = os.read(file, _MOST_BYTES)
        finally:
            os.close(file)
        given = json.loads(data)
        return Note(**table(given, _FIELDS, _REQUIRED)) if isinstance(given, dict) else None
    except (OSError, ValueError, RecursionError):
        return None


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _is_held(path: Path) -> bool:
    """Whether the program that writes this file still runs: it keeps a lock as long as it lives."""
    if fcntl is None:
        return path.exists()
    try:
        file = os.open(_lock_of(path), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _or_empty(check: Check) -> Check:
    return lambda value: "" if value == "" else check(value)


def _phase(value: Any) -> str:
    if value not in {phase.value for phase in Phase}:
        raise FieldError("is unknown", "")
    return str(value)


_CLOCK = whole(0, 10**9 * NS)
_SECONDS = number(0, 99 * 600 * 60, "seconds")
_FIELDS: Mapping[str, Check] = {
    "title": one_line(80),
    "position": whole(1, 99),
    "steps": whole(1, 99),
    "phase": _phase,
    "headline": one_line(60),
    "began": _CLOCK,
    "since": _CLOCK,
    "say": _or_empty(lines(4_000)),
    "question": _or_empty(one_line(160)),
    "answer": _or_empty(one_line(40)),
    "next_headline": _or_empty(one_line(60)),
    "next_say": _or_empty(lines(4_000)),
    "planned": _SECONDS,
    "planned_before": _SECONDS,
    "planned_all": _SECONDS,
}
_REQUIRED = ("title", "position", "steps", "phase", "headline", "began", "since")
