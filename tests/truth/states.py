"""What a request truly did: its states, computed from stamps that the application itself has taken.

Nothing of loopviz's probe or model is used here. An *actor* is one coroutine of an application: the handler
of a request, or a child task. It is suspended or it runs; what it awaits, and when that was done, decides the
rest. The state of a request is that of its root actor; while that awaits children, the most active of them
counts. What an actor merely started does not.

Times are nanoseconds of the monotonic clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

__all__ = ["GONE", "Stamp", "Stretch", "Truth"]

Stamp: TypeAlias = tuple[Any, ...]
"""``(t, kind, *fields)``:

===========  ====================  ====================================================================
kind         fields                meaning
===========  ====================  ====================================================================
``read``     request               the server has the bytes of the request
``root``     request, actor        the actor is the request's handler
``begin``    actor, parent,        the actor's task is created. The parent will await it; the starter
             starter               will not (0: there is none)
``promise``  actor, child          the actor will await the child, although it does not yet ...
``break``    actor, child          ... and it will not
``resume``   actor                 it runs
``suspend``  actor, word, *what    it awaits ``("sleep", due, length)``, ``("signal",)``, ``("turn",)`` (it
                                   gives way), ``("token",)`` of AnyIO's limiter, ``("call", number)``,
                                   ``("handed", number)`` by AnyIO to a thread that is free, or
                                   ``("children", numbers)``, all of them
``woken``    actor                 what it awaits is done: somebody has just set the future
``end``      actor                 its last step is over
``bound``    actor, key, from,     it may be cancelled from then on, and what it awaits with it: by a
             how                   "task", or by a "scope" of AnyIO that does not end calls ...
``free``     key                   ... until now
``call``     call                  the call begins in a worker thread
``return``   call                  it ends there
``done``     request               the last byte of the response is sent
===========  ====================  ====================================================================
"""

GONE = "gone"
"""The "state" of a request that has been answered."""

_PRIORITY = ["running", "in_thread", "ready", "token_wait", "awaiting"]
_FAR = 1 << 62


@dataclass(frozen=True)
class Stretch:
    """A time in one state. `also` are further states that are right: the truth is not known better."""

    start: int
    end: int
    state: str
    also: frozenset[str] = frozenset()


@dataclass
class _Actor:
    """A coroutine, and what it did."""

    parent: int = 0
    starter: int = 0
    starts: list[int] = field(default_factory=list)
    """When each of its stretches began ..."""
    doings: list[tuple[Any, ...] | None] = field(default_factory=list)
    """... and what it awaited in it; an empty tuple while it ran, None from its end on."""
    woken: list[int] = field(default_factory=list)
    promised: dict[int, list[int]] = field(default_factory=dict)
    """Children, and from when until when it was to await them."""
    bounds: list[list[Any]] = field(default_factory=list)
    """From when, until when and how it could be cancelled."""

    def turn(self, t: int, doing: tuple[Any, ...] | None) -> None:
        self.starts.append(t)
        self.doings.append(doing)

    def at(self, t: int) -> tuple[int, tuple[Any, ...] | None]:
        """Since when it does what it does at `t`."""
        i = bisect_right(self.starts, t) - 1
        return (self.starts[i], self.doings[i]) if i >= 0 else (0, None)

    def end(self) -> int:
        return self.starts[-1] if self.doings and self.doings[-1] is None else _FAR


class Truth:
    """The states of an application's requests, from its stamps."""

    def __init__(self, stamps: Iterable[Stamp]) -> None:
        self.actors: defaultdict[int, _Actor] = defaultdict(_Actor)
        self.roots: dict[int, int] = {}
        self.read: dict[int, int] = {}
        self.done: dict[int, int] = {}
        self.begun: dict[int, int] = {}
        self.returned: dict[int, int] = {}
        self._open: dict[int, list[Any]] = {}
        self._edges: set[int] = set()
        for t, kind, *rest in sorted(stamps, key=lambda stamp: stamp[0]):
            self._edges.add(t)
            getattr(self, f"_{kind}")(t, *rest)
        self.edges = sorted(self._edges)

    # -- stamps --------------------------------------------------------------------------------

    def _read(self, t: int, request: int) -> None:
        self.read[request] = t

    def _root(self, t: int, request: int, actor: int) -> None:
        self.roots[request] = actor
        self.actors[actor].turn(self.read.get(request, t), ("turn",))

    def _begin(self, t: int, actor: int, parent: int, starter: int) -> None:
        self.actors[actor].parent = parent
        self.actors[actor].starter = starter
        self.actors[actor].turn(t, ("turn",))

    def _promise(self, t: int, actor: int, child: int) -> None:
        self.actors[actor].promised[child] = [t, _FAR]

    def _break(self, t: int, actor: int, child: int) -> None:
        self.actors[actor].promised[child][1] = t

    def _resume(self, t: int, actor: int) -> None:
        self.actors[actor].turn(t, ())

    def _suspend(self, t: int, actor: int, *on: Any) -> None:
        self.actors[actor].turn(t, on)
        if on[0] == "sleep":
            self._edges |= {on[1], t + on[2]}

    def _woken(self, t: int, actor: int) -> None:
        self.actors[actor].woken.append(t)

    def _end(self, t: int, actor: int) -> None:
        self.actors[actor].turn(t, None)

    def _bound(self, t: int, actor: int, key: int, since: int, how: str) -> None:
        self._open[key] = bound = [since, _FAR, how]
        self.actors[actor].bounds.append(bound)
        self._edges.add(since)

    def _free(self, t: int, key: int) -> None:
        self._open.pop(key)[1] = t

    def _call(self, t: int, number: int) -> None:
        self.begun[number] = t

    def _return(self, t: int, number: int) -> None:
        self.returned[number] = t

    def _done(self, t: int, request: int) -> None:
        self.done[request] = t

    # -- states --------------------------------------------------------------------------------

    def states(self, request: int, start: int, end: int) -> list[Stretch]:
        """The request's states from `start`, when it was sent, to `end`.

        A state is ambiguous where a cancellation was due and the loop had no time for it, where a child
        runs that its parent will await but does not await yet, where AnyIO has handed a call to a free
        thread that has not begun it, and where the thread was stopped while it set a timer.
        """
        read, done = self.read[request], self.done.get(request, _FAR)
        inner = self.edges[bisect_right(self.edges, start) : bisect_right(self.edges, end - 1)]
        found: list[Stretch] = []
        for one, next_one in pairwise([start, *inner, end]):
            if one >= done:
                state, also = GONE, frozenset[str]()
            elif one < read:
                state, also = "queued", frozenset[str]()
            else:
                state, also = self._accepted(self.roots[request], (one + next_one) // 2)
            if found and (found[-1].state, found[-1].also) == (state, also):
                one = found.pop().start  # noqa: PLW2901
            found.append(Stretch(one, next_one, state, also))
        return found

    def running(self) -> list[tuple[int, int, int]]:
        """Start, end and actor of all steps, in the order of their time; there is one loop."""
        found = []
        for number, actor in self.actors.items():
            ends = [*actor.starts[1:], _FAR]
            found += [
                (s, e, number) for s, e, d in zip(actor.starts, ends, actor.doings, strict=True) if d == ()
            ]
        return sorted(found)

    def _accepted(self, root: int, t: int) -> tuple[str, frozenset[str]]:
        state = self._state(root, t)
        other = {
            self._state(root, t, cancelled=cancelled, promised=promised)
            for cancelled in (False, True)
            for promised in (False, True)
        }
        return state, frozenset(other - {state})

    def _state(self, number: int, t: int, *, cancelled: bool = False, promised: bool = False) -> str:
        """The state of an actor; `cancelled` and `promised` choose how ambiguous moments are read."""
        actor = self.actors[number]
        since, doing = actor.at(t)
        if doing is None:
            return GONE
        if not doing:
            return "running"
        children = [child for child, (s, e) in actor.promised.items() if promised and s <= t < e]
        state = self._suspended(actor, since, doing, t)
        if promised and state == "token_wait" and doing[0] == "handed":
            state = "awaiting"
        if (
            promised and doing[0] == "sleep" and t < since + doing[2]
        ):  # the thread was stopped before it slept
            state = "awaiting"
        if state == "awaiting" and doing[0] == "children":
            children += doing[1]
        if cancelled and state not in ("ready", GONE) and self._cancellable(number, t, doing, state):
            state = "ready"
        states = {state} | {
            self._state(child, t, cancelled=cancelled, promised=promised) for child in dict.fromkeys(children)
        }
        return next((state for state in _PRIORITY if state in states), GONE)

    def _suspended(self, actor: _Actor, since: int, doing: tuple[Any, ...], t: int) -> str:
        """The state of a suspended actor, its children left out."""
        word, *what = doing
        if word == "turn" or any(since <= woken <= t for woken in actor.woken):
            return "ready"
        if word in {"call", "handed"}:
            done, state = self.returned.get(what[0], _FAR) <= t, "token_wait"
            if self.begun.get(what[0], _FAR) <= t:
                state = "in_thread"
        else:
            done, state = False, "token_wait" if word == "token" else "awaiting"
            if word == "sleep":
                done = what[0] <= t
            elif word == "children":
                done = all(self.actors[child].end() <= t for child in what[0])
        return "ready" if done else state

    def explain(self, request: int, t: int, said: str) -> str:
        """What may have been taken for the request's state at `t`, in a few words."""
        root = self.roots[request]
        for number, actor in self.actors.items():
            _, until = (
                self.actors[actor.parent].promised.get(number, (0, _FAR)) if actor.parent else (0, _FAR)
            )
            started = actor.starter or until <= t
            if started and self._root_of(number) == root and self._state(number, t) == said:
                return "of a task that it merely started"
        for number, actor in self.actors.items():
            calls = {d[1] for d in actor.doings if d and d[0] in {"call", "handed"}}
            mine = self._root_of(number) == root
            for call in calls if mine else ():
                doing = actor.at(t)[1]
                over = doing is None or doing[1:2] != (call,)
                begun, returned = self.begun.get(call, _FAR), self.returned.get(call, _FAR)
                if over and said == ("in_thread" if begun <= t < returned else "token_wait"):
                    return "of a call that nobody awaits any more"
        words = []
        for number, actor in self.actors.items():
            if self._root_of(number) == root and (doing := actor.at(t)[1]):
                words.append(doing[0])
        return f"while it awaits {', '.join(dict.fromkeys(words))}" if words else ""

    def _root_of(self, number: int) -> int:
        while number and (above := self.actors[number].parent or self.actors[number].starter):
            number = above
        return number

    def _cancellable(self, number: int, t: int, doing: tuple[Any, ...], state: str) -> bool:
        shielded = doing[0] == "handed" and state == "in_thread"
        while number:
            actor = self.actors[number]
            for since, until, how in actor.bounds:
                if since <= t <= until and not (shielded and how == "scope"):
                    return True
            number = actor.parent
        return False
