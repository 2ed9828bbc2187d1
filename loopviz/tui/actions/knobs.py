"""What [ and ] change: the thread limit, or the size of one of the application's own pools."""

from __future__ import annotations

from concurrent.futures import Future

from loopviz.clock import NS, now_ns
from loopviz.draw import resizing
from loopviz.draw.words import one_line
from loopviz.tui.actions.loading import Loading
from loopviz.tui.amounts import neighbour_limit
from loopviz.tui.knobs import Knob, knobs_of
from loopviz.tui.scene.frame import ATTACHED

__all__ = ["Knobs"]


_SOON = NS
"""After that time (ns) a size that was asked for is in the timeline, or it never will be."""


class Knobs(Loading):
    """The actions that change how many threads there are, while requests run."""

    _resizing: tuple[Knob, int, Future[bool]] | None = None
    """What was asked for last: of which pool, which size; None when the answer is here."""
    _wanted: tuple[int, int, int] | None = None
    """The pool, the size that was asked for, and when: an event says a moment later that it is so."""

    def action_raise_thread_limit(self) -> None:
        """Let the server use more worker threads; or the chosen pool."""
        self._change(1)

    def action_lower_thread_limit(self) -> None:
        """Let the server use fewer worker threads; or the chosen pool."""
        self._change(-1)

    def action_next_knob(self) -> None:
        """Choose the next pool: the thread limit comes after the last one."""
        self._choose(1)

    def action_previous_knob(self) -> None:
        """Choose the pool before."""
        self._choose(-1)

    def follow_knobs(self) -> None:
        """Show which pools there are, and what became of a change."""
        self.view.knobs = knobs_of(self.timeline)
        if self.view.knob and self.view.chosen is None:  # the timeline is another one
            self.view.knob = 0
        if self._resizing is None:
            return
        knob, size, done = self._resizing
        if not done.done():
            return
        self._resizing = None
        error = done.exception()
        if error is not None or not done.result():
            self._wanted = None
        if error is not None:
            self.say(one_line(str(error)) or type(error).__name__, seconds=6)
        elif not done.result():
            self.say(resizing.gone(knob.name), seconds=6)
        else:
            self.say(resizing.changed(knob.kind, knob.name, knob.size, size), seconds=4)

    def _choose(self, by: int) -> None:
        if not self._may_change():
            return
        self.view.knobs = knobs_of(self.timeline)
        if not self.view.knobs:
            self.say("No other pool has been used yet: [ and ] change the thread limit.", seconds=4)
            return
        numbers = [0, *(knob.number for knob in self.view.knobs)]
        at = numbers.index(self.view.knob) if self.view.knob in numbers else 0
        self.view.knob = numbers[(at + by) % len(numbers)]
        chosen, keys = self.view.chosen, self._keys_shown()
        if chosen is None:
            self.say(f"{keys} change the thread limit: {self.view.threads}.")
        elif chosen.fixed:
            self.say(resizing.fixed(chosen.name, chosen.size), seconds=4)
        else:
            self.say(f"{keys} change {resizing.pool(chosen.name, chosen.size)}.", seconds=4)

    def _keys_shown(self) -> str:
        lower, higher = (self.keys.shown(f"picture.{name}-thread-limit") for name in ("lower", "raise"))
        return f"{lower} and {higher}"

    def _may_change(self) -> bool:
        """Whether the threads of the server are loopviz's to change; if not, say so."""
        if self.source.live and self.source.mode == ATTACHED:
            self.say("loopviz only watches this server: its threads and pools stay as they are.", seconds=4)
            return False
        return self.needs_server()

    def _change(self, by: int) -> None:
        if not self._may_change():
            return
        chosen = self.view.chosen
        if chosen is None:
            self.view.threads = neighbour_limit(self.view.threads, by)
            self.source.set_threads(self.view.threads)
            return
        if chosen.fixed:
            self.say(resizing.fixed(chosen.name, chosen.size), seconds=4)
            return
        current, now = chosen.size, now_ns()
        if self._wanted is not None and self._wanted[0] == chosen.number and now - self._wanted[2] < _SOON:
            current = self._wanted[1]
        if current < 0:
            self.say(resizing.unlimited(chosen.name), seconds=4)
            return
        size = neighbour_limit(current, by)
        if size == current:
            self.say(f"{resizing.pool(chosen.name, current)}: further than that it is not changed.")
            return
        done = self.source.resize(chosen.number, size)
        if done is not None:
            self._resizing = chosen, size, done
            self._wanted = chosen.number, size, now
