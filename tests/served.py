"""The server of a session that runs in a thread."""

from __future__ import annotations

from loopviz.live.hosts.here import ThreadHost
from loopviz.live.hosts.serving import Serving
from loopviz.live.session import Session

__all__ = ["serving"]


def serving(session: Session) -> Serving:
    """What serves in this process."""
    assert isinstance(session._host, ThreadHost)
    return session._host.serving
