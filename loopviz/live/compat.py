"""Every name that client, session and helpers use outside the documented interfaces of other libraries.

Seen in httpcore 1.0.9, kombu 5.7.0 and Python 3.11 to 3.14.
"""

from __future__ import annotations

import sys
from pathlib import Path
from queue import Empty
from typing import Final

__all__ = ["SENDING", "end_multiprocessing", "read_written_messages"]

SENDING: Final = "http11.send_request_headers.started"
"""The trace event between the connection and the first byte sent. It is documented as subject to change.
Without it requests do not wait for each other's connections, and a request counts as sent from when its
connection was asked for; that is reported as not visible."""


def end_multiprocessing() -> None:
    """Do what multiprocessing does when Python ends: join its processes, release its semaphores.

    Without it, multiprocessing's resource tracker releases them, with a warning on the terminal.
    """
    end = getattr(sys.modules.get("multiprocessing.util"), "_exit_function", None)
    if end is not None:
        end()


def read_written_messages() -> None:
    """Let a Celery worker in this process wait for messages of the file system transport to be written.

    A client creates a message's file and then writes it. Kombu's own method raises, and so ends the
    worker, if it reads the file in between; without the name that is replaced here, it still does.
    """
    from kombu.transport import filesystem  # noqa: PLC0415 - an optional dependency
    from kombu.utils.json import loads  # noqa: PLC0415

    def get(channel: filesystem.Channel, queue: str) -> object:
        for message in sorted(Path(channel.data_folder_in).iterdir()):
            if message.name.partition(".")[2] != f"{queue}.msg":
                continue
            try:
                text = message.read_text(encoding="utf-8")
                if text:
                    message.unlink()
                    return loads(text)  # type: ignore[no-untyped-call]
            except FileNotFoundError:  # another worker has taken it
                continue
        raise Empty

    filesystem.Channel._get = get  # type: ignore[method-assign]
