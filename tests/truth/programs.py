"""Programs for requests: lists of operations, made at random, printed and made smaller.

An operation is a tuple: a word and what it needs. Bodies are lists of operations. The words are those of
`tests.truth.application.Application`, which executes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

__all__ = ["WORDS", "Load", "Op", "Program", "generate", "show", "smaller"]

Op: TypeAlias = tuple[Any, ...]
Program: TypeAlias = list[Op]

_LEAVES: dict[str, int] = {
    "sleep": 4, "give_way": 1, "block": 3, "compute": 2, "thread": 3, "to_thread": 2, "pool": 2,
    "wait_event": 1, "set_event": 1, "put": 1, "get": 1, "job": 1, "raise": 1, "outside": 1,
}  # fmt: skip
_BODIES: dict[str, int] = {
    "lock": 3, "semaphore": 2, "timeout": 2, "wait_for": 1, "scope": 2, "gather": 2, "group": 2,
    "anyio_group": 1, "later": 1, "start": 1, "cancel": 1,
}  # fmt: skip
WORDS = frozenset({*_LEAVES, *_BODIES, "respond"})
"""All operations."""
_MANY = {"gather", "group", "anyio_group"}
_HELD = {"lock": 2, "semaphore": 4}
"""The greatest number of what is held after the operation: two locks, then two semaphores."""
_TIMED = {"timeout", "wait_for", "scope", "cancel"}


@dataclass(frozen=True)
class Load:
    """What is fired at an application: a program and a delay (ms) for each request, and its limits."""

    programs: tuple[tuple[int, Program], ...]
    threads: int = 2
    """The thread limit of AnyIO."""
    workers: int = 1
    """The threads of the application's own executor."""


def generate(random: Random, without: frozenset[str] = frozenset()) -> Load:  # noqa: C901 - a case a word
    """A random load; `without` names operations to leave out."""
    weights = {word: weight for word, weight in (_LEAVES | _BODIES).items() if word not in without}

    def body(depth: int, most: int, held: int = 0) -> Program:
        return [op(depth, held) for _ in range(random.randint(1, most))]

    def op(depth: int, held: int) -> Op:  # noqa: PLR0911
        """An operation; `held` locks and semaphores are held, which are acquired in one order only."""
        words = [word for word in weights if depth < 2 or word in _LEAVES]
        words = [word for word in words if held < _HELD.get(word, 9)]
        word = random.choices(words, [weights[word] for word in words])[0]
        long = random.choice([15, 25, 40, 60])
        if word in {"give_way", "raise"}:
            return (word,)
        if word in {"block", "compute"}:
            return (word, random.choice([2, 15, 15, 30, 30, 50, 50, 120]))
        if word in {"set_event", "put"}:
            return (word, random.randint(0, 1))
        if word in {"wait_event", "get"}:
            return (word, random.randint(0, 1), long)
        if word in _HELD:
            which = random.randint(max(0, held - _HELD[word] + 2), 1)
            return (word, which, body(depth + 1, 2, _HELD[word] - 1 + which))
        if word in _TIMED:
            return (word, long, body(depth + 1, 2, held))
        if word in _MANY:
            return (word, [body(depth + 1, 2, held) for _ in range(random.randint(1, 3))])
        if word == "later":
            return (word, body(depth + 1, 2, held), body(depth + 1, 1, held))
        if word == "start":
            return (word, body(depth + 1, 2))
        return (word, long)

    programs = []
    for _ in range(random.randint(3, 6)):
        program = body(0, 4)
        if "respond" not in without and random.random() < 0.2:
            program.insert(random.randint(1, len(program)), ("respond",))
        programs.append((random.choice([0, 0, 10, 35, 70]), program))
    return Load(tuple(programs), random.randint(1, 3), random.randint(1, 2))


def show(load: Load) -> str:
    """The load as Python that makes it again."""
    lines = [f"        ({delay}, {program!r})," for delay, program in load.programs]
    return "\n".join(
        [
            "Load(",
            "    (",
            *lines,
            "    ),",
            f"    threads={load.threads},",
            f"    workers={load.workers},",
            ")",
        ]
    )


def smaller(load: Load, fails: Callable[[Load], bool], patience: int = 60) -> Load:
    """A load for which `fails` still holds, and of which no single part can be left out.

    `fails` is called `patience` times at most.
    """
    tried = 0
    found = True
    while found:
        found = False
        for candidate in _reductions(load):
            tried += 1
            if tried > patience:
                return load
            if fails(candidate):
                load, found = candidate, True
                break
    return load


def _reductions(load: Load) -> Iterator[Load]:
    programs = load.programs
    if len(programs) > 1:
        for i in range(len(programs)):
            yield replace(load, programs=programs[:i] + programs[i + 1 :])
    for i, (delay, program) in enumerate(programs):
        for less in _shorter(program):
            yield replace(load, programs=(*programs[:i], (delay, less), *programs[i + 1 :]))


def _shorter(program: Program) -> Iterator[Program]:
    """Programs with an operation less, or with its body in its place."""
    for i, op in enumerate(program):
        before, after = program[:i], program[i + 1 :]
        yield before + after
        for k, part in enumerate(op):
            if not isinstance(part, list):
                continue
            if part and isinstance(part[0], list):  # bodies of children
                if len(part) > 1:
                    for n in range(len(part)):
                        yield [*before, (*op[:k], part[:n] + part[n + 1 :], *op[k + 1 :]), *after]
                for n, child in enumerate(part):
                    yield before + child + after
                    for less in _shorter(child):
                        yield [*before, (*op[:k], [*part[:n], less, *part[n + 1 :]], *op[k + 1 :]), *after]
            else:
                yield before + part + after
                for less in _shorter(part):
                    yield [*before, (*op[:k], less, *op[k + 1 :]), *after]
