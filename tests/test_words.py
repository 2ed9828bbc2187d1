"""Plain words, and the look of states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from loopviz.draw import words
from loopviz.draw.look import ANSWERED, APPEARANCES, BLOCK, CODES, LEVELS, NOTHING, TICKS, Palette
from loopviz.draw.raster import after_response
from loopviz.draw.safe import printable
from loopviz.model import State, Where

INVITATION = "Press a letter."
ALL_CODES = [*CODES.values(), BLOCK]


# -- text from outside -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/plain", "/plain"),
        ("/ünï/速い/😀", "/ünï/速い/😀"),
        ("/a\x1b[2Jb", r"/a\x1b[2Jb"),
        ("/a\x9b31m", r"/a\x9b31m"),
        ("/a\r\n\tb\x07\x00\x7f", r"/a\r\n\tb\x07\x00\x7f"),
        ("/\u202eevil\u2066", r"/\u202eevil\u2066"),
        ("/a\u200bb\ufeff\u2028", r"/a\u200bb\ufeff\u2028"),
        ("/\udc80", r"/\udc80"),
        ("/[red]x[/]", "/[red]x[/]"),
        ("attendez\u202f!\xa0oui", "attendez ! oui"),
    ],
)
def test_what_could_control_a_terminal_is_written_out(text, shown):
    """Control, escape, bidi and invisible characters are written out; letters of any script stay."""
    assert printable(text) == shown


@given(st.text(), st.integers(1, 50))
def test_printable_text_is_printable_and_short(text, limit):
    """Whatever the text, what is drawn of it is printable, and no longer than asked for."""
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= max(limit + 1, 10 * limit if len(text) <= limit else 0)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "M", "Zl", "Zp"])))
def test_ascii_is_as_wide_as_what_it_stands_for(text):
    """Text made ASCII keeps its width, so that nothing moves."""
    plain = words.ascii_only(text)
    assert plain.isascii()
    assert cell_len(plain) == cell_len(text)


def test_ascii_keeps_the_meaning_where_it_can():
    """The signs that loopviz itself uses have an equivalent in ASCII."""
    assert words.ascii_only("85 µs · 速 …") == "85 us | ?? ~"


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 µs"),
        (85_400, "85 µs"),
        (999_400, "999 µs"),
        (999_600, "1 ms"),
        (120e6, "120 ms"),
        (999.4e6, "999 ms"),
        (999.6e6, "1.0 s"),
        (1.84e9, "1.8 s"),
        (99.94e9, "99.9 s"),
        (99.96e9, "100 s"),
        (125e9, "125 s"),
    ],
)
def test_durations_have_the_usual_unit(ns, text):
    """Durations are in µs, ms or s, never with four digits."""
    assert words.duration(ns) == text


def test_a_line_is_the_files_name_and_its_number():
    """A source line is short, and a hostile file name is harmless."""
    assert words.line(Where("/srv/app/blocking.py", 14, "f")) == "blocking.py:14"
    assert words.line(Where("/srv/a\x1b[2J.py", 1, "f")) == r"a\x1b[2J.py:1"


def test_one_thing_is_in_the_singular():
    """Only a count of one has no plural."""
    assert [words.count(number, "request") for number in (0, 1, 2)] == [
        "0 requests",
        "1 request",
        "2 requests",
    ]


def test_many_requests_are_named_in_part():
    """The first few requests are named; the rest is three dots."""
    assert words.requests_named([]) == ""
    assert words.requests_named([1, 2, 3, 4]) == "#1 #2 #3 #4"
    assert words.requests_named(range(1, 9)) == "#1 #2 #3 #4 …"
    assert words.requests_named(range(1, 9), 2) == "#1 #2 …"


@pytest.mark.parametrize(
    ("sentences", "width", "expected"),
    [
        (["One.", "Two."], 40, ["One.", "Two."]),
        (["One."], 40, ["One."]),
        (["word " * 9 + "end.", "Two."], 30, None),
        (["word " * 90], 30, None),
    ],
)
def test_sentences_fit_into_their_lines(sentences, width, expected):
    """Each sentence has a line of its own if they fit, and else they are filled, or cut with a mark."""
    lines = words.wrapped(sentences, width, 2)
    assert len(lines) <= 2
    assert all(len(line) <= width for line in lines)
    if expected is not None:
        assert lines == expected
    elif len(" ".join(sentences)) > 2 * width:
        assert lines[-1].endswith("…")
    else:
        assert " ".join(lines).split() == " ".join(sentences).split()


# -- the look ----------------------------------------------------------------------------------


def test_every_state_has_a_row_and_so_has_the_block():
    """The table has one row for each state and one for the block, in which nothing is missing."""
    assert sorted(row.state or "block" for row in APPEARANCES) == sorted([*State, "block"])
    (block,) = [row for row in APPEARANCES if row.state is None]
    assert block.code == BLOCK
    for row in APPEARANCES:
        assert row is block or (row.code.isalpha() and row.code.islower() and row.code != BLOCK.lower())
        assert len(row.code) == 1
        assert 0 < cell_len(row.label) <= 10
        assert row.name
        assert row.meaning.endswith(".")
        assert len(row.meaning) <= 52
        look = row.look
        assert look.plain.isascii()
        assert look.trace


@pytest.mark.parametrize("field", ["code", "name", "label", "meaning"])
def test_no_two_states_are_called_the_same(field):
    """Codes, names, labels and meanings are unique, for a reader who does not look at letter case too."""
    values = [getattr(row, field).lower() for row in APPEARANCES]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("field", ["texture", "plain", "tile", "trace"])
def test_no_two_states_look_the_same(field):
    """Each texture, as a character, in ASCII and as a drawing, belongs to one state."""
    values = [getattr(row.look, field) for row in APPEARANCES]
    assert len(set(values)) == len(values)


def test_every_state_is_drawn_unlike_any_other():
    """In each mode every state's cell is one visible character of its own, with a colour of its own."""
    for palette in (Palette(), Palette("mono"), Palette("ascii")):
        textures = [palette.cell(code, code)[0] for code in ALL_CODES]
        assert len(set(textures)) == len(ALL_CODES)
        assert " " not in textures
        assert all(cell_len(texture) == 1 for texture in textures)
    styles = [Palette().cell(code, code)[1] for code in ALL_CODES]
    assert len({style.bgcolor for style in styles}) == len(ALL_CODES)
    assert len({Palette().name(code)[1].color for code in ALL_CODES}) == len(ALL_CODES)


every_code = [*ALL_CODES, *map(after_response, ALL_CODES), *TICKS.values(), ANSWERED, NOTHING]


@pytest.mark.parametrize("palette", [Palette("mono"), Palette("ascii", colour=False)])
def test_without_colour_there_is_none(palette):
    """Where NO_COLOR asks for it, no style has a colour."""
    styles = [palette.cell(left, right)[1] for left in every_code for right in every_code]
    styles += [palette.name(code)[1] for code in ALL_CODES]
    styles += [palette.text(role) for role in ("text", "dim", "good", "alarm", "title")]
    styles.append(palette.style("#ffffff", "#000000", bold=True, reverse=True))
    assert all(style.color is None and style.bgcolor is None for style in styles)


def test_ascii_cells_are_ascii():
    """The ASCII palette has no character outside ASCII."""
    palette = Palette("ascii")
    cells = [palette.cell(left, right)[0] for left in every_code for right in every_code]
    assert all(len(cell) == 1 and cell.isascii() for cell in [*cells, *LEVELS["ascii"]])


@pytest.mark.parametrize("mode", ["colour", "mono", "ascii"])
def test_a_block_is_no_other_state_even_after_the_response(mode):
    """After the response every state has its own texture, and is dimmed where there are colours."""
    palette = Palette(mode)
    for code in ALL_CODES:
        late = palette.cell(after_response(code), after_response(code))
        assert late[0] == palette.cell(code, code)[0]
        assert mode == "ascii" or late != palette.cell(code, code)


def test_levels_rise():
    """The event loop's busy share has nine heights, of which the lowest is empty, in every mode."""
    assert {len(levels) for levels in LEVELS.values()} == {9}
    assert all(levels[0] == " " and len(set(levels)) == 9 for levels in LEVELS.values())
