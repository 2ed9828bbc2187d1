"""A file that is there when it is complete, and not before: written beside its place, and renamed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["free_name", "write_whole"]

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_whole(path: Path, parts: Iterable[bytes], *, replace: bool) -> int:
    """Write the parts to a file; how many bytes they are. Whatever is raised, there is no part of it then.

    An existing file is replaced, and keeps its permissions, or, without `replace`, `FileExistsError` is
    raised. A link is followed. Raises `OSError` if it cannot be written.
    """
    try:
        before: os.stat_result | None = path.stat()
    except FileNotFoundError:
        before = None
    real = Path(os.path.realpath(path))
    if before is not None and not replace:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    if before is not None and not os.access(real, os.W_OK):  # renaming would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    beside = real.with_name(f".loopviz-{os.urandom(6).hex()}.tmp")
    try:
        # The system applies the umask: to ask for it, it would have to be changed, in all threads.
        file = os.open(beside, _FLAGS, 0o666 if before is None else 0o600)
        with os.fdopen(file, "wb") as stream:
            size = 0
            for part in parts:
                stream.write(part)
                size += len(part)
            stream.flush()
            _reach_disk(stream.fileno())
        if before is not None:
            _keep(beside, before)
        if replace:
            beside.replace(real)
        else:
            _rename(beside, real)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    return size


def free_name(stem: Path, suffix: str) -> Path:
    """The path with this suffix, or, if there is such a file, the first like ``name-2.svg`` that is free."""
    number, free = 1, stem.with_name(stem.name + suffix)
    while os.path.lexists(free):
        number += 1
        free = stem.with_name(f"{stem.name}-{number}{suffix}")
    return free


def _reach_disk(file: int) -> None:
    """Wait until it is on the disk: some file systems would rename it before, and lose it with the power."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
            raise


def _keep(file: Path, before: os.stat_result) -> None:
    """Give the file the owner and the permissions of the one that it replaces, as far as that is allowed."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(file, before.st_uid, before.st_gid)
    file.chmod(stat.S_IMODE(before.st_mode) & 0o777)


def _rename(beside: Path, real: Path) -> None:
    """Rename it, unless there is a file of that name meanwhile."""
    try:
        os.link(beside, real)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without links
        beside.replace(real)
    else:
        beside.unlink()
