"""What a probe has put on tasks, requests and connections that outlive it, taken away when it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from loopviz.probe import compat
from loopviz.probe.exceptions import Logger
from loopviz.probe.reading import ON_CONNECTIONS
from loopviz.probe.state import ATTRIBUTE, HANDLE
from loopviz.probe.transports import Reply

__all__ = ["remove"]

_ON_TASKS = ATTRIBUTE, HANDLE


def remove(loop: asyncio.AbstractEventLoop, protocols: Iterable[Any]) -> None:
    """Take away what a probe that is uninstalled has left. Call it on the loop.

    `protocols` are those of the open connections. A context keeps the number of the request for which it was
    made: Python has no way to take a variable out of it.
    """
    for task in asyncio.all_tasks(loop):
        for name in _ON_TASKS:
            with suppress(AttributeError):
                object.__delattr__(task, name)
    for protocol in protocols:
        with suppress(Exception):  # a protocol may be any object
            _clean(protocol)
            for waiting in getattr(protocol, compat.PIPELINE, None) or ():
                _clean(waiting[0])
            cycle = getattr(protocol, "cycle", None)
            if cycle is not None:
                _clean(cycle)


def _clean(owner: Any) -> None:
    """Take the attributes of the probe's from an object of uvicorn's, and put back what they replace."""
    for name in (ATTRIBUTE, *ON_CONNECTIONS):
        vars(owner).pop(name, None)
    logger = vars(owner).get(compat.LOGGER)
    if isinstance(logger, Logger):
        setattr(owner, compat.LOGGER, logger.replaced)
    answered = vars(owner).get(compat.ON_RESPONSE)
    if isinstance(answered, partial) and any(isinstance(value, Reply) for value in answered.args):
        setattr(owner, compat.ON_RESPONSE, answered.args[0])
    event = vars(owner).get(compat.MESSAGE_EVENT)
    if event is not None:
        vars(event).pop(compat.WAIT, None)
