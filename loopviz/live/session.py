"""A session: server, probe and client together, as a `loopviz.stream.source.Source`."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from loopviz.clock import now_ns
from loopviz.copied import show
from loopviz.errors import InputError
from loopviz.live.client import Client
from loopviz.live.compat import end_multiprocessing
from loopviz.live.environment import require_gil
from loopviz.live.health import Prober, checked_path
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.hosts.host import Host, Served
from loopviz.live.hosts.movable import Movable
from loopviz.live.incoming import FROM_PROCESS, HERE, Incoming
from loopviz.live.sockets import reached
from loopviz.recording import Place, Recorder
from loopviz.scenario import THREAD_LIMIT, ScenarioFile, executed, require_own_paths
from loopviz.sources import lines_in
from loopviz.stream.answer import Heard
from loopviz.stream.buffer import Buffer
from loopviz.stream.copies import Changed
from loopviz.stream.events import FIRED, PROCESS, RECEIVED, STOPPED, Change, Event
from loopviz.stream.marked import COPY, HEADER, OWN_ENDPOINT, original_of, shown_as
from loopviz.stream.source import Death, Environment, Load, Probing, Vitals
from loopviz.target.application import Application
from loopviz.target.health import health_route
from loopviz.target.remembering import remember
from loopviz.target.request_line import text_of

__all__ = ["Session", "leave"]


HEALTH_TIMEOUT = 1.0
"""A health probe without an answer by then has failed (s)."""
_STARTING, _BLOCKED = "starting the server", "waiting for the event loop"
_LEAD = 0.1
"""How long a scenario is not prepared yet (s), so that it is shown first: executing a file takes the GIL."""


class Session:
    """A probed server with scenarios on 127.0.0.1, and a client that fires requests at it.

    `port` 0 takes a free one; `threads` is the thread limit; `loop` is uvicorn's name of an event loop.
    Every scenario is ready when the server serves; see `loopviz.live.server.Apps` for `lazily`. Raises
    `InputError` if the port or the loop cannot be used, if two scenarios are fired at the same path, or if
    there is no GIL. With several `workers`, as many processes serve on one socket. `health` is the path at
    which health probes are sent as soon as it serves, or ``auto``; `health_timeout` is in seconds.
    """

    live = True

    def __init__(
        self,
        scenarios: Sequence[ScenarioFile],
        *,
        port: int = 0,
        threads: int = THREAD_LIMIT,
        loop: str = "asyncio",
        lazily: bool = False,
        application: Application | None = None,
        isolate: bool = False,
        workers: int = 1,
        health: str | None = None,
        health_timeout: float = HEALTH_TIMEOUT,
    ) -> None:
        require_gil()
        if loop == "uvloop" and find_spec("uvloop") is None:
            raise InputError(
                "uvloop is not installed.\nInstall it (pip install uvloop), or leave out --loop."
            )
        require_own_paths(scenarios)
        self._fixed = scenarios
        self._application = application
        self.threads = threads
        self._buffer = Buffer()
        numbers = itertools.count(1)
        self._presses = itertools.count(1)
        self._awaited: dict[str, str] = {}
        self._secret = secret = os.urandom(16).hex()
        self._copies = itertools.count(1)
        served = Served(scenarios, threads, loop, secret, numbers, lazily, 0, self._process_changed)
        self._waiting: dict[concurrent.futures.Future[None], int] = {}
        """The bursts to fire when their scenario is ready, and how many requests each has."""
        self._sending = threading.Lock()
        self._loaded: tuple[ScenarioFile, float] | None = None
        """What is to be sent steadily."""
        isolate = isolate or workers > 1
        self._probed = None if health in {None, "auto"} else checked_path(str(health))
        self._probes_at_once = health is not None
        self._probe_timeout = health_timeout
        self._prober: Prober | None = None
        self._incoming = Incoming(self._buffer, FROM_PROCESS if isolate else HERE)
        self._hosts = Movable(
            served,
            ("127.0.0.1" if application is None else application.host, port),
            self._buffer,
            application,
            isolate=isolate,
            workers=workers,
            changed=lambda there: self._incoming.hold_back(FROM_PROCESS if there else HERE),
        )
        self._begun = False
        self._client = Client(
            reached(*self._hosts.place),
            self._emit,
            numbers,
            lambda number: {HEADER: f"{secret}-{number}"},
            self._not_seen,
        )
        if not isolate:  # while a server in this process serves, an import would take the GIL from it
            self._client.prepare()

    @property
    def _host(self) -> Host:
        """Where the server runs now."""
        return self._hosts.now

    @property
    def scenarios(self) -> Sequence[ScenarioFile]:
        """The scenarios, or the routes of the application as far as they are known."""
        return self._host.routes if self._application is not None else self._fixed

    @property
    def application(self) -> str | None:
        """The name of the user's own application."""
        return None if self._application is None else self._application.name

    @property
    def mode(self) -> str:
        """Where the server runs."""
        return self._host.mode

    @property
    def pid(self) -> int:
        """Its process; 0 if it is this one."""
        return self._host.pid

    @property
    def environment(self) -> Environment:
        """What the server runs on."""
        return self._host.environment

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._host.address

    @property
    def blind(self) -> Sequence[tuple[str, str]]:
        """What cannot be seen here, and why. It may become more while the server runs."""
        return self._host.blind

    @property
    def death(self) -> Death | None:
        """How its process has ended without being asked to."""
        return self._host.death

    @property
    def written(self) -> int:
        """How many lines its process has written."""
        return self._host.written

    def output(self) -> Sequence[str]:
        """The last of them."""
        return self._host.output()

    def preparing(self, name: str) -> str | None:
        """What a scenario that was fired waits for before it is sent; None if for nothing."""
        words = self._awaited.get(name)
        return words if words is None else self._host.preparing(name) or words

    def was_paused(self, since: int, until: int) -> None:
        """The whole program was stopped for that time (ns): nothing has held the loop.

        A server in a process of its own was not stopped with it.
        """
        if self.pid:
            return
        self._buffer.emit((until, STOPPED, since))

    @property
    def stopped(self) -> str | None:
        """What in the application has stopped the server, in sentences; None if nothing has."""
        why = self._host.stopped
        return why and f"The application has stopped the server, as it would stop uvicorn: {why}."

    @property
    def starting(self) -> bool:
        """Whether the server neither serves yet nor has failed."""
        return self._host.starting

    def start(self) -> None:
        """Start the server and the client, unless they have been started; returns at once."""
        if self._begun:
            return
        self._begun = True
        self._host.start()
        self._client.start()

    def wait(self) -> None:
        """Wait until the server serves."""
        self._host.wait()
        self._client.prepare()
        if self._probes_at_once:
            self.set_probing(True)

    def fire(
        self,
        scenario: ScenarioFile,
        requests: int,
        *,
        at_once: int | None = None,
        delay: float = 0.0,
        heard: Heard | None = None,
    ) -> concurrent.futures.Future[None]:
        """Send requests at once; the future is done when all of them are answered.

        If the scenario is not ready, its file is executed and the processes that it declares are started
        first. Raises `InputError` if a module that it needs is missing, or a value that its requests need;
        any other error of the scenario is the future's exception. For the other arguments see
        `loopviz.live.client.Client.fire`.
        """

        def fired(first: int, count: int) -> None:
            press = next(self._presses)
            self._buffer.emit((now_ns(), FIRED, press, scenario.name, first, count, max(1, self.threads)))

        def send() -> concurrent.futures.Future[None]:
            return self._client.fire(
                scenario.method,
                scenario.path,
                requests,
                at_once=at_once,
                delay=delay,
                fired=fired,
                headers=scenario.headers,
                body=scenario.body,
                heard=heard,
            )

        if scenario.missing:
            executed(scenario)
        if scenario.lacking is not None:
            raise InputError(scenario.lacking)
        if COPY in scenario.headers or self._host.ready(scenario.name):
            return send()
        answered: concurrent.futures.Future[None] = concurrent.futures.Future()
        awaited = self._awaited
        awaited.setdefault(scenario.name, _STARTING if self._host.starting else _BLOCKED)

        def later() -> None:
            try:
                time.sleep(_LEAD)
                self._host.wait()
                self._host.prepare(scenario.name).result()
                with self._sending:
                    del self._waiting[answered]
                    if not answered.set_running_or_notify_cancel():  # it was given up
                        return
                    sent = send()
                awaited.pop(scenario.name, None)
                answered.set_result(sent.result())
            except BaseException as error:  # every exception is the future's
                self._waiting.pop(answered, None)
                with suppress(concurrent.futures.InvalidStateError):  # it was given up
                    answered.set_exception(error)
            finally:
                awaited.pop(scenario.name, None)

        self._waiting[answered] = requests
        threading.Thread(target=later, name="loopviz fire", daemon=True).start()
        return answered

    def fire_heard(
        self, scenario: ScenarioFile, requests: int, heard: Heard
    ) -> concurrent.futures.Future[None]:
        """Fire; `heard` is called with each answer, in the client's thread."""
        return self.fire(scenario, requests, heard=heard)

    def serve_copy(
        self, scenario: ScenarioFile, file: str, text: str
    ) -> concurrent.futures.Future[ScenarioFile]:
        """Serve the application of a scenario with another text of a file, beside the original.

        See `loopviz.stream.copies.Copies`.
        """
        number = next(self._copies)
        file = original_of(file)
        name = "" if self._application is not None else scenario.name
        changed = Changed(number, name, file, text, shown_as(file, number))
        try:
            known = self._host.copy(changed)
        except RuntimeError:
            raise InputError("The server does not run, so it serves no copy.\nStart it again.") from None
        show(changed.shown, text)  # the views are in this process
        fired = replace(
            scenario,
            name=shown_as(scenario.name, number),
            headers={**scenario.headers, COPY: self._secret},
        )
        served: concurrent.futures.Future[ScenarioFile] = concurrent.futures.Future()

        def done(over: concurrent.futures.Future[None]) -> None:
            error = concurrent.futures.CancelledError() if over.cancelled() else over.exception()
            with suppress(concurrent.futures.InvalidStateError):  # it is not waited for
                if error is not None:
                    served.set_exception(error)
                else:
                    served.set_result(fired)

        known.add_done_callback(done)
        return served

    def end_copy(self) -> concurrent.futures.Future[None]:
        """Serve the copy no longer."""
        try:
            return self._host.end_copy()
        except RuntimeError:  # the server has ended, and so has the copy
            ended: concurrent.futures.Future[None] = concurrent.futures.Future()
            ended.set_result(None)
            return ended

    def give_up(self) -> int:
        """Give up every request that was fired and is not answered; returns how many.

        The client closes their connections, and what is not sent yet is not sent. The server does not begin
        what it has not begun, and cancels what it can; see `loopviz.live.server.Abandoning`. Returns at once.
        """
        with self._sending:
            waiting = list(self._waiting.items())  # a scenario may fail meanwhile, in its own thread
            unsent = sum(requests for burst, requests in waiting if not burst.cancelled() and burst.cancel())
            self._loaded = None
            numbers = self._client.give_up()
        if numbers:
            self._host.give_up(numbers)
        return unsent + len(numbers)

    def reload(self, file: ScenarioFile) -> concurrent.futures.Future[None]:
        """Serve this version of a scenario, or a new scenario, from now on.

        If that fails, the future has the exception, and the version before is still served.
        """

        def replaced(done: concurrent.futures.Future[None]) -> None:
            if not done.cancelled() and done.exception() is None and self._host.serves(file):
                known = {scenario.name: scenario for scenario in self._fixed}
                self._fixed = list((known | {file.name: file}).values())

        replacing = self._host.replace(file)
        replacing.add_done_callback(replaced)
        return replacing

    def _not_seen(self, what: str, why: str) -> None:
        """Note what the client cannot measure."""
        self._host.not_seen(what, why)

    def _emit(self, event: Event) -> None:
        """Take an event of the client's. An answer shows that the probe must have seen the request."""
        self._buffer.emit(event)
        if event[1] == RECEIVED:
            _, _, _, status, _ = event
            if status is not None:
                self._host.answered()

    def _process_changed(self, name: str, change: Change, reason: str) -> None:
        self._buffer.emit((now_ns(), PROCESS, 0, name, change, reason))

    def change_request(self, scenario: ScenarioFile) -> None:
        """Fire a route in this way from now on, and remember it. Raises `InputError` if it cannot."""
        host, application = self._host, self._application
        if application is None:
            return
        host.routes = [scenario if other.name == scenario.name else other for other in host.routes]
        remember(application.folder, scenario.name, text_of(scenario))

    @property
    def load(self) -> Load | None:
        """What is sent steadily; None if nothing is."""
        loaded, sent = self._loaded, self._client.loading
        if loaded is None:
            return None
        _, unanswered, skipped, why = sent or (0, 0, 0, "")
        return Load(*loaded, unanswered, skipped, why)

    def set_load(self, scenario: ScenarioFile, per_second: float) -> None:
        """Send so many requests a second, once the scenario is ready; 0 ends it. Raises `InputError`."""
        if scenario.missing:
            executed(scenario)
        if scenario.lacking is not None:
            raise InputError(scenario.lacking)
        self._loaded = (scenario, per_second) if per_second > 0 else None
        if self._loaded is None or COPY in scenario.headers or self._host.ready(scenario.name):
            self._send_steadily(scenario, per_second)
            return

        def later() -> None:
            with suppress(BaseException):  # it is said when the scenario is fired
                self._host.wait()
                self._host.prepare(scenario.name).result()
            with self._sending:
                if (loaded := self._loaded) is None or loaded[0] is not scenario:
                    return
                if self._host.ready(scenario.name):
                    self._send_steadily(*loaded)
                else:
                    self._loaded = None

        threading.Thread(target=later, name="loopviz load", daemon=True).start()

    def _send_steadily(self, scenario: ScenarioFile, per_second: float) -> None:
        self._client.load(
            scenario.method, scenario.path, per_second, headers=scenario.headers, body=scenario.body
        )

    @property
    def probing(self) -> Probing | None:
        """Which health probes are sent; None if none are."""
        prober = self._prober
        return None if prober is None else Probing(prober.path, prober.timeout)

    def set_probing(self, on: bool) -> None:
        """Send health probes from now on, or no more. Raises `InputError` if it is not known where to."""
        if on == (self._prober is not None):
            return
        if self._prober is not None:
            self._prober.stop()
            self._prober = None
            return
        path = self._probed or (OWN_ENDPOINT if self._application is None else health_route(self.scenarios))
        if path is None:
            raise InputError(
                "No route of the application is called like a health check.\nName one: --health PATH."
            )
        self._prober = Prober(
            reached(*self._hosts.place), path, self._probe_timeout, self._secret, self._buffer.emit
        )
        self._prober.start()

    def move(self) -> concurrent.futures.Future[None] | None:
        """Move the server to a process of its own, or back; see `loopviz.live.hosts.movable.Movable`."""
        return self._hosts.move(self.give_up, self._fixed, self.threads)

    def restart(self) -> concurrent.futures.Future[None] | None:
        """Start the server's process again; None if it has none."""
        return self._hosts.restart(self.give_up, self._fixed, self.threads)

    def set_threads(self, limit: int) -> None:
        """Change the thread limit; it takes effect when the server's loop has time."""
        self.threads = limit
        self._host.set_threads(limit)

    def resize(self, pool: int, size: int) -> concurrent.futures.Future[bool]:
        """Change the size of a pool of the server; False if there is none with this number."""
        try:
            return self._host.resize(pool, size)
        except RuntimeError:  # the server has ended, and so has the pool; or it is being started again
            none: concurrent.futures.Future[bool] = concurrent.futures.Future()
            none.set_result(False)
            return none

    def drain(self) -> list[Event]:
        """The new events, in the order of their time; the newest ones are held back."""
        return self._incoming.drain()

    def catch_up(self, timeout: float) -> None:
        """Wait until all that was seen up to now can be drained; so many seconds at most."""
        with suppress(InputError, TimeoutError):  # the process has ended, or cannot report
            self._host.reported().result(timeout)

    def drain_all(self) -> list[Event]:
        """All new events, none held back."""
        return self._incoming.drain_all()

    def record(self, place: str | Path | Place, report: Callable[[str], None] | None = None) -> Recorder:
        """Write the events to a file from now on; see `loopviz.recording.Recorder`."""
        self._host.identify()
        return self._incoming.record(self, place, report)

    def end_recording(self) -> None:
        """Record no more than what has been drained so far."""
        self._incoming.end_recording(self)

    def source_lines(self, file: str) -> Sequence[str]:
        """The text of a source file that an event names."""
        return lines_in(file)

    def save(self, path: str | Path) -> int:
        """Write the last minutes to a file; see `loopviz.recording.History`. May be called in any thread."""
        self._host.identify()
        return self._incoming.save(self, path)

    def present(self) -> int:
        """The present moment (ns)."""
        return now_ns()

    def vitals(self) -> Vitals:
        """The probe's own figures: events, losses, cost, failures."""
        return self._host.vitals()

    @property
    def ended(self) -> bool:
        """Whether its server does not run, or no longer: it may go on after `stop` has given up."""
        return self._host.ended

    def stop(self) -> bool:
        """End client and server within about two seconds; False if the server's loop is blocked."""
        self.set_probing(False)
        self._client.stop(0.3)
        return self._host.stop()


def leave(code: int) -> NoReturn:
    """End the program when the server has not ended: Python would wait for its worker threads."""
    Workspace.abandon()
    # In a thread, because it joins processes, and where there is no /proc the guard has not ended them.
    tidying = threading.Thread(target=end_multiprocessing, daemon=True)
    tidying.start()
    tidying.join(0.5)
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
