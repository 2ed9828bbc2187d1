"""Where an export goes: to a file that is replaced when it is complete, to a pipe, or to standard output."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from loopviz.errors import InputError
from loopviz.recording.place import is_descriptor, reason
from loopviz.recording.whole import write_whole

__all__ = ["require_replaceable", "save"]

_BEGINS = {
    "perfetto": b'{"traceEvents"',
    "svg": b"<svg",
    "html": b"<!DOCTYPE html>",
    "csv": b"request,",
    "json": b'{\n  "format": "loopviz-summary"',
}
"""How an export of each format begins."""
_ENDS = ("SIGTERM", "SIGHUP")


def require_replaceable(target: Path, form: str, inputs: Mapping[Path, str], *, force: bool) -> None:
    """Raise `InputError` unless an export may be written to `target`.

    An existing file is replaced if it is empty or an export of the same format; any other only with
    `force`; one of `inputs`, the files that are read with what they are, never.
    """
    try:
        info = target.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(target, error) from None
    if stat.S_ISDIR(info.st_mode):
        raise InputError(f"{target} is a folder.\nGive a file with -o.")
    if is_descriptor(target) or not stat.S_ISREG(info.st_mode):
        return
    for file, what in inputs.items():
        with suppress(OSError):
            if os.path.samestat(info, file.stat()):
                raise InputError(f"{target} is {what}.\nGive another file with -o.")
    if not (force or _is_export(target, form)):
        raise InputError(
            f"{target} exists, and is no earlier export as {form}.\n"
            "Give another file with -o, or overwrite it with --force."
        )


def _is_export(target: Path, form: str) -> bool:
    begin = _BEGINS[form]
    try:
        with target.open("rb") as file:
            found = file.read(len(begin))
    except OSError:
        return False
    return not found or found == begin


def save(target: Path, parts: Iterable[bytes], *, replace: bool) -> int:
    """Write a file whole, or leave what was there; how many bytes it has. Raises `InputError`.

    What is no file, such as a pipe, is written to as it is. SIGTERM and SIGHUP end the program in order.
    """
    try:
        if is_descriptor(target):
            return _pour(_duplicate(target), parts)
        if target.exists() and not target.is_file():
            return _pour(_open_pipe(target), parts)
        with _ended_in_order():
            return write_whole(target, parts, replace=replace)
    except OSError as error:
        raise _refused(target, error) from None


def _refused(target: Path, error: OSError) -> InputError:
    return InputError(f"{target}: it cannot be written: {reason(error)}.\nGive another file with -o.")


def _duplicate(target: Path) -> int:
    """The descriptor that a path like ``/dev/stdout`` means: to open it again would begin at its start."""
    names = {"stdin": 0, "stdout": 1, "stderr": 2}
    name = target.name
    if name not in names and not re.fullmatch(r"\d{1,9}", name):
        raise FileNotFoundError(None, "no such file or directory")
    sys.stdout.flush()
    return os.dup(names[name] if name in names else int(name))


def _open_pipe(target: Path) -> int:
    """Open it without waiting for a reader."""
    file = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    if hasattr(os, "set_blocking"):
        os.set_blocking(file, True)
    return file


def _pour(file: int, parts: Iterable[bytes]) -> int:
    size = 0
    with os.fdopen(file, "wb") as stream:
        for part in parts:
            stream.write(part)
            size += len(part)
    return size


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Make an exception of the signals that end the program, so that no part of a file is left."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in _ENDS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                with suppress(ValueError):  # not on the main thread
                    signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                with suppress(ValueError):
                    signal.signal(number, handler)
