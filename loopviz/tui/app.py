"""The Textual application: it drains the source, feeds the timeline, and shows the picture."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, get_args

from rich.console import RenderableType
from rich.text import Text
from textual.app import SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen

from loopviz.clock import NS, now_ns
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.draw.words import duration, one_line
from loopviz.errors import InputError
from loopviz.model import Timeline
from loopviz.scenario.watch import Watcher
from loopviz.stream.source import Source
from loopviz.target.changes import Changes
from loopviz.tui.actions.editing import EditingActions
from loopviz.tui.actions.looks import Looks
from loopviz.tui.actions.navigation import Navigation
from loopviz.tui.actions.opening import Opening
from loopviz.tui.actions.repairing import Repairing
from loopviz.tui.actions.rows import Rows
from loopviz.tui.actions.serving import Serving
from loopviz.tui.actions.stage import Staging
from loopviz.tui.aside import Aside
from loopviz.tui.bindings import bindings, commands
from loopviz.tui.compat import (
    AsciiFilter,
    Commands,
    closed_already,
    dismiss_once,
    drawn_on,
    end_on_signals,
    forgive_late_input,
    ignore_old_sizes,
    literal,
)
from loopviz.tui.hangup import watch_terminal
from loopviz.tui.host import Framed
from loopviz.tui.pulse import FRAME_RATE
from loopviz.tui.screens.main import MainScreen
from loopviz.tui.terminal import driver_class, is_behind, when_continued
from loopviz.tui.trigger import Trigger
from loopviz.tui.view import Look

if TYPE_CHECKING:
    from loopviz.tui.screens.claims import Experimenter
    from loopviz.tui.screens.talk import Lecture

__all__ = ["LoopvizApp"]

_LOADING = 0.06
"""About how long a frame takes in the events of a recording (s)."""
_AFTER_DEATH = NS // 2
"""So long after the end of the server's process the picture stops (ns)."""
_PATIENCE = 2.0
"""How long the rest of the program waits for the first frame at most (s)."""
_SWITCH_INTERVAL = 0.0002
"""How long a thread keeps the GIL while the program ends (s); Python's own value is 5 ms."""


class LoopvizApp(Staging, Repairing, Serving, Navigation, Rows, Opening, EditingActions, Looks):
    """The live picture of a source.

    Its exit code is 0, or 2 with a message if the source cannot start. `leave` ends the program at once; it
    is called in any thread when the terminal is gone, and has left the application no other way to end.
    `aside` has the terminal, and keeps what else is written away from it. With a `lecture`, it begins on the
    stage.
    """

    TITLE = "loopviz"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")

    def __init__(
        self,
        source: Source,
        palette: Palette,
        *,
        requests: int | None = None,
        experimenter: Experimenter | None = None,
        trigger: Trigger | None = None,
        watcher: Watcher | None = None,
        changes: Changes | None = None,
        timeline: Timeline | None = None,
        leave: Callable[[], object] | None = None,
        aside: Aside | None = None,
        lecture: Lecture | None = None,
    ) -> None:
        forgive_late_input()
        dismiss_once()
        ignore_old_sizes()
        super().__init__(source, palette, requests=requests, trigger=trigger, timeline=timeline)
        self.aside = aside or Aside()
        self.driver_class = drawn_on(self.driver_class, self.aside)
        self.experimenter = experimenter
        self._watcher = watcher
        self._changes = changes
        self._leave = leave
        self.lecture = lecture
        self._failed: str | None = None
        self._serves = threading.Event()
        self._drawn = threading.Event()
        self._began = 0
        self._heard = False
        self._look_at = 0
        self._keymap_now: dict[str, str] = {}

    # -- Textual's settings --------------------------------------------------------------------

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Where only ASCII may be emitted, Textual's own characters are replaced as well."""
        filters = super().get_line_filters()
        return filters if self.palette.unicode else [*filters, AsciiFilter()]

    def get_driver_class(self) -> type[Driver]:
        """What writes to the terminal and reads from it."""
        return driver_class(super().get_driver_class())

    def get_default_screen(self) -> Screen[None]:
        """The picture."""
        return MainScreen(self)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that a key does, for the command palette."""
        for file in self.source.scenarios if self.source.live else ():
            title, words = printable(f"Fire {file.name}"), printable(file.facts.title)
            yield SystemCommand(literal(title), literal(words), partial(self.fire, file))
        yield from commands(self.keys, self.run_action)
        yield from super().get_system_commands(screen)

    def set_keymap(self, keymap: Mapping[str, str]) -> None:
        """Change keys, by the ids of their bindings; the help and the foot line follow."""
        super().set_keymap(keymap)
        self._show_keymap(dict(keymap))

    def update_keymap(self, keymap: Mapping[str, str]) -> None:
        """Change further keys."""
        super().update_keymap(keymap)
        self._show_keymap({**self._keymap_now, **keymap})

    def _show_keymap(self, keymap: dict[str, str]) -> None:
        self._keymap_now = keymap
        self.keys = self.keys_under(keymap)
        self.refresh_facts()

    def pop_screen(self) -> AwaitComplete:
        """Close the screen on top, unless another one is meant, which has been closed already."""
        return AwaitComplete() if closed_already(self) else super().pop_screen()

    def action_command_palette(self) -> None:
        """Open the list of all commands."""
        if not isinstance(self.screen, Commands):
            self.push_screen(Commands())

    def exit(
        self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """End the program: from now on its own threads get the GIL soon, whatever the requests compute.

        Ending takes hundreds of short waits, and after each of them the GIL is got back from threads that
        compute: with Python's 5 ms for each of those, that adds up to many seconds.
        """
        if not self.is_headless:
            sys.setswitchinterval(_SWITCH_INTERVAL)
        super().exit(result, return_code, message)

    async def action_quit(self) -> None:
        """End the program."""
        self.exit(0)

    def action_stop(self) -> None:
        """Stop, so that the shell can be used; it continues the program."""
        if os.name == "posix":
            # The whole job: the shell may wait for a program that has started this one.
            os.kill(0, signal.SIGTSTP)
        else:
            self.say("Nothing can be stopped here.")

    # -- the source ----------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Start the server behind the first frame, and the frames."""
        end_on_signals(self)
        when_continued(self, self._was_stopped)
        if self._leave is not None:
            with self.aside.terminal():
                watch_terminal(lambda: self.call_from_thread(self.exit, 0), self._leave)
        self.aside.use()
        self.action_talk(quiet=True)
        self.source.start()
        self.call_after_refresh(gc.enable)  # it may be off while the program starts
        self.call_after_refresh(self._drawn.set)
        self._began = now_ns()
        threading.Thread(target=self._await_server, name="loopviz start", daemon=True).start()
        self.set_interval(1 / FRAME_RATE, self.tick)
        if self._watcher is not None:
            self.set_interval(0.5, self._read_again)
        if self._changes is not None:
            self._changes.start()
            self.set_interval(0.3, self._start_again)

    def _await_server(self) -> None:
        try:
            self.source.wait()
        except InputError as error:
            self._failed = str(error)
            return
        self._serves.set()
        self._drawn.wait(_PATIENCE)
        importlib.import_module("loopviz.findings.table")
        for look in get_args(Look):  # what the first frame does not need is there before a key asks for it
            self.scene.prepare(look)
        # Start-up leaves many objects that stay: the collector need not visit them again.
        gc.collect()
        gc.freeze()
        self.refresh_facts()

    def _read_again(self) -> None:
        """Serve saved files; keep the previous version of a file that cannot be read."""
        if self._watcher is None or now_ns() < self._look_at:
            return
        began = time.thread_time_ns()
        changes = self._watcher.poll()
        # A folder of a thousand files is looked at less often: at most a hundredth of a core is used.
        self._look_at = now_ns() + 100 * (time.thread_time_ns() - began)
        for change in changes:
            if change.scenario is None:
                self.say(f"{one_line(change.error or '')} The previous version is still served.", seconds=8)
            else:
                notice = f"{change.scenario.name} has been read again."
                self.pending.add(self.source.reload(change.scenario), notice)
        reading = self._watcher.reading
        if reading and not self.view.notice:
            names = ", ".join(path.stem for path in reading)
            self.say(f"Reading {names} again. The previous version is still served.", seconds=1)

    def _start_again(self) -> None:
        """Start the application again when one of its files has been saved, and the start before is over."""
        if self._changes is None or self.pending.waits or not self._serves.is_set():
            return
        saved = [printable(path.name, 40) for path in self._changes.poll()]
        starting = self.source.restart() if saved else None
        if starting is not None:
            names = ", ".join(saved[:3])
            self.pending.add(starting, f"Started again: {names} saved.")
            self.say(f"{names} saved: the application is started again.", seconds=10)

    def _report_done(self) -> None:
        """Show what the source has done of what it was asked for, or why it could not."""
        for error, notice in self.pending.done():
            if error is not None:
                self.say(one_line(str(error)) or type(error).__name__, seconds=8)
            elif notice:
                self.refresh_facts()
                for screen in self.screen_stack:
                    if isinstance(screen, MainScreen):
                        screen.catalogue.show(self.source.scenarios)
                self.say(notice)

    def _report_source(self, now: int) -> None:
        """Say what the application does that no row shows: it starts, has stopped the server, or writes."""
        if self.source.stopped is not None:
            self.view.notice = self.view.notice or printable(self.source.stopped, 400)
        elif not self._serves.is_set() and not self.view.notice and now - self._began > NS:
            waited = (now - self._began) // NS
            self.view.notice = f"The application starts: {waited} s. Its lifespan has not begun to serve yet."
            self._notice_until = now
        elif not self._heard and self.aside.written:
            self._heard = True
            key = self.keys.shown("picture.output")
            self.say(f"The application writes to its standard output or error: {key} shows it.", 4)

    # -- frames --------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Feed the timeline: all that there is of a server, or as much of a file as fits into a frame."""
        self.timeline.feed(self.source.drain())
        until = time.monotonic() + _LOADING
        while not self.source.live and time.monotonic() < until and (events := self.source.drain()):
            self.timeline.feed(events)

    def tick(self) -> None:
        """One frame: take in what has happened, and show it."""
        if self._failed is not None:
            lines = f"loopviz: {self._failed}".splitlines()
            self.exit(2, message=Text("\n".join(printable(line, 2_000) for line in lines)))
            return
        now, live = now_ns(), self.source.live
        self._take_in()
        self.present = self._present()
        if live:
            self.timeline.prune(now)
        self.end_notice(now)
        self.follow_guess(now)
        self._report_done()
        self._report_source(now)
        self.follow_server()
        self.follow_load()
        self.follow_knobs()
        self.follow_asked()
        self.playback.advance(now, self.present, live=live)
        if is_behind(self):  # the next frame that is drawn shows what has changed meanwhile
            return
        self.pulse.beat(now, self.source.vitals(), self.view.pace, live=live)
        if isinstance(self.screen, Framed):
            self.screen.follow(now)

    def _present(self) -> int:
        """The present of the source; where its process has ended, a moment after that: the picture stops."""
        death, present = self.source.death, self.source.present()
        return present if death is None else min(present, death.at + _AFTER_DEATH)

    def _was_stopped(self) -> None:
        """The program goes on after a SIGSTOP or SIGTSTP."""
        now = now_ns()
        lasted = self.pulse.stopped(now)
        if lasted and self.source.live:
            self.source.was_paused(now - lasted, now)
            meanwhile = "the server's process went on" if self.source.pid else "nothing ran meanwhile"
            self.say(f"The program was stopped for {duration(lasted)}: {meanwhile}.", seconds=8)
