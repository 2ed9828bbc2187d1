"""The server of a session that runs in a thread, and waiting for what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loopviz.live.hosts.here import ThreadHost
from loopviz.live.hosts.scenarios import Scenarios
from loopviz.live.hosts.serving import Serving
from loopviz.live.session import Session
from loopviz.target.application import Application

__all__ = ["application", "scenarios", "serving", "soon"]


def serving(session: Session) -> Serving:
    """What serves in this process."""
    assert isinstance(session._host, ThreadHost)
    return session._host.serving


def scenarios(session: Session) -> Scenarios:
    """Its scenarios."""
    assert isinstance(session._host, ThreadHost)
    assert session._host.scenarios is not None
    return session._host.scenarios


@contextmanager
def application(folder: Path, text: str, *, isolate: bool = False, workers: int = 1) -> Iterator[Session]:
    """A session with the application of this text, as ``main:app`` in a folder."""
    (folder / "main.py").write_text(text)
    named = Application("main:app", "main", "app", str(folder), str(folder))
    session = Session([], application=named, isolate=isolate, workers=workers)
    session.start()
    try:
        session.wait()
        yield session
    finally:
        session.stop()


def soon(question: Callable[[], bool], within: float = 20.0) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + within
    while not question():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
