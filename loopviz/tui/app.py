"""The Textual application: it drains the source, feeds the timeline, and shows the scene."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from loopviz.clock import NS, now_ns
from loopviz.draw.look import BACKGROUND, Palette
from loopviz.draw.words import one_line, printable
from loopviz.errors import InputError
from loopviz.model import Request, Timeline
from loopviz.scenario import ScenarioFile
from loopviz.scenario.watch import Watcher
from loopviz.stream.source import Source
from loopviz.tui.claims import Claims, Experimenter
from loopviz.tui.comparison import Comparison, Pick
from loopviz.tui.detail import Detail
from loopviz.tui.help import Help
from loopviz.tui.places import next_change, next_place
from loopviz.tui.plain import Plain
from loopviz.tui.scene import Facts, Scene
from loopviz.tui.stage import Stage
from loopviz.tui.trigger import Trigger
from loopviz.tui.view import SORTS, View

__all__ = ["LoopvizApp"]

FRAME_RATE = 30
LATE = 150_000_000
"""A frame that comes so much after the one before (ns) is late."""
SPEEDS = (0.01, 0.1, 0.25, 1.0, 4.0)
"""At which a burst can be played back."""
_SHORT = 100_000_000
"""What lasts no longer than this (ns) is played back at the lowest speed."""
_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 40, 41, 50, 80, 100, 200, 500, 1000)
_TOKENS = (1, 2, 3, 4, 6, 8, 10, 16, 20, 30, 40, 60, 80, 100, 200, 500, 1000)


class LoopvizApp(App[int]):
    """The live picture of a source."""

    TITLE = "loopviz"
    ENABLE_COMMAND_PALETTE = True
    CSS = f"""
    Stage, Comparison, Claims {{ background: {BACKGROUND}; }}
    Stage {{ width: 100%; height: 100%; }}
    Stage > Input {{ dock: bottom; height: 1; border: none; background: #22282d; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "more_requests", "more requests", show=False),
        Binding("minus", "fewer_requests", "fewer requests", show=False),
        Binding("right_square_bracket", "more_threads", "more threads", show=False),
        Binding("left_square_bracket", "fewer_threads", "fewer threads", show=False),
        Binding("space", "freeze", "freeze / go on", show=False),
        Binding("enter", "detail", "detail of a request", show=False),
        Binding("down,j", "point(1)", "next request", show=False),
        Binding("up,k", "point(-1)", "request before", show=False),
        Binding("pagedown", "point(10)", "ten requests on", show=False),
        Binding("pageup", "point(-10)", "ten requests back", show=False),
        Binding("left,h", "pan(-0.1)", "back in time", show=False),
        Binding("right,l", "pan(0.1)", "on in time", show=False),
        Binding("shift+left", "pan(-1)", "a page back in time", show=False),
        Binding("shift+right", "pan(1)", "a page on in time", show=False),
        Binding("z", "zoom(1)", "zoom in", show=False),
        Binding("Z,upper_z", "zoom(-1)", "zoom out", show=False),
        Binding("f", "fit", "fit the request, or the last burst", show=False),
        Binding("home", "first", "the first event", show=False),
        Binding("end", "live", "the present", show=False),
        Binding("backspace", "undo", "undo the last navigation", show=False),
        Binding("n", "jump(1)", "next block, token wait, error or late frame", show=False),
        Binding("N,upper_n", "jump(-1)", "the one before", show=False),
        Binding("full_stop", "change(1)", "next change of state", show=False),
        Binding("comma", "change(-1)", "the change before", show=False),
        Binding("greater_than_sign", "cursor(1)", "time cursor on", show=False),
        Binding("less_than_sign", "cursor(-1)", "time cursor back", show=False),
        Binding("apostrophe", "mark", "second time cursor", show=False),
        Binding("slash", "filter", "filter the rows", show=False),
        Binding("t", "sort", "sort the rows", show=False),
        Binding("w", "write", "write the last minutes to a file", show=False),
        Binding("r", "play", "play back in slow motion", show=False),
        Binding("x", "clear", "clear what has ended", show=False),
        Binding("question_mark", "help", "help and legend", show=False),
        Binding("v", "compare", "compare scenarios", show=False),
        Binding("m", "claims", "claims", show=False),
        Binding("q", "quit", "quit", show=False),
        Binding("ctrl+c,ctrl+q", "quit", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        source: Source,
        palette: Palette,
        *,
        requests: int | None = None,
        experimenter: Experimenter | None = None,
        trigger: Trigger | None = None,
        watcher: Watcher | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        super().__init__()
        self._experimenter = experimenter
        self.source = source
        self.palette = palette
        self.timeline = timeline if timeline is not None else Timeline()
        self.view = View(requests=requests, threads=source.threads)
        self.scene = Scene(palette, self._facts())
        self._present = now_ns()
        self._frames: deque[int] = deque(maxlen=FRAME_RATE)
        self._costs: deque[tuple[int, int]] = deque(maxlen=FRAME_RATE)
        self._notice_until = 0
        self._moved = self._present
        self._late: deque[tuple[int, int]] = deque(maxlen=200)
        self._trigger = trigger
        self._watcher = watcher
        self._futures: list[tuple[Future[None], str]] = []
        self._failed: str | None = None
        for file in source.scenarios:
            self._bind(file)

    def _bind(self, file: ScenarioFile) -> None:
        key = file.facts.key
        if key:
            self._bindings.key_to_bindings.pop(key, None)
            self._bindings.bind(key, f"fire({file.name!r})", f"fire {file.name}", show=False)

    def _facts(self) -> Facts:
        source = self.source
        return Facts(source.environment, source.mode, source.address, source.scenarios, source.blind)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Where only ASCII may be emitted, Textual's own characters are replaced as well."""
        filters = super().get_line_filters()
        return filters if self.palette.unicode else [*filters, _PLAIN]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The picture's keys do nothing on another screen."""
        if action in _OF_THE_PICTURE:
            return isinstance(self.screen, Stage)
        return True

    def get_default_screen(self) -> Screen[None]:
        """The picture."""
        return Stage(self)

    def on_mount(self) -> None:
        """Start the server behind the first frame, and the frames."""
        self._guard_terminal()
        self.source.start()
        threading.Thread(target=self._await_server, name="loopviz start", daemon=True).start()
        self.set_interval(1 / FRAME_RATE, self.tick)
        if self._watcher is not None:
            self.set_interval(0.5, self._read_again)

    def _read_again(self) -> None:
        """Serve what has been saved; what cannot be read is told, and its last good version stays."""
        if self._watcher is None:
            return
        for change in self._watcher.poll():
            if change.scenario is None:
                self.say(f"{one_line(change.error or '')} The last good version stays.", seconds=8)
                continue
            self._expect(self.source.reload(change.scenario), f"{change.scenario.name} has been read again.")

    def _expect(self, future: Future[None] | None, notice: str = "") -> None:
        if future is not None:
            self._futures.append((future, notice))

    def _look_after(self) -> None:
        """Tell what has become of what was asked of the source."""
        for item in [item for item in self._futures if item[0].done()]:
            self._futures.remove(item)
            future, notice = item
            error = None if future.cancelled() else future.exception()
            if error is not None:
                self.say(one_line(str(error)) or type(error).__name__, seconds=8)
            elif notice:
                self.scene.facts = self._facts()
                for file in self.source.scenarios:
                    self._bind(file)
                for screen in self.screen_stack:
                    if isinstance(screen, Stage):
                        screen.catalogue.show(self.source.scenarios)
                self.say(notice)

    def _guard_terminal(self) -> None:
        """End in order on SIGTERM and SIGHUP; Textual would leave the terminal as it is."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                with suppress(NotImplementedError, RuntimeError):  # not on Windows
                    asyncio.get_running_loop().add_signal_handler(number, self.exit, 0)

    def _await_server(self) -> None:
        try:
            self.source.wait()
        except InputError as error:
            self._failed = str(error)
            return
        # The start has made many objects that stay: spare the collector looking at them again.
        gc.collect()
        gc.freeze()
        self.scene.facts = self._facts()

    # -- frames --------------------------------------------------------------------------------

    def tick(self) -> None:
        """One frame: take in what has happened, and show it."""
        if self._failed is not None:
            self.exit(2, message=self._failed)
            return
        now = now_ns()
        self.timeline.feed(self.source.drain())
        self._present = self.source.present()
        if self.source.live:
            self.timeline.prune(now)
        self._take_pulse(now)
        if self.view.notice and now > self._notice_until:
            self.view.notice = ""
        self._look_after()
        self._move(now)
        screen = self.screen
        if isinstance(screen, Stage):
            screen.show()
        elif isinstance(screen, Detail):
            screen.follow()
        elif isinstance(screen, Comparison | Claims):
            screen.follow(now)

    def _move(self, now: int) -> None:
        """Move the picture on: with the present, at the speed of playing back, or not at all."""
        view, present = self.view, self._present
        if view.speed is not None:
            view.now = min(present, view.now + int((now - self._moved) * view.speed))
            if view.until is not None and view.now >= view.until:
                view.now, view.speed = view.until, None
        elif view.behind is None and not self.source.live:
            if self.timeline.began:  # a recording begins to play at its beginning
                view.now = self.timeline.began
                self._play(1.0, None)
        elif view.behind is None:
            moment = self._trigger.moment(self.timeline, present) if self._trigger else None
            view.now = present
            if moment is not None:
                view.remember()
                view.freeze()
                view.see(moment, present)
        if view.behind is not None:
            view.behind = max(0, present - view.now)
        self._moved = now

    def _take_pulse(self, now: int) -> None:
        vitals = self.source.vitals()
        if self.source.live and self._frames and now - self._frames[-1] > LATE:
            self._late.append((now, now - self._frames[-1]))
        self._frames.append(now)
        self._costs.append((now, vitals.cost_ns))
        pace = self.view.pace
        pace.dropped = vitals.dropped
        pace.failures = len(vitals.failures)
        if len(self._frames) > 1 and self._frames[-1] > self._frames[0]:
            span = self._frames[-1] - self._frames[0]
            pace.fps = (len(self._frames) - 1) * NS / span
            pace.probe = max(0, self._costs[-1][1] - self._costs[0][1]) / span

    def say(self, text: str, seconds: int = 2) -> None:
        """Show a notice for a while."""
        self.view.notice = printable(text, 400)
        self._notice_until = now_ns() + seconds * NS

    # -- actions -------------------------------------------------------------------------------

    def action_fire(self, name: str) -> None:
        """Fire the scenario of that name."""
        file = next(file for file in self.source.scenarios if file.name == name)
        self.fire(file)

    def fire(self, file: ScenarioFile) -> None:
        """Fire a scenario, and look at the present again."""
        if file.missing:
            self.say(f"{file.name} needs {', '.join(file.missing)}: {file.install}")
            return
        try:
            self._expect(self.source.fire(file, self.view.requests or file.facts.requests))
        except InputError as error:
            self.say(one_line(str(error)))
            return
        if self.view.behind is not None:
            self.view.remember()
        self.view.follow()
        self.view.cursor = None

    def action_more_requests(self) -> None:
        """Fire more requests at once from now on."""
        self._count(1)

    def action_fewer_requests(self) -> None:
        """Fire fewer requests at once from now on."""
        self._count(-1)

    def _count(self, by: int) -> None:
        current = self.view.requests or 8
        self.view.requests = _neighbour(_COUNTS, current, by)

    def action_more_threads(self) -> None:
        """Give the server more tokens for worker threads."""
        self._tokens(1)

    def action_fewer_threads(self) -> None:
        """Take tokens for worker threads away."""
        self._tokens(-1)

    def _tokens(self, by: int) -> None:
        self.view.threads = _neighbour(_TOKENS, self.view.threads, by)
        self.source.set_threads(self.view.threads)

    def action_freeze(self) -> None:
        """Stop the picture, or go on: with playing back, or with the present."""
        view = self.view
        if view.speed is not None:
            view.speed = None
        elif view.behind is None:
            view.remember()
            view.freeze()
        elif not self.source.live:
            self._play(1.0, None)
        else:
            view.remember()
            view.follow()

    def action_pan(self, by: float) -> None:
        """Move the picture by a part of its width; it is frozen then."""
        self.view.pan(by, self._present)

    def action_zoom(self, by: int) -> None:
        """Show less time, or more."""
        self.view.zoom(by, self._present)

    def action_fit(self) -> None:
        """Show the whole of the request that is pointed at, or of the last burst."""
        burst = self._chosen()
        if burst:
            self.view.fit(
                min(r.start for r in burst), max(r.done or self._present for r in burst), self._present
            )

    def _chosen(self) -> list[Request]:
        """The request that is pointed at, or the last burst."""
        request = self.timeline.requests.get(self.view.cursor or 0)
        if request is not None:
            return [request]
        return self.timeline.last_burst(self.view.moment) or self.timeline.last_burst(self._present)

    def action_first(self) -> None:
        """Go to the first event that is kept."""
        if not self.timeline.began:
            self.say("Nothing has happened yet.")
            return
        self.view.remember()
        self.view.see(self.timeline.began, self._present)
        self.view.change, self.view.changed = "", None

    def action_live(self) -> None:
        """Go to the present; of a recording, to its end."""
        self.view.remember()
        self.view.follow()
        if not self.source.live:
            self.view.behind, self.view.now = 0, self._present

    def action_undo(self) -> None:
        """Go back to where the eye was before the last navigation."""
        if not self.view.undo():
            self.say("There is nothing to undo.")

    def action_jump(self, direction: int) -> None:
        """Go to the next place worth it, or to the one before."""
        place = next_place(self.timeline, self.view.origin(direction), direction, self._late)
        if place is None:
            which = "after" if direction > 0 else "before"
            self.say(f"No block, token wait, error or late frame {which} this.")
            return
        self.view.remember()
        self.view.see(place.t, self._present)
        self.view.change, self.view.changed = place.what, None

    def action_change(self, direction: int) -> None:
        """Step to the next change of a request's state, or to the one before."""
        view, present = self.view, self._present
        found = view.matching(self.timeline)
        change = next_change(found, view.origin(direction), direction, present, view.changed)
        if change is None:
            self.say("No request changes its state " + ("after this." if direction > 0 else "before this."))
            return
        view.remember()
        view.see(change.t, present)
        view.change, view.changed = change.what, change.request

    def action_cursor(self, by: int) -> None:
        """Move the time cursor by a column."""
        view = self.view
        view.remember()
        view.change, view.changed = "", None
        view.see(min(self._present, view.moment + by * view.width(view.cells)), self._present)

    def action_mark(self) -> None:
        """Leave the second time cursor where the first one is, or take it away."""
        view = self.view
        view.remember()
        view.freeze()
        if view.at is None:
            view.see(view.moment, self._present)
        view.mark = None if view.mark == view.at else view.at

    def action_sort(self) -> None:
        """Sort the rows by arrival, by latency, or by the time lost for others' sake."""
        view = self.view
        view.sort = SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)]
        view.top = 0

    def action_filter(self) -> None:
        """Ask for words that a row must have."""
        if isinstance(self.screen, Stage):
            self.screen.ask_filter()

    def action_play(self) -> None:
        """Play the request that is pointed at, or the last burst, slowly; then faster, then stop."""
        view = self.view
        if view.speed is not None:
            at = SPEEDS.index(view.speed) + 1 if view.speed in SPEEDS else 0
            view.speed = SPEEDS[at] if at < len(SPEEDS) else None
            return
        burst = self._chosen()
        if not burst:
            self.say("There is nothing to play back yet.")
            return
        start = min(r.start for r in burst)
        end = max(r.done or self._present for r in burst)
        view.fit(start, end, self._present)
        view.now = start
        self._play(SPEEDS[1 if end - start > _SHORT else 0], end)

    def _play(self, speed: float, until: int | None) -> None:
        view = self.view
        view.behind = 0
        view.at = view.mark = None
        view.change, view.changed = "", None
        if view.now >= (until or self._present):
            view.now = self.timeline.began
        view.speed, view.until = speed, until

    def action_point(self, by: int) -> None:
        """Point at another request."""
        self.view.point(self.timeline, by)

    def action_let_go(self) -> None:
        """Point at nothing."""
        self.view.cursor = None

    def action_clear(self) -> None:
        """Let go of the requests that have ended."""
        self.timeline.forget()
        self.scene.forget()
        self.view.cursor = None
        self.view.top = 0

    def action_detail(self) -> None:
        """Open the request that is pointed at."""
        number = self.view.cursor
        if number is None:
            self.view.point(self.timeline, -1)
            number = self.view.cursor
        if number is None:
            self.say("There is no request yet.")
        elif number in self.timeline.requests:
            self.push_screen(Detail(self, number))

    def action_write(self) -> None:
        """Write the last minutes to a file."""
        path = Path(f"loopviz-{datetime.now().astimezone():%Y%m%d-%H%M%S}.lvr.gz")
        try:
            events = self.source.save(path)
        except InputError as error:
            self.say(one_line(str(error)), seconds=5)
        else:
            self.say(f"{events} events are in {path}: loopviz replay {path}", seconds=5)

    def action_help(self) -> None:
        """Open the legend and the keys."""
        self.push_screen(Help(self.palette, self.source))

    def action_catalogue(self) -> None:
        """Show the list of scenarios, or hide it."""
        if isinstance(self.screen, Stage):
            self.screen.toggle_catalogue()

    def action_compare(self) -> None:
        """Pick scenarios, and run them side by side."""
        if not self.source.live:
            self.say("This is a recording: nothing can be fired.")
            return
        ready = [file for file in self.source.scenarios if not file.missing]
        self.push_screen(Pick(ready), self._compare)

    def _compare(self, names: list[str] | None) -> None:
        chosen = [file for file in self.source.scenarios if file.name in (names or ())]
        if len(chosen) > 1:
            self.push_screen(Comparison(self, chosen))

    def action_claims(self) -> None:
        """Open the claims: predict, then reveal."""
        if self._experimenter is None:
            self.say("Claims can be put to the test only where a server can be started.")
        else:
            self.push_screen(Claims(self, self._experimenter))

    async def action_quit(self) -> None:
        """End the program."""
        self.exit(0)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that a key does, for the command palette."""
        for file in self.source.scenarios:
            yield SystemCommand(
                printable(f"Fire {file.name}"), printable(file.facts.title), lambda file=file: self.fire(file)
            )
        yield SystemCommand("More requests", "fire more at once (+)", self.action_more_requests)
        yield SystemCommand("Fewer requests", "fire fewer at once (-)", self.action_fewer_requests)
        yield SystemCommand("More threads", "add tokens for worker threads (])", self.action_more_threads)
        yield SystemCommand("Fewer threads", "take tokens away ([)", self.action_fewer_threads)
        for title, help_text, action in (
            ("Page back", "move back by the width of the picture (shift+left)", lambda: self.action_pan(-1)),
            ("Page on", "move on by the width of the picture (shift+right)", lambda: self.action_pan(1)),
            ("Zoom in", "show less time (z)", lambda: self.action_zoom(1)),
            ("Zoom out", "show more time (Z)", lambda: self.action_zoom(-1)),
            ("Fit", "show the whole of a request, or of the last burst (f)", self.action_fit),
            ("First event", "go to the beginning (home)", self.action_first),
            ("Present", "go to the live edge (end)", self.action_live),
            ("Undo", "the last navigation (backspace)", self.action_undo),
            ("Next place", "block, token wait, error or late frame (n)", lambda: self.action_jump(1)),
            ("Place before", "the one before (N)", lambda: self.action_jump(-1)),
            ("Next change", "step to the next change of state (.)", lambda: self.action_change(1)),
            ("Change before", "step to the one before (,)", lambda: self.action_change(-1)),
            ("Cursor on", "move the time cursor (>)", lambda: self.action_cursor(1)),
            ("Cursor back", "move the time cursor (<)", lambda: self.action_cursor(-1)),
            ("Mark", "leave a second time cursor, to measure from (')", self.action_mark),
            ("Filter", "rows by path, status, state or number (/)", self.action_filter),
            ("Sort", "by arrival, latency or time lost (t)", self.action_sort),
            ("Write", "the last minutes to a file (w)", self.action_write),
            ("Play back", "in slow motion; again for faster (r)", self.action_play),
        ):
            yield SystemCommand(title, help_text, action)
        yield SystemCommand("Freeze", "stop the picture, or go on (space)", self.action_freeze)
        yield SystemCommand(
            "Back in time", "freeze, and move back by a tenth (left)", lambda: self.action_pan(-0.1)
        )
        yield SystemCommand("On in time", "move on by a tenth (right)", lambda: self.action_pan(0.1))
        yield SystemCommand("Detail", "open the request that is pointed at (enter)", self.action_detail)
        yield SystemCommand("Clear", "let go of the requests that have ended (x)", self.action_clear)
        yield SystemCommand("Scenarios", "the list: type to filter, enter fires (tab)", self.action_catalogue)
        yield SystemCommand("Compare", "scenarios side by side (v)", self.action_compare)
        yield SystemCommand("Claims", "what people say: predict, then reveal (m)", self.action_claims)
        yield SystemCommand("Help", "the legend and the keys (?)", self.action_help)
        yield SystemCommand("Quit", "end the program (q)", lambda: self.exit(0))


_PLAIN = Plain()
_OF_THE_PICTURE = {
    "fire",
    *(binding.action.partition("(")[0] for binding in LoopvizApp.BINDINGS if isinstance(binding, Binding)),
} - {"quit", "help"}


def _neighbour(steps: tuple[int, ...], current: int, by: int) -> int:
    """The next step above `current` (`by` 1) or below it (-1)."""
    if by > 0:
        return next((step for step in steps if step > current), current)
    return next((step for step in reversed(steps) if step < current), current)
