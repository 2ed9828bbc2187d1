"""The kinds of messages, and what each one has.

From a watched process to a viewer:

| kind | fields |
|---|---|
| `hello` | a dictionary, see `Hello` |
| `events` | new events, events accepted, events dropped, CPU time of the probe (ns), failures |
| `blind` | all that cannot be seen there: pairs of what and why |
| `serving` | what the application offers: routes as `loopviz.target` describes them |
| `failed` | why the server did not start, and what can be done |
| `stopped` | what has ended the server, other than a viewer |
| `reply` | the number of the call, the error in words or None, whether it is an `InputError`, the result |

From a viewer to the process: `call` with a number, a name and a tuple of arguments. A call with the number
0 has no reply.

An `events` message comes at least every `HEARTBEAT` seconds, even without events: a process that is silent
for longer cannot execute Python.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

__all__ = [
    "BLIND",
    "CALL",
    "EVENTS",
    "FAILED",
    "HEARTBEAT",
    "HELLO",
    "PROTOCOL",
    "REPLY",
    "SERVING",
    "STOPPED",
    "Hello",
]

PROTOCOL: Final = 1
"""Raised when a program of before could not understand what is said."""
HEARTBEAT: Final = 0.05

HELLO: Final = "hello"
EVENTS: Final = "events"
BLIND: Final = "blind"
SERVING: Final = "serving"
FAILED: Final = "failed"
STOPPED: Final = "stopped"
REPLY: Final = "reply"
CALL: Final = "call"


class Hello(TypedDict, total=False):
    """What a process says first."""

    protocol: int
    pid: int
    worker: int
    """Its number among several, from 0."""
    environment: dict[str, Any]
    """The fields of `loopviz.stream.source.Environment`."""
    address: str
    """Where it listens; empty if that is not known."""
    threads: int
    """The thread limit."""
    loop_thread: int
    """The native id of the loop's thread; 0 if it is not known."""
    own: list[str]
    """Files and folders whose code counts as the user's."""
    signal: int
    """The signal that brings the stacks of all threads; 0 if there is none."""
    reporter: int
    """The native id of the thread that reports."""
    libraries: list[str]
    """Folders of libraries, where its Python is another one."""
