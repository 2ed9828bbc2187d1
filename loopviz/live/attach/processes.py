"""The Python processes of this user that listen, and whether loopviz can attach to them."""

from __future__ import annotations

import os
import re
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from loopviz.agent.door import folder_in, private, usual_places

__all__ = ["Candidate", "candidates", "described", "python_of", "servers_below", "socket_of"]

_PYTHON = re.compile(r"(?:python|libpython)(\d+)\.(\d+)")
_NAMED = re.compile(r"python(?:[\d.]*)$|pypy[\d.]*$", re.IGNORECASE)
_FROM = (3, 14)
"""The version from which Python executes a script in another process."""


@dataclass(frozen=True)
class Candidate:
    """A process that listens."""

    pid: int
    parent: int
    ports: tuple[str, ...]
    """Where it listens: ports, or paths of Unix sockets."""
    command: str
    how: str
    """How loopviz attaches to it: ``loopviz.watch()`` or ``Python 3.14``; "" if it cannot."""
    why_not: str = ""


def candidates() -> list[Candidate]:
    """The Python processes of this user that listen, by their numbers; this one is not among them."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with suppress(psutil.Error, OSError):
            if process.uids().real == os.getuid():
                one = described(process)
                if one is not None and (one.ports or one.how == _WATCH):
                    found.append(one)
    return sorted(found, key=lambda one: one.pid)


_WATCH = "loopviz.watch()"


def described(process: psutil.Process) -> Candidate | None:
    """A process of this user's; None if it does not run Python. Raises `psutil.Error`."""
    version = python_of(process)
    if version is None:
        return None
    how, why_not = "", ""
    if socket_of(process) is not None:
        how = _WATCH
    elif version >= _FROM:
        how = f"Python {version[0]}.{version[1]}"
        if sys.platform == "linux" and _elsewhere(process.pid):
            how, why_not = "", "it has other files, as in a container: call loopviz.watch() there"
    else:
        named = f"Python {version[0]}.{version[1]}" if version[0] else "its Python"
        why_not = f"{named} needs loopviz.watch() in the application"
    command = " ".join(process.cmdline())
    return Candidate(process.pid, process.ppid(), _ports(process), command, how, why_not)


def servers_below(pid: int) -> list[Candidate]:
    """The processes below a process to which loopviz can attach: the workers of a server."""
    found = []
    with suppress(psutil.Error, OSError):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error, OSError):
                if process.uids().real == os.getuid():
                    one = described(process)
                    if one is not None and one.how:
                        found.append(one)
    return sorted(found, key=lambda one: one.pid)


def python_of(process: psutil.Process) -> tuple[int, int] | None:
    """The version of Python that a process runs, (0, 0) if that is unknown; None if it runs none."""
    executable = ""
    with suppress(psutil.Error, OSError):
        executable = process.exe()
    named = _PYTHON.search(Path(executable).name)
    if named:
        return int(named[1]), int(named[2])
    if _NAMED.match(Path(executable).name):
        return 0, 0
    with suppress(OSError):  # a program that embeds Python, such as uWSGI
        for line in Path(f"/proc/{process.pid}/maps").read_text(errors="replace").splitlines():
            named = _PYTHON.search(line.rpartition("/")[2])
            if named and "libpython" in line:
                return int(named[1]), int(named[2])
    return None


def socket_of(process: psutil.Process) -> Path | None:
    """The socket at which a process waits for viewers; None if it does not."""
    inside = process.pid
    with suppress(OSError, IndexError, ValueError):  # in a container it has another number
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                inside = int(line.split()[-1])
    name = f"{inside}.sock"
    with suppress(psutil.Error, OSError):
        for connection in _unix_sockets(process):
            path = Path(connection)
            if path.name == name and path.parent.name.startswith("loopviz-"):
                for seen in (path, Path(f"/proc/{process.pid}/root{path}")):
                    if private(seen.parent) and seen.is_socket():
                        return seen
    for place in usual_places():
        path = folder_in(place) / f"{process.pid}.sock"
        if inside == process.pid and private(path.parent) and path.is_socket() and _listens(path):
            return path
    return None


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True


def _unix_sockets(process: psutil.Process) -> list[str]:
    return [str(connection.laddr) for connection in process.net_connections(kind="unix") if connection.laddr]


def _ports(process: psutil.Process) -> tuple[str, ...]:
    found: list[str] = []
    with suppress(psutil.Error, OSError):
        found = [
            str(connection.laddr.port)
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    return tuple(dict.fromkeys(found))


def _elsewhere(pid: int) -> bool:
    """Whether a process sees other files than this one."""
    try:
        return Path(f"/proc/{pid}/ns/mnt").readlink() != Path("/proc/self/ns/mnt").readlink()
    except OSError:
        return False
