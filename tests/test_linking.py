"""Source lines as links: to files of this machine only, and never a character that a terminal obeys."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from textual.color import Color
from textual.filter import Monochrome

from loopviz.draw.linking import known_lines, linked, linked_style
from loopviz.draw.look import Palette
from loopviz.model import Where
from loopviz.stream import events as ev
from loopviz.tui.compat import AsciiFilter
from loopviz.tui.screens.breakdown import detail_table
from loopviz.tui.view import View
from tests import streams
from tests.streams import ns, timeline
from tests.test_scene import scene

HOSTILE = "a b;\x1b]0;x\x07\x9b\n%41\xe9\u202e.py"


def links(line: list[Segment]) -> list[tuple[str, str]]:
    """The linked texts of a line, and the paths that they lead to."""
    found = [(s.text, s.style.link) for s in line if s.style is not None and s.style.link]
    return [(text, unquote(urlsplit(url).path)) for text, url in found]


def written(line: list[Segment]) -> str:
    """What reaches the terminal."""
    console = Console(file=StringIO(), force_terminal=True, color_system="truecolor", width=200)
    console.print(Segments(line), end="")
    text = console.file
    assert isinstance(text, StringIO)
    return text.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that exists."""
    path = tmp_path / "blocking.py"
    path.touch()
    return path


def test_a_line_of_a_file_here_is_a_link(file: Path) -> None:
    """Only the name and the number are the link, and what is around them stays as it was."""
    line = [Segment("#1 sleeps: ", Style(bold=True)), Segment("at blocking.py:14 (time.sleep).", Style())]
    shown = linked(line, [Where("other.py", 14, "f"), Where(str(file), 14, "f")])
    assert links(shown) == [("blocking.py:14", str(file))]
    assert "".join(segment.text for segment in shown) == "#1 sleeps: at blocking.py:14 (time.sleep)."
    assert shown[0] == line[0]
    assert linked(line, [Where(str(file), 15, "f")]) == line
    assert linked([Segment("no line")], [Where(str(file), 14, "f")]) == [Segment("no line")]


@pytest.mark.parametrize("name", ["", "<string>", ".", "missing.py", "x\0y", "x" * 5_000])
def test_what_is_no_file_here_is_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A recording may name files of another machine, or none."""
    monkeypatch.chdir(tmp_path)
    assert linked_style(Style(bold=True), Where(name, 1, "f")) == Style(bold=True)


def test_a_hostile_name_cannot_leave_its_link(tmp_path: Path) -> None:
    """Whatever a file is called, the terminal gets printable ASCII, and the path is the file's."""
    path = tmp_path / HOSTILE
    path.touch()
    style = linked_style(Style(), Where(str(path), 1, "f"))
    assert style.link is not None
    assert style.link.isascii()
    assert style.link.isprintable()
    assert not set(style.link) & set(" ;\\")
    assert unquote(urlsplit(style.link).path) == str(path)
    assert written([Segment("x", style)]).count("\x1b") == 4


def test_filters_of_the_terminal_keep_links(file: Path) -> None:
    """Without colours, and in ASCII, a link is still one."""
    line = linked([Segment("blocking.py:14", Style(color="red"))], [Where(str(file), 14, "f")])
    for made in (Monochrome(), AsciiFilter()):
        assert links(made.apply(line, Color(0, 0, 0))) == [("blocking.py:14", str(file))]


def test_the_lane_the_sentence_and_the_detail_have_links(file: Path) -> None:
    """The line that holds the loop can be opened wherever it is named."""
    held: ev.Event = (ns(300), "holds", 1, ns(3), str(file), 14, "endpoint", "time.sleep")
    line = timeline(*streams.accepted(1, 1, 0), held)
    lines = scene().compose(line, View(now=ns(900)), 140, 36)
    assert {text for shown in lines for text, _ in links(shown)} == {"blocking.py:14"}
    assert len([shown for shown in lines if links(shown)]) >= 2
    assert Where(str(file), 14, "endpoint", "time.sleep") in list(known_lines(line, ns(900)))
    palette = Palette()
    table = detail_table(line.requests[1], line, ns(900), palette)
    shown = list(Console(width=160).render(table))
    assert links(shown) == [("blocking.py:14", str(file))]
