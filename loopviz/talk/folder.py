"""The private folder by which a talk and its notes find each other: only this user can write there."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from loopviz.errors import InputError

__all__ = ["private_folder"]


def private_folder() -> Path:
    """The folder, which is made if it is not there. Raises `InputError` where others could use it, too.

    It is in XDG_RUNTIME_DIR if that is this user's own, and in the temporary folder otherwise.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.name != "posix":
        folder = Path(tempfile.gettempdir()) / "loopviz-talks"
    elif runtime.startswith("/") and _is_private(Path(runtime)):
        folder = Path(runtime) / "loopviz"
    else:
        place = Path(tempfile.gettempdir()).resolve()
        if not _keeps_names(place):
            raise InputError(
                f"Other users can replace what is in {place}, where loopviz needs a folder.\n"
                "Set TMPDIR to a folder that only you can write to."
            )
        folder = place / f"loopviz-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made: {error.strerror}.\nSet TMPDIR to a folder that you can write to."
        ) from None
    if not _is_private(folder):
        raise InputError(
            f"{folder} is not a folder of yours alone.\nRemove it, or set TMPDIR to another folder."
        )
    return folder


def _is_private(folder: Path) -> bool:
    """Whether it is a folder, and no link, that belongs to this user, and that no other can use."""
    try:
        status = folder.lstat()
    except (OSError, ValueError):
        return False
    if not stat.S_ISDIR(status.st_mode):
        return False
    return os.name != "posix" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)


def _keeps_names(place: Path) -> bool:
    """Whether no other user can rename what this user makes there, or a folder above it."""
    for folder in (place, *place.parents):
        status = folder.stat()
        if status.st_uid not in {0, os.geteuid()}:
            return False
        if status.st_mode & (stat.S_IWOTH | stat.S_IWGRP) and not status.st_mode & stat.S_ISVTX:
            return False
    return True
