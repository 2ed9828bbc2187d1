"""The door of a process: a Unix socket at which viewers of the same user ask to look.

It costs one thread that sleeps until somebody comes. Nothing heavy is imported here: an application imports
this when it starts.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["Door", "DoorError", "folder_in", "peer_uid", "private", "usual_places"]

_PEER = struct.Struct("3i")
"""``struct ucred`` of Linux: process, user, group."""
_BACKLOG = 16
_LONGEST = 100
"""Bytes of a Unix socket's path: the kernel takes 108 on Linux, and 104 elsewhere."""


class DoorError(Exception):
    """There can be no door; the message says why."""


def usual_places() -> list[Path]:
    """The folders in which a process of this user may have its folder, the best one first."""
    uid = os.getuid()
    named = [os.environ.get(name) for name in ("XDG_RUNTIME_DIR", "TMPDIR")]
    found = [Path(name) for name in (*named, f"/run/user/{uid}", "/tmp") if name]  # noqa: S108
    return [place for place in dict.fromkeys(found) if place.is_absolute()]


def folder_in(place: Path) -> Path:
    """The folder of this user in a place."""
    return place / f"loopviz-{os.getuid()}"


def private(path: Path) -> bool:
    """Whether this is a folder of this user's, no link, that others cannot even read."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def peer_uid(connection: socket.socket) -> int | None:
    """The user of the process at the other end of a Unix socket; None where the system does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # macOS: the folder, which only its user can enter, is the protection
        return None
    _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _PEER.size))
    return int(uid)


class Door:
    """Listens at ``<place>/loopviz-<uid>/<pid>.sock`` until `close`, and hands each connection to `visit`.

    `visit` is called in the door's thread and must not wait. In a process that is forked off the door is
    opened again, at a path of its own; `forked` is called there first. `hold` is called before a fork, and
    `go_on` after it in the process that has forked.
    """

    def __init__(
        self,
        visit: Callable[[socket.socket], None],
        place: str | os.PathLike[str] | None = None,
        *,
        hold: Callable[[], None] = lambda: None,
        go_on: Callable[[], None] = lambda: None,
        forked: Callable[[], None] = lambda: None,
    ) -> None:
        self._visit = visit
        self._places = [Path(place)] if place is not None else usual_places()
        self._hold = hold
        self._go_on = go_on
        self._forked = forked
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._wake = (-1, -1)
        self._thread: threading.Thread | None = None
        self.path: Path | None = None
        _follow_forks(self)

    def open(self) -> Path:
        """Listen from now on; the path of the socket. Raises `DoorError`."""
        with self._lock:
            if self.path is not None:
                return self.path
            reasons = []
            for place in self._places:
                try:
                    self._listener, self.path = _listen(place)
                except DoorError as error:
                    reasons.append(str(error))
                except OSError as error:
                    reasons.append(f"{folder_in(place)}: {error.strerror or error}")
                else:
                    self._wake = os.pipe()
                    self._start()
                    return self.path
            raise DoorError("; ".join(reasons))

    def close(self) -> None:
        """Listen no more, and remove the socket. What has been handed out stays open."""
        with self._lock:
            self._pause()
            self._leave()
            if self.path is not None:
                with suppress(OSError):
                    self.path.unlink()
                self.path = None

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="loopviz door", daemon=True)
        self._thread.start()

    def _pause(self) -> None:
        """End the thread, unless it is this one."""
        thread, self._thread = self._thread, None
        if thread is None or thread is threading.current_thread():
            return
        with suppress(OSError):
            os.write(self._wake[1], b"-")
        thread.join(1.0)
        with suppress(OSError):
            os.read(self._wake[0], 1)

    def _leave(self) -> None:
        """Close what this process has of the door."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        for end in self._wake:
            if end >= 0:
                os.close(end)
        self._wake = (-1, -1)

    def _run(self) -> None:
        listener, woken = self._listener, self._wake[0]
        if listener is None:
            return
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            try:
                if any(fd == woken for fd, _ in poll.poll()):
                    return
                connection, _ = listener.accept()
            except OSError:
                if self._listener is not listener:
                    return
                continue
            try:
                if peer_uid(connection) in {None, os.getuid()}:
                    self._visit(connection)
                else:
                    connection.close()
            except Exception:  # nothing that a visitor does may end the door
                connection.close()

    # -- a process that forks ----------------------------------------------------------------------

    def before_fork(self) -> None:
        """End the thread: a process with one thread may fork, and so it may with a door."""
        self._lock.acquire()
        if self.path is not None:
            self._pause()
            self._hold()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self.path is not None:
            self._go_on()
            self._start()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Open a door of its own."""
        self._lock = threading.Lock()
        was_open, self.path = self.path is not None, None
        self._leave()
        with suppress(Exception):
            self._forked()
        if was_open:
            with suppress(DoorError, OSError, RuntimeError):
                self.open()


def _listen(place: Path) -> tuple[socket.socket, Path]:
    folder = folder_in(place)
    path = folder / f"{os.getpid()}.sock"
    if len(os.fsencode(path)) > _LONGEST:
        raise DoorError(f"{path} is too long for a socket")
    if not place.is_dir():
        raise DoorError(f"{place} is no folder")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not private(folder):
        raise DoorError(f"{folder} is not a folder that only its user can enter")
    _tidy(folder)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            path.unlink()  # of a process of before with this number
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener, path


def _tidy(folder: Path) -> None:
    """Remove the sockets of processes that have ended: at those nobody listens."""
    for path in folder.glob("*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(os.fspath(path))
            except ConnectionRefusedError:
                with suppress(OSError):
                    path.unlink()
            except OSError:
                continue


# -- forks ------------------------------------------------------------------------------------------

_doors: weakref.WeakSet[Door] = weakref.WeakSet()
_following = False


def _follow_forks(door: Door) -> None:
    """Have this door opened in processes that are forked off. What `os` is given once stays for good."""
    global _following  # noqa: PLW0603 - there is one list of such functions in a process
    _doors.add(door)
    if _following or not hasattr(os, "register_at_fork"):
        return
    _following = True

    def each(method: Callable[[Door], None]) -> Callable[[], None]:
        def call() -> None:
            for known in list(_doors):
                method(known)

        return call

    os.register_at_fork(
        before=each(Door.before_fork),
        after_in_parent=each(Door.after_fork_in_parent),
        after_in_child=each(Door.after_fork_in_child),
    )
