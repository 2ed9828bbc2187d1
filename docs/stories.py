"""What the moving pictures show: the keys, the captions, and what must then be on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from docs.film import Caption

__all__ = ["FILMS", "Check", "Film", "Step"]

ROOT = Path(__file__).resolve().parent.parent
_LINE = next(
    number
    for number, line in enumerate((ROOT / "scenarios/blocking.py").read_text("utf-8").splitlines(), 1)
    if line.strip().startswith("time.sleep")
)


@dataclass(frozen=True)
class Check:
    """What must be on the screen `at` seconds after the step's first request is there."""

    at: float
    pattern: str
    """A regular expression for a line."""
    lines: int
    """How many lines it must match, at least."""
    claim: str
    """The same in words, for the message."""


@dataclass(frozen=True)
class Step:
    """Some keys, a caption, and what is then to be seen."""

    keys: str
    caption: Caption
    seconds: float
    checks: tuple[Check, ...] = ()
    sign: str = ""
    """A regular expression. The step's clock starts when this is on the screen: that may take a moment."""
    within: float = 10.0
    """How long that may take (s)."""


@dataclass(frozen=True)
class Film:
    """A moving picture, and how it is made."""

    arguments: tuple[str, ...]
    """The command."""
    columns: int
    rows: int
    ready: str
    """What is on the screen when it can be played; a regular expression."""
    steps: tuple[Step, ...]
    still: float
    """The picture for viewers without motion: so many seconds after the sign of a step."""
    still_step: int
    title: str
    description: str
    leave: str = "q"
    """The keys that end it."""


_STILL = 4.4
"""The still picture of the talk: so many seconds after the last step's first request."""
_FIRED = r"^ EVENT LOOP"
"""The picture of a step is there."""
_HOLDS = rf"(sleeps on|has held) .*: blocking\.py:{_LINE}"

_TALK = (
    Step("", Caption((), "loopviz talk: the code of a step"), 1.6),
    Step(" ", Caption(("space",), "the question: everybody guesses"), 1.6),
    Step(
        " ",
        Caption(("space",), "eight requests await at the same time: the event loop is idle"),
        2.8,
        (
            Check(0.6, r"^ #\d+ .*──.*awaiting", 8, "eight requests are awaiting"),
            Check(0.6, r"^ EVENT LOOP [^╱]*$", 1, "the event loop is not blocked"),
            Check(2.7, r"8 requests in 1\.\d s", 1, "all were answered after 1 s"),
        ),
        sign=_FIRED,
    ),
    Step(" ", Caption(("space",), "the next step: one word is different"), 1.6),
    Step(" ", Caption(("space",), "the question: everybody guesses"), 1.6),
    Step(
        " ",
        Caption(("space",), "time.sleep(1) holds the event loop; the others are ready, and wait"),
        10.5,
        (
            Check(2.5, _HOLDS, 1, "the sentence names the line that blocks"),
            Check(2.5, rf"^▶ +{_LINE} .*BLOCKS", 1, "the line that blocks is marked in the code"),
            Check(2.5, r"^ EVENT LOOP .*╱╱.*BLOCKED", 1, "the loop is drawn as blocked"),
            Check(2.5, r"^ #\d+ .*(▚▚|··).*(ready|queued)", 4, "at least four requests are delayed"),
            Check(_STILL, _HOLDS, 1, "the still picture names the line that blocks"),
            Check(_STILL, r"^ #\d+ .*▚▚.*ready", 2, "requests are delayed on the still picture"),
            Check(10.4, r"8 requests in 8\.\d s", 1, "all were answered after 8 s"),
        ),
        sign=_FIRED,
    ),
)

_FIVE = (
    Step(
        "b",
        Caption(("b",), "eight requests: one holds the event loop, the others wait"),
        1.8,
        (
            Check(1.2, _HOLDS, 1, "the sentence names the line that blocks"),
            Check(1.2, r"^ LOOP .*╱.*BLOCKED", 1, "the loop is drawn as blocked"),
            Check(1.2, r"^  #\d+ .*(▚▚|··).*(ready|queued)", 4, "at least four requests are delayed"),
        ),
        sign=r"^ LOOP .*BLOCKED",
    ),
    Step(
        "2",
        Caption(("2",), "the code: which line holds the loop, and who waits"),
        1.6,
        (
            Check(1.4, rf"^ [╱█]#\d .*{_LINE} .*time\.sleep\(1\)", 1, "a request is at the line that blocks"),
            Check(1.4, r"before the first step", 1, "the others have not begun"),
        ),
    ),
    Step(
        "3",
        Caption(("3",), "the machine: one seat on the event loop, the others ready"),
        1.6,
        (
            Check(1.4, r"READY [1-9].*ON THE LOOP", 1, "requests are ready, and the loop is busy"),
            Check(1.4, r"│ [╱█]#\d GET /blocking", 1, "one request has the loop"),
        ),
    ),
    Step(
        "4",
        Caption(("4",), "the reasons: what was seen, why, and what to do"),
        2.8,
        (
            Check(2.6, r"A blocking call in async def", 1, "what was found"),
            Check(2.6, r"^ +- time\.sleep\(1\)", 1, "the line as it is"),
            Check(2.6, r"^ +\+ await asyncio\.sleep\(1\)", 1, "the line as it should be"),
        ),
    ),
    Step(
        "F",
        Caption(("F",), "the repair: what it changes in the code"),
        2.6,
        (
            Check(2.4, r"^ Repair of blocking", 1, "the repair of what was fired"),
            Check(2.4, r"\+ +await asyncio\.sleep\(1\)", 1, "the line that is changed"),
        ),
    ),
    Step(
        "\r",
        Caption(("enter",), "the repaired code under the same load, from the same zero"),
        3.0,
        (
            Check(2.8, r"^▌ [78]\.\dx faster: ", 1, "the factor between them"),
            Check(2.8, r"^▌ The finding is gone: ", 1, "nothing is found any more"),
        ),
        sign=r"x faster",
        within=20.0,
    ),
)

FILMS = {
    "cast": Film(
        ("talk",),
        100,
        29,
        "1 of ",
        _TALK,
        _STILL,
        len(_TALK) - 1,
        "loopviz talk: which request holds the event loop",
        "loopviz in a terminal, two steps of its talk. Eight requests await together on an idle event loop, "
        "and take one second. Then time.sleep in an async def holds the event loop: its line is marked in "
        f"the code, the sentence below names it, blocking.py:{_LINE}, and the other requests, which could "
        "run, are drawn as ready. They take eight seconds.",
    ),
    "five": Film(
        ("run", "--builtin"),
        80,
        24,
        "all scenarios",
        _FIVE,
        2.8,
        len(_FIVE) - 1,
        "loopviz run: from a slow endpoint to the repaired one, measured",
        "loopviz in a terminal, six keys. b fires eight requests, of which each holds the event loop for a "
        "second. The views 2, 3 and 4 show the line that blocks, the event loop as a machine, and what was "
        "found, with its repair. F shows the change of the code. enter measures it: eight seconds above one.",
        "qqq",
    ),
}
