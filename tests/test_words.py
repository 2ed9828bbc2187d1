"""Plain words, and the look of states."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from loopviz.draw import words
from loopviz.draw.look import APPEARANCES, BLOCK, CODES, LEVELS, NOTHING, Palette
from loopviz.draw.raster import after_response
from loopviz.draw.safe import printable
from loopviz.model import State, Where
from tests import streams
from tests.streams import accepted, feed, holds, ns, timeline

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


# -- the story ---------------------------------------------------------------------------------


def story(line, at: float, *, brief: bool = False) -> tuple[str, str]:
    """The mood and the sentences at `at` ms, as one text."""
    mood, sentences = words.story(line, ns(at), INVITATION, brief=brief)
    return mood, " ".join(sentences)


def blocked(*others: int, at: float = 500):
    """Request 1 holds the loop from 2 ms on, seen at a line at `at` ms; `others` are sent at 10 ms."""
    line = timeline(streams.thread(0, 1, "loop"), accepted())
    feed(line, [streams.sent(10, number) for number in others])
    feed(line, holds(at, since=2, line=14, calls="time.sleep"))
    return line


def cpu_readings(line, share: float):
    """The loop thread's CPU clock, which runs at `share` of a core."""
    feed(line, [streams.cpu(at, 1, at * share) for at in (100, 300, 500)])
    return line


def test_the_story_of_a_sleeping_block():
    """It names the request, the time, the line and the call, that it only waits, and what it delays."""
    mood, text = story(cpu_readings(blocked(2, 3), 0.0), 502)
    assert mood == "alarm"
    assert text == (
        "#1 GET / has held the event loop for 500 ms at app.py:14 (time.sleep). "
        "It only waits, and delays 2 requests: #2 #3."
    )


def test_the_story_of_a_computing_block():
    """A block that uses the CPU is said to compute."""
    _, text = story(cpu_readings(blocked(2, 3), 1.0), 502)
    assert text.endswith("It computes, and delays 2 requests: #2 #3.")


def test_the_story_of_a_block_of_unknown_kind():
    """Where the CPU clock cannot be read, nothing is claimed about it."""
    _, text = story(blocked(2, 3), 502)
    assert text.endswith("app.py:14 (time.sleep). It delays 2 requests: #2 #3.")


def test_the_story_of_a_block_without_victims():
    """A block that is known to delay no request says no more than that."""
    _, text = story(cpu_readings(blocked(), 0.0), 502)
    assert text.endswith("It only waits. No other request is known to be delayed so far.")


def test_the_story_of_a_block_with_one_victim():
    """One victim is in the singular."""
    _, text = story(cpu_readings(blocked(7), 0.0), 502)
    assert text.endswith("It only waits, and delays 1 request: #7.")


def test_the_story_of_a_block_with_many_victims():
    """Four of many victims are named."""
    _, text = story(cpu_readings(blocked(*range(2, 10)), 0.0), 502)
    assert text.endswith("and delays 8 requests: #2 #3 #4 #5 …")


def test_the_story_of_a_block_without_a_line():
    """A block whose line was never seen comes with the likely reason."""
    _, text = story(timeline(accepted()), 302)
    assert "#1 GET / has held the event loop for 300 ms; its line could not be seen" in text


def test_the_story_of_a_block_by_a_callback():
    """A block by one callback names its request, or says that it has none; else it may be of several."""
    _, text = story(timeline(streams.iteration(0)), 300)
    assert text.startswith("Callbacks have held the event loop for 300 ms")
    _, text = story(timeline(streams.iteration(0), streams.callback(20)), 300)
    assert text.startswith("A callback outside any request has held the event loop for 300 ms")
    line = timeline(accepted(), streams.suspend(3), streams.callback(25, request=1, since=3))
    _, text = story(line, 303)
    assert text.startswith("A callback of #1 GET / has held the event loop for 300 ms")


def test_the_story_of_a_block_by_a_task_of_no_request():
    """A step of a task outside any request names the task, and no callback."""
    _, text = story(timeline(streams.iteration(0), streams.made(1, request=0), streams.step(2)), 302)
    assert text.startswith("The task work has held the event loop for 300 ms")


def starving():
    """Six requests that take turns with steps of 80 ms, the first of which is seen at a line."""
    line = timeline(streams.idle(-50), streams.iteration(-1))
    for number in range(1, 7):
        feed(line, [streams.sent(-2, number), streams.read(0, number), streams.made(0, number, number)])
    for number in range(1, 6):
        start = (number - 1) * 80 + 1
        feed(line, streams.step(start, number))
        if number < 5:
            feed(line, streams.holds(start + 30, number, start, line=14 + number % 2))
            feed(line, streams.suspend(start + 80, number))
    return line


def test_the_story_of_starvation():
    """Many short steps are shown as an alarm: who waits, for how long, and what the loop does."""
    mood, text = story(starving(), 380)
    assert mood == "alarm"
    assert text == (
        "Short steps or callbacks in a row hold the event loop. None is a block, but #6 waited 381 ms for "
        "its turn. Delayed: #3 #4 #5 #6. The loop's time: 50% app.py:14, 50% app.py:15."
    )


def test_starvation_in_brief():
    """In a narrow terminal each sentence about starvation fits into a line."""
    _, sentences = words.story(starving(), ns(380), INVITATION, brief=True)
    assert sentences[0] == "Short steps or callbacks in a row delay 4 requests: #6 waited 381 ms."
    assert all(len(sentence) <= 77 for sentence in sentences)


def test_a_block_in_brief():
    """In a narrow terminal the sentence about a block fits into a line."""
    _, sentences = words.story(cpu_readings(blocked(2), 0.0), ns(502), INVITATION, brief=True)
    assert sentences[0] == "#1 GET / holds the loop for 500 ms: app.py:14 (time.sleep)."
    assert all(len(sentence) <= 77 for sentence in sentences)


def test_no_story_of_a_short_step():
    """A step shorter than the threshold is no alarm."""
    mood, text = story(timeline(accepted()), 60)
    assert (mood, text) == ("good", "1 request is in progress.")


def exhausted(total: int, waiting: range):
    """All of `total` threads are in use, and these requests wait for one since 4 ms past their number."""
    line = timeline(accepted(), streams.tokens(3, total, total, len(waiting)))
    for task in waiting:
        at = 4 + task
        feed(line, streams.sent(at, task), streams.read(at, task, task), streams.made(at, task, task))
        feed(line, streams.step(at, task), streams.token_wait(at, task), streams.suspend(at, task))
    feed(line, streams.step(5 + task), streams.suspend(6 + task), streams.idle(6 + task))
    return line


def test_the_story_of_a_wait_for_a_thread():
    """It says how many requests wait for a thread, which has waited longest, and what would help."""
    mood, text = story(exhausted(4, range(2, 4)), 906)
    assert mood == "alarm"
    assert text == (
        "All 4 threads are in use, and 2 requests are waiting for one: #2 for 900 ms. "
        "The event loop is free. A higher thread limit (]) would let them start."
    )
    one = story(exhausted(1, range(2, 3)), 906)[1]
    assert one.startswith("The only thread is in use, and 1 request is waiting for one: #2 for 900 ms. ")


@pytest.mark.parametrize(("total", "waiting"), [(4, range(2, 3)), (1_000, range(1_001, 2_500))])
def test_a_wait_for_a_thread_in_brief(total, waiting):
    """In a narrow terminal each of its sentences fits into a line."""
    _, sentences = words.story(exhausted(total, waiting), ns(2_950), INVITATION, brief=True)
    assert len(sentences) == 2
    assert all(len(sentence) <= 77 for sentence in sentences)
    assert sentences[0].startswith(f"All {total} threads are in use; ")


def in_threads(share: float):
    """Requests 1 and 2 in a worker thread each, which use `share` of a core."""
    line = timeline(accepted(), accepted(2, 2, at=5))
    for number in (1, 2):
        feed(line, streams.thread(10, number + 1), streams.call(10, number, number, number, number + 1))
    feed(line, streams.suspend(11), streams.suspend(11, 2), streams.idle(11))
    for at in (100, 400, 700, 900):
        feed(line, [streams.cpu(at, number, at * share) for number in (2, 3)])
    return line


def test_the_story_of_the_gil():
    """Threads that compute at once share one core, and the sentences say why."""
    mood, text = story(in_threads(0.5), 950)
    assert mood == "alarm"
    assert text.startswith("2 worker threads compute at once, and each gets about 50% of a core.")
    assert "GIL" in text


def test_the_story_of_sleeping_threads():
    """Requests that sleep in worker threads leave the loop free."""
    mood, text = story(in_threads(0.0), 950)
    assert (mood, text) == (
        "good", "2 requests are in worker threads. The event loop is free to serve other requests.",
    )  # fmt: skip


def test_the_story_of_waiting():
    """Requests at an await cost nothing, and the share of idle time shows it."""
    line = timeline(accepted(), streams.suspend(3), streams.idle(3))
    mood, text = story(line, 2_000)
    assert mood == "good"
    assert text == (
        "1 request is suspended at an await. That costs the event loop nothing. "
        "It was idle for 100% of the last second."
    )


def test_the_story_of_nothing():
    """Before anything has happened there is an invitation."""
    assert story(timeline(), 100) == ("dim", INVITATION)


def done(error: str | None = None):
    """Three requests that overlapped and took a second, and an older one."""
    line = timeline(accepted(9, 9, at=-5_000), streams.responded(-4_000, 9), streams.end(-4_000, 9))
    for number in (1, 2, 3):
        feed(line, accepted(number, number, at=10 * number), streams.suspend(10 * number + 3, number))
        feed(line, streams.idle(10 * number + 3))
    for number in (1, 2, 3):
        at = 910 + 30 * number
        feed(line, streams.wake(at, number), streams.step(at, number))
        if error and number == 2:
            feed(line, streams.raised(at, error, "", number))
        feed(line, streams.status(at, 500 if error and number == 2 else 200, number))
        feed(line, streams.responded(at, number), streams.end(at, number), streams.idle(at))
    return line


def test_the_story_of_the_last_burst():
    """When all is done, the last burst is summed up: how many requests, how long, and in which state."""
    mood, text = story(done(), 2_000)
    assert mood == "dim"
    assert text.startswith("Done: 3 requests in 990 ms. 100% ")
    assert text.endswith(f"of their time: awaiting. {INVITATION}")


def test_the_story_counts_failures():
    """Failed requests of the last burst are counted."""
    assert "Done: 3 requests in 990 ms, 1 failed." in story(done("KeyError"), 2_000)[1]


def test_the_story_at_an_earlier_moment():
    """In a frozen picture the sentences are about the moment shown."""
    assert "suspended at an await" in story(done(), 500)[1]


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
        for colour in (look.fill, look.ink, look.text, look.light or look.fill):
            assert re.fullmatch("#[0-9A-Fa-f]{6}", colour)
        assert look.plain.isascii()
        assert look.trace


@pytest.mark.parametrize("field", ["code", "name", "label", "meaning"])
def test_no_two_states_are_called_the_same(field):
    """Codes, names, labels and meanings are unique, for a reader who does not look at letter case too."""
    values = [getattr(row, field).lower() for row in APPEARANCES]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("field", ["fill", "text", "texture", "plain", "tile", "trace"])
def test_no_two_states_look_the_same(field):
    """Each colour and each texture, as a character, in ASCII and as a drawing, belongs to one state."""
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


every_code = [*ALL_CODES, *map(after_response, ALL_CODES), NOTHING]


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
