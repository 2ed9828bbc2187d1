"""The picture, line by line, as segments of text: what the screen shows at one moment.

Nothing here knows Textual. A line is a list of segments; the screen repaints it only if the
list has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from loopviz.draw import words
from loopviz.draw.look import ALARM, LEVELS, Palette
from loopviz.draw.raster import (
    BLOCK,
    CODES,
    NOTHING,
    lane_stretches,
    loop_levels,
    map_codes,
    raster,
    request_stretches,
    token_levels,
)
from loopviz.model import Lane, Request, State, Timeline
from loopviz.model import Segment as StateSegment
from loopviz.scenario import ScenarioFile
from loopviz.stream.source import Environment
from loopviz.tui.keymap import Keys
from loopviz.tui.track import Track
from loopviz.tui.view import ROUND, View

__all__ = ["Facts", "Hit", "Line", "Scene", "fitted"]

Line = list[Segment]

_SETTLE = 400_000_000
"""A column this old will not change any more (ns): events are in order by then, blocks told."""
_ROOMY = 30
"""From this height on there are empty lines, and two for the loop."""
_LIT = "#4a5862"
"""The part of the map that the picture shows."""
_EDGES = " ▏▎▍▌▋▊▉█"
_LANE = "#1a2126"
"""The background of the loop's lane, so that an idle loop is seen as one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the picture moves."""

    environment: Environment
    mode: str
    address: str
    scenarios: Sequence[ScenarioFile]
    blind: Sequence[tuple[str, str]] = ()
    keys: Keys = field(default_factory=Keys)


@dataclass(frozen=True, slots=True)
class Hit:
    """What lies under the mouse: a request, or a key."""

    request: int | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class _Columns:
    """How a line divides: label, time, and what it says now."""

    label: int
    time: int
    says: int
    step: int
    """Width of a column (ns)."""

    @classmethod
    def of(cls, width: int, view: View) -> _Columns:
        says = 18 if width < 100 else 24 if width < 150 else 34
        label = 24 if width < 100 else 28 if width < 150 else 36
        time = max(8, width - label - says)
        return cls(label, time, says, view.width(time))


class Scene:
    """Composes frames, and remembers of the last one what makes the next one cheap."""

    def __init__(self, palette: Palette, facts: Facts) -> None:
        self.palette = palette
        self.facts = facts
        self.hits: dict[int, list[tuple[int, int, Hit]]] = {}
        """Of the last frame: for a line, columns from and to, and what lies there."""
        self._tracks: dict[tuple[str, int], Track] = {}
        self._used: set[tuple[str, int]] = set()
        text = palette.text
        self._text, self._dim, self._title = text("text"), text("dim"), text("title")
        self._separator = " · " if palette.unicode else " | "
        self._cells = lru_cache(maxsize=8192)(self._make_cells)
        self._mapped: tuple[tuple[int, ...], str] = ((), "")

    def forget(self) -> None:
        """Let go of all that was drawn: the palette or the timeline has changed."""
        self._tracks.clear()

    # -- the whole -----------------------------------------------------------------------------

    def compose(self, timeline: Timeline, view: View, width: int, height: int) -> list[Line]:
        """The frame: exactly `height` lines, each exactly `width` cells wide."""
        roomy = height >= _ROOMY
        keys = self._keys(view, width)
        story = self._story(timeline, view, width)
        head: list[Line] = [self._header(view, width)]
        gap: list[Line] = [[]] if roomy else []
        foot = [*gap, *story, *gap]
        room = max(0, height - len(head) - len(gap) - len(foot) - len(keys))
        lines = [*head, *gap, *self._picture(timeline, view, width, room, roomy=roomy), *foot]
        self.hits = {y + len(head) + len(gap): hits for y, hits in self.hits.items()}
        for hits, line in keys:
            self.hits[len(lines)] = hits
            lines.append(line)
        return [fitted(line, width, self.palette) for line in lines[:height]]

    def compose_lanes(self, timeline: Timeline, view: View, width: int, height: int) -> list[Line]:
        """The lanes alone, without head and foot, in exactly `height` lines."""
        lines = self._picture(timeline, view, width, height, roomy=height >= _ROOMY)
        return [fitted(line, width, self.palette) for line in lines]

    def _picture(self, timeline: Timeline, view: View, width: int, height: int, *, roomy: bool) -> list[Line]:
        """Axis, loop, threads and requests in `height` lines; `hits` are counted from the first."""
        columns = _Columns.of(width, view)
        self.hits = {}
        self._used = set()
        gap: list[Line] = [[]] if roomy else []
        lines = [self._map(timeline, view, columns)] if view.behind is not None else []
        lines.append(self._axis(view, columns))
        first = len(lines)
        lines += [*self._loop(timeline, view, columns, tall=roomy), *gap]
        lines.append(self._threads(timeline, view, columns))
        lanes = self._lanes(timeline, view, columns)
        wanted = len(timeline.requests)
        room = max(1, height - len(lines) - len(gap) - 1)
        has_title = roomy or len(lanes) + wanted > room + 1
        room += not has_title
        shown = max(min(len(lanes), room - wanted), min(len(lanes), room // 3))
        lines += [self._lane(lane, timeline, view, columns) for lane in lanes[:shown]]
        lines += gap
        rows, above, below = view.rows(timeline, max(1, room - shown))
        if has_title:
            lines.append(self._title_of_requests(len(lanes) - shown, above, below))
        for request in rows:
            self.hits[len(lines)] = [(0, width, Hit(request=request.id))]
            lines.append(self._request(request, timeline, view, columns))
        for key in self._tracks.keys() - self._used:
            del self._tracks[key]
        lines[first:] = [self._crossed(line, view, columns) for line in lines[first:]]
        return [*lines, *([[]] * (height - len(lines)))][:height]

    # -- head and foot -------------------------------------------------------------------------

    def _header(self, view: View, width: int) -> Line:
        environment, pace = self.facts.environment, view.pace
        alarm = self.palette.text("alarm")
        right: list[tuple[str, Style]] = []
        if view.behind is not None:
            frozen = self.palette.style("#101214", "#F0E442", bold=True, reverse=not self.palette.colour)
            how = f"PLAYING {view.speed:g} x" if view.speed else "FROZEN"
            right.append((f" {how} {words.duration(view.behind)} behind ", frozen))
        filters = [f"/{words.printable(view.words, 20)}"] if view.words else []
        filters += [f"by {view.sort}"] if view.sort != "arrival" else []
        right += [(text, self._title) for text in filters]
        right.append((f"{pace.fps:.0f} fps", self._dim if pace.fps > 20 or not pace.fps else alarm))
        right.append((f"probe {pace.probe:.1%}", self._dim))
        right.append((f"{pace.dropped} lost", alarm if pace.dropped else self._dim))
        if pace.failures:
            right.append((f"{pace.failures} probe errors", alarm))
        version = words.printable(environment.python, 20)
        gil = "GIL on" if environment.gil else "GIL off"
        loop, address = words.printable(environment.event_loop, 20), words.printable(self.facts.address, 40)
        wide = [f"Python {version}", gil, loop, words.printable(self.facts.mode, 20), address]
        narrow = [version.rpartition(".")[0], gil, loop, ":" + address.rpartition(":")[2]]
        right_length = sum(cell_len(text) + 3 for text, _ in right)
        for items in (wide, narrow, narrow[1:], narrow[2:], narrow[3:]):
            left = self._separator.join(items)
            if len(" loopviz  ") + cell_len(left) + right_length <= width:
                break
        line = [Segment(" loopviz", self.palette.text("title")), Segment(f"  {left}", self._dim)]
        gap = max(1, width - sum(s.cell_length for s in line) - right_length + 2)
        line.append(Segment(" " * gap, self._text))
        for index, (text, style) in enumerate(right):
            if index:
                line.append(Segment(self._separator, self._dim))
            line.append(Segment(text, style))
        line.append(Segment(" ", self._text))
        return line

    def _story(self, timeline: Timeline, view: View, width: int) -> list[Line]:
        """One or two sentences, in two lines or, where they are too long for one each, three."""
        if view.notice:
            mood, sentences = "text", [view.notice]
        else:
            mood, sentences = words.story(timeline, view.moment, self._invitation(), brief=width < 96)
            if view.change:
                sentences = [view.change, sentences[0]]
        style = self.palette.text("text" if mood == "text" else mood)  # type: ignore[arg-type]
        bar = "▌" if self.palette.unicode else "|"
        lines: list[Line] = []
        for text in words.wrapped(sentences, width - 3, 2):
            body = self._title if mood == "alarm" and not lines else self._text
            lines.append([Segment(f"{bar} ", style), Segment(text, body)])
        while len(lines) < 2:
            lines.append([Segment(f"{bar} ", style)])
        return lines

    def _invitation(self) -> str:
        keys = [
            f"{file.facts.key} {words.printable(file.name, 40)}"
            for file in self.facts.scenarios
            if file.facts.key
        ]
        return f"Press a letter to fire requests: {', '.join(keys)}." if keys else "No scenario has a key."

    def _keys(self, view: View, width: int) -> list[tuple[list[tuple[int, int, Hit]], Line]]:
        """The keys, in one line if they fit and else in two, each with where it can be clicked."""
        keyed = [file for file in self.facts.scenarios if file.facts.key]
        numbers = {view.requests or file.facts.requests for file in keyed}
        count = f"{numbers.pop()} requests" if len(numbers) == 1 else "requests"
        scenarios = [(f.facts.key or "", words.printable(f.name, 40), f.facts.key or "") for f in keyed]
        words_of = {
            "requests": count,
            "threads": f"thread limit {view.threads}",
            "freeze": "continue" if view.behind is not None else "freeze",
        }
        keys = self.facts.keys
        side, short = keys.foot(words_of, "side"), keys.foot(words_of, "always")
        more = keys.foot(words_of, "always", "roomy")
        least = {**words_of, "requests": count.partition(" ")[0], "threads": f"limit {view.threads}"}
        for rows in (
            [scenarios + side + more],
            [scenarios + side, more],
            [scenarios + side, short],
            [scenarios, short],
            [scenarios[:6], keys.foot(least, "always")],
        ):
            made = [self._key_line(row) for row in rows if row]
            if all(sum(s.cell_length for s in line) <= width for _, line in made):
                break
        return made

    def _key_line(self, items: Sequence[tuple[str, str, str]]) -> tuple[list[tuple[int, int, Hit]], Line]:
        line: Line = []
        hits = []
        x = 1
        strong = self.palette.style("#56B4E9", bold=True)
        for key, text, press in items:
            line += [Segment(f" {key}", strong), Segment(f" {text} ", self._dim)]
            length = cell_len(key) + cell_len(text) + 3
            hits.append((x - 1, x - 1 + length, Hit(key=press)))
            x += length
        return hits, line

    # -- lanes ---------------------------------------------------------------------------------

    def _axis(self, view: View, columns: _Columns) -> Line:
        """Time before the right edge; the time cursor's own time where there is one."""
        marks = [" "] * columns.time
        every = next(ns for ns in ROUND if ns >= columns.step and ns // columns.step >= 8)
        for number in range(1, columns.time * columns.step // every + 1):
            text = f"-{words.tick(number * every)}"
            at = columns.time - 1 - number * every // columns.step
            if at >= len(text) - 1:
                marks[at - len(text) + 1 : at + 1] = text
        edge = "now" if view.behind is None else "here"
        marks[-len(edge) :] = edge
        line = [Segment(" " * columns.label, self._text), Segment("".join(marks), self._dim)]
        if view.at is None:
            return line
        before = f"-{words.duration(max(0, view.now - view.at))}"
        if view.mark is None:
            return self._says(line, [f"cursor {before}"], columns, self._title)
        return self._says(
            line, [f"Δ {words.duration(abs(view.at - view.mark))}", before], columns, self._title
        )

    def _map(self, timeline: Timeline, view: View, columns: _Columns) -> Line:
        """The whole buffer in one line: where requests are, its blocks, and the window."""
        start, end = timeline.began, max(view.now + (view.behind or 0), timeline.last)
        width = max(1, -(-(end - start) // columns.time))
        key = (len(timeline.requests), len(timeline.blocks), start // width, end // width)
        if self._mapped[0] != key:
            self._mapped = (key, map_codes(timeline, start, width, columns.time))
        left = max(0, (view.now - view.window - start) // width)
        right = max(left, (view.now - start) // width)
        levels, block = LEVELS[self.palette.mode], "▄" if self.palette.unicode else "!"
        line = [self._label("ALL", columns, self._dim)]
        for index, code in enumerate(self._mapped[1]):
            inside = left <= index <= right
            colour = ALARM if code == BLOCK else "#00c792"
            style = self.palette.style(colour, _LIT if inside else _LANE)
            if inside and not self.palette.colour:
                style = Style(reverse=True)
            line.append(Segment(block if code == BLOCK else levels[int(code)], style))
        return self._says(line, [words.duration(end - start)], columns, self._dim)

    def _crossed(self, line: Line, view: View, columns: _Columns) -> Line:
        """The line with the time cursor and the mark drawn through it."""
        if sum(segment.cell_length for segment in line) < columns.label + columns.time:
            return line  # a heading, or nothing
        first = view.now // columns.step + 1 - columns.time
        for t, glyph in (
            (view.mark, "┊" if self.palette.unicode else ":"),
            (view.at, "│" if self.palette.unicode else "|"),
        ):
            if t is None or not 0 <= t // columns.step - first < columns.time:
                continue
            x = columns.label + t // columns.step - first
            before, cell, after = _split(line, x, x + 1)
            under = cell[0].style if cell and cell[0].style else self._text
            shown = (
                Style(color="#ffffff", bold=True) if self.palette.colour else Style(bold=True, reverse=True)
            )
            line = [*before, Segment(glyph, under + shown), *after]
        return line

    def _window(self, view: View, columns: _Columns) -> tuple[int, int, int, int]:
        """Half a column's width (ns), and the first, the settled and the last half column."""
        half = columns.step // 2
        stop = 2 * (view.now // columns.step + 1)
        return half, stop - 2 * columns.time, (view.now - _SETTLE) // half, stop

    def _track(self, kind: str, number: int) -> Track:
        key = (kind, number)
        self._used.add(key)
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = Track()
        return track

    def _loop(self, timeline: Timeline, view: View, columns: _Columns, *, tall: bool) -> list[Line]:
        """The loop's lane; in two lines where there is room, since it is what all is about."""
        half, first, settled, stop = self._window(view, columns)
        codes = self._track("loop", 0).window(
            half, first, settled, stop, lambda a, b: loop_levels(timeline, half, a, b, view.now)
        )
        first_part, second, style = self._loop_says(timeline, view)
        upper, lower = self._levels(codes, tall=tall)
        line = [self._label("LOOP", columns, self._title), *self._captioned(lower, timeline, view, columns)]
        if not tall:
            return [self._says(line, [first_part, *second], columns, style)]
        above = [Segment(" " * columns.label, self._text), *upper]
        return [
            self._says(above, [first_part], columns, style),
            self._says(line, second or [""], columns, style),
        ]

    def _loop_says(self, timeline: Timeline, view: View) -> tuple[str, list[str], Style]:
        """What the loop is at, and whose doing that is."""
        second: list[str] = []
        block = timeline.block_at(view.moment)
        if block is not None:
            if block.request:
                second.append(f"#{block.request}")
            if block.where is not None:
                second.append(words.line(block.where))
            return f"BLOCKED {words.duration(block.lasted(view.moment))}", second, self.palette.text("alarm")
        busy = timeline.busy(view.moment - 1_000_000_000, view.moment) / 1_000_000_000
        running = timeline.running_at(view.moment) if view.behind is None else 0
        if running:
            second.append(f"runs #{running}")
        if not timeline.sees_iterations and self.facts.blind:
            second.append("idle not seen")
        return f"busy {min(1.0, busy):.0%}", second, self._text

    def _levels(self, codes: str, *, tall: bool) -> tuple[Line, Line]:
        """The loop's cells, upper and lower: height for busy, the alarm colour for a block."""
        palette = self.palette
        levels = LEVELS[palette.mode]
        calm = palette.style("#00c792", _LANE)
        upper, lower = [], []
        for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
            length = len(list(run))
            if BLOCK in pair:
                text, style = palette.cell(BLOCK, BLOCK)
                upper.append(Segment(text * length, style))
                lower.append(Segment(text * length, style))
                continue
            level = max(map(int, pair))
            low = min(8, 2 * level) if tall and level > 1 else level
            high = max(0, 2 * level - 8)
            upper.append(Segment(levels[high] * length, calm))
            lower.append(Segment(levels[low] * length, calm))
        return upper, lower

    def _captioned(self, line: Line, timeline: Timeline, view: View, columns: _Columns) -> Line:
        """Write each block's request and line into it, where there is room."""
        first = view.now // columns.step + 1 - columns.time
        style = self.palette.style("#ffffff", "#D55E00", bold=True, reverse=not self.palette.colour)
        captions = []
        for block in timeline.blocks_until(view.now):
            end = block.start + block.lasted(view.now)
            if end // columns.step < first:
                break
            if end - block.start < timeline.threshold:
                continue
            left = max(0, block.start // columns.step - first + 1)
            right = min(columns.time, end // columns.step - first)
            where = f" {words.line(block.where)}" if block.where else ""
            for text in (f"#{block.request}{where}", f"#{block.request}"):
                if block.request and right - left >= cell_len(text):
                    captions.append((left, text))
                    break
        for left, text in captions:
            before, _, after = _split(line, left, left + cell_len(text))
            line = [*before, Segment(text, style), *after]
        return line

    def _threads(self, timeline: Timeline, view: View, columns: _Columns) -> Line:
        """The gauge of tokens: how many were taken, and when somebody had to wait for one."""
        half, first, settled, stop = self._window(view, columns)
        codes = self._track("tokens", 0).window(
            half, first, settled, stop, lambda a, b: token_levels(timeline, half, a, b, view.now)
        )
        line = [self._label("THREADS", columns, self._title)]
        levels, waits = LEVELS[self.palette.mode], CODES[State.TOKEN_WAIT]
        calm = self.palette.style("#CC79A7", _LANE)
        for pair, run in groupby(zip(codes[::2], codes[1::2], strict=True)):
            length = len(list(run))
            if waits in pair:
                text, style = self.palette.cell(waits, waits)
                line.append(Segment(text * length, style))
            else:
                line.append(Segment(levels[max(map(int, pair))] * length, calm))
        tokens = timeline.tokens_at(view.moment)
        if tokens is None:
            return self._says(line, ["not seen"], columns, self._dim)
        total = str(tokens.total) if tokens.total >= 0 else "any number"
        if tokens.waiting:
            parts = [f"{tokens.borrowed} of {total}", f"{tokens.waiting} wait"]
            return self._says(line, parts, columns, self.palette.name(waits)[1])
        return self._says(line, [f"{tokens.borrowed} of {total} taken"], columns, self._text)

    def _lanes(self, timeline: Timeline, view: View, columns: _Columns) -> list[Lane]:
        """The workers that did something in the window: threads, and below them processes."""
        begin = view.now - columns.time * columns.step
        lanes = []
        for lane in timeline.workers.values():
            for span in lane.newest_first(view.now):
                if span.start < view.now:
                    if span.end > begin:
                        lanes.append(lane)
                    break
        return sorted(lanes, key=lambda lane: lane.role == "process")

    def _lane(self, lane: Lane, timeline: Timeline, view: View, columns: _Columns) -> Line:
        half, first, settled, stop = self._window(view, columns)
        codes = self._track("lane", lane.number).window(
            half, first, settled, stop, lambda a, b: raster(lane_stretches(lane, view.now), half, a, b)
        )
        moment = view.moment
        span = lane.span_at(moment)
        request = span.request if span is not None else 0
        name = f" {lane.name}"
        line = [self._label(f"{name:<11}{f'#{request}' if request else ''}", columns, self._dim)]
        line += self._cells(codes, 0)
        share = lane.cpu_share(moment)
        if not request:
            return self._says(line, ["idle"], columns, self._dim)
        return self._says(
            line, [f"on CPU {share:.0%}"] if share is not None else ["busy"], columns, self._text
        )

    # -- requests ------------------------------------------------------------------------------

    def _title_of_requests(self, hidden_lanes: int, above: int, below: int) -> Line:
        line = [Segment(" REQUESTS", self._title)]
        hints = []
        if above:
            hints.append(f"{above} above")
        if below:
            hints.append(f"{below} below")
        if hidden_lanes:
            hints.append(f"{hidden_lanes} more workers")
        if hints:
            line.append(Segment("  " + self._separator.join(hints), self._dim))
        return line

    def _request(self, request: Request, timeline: Timeline, view: View, columns: _Columns) -> Line:
        half, first, settled, stop = self._window(view, columns)
        now, threshold = view.now, timeline.threshold
        codes = self._track("request", request.id).window(
            half,
            first,
            settled,
            stop,
            lambda a, b: raster(request_stretches(request, threshold, now), half, a, b),
        )
        moment = view.moment
        done = request.done is not None and request.done <= moment
        failed = done and (request.error is not None or (request.status or 0) >= 500)
        state = None if done and request.ended else request.state_at(moment)
        alive = state is not None and view.at is None
        return self._request_says(
            [
                self._request_label(request, view, columns, done=done, failed=failed),
                *self._cells(codes, self._edge(codes, view, columns) if alive else 0),
            ],
            request,
            state,
            view,
            columns,
            timeline.threshold,
        )

    def _request_label(
        self, request: Request, view: View, columns: _Columns, *, done: bool, failed: bool
    ) -> Segment:
        mark = " "
        if request.id == view.changed:
            mark = "▶" if self.palette.unicode else ">"
        number = f"{mark}{f'#{request.id}':<4} "
        room = columns.label - len(number) - 5
        name = _shortened(words.printable(f"{request.method} {request.path}"), room)
        text = f"{number}{name} {str(request.status or '') if done else '':<3} "
        if request.id == view.cursor:
            return Segment(text, self._title + Style(reverse=True))
        if request.id == view.changed:
            return Segment(text, self._title)
        if failed:
            return Segment(text, self.palette.text("alarm"))
        return Segment(text, self._dim if done else self._text)

    def _request_says(
        self,
        line: Line,
        request: Request,
        state: StateSegment | None,
        view: View,
        columns: _Columns,
        threshold: int,
    ) -> Line:
        """What the request is at, at the moment shown, and its latency up to then."""
        moment = view.moment
        latency = words.duration(request.latency(moment))
        if request.done is not None and request.done <= moment:
            if request.error is not None or (request.status or 0) >= 500:
                why = words.printable(request.error or "failed", 40)
                return self._says(line, [latency, why], columns, self.palette.text("alarm"))
            ended = state is None or request.ended
            what = "done" if ended or state is None else f"after: {words.state_name(state.state)}"
            return self._says(line, [what, latency], columns, self._dim, align=True)
        if state is None:
            what = "ready" if request.start < moment else "not sent yet"
            return self._says(line, [what], columns, self._dim)
        running = state.state is State.RUNNING
        code = BLOCK if running and moment - state.start >= threshold else CODES[state.state]
        label, style = self.palette.name(code)
        return self._says(line, [label, latency], columns, style, align=True)

    def _edge(self, codes: str, view: View, columns: _Columns) -> int:
        """How many eighths of the live cell have passed, if they are all in one state."""
        if not (self.palette.unicode and self.palette.colour):
            return 0
        left, right = codes[-2], codes[-1]
        if left == NOTHING or right not in (left, NOTHING):
            return 0
        return 1 + 8 * (view.now % columns.step) // (columns.step + 1)

    def _make_cells(self, codes: str, edge: int) -> Line:
        """Cells of two half columns each; the last one filled up to `edge` eighths, if given."""
        pairs = list(zip(codes[::2], codes[1::2], strict=True))
        last = pairs.pop() if edge else None
        line = []
        for (left, right), run in groupby(pairs):
            character, style = self.palette.cell(left, right)
            line.append(Segment(character * len(list(run)), style))
        if last is not None:
            line.append(Segment(_EDGES[edge], self.palette.edge(last[0])))
        return line

    # -- pieces --------------------------------------------------------------------------------

    def _label(self, text: str, columns: _Columns, style: Style) -> Segment:
        return Segment(set_cell_size(f" {text}", columns.label), style)

    def _says(
        self, line: Line, parts: Sequence[str], columns: _Columns, style: Style, *, align: bool = False
    ) -> Line:
        """Add what the lane says now; `align` puts a state and its time into columns."""
        if align and len(parts) == 2:
            text = f" {parts[0]:<{min(15, columns.says - 8)}}{parts[1]:>6}"
        else:
            text = " " + parts[0]
            for part in parts[1:]:
                longer = text + self._separator + part
                if cell_len(longer) > columns.says:
                    break
                text = longer
        return [*line, Segment(set_cell_size(text, columns.says), style)]


def fitted(line: Line, width: int, palette: Palette) -> Line:
    """The line exactly `width` cells wide, and in ASCII where the palette asks for it."""
    if not palette.unicode:
        line = [Segment(words.ascii_only(segment.text), segment.style) for segment in line]
    length = sum(segment.cell_length for segment in line)
    if length < width:
        return [*line, Segment(" " * (width - length), palette.text("text"))]
    return line if length == width else Segment.adjust_line_length(line, width, palette.text("text"))


def _shortened(text: str, room: int) -> str:
    """Text in exactly `room` cells, with an ellipsis where it is cut."""
    if cell_len(text) <= room:
        return set_cell_size(text, room)
    return set_cell_size(text, room - 1) + "…"


def _split(line: Line, start: int, end: int) -> tuple[Line, Line, Line]:
    """The parts of a line before, between and after two columns."""
    before, between, after = list(Segment.divide(line, [start, end, sum(s.cell_length for s in line)]))
    return before, between, after
