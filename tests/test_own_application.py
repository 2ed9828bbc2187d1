"""The screen of the user's own application: its routes, its output, and where its server runs."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.scenario import Scenario, ScenarioFile
from loopviz.stream import events as ev
from loopviz.stream.source import Death
from tests import streams
from tests.side_screens import HOSTILE, SMALL, shown
from tests.streams import ns
from tests.test_burst_screen import burst
from tests.test_catalogue_list import listed
from tests.test_screen import Driver, FakeSource, answered, drive, run

__all__ = ["drive"]  # the fixture

SIZES = [SMALL, (120, 36), (200, 60)]


def route(method: str, path: str, lacking: str | None = None, **facts: Any) -> ScenarioFile:
    """A route of an application."""
    declared = Scenario(title=f"{path} title", expect="", group="items", **facts)
    name = f"{method} {path}"
    return ScenarioFile(name, Path("shop.py"), declared, None, method, path, lacking=lacking)


LACKING = "No value for the path parameter 'item' of GET /items/{item}.\nAnswer it."
ROUTES = [route("GET", "/"), route("POST", "/orders"), route("GET", "/items/{item}", LACKING)]


@pytest.fixture
def own(drive):
    """Starts the program with an application that has three routes, in a process of its own."""

    def start(size: tuple[int, int] = SMALL, palette: Palette | None = None) -> Any:
        source = FakeSource(list(ROUTES), application="shop.main:app", pid=1234)
        source.mode = "in a process of its own"
        return drive(size, palette, source=source)

    return start


def said(lines: list[str]) -> str:
    """The lines of the picture, so that a sentence can be found that is wrapped."""
    return " ".join(" ".join(line.strip("▌ ") for line in lines).split())


@run
async def test_a_stop_of_the_program_is_none_of_the_server(own, monkeypatch):
    """After ctrl+z and fg nothing is said of the server's process, which went on."""
    async with own() as screen:
        monkeypatch.setattr(screen.app.pulse, "stopped", lambda _: ns(3_000))
        await screen.press("escape")
        screen.app._was_stopped()
        assert "the server's process went on." in said(await screen.show())


# -- routes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_the_first_screen_lists_the_routes_and_says_what_to_do(own, size):
    """The list is open at once: enter fires what is highlighted, and the address can be copied."""

    @run
    async def test(own):
        async with own(size=size) as screen:
            await screen.pilot.pause()
            text = shown(screen)
            assert "GET /items/{item}" in text
            assert "enter fires" in text
            assert "127.0.0.1:41873" in text
            assert "scenario" not in text
            await screen.press("down", "enter")
            assert screen.source.fired == [("POST /orders", 8)]

    test(own=own)


@run
async def test_letters_are_keys_of_the_picture_until_tab_is_pressed(own):
    """While the list has the arrows, q still quits and ? still helps; tab filters."""
    async with own() as screen:
        await screen.press("tab", *"ord")
        assert [row.split()[:2] for row in listed(screen)] == [["POST", "/orders"]]
        await screen.press("tab")
        assert not screen.app.screen.catalogue.display
    async with own() as screen:
        await screen.press("q")
        assert not screen.app.is_running


@run
async def test_a_slash_is_typed_into_the_filters(own):
    """A path begins with one: in the list of routes, and in the filter of rows that it opens otherwise."""
    async with own() as screen:
        await screen.press("tab", "slash", *"ord")
        assert [row.split()[:2] for row in listed(screen)] == [["POST", "/orders"]]
        await screen.press("tab", "slash", "slash", *"ord")
        assert screen.app.view.words == "/ord"


@run
async def test_enter_opens_the_list_while_no_request_is_selected(own):
    """With a selected request it opens that one, as it does for scenarios."""
    async with own() as screen:
        await screen.press("escape")
        assert not screen.app.screen.catalogue.display
        await screen.show(answered(1, 0), at=1_000)
        await screen.press("enter")
        assert screen.app.screen.catalogue.display
        await screen.press("escape", "down", "enter")
        assert "#1" in shown(screen)
        assert screen.app.view.cursor == 1


@run
async def test_routes_are_listed_when_the_application_serves(own):
    """Before, the list says that none is known; the picture says where to send requests."""
    async with own() as screen:
        screen.source.scenarios = []
        await screen.show()
        await screen.pilot.pause()
        assert listed(screen) == []
        assert "no route is known" in shown(screen)
        screen.source.scenarios = list(ROUTES)
        screen.source.address = "127.0.0.1:8000"
        await screen.show()
        await screen.pilot.pause()
        assert len(listed(screen)) == 3
        assert "http://127.0.0.1:8000" in shown(screen)


@run
async def test_the_empty_picture_says_that_requests_from_elsewhere_are_drawn(own):
    """With the address to copy, at 80 columns as well."""
    async with own() as screen:
        lines = await screen.press("escape")
        assert any("enter chooses one of 3 routes" in line for line in lines)
        assert any("drawn too: http://127.0.0.1:41873" in line for line in lines)


@run
async def test_help_and_commands_speak_of_routes(own):
    """Nothing speaks of scenarios, and what only scenarios have is not offered."""
    async with own(size=(150, 70)) as screen:
        commands = list(screen.app.get_system_commands(screen.app.screen))
        assert not [c for c in commands if "scenario" in f"{c.title}{c.help}".lower()]
        assert not [c for c in commands if c.title == "Fire the repair"]
        await screen.press("question_mark")
        await screen.pilot.pause()
        text = shown(screen)
        assert "scenario" not in text.lower()
        assert "The list of routes" in text


# -- the request of a route ----------------------------------------------------------------------


@run
async def test_a_route_that_lacks_a_value_asks_for_its_request(own):
    """The line is shown with what is suggested; the answer is fired, and known from then on."""
    async with own() as screen:
        screen.source.scenarios = [*ROUTES[:2], replace(ROUTES[2], suggested="GET /items/1")]
        await screen.show()
        await screen.press("down", "down", "enter")
        await screen.pilot.pause()
        assert screen.source.fired == []
        assert "No value for the path parameter 'item'" in shown(screen)
        field = screen.app.screen.query_one(Input)
        assert field.value == "GET /items/1"
        await screen.press("backspace", "7", "enter")
        assert screen.source.fired == [("GET /items/{item}", 8)]
        assert [file.path for file in screen.source.scenarios] == ["/", "/orders", "/items/7"]
        await screen.press("enter", "enter")
        assert len(screen.source.fired) == 2


@run
async def test_a_line_that_is_no_request_is_refused_below_it(own):
    """What was typed stays, and escape fires nothing."""
    async with own() as screen:
        await screen.press("down", "ctrl+e")
        await screen.pilot.pause()
        field = screen.app.screen.query_one(Input)
        assert field.value == "POST /orders"
        await screen.press(*" {x", "enter")
        await screen.pilot.pause()
        assert "The body is no JSON" in shown(screen)
        assert field.value == "POST /orders {x"
        await screen.press("escape")
        assert screen.source.fired == []


@run
async def test_what_cannot_be_remembered_is_fired_all_the_same(own):
    """The screen says why it is not remembered."""

    def refuse(_: ScenarioFile) -> None:
        raise InputError(f"requests.json cannot be written{HOSTILE}")

    async with own() as screen:
        screen.source.change_request = refuse
        await screen.press("down", "ctrl+e", "enter")
        assert screen.source.fired == [("POST /orders", 8)]


# -- where the server runs -----------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_the_header_says_where_the_server_is(own, size):
    """Its process is named at every width, before and after something was fired."""

    @run
    async def test(own):
        async with own(size=size) as screen:
            await screen.press("escape")
            first = screen.lines()[0]
            assert ("process 1234" in first) or ("process of its own (pid 1234)" in first)
            assert ":41873" in first
            if size[0] >= 120:
                assert "asyncio · in a process of its own (pid 1234) · " in first
            await screen.show(burst(1, 1_000, 1), at=2_000)
            if size[0] >= 120:
                assert "own process 1234" in screen.lines()[0]

    test(own=own)


@run
async def test_the_server_is_moved_and_the_picture_says_what_changes(drive):
    """While it moves and when it has, in plain words; the header follows."""
    async with drive(size=SMALL) as screen:
        screen.source.moved = Future()
        text = said(await screen.press("i"))
        assert "moves to a process of its own" in text
        assert "What keeps the GIL is named from outside." in text
        screen.source.mode, screen.source.pid = "in a process of its own", 77
        screen.source.moved.set_result(None)
        text = said(await screen.show())
        assert "is in a process of its own" in text
        assert "own process 77" in text
        screen.source.moved = Future()
        assert "freezes the screen" in said(await screen.press("i"))


@run
async def test_a_server_that_cannot_move_stays(drive):
    """An error of the move is said, and so is that it cannot be moved at all."""
    async with drive(size=SMALL) as screen:
        assert "cannot be moved" in said(await screen.press("i"))
        screen.source.moved = Future()
        await screen.press("i")
        screen.source.moved.set_exception(InputError(f"no memory{HOSTILE}\nfree some"))
        assert "no memory" in said(await screen.show())


@run
async def test_a_process_that_has_ended_is_drawn_dead(own):
    """The header, the sentence and the pane say how, where and with which last words; R starts it again."""
    async with own(size=(120, 36)) as screen:
        await screen.press("escape")
        await screen.show(streams.accepted(1, 1, 100), at=1_000)
        screen.source.lines = ["starting", f"Traceback{HOSTILE}", "MemoryError: boom"]
        screen.source.written = 3
        screen.source.death = Death(ns(1_200), "exit code 3", tuple(screen.source.lines), ("a/b.py", 7, "f"))
        lines = await screen.show(at=3_000)
        text = said(lines)
        assert "DEAD: exit code 3" in lines[0]
        assert "ended: exit code 3. It was last seen at b.py:7 (f)." in text
        assert "R restart" in text
        assert r"Traceback[red]\x1b[2J[/]" in await pane(screen)
        present = screen.app.present
        await screen.show(at=9_000)
        assert screen.app.present == present, "the picture stops"
        screen.source.restarted = Future()
        await screen.press("R")
        screen.source.death = None
        screen.source.restarted.set_result(None)
        lines = await screen.show(at=9_500)
        assert "DEAD" not in lines[0]
        assert "started again" in said(lines)
        assert screen.app.present == ns(9_500)


@run
async def test_what_has_not_ended_is_not_started_again(own):
    """R says so, and the foot offers it only when the process has ended."""
    async with own(size=(120, 36)) as screen:
        lines = await screen.press("escape", "R")
        assert "has not ended" in said(lines)
        assert "restart" not in said(lines[-2:])


# -- the output ----------------------------------------------------------------------------------


async def pane(screen: Driver) -> str:
    """What the terminal shows."""
    await screen.show()
    await screen.pilot.pause()
    return shown(screen)


@pytest.mark.parametrize("size", SIZES)
def test_the_output_is_shown_below_the_picture_and_scrolls(own, size):
    """The newest line is the last one; it can be scrolled, and escape closes it."""

    @run
    async def test(own):
        async with own(size=size) as screen:
            await screen.press("escape")
            screen.source.lines = [f"line {number}" for number in range(1, 101)]
            screen.source.written = 100
            assert "o output (100 new)" in said(await screen.show())
            await screen.press("o")
            text = await pane(screen)
            assert "line 100" in text
            assert "output: 100 lines" in text
            assert "100 new" not in text
            await screen.press("home")
            text = await pane(screen)
            assert "line 1 " in text
            assert "line 100" not in text
            screen.source.lines = [*screen.source.lines[1:], f"\x1b[32mgreen\x1b[0m{HOSTILE}"]
            screen.source.written = 101
            assert "line 2 " in await pane(screen)
            await screen.press("end")
            text = await pane(screen)
            assert r"green[red]\x1b[2J[/]" in text
            assert "output: last 100 of 101 lines" in text
            await screen.press("escape")
            assert "green" not in await pane(screen)

    test(own=own)


@run
async def test_a_long_line_is_wrapped(own):
    """Nothing of it is cut off, and an empty pane says so."""
    async with own() as screen:
        await screen.press("escape", "o")
        assert "Nothing was written so far." in await pane(screen)
        screen.source.lines, screen.source.written = ["x" * 100 + "END"], 1
        assert "END" in await pane(screen)


# -- a steady load -------------------------------------------------------------------------------


@run
async def test_a_load_begins_with_what_was_fired_last(drive):
    """L starts and ends it; + and - change its rate; header and foot show it; the picture scrolls."""
    async with drive(size=SMALL) as screen:
        assert "needs a scenario" in said(await screen.press("l"))
        await screen.show(burst(1, 1_000, 1), at=2_000)
        lines = await screen.press("l")
        assert screen.source.load is not None
        assert (screen.source.load.scenario.name, screen.source.load.per_second) == ("async", 5)
        assert "load async 5/s" in lines[0]
        assert "5/s" in lines[-1]
        assert any(" now" in line for line in lines), "it scrolls"
        await screen.press("plus", "plus", "plus", "minus")
        assert screen.source.load.per_second == 20
        assert screen.source.fired == []
        lines = await screen.press("l")
        assert screen.source.load is None
        assert "load" not in lines[0]
        await screen.press("plus", "a")
        assert screen.source.fired == [("async", 10)]


@run
async def test_a_load_is_of_the_selected_request(own):
    """A request from elsewhere selects the route that it asks for."""
    async with own(size=(120, 36)) as screen:
        await screen.press("escape")
        await screen.show(streams.accepted(1, 1, 100), streams.sent(200, 2), at=1_000)
        await screen.press("down", "l")
        assert screen.source.load is not None
        assert screen.source.load.scenario.name == "GET /"
        lines = await screen.show()
        assert "load GET / 5/s" in lines[0]
        assert "end load" in lines[-1]


@run
async def test_requests_of_a_load_that_were_not_sent_are_counted(drive):
    """The sentence says how many, and why: the rate that is shown is not that of the server."""
    async with drive(size=SMALL) as screen:
        await screen.show(burst(1, 1_000, 1), at=2_000)
        await screen.press("l")
        load = screen.source.load
        assert load is not None
        screen.source.load = replace(load, skipped=12, unanswered=300, why="300 are not answered")
        text = said(await screen.show(at=9_000))
        assert "12 requests were not sent" in text
        assert "300 are not answered" in text


@pytest.mark.parametrize("palette", [Palette("colour"), Palette("mono"), Palette("ascii", colour=False)])
def test_it_is_drawn_in_every_palette(own, palette):
    """List, prompt, pane and death, without colour and in ASCII."""

    @run
    async def test(own):
        async with own(palette=palette) as screen:
            await screen.press("down", "ctrl+e")
            await screen.pilot.pause()
            assert "POST /orders" in shown(screen)
            await screen.press("escape", "escape", "o")
            screen.source.death = Death(ns(1_200), "killed by SIGKILL", ("last words é",))
            screen.source.lines, screen.source.written = ["last words é"], 1
            text = await pane(screen)
            assert "DEAD: killed by SIGKILL" in text
            assert ("last words é" in text) is palette.unicode
            assert palette.unicode or "".join(screen.lines()).isascii()

    test(own=own)


@run
async def test_a_server_that_is_attached_to_gets_its_requests_from_elsewhere(drive):
    """Nothing that loopviz's own client would do is offered, and keys for it say why."""
    source = FakeSource([], application="gunicorn", pid=55)
    source.mode = "attached"
    async with drive(size=(120, 36), source=source) as screen:
        assert not screen.app.screen.catalogue.display
        lines = await screen.show()
        assert "attached (pid 55)" in lines[0]
        assert "drawn as they come" in said(lines)
        for words in ("routes", "request ", "move", "compare"):
            assert words not in said(lines[-2:])
        for key in ("l", "g", "plus", "tab", "p", "v"):
            assert "attached to this server" in said(await screen.press(key))
        assert "cannot be moved" in said(await screen.press("i"))
        await screen.press("enter")
        assert not screen.app.screen.catalogue.display
        assert screen.source.fired == []
        source.death = Death(ns(1_200), "exit code 3", ())
        text = said(await screen.show(at=3_000))
        assert "ended: exit code 3." in text
        assert "starts it again" not in text


@run
async def test_a_file_that_cannot_be_read_is_listed_with_its_error(drive):
    """Its row says that it cannot be read, and what is highlighted is explained; it is not fired."""
    async with drive(size=SMALL) as screen:
        error = f"bad.py:3: syntax error: invalid syntax{HOSTILE}\nFix that line and run again."
        made = ScenarioFile(
            "bad", Path("bad.py"), Scenario(title="cannot be read", expect=error.partition("\n")[0]), None,
            "GET", "/", lacking=error, broken=error,
        )  # fmt: skip
        screen.source.scenarios = [*screen.source.scenarios, made]
        await screen.show()

        def refuse(file: ScenarioFile, _: int) -> None:
            raise InputError(str(file.lacking))

        screen.source.fire = refuse
        await screen.press("tab", *"bad")
        await screen.pilot.pause()
        text = shown(screen)
        assert "cannot be read" in text
        assert "syntax error" in text
        assert "bad.py:3: syntax error" in said(await screen.press("enter"))


@run
async def test_the_loop_ends_with_a_mark(own):
    """Where the process has ended, the lane of its loop says so, as long as that is in the picture."""
    async with own(size=(120, 24)) as screen:
        await screen.press("escape")
        ended = (ns(3_000), ev.WORKER, 0, 1234, "ended", "exit code 3")
        lines = await screen.show(streams.iteration(1_000), streams.idle(1_001), ended, at=5_000)
        (lane,) = [line for line in lines if line.startswith(" LOOP")]
        assert lane.count("X") == 1
        assert "ended: exit code 3" in lane
