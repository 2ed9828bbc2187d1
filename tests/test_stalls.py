"""A machine that stands still is noticed, and only that one."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from tests.stalls import Stalls


@pytest.mark.skipif(os.name != "posix", reason="nothing can be stopped here")
def test_a_machine_that_stands_still_is_noticed():
    """A stop of a watcher counts from the moment on that the test began, and no longer after it."""
    with contextlib.closing(Stalls()) as stalls:
        stalls.forget()
        for process in stalls.processes:
            process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        for process in stalls.processes:
            process.send_signal(signal.SIGCONT)
        until = time.monotonic() + 20
        while not stalls.long():  # until one of them has the core, and has written
            assert time.monotonic() < until
        until = time.monotonic() + 20
        stalls.forget()
        while stalls.long():  # the machine may be busy
            assert time.monotonic() < until
            stalls.forget()
            time.sleep(0.1)
