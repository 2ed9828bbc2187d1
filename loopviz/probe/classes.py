"""Hooks on classes: one on each method for the whole process, for all probes.

A class of AnyIO's or uvicorn's belongs to every event loop of the process. So a method is replaced once,
by a function that asks which loop is running, and calls what the probe of that loop wants to be called; on
a loop without a probe it calls the original. The last probe that goes puts the original back, unless
somebody else has replaced the method since: then ours stays, and passes every call through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import update_wrapper
from threading import Lock
from typing import Any, Final

from loopviz.probe import compat

__all__ = ["Hook", "hook", "original_of"]

Hook = Callable[..., Any]
"""What is called in place of a method, with the same arguments."""
_Hooks = dict[asyncio.AbstractEventLoop, Hook]

_ABSENT: Final[Any] = object()
_lock = Lock()


class _Shared:
    """A method that has been replaced."""

    __slots__ = ("before", "hooks", "installed", "original")

    def __init__(self, owner: type, name: str) -> None:
        self.before = vars(owner).get(name, _ABSENT)
        """What the class itself had: a function, a class method or a property."""
        self.original = original_of(owner, name)
        self.hooks: _Hooks = {}
        self.installed = _replacement(self.before, self.original, self.hooks)


_shared: dict[tuple[type, str], _Shared] = {}


def hook(
    owner: type, name: str, loop: asyncio.AbstractEventLoop, make: Callable[[Hook], Hook]
) -> Callable[[], None]:
    """Call `make(original)` in place of a method, a class method or a property's setter on this loop.

    Returns what removes the hook; calling that again does nothing. May be called in any thread. Raises
    RuntimeError if there is a hook for this loop already, and AttributeError without such a method.
    """
    key = (owner, name)
    with _lock:
        shared = _shared.get(key)
        if shared is None or vars(owner).get(name, _ABSENT) is not shared.installed:
            # Others may have hidden ours, or wrapped it: then the earlier one goes on for its own loops.
            if shared is not None and loop in shared.hooks:
                raise RuntimeError(f"another probe watches {owner.__name__}.{name} on this loop")
            shared = _Shared(owner, name)
            shared.hooks[loop] = make(shared.original)
            setattr(owner, name, shared.installed)
            _shared[key] = shared
        elif loop in shared.hooks:
            raise RuntimeError(f"another probe watches {owner.__name__}.{name} on this loop")
        else:
            shared.hooks[loop] = make(shared.original)
    mine = shared

    def remove() -> None:
        with _lock:
            if mine.hooks.pop(loop, None) is None or mine.hooks:
                return
            if vars(owner).get(name, _ABSENT) is mine.installed:
                if mine.before is _ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, mine.before)
            if _shared.get(key) is mine:
                del _shared[key]

    return remove


def original_of(owner: type, name: str) -> Hook:
    """The function of a method, a class method or a property's setter. Raises AttributeError without it."""
    raw = vars(owner).get(name, _ABSENT)
    if isinstance(raw, classmethod):
        return raw.__func__
    if isinstance(raw, property):
        if raw.fset is None:
            raise AttributeError(f"{owner.__name__}.{name} cannot be set")
        return raw.fset
    found: Hook = getattr(owner, name)
    return found


def _replacement(before: Any, original: Hook, hooks: _Hooks) -> Any:
    running, hook_of = compat.running_loop, hooks.get

    def dispatch(*args: Any, **options: Any) -> Any:
        called = hook_of(running())  # type: ignore[arg-type]  # None is no key, which is an answer as well
        return original(*args, **options) if called is None else called(*args, **options)

    update_wrapper(dispatch, original, updated=())
    if isinstance(before, classmethod):
        return classmethod(dispatch)
    if isinstance(before, property):
        return property(before.fget, dispatch, before.fdel, before.__doc__)
    return dispatch
