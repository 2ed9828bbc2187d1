"""uvicorn in a daemon thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import socket
import threading
import traceback
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import PurePath
from typing import Any, Final

import anyio
import anyio.to_thread
import uvicorn
from uvicorn.config import LOGGING_CONFIG

from loopviz.errors import InputError
from loopviz.live.server import compat
from loopviz.probe.compat import ERROR_LOG
from loopviz.probe.exceptions import described as described_as

__all__ = ["AS_UVICORN", "ServerThread"]

AS_UVICORN: Final = {"log_config": LOGGING_CONFIG, "access_log": True, "lifespan": "auto"}
"""The settings with which it logs, and begins the lifespan, as the command uvicorn does."""
_FRAME: Final = re.compile(r'  File "(.+)", line (\d+)')
"""A line of a traceback."""
_GROUPED: Final = re.compile(r"^\s*\| ")
"""What is before the lines of a traceback in a group of exceptions."""
_log = logging.getLogger(ERROR_LOG)


class ServerThread:
    """An application under uvicorn, on a socket that is bound already.

    `threads` is the thread limit, and `loop` uvicorn's name of an event loop. `watch(protocol class)` is
    called on the server's loop before the first connection is accepted, `unwatch()` when the server has
    ended. `load()` is called on the server's loop before that, as uvicorn imports an application there.
    `settings` are further ones of uvicorn's.
    """

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        *,
        threads: int,
        loop: str,
        watch: Callable[[type], None],
        unwatch: Callable[[], None],
        load: Callable[[], None] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._sock = sock
        self._threads = threads
        self._watch = watch
        self._unwatch = unwatch
        self._load = load
        self._ready = threading.Event()
        self._served = False
        self._asked = False
        self.stopped: str | None = None
        """What has ended it, other than `stop`; None if nothing has."""
        self._advice = "Check the lifespan of the application."
        self._errors = _Errors()
        self._refused: InputError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self._propagate = _log.propagate
        plain: dict[str, Any] = {
            "loop": loop,
            "log_config": None,
            "access_log": False,
            "lifespan": "on",
            "timeout_graceful_shutdown": 1,
        }
        config = uvicorn.Config(app, **(plain | dict(settings or {})))
        self._config = config
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="loopviz server", daemon=True)

    def start(self) -> None:
        """Start the thread; see `wait`."""
        _log.addHandler(self._errors)
        self._propagate = _log.propagate
        _log.disabled = False  # the application's logging configuration may have disabled it
        _log.propagate = False  # else its lines are printed over the picture
        self._thread.start()

    def run(self) -> None:
        """Serve in this thread until the server ends, instead of `start`."""
        _log.addHandler(self._errors)
        self._thread = threading.current_thread()
        self._run()

    def end(self) -> None:
        """Ask it to end; returns at once."""
        self._asked = True
        compat.end(self._server)

    def wait(self) -> None:
        """Wait until it serves, however long that takes. Raises `InputError` if it could not start."""
        self._ready.wait()
        if not self._served:
            if self._refused is not None:
                raise self._refused
            why = self._errors.last or "it gave no reason"
            raise InputError(f"The server did not start: {why}\n{self._advice}")

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=compat.loop_factory(self._config)) as runner:
                self._loop = runner.get_loop()
                try:
                    runner.run(self._serve())
                except BaseException as error:  # SystemExit and KeyboardInterrupt of a task end the loop
                    self._note(error)  # now, because the tasks that are cancelled next may go on
                    return
            self._note(None)
        except BaseException as error:
            self._note(error)
        finally:
            self._sock.close()  # uvicorn closes it only if it has started
            self._ready.set()
            self._unwatch()
            _log.removeHandler(self._errors)

    def _note(self, error: BaseException | None) -> None:
        """Note why it has ended, or could not start."""
        if isinstance(error, compat.UnsupportedError):
            self._errors.last = str(error)
            self._advice = "Install a version of uvicorn that loopviz supports: see its requirements."
        elif error is not None:
            self._refused = error if isinstance(error, InputError) else None
            self._errors.last = _described(error)
        if self._served and not self._asked and self.stopped is None:
            self.stopped = self._errors.last if error is not None else "it was asked to exit"

    async def _serve(self) -> None:
        if self._load is not None:
            self._load()
        protocol = compat.prepared_protocol(self._config)
        limiter = anyio.to_thread.current_default_thread_limiter()
        self._limiter = limiter
        limiter.total_tokens = self._threads
        started = compat.has_started
        started(self._server)  # before there is a task to be ended
        self._watch(protocol)
        serving = asyncio.create_task(self._run_server())
        while not (started(self._server) or serving.done()):  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        self._served = started(self._server)
        self._ready.set()
        await serving

    async def _run_server(self) -> None:
        with suppress(SystemExit):  # uvicorn exits if it could not start
            await self._server.serve(sockets=[self._sock])

    def set_threads(self, limit: int) -> None:
        """Change the thread limit; it takes effect when the loop has time."""
        self._threads = limit
        if self._limiter is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(setattr, self._limiter, "total_tokens", limit)

    def call(self, function: Callable[[], None]) -> None:
        """Call the function on the server's loop when it has time, if there is one."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(function)

    def submit(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a coroutine on the server's loop, for no request; only after `wait`.

        Raises `RuntimeError` if there is no loop, or not any more.
        """
        if self._loop is None:
            work.close()
            raise RuntimeError("the server has not been started")
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # it is closed
            work.close()
            raise

    def stop(self, timeout: float = 1.0) -> bool:
        """End it, waiting `timeout` seconds at most; whether it ended. A blocked loop does not end."""
        self.end()
        if self._thread.ident is None:
            self._sock.close()
            return True
        self._thread.join(timeout)
        _log.propagate = self._propagate
        return not self._thread.is_alive()

    @property
    def starting(self) -> bool:
        """Whether it neither serves yet nor has failed."""
        return not self._ready.is_set()

    @property
    def ended(self) -> bool:
        """Whether its thread does not run, or no longer."""
        return not self._thread.is_alive()


def _described(error: BaseException) -> str:
    """The exception, and the line that has raised it."""
    described = ": ".join(filter(None, described_as(error)))
    frames = traceback.extract_tb(error.__traceback__)
    return f"{described} ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else described


class _Errors(logging.Handler):
    """Keeps the latest error that uvicorn logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().strip()
        if message and not message.endswith(compat.STARTUP_FAILED):  # the reason was logged before it
            self.last = _reason(message)


def _reason(message: str) -> str:
    """What a message says in one line: of a traceback, its exception and the last line of code."""
    lines = [_GROUPED.sub("", line) for line in message.splitlines()]
    lines = [line for line in lines if not line.lstrip().startswith("+-")]  # around the exceptions of a group
    frames = [(at, found) for at, line in enumerate(lines) if (found := _FRAME.match(line))]
    if not frames:
        return lines[-1] if lines else message
    at, frame = frames[-1]
    said = itertools.dropwhile(
        lambda line: line.startswith("  "), lines[at + 1 :]
    )  # the code, and marks below
    return f"{' '.join(' '.join(said).split())} ({PurePath(frame[1]).name}:{frame[2]})"
