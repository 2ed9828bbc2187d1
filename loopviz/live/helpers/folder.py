"""Chooses a place for the workspace's folder where no other user can write, or replace it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from loopviz.errors import InputError

__all__ = ["create", "name_for_folder"]


def name_for_folder() -> Path:
    """The name of a folder that does not exist, and that cannot be guessed.

    It is in the temporary folder, unless that is one in which other users can rename what is not theirs.
    Raises `InputError` if there is no other one.
    """
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp", str(Path.home()))  # noqa: S108
    for place in dict.fromkeys(places):
        candidate = Path(place)
        if candidate.is_dir() and os.access(candidate, os.W_OK | os.X_OK) and _is_safe(candidate.resolve()):
            return candidate.resolve() / f"loopviz-{os.urandom(8).hex()}"
    raise InputError(
        f"Other users can replace what is in {tempfile.gettempdir()}, where loopviz needs a folder.\n"
        "Set TMPDIR to a folder that only you can write to."
    )


def create(folder: Path) -> None:
    """Make the folder, for this user only, whatever the umask is. Raises `FileExistsError` if it exists."""
    folder.mkdir(mode=0o700)
    folder.chmod(0o700)


def _is_safe(place: Path) -> bool:
    """Whether no other user can rename this folder, one above it, or what is in it."""
    if os.name != "posix":
        return True
    for folder in (place, *place.parents):
        status = folder.stat()
        if status.st_uid not in {0, os.geteuid()}:
            return False
        if status.st_mode & stat.S_ISVTX:  # only the owner of what is in it may rename that
            continue
        if status.st_mode & stat.S_IWOTH:
            return False
        if status.st_mode & stat.S_IWGRP and status.st_gid not in {0, os.getegid()}:
            return False
    return True
