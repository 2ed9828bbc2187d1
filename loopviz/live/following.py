"""The workers of a master that runs already, also those that it starts in place of others."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

from loopviz.errors import InputError
from loopviz.live.attach.reach import Reached, connect, that_serve
from loopviz.live.attached import Attached

__all__ = ["Following"]

_EVERY = 0.5
"""Seconds between two looks for a new worker, while there are fewer than at first."""
_ATTEMPTS = 40
"""So often a process is asked that does not serve: it may be about to."""


class Following(Attached):
    """As `Attached`. A process that appears after a worker has ended continues its lane."""

    def __init__(self, target: str, reached: Sequence[Reached]) -> None:
        """`reached` are the connections to what `target` names, as `loopviz.live.attach.reach` gives them."""
        super().__init__(*((one.connection, one.pid) for one in reached))
        self._target = target
        self._wanted = len(reached)
        self._asked: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._follow, name="loopviz workers", daemon=True)

    def start(self) -> None:
        """Begin to take in what the server reports, unless that has begun; returns at once."""
        if not self._started and self._wanted > 1:
            self._thread.start()
        super().start()

    def _follow(self) -> None:
        while not self._leaving and self.death is None and self.stopped is None:
            time.sleep(_EVERY)
            if self._known.is_set() and 0 < len(self._workers) < self._wanted:
                self._look()

    def _look(self) -> None:
        """Attach to what the master has started meanwhile. One that does not serve yet refuses."""
        try:
            processes = that_serve(int(self._target))
        except InputError:  # the master has ended
            return
        known = {worker.pid for worker in list(self._workers)}
        for process in processes:
            pid = process.pid
            if pid == int(self._target) or pid in known or self._asked[pid] >= _ATTEMPTS:
                continue
            self._asked[pid] += 1
            try:
                reached = connect(process)
            except InputError:  # it is about to open its door, or gone
                continue
            worker = self._worker(reached.connection, pid)
            self._workers.append(worker)
            worker.link.start()
            if self._leaving:
                worker.link.close()
