"""The events: the only thing that passes from the code that measures to the code that shows.

An event is a plain tuple ``(t, kind, *fields)``. A tuple costs a fifth of a dataclass to make, and
the observed program pays for every one, so nothing is checked when an event is emitted. Instead each
kind is declared here as a type: the type checker compares every hook with it, `loopviz.stream.schema`
derives what recordings are checked against, and ``docs/events.md`` is generated from it.

Fields are integers, strings or None, so that an event can be written to a file as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, cast

from loopviz.stream import fields as f
from loopviz.stream.fields import About, Change, Direction, PoolKind, Role, TimerHeader, Turn
from loopviz.stream.several import marked, marks

__all__ = ["Change", "Direction", "Event", "PoolKind", "Role", "TimerHeader", "Turn", "expand", "of_worker"]

# -- the client ----------------------------------------------------------------------------------

_CLIENT = "loopviz's own client"

FIRED: Final = "fired"
FiredEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["fired"], f.Press, f.ScenarioName, f.First, f.Count, f.ThreadLimit],
    About(
        "A key press, or one burst of a command: the client is about to send these requests of a scenario."
        " Requests of other clients have numbers of their own.",
        _CLIENT,
        keeps_texts=True,
    ),
]
SENT: Final = "sent"
SentEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["sent"], f.Request, f.Method, f.Path],
    About("The client passes the request to the kernel.", _CLIENT, keeps_texts=True),
]
RECEIVED: Final = "received"
ReceivedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["received"], f.Request, f.StatusOrNone, f.Error],
    About("The client has the whole answer, or has failed.", _CLIENT),
]
CLAIMED: Final = "claimed"
ClaimedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["claimed"], f.Request, f.Claimed, f.HeaderOfTimer],
    About("The answer has a header in which a timer of the server says how long it took.", _CLIENT),
]

HEALTH: Final = "health"
HealthEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["health"], f.ProbeSent, f.ProbeTook, f.ProbeOk, f.ProbeWhy],
    About(
        "A health probe is sent, is answered, or has failed. It is no request: it has no number, and what the"
        " server does for it belongs to a task of no request.",
        _CLIENT,
        keeps_texts=True,
    ),
]
PROBING: Final = "probing"
ProbingEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["probing"], f.ProbePath, f.ProbeTimeout],
    About("From now on health probes are sent, or no more.", _CLIENT, keeps_texts=True),
]

# -- requests, as the server sees them -----------------------------------------------------------

_REQUESTS = "Requests, as the server sees them"

READ: Final = "read"
ReadEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["read"], f.Request, f.Method, f.Path, f.Arrived],
    About("The server has read the first byte of the request.", _REQUESTS, keeps_texts=True),
]
BEHIND: Final = "behind"
BehindEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["behind"], f.Request],
    About(
        "The request has been read, and waits for the response before it on its connection (pipelining).",
        _REQUESTS,
    ),
]
STATUS: Final = "status"
StatusEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["status"], f.Request, f.Status],
    About("The application sends the head of the response.", _REQUESTS),
]
RAISED: Final = "raised"
RaisedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["raised"], f.Request, f.ExceptionName, f.Message],
    About(
        "The application has raised an exception, and did not handle it, or answers with a status from 500.",
        _REQUESTS,
    ),
]
RESPONDED: Final = "responded"
RespondedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["responded"], f.Request],
    About("The server has passed the last byte of the response to the kernel.", _REQUESTS),
]
SENDING: Final = "sending"
SendingEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["sending"], f.Request],
    About(
        "The application has passed on the last byte of the response, and not all of it has left yet: "
        "the client does not take it. `responded` or `abandoned` follows.",
        _REQUESTS,
    ),
]
WRITABLE: Final = "writable"
WritableEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["writable"], f.Request],
    About(
        "The client could take more of the response, and the event loop is too busy to write it. `sending` "
        "follows when it is not.",
        _REQUESTS,
    ),
]
ABANDONED: Final = "abandoned"
AbandonedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["abandoned"], f.Request],
    About("The client has gone before it has taken the whole response.", _REQUESTS),
]

MESSAGE: Final = "message"
MessageEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["message"], f.Request, f.MessageWay, f.MessageSize],
    About("The application has received a WebSocket message, or sends one.", _REQUESTS),
]
CLOSED: Final = "closed"
ClosedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["closed"], f.Request, f.CloseCode],
    About("The application closes its WebSocket, or learns that it is closed.", _REQUESTS),
]

# -- tasks on the server's loop ------------------------------------------------------------------

_TASKS = "Tasks on the server's event loop"

TASK: Final = "task"
TaskEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["task"], f.Task, f.Parent, f.Request, f.Coroutine],
    About("The task is created, and its first step is scheduled.", _TASKS),
]
WAKE: Final = "wake"
WakeEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["wake"], f.Task],
    About("The next step of the task is scheduled: what it awaited is done.", _TASKS),
]
LATE_WAKE: Final = "late-wake"
LateWakeEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["late-wake"], f.Task, f.Since],
    About(
        "The loop notices only now that the task can run since `since`: a thread or a socket has said so"
        " while the loop was busy.",
        _TASKS,
    ),
]
STEP: Final = "step"
StepEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["step"], f.Task],
    About("A step of the task begins.", _TASKS),
]
RAN: Final = "ran"
RanEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["ran"], f.Task, f.Woken, f.Began, f.AwaitedOrNone, f.Due],
    About("A step of the task ends. It stands for `wake`, `step`, and `yield` or `end`.", _TASKS),
]
YIELD: Final = "yield"
YieldEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["yield"], f.Task, f.Awaited, f.Due],
    About("The step ends at an `await`.", _TASKS),
]
END: Final = "end"
EndEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["end"], f.Task],
    About("The last step of the task ends.", _TASKS),
]
AWAITS_TASK: Final = "awaits-task"
AwaitsTaskEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["awaits-task"], f.Task, f.Other, f.Awaits],
    About(
        "The suspended task awaits the other task, directly, by `gather` or `wait`, or in its task group; or"
        " it does not. Until this is reported, a task counts as awaited by the one that created it. With 0"
        " for the task: a callback has created the other one.",
        _TASKS,
    ),
]
CLIENT_WAIT: Final = "client-wait"
ClientWaitEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["client-wait"], f.Task, f.WaitsFor],
    About("The step of the task will end at an `await` of its request's client.", _TASKS),
]

# -- worker threads and worker processes ---------------------------------------------------------

_WORKERS = "Worker threads and worker processes"

TOKEN_WAIT: Final = "token-wait"
TokenWaitEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["token-wait"], f.Task],
    About("The task needs a thread, and has to wait because the thread limit is reached.", _WORKERS),
]
TOKENS: Final = "tokens"
TokensEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["tokens"], f.Total, f.Borrowed, f.Waiting],
    About("The default capacity limiter of AnyIO has changed.", _WORKERS),
]
POOL: Final = "pool"
PoolEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["pool"], f.Pool, f.KindOfPool, f.PoolName, f.PoolSize],
    About("A pool is used for the first time, or its size has changed.", _WORKERS, keeps_texts=True),
]
POOL_CALL: Final = "pool-call"
PoolCallEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["pool-call"], f.Call, f.Task, f.Pool],
    About(
        "The task hands the call to an executor (`submit` reports the same call), or (call 0) it needs a "
        "thread of a limiter: it has to wait for one (`token-wait` follows), or has got one of another "
        "limiter than the default one.",
        _WORKERS,
    ),
]
SUBMIT: Final = "submit"
SubmitEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["submit"], f.Call, f.Task, f.Request],
    About("The call is submitted to an executor.", _WORKERS),
]
CALL: Final = "call"
CallEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["call"], f.Call, f.Task, f.Request, f.Thread, f.File, f.Line, f.Function],
    About("The call begins in a worker.", _WORKERS, keeps_texts=True),
]
AWAITS_CALL: Final = "awaits-call"
AwaitsCallEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["awaits-call"], f.Task, f.Call, f.Awaits],
    About(
        "The suspended task awaits the call that it has submitted; or it does not. Until this is reported, a"
        " call counts as awaited.",
        _WORKERS,
    ),
]
RETURN: Final = "return"
ReturnEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["return"], f.Call],
    About("The call has returned or raised.", _WORKERS),
]
RESULT: Final = "result"
ResultEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["result"], f.Call, f.Task],
    About("The result of a worker process has arrived; or no worker will execute the call.", _WORKERS),
]
THREAD: Final = "thread"
ThreadEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["thread"], f.Thread, f.ThreadRole],
    About("A thread or worker process is seen for the first time.", _WORKERS),
]
CPU: Final = "cpu"
CpuEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["cpu"], f.Thread, f.Used],
    About("A reading of the CPU clock of a thread or worker process.", _WORKERS),
]
PROCESS: Final = "process"
ProcessEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["process"], f.Thread, f.ProcessName, f.ChangeOfProcess, f.Reason],
    About(
        "A helper process of loopviz, or a worker process of the application, has ended,"
        " or was started again.",
        _WORKERS,
    ),
]
STOPPED: Final = "stopped"
StoppedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["stopped"], f.KeptSince],
    About("The whole program goes on after a stop (ctrl+z, SIGSTOP), in which nothing ran.", _WORKERS),
]

# -- the workers of the server -------------------------------------------------------------------

_SERVER = "The workers of the server"

WORKER: Final = "worker"
WorkerEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["worker"], f.Worker, f.Pid, f.TurnOfWorker, f.Reason],
    About(
        "A worker of a server with several, a process with an event loop of its own, was started or has"
        " ended. The kind of its other events has its number: `step@1`.",
        _SERVER,
    ),
]

# -- the loop ------------------------------------------------------------------------------------

_LOOP = "The event loop"

IDLE: Final = "idle"
IdleEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["idle"]],
    About("The loop has nothing to run, and sleeps in its selector.", _LOOP),
]
ITERATION: Final = "iteration"
IterationEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["iteration"]],
    About("The selector has returned, and an iteration of the loop begins.", _LOOP),
]

GIL: Final = "gil"
GilEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["gil"], f.KeptSince, f.Keeper, f.File, f.Line, f.Function],
    About(
        "Until now the sampler could not run, because a thread kept the GIL; the loop could not run either.",
        _LOOP,
        keeps_texts=True,
    ),
]
KEEPS: Final = "keeps"
KeepsEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["keeps"], f.KeptSince, f.PresentKeeper, f.File, f.Line, f.Function, f.Calls],
    About(
        "Seen from another process, while it lasts: the thread keeps the GIL at this line, and nothing else"
        " runs. With the thread 0: that is over.",
        _LOOP,
        keeps_texts=True,
    ),
]
SWITCHED: Final = "switched"
SwitchedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["switched"], f.Thread, f.Switched],
    About("A reading of how often the thread has gone to sleep, as a limit of its wait for the GIL.", _LOOP),
]
WAITED: Final = "waited"
WaitedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["waited"], f.Thread, f.Core, f.Late],
    About("A reading of how long the thread has waited for a core, and the sampler for the GIL.", _LOOP),
]

# -- samples, taken while something lasts --------------------------------------------------------

_SAMPLES = "Samples, taken from outside while something lasts"

HOLDS: Final = "holds"
HoldsEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["holds"], f.Task, f.Since, f.File, f.Line, f.Function, f.Calls],
    About("A step of the task, or a callback (0), holds the loop at this line.", _SAMPLES, keeps_texts=True),
]
CALLBACK: Final = "callback"
CallbackEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["callback"], f.Callback, f.Request, f.Since],
    About(
        "What holds the loop now is this callback, called for the request. No step has run since `since`,"
        " but perhaps other callbacks.",
        _SAMPLES,
    ),
]
EXECUTES: Final = "executes"
ExecutesEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["executes"], f.Call, f.File, f.Line, f.Function],
    About("The call in a worker thread is at this line.", _SAMPLES, keeps_texts=True),
]
WITHIN: Final = "within"
WithinEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["within"], f.Call, f.File, f.Line, f.Function, f.Calls],
    About(
        "The call in a worker thread is in a library's function, which was called for this line.",
        _SAMPLES,
        keeps_texts=True,
    ),
]
HANDLER: Final = "handler"
HandlerEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["handler"], f.Request, f.File, f.Line, f.Function],
    About(
        "The function that answers the request is defined there, with its decorators.",
        _SAMPLES,
        keeps_texts=True,
    ),
]
FRAMES: Final = "frames"
FramesEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["frames"], f.Task, f.Call, f.Frames],
    About(
        "The frames of what the next sample of the task, or else of the call, is about. They stay the same"
        " until the next event of this kind.",
        _SAMPLES,
        keeps_texts=True,
    ),
]
AWAITS: Final = "awaits"
AwaitsEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["awaits"], f.Task, f.File, f.Line, f.Function],
    About("The task is suspended at the `await` in this line.", _SAMPLES, keeps_texts=True),
]
AWAITED: Final = "awaited"
AwaitedEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["awaited"], f.Task, f.What, f.AwaitedName, f.Holder],
    About("What the suspended task awaits, and who holds it.", _SAMPLES, keeps_texts=True),
]

# -- source code ---------------------------------------------------------------------------------

SOURCE: Final = "source"
SourceEvent: TypeAlias = Annotated[
    tuple[f.Time, Literal["source"], f.File, f.FirstLine, f.SourceText],
    About(
        "Lines of a source file, for those who read the recording without it. A long file has several.",
        "Source code",
    ),
]

Event: TypeAlias = Union[  # noqa: UP007 - with |, each would be compared with all before it
    FiredEvent, SentEvent, ReceivedEvent, ClaimedEvent, HealthEvent, ProbingEvent,
    ReadEvent, BehindEvent, StatusEvent, RaisedEvent, RespondedEvent, SendingEvent, WritableEvent,
    AbandonedEvent,
    MessageEvent, ClosedEvent,
    TaskEvent, WakeEvent, LateWakeEvent, StepEvent, RanEvent, YieldEvent, EndEvent,
    AwaitsTaskEvent, ClientWaitEvent,
    TokenWaitEvent, TokensEvent, PoolEvent, PoolCallEvent,
    SubmitEvent, CallEvent, AwaitsCallEvent, ReturnEvent, ResultEvent,
    ThreadEvent, CpuEvent, ProcessEvent, StoppedEvent,
    WorkerEvent,
    IdleEvent, IterationEvent, GilEvent, KeepsEvent, SwitchedEvent, WaitedEvent,
    HoldsEvent, CallbackEvent, ExecutesEvent, WithinEvent, AwaitsEvent, AwaitedEvent,
    HandlerEvent, FramesEvent, SourceEvent,
]  # fmt: skip
"""An event of any kind."""


_EXPANDED: Final[dict[str, tuple[Any, ...]]] = {
    ran: tuple(marked(kind, worker) for kind in (WAKE, STEP, END, YIELD))
    for ran, worker in ((RAN, 0), *((ran, worker) for ran, _, worker in marks([RAN])))
}
"""What RAN of each worker stands for."""


def expand(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, with every RAN replaced by what it stands for: WAKE, STEP, and YIELD or END.

    A step is reported once, when it is over, because one tuple costs the observed loop a third of
    three. A step that lasts long is also reported by the sampler while it lasts (WAKE and HOLDS),
    and so a WAKE can occur twice, with the same time.
    """
    expanded = _EXPANDED
    event: Any
    for event in events:
        kinds = expanded.get(event[1])
        if kinds is None:
            yield event
            continue
        wake, step, end, suspend = kinds
        ended, _, task, woken, began, awaited, due = event
        if woken:
            yield (woken, wake, task)
        yield (began, step, task)
        yield (ended, end, task) if awaited is None else (ended, suspend, task, awaited, due)


def of_worker(events: Collection[Event], worker: int) -> list[Event]:
    """The same events as those of this worker; see `loopviz.stream.several`."""
    if not worker:
        return list(events)
    kinds = {kind: marked(kind, worker) for kind in {event[1] for event in events}}
    return [cast("Event", (event[0], kinds[event[1]], *event[2:])) for event in events]
