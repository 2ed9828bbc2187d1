"""The fields of events: the name, type, unit and range of each, stated once.

A type checker sees the plain types, ``int`` and ``str``; `loopviz.stream.schema` reads the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

__all__ = ["About", "Field", "Role"]

Unit: TypeAlias = Literal["", "number", "ns", "clock"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a type checker does not know of a field."""

    name: str
    meaning: str
    unit: Unit = ""
    """``number``: it names something, from 1, or is 0 for "none"; ``ns``: a duration in nanoseconds;
    ``clock``: a moment, in nanoseconds of `loopviz.clock`."""
    least: int = 0
    """The smallest value of an integer."""
    past: bool = False
    """Whether it is a moment that is not after the event's own time."""


@dataclass(frozen=True, slots=True)
class About:
    """What a type checker does not know of a kind of event."""

    meaning: str
    group: str
    """The heading in ``docs/events.md``."""
    since: int = 1
    """The first version of recordings that has this kind."""
    keeps_texts: bool = False
    """Whether a timeline keeps its texts, so that a reader shares equal ones: they are few, and repeated."""


Role: TypeAlias = Literal["loop", "worker", "process"]

Time: TypeAlias = Annotated[int, Field("t", "when it happened", "clock", least=1)]

# What an event refers to by number.
Request: TypeAlias = Annotated[
    int, Field("request", "the request, by the number that the screen shows: #9", "number")
]
Task: TypeAlias = Annotated[int, Field("task", "the task", "number")]
Parent: TypeAlias = Annotated[int, Field("parent", "the task that has created it", "number")]
Call: TypeAlias = Annotated[int, Field("call", "the call in a worker thread or worker process", "number")]
Thread: TypeAlias = Annotated[int, Field("thread", "the thread or worker process", "number")]

# A line of source code.
File: TypeAlias = Annotated[str, Field("file", "the path of the source file, or empty")]
Line: TypeAlias = Annotated[int, Field("line", "the line in it, from 1, or 0")]
Function: TypeAlias = Annotated[str, Field("function", "the qualified name of the function")]
Calls: TypeAlias = Annotated[str, Field("calls", "the function called at that line (`time.sleep`), or empty")]

# Requests.
Method: TypeAlias = Annotated[str, Field("method", "the HTTP method")]
Path: TypeAlias = Annotated[str, Field("path", "the path of the URL")]
Arrived: TypeAlias = Annotated[
    int, Field("arrived", "when it reached the machine; 0 if that is not known", "clock")
]
Status: TypeAlias = Annotated[int, Field("status", "the status code of the response")]
StatusOrNone: TypeAlias = Annotated[
    int | None, Field("status", "the status code; null if there was no response")
]
Error: TypeAlias = Annotated[str | None, Field("error", "the client's error; null if there was none")]
ExceptionName: TypeAlias = Annotated[str, Field("name", "the class of the exception")]
Message: TypeAlias = Annotated[str, Field("message", "the text of the exception, at most 200 characters")]

# Tasks.
Coroutine: TypeAlias = Annotated[str, Field("name", "the qualified name of its coroutine")]
Awaited: TypeAlias = Annotated[
    str, Field("awaited", "the type of the future it awaits; empty if it only yields, as `sleep(0)` does")
]
AwaitedOrNone: TypeAlias = Annotated[
    str | None, Field("awaited", "as in `yield`; null if it was the task's last step")
]
Due: TypeAlias = Annotated[
    int, Field("due", "when the timer that it awaits is due; 0 if it awaits no timer", "clock")
]
Woken: TypeAlias = Annotated[
    int, Field("woken", "when the step was scheduled; 0 if that is not known", "clock", past=True)
]
Began: TypeAlias = Annotated[int, Field("began", "when the step began", "clock", least=1, past=True)]
Since: TypeAlias = Annotated[int, Field("since", "since when", "clock")]
Callback: TypeAlias = Annotated[
    int, Field("callback", "the callback; 0 where one callback cannot be told from the next", "number")
]

# Threads and processes.
Total: TypeAlias = Annotated[int, Field("total", "the thread limit; -1 for no limit", least=-1)]
Borrowed: TypeAlias = Annotated[int, Field("borrowed", "threads in use")]
Waiting: TypeAlias = Annotated[int, Field("waiting", "tasks that wait for a thread")]
ThreadRole: TypeAlias = Annotated[Role, Field("role", "what it does for the server")]
Used: TypeAlias = Annotated[int, Field("used", "CPU time that it has used since it began", "ns")]
