"""What all tests need."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let Ctrl+C reach the programs under test: who runs in the background ignores it, and so would they."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
