"""Whether the code view has each request at the right line: each scenario, at three instants.

Run by hand: ``python -m tests.benchmarks.code_lines [NAME...]``. The truth is read in the server's process
at the same instants, from coroutines and stacks (`tests.line_truth`). Exit code 1 if a marker is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.clock import NS
from loopviz.live.helpers.workspace import Workspace
from loopviz.live.session import Session
from loopviz.scenario import find, read
from tests.line_truth import judge, observed

CACHED = 10.2
"""How long `cached` keeps its answers (s)."""


def main() -> int:
    """All of them."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    names = arguments.names or [path.stem for path in find()]
    wrong = right = unseen = 0
    with Workspace():
        for name in names:
            (file,) = read(find(name))
            if file.missing:
                print(f"{name:22} not measured: it needs {', '.join(file.missing)}")
                continue
            count = file.facts.requests
            session = Session([file])
            session.start()
            session.wait()
            try:
                file = session.scenarios[0]
                timeline, _ = observed(session, file, count, ())  # what is imported now takes longer
                lives = list(timeline.requests.values())
                took = (max(life.since for life in lives) - min(life.start for life in lives)) / NS
                time.sleep(CACHED if name == "cached" else 0)
                timeline, looks = observed(session, file, count, makespan=took, timeline=timeline)
                for one in looks:
                    found = judge(session, file, timeline, one)
                    right, unseen = right + found.right, unseen + found.unseen
                    wrong += len(found.wrong)
                    said = f"{found.right:4} right {found.unseen:4} not seen yet {len(found.wrong):4} wrong"
                    why = "; ".join(found.wrong[:3])
                    print(f"{name:22} {said}   lines {found.shown:30} {why}", flush=True)
            finally:
                session.stop()
    print(f"{right} right, {unseen} not seen yet, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
