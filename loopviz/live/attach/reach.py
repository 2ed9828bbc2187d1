"""A connection to the agent of a server that runs already."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from loopviz.agent.agent import WATCH
from loopviz.agent.door import peer_uid, private
from loopviz.errors import InputError
from loopviz.live.attach.inject import inject
from loopviz.live.attach.processes import Candidate, described, servers_below, socket_of
from loopviz.stream.several import MOST_WORKERS
from loopviz.wire.frames import encode
from loopviz.wire.messages import CALL

__all__ = ["Reached", "connect", "reach", "reach_all", "that_serve", "workers_of"]

_LIST = "'loopviz attach' lists the servers of this user."


class Reached:
    """A connection to an agent that knows that it is watched."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection = connection
        self.pid = pid


def reach(target: str, waiting: Callable[[str], None] = lambda _: None, *, serving: bool = False) -> Reached:
    """Connect to the agent of a process, given by its number or by the path of its socket.

    Of a process that has workers, the first of them is taken. `waiting` is called with what is waited for, or
    with "". With `serving`, a process that runs no server that is known refuses. Raises `InputError`.
    """
    if not target.isdecimal():
        return _at(Path(target), serving=serving)
    return connect(that_serve(int(target))[0], waiting)


def reach_all(target: str, waiting: Callable[[str], None] = lambda _: None) -> list[Reached]:
    """The same of every worker of a process, in their order; one that refuses is left out, unless all do."""
    if not target.isdecimal():
        return [_at(Path(target))]
    reached: list[Reached] = []
    refused: list[InputError] = []
    for process in that_serve(int(target))[:MOST_WORKERS]:
        try:
            reached.append(connect(process, waiting))
        except InputError as error:
            refused.append(error)
    if not reached:
        raise refused[0]
    return reached


def connect(process: psutil.Process, waiting: Callable[[str], None] = lambda _: None) -> Reached:
    """Connect to the agent of this process, which is taken there if it has none. Raises `InputError`."""
    path = socket_of(process)
    if path is not None:
        return _at(path, process.pid)
    connection = inject(process, waiting)
    return _greeted(connection, process.pid)


def that_serve(number: int) -> list[psutil.Process]:
    """The process itself; or its workers, where they serve and it does not. Raises `InputError`."""
    process, one = _process(number)
    if not one.ports or not one.how or _is_master(one):
        found = []
        for worker in workers_of(one, servers_below(number)):
            with suppress(psutil.Error):  # it has ended
                found.append(psutil.Process(worker.pid))
        if found:
            return found
    if not one.how:
        raise InputError(
            f"loopviz cannot attach to {number}: {one.why_not}.\n"
            "Or start it by loopviz: loopviz run --cmd -- COMMAND."
        )
    return [process]


def workers_of(one: Candidate, below: Sequence[Candidate]) -> list[Candidate]:
    """Those of the processes below one that serve, as far as that can be seen from outside.

    Without the masters between, and the helpers, which do not listen: such as the one that counts what
    processes of multiprocessing share.
    """
    masters = {found.pid for found in (one, *below) if _is_master(found)}
    parents = {found.parent for found in below}
    lowest = [
        found
        for found in below
        if not (found.pid in masters and found.pid in parents and found.parent not in masters)
    ]
    return [found for found in lowest if found.ports] or lowest


def _is_master(one: Candidate) -> bool:
    """Whether its workers serve, and not the process itself."""
    words = one.command
    return "gunicorn" in words or "--workers" in words or "--reload" in words


def _process(pid: int) -> tuple[psutil.Process, Candidate]:
    try:
        process = psutil.Process(pid)
        user = process.uids().real
        if user != os.getuid():
            raise InputError(
                f"{pid} is a process of another user ({process.username()}).\n"
                "Run loopviz as that user: it exchanges data with its own user's processes only."
            )
        one = described(process)
    except (psutil.NoSuchProcess, OverflowError, ValueError):
        raise InputError(f"There is no process {pid}.\n{_LIST}") from None
    except psutil.AccessDenied:
        raise InputError(f"The system does not permit to look at {pid}.\n{_LIST}") from None
    if one is None:
        raise InputError(f"{pid} does not run Python.\n{_LIST}")
    return process, one


def _at(path: Path, pid: int = 0, *, serving: bool = False) -> Reached:
    if not path.is_socket():
        raise InputError(f"{path} is neither a process number nor a socket.\n{_LIST}")
    if not private(path.parent):
        raise InputError(
            f"{path.parent} is not a folder that only this user can enter, so {path.name} is not trusted.\n"
            "Run loopviz as the user of the server."
        )
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(5.0)
        connection.connect(os.fspath(path))
        connection.settimeout(None)
    except OSError as error:
        connection.close()
        raise InputError(f"Nobody listens at {path}: {error.strerror or error}.\n{_LIST}") from None
    return _greeted(connection, pid, serving=serving)


def _greeted(connection: socket.socket, pid: int, *, serving: bool = False) -> Reached:
    uid = peer_uid(connection)
    if uid not in {None, os.getuid()}:
        connection.close()
        raise InputError(f"The server is a process of another user ({uid}).\nRun loopviz as that user.")
    try:
        connection.sendall(encode((CALL, 0, WATCH, (serving,))))
    except OSError:
        connection.close()
        raise InputError(f"The server has ended.\n{_LIST}") from None
    return Reached(connection, pid)
