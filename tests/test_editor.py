"""The key e: which line is opened, by which command, and that the terminal is restored."""

from __future__ import annotations

import os
import signal
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loopviz.errors import InputError
from loopviz.model import Timeline
from loopviz.scenario import builtin_folder, find, read
from loopviz.stream import events as ev
from loopviz.tui.editor import editing, how_it_ended
from loopviz.tui.pointed import pointed_at
from loopviz.tui.screens.detail import Detail
from loopviz.tui.view import View
from tests import streams
from tests.streams import ns, timeline
from tests.test_screen import drive, run

__all__ = ["drive"]  # the fixture


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Makes programs of these names; each is found by its name alone."""

    def make(name: str, text: str = "") -> Path:
        path: Path = tmp_path / "a folder" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(path.parent))
        return path

    return make


# -- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "arguments", "graphical"),
    [
        ("vim", ["+14", "FILE"], False),
        ("nvim -p", ["-p", "+14", "FILE"], False),
        ("nano", ["+14", "FILE"], False),
        ("emacs -nw", ["-nw", "+14", "FILE"], False),
        ("hx", ["FILE:14"], False),
        ("code --wait", ["--wait", "--goto", "FILE:14"], True),
        ("codium", ["--goto", "FILE:14"], True),
        ("subl", ["FILE:14"], True),
        ("unknown", ["FILE"], False),
    ],
)
def test_each_editor_is_given_the_line_in_its_own_way(programs, tmp_path, asked, arguments, graphical):
    """Options of $EDITOR are kept, and a file's name with spaces is one argument."""
    program = programs(asked.split()[0])
    file = tmp_path / "my file.py"
    file.touch()
    edit = editing(str(file), 14, {"EDITOR": asked})
    assert edit.command == (str(program), *[part.replace("FILE", str(file)) for part in arguments])
    assert edit.graphical is graphical


def test_visual_comes_first_and_a_path_may_have_spaces(programs, tmp_path):
    """$VISUAL is preferred; a path with spaces is understood, quoted or not."""
    program, file = programs("vim"), tmp_path / "x.py"
    file.touch()
    for asked in (f"'{program}' -n", str(program)):
        edit = editing(str(file), 1, {"VISUAL": asked, "EDITOR": "nothing"})
        assert edit.command[0] == str(program)
        assert edit.command[-2:] == ("+1", str(file))


@pytest.mark.parametrize(
    ("file", "environment", "complaint"),
    [
        ("x.py", {}, "There is no editor: set EDITOR"),
        ("x.py", {"EDITOR": "no-such-editor -x"}, "The editor no-such-editor was not found"),
        ("x.py", {"EDITOR": "'open"}, "EDITOR cannot be read"),
        ("<string>", {"EDITOR": "vim"}, "<string> is not a file here."),
        (".", {"EDITOR": "vim"}, "is not a file here."),
        ("x.py\0", {"EDITOR": "vim"}, "is not a file here."),
        ("x" * 300, {"EDITOR": "vim"}, "is not a file here."),
    ],
)
def test_what_cannot_be_opened_is_said(tmp_path, monkeypatch, file, environment, complaint):
    """Without an editor, or without the file, there is a sentence and nothing is executed."""
    monkeypatch.chdir(tmp_path)
    Path("x.py").touch()
    with pytest.raises(InputError, match=complaint):
        editing(file, 1, environment)


def test_only_a_failure_is_said():
    """An editor that has ended well needs no notice."""
    assert how_it_ended("vim", 0) == ""
    assert how_it_ended("vim", 3) == "The editor vim has ended with exit code 3."
    assert how_it_ended("vim", -9) == "The editor vim has ended with signal 9."


# -- the line ----------------------------------------------------------------------------------


def test_the_line_of_the_selection_comes_before_that_of_the_block():
    """What is selected is opened; else what holds the loop; else the endpoint of what was fired last."""
    line = timeline(
        *streams.accepted(1, 1, 0),
        streams.suspend(3, 1),
        streams.awaits(30, 1, 21),
        *streams.accepted(2, 2, 40),
        streams.holds(300, 2, 42),
    )
    view = View(now=ns(310))
    (held,) = [where for where in [pointed_at(line, view, [])] if where]
    assert held.line == 14
    view.cursor = 1
    (selected,) = [where for where in [pointed_at(line, view, [])] if where]
    assert selected.line == 21


def test_before_anything_is_seen_the_endpoint_is_opened():
    """Of a burst of which no line is known the endpoint is opened; without a burst, nothing."""
    (file,) = read(find("blocking"))
    fired: ev.Event = (ns(0), ev.FIRED, 1, "blocking", 1, 1, 40)
    where = pointed_at(timeline(fired), View(now=ns(10)), [file])
    assert where is not None
    text = (builtin_folder() / "blocking.py").read_text().splitlines()[where.line - 1]
    assert text.startswith("async def ")
    other = replace(file, name="blocking", path="/not/in/the/file")
    where = pointed_at(timeline(fired), View(now=ns(10)), [other])
    assert where is not None
    assert where.line == 1
    assert pointed_at(Timeline(), View(now=ns(10)), [file]) is None


# -- on the screen -----------------------------------------------------------------------------


@run
async def test_without_a_line_or_an_editor_the_screen_says_so(drive, monkeypatch):
    """The key does no harm where nothing can be opened."""
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    async with drive() as screen:
        assert any("No line of source code is known here" in line for line in await screen.press("e"))
        await screen.show(*streams.accepted(1, 1, 0), streams.holds(300, 1, 3), at=310)
        assert any("is not a file here" in line for line in await screen.press("e"))


@run
async def test_an_opened_request_has_the_key_as_well(drive, monkeypatch, programs):
    """In an opened request the key opens its line; where no terminal can be lent, a notice says so."""
    programs("vim")
    monkeypatch.setenv("EDITOR", "vim")
    async with drive() as screen:
        held = (ns(300), "holds", 1, ns(3), __file__, 14, "endpoint", "time.sleep")
        await screen.show(*streams.accepted(1, 1, 0), held, at=900)
        await screen.press("enter", "e")
        detail = screen.app.screen
        assert isinstance(detail, Detail)
        assert "The terminal cannot be lent to vim here" in str(detail.box.border_subtitle)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_a_stop_while_an_editor_has_the_terminal_is_noticed(programs):
    """When the editor has ended, the picture says for how long the whole program was stopped."""
    from tests.terminal import Terminal

    vim = programs(
        "vim", "import os, tty\ntty.setraw(0)\nprint('EDITOR' + 'SHOWN', flush=True)\nos.read(0, 1)"
    )
    with Terminal("run", "async", environment={"EDITOR": f"'{vim}'"}) as terminal:
        terminal.expect("Press a letter")
        terminal.press("a")
        terminal.expect("#8 ")
        terminal.press("e")
        terminal.expect("EDITORSHOWN")
        os.kill(terminal.pid, signal.SIGSTOP)
        terminal.pump(1)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.pump(0.2)
        terminal.press("k")
        terminal.expect(r"The program was stopped for [\d.]+ m?s: nothing ran meanwhile")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_the_terminal_is_restored_however_the_editor_ends(programs, tmp_path):
    """An editor that is killed leaves the picture as it was, with what has happened meanwhile."""
    from tests.terminal import Terminal
    from tests.test_terminal import assert_restored

    opened = tmp_path / "opened"
    raw = (
        "import os, sys, tty\n"
        "tty.setraw(0)\n"
        f"open({str(opened)!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        "print('EDITOR' + 'SHOWN', flush=True)\n"
        "os.read(0, 1)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    vim = programs("vim", raw)
    with Terminal("run", "async", environment={"EDITOR": f"'{vim}'"}) as terminal:
        terminal.expect("Press a letter|No scenario")
        terminal.press("a")
        terminal.expect("#8 ")
        terminal.press("e")
        terminal.expect("EDITORSHOWN")
        assert_restored(terminal, modes=False)
        terminal.press("k")
        terminal.expect("The editor vim has ended with signal 9")
        terminal.expect("Done: 8 requests|all 200")
        terminal.press("q")
        terminal.wait(10)
        assert terminal.exit_code == 0
        assert_restored(terminal)
    assert opened.read_text().endswith("async.py")
    assert opened.read_text().startswith("+")
