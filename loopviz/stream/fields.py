"""The fields of events: the name, type, unit and range of each, stated once.

A type checker sees the plain types, ``int`` and ``str``; `loopviz.stream.schema` reads the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

__all__ = [
    "WEBSOCKET",
    "About",
    "Change",
    "Direction",
    "Field",
    "PoolKind",
    "Role",
    "TimerHeader",
    "Turn",
    "Way",
]

WEBSOCKET: Final = "WS"
"""What stands for the method of a request that asks for a WebSocket: the request is the whole connection."""

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
Way: TypeAlias = Literal["received", "sent"]
PoolKind: TypeAlias = Literal["default-limiter", "limiter", "default-executor", "executor", "processes"]
Direction: TypeAlias = Literal["receiving", "sending"]
TimerHeader: TypeAlias = Literal["X-Process-Time", "Server-Timing"]
Change: TypeAlias = Literal["ended", "restarted", "given up"]
Turn: TypeAlias = Literal["started", "ended"]

Time: TypeAlias = Annotated[int, Field("t", "when it happened", "clock", least=1)]

# What an event refers to by number.
Request: TypeAlias = Annotated[
    int, Field("request", "the request, by the number that the screen shows: #9", "number")
]
Task: TypeAlias = Annotated[int, Field("task", "the task", "number")]
Parent: TypeAlias = Annotated[int, Field("parent", "the task that has created it", "number")]
Call: TypeAlias = Annotated[int, Field("call", "the call in a worker thread or worker process", "number")]
Pool: TypeAlias = Annotated[int, Field("pool", "the pool of workers: a limiter or an executor", "number")]
Thread: TypeAlias = Annotated[int, Field("thread", "the thread or worker process", "number")]

# A line of source code.
File: TypeAlias = Annotated[str, Field("file", "the path of the source file, or empty")]
Line: TypeAlias = Annotated[int, Field("line", "the line in it, from 1, or 0")]
Function: TypeAlias = Annotated[str, Field("function", "the qualified name of the function")]
Calls: TypeAlias = Annotated[str, Field("calls", "the function called at that line (`time.sleep`), or empty")]

Frames: TypeAlias = Annotated[
    str,
    Field(
        "frames",
        "the user's frames and a library's inside of the last of them, outermost first, at most 20, each in a"
        " line of text: line, function and file, separated by tabs; empty where there is but one",
    ),
]
FirstLine: TypeAlias = Annotated[
    int, Field("first", "the line of the file that the text begins with", least=1)
]
SourceText: TypeAlias = Annotated[str, Field("text", "lines of the file, as it was when they were executed")]

# Bursts.
Press: TypeAlias = Annotated[int, Field("press", "the burst, by the number of its key press: from 1")]
ScenarioName: TypeAlias = Annotated[str, Field("scenario", "the name of the scenario")]
First: TypeAlias = Annotated[int, Field("first", "the number of its first request")]
Count: TypeAlias = Annotated[int, Field("count", "how many requests it has; their numbers follow", least=1)]
ThreadLimit: TypeAlias = Annotated[int, Field("threads", "the thread limit at this moment")]

# Requests.
Method: TypeAlias = Annotated[str, Field("method", "the HTTP method; `WS` for a WebSocket")]
Path: TypeAlias = Annotated[str, Field("path", "the path of the URL")]
Arrived: TypeAlias = Annotated[
    int, Field("arrived", "when it reached the machine; 0 if that is not known", "clock")
]
Status: TypeAlias = Annotated[int, Field("status", "the status code of the response")]
StatusOrNone: TypeAlias = Annotated[
    int | None, Field("status", "the status code; null if there was no response")
]
Error: TypeAlias = Annotated[str | None, Field("error", "the client's error; null if there was none")]
Claimed: TypeAlias = Annotated[int, Field("claimed", "the time that the server says it has taken", "ns")]
HeaderOfTimer: TypeAlias = Annotated[TimerHeader, Field("header", "the header of the answer that says so")]
ExceptionName: TypeAlias = Annotated[str, Field("name", "the class of the exception")]
Message: TypeAlias = Annotated[str, Field("message", "the text of the exception, at most 200 characters")]

# WebSockets.
MessageWay: TypeAlias = Annotated[Way, Field("direction", "by the application: `received` or `sent`")]
MessageSize: TypeAlias = Annotated[int, Field("size", "bytes of the message, without its frames")]
CloseCode: TypeAlias = Annotated[int, Field("code", "the close code, such as 1000")]

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
What: TypeAlias = Annotated[
    str, Field("what", "the kind of thing that it awaits: `timer`, `lock`, `socket` or another word")
]
AwaitedName: TypeAlias = Annotated[
    str,
    Field(
        "name",
        "its name among others of its kind, or empty; of a thread: dependency, if FastAPI calls one there",
    ),
]
Holder: TypeAlias = Annotated[
    int, Field("holder", "the task that holds it, where it is a lock and that can be seen", "number")
]
Woken: TypeAlias = Annotated[
    int, Field("woken", "when the step was scheduled; 0 if that is not known", "clock", past=True)
]
Began: TypeAlias = Annotated[int, Field("began", "when the step began", "clock", least=1, past=True)]
Other: TypeAlias = Annotated[int, Field("other", "the other task", "number")]
Awaits: TypeAlias = Annotated[
    int, Field("awaits", "1 if it is awaited, 2 if it is in a task group of the task, 0 if neither")
]
Since: TypeAlias = Annotated[int, Field("since", "since when", "clock")]
Callback: TypeAlias = Annotated[
    int,
    Field("callback", "the callback; 0 where one callback cannot be distinguished from the next", "number"),
]

# Health probes.
ProbeSent: TypeAlias = Annotated[int, Field("sent", "when the probe was sent", "clock", least=1, past=True)]
ProbeTook: TypeAlias = Annotated[
    int | None, Field("took", "how long its answer took; null if there is none, or none yet", "ns")
]
ProbeOk: TypeAlias = Annotated[
    int | None,
    Field("ok", "1: answered in time, with a status below 400; 0: it has failed; null: it has been sent"),
]
ProbeWhy: TypeAlias = Annotated[str, Field("why", "why it has failed: `status 503`; else empty")]
ProbePath: TypeAlias = Annotated[str, Field("path", "what the probes ask for; empty: no more are sent")]
ProbeTimeout: TypeAlias = Annotated[
    int, Field("timeout", "a probe without an answer by then has failed", "ns")
]

WaitsFor: TypeAlias = Annotated[
    Direction,
    Field("direction", "`receiving`: for bytes of the body; `sending`: that the client takes the response"),
]

# Threads and processes.
Total: TypeAlias = Annotated[int, Field("total", "the thread limit; -1 for no limit", least=-1)]
Borrowed: TypeAlias = Annotated[int, Field("borrowed", "threads in use")]
Waiting: TypeAlias = Annotated[int, Field("waiting", "tasks that wait for a thread")]
KindOfPool: TypeAlias = Annotated[
    PoolKind,
    Field(
        "kind",
        "AnyIO's default limiter, another one, asyncio's default executor, another one, or one of processes",
    ),
]
PoolName: TypeAlias = Annotated[
    str, Field("name", "the prefix of its threads' names, or the executor's class; empty for a limiter")
]
PoolSize: TypeAlias = Annotated[
    int, Field("size", "the most workers that it has; -1 if it has no limit, or it is not known", least=-1)
]
ThreadRole: TypeAlias = Annotated[Role, Field("role", "what it does for the server")]
Keeper: TypeAlias = Annotated[
    int, Field("thread", "the thread that kept it; 0 if several did, or if none can be named", "number")
]
PresentKeeper: TypeAlias = Annotated[
    int, Field("thread", "the thread that keeps it, perhaps one that does nothing for the server", "number")
]
KeptSince: TypeAlias = Annotated[int, Field("since", "since when", "clock", past=True)]
Core: TypeAlias = Annotated[int, Field("core", "how long it could have run, but no core was free", "ns")]
Switched: TypeAlias = Annotated[int, Field("switched", "the most that it can have waited for the GIL", "ns")]
Late: TypeAlias = Annotated[int, Field("late", "how long the sampler has waited for the GIL", "ns")]
Used: TypeAlias = Annotated[int, Field("used", "CPU time that it has used since it began", "ns")]
ProcessName: TypeAlias = Annotated[
    str, Field("name", "what the helper process is; empty for a worker process of the application")
]
ChangeOfProcess: TypeAlias = Annotated[
    Change, Field("change", "it has ended, was started again after that, or is not started again")
]
Reason: TypeAlias = Annotated[str, Field("reason", "the signal or the exit code, or an error")]

# The workers of a server.
Worker: TypeAlias = Annotated[int, Field("worker", "the worker, from 0: the screen calls it `a`")]
Pid: TypeAlias = Annotated[int, Field("pid", "the number of its process; 0 if that is not known")]
TurnOfWorker: TypeAlias = Annotated[Turn, Field("change", "it was started, or has ended")]
