"""A worker process for a scenario's Celery application.

Usage: ``python -m loopviz.live.helpers.celery_worker FILE NAME READY``.

FILE is the scenario's file, NAME the application's name in it. The worker creates the file READY when it
is ready, and ends with its children when its standard input ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from loopviz.live.compat import read_written_messages
from loopviz.scenario import execute

__all__: list[str] = []


def _watch_parent() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)  # its session has only its own children


def _main(file: str, name: str, ready: str) -> None:
    from celery.signals import worker_ready  # noqa: PLC0415 - an optional dependency

    os.umask(0o077)
    read_written_messages()
    threading.Thread(target=_watch_parent, daemon=True).start()
    application = getattr(execute(Path(file)), name)
    worker_ready.connect(lambda **_: Path(ready).touch(), weak=False)
    application.worker_main(
        [
            "worker",
            "--concurrency=2",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=ERROR",
        ]
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
