"""The code view: at which line each request is, how long requests were there, and how that is drawn."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from loopviz.draw.look import Palette
from loopviz.model import State, Timeline, Where
from loopviz.model.heat import NOWHERE, Heat
from loopviz.model.positions import positions
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from loopviz.tui.scene import Facts, Line
from loopviz.tui.scene.code import Beside, CodeBody
from loopviz.tui.scene.code.files import CHANGED, Files
from loopviz.tui.scene.code.functions import functions, of_line
from loopviz.tui.scene.code.ink import inked
from loopviz.tui.scene.code.libraries import Libraries, short
from loopviz.tui.scene.code.places import placed
from loopviz.tui.scene.code.plan import scrolled
from loopviz.tui.scene.pen import Pen
from loopviz.tui.scene.picture import Picture
from loopviz.tui.view import View
from tests import streams
from tests.random_events import expanded_events
from tests.streams import MS, feed, ns, timeline
from tests.test_scene import ENVIRONMENT
from tests.test_screen import drive, picture, run

__all__ = ["drive"]

SOURCE = '''\
import time


def helper():
    return 1


@app.get("/handler")
async def handler():
    """What it does.

Its text goes on at the margin.
    """
    value = helper()
    time.sleep(1)
    await asyncio.sleep(1)
    return value


class Timer:
    async def __call__(self, scope, receive, send):
        async def timed(message):
            await send(message)

        await self.app(scope, receive, timed)
'''
PALETTES = [Palette("colour"), Palette("mono"), Palette("ascii"), Palette("ascii", colour=False)]


def source(text: str = SOURCE, file: str = "app.py") -> Event:
    """The source that a recording carries."""
    return (ns(-5), ev.SOURCE, file, 1, text)


def handler(at: float, request: int = 1, line: int = 8) -> Event:
    """The endpoint of a request was seen."""
    return (ns(at), ev.HANDLER, request, "app.py", line, "handler")


def facts(*scenarios: ScenarioFile) -> Facts:
    """Those of a server that has these scenarios."""
    return Facts(ENVIRONMENT, "in a thread", "127.0.0.1:1", scenarios)


def drawn(
    line: Timeline, at: float, width: int = 100, room: int = 40, palette: Palette | None = None, **view: Any
) -> list[str]:
    """The lines of the view at that moment."""
    body = CodeBody(Pen(palette or PALETTES[0]))
    return text(body.lines(facts(), line, View(now=ns(at), behind=1, **view), width, room, roomy=True))


def text(lines: list[Line]) -> list[str]:
    """The characters of the lines."""
    return ["".join(segment.text for segment in line) for line in lines]


def row(lines: list[str], number: int) -> str:
    """The row of a line of code."""
    (found,) = [line for line in lines if f" {number}  " in line]
    return found


def suspended(count: int, at: float = 100) -> list[Event]:
    """So many requests, which await at line 16 from 20 ms on."""
    events = [source(), (ns(0), ev.FIRED, 1, "x", 1, count, 40)]
    for number in range(1, count + 1):
        events += [*streams.accepted(number, number), handler(5, number), streams.suspend(9, number)]
        events += [streams.awaits(at, number, line=16), streams.awaited(at, number)]
    return sorted(events, key=lambda event: event[0])


# -- where requests are ------------------------------------------------------------------------


def test_a_suspended_request_is_at_its_await():
    """One has its number and the sign of its state there, and what it awaits is said."""
    lines = drawn(timeline(suspended(1)), 200)
    assert "app.py:9 handler" in lines[1]
    assert row(lines, 16).startswith(" ─#1 ")
    assert "◂ timer" in row(lines, 16)
    assert row(lines, 15).startswith("      ")


def test_requests_of_other_bursts_are_counted_in_all():
    """The figures in the first line are those of a burst, or are said to be more."""
    assert "1 request of x at 0.20 s   ─ 1 awaiting" in drawn(timeline(suspended(1)), 200)[0]
    both = timeline(suspended(1), (ns(110), ev.FIRED, 2, "x", 2, 1, 40), streams.accepted(2, 2, at=110))
    feed(both, streams.suspend(118, 2), streams.awaits(140, 2, line=16), streams.awaited(140, 2))
    assert re.search(r"1 request of x at 0\.\d+ s   in all ─ 2 awaiting", drawn(both, 300)[0])


def test_tasks_that_requests_have_started_are_counted_in_all():
    """A started task is no request: where there are some, the figures are not those of the burst alone."""
    line = timeline(
        streams.fired(0, 1, "x", 1, 1, 40), streams.accepted(), streams.made(3, 2, 1, 1), streams.suspend(4)
    )
    feed(line, streams.step(5, 2), streams.suspend(6, 2), streams.idle(7))
    feed(line, streams.awaits_task(8, 1, 2, 0), streams.awaited(9, 2, "queue"))
    assert "   in all ─ 2 awaiting" in drawn(line, 110)[0]


def test_many_at_a_line_are_counted():
    """A dozen requests that await at one line are a dozen, not twelve numbers."""
    assert row(drawn(timeline(suspended(12)), 200), 16).startswith(" ─12 awaiting ")


def test_states_at_one_line_are_told_apart_without_colours():
    """What awaits and what is ready at the same line have different signs, and counts of their own."""
    line = timeline(suspended(9))
    feed(line, [streams.wake(250, number) for number in (1, 2, 3)])
    for palette in PALETTES[1:]:
        shown = row(drawn(line, 300, palette=palette), 16).split()[0:2]
        assert len({mark[0] for mark in shown}) == 2
        assert {mark[1:] for mark in shown} == {"3", "6"}


def test_the_line_that_blocks_is_in_the_alarm_colour_with_what_it_calls():
    """While a line holds the loop it is said what it calls and for how long; later it is a line as others."""
    line = timeline(source(), streams.thread(0, 1, "loop"), streams.accepted(), handler(3))
    feed(line, [streams.cpu(t, 1, 0) for t in (100, 300, 490)])
    feed(line, streams.holds(500, since=2, line=15, calls="time.sleep"))
    lines = drawn(line, 510)
    assert row(lines, 15).split()[0][1:] == "#1"
    assert "time.sleep(1)  ◂ time.sleep sleeps 508 ms" in row(lines, 15)
    alarm = PALETTES[0].text("alarm")
    body = CodeBody(Pen(PALETTES[0]))
    for at, alarmed in ((510, True), (540, False)):
        if not alarmed:
            feed(line, streams.suspend(520), streams.idle(521))
        found = body.lines(facts(), line, View(now=ns(at), behind=1), 100, 40, roomy=True)
        assert alarmed is any(s.style == alarm and "time.sleep(1)" in s.text for one in found for s in one)


def test_what_is_not_read_yet_is_above_the_function():
    """Requests in the socket, and those before their first step, are at no line, and are counted there."""
    line = timeline(suspended(1))
    feed(line, [streams.sent(150, 5), streams.sent(150, 6)])
    lines = drawn(line, 200)
    assert "2 in the socket" in lines[2]
    assert lines[2].startswith(" ·#5 #6 ")


def test_what_waits_for_a_thread_is_at_the_definition():
    """A request that waits before the first line of its `def` endpoint is shown at the definition."""
    line = timeline(source(), streams.accepted(), handler(3))
    feed(line, streams.token_wait(5), streams.suspend(6))
    assert row(drawn(line, 100), 9).strip()[1:].startswith("#1")
    assert "async def handler" in row(drawn(line, 100), 9)


def test_child_tasks_stand_for_their_request():
    """Of a request that awaits three tasks at one line, the tasks are shown, by its number."""
    line = timeline(source(), streams.accepted())
    for task in (2, 3, 4):
        feed(line, streams.made(3, task, 1, 1), streams.awaits_task(4, 1, task))
    feed(line, streams.suspend(5))
    for task in (2, 3, 4):
        feed(line, streams.step(6 + task, task), streams.suspend(6.5 + task, task))
    feed(line, [streams.awaits(40, task, line=22) for task in (2, 3, 4)])
    feed(line, [streams.awaited(40, task) for task in (2, 3, 4)])
    assert row(drawn(line, 100), 22).startswith(" ─#1×3 ")


def test_frames_of_libraries_are_shown_on_request():
    """They are below the user's line that led there; the user's own callers have a mark of their own."""
    frames = "14\thandler\tapp.py\n5\thelper\tapp.py\n1629\tClient.send\t/x/site-packages/httpx/_client.py"
    line = timeline(source(), streams.accepted(), handler(3), streams.suspend(9))
    feed(line, (ns(40), ev.FRAMES, 1, 0, frames), (ns(40), ev.AWAITS, 1, "app.py", 5, "helper"))
    closed, opened = drawn(line, 100), drawn(line, 100, expanded=True)
    assert row(closed, 5).startswith(" ─#1 ")
    assert "+1 frame" in row(closed, 5)
    assert row(closed, 14).startswith(" ↓#1 ")
    assert opened[opened.index(row(opened, 5)) + 1].strip() == "↳ httpx/_client.py:1629 Client.send"


def test_library_code_is_shown_on_request_only():
    """A task of a library's own is in no function of the user's: it is counted, and X shows its code."""
    library = "/x/lib/python3.13/site-packages/httpx/_client.py"
    line = timeline(source(), streams.accepted(), handler(3), streams.suspend(9))
    feed(line, (ns(40), ev.AWAITS, 1, library, 5, "send"))
    closed, opened = drawn(line, 140), drawn(line, 140, expanded=True)
    assert "1 in a library" in closed[2]
    assert not any("_client.py:5" in one for one in closed)
    assert any("_client.py:5 send" in one for one in opened)
    assert closed[2].split()[-2:] == ["140", "ms"]
    own = [Where(library, 2, "endpoint")]  # an application may be installed
    assert library in Libraries()
    assert library not in Libraries(own)
    assert "/x/lib/python3.13/asyncio/tasks.py" in Libraries(own)
    assert "/home/me/app.py" not in Libraries()
    assert short("/x/lib/python3.13/asyncio/tasks.py") == "asyncio/tasks.py"
    assert short(library) == "httpx/_client.py"


def test_the_selected_request_is_named():
    """Among many at a line, the number of the selected one is shown, and its time alone."""
    lines = drawn(timeline(suspended(12)), 200, cursor=7)
    assert row(lines, 16).startswith(" ─#7 +11")
    assert "#7 GET /" in lines[0]
    assert row(lines, 16).endswith("191 ms ")


@settings(max_examples=150)
@given(expanded_events, st.integers(0, 900))
def test_every_request_that_is_alive_has_a_mark(events, later):
    """Whatever happens, what is alive is somewhere in the view, and nothing else is."""
    line = Timeline(threshold=20 * MS)
    line.feed(events)
    now = line.last + later * MS
    alive = positions(line, now)
    found = placed(alive, lambda _: None, line.block_at(now))
    marks = [mark for marks in (*found.lines.values(), *found.above.values()) for mark in marks]
    assert sorted(mark.request for mark in marks if mark.request) == sorted(one.request for one in alive)
    assert found.count == len(marks)
    for size in ((80, 24), (37, 5)):
        for one in drawn(line, (now - ns(0)) / MS, *size):
            assert cell_len(one) <= max(size[0], 40)


# -- how long ------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(expanded_events, st.lists(st.integers(0, 900), max_size=4))
def test_the_heat_is_all_of_the_time(events, steps):
    """The times at all lines, and at none, are what requests took, however often it is asked."""
    line = Timeline(threshold=20 * MS)
    line.feed(events)
    requests = list(line.requests.values())
    often = Heat()
    for now in [*sorted(line.last - step * MS for step in steps), line.last]:
        found = often.of(line, requests, now, "all")
        once = Heat().of(line, requests, now, "all")
        assert {spot: warm.times for spot, warm in found.items()} == {s: w.times for s, w in once.items()}
        lived = sum(s.end - s.start for request in requests for s in request.history(now))
        assert sum(warm.total for warm in found.values()) == lived


def test_time_is_split_by_line_and_state():
    """A step that is seen at two lines was at the first until it was seen at the second; a block is one."""
    line = timeline(source(), streams.thread(0, 1, "loop"), streams.accepted())
    feed(line, streams.holds(50, since=2, line=14), streams.holds(302, since=2, line=15))
    feed(line, streams.suspend(402), streams.awaits(430, line=16), streams.wake(702), streams.step(802))
    found = Heat().of(line, list(line.requests.values()), ns(802), 1)
    times = {spot[1]: {kind: time / MS for kind, time in warm.times.items()} for spot, warm in found.items()}
    assert times[14] == {None: 300}
    assert times[15] == {None: 100}
    assert times[16] == {State.AWAITING: 300, State.READY: 100}
    assert found[NOWHERE].total == 2 * MS


# -- the source ----------------------------------------------------------------------------------


def test_functions_are_found_as_the_parser_finds_them():
    """In all files of loopviz, without running or parsing them."""
    checked = 0
    for file in sorted(Path(__file__).parents[1].glob("loopviz/**/*.py"))[::4]:
        whole = file.read_text(encoding="utf-8")
        found = [(one.first, one.line, one.last, one.name) for one in functions(whole.split("\n"))]
        assert found == _parsed(ast.parse(whole)), file
        checked += len(found)
    assert checked > 200


def _parsed(node: ast.AST, names: tuple[str, ...] = ()) -> list[tuple[int, int, int, str]]:
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min(one.lineno for one in (child, *child.decorator_list))
            found.append((first, child.lineno, child.end_lineno or 0, ".".join([*names, child.name])))
        else:
            inside = (*names, child.name) if isinstance(child, ast.ClassDef) else names
            found += _parsed(child, inside)
    return found


def test_a_line_outside_of_functions_is_shown_with_those_around_it():
    """And texts of several lines that reach the margin do not end a function."""
    lines = SOURCE.split("\n")
    known = functions(lines)
    assert [one.name for one in known] == ["helper", "handler", "Timer.__call__"]
    assert of_line(known, 12, len(lines)).name == "handler"
    assert of_line(known, 22, len(lines)).name == "Timer.__call__"
    around = of_line(known, 1, len(lines))
    assert (around.first, around.last, around.name) == (1, 4, "")


@given(st.lists(st.text(max_size=60), max_size=30))
def test_any_text_is_source(lines):
    """Nothing raises, no character is lost that can be printed, and no control character is left."""
    for one in functions(lines):
        assert 1 <= one.first <= one.line <= one.last <= len(lines)
    made = inked(lines)
    assert len(made) == len(lines)
    for pieces in made:
        assert "".join(part for part, _ in pieces).isprintable()


def test_words_of_the_language_are_marked():
    """Keywords, names that are defined, and texts; a text of several lines is one in each of them."""
    made = inked(["async def f(x):  # why", '    """One', '    two"""', "    return 'def' in x"])
    assert made[0][:2] == [("async", "keyword"), (" ", "plain")]
    assert ("f", "name") in made[0]
    assert made[0][-1] == ("# why", "quiet")
    assert made[1][-1] == ('"""One', "quiet")
    assert made[2] == [('    two"""', "quiet")]
    assert ("'def'", "quiet") in made[3]
    assert ("return", "keyword") in made[3]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60), (60, 10), (20, 3)])
@pytest.mark.parametrize("palette", PALETTES, ids=["colour", "mono", "ascii", "plain"])
def test_hostile_source_stays_in_its_columns(palette, size):
    """Tabs, wide characters, control characters and long lines neither widen a row nor reach the terminal."""
    hostile = 'def handler():\n\tx = "速い\x1b[2J\u202e" + ' + "長" * 400 + "\n\tawait y[red]\n"
    line = timeline(source(hostile), streams.accepted(), handler(3, line=1), streams.suspend(9))
    feed(line, streams.awaits(40, line=2))
    lines = drawn(line, 100, size[0], size[1], palette)
    for one in lines:
        assert cell_len(one) <= max(size[0], 40)
        assert one.isprintable()
    if size[0] >= 80:
        assert any("\\x1b[2J" in one for one in lines)
        assert any("…" in one or "~" in one for one in lines)


def test_a_file_that_is_not_here_is_said_to_be():
    """Its lines are listed by number, with what is at them."""
    line = timeline(streams.accepted(), streams.suspend(9), streams.awaits(40, line=21))
    lines = drawn(line, 100)
    assert "its source is not here" in lines[1]
    assert row(lines, 21).startswith(" ─#1 ")


def test_the_time_of_a_definition_in_one_line_has_that_of_its_decorator():
    """Who waits for a thread is at the decorator's line, who is in it at the definition's: both count."""
    line = timeline(source("@app.get('/')\ndef handler(): return sleep(1)\n"), streams.accepted())
    feed(line, handler(3, line=1), streams.token_wait(3), streams.suspend(4), streams.idle(4))
    feed(line, streams.thread(400, 2), (ns(400), ev.CALL, 1, 1, 1, 2, "app.py", 2, "handler"))
    lines = drawn(line, 1_000)
    assert row(lines, 2).rstrip().endswith("996 ms")
    assert lines[1].rstrip().endswith("996 ms")


def test_a_function_without_a_file_has_no_line():
    """Of what is written in C only the name is known: no number stands where there is no line."""
    line = timeline(streams.accepted(), streams.thread(3, 2), streams.submit(3))
    feed(line, [(ns(4), ev.CALL, 1, 1, 1, 2, "", 0, "BufferedReader.read")])
    feed(line, streams.suspend(5), streams.idle(6))
    title, there, *_ = drawn(line, 100)[1:]
    assert title.startswith("─ BufferedReader.read ──")
    assert " it has no Python source " in there
    assert "#1" in there
    assert " 0 " not in there
    assert "not here" not in title


def test_a_file_that_has_changed_since_is_said_to_have(tmp_path, monkeypatch):
    """The lines that were read first stay, and the title says that the file has others."""
    file = tmp_path / "mine.py"
    file.write_text("def handler():\n    pass\n")
    files, line = Files(), Timeline()
    assert files.lines(line, facts(), str(file)) == ("def handler():", "    pass")
    monkeypatch.setattr("loopviz.tui.scene.code.files._AGAIN", 0)
    monkeypatch.setattr("loopviz.tui.scene.code.files._modified", lambda _: 1e12)
    assert files.note(facts(), str(file)) == CHANGED
    served = ScenarioFile("mine", file, Scenario(title="t", expect="e"), None, "GET", "/")
    file.write_text("def other():\n    pass\n")
    assert files.lines(line, facts(), str(file)) == ("def handler():", "    pass")
    assert files.lines(line, facts(served), str(file)) == ("def other():", "    pass")  # it is served again


def test_the_endpoint_is_shown_before_anything_was_seen(tmp_path):
    """What a scenario declares is enough: requests that are fast are never seen at a line."""
    file = tmp_path / "quick.py"
    file.write_text('@app.get("/quick")\nasync def quick():\n    return 1\n')
    scenario = ScenarioFile("quick", file, Scenario(title="t", expect="e"), None, "GET", "/quick")
    line = timeline((ns(0), ev.FIRED, 1, "quick", 1, 1, 40), streams.sent(1))
    body = CodeBody(Pen(PALETTES[0]))
    lines = text(body.lines(facts(scenario), line, View(now=ns(5), behind=1), 100, 30, roomy=True))
    assert "quick.py:2 quick" in lines[1]
    assert any("return 1" in one for one in lines)


def test_an_unknown_endpoint_is_said_to_be_unknown():
    """Where neither a line nor an endpoint is known, the view says why; what is alive is counted."""
    lines = drawn(timeline(streams.sent(0)), 10)
    assert "1 queued" in lines[0]
    assert "No request was seen at a line" in "".join(lines)
    assert "No request yet" in "".join(drawn(Timeline(), 10))


# -- what stays where it is ------------------------------------------------------------------------


def test_functions_keep_their_places():
    """A function that gets more requests than the one above it stays below it."""
    line = timeline(suspended(2))
    feed(line, streams.step(300, 1), streams.suspend(301, 1), (ns(330), ev.AWAITS, 1, "app.py", 5, "helper"))
    body = CodeBody(Pen(PALETTES[0]))

    def titles(at: float) -> list[str]:
        lines = text(body.lines(facts(), line, View(now=ns(at), behind=1), 100, 40, roomy=True))
        return [one.split()[1] for one in lines if one.startswith("─ ")]

    assert titles(200) == ["app.py:9"]
    assert titles(400) == ["app.py:9", "app.py:4"]
    feed(line, streams.step(410, 2), streams.suspend(411, 2), (ns(440), ev.AWAITS, 2, "app.py", 5, "helper"))
    assert titles(500) == ["app.py:9", "app.py:4"]


def test_lines_without_room_are_left_out_and_counted():
    """In few rows the lines at which something is stay, with those around them."""
    lines = drawn(timeline(suspended(1)), 200, 80, 8)
    assert row(lines, 16).startswith(" ─#1 ")
    assert any("lines" in one and "⋮" in one for one in lines)
    assert len(lines) <= 8


def test_the_view_scrolls_only_when_it_has_to():
    """The line that is followed stays in sight; otherwise nothing moves."""
    assert scrolled(100, 10, 0, 5) == 0
    assert scrolled(100, 10, 0, 9) == 2
    assert scrolled(100, 10, 50, 30) == 28
    assert scrolled(100, 10, 95, None) == 90
    assert scrolled(5, 10, 3, 4) == 0


def test_both_views_are_shown_on_wide_screens():
    """From 160 columns on the lanes are at the left, and a click on the right half means the code."""
    line, pen = timeline(suspended(1)), Pen(PALETTES[0])
    both = Beside(pen, Picture(pen), CodeBody(pen))
    for width, lanes in ((120, False), (160, True)):
        lines = text(both.lines(facts(), line, View(now=ns(200), behind=1), width, 40, roomy=True))
        assert both.both is lanes
        assert any("LOOP" in one for one in lines) is lanes
        y = next(at for at, one in enumerate(lines) if "◂ timer" in one)
        start, end, hit = both.hits[y][-1]
        assert hit.request == 1
        assert (start > 70) is lanes
        assert end <= width


@run
async def test_keys_open_the_view_show_frames_and_scroll(drive):
    """2 shows the code of the moment, X the lines of libraries, and shift with an arrow scrolls it."""
    frames = "16\thandler\tapp.py\n663\tsleep\t/usr/lib/python3.13/asyncio/tasks.py"
    events = [*suspended(3), (ns(400), ev.FRAMES, 2, 0, frames), streams.awaits(420, 2, 16)]
    async with drive(size=(80, 11)) as screen:
        await screen.show(events, at=500)
        assert "await asyncio.sleep(1)" not in "".join(screen.lines())
        shown = await screen.press("2")
        assert "await asyncio.sleep(1)" in row(shown, 16)
        shown = await screen.press("X")
        assert "↳ asyncio/tasks.py:663 sleep" in "".join(shown)
        assert "at no line" not in "".join(await screen.press("shift+down"))
        assert "at no line" in "".join(await screen.press("shift+up", "shift+up"))
        assert "LOOP" in "".join(await screen.press("1"))


@pytest.mark.parametrize("mode", ["colour", "ascii"])
def test_the_picture_of_the_code(drive, snapshot, mode):
    """The whole screen looks as it should while a line blocks the loop, in colour and in ASCII."""

    @run
    async def test(drive):
        events = [source(), (ns(0), ev.FIRED, 1, "x", 1, 5, 40), streams.thread(0, 1, "loop")]
        events += [
            *streams.accepted(2, 2, 1),
            handler(4, 2),
            streams.suspend(9, 2),
            streams.awaits(40, 2, 16),
        ]
        events += [*streams.accepted(1, 1, 299), *(streams.sent(310, n) for n in (3, 4, 5))]
        events += [streams.cpu(t, 1, 12) for t in (350, 600, 900)]
        events.append(streams.holds(900, 1, 301, 15, "time.sleep"))
        async with drive(size=(80, 24), palette=Palette(mode)) as screen:
            await screen.show(sorted(events, key=lambda event: event[0]), at=1_000)
            await screen.press("2")
            assert picture(screen) == snapshot

    test(drive=drive)
