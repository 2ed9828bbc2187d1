"""How Textual drives a terminal, where it would wait for it for ever, lose it, or end. Not for Windows.

Textual 8.2.8: its loop waits when the terminal does not read (`WriterThread`), a SIGCONT without a SIGTSTP
ends the program (`LinuxDriver._sigcont_application`), signal handlers write from within whatever is running,
input that is not UTF-8 or a broken sequence ends the program, and a paste is kept whole, a character at a
time (`XTermParser`). Each method that is overridden here can go when Textual does that itself.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
import termios
import time
import tty
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from loopviz.tui.terminal.output import Output
from loopviz.tui.terminal.paste import Pasting

__all__ = ["driver_class", "is_behind", "lent", "when_continued"]

_PATIENCE = 1.0
"""Seconds that the terminal has for reading what restores it."""
_UNHANDLED = 500
"""Keys and movements of the mouse that wait to be handled at most; further ones are ignored."""
_KEYBOARD = (
    getattr(linux_driver, "KITTY_DISAMBIGUATE_ESCAPE_CODES", 1)  # older ones use this one, by number
    | getattr(linux_driver, "KITTY_REPORT_ALL_KEYS", 0)
    | getattr(linux_driver, "KITTY_REPORT_ASSOCIATED_TEXT", 0)
)


def driver_class(textuals: type[Driver]) -> type[Driver]:
    """The class to use in the place of the one that Textual would use."""
    return TerminalDriver if textuals is LinuxDriver else textuals


def is_behind(app: App[Any]) -> bool:
    """Whether the terminal has yet to take earlier frames, so that none should be drawn."""
    driver = app._driver
    return isinstance(driver, TerminalDriver) and driver.output is not None and driver.output.behind


def when_continued(app: App[Any], call: Callable[[], object]) -> None:
    """Call `call()` in the application's loop each time the program was stopped and goes on."""
    if isinstance(app._driver, TerminalDriver):
        app._driver.continued = call


@contextmanager
def lent(app: App[Any]) -> Iterator[None]:
    """Another program has the terminal, as it was before the application started. Frames are not drawn.

    What the application's own program writes is kept aside as before, which `App.suspend` would end.
    """
    driver = app._driver
    if not isinstance(driver, TerminalDriver):
        with app.suspend():
            yield
        return
    driver.lend()
    try:
        yield
    finally:
        driver.take_back()


class TerminalDriver(LinuxDriver):
    """Never waits for the terminal, except at the end, and then not for long."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.output: Output | None = None
        self.continued: Callable[[], object] = lambda: None
        self._restored = False
        self._lent = False
        self._modes: list[Any] | None = None
        self._sending: deque[Future[bool]] = deque()
        # In the loop, not within whatever the signal has interrupted.
        self._loop.add_signal_handler(signal.SIGTSTP, self._stop)
        self._loop.add_signal_handler(signal.SIGCONT, self._continue)

    # -- to the terminal -----------------------------------------------------------------------

    def write(self, data: str) -> None:
        if self.output is not None and not self._restored:
            self.output.write(data)

    def start_application_mode(self) -> None:
        self._await_foreground()
        if self.output is None:
            self.output = Output((self._file or sys.stderr).fileno(), self._caught_up)
        self._restored = False
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        if self.output is None or self._restored:
            return
        self.output.discard()
        if self._app._sync_available:
            self.write("\x1b[?2026l")  # the end of a frame that was discarded
        super().stop_application_mode()
        self._restored = True
        self.output.drain(_PATIENCE)

    def close(self) -> None:
        self._end_output()

    def _end_output(self) -> None:
        super().close()
        if self.output is not None:
            self.output.close()
            self.output = None

    def lend(self) -> None:
        """Restore the terminal for another program."""
        self._lent = True
        self.stop_application_mode()
        self._end_output()
        with suppress(termios.error):
            self._modes = termios.tcgetattr(self.fileno)

    def take_back(self) -> None:
        """The other program has ended, however it has left the terminal."""
        self._lent = False
        if self._modes is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._modes)
        self.start_application_mode()

    def _caught_up(self) -> None:
        """The terminal reads again, and has missed something."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._draw_again)

    def _draw_again(self) -> None:
        """Switch the terminal's modes on, whatever was lost or changed, and draw everything."""
        if self.output is None or self._restored:
            return
        with suppress(termios.error):
            modes = termios.tcgetattr(self.fileno)
            modes[tty.LFLAG] = self._patch_lflag(modes[tty.LFLAG])
            modes[tty.IFLAG] = self._patch_iflag(modes[tty.IFLAG])
            modes[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, modes)
        self.write("\x1b[?1049h")
        self._enable_mouse_support()
        if self._mouse_pixels:
            self._enable_mouse_pixels()
        self.write("\x1b[?25l\x1b[?1004h")
        if not getattr(constants, "DISABLE_KITTY_KEY", False):
            self.write(f"\x1b[={_KEYBOARD};1u")  # set, not pushed once more
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        if self._in_band_window_resize:
            self._enable_in_band_window_resize()
        signal.raise_signal(signal.SIGWINCH)  # it may have another size now
        self._app.refresh(layout=True)

    # -- stop and continue ---------------------------------------------------------------------

    def _stop(self) -> None:
        """SIGTSTP: give the terminal back, and stop until the program is continued."""
        if self._lent:  # the program that has the terminal wants to stop: so does the job
            self._stop_here()
            return
        if self.output is None or self._restored:
            return
        self.suspend_application_mode()
        self._stop_here()
        self.resume_application_mode()
        self._continue()

    def _stop_here(self) -> None:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # where no shell could continue it, the kernel ignores this
        self._loop.add_signal_handler(signal.SIGTSTP, self._stop)

    def _continue(self) -> None:
        """SIGCONT: the terminal may have been used by others."""
        if self._lent:  # it is not drawn, but the server was stopped as well
            self.continued()
            return
        if self.output is not None and not self._restored:
            self._await_foreground()
            self.continued()
            self._draw_again()

    def _await_foreground(self) -> None:
        """Stop as long as the terminal belongs to another job, as the kernel would have it."""
        with suppress(OSError):  # it is not our controlling terminal
            for _ in range(100):  # where no shell could continue it, it does not stop
                if os.tcgetpgrp(self.fileno) == os.getpgrp():
                    break
                signal.raise_signal(signal.SIGTTOU)

    # -- from the terminal ---------------------------------------------------------------------

    def run_input_thread(self) -> None:
        decode = getincrementaldecoder("utf-8")("replace").decode
        pasting, parser = Pasting(), XTermParser(self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                text = ""
                if selector.select(0.1):
                    data = b""
                    with suppress(OSError):
                        data = os.read(self.fileno, 4096)
                    if not data:  # it has hung up; `loopviz.tui.hangup` ends the program
                        self.exit_event.wait(0.1)
                        continue
                    text = pasting.kept(decode(data), time.monotonic())
                try:
                    for message in parser.feed(text) if text else parser.tick():
                        self.process_message(message)
                except Exception:
                    parser = XTermParser(self._debug)

    def send_message(self, message: Message) -> None:
        while self._sending and self._sending[0].done():
            self._sending.popleft()
        if isinstance(message, events.InputEvent) and self._unhandled() > _UNHANDLED:
            return
        self._sending.append(
            asyncio.run_coroutine_threadsafe(self._app._post_message(message), loop=self._loop)
        )

    def _unhandled(self) -> int:
        app = self._app
        pumps = [app, *app.screen_stack[-1:]]
        return len(self._sending) + sum(pump.message_queue_size for pump in pumps)
