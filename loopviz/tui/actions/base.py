"""What all actions have in common: the source, what the picture shows of it, and notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.app import App

from loopviz.clock import NS, now_ns
from loopviz.draw.look import Palette
from loopviz.draw.safe import printable
from loopviz.model import Request, Timeline
from loopviz.stream.source import Source
from loopviz.tui.clock import BurstClock
from loopviz.tui.keymap import Keys
from loopviz.tui.pending import Pending
from loopviz.tui.playback import Playback
from loopviz.tui.pulse import Pulse
from loopviz.tui.scene import Facts, Scene
from loopviz.tui.scene.frame import ATTACHED
from loopviz.tui.themes import DEFAULTS, registered
from loopviz.tui.trigger import Trigger
from loopviz.tui.view import View

__all__ = ["PictureApp"]


_LASTING = 10
"""A notice that is shown for so many seconds must be read: it stays when something is fired."""


class PictureApp(App[int]):
    """An application that shows the picture of a source; actions are added by subclasses."""

    def __init__(
        self,
        source: Source,
        palette: Palette,
        *,
        requests: int | None,
        trigger: Trigger | None,
        timeline: Timeline | None,
    ) -> None:
        super().__init__(ansi_color=palette.depth == "16")
        self.source = source
        self.palette = palette
        self._register_themes()
        self.timeline = timeline if timeline is not None else Timeline()
        self.keys = self.keys_under({})
        self.view = View(requests=requests, threads=source.threads)
        self.scene = Scene(palette, self._facts())
        self.present = now_ns()
        """The source's present moment (ns), as of the last frame."""
        self.pulse = Pulse()
        self.pending = Pending()
        clock = BurstClock(self.timeline, lambda: self.source.scenarios)
        self.playback = Playback(self.view, self.timeline, clock, trigger, self.present)
        self._notice_until = 0
        self._lasting = False
        self._notice: Callable[[], str] | None = None

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What style sheets may use before there is a theme."""
        return DEFAULTS

    def _register_themes(self) -> None:
        """Offer the palette's themes, and no other."""
        for name in list(self.available_themes):
            self.unregister_theme(name)
        for theme in registered(self.palette):
            self.register_theme(theme)
        self.set_reactive(App.theme, self.palette.theme.name)
        self.stylesheet.set_variables(self.get_css_variables())

    def say(self, text: str | Callable[[], str], seconds: int = 2) -> None:
        """Show a notice for some seconds; a function is asked for it in each frame."""
        self._notice = None if isinstance(text, str) else text
        self._lasting = seconds >= _LASTING
        self.view.notice = printable(text if isinstance(text, str) else text(), 400)
        self._notice_until = now_ns() + seconds * NS

    def end_notice(self, now: int) -> None:
        """Remove the notice when its time is over; until then, let it be true."""
        if not self.view.notice or now > self._notice_until:
            self.view.notice, self._notice = "", None
        elif self._notice is not None:
            self.view.notice = printable(self._notice(), 400)

    def hush(self) -> None:
        """Remove the notice now, unless it is one that must be read."""
        if self._notice_until - now_ns() <= 0 or not self._lasting:
            self.view.notice, self._notice = "", None

    def needs_server(self) -> bool:
        """Whether there is a server to do something with; if not, say so."""
        if not self.source.live:
            self.say("This is a recording: nothing can be fired or changed.")
        return self.source.live

    def needs_client(self) -> bool:
        """Whether there is a server that loopviz's own client asks; if not, say so."""
        if self.source.live and self.source.mode == ATTACHED:
            self.say("loopviz is attached to this server: its requests come from elsewhere.", seconds=4)
            return False
        return self.needs_server()

    def keys_under(self, keymap: Mapping[str, str]) -> Keys:
        """The keys that a keymap makes, as far as there is something that they can do."""
        source = self.source
        return Keys(
            keymap, server=source.live, client=source.mode != ATTACHED, routes=source.application is not None
        )

    def refresh_facts(self) -> None:
        """Show what the source, its scenarios and the keys are now."""
        self.scene.facts = self._facts()

    def _facts(self) -> Facts:
        source = self.source
        return Facts(
            source.environment, source.mode, source.address, source.scenarios, source.blind, self.keys,
            source.live, source.application, source.pid, source.death,
        )  # fmt: skip

    def selection(self) -> list[Request]:
        """The selected request, or else the last burst: what was fired last, or what overlaps."""
        request = self.timeline.requests.get(self.view.cursor or 0)
        if request is not None:
            return [request]
        fired = self.timeline.newest_burst(self.view.moment)
        if fired is not None and (found := fired.requests):
            return found
        return self.timeline.last_burst(self.view.moment) or self.timeline.last_burst(self.present)
