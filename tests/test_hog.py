"""A process that does not answer, in parts: stacks as text, lines, counters, black box, what was heard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from loopviz.agent.blackbox import BlackBox, Noted, Step, read
from loopviz.agent.stacks import Stacks
from loopviz.live.hog import machine, watch
from loopviz.live.hog.channel import Channel
from loopviz.live.hog.dump import Frame, parse
from loopviz.live.hog.heard import Heard
from loopviz.live.hog.machine import Reading, ThreadReading
from loopviz.live.hog.place import Places
from loopviz.live.hog.verdict import verdict
from loopviz.probe.lines import Lines
from loopviz.stream import blackbox as layout
from loopviz.stream import events as ev
from loopviz.stream.buffer import Buffer
from loopviz.stream.events import Event
from tests.streams import MS, ns

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

OLD = """\
Stack (most recent call first):
  File "/usr/lib/python3.11/re/__init__.py", line 166 in match
  File "/srv/gr\\xf6\\u20ac.py", line 7 in gr\\xf6\\xdfe
  File ???, line ??? in ???
  ...
"""
NEW = """\
Stack (most recent call first):
  Garbage-collecting
  File "/srv/app.py", line 7 in hog
  <truncated rest of calls>

Current thread's C stack trace (most recent call first):
  Binary file "/usr/bin/python3.14", at _Py_DumpStack+0x31 [0x6ad1ce]
  <truncated rest of calls>
"""


def test_a_stack_of_an_older_python_is_read() -> None:
    """Frames, escapes and what is not known; of two answers the first is read."""
    frames = [
        Frame("/usr/lib/python3.11/re/__init__.py", 166, "match"),
        Frame("/srv/grö€.py", 7, "größe"),
        Frame("", 0, ""),
    ]
    assert parse(OLD) == parse(OLD + OLD) == frames


def test_a_stack_of_a_newer_python_is_read() -> None:
    """Garbage collections, cut stacks and C stacks of 3.14."""
    assert parse(NEW) == [Frame("/srv/app.py", 7, "hog")]


@pytest.mark.parametrize("length", range(0, len(OLD), 7))
def test_stacks_may_end_anywhere(length: int) -> None:
    """An answer that was cut, or is something else, is read as far as it goes."""
    assert len(parse(OLD[:length])) <= 3
    assert parse(OLD[length:][::-1]) == []


APP = """\
import json, re

class Shop:
    async def report(self):
        def inner():
            return re.match("(a+)+$", text)  # x(y)
        return inner()

def totals(rows):
    return sum(range(rows))

def mixed(rows):
    return json.dumps(sorted(rows))
"""


@pytest.fixture
def app(tmp_path: Path) -> str:
    """A file of the user's."""
    file = tmp_path / "app.py"
    file.write_text(APP)
    return str(file)


def test_the_line_is_the_users_innermost(app: str) -> None:
    """Library code that it calls is named, and what runs the loop is not at work."""
    library = os.__file__.replace("os.py", "re/__init__.py")
    base = os.__file__.replace("os.py", "asyncio/base_events.py")
    frames = [Frame(library, 167, "match"), Frame(app, 6, "inner"), Frame(base, 600, "run_forever")]
    line = Places(Lines()).of_loop([*frames, Frame(app, 10, "totals")])
    assert line == (app, 6, "Shop.report.<locals>.inner", "re.match")
    alone = Places(Lines()).of_loop([Frame(library, 167, "match"), frames[2], Frame(app, 10, "totals")])
    assert alone is not None
    assert (alone.file, alone.line) == (library, 167)


def test_what_is_called_is_named_if_it_is_certain(app: str) -> None:
    """Of several calls in a line none is named, unless the others only make iterators."""
    places = Places(Lines())
    found = [places.of_loop([Frame(app, at, name)]) for at, name in ((10, "totals"), (13, "mixed"))]
    assert [line and (line.function, line.calls) for line in found] == [("totals", "sum"), ("mixed", "")]


def test_a_call_in_a_thread_has_the_line_within_the_call(app: str) -> None:
    """Frames around the call are not looked at; if only library code is there, the function is named."""
    run = Frame("/x/loopviz/probe/threads.py", 90, "_run")
    json = os.__file__.replace("os.py", "json/encoder.py")
    assert Places(Lines()).of_call([Frame(app, 10, "totals"), run, Frame(app, 13, "mixed")], None) == (
        app, 10, "totals", "sum",
    )  # fmt: skip
    at = Places(Lines()).of_call([Frame(json, 200, "encode"), run], (app, 12, "mixed"))
    assert at is not None
    assert at[:3] == (app, 12, "mixed")
    assert at.calls.startswith("json.")


def test_what_passes_a_request_on_is_not_at_work(tmp_path: Path) -> None:
    """Neither a middleware of the user's that has called the next application, nor one of a library's."""
    app, library = tmp_path / "app.py", tmp_path / "site-packages" / "shop" / "asgi.py"
    library.parent.mkdir(parents=True)
    text = "class Timer:\n    async def __call__(\n        self, scope, receive: Any, send\n    ) -> None:\n"
    for file in (app, library):
        file.write_text(f"{text}        await self.app(scope, receive, send)\n")
    users, theirs = Frame(str(app), 5, "__call__"), Frame(str(library), 5, "__call__")
    json = Frame(os.__file__.replace("os.py", "json/decoder.py"), 353, "raw_decode")
    line = Places(Lines()).of_loop([json, theirs, users])
    assert line is not None
    assert (line.file, line.line) == (json.file, 353)
    at_work = Places(Lines()).of_loop([json, users])
    assert at_work is not None
    assert at_work.file == str(app)


def readings(**threads: tuple[int, ...]) -> tuple[Reading, Reading]:
    """Readings 50 ms apart: CPU time (ms) and sleeps of each thread meanwhile; t1 reports.

    A third number says that the thread has a core, or waits for one.
    """
    names = {int(name[1:]): used for name, used in threads.items()}
    before = {name: ThreadReading(5 * MS, 0, 100) for name in names}
    after = {
        name: ThreadReading((5 + ms) * MS, 0, 100 + n, bool(runs)) for name, (ms, n, *runs) in names.items()
    }
    return Reading(0, False, before), Reading(50 * MS, False, after)


@pytest.mark.parametrize(
    ("threads", "keeper"),
    [
        pytest.param({"t1": (0, 10), "t2": (49, 0), "t3": (0, 9)}, 2, id="one computes"),
        pytest.param({"t1": (0, 10), "t2": (15, 0)}, 2, id="one computes on a busy machine"),
        pytest.param({"t1": (0, 10), "t2": (20, 5), "t3": (20, 5)}, None, id="two take turns"),
        pytest.param({"t1": (0, 10), "t2": (15, 2), "t3": (1, 9)}, None, id="one of several had it last"),
        pytest.param({"t1": (0, 10), "t2": (0, 0, 1), "t3": (0, 9)}, None, id="one has it and no core"),
        pytest.param({"t1": (0, 1), "t2": (49, 0)}, None, id="the reporter waits for something else"),
        pytest.param({"t1": (0, 10), "t2": (0, 0), "t3": (0, 0)}, 0, id="one sleeps and keeps it"),
        pytest.param({"t2": (49, 0)}, None, id="there is no reporter"),
    ],
)
def test_who_keeps_the_gil(threads: dict[str, tuple[int, ...]], keeper: int | None) -> None:
    """The thread that computes alone while the reporter waits for the GIL."""
    found = verdict(*readings(**threads), 1)
    assert (found and found.keeper) == keeper
    if found is not None:
        assert 1 in found.waits


class Scripted:
    """A silent process in which threads compute in turn; thread 1 reports, and 2 runs the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[Event] = []
        self.stopped = False
        self.used = {1: 0, 2: 0, 3: 0}
        self.waited = dict(self.used)
        monkeypatch.setattr(machine, "read", lambda _pid, now: self.reading(now))
        self.watch = watch.Watch(0, self.taken.extend)
        self.watch.hello({"reporter": 1, "loop_thread": 2})
        self.now = ns(0)
        self.watch.look(self.now)
        self.watch.heard(self.now, [])

    def reading(self, now: int) -> Reading:
        """The counters of now."""
        threads = {n: ThreadReading(used, 0, self.waited[n]) for n, used in self.used.items()}
        return Reading(now, self.stopped, threads)

    def stops(self, ms: int) -> None:
        """It is stopped so long."""
        self.stopped = True
        for _ in range(ms // 25):
            self.now += 25 * MS
            self.watch.look(self.now)
        self.stopped = False

    def runs(self, thread: int, ms: int, *, turns: bool = False) -> None:
        """This thread computes so long; with `turns`, it passes the GIL on in between."""
        for _ in range(ms // 25):
            self.now += 25 * MS
            self.used[thread] += 20 * MS
            for other in self.waited:
                self.waited[other] += 5 if other != thread else 1 if turns else 0
            self.watch.look(self.now)

    def kept(self) -> list[tuple[Any, ...]]:
        """Whose the GIL was: the thread, since when and until when (ms)."""
        events: list[Any] = [event for event in self.taken if event[1] == ev.KEEPS]
        return [(event[3] & 0xFF, (event[2] - ns(0)) // MS, (event[0] - ns(0)) // MS) for event in events]


def test_threads_that_take_turns_keep_no_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine gives the core to one of many for some time, and the process is silent."""
    process = Scripted(monkeypatch)
    for _ in range(10):
        process.runs(2, 25, turns=True)
        process.runs(3, 25, turns=True)
    process.runs(3, 200, turns=True)
    assert process.kept() == []


def test_two_that_keep_the_gil_one_after_the_other_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first has had is not counted for the second."""
    process = Scripted(monkeypatch)
    process.runs(2, 500)
    process.runs(3, 500)
    first = [entry for entry in process.kept() if entry[0] != 3]
    second = [entry for entry in process.kept() if entry[0] == 3]
    assert {since for _, since, _ in first} == {0}
    assert {since for _, since, _ in second} == {first[-1][2]}
    assert first[-1][2] <= 575
    assert second[-1][2] >= 900


@pytest.mark.parametrize("iterates", [True, False])
def test_a_loop_that_does_not_say_when_it_sleeps_does_not_begin_to(
    monkeypatch: pytest.MonkeyPatch, iterates: bool
) -> None:
    """Such as uvloop's: nothing would say when it goes on, and its idle times would be blocks."""
    process = Scripted(monkeypatch)
    said: list[Event] = [(ns(0), ev.IDLE), (ns(0), ev.ITERATION)]
    process.watch.heard(process.now, said if iterates else [])
    process.runs(3, 300)
    assert process.kept()
    assert any(event[1] == ev.IDLE for event in process.taken) is iterates


def test_a_late_look_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine lets the viewer wait as well; what the counters say of that time is true."""
    process = Scripted(monkeypatch)
    process.runs(3, 125)
    process.now += 150 * MS
    process.used[3] += 100 * MS
    process.waited[1] += 30
    process.watch.look(process.now)
    assert process.kept()[-1:] == [(3, 0, 275)]


def test_a_stop_within_is_neither_before_it_nor_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was seen to run was not stopped until then; afterwards the thread goes on."""
    process = Scripted(monkeypatch)
    process.runs(3, 500)
    process.stops(500)
    process.runs(3, 500)
    stops = [event for event in process.taken if event[1] == ev.STOPPED]
    assert (stops[0][2], stops[-1][0]) == (ns(500), ns(1_000))
    since = {entry[1] for entry in process.kept()}
    assert since == {0, 1_000}
    assert all(until <= 500 or begin == 1_000 for _, begin, until in process.kept())


@pytest.fixture
def channel() -> Any:
    """Files that are closed in the end."""
    made = Channel()
    yield made
    made.close()


def test_a_black_box_has_the_step_and_the_newest_events(channel: Channel) -> None:
    """What was noted is read back; a step that has ended is an event, and the present one is not."""
    box = BlackBox(channel.box)
    buffer = Buffer(box=box)
    buffer.emit((5, ev.READ, 1, "GET", "/", 0))
    buffer.emit((6, ev.IDLE))
    layout.RAN.pack_into(box.memory, layout.STEPS_AT, 7, 1, 2, 9, layout.DONE, 0)
    layout.BEGUN.pack_into(box.memory, 0, 7, 2)
    box.thread(3, 4711)
    noted = read(channel.box)
    assert noted == Noted(None, [(5, ev.READ, 1, "GET", "/", 0), (9, ev.RAN, 7, 1, 2, None, 0)], {4711: 3})
    layout.BEGUN.pack_into(box.memory, 0, 7, 10)
    noted = read(channel.box)
    assert noted is not None
    assert noted.step == Step(7, 10)
    assert buffer.emitted == 2


def test_a_black_box_keeps_the_newest_and_cuts_what_is_long(channel: Channel) -> None:
    """Its size is fixed, and an event of any length fits or is left out."""
    box = BlackBox(channel.box)
    for number in range(1, 2 * layout.EVENTS):
        box.keep((number, ev.READ, number, "GET", "/" + "ä" * 3_000, 0))
    noted = read(channel.box)
    assert noted is not None
    assert [event[0] for event in noted.events] == list(range(layout.EVENTS, 2 * layout.EVENTS))
    assert all(len(str(event)) < 300 for event in noted.events)


def test_what_was_replaced_is_not_taken_twice() -> None:
    """Events of the black box that come later are dropped, by whichever silence they were replaced."""
    heard = Heard()
    start: list[Event] = [(ns(0), ev.THREAD, 1, "loop"), (ns(1), ev.IDLE)]
    heard.take(ns(2), start)
    sent: Event = (ns(3), ev.READ, 1, "GET", "/", 0)
    ran: Event = (ns(5), ev.RAN, 7, ns(3), ns(4), "Future", 0)
    late: list[Event] = [(ns(2.5), ev.ITERATION), sent, (ns(5), ev.RAN, 7, ns(3), ns(4), "Task", 0)]
    noted = Noted(Step(8, ns(6)), [sent, ran], {})
    assert heard.replace(ns(2), noted) == [
        sent, (ns(4), ev.ITERATION), ran, (ns(6), ev.STEP, 8),
    ]  # fmt: skip
    ended: Event = (ns(300), ev.RAN, 8, ns(5), ns(6), None, 0)
    assert heard.take(ns(301), [*late, ended]) == [ended]
    assert heard.replace(ns(301), Noted(None, [sent, ran, ended], {})) == []


def test_calls_are_known_while_they_last() -> None:
    """Which call a thread executes follows from what was heard."""
    heard = Heard()
    call: Event = (ns(1), ev.CALL, 3, 7, 1, 2, "app.py", 3, "work")
    heard.take(ns(2), [call])
    assert heard.calls == {2: call}
    heard.take(ns(3), [(ns(2), ev.RETURN, 3)])
    assert heard.calls == {}


@linux
def test_a_signal_is_chosen_that_nobody_uses(channel: Channel) -> None:
    """An application that begins to use it later is not disturbed, and says why."""
    stacks = Stacks(channel.writes)
    assert stacks.signal > 32
    assert stacks.intact()
    before = signal.signal(stacks.signal, signal.SIG_IGN)
    try:
        assert not stacks.intact()
        assert stacks.signal == 0
        assert "has begun to use" in stacks.why
    finally:
        signal.signal(signal.SIGRTMAX - 1, before)
        stacks.close()


@linux
def test_a_signal_is_not_sent_to_who_blocks_it() -> None:
    """It would stay there, for an application that waits for any signal."""
    number, thread = signal.SIGRTMAX - 1, threading.get_native_id()
    before = signal.signal(number, lambda *_: None)
    try:
        assert machine.takes(os.getpid(), thread, number)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
        try:
            assert not machine.takes(os.getpid(), thread, number)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    finally:
        signal.signal(number, before)
    assert not machine.takes(os.getpid(), thread, number)


@linux
def test_a_signal_that_is_handled_is_not_taken() -> None:
    """Every signal that is used already is left alone; if none is left, that is said."""
    code = (
        "import os, signal\n"
        "from loopviz.agent.stacks import Stacks\n"
        "for n in range(signal.SIGRTMIN, signal.SIGRTMAX): signal.signal(n, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGUSR1, print); signal.signal(signal.SIGUSR2, print)\n"
        "s = Stacks(os.pipe()[1]); print(s.signal, s.why)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 the application uses every signal that could be used for it\n"
