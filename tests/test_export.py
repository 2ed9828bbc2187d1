"""Exports: what each format holds, and that nothing recorded can do harm there."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import deque
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import loopviz.export
from loopviz.draw.look import NAMES
from loopviz.draw.themes import DARK, LIGHT
from loopviz.export import FORMATS, Caption
from loopviz.export.material import exact_seconds, extent, loop_stretches, worker_spans
from loopviz.export.page import _VARIABLES
from loopviz.export.perfetto import REQUESTS
from loopviz.export.svg import MOST_REQUESTS
from loopviz.export.svg.canvas import PLOT
from loopviz.export.table import COLUMNS
from loopviz.findings.listed import documents, of_run
from loopviz.model import State, Timeline
from loopviz.model.summary import summarise
from loopviz.scenario.code import endpoint_code, function_code
from loopviz.sources import lines_in
from loopviz.stream import events as ev
from tests.export_support import HOSTILE, busy, export, hostile
from tests.streams import (
    accepted,
    call,
    end,
    feed,
    idle,
    made,
    ns,
    read,
    responded,
    returns,
    sent,
    status,
    step,
    suspend,
    timeline,
    wake,
)

SVG = "{http://www.w3.org/2000/svg}"
texts = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(
    [HOSTILE, "=1+1", '\r\n,"', "\x7f"]
)
formulas = st.text(st.sampled_from("=+-@;,\"' \t\r\na\u00a0\uff1d"), max_size=8)
"""Texts of what a spreadsheet may split cells at, and of what it may take for a formula."""


def rows(line: Timeline) -> list[dict[str, str]]:
    """The table, read back."""
    return list(csv.DictReader(io.StringIO(export(line, "csv"), newline="")))


def trace(line: Timeline) -> dict[str, Any]:
    """The trace, read back."""
    document: dict[str, Any] = json.loads(export(line, "perfetto"))
    return document


def with_phase(document: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    """The events of a phase."""
    return [event for event in document["traceEvents"] if event["ph"] == phase]


SOURCE = """\
async def handler():
    time.sleep(0.3)


@app.get("/")
async def root():
    handler()


scenario = 1
"""
CAPTION = Caption("def + a title", "A lesson.", "app.py", "/", "\n" * 12 + SOURCE)


def drawn(
    line: Timeline, window: tuple[int, int] | None = None, caption: Caption | None = None
) -> ET.Element:
    """The picture, read back."""
    return ET.fromstring(export(line, "svg", window, caption=caption))


def words(picture: ET.Element) -> list[str]:
    """What is written in a picture."""
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


class _Page(HTMLParser):
    """The elements of a page, and the text of its data."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.data = ""
        self._in_data = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._in_data = ("id", "data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        self.data += data if self._in_data else ""


# -- all of them -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_timeline_gives_the_same_text(form):
    """An export depends on nothing but what was recorded."""
    assert export(busy(), form) == export(busy(), form)


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_recording_can_be_exported(form):
    """Every format can export an empty recording."""
    assert export(Timeline(), form)


@pytest.mark.parametrize("form", FORMATS)
@given(texts)
def test_control_characters_leave_as_their_names_only(form, recorded):
    """No control character, override or broken character of a recorded text is in any export."""
    caption = Caption(recorded, recorded, recorded, "/", f'@app.get("/")\ndef x():\n    {recorded}')
    out = export(hostile(recorded), form, name=recorded, caption=caption)
    out.encode("utf-8")
    assert not {c for c in out if not c.isprintable()} - {"\n"}


def test_no_colour_is_written_in_an_export():
    """Exports take all their colours from themes."""
    folder = Path(loopviz.export.__file__).parent
    sources = [path for path in folder.rglob("*") if path.suffix in {".py", ".css", ".js", ".html"}]
    assert {"svg", "export"} <= {path.parent.name for path in sources}
    found = {path.name: re.findall(r"#[0-9a-fA-F]{3,8}\b", path.read_text("utf-8")) for path in sources}
    assert {name: colours for name, colours in found.items() if colours} == {}


def test_every_colour_that_the_page_uses_is_defined():
    """The style and the script use no CSS variable that the page does not define."""
    page = export(busy(), "html")
    defined = set(re.findall(r"--([a-z]+):", page))
    listed = re.search(r"for \(const name of \[(.*?)\]", page)
    used = set(re.findall(r"var\(--([a-z]+)\)", page)) | set(re.findall(r"theme\.([a-z]+)", page))
    assert used <= defined == set(_VARIABLES)
    assert listed is not None
    assert set(re.findall(r"theme\.([a-z]+)", page)) == set(re.findall(r"[a-z]+", listed[1]))


# -- perfetto ----------------------------------------------------------------------------------


def validated(document: dict[str, Any]) -> dict[str, Any]:  # noqa: C901 - one rule after the other
    """The document, after every rule of the Trace Event Format that it could break."""
    assert set(document) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert document["displayTimeUnit"] in {"ms", "ns"}
    named: dict[str, set[tuple[int, int]]] = {"process_name": set(), "thread_name": set()}
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}
    flows: dict[int, list[dict[str, Any]]] = {}
    for event in document["traceEvents"]:
        assert event["ph"] in set("MXisfC")
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        track = event["pid"], event["tid"]
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name", "process_sort_index", "thread_sort_index"}
            if event["name"] in named:
                assert track not in named[event["name"]], "named twice"
                named[event["name"]].add(track)
                assert isinstance(event["args"]["name"], str)
            continue
        assert event["ts"] >= 0
        if event["ph"] in "Xi":
            assert track in named["thread_name"]
            assert (track[0], 0) in named["process_name"]
        if event["ph"] == "X":
            begin, length = round(event["ts"] * 1000), round(event["dur"] * 1000)
            assert length > 0
            assert begin / 1000 == event["ts"], "exact to the nanosecond"
            ends.setdefault(track, []).append((begin, begin + length))
        elif event["ph"] == "i":
            assert event["s"] in {"g", "p", "t"}
        elif event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
        elif event["ph"] in "sf":
            flows.setdefault(event["id"], []).append(event)
    for slices in ends.values():
        open_: list[int] = []
        for begin, stop in sorted(slices, key=lambda one: (one[0], -one[1])):
            while open_ and open_[-1] <= begin:
                open_.pop()
            assert not open_ or stop <= open_[-1], "slices of a track nest"
            open_.append(stop)
    for arrow in flows.values():
        assert [event["ph"] for event in arrow] == ["s", "f"]
        for event in arrow:
            at = round(event["ts"] * 1000)
            assert any(b <= at < e for b, e in ends[event["pid"], event["tid"]]), "an arrow has two ends"
    return document


@pytest.mark.parametrize("line", [busy(), hostile(), Timeline()], ids=["busy", "hostile", "empty"])
def test_the_trace_keeps_the_rules_of_its_format(line):
    """Every event has what its phase asks for, slices nest, arrows begin and end in slices."""
    validated(trace(line))


@given(texts)
def test_no_text_breaks_the_trace(recorded):
    """With any recorded text, the trace keeps the rules of its format, and is JSON in ASCII."""
    assert export(hostile(recorded), "perfetto", name=recorded).isascii()
    validated(trace(hostile(recorded)))


def test_loop_workers_and_requests_are_named_tracks():
    """The server's threads, each process and each request have a track with their name."""
    document = trace(busy())
    names = [event["args"]["name"] for event in with_phase(document, "M") if event["name"] == "thread_name"]
    assert names == ["event loop", "worker 1", "process 1", "#1 GET /", "#2 GET /", "#3 GET /"]
    processes = [
        event["args"]["name"] for event in with_phase(document, "M") if event["name"] == "process_name"
    ]
    assert processes == ["server", "worker process 1", "requests"]


def test_states_are_slices_that_add_up_to_the_latency():
    """The slices of a request's states fill the slice of the request, to the nanosecond."""
    line = busy()
    slices = with_phase(trace(line), "X")
    for number in (1, 2):
        own = [s for s in slices if (s["pid"], s["tid"]) == (REQUESTS, number)]
        (whole,) = [s for s in own if s["cat"] == "request"]
        states = [s for s in own if s["cat"] == "state"]
        assert sum(round(s["dur"] * 1000) for s in states) == round(whole["dur"] * 1000)
        request = line.requests[number]
        assert round(whole["dur"] * 1000) == request.latency(line.last)
    assert [s["name"] for s in slices if s["cat"] == "after response" and s["tid"] == 1]


def test_a_block_is_an_instant_with_its_line_kind_and_victims():
    """One instant for each block, on the loop's track, where it begins."""
    (block,) = with_phase(trace(busy()), "i")
    assert (block["pid"], block["tid"], block["name"]) == (1, 1, "block 300 ms")
    assert block["args"] == {
        "request": 1, "kind": "sleeping", "cpu_share": 0.008, "lasted_ms": 300.0, "victims": "#2",
        "file": "app.py", "line": 14, "function": "handler", "calls": "time.sleep",
    }  # fmt: skip


def test_an_arrow_leads_from_a_request_to_each_of_its_calls():
    """A flow begins in the request's track and ends in the worker's, at the same time."""
    document = trace(busy())
    starts, ends = with_phase(document, "s"), with_phase(document, "f")
    assert [(e["pid"], e["tid"]) for e in starts] == [(REQUESTS, 2), (REQUESTS, 2)]
    assert [(e["pid"], e["tid"]) for e in ends] == [(1, 2), (1000, 1000)]
    assert [e["ts"] for e in starts] == [e["ts"] for e in ends]


def test_the_loop_has_its_short_steps():
    """The loop's track holds long stretches and the requests' short steps, none of them twice."""
    spans = loop_stretches(busy())
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert [span.request for span in spans][:3] == [1, 2, 1]


# -- svg ---------------------------------------------------------------------------------------


def test_the_picture_has_rows_labels_and_a_description():
    """Loop, threads in use, workers and requests have their names; there is a title and a description."""
    picture = drawn(busy())
    said = words(picture)
    for wanted in (
        "EVENT LOOP",
        "THREADS in use",
        " worker 1",
        " process 1",
        "#1 GET /",
        "#2 GET /",
        "#1 app.py:14",
    ):
        assert wanted in said
    assert {"queued", "blocks the loop", "waiting for a thread", "in thread", "in process"} <= set(said)
    assert picture.get("role") == "img"
    labelled = [picture.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert picture.get("aria-labelledby") == " ".join(e.get("id", "") for e in labelled if e is not None)
    assert labelled[1] is not None
    assert "Request 1 blocks the event loop at app.py:14, sleeping, for 300 ms" in (labelled[1].text or "")


def test_the_picture_needs_nothing_from_outside():
    """It has no script, no font, and no reference but to its own patterns."""
    svg = export(busy(), "svg")
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "desc", "defs", "pattern", "rect", "path", "circle", "text"}
    defined = set(re.findall(r'pattern id="([^"]+)"', svg))
    assert "href" not in svg
    assert svg.count("http") == 1  # the name of the format, which is no address
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= defined


@given(texts)
def test_no_text_becomes_an_element_of_the_picture(recorded):
    """With any recorded text, the picture is well-formed XML that has no other elements and attributes."""
    source = f'@app.get("/")\ndef x():\n    {recorded}'
    caption = Caption(recorded, recorded, recorded, "/", source)
    svg = export(hostile(recorded), "svg", name=recorded, caption=caption)
    picture, plain = ET.fromstring(svg), drawn(hostile("x"), caption=CAPTION)
    known = {(element.tag, name) for element in plain.iter() for name in element.attrib} | {
        (element.tag, "") for element in plain.iter()
    }
    found = {(element.tag, name) for element in picture.iter() for name in element.attrib} | {
        (element.tag, "") for element in picture.iter()
    }
    assert found <= known
    assert not any(mark in svg for mark in ("<!", "<?", "]]>"))


def test_a_window_of_time_shows_only_what_happened_in_it():
    """Requests and workers outside the window have no row."""
    said = words(drawn(busy(), (0, 8_000_000)))
    assert "#1 GET /" in said
    assert "#2 GET /" not in said
    assert " worker 1" not in said


def test_a_block_is_as_wide_as_it_lasted():
    """Its bar in the loop's lane is exact: 300 ms of the window's 520."""
    picture = drawn(busy())
    bars = [
        r
        for r in picture.iter(f"{SVG}rect")
        if r.get("fill") == "url(#loopviz-blocks)" and float(r.get("height", 0)) > 50
    ]
    assert [float(bar.get("width", 0)) for bar in bars] == [pytest.approx(PLOT * 300 / 520, abs=0.01)]


def test_the_picture_does_not_grow_with_the_recording():
    """Rows that do not fit are counted, not drawn."""
    line = timeline(*(
        [*accepted(n, n, 10 * n), responded(10 * n + 5, n), end(10 * n + 6, n)] for n in range(1, 301)
    ))  # fmt: skip
    svg = export(line, "svg")
    assert len(svg) < 200_000
    said = words(ET.fromstring(svg))
    assert f"and {300 - MOST_REQUESTS} more requests" in said
    assert {"#1 GET /", "#300 GET /"} <= set(said)


def many(count: int) -> Timeline:
    """Requests of which the first half sleeps at once, and the others are queued until it is done."""
    half = count // 2
    line = timeline(
        *(sent(n / 100, n) for n in range(1, count + 1)),
        *([read(2, n, n), made(2, n, n), step(2, n), suspend(2, n, due=1_000)] for n in range(1, half + 1)),
        idle(3),
        *(
            [read(1_000, n, n), made(1_000, n, n), step(1_000, n), suspend(1_000, n, due=2_000)]
            for n in range(half + 1, count + 1)
        ),
        idle(1_001),
    )
    for n in range(1, count + 1):
        at = 1_001 if n <= half else 2_000
        feed(line, [wake(at, n), step(at, n), status(at, 200, n), responded(at, n), end(at, n)])
    return line


def test_equal_rows_of_the_picture_are_one():
    """Of 60 requests, those that wait have a row as well: the ones that look the same are one."""
    said = words(drawn(many(60)))
    assert [one for one in said if one.startswith("#")] == ["#1–#30 ×30 /", "#31–#60 ×30 /"]
    assert not [one for one in said if "more request" in one]
    assert len([one for one in words(drawn(many(8))) if one.startswith("#")]) == 8


@pytest.mark.parametrize("ratio", [(16, 9), (4, 3), (1, 1), (3, 1), (1, 3)])
@pytest.mark.parametrize("line", [busy(), many(60), many(8)], ids=["busy", "60", "8"])
def test_a_picture_for_a_slide_has_its_ratio(line, ratio):
    """Everything that is drawn is within the height that follows from the ratio."""
    wide, high = ratio
    picture = ET.fromstring(export(line, "svg", caption=CAPTION, ratio=ratio))
    assert int(picture.get("height", 0)) == round(int(picture.get("width", 0)) * high / wide)
    lowest = max(
        float(e.get("y", 0)) + float(e.get("height", 0)) for e in picture.iter() if e.tag != SVG + "svg"
    )
    assert lowest <= int(picture.get("height", 0))


def test_the_caption_has_the_title_the_lesson_and_the_code():
    """Above the picture are title and lesson, below it the endpoint; the line that blocked is marked."""
    picture = drawn(busy(), caption=CAPTION)
    said = words(picture)
    assert said[0] == "a run · def + a title"
    assert said[1] == "A lesson."
    assert said[said.index("async def handler():") - 1 :] == [
        "  13", "async def handler():", "  14", "    time.sleep(0.3)",
        "  17", '@app.get("/")', "  18", "async def root():", "  19", "    handler()",
    ]  # fmt: skip
    (marked,) = [text for text in picture.iter(f"{SVG}text") if text.text == "    time.sleep(0.3)"]
    assert marked.get("fill") == DARK.colours.alarm_text
    assert "time.sleep" not in " ".join(words(drawn(busy())))


def test_a_form_feed_is_no_end_of_a_line():
    """Code after one has the numbers that Python gives its lines."""
    source = 'import time\n# \f page\n\n@app.get("/x")\nasync def x():\n    time.sleep(1)\n'
    found = endpoint_code(source, "/x")
    assert found is not None
    assert found == function_code(source, 6)
    assert (found.first, found.lines[-1]) == (4, "    time.sleep(1)")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('"""A text\nat the margin.\n"""', 5),
        ("x = '''\\'''\nat the margin\n''' # \"\"\"", 5),
        ("x = '\"\"\"', \"'''\" # '''", 3),
        ('x = """that never ends', 3),
    ],
    ids=["docstring", "escaped", "quoted", "open"],
)
def test_a_text_at_the_left_margin_does_not_end_a_function(text, lines):
    """Within a text of several lines the margin means nothing, unless that text never ends."""
    found = function_code(f"def x():\n    {text}\n    return 1\n\ny = 2\n", 1)
    assert found is not None
    assert len(found.lines) == lines
    assert found.lines[-1] == "    return 1"


def test_the_answer_is_marked_and_what_comes_after_it_is_faint():
    """There is one mark for each answer, and only what came after it is drawn faintly, blocks too."""
    line = timeline(accepted(), status(10, 200), responded(10), suspend(400), idle(400))
    picture = drawn(line)
    (mark,) = [path for path in picture.iter(f"{SVG}path") if path.get("fill") == DARK.colours.text]
    assert mark.get("d", "").startswith(f"M{331 + PLOT * 10 / 400:.2f} ")
    (after,) = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("opacity")]
    assert after.get("fill") == "url(#loopviz-blocks)"


def test_a_light_picture_has_a_light_background():
    """With the light theme no colour of the dark surfaces is left."""
    dark, light = export(busy(), "svg"), export(busy(), "svg", theme=LIGHT)
    surfaces = {DARK.colours.background, DARK.colours.lane, DARK.colours.grid}
    assert surfaces <= set(re.findall("#[0-9a-f]{6}", dark))
    assert not surfaces & set(re.findall("#[0-9a-f]{6}", light))
    assert LIGHT.colours.background in light


# -- html --------------------------------------------------------------------------------------


def test_the_page_allows_its_own_style_and_script_and_nothing_else():
    """The policy names the hashes of the two inline texts; nothing is loaded from anywhere."""
    page = _Page(export(busy(), "html"))
    (policy,) = [
        value for name, value in page.attributes if name == "content" and "default-src" in (value or "")
    ]
    assert (policy or "").startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in (policy or "")
    assert not [
        value for name, value in page.attributes if name in {"src", "href", "style"} or name.startswith("on")
    ]


def test_the_page_carries_every_segment():
    """The data are those of the timeline, in nanoseconds since the first request."""
    line = busy()
    data = json.loads(_Page(export(line, "html")).data)
    assert [request["id"] for request in data["requests"]] == [1, 2, 3]
    assert len(data["requests"][1]["segments"]) == len(line.requests[2].history(line.last))
    assert data["blocks"][0][:4] == [2_000_000, 302_000_000, 1, "sleeping"]
    assert data["places"][data["blocks"][0][4]] == ["app.py", 14, "handler", "time.sleep"]
    assert data["block"] in [data["states"][part[0]]["code"] for part in data["requests"][0]["segments"]]
    assert data["block"] in [data["states"][part[0]]["code"] for part in data["loop"]]
    assert [request["failed"] for request in data["requests"]] == [r.failed for r in line.requests.values()]


@given(texts)
def test_no_text_ends_the_element_that_carries_it(recorded):
    """With any recorded text, the page has the same elements, and its data can be read."""
    plain, page = _Page(export(hostile("x"), "html")), _Page(export(hostile(recorded), "html", name=recorded))
    assert page.tags == plain.tags
    assert not set("<>&") & set(page.data)
    assert json.loads(page.data)["requests"][0]["id"] == 1


# -- csv ---------------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_segment():
    """The documented columns, and what the timeline says, exact to the nanosecond."""
    line = busy()
    zero, _ = extent(line)
    found = rows(line)
    assert tuple(found[0]) == COLUMNS
    wanted = [
        (request.id, s.state.value, s.start - zero, s.end - zero)
        for request in line.requests.values()
        for s in request.history(line.last)
    ]
    read = [
        (int(r["request"]), r["state"], int(Decimal(r["start_s"]) * 10**9), int(Decimal(r["end_s"]) * 10**9))
        for r in found
    ]
    assert read == wanted
    assert all(Decimal(r["end_s"]) - Decimal(r["start_s"]) == Decimal(r["duration_s"]) for r in found)
    (threaded,) = [r for r in found if r["state"] == "in_thread"]
    assert (threaded["thread"], threaded["file"], threaded["line"]) == ("worker 1", "app.py", "7")
    assert {r["after_response"] for r in found} == {"true", "false"}


@given(texts)
def test_the_table_comes_back_as_it_was_written(recorded):
    """Commas, quotes and line ends in a path are data; no cell begins like a formula."""
    lines = rows(hostile(recorded))
    assert len(lines) == len(hostile(recorded).requests[1].history(ns(265)))
    for row in lines:
        assert None not in row
        assert None not in row.values()
        assert not any(
            row[name].startswith(("=", "+", "-", "@", "\t", "\r"))
            for name in ("method", "path", "file", "function")
        )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@given(formulas)
def test_no_cell_is_a_formula_whatever_separates_cells(separator, recorded):
    """Split at commas, semicolons or tabs, no cell begins like a formula; numbers are as before."""
    line = hostile(recorded)
    for row in csv.reader(io.StringIO(export(line, "csv"), newline=""), delimiter=separator):
        for cell in row:
            assert not re.match('[ "]*[-=+@\t\r\uff1d\uff0b\uff0d\uff20]', cell), cell
    plain = rows(hostile("x"))
    for name in ("request", "start_s", "end_s", "duration_s", "line"):
        assert [row[name] for row in rows(line)] == [row[name] for row in plain]


@given(st.integers(-(10**20), 10**20))
def test_seconds_are_exact(ns_):
    """Seconds have nine decimals, and nothing is rounded."""
    assert Decimal(exact_seconds(ns_)) * 10**9 == ns_


# -- json --------------------------------------------------------------------------------------


def test_the_document_is_the_summary():
    """The JSON export is the document that `loopviz record --json` prints."""
    line = busy()
    found = documents(of_run(line, lines_in))
    environment = {"python": "3.13", "gil": True}
    wanted = summarise(line, scenario="a run", environment=environment, limit=1, findings=found)
    assert json.loads(export(line, "json")) == json.loads(json.dumps(wanted))


def test_states_are_known_to_every_format():
    """Every format can export a request in any state."""
    for number, state in enumerate(State, 1):
        line = Timeline()
        line.feed([(ns(0), ev.SENT, 1, "GET", "/")])
        line.requests[1].state = state
        line.last = ns(number)
        for form in FORMATS:
            assert export(line, form)


def test_calls_that_a_lane_has_discarded_are_taken_from_their_requests():
    """A lane keeps only its newest calls; a trace also has the calls that requests keep."""
    line = Timeline()
    line.processes[0].threads.lane(2).spans = deque(maxlen=2)
    for n in range(1, 6):
        at = 10 * n
        feed(line, accepted(n, n, at), [suspend(at + 2.5, n), call(at + 3, n, n, n), returns(at + 5, n)],
             [responded(at + 6, n), end(at + 7, n)])  # fmt: skip
    calls = worker_spans(line)[2]
    assert [(span.request, span.end - span.start) for span in calls] == [(n, 2_000_000) for n in range(1, 6)]
    validated(trace(line))


def test_the_legend_of_a_picture_with_every_state_fits():
    """The SVG names every state that it shows within its width."""
    line = Timeline()
    line.feed([(ns(0), ev.SENT, 1, "GET", "/")])
    at = 0
    for state, lasts in [
        (State.RUNNING, 50),
        *((state, 300) for state in State),
    ]:  # a short step, and a block
        line.requests[1].state = state
        at += lasts
        line.requests[1].close(ns(at))
    line.last = ns(at)
    picture = export(line, "svg")
    (width,) = map(int, re.findall(r'<svg [^>]* width="([0-9]+)"', picture))
    ends = {
        words: float(x) + 9.7 * len(words)
        for x, words in re.findall(r'<text x="([0-9.]+)"[^>]*>([^<]+)</text>', picture)
    }
    assert set(NAMES.values()) <= ends.keys()
    assert max(ends[name] for name in NAMES.values()) <= width
