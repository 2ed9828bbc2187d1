"""Whether there is such a file or folder, for names that no file can have as well."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_file", "is_folder"]


def is_file(path: Path) -> bool:
    """Whether it is a file; no error for a name that is too long, or not readable."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder; no error for a name that is too long, or not readable."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
