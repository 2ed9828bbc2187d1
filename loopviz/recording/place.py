"""Where a recording is written: a file of its own, reserved before anything starts."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from loopviz.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Place", "is_descriptor", "reason"]

_FLAGS = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)


class Place:
    """A file for one recording, open and locked. Use it as a context manager around what records.

    An existing file is taken only with `force`, and only emptied when the recording begins; never while
    another loopviz writes it, and never if it is one of `inputs`, the files that are read. A link is
    followed. Raises `InputError` if there can be no recording at `path`.

    When it is left and nothing was recorded, the file is as it was before: not there, or not emptied.
    """

    def __init__(self, path: str | Path, *, force: bool = False, inputs: Iterable[Path] = ()) -> None:
        self.path = Path(path)
        self.begun = False
        """Whether an event was recorded."""
        self._created = False
        try:
            if str(path) == "-" or is_descriptor(path):
                raise InputError(f"{path} is not a file: a recording needs one.\nName a file.")
            self._file: int | None = self._open(force, list(inputs))
            info = os.fstat(self._file)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: it cannot be written: {reason(error)}.\nName another file.") from None
        self.real = Path(os.path.realpath(path))
        """Where it lies, whatever the working directory is later."""
        self._identity = (info.st_dev, info.st_ino)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None or (kind is not None and not self.begun):
            self.discard()

    def take(self) -> int:
        """The file, empty, for a recording that begins now; it is closed by who takes it."""
        if self._file is None:
            raise ValueError("a place is for one recording")
        if not self._created:
            os.ftruncate(self._file, 0)
        file, self._file = self._file, None
        return file

    def discard(self) -> None:
        """Remove the file if it was created here."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
        if self._created and self.is_there():
            self._created = False
            with suppress(OSError):
                self.real.unlink()

    def is_there(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            info = self.real.stat()
        except OSError:
            return False
        return (info.st_dev, info.st_ino) == self._identity

    def _open(self, force: bool, inputs: list[Path]) -> int:
        try:
            info: os.stat_result | None = self.path.stat()
        except FileNotFoundError:
            info = None
        if info is None:
            # Not through the path itself: a link that leads nowhere counts as a file that exists.
            real = os.path.realpath(self.path)
            try:
                file = os.open(real, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                raise InputError(self._exists()) from None
            self._created = True
        else:
            self._require_own(info, force, inputs)
            file = os.open(self.path, _FLAGS)
        try:
            self._require_own(os.fstat(file), True, inputs)
            self._lock(file)
        except BaseException:
            os.close(file)
            raise
        return file

    def _require_own(self, info: os.stat_result, force: bool, inputs: list[Path]) -> None:
        for is_kind, why in _KINDS:
            if is_kind(info.st_mode):
                raise InputError(f"{self.path}: it cannot be written: {why}.\nName a file.")
        for file in inputs:
            with suppress(OSError):
                if os.path.samestat(info, file.stat()):
                    raise InputError(f"{self.path} is the scenario itself.\nName another file.")
        if not force:
            raise InputError(self._exists())

    def _exists(self) -> str:
        return f"{self.path} exists.\nName another file, or overwrite it with --force."

    def _lock(self, file: int) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{self.path} is being written by another loopviz.\nName another file."
            ) from None
        except OSError:
            pass  # a file system without locks


def is_descriptor(path: str | Path) -> bool:
    """Whether this names a file that the program was started with, such as ``/dev/stdout``."""
    name = os.path.abspath(path)  # noqa: PTH100 - links are not followed
    return name.startswith(("/dev/fd/", "/proc/self/fd/")) or name in {
        "/dev/stdin",
        "/dev/stdout",
        "/dev/stderr",
    }


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be used, in a few words."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return why.lower()
