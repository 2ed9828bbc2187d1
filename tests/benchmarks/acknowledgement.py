"""How long after the key that fires a scenario its title is written to the terminal.

Run by hand: ``python tests/benchmarks/acknowledgement.py [scenario...]``; without names it is every scenario,
each in a program of its own in a pseudo-terminal, fired by its letter or from the list.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from loopviz.scenario import ScenarioFile, find, read
from tests.terminal import Terminal

TARGET = 50.0
"""At most (ms)."""
_STYLE_OR_SPACE = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]| ")


def acknowledged(file: ScenarioFile) -> float:
    """How long until the title of the scenario is written after its key (ms)."""
    with Terminal("run") as terminal:
        terminal.expect("Press a letter", 60)
        if not file.facts.key:
            terminal.press("\t")
            terminal.expect("type to filter")
            terminal.press(file.name)
            terminal.expect(rf"^ *{file.name}")
        terminal.pump(0.5)
        title = file.facts.title[:14].replace(" ", "").encode()
        before, began = len(terminal.output), time.monotonic()
        terminal.press(file.facts.key or "\r")
        while title not in _STYLE_OR_SPACE.sub(b"", terminal.output[before:]):
            terminal.pump(0.0005)
            assert time.monotonic() - began < 10, terminal.text()
        return (time.monotonic() - began) * 1e3


def main() -> None:
    """Each scenario once."""
    names = sys.argv[1:]
    took = []
    for file in read(find(None)):
        if not names or file.name in names:
            took.append(acknowledged(file))
            print(f"  {file.name:<24} {took[-1]:5.0f} ms", flush=True)
    slower = sum(value > TARGET for value in took)
    print(
        f"median {statistics.median(took):.0f} ms, at most {max(took):.0f} ms; {slower} above {TARGET:.0f} ms"
    )


if __name__ == "__main__":
    main()
