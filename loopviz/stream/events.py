"""The event stream: the only thing that crosses from measuring to telling.

An event is a plain tuple ``(t, kind, *fields)``: ``t`` in nanoseconds of `loopviz.clock`, ``kind``
one of the constants below, fields as listed beside it. A tuple costs a fifth of a dataclass to
make, and the observed program pays for every one. Fields are ints, strings or None, so that an
event can be written to a file as it is.

Numbers name things: ``request`` is the number the screen shows (#9); ``task``, ``call`` and
``thread`` count from 1; 0 stands for "none". ``file, line, function`` name a source line.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

Event: TypeAlias = tuple[Any, ...]
"""``(t, kind, *fields)``; see the constants of this module for the fields of each kind."""

# The client's own load.
SENT: Final = "sent"  # request, method, path: the client hands the request to the kernel
RECEIVED: Final = "received"  # request, status | None, error | None: the client has the answer

# Requests, as the server sees them.
READ: Final = "read"  # request, method, path, arrived (ns; 0 unknown): its first byte is read
STATUS: Final = "status"  # request, status: the response's head is sent
RAISED: Final = "raised"  # request, exception name, message: the app let an exception out
RESPONDED: Final = "responded"  # request: the last byte is handed to the kernel

# Tasks on the server's loop.
TASK: Final = "task"  # task, parent task, request, name: created, and scheduled to run
WAKE: Final = "wake"  # task: scheduled to run again, what it awaited is done
STEP: Final = "step"  # task: a step of it begins
RAN: Final = "ran"  # task, woken (ns; 0 not known), began (ns), awaited | None, due: see `expand`
YIELD: Final = "yield"  # task, awaited (a type's name), due (ns; 0 none): the step ends at an await
END: Final = "end"  # task: its last step ends

# Worker threads and worker processes, and the tokens that limit threads.
TOKEN_WAIT: Final = "token-wait"  # task: it wants a token for a worker thread and must wait
TOKENS: Final = "tokens"  # total, borrowed, waiting: the default limiter, after a change
SUBMIT: Final = "submit"  # call, task, request: handed to an executor of the loop
CALL: Final = "call"  # call, task, request, thread, file, line, function: begins there
RETURN: Final = "return"  # call: it has returned, or raised
RESULT: Final = "result"  # call, task: a process's result is here (it has returned, or never will)
THREAD: Final = "thread"  # thread, role ("loop" | "worker" | "process"): seen for the first time
CPU: Final = "cpu"  # thread, cpu (ns): that thread's, or process's, CPU clock

# The loop.
IDLE: Final = "idle"  # the loop has nothing to run, and sleeps in its selector
ITERATION: Final = "iteration"  # the selector has returned: an iteration begins

# What the sampler sees from outside, while it lasts.
HOLDS: Final = "holds"  # task, since (ns), file, line, function, calls ("time.sleep"): holds the loop
EXECUTES: Final = "executes"  # call, file, line, function: where a worker thread's call is
AWAITS: Final = "awaits"  # task, file, line, function: the await at which a task is suspended


def expand(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, with every RAN told as what it stands for: WAKE, STEP, and YIELD or END.

    A step is told once, when it is over, because one tuple costs the observed loop a third of
    three. What lasts does not wait for that: the sampler tells of it meanwhile (WAKE and HOLDS),
    and then it is told twice, at the same time.
    """
    for event in events:
        if event[1] != RAN:
            yield event
            continue
        ended, _, task, woken, began, awaited, due = event
        if woken:
            yield (woken, WAKE, task)
        yield (began, STEP, task)
        yield (ended, END, task) if awaited is None else (ended, YIELD, task, awaited, due)
