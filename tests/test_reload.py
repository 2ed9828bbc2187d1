"""Saved files are read beside the screen: it keeps drawing, and only the newest version counts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from loopviz.live.session import Session
from loopviz.scenario import find, read
from loopviz.scenario.watch import SavedFile, Watcher
from tests.served import soon
from tests.terminal import Terminal

SLOW = """
import pathlib, sys, time
from contextlib import asynccontextmanager
from fastapi import FastAPI
from loopviz.scenario import Scenario

until = time.monotonic() + 30
while not pathlib.Path({gate!r}).exists() and time.monotonic() < until:
    time.sleep(0.01)

@asynccontextmanager
async def lifespan(app):
    import asyncio
    while not pathlib.Path({ready!r}).exists() and time.monotonic() < until:
        await asyncio.sleep(0.01)
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/mine")
async def mine():
    return "{answer}"

scenario = Scenario(title="version {answer}", expect="it", key="u", requests=1)
{more}
"""


class Mine:
    """A scenario file whose import waits for a gate, and its lifespan for another."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "mine.py"
        self.open = folder / "open"
        self.open.touch()

    def save(self, answer: str, gate: Path | None = None, ready: Path | None = None, more: str = "") -> None:
        """A new version."""
        text = SLOW.format(
            gate=str(gate or self.open), ready=str(ready or self.open), answer=answer, more=more
        )
        self.file.write_text(text, encoding="utf-8")


@pytest.fixture
def mine(tmp_path: Path) -> Mine:
    """A file with its first version."""
    made = Mine(tmp_path)
    made.save("one")
    return made


def titles(changes: list[SavedFile]) -> list[str]:
    """The titles of the versions that were read, and errors."""
    return [change.scenario.facts.title if change.scenario else str(change.error) for change in changes]


def read_until(watcher: Watcher, enough: Callable[[list[SavedFile]], bool]) -> list[SavedFile]:
    """What the watcher reads until it is enough."""
    changes: list[SavedFile] = []

    def more() -> bool:
        changes.extend(watcher.poll())
        return enough(changes)

    assert soon(more, 20), titles(changes)
    return changes


def test_polling_never_waits_for_an_import(mine, tmp_path):
    """While a saved file takes long to import, polling returns at once, with nothing."""
    watcher = Watcher(str(mine.file), read(find(str(mine.file))))
    gate = tmp_path / "gate"
    mine.save("two", gate)
    began = time.monotonic()
    for _ in range(20):
        assert watcher.poll() == []
        time.sleep(0.01)
    assert time.monotonic() - began < 5  # the import waits for 30 s
    assert watcher.reading == [mine.file]
    gate.touch()
    assert titles(read_until(watcher, bool)) == ["version two"]
    assert watcher.reading == []


@pytest.mark.parametrize("older_first", [True, False])
def test_only_the_newest_version_counts(mine, tmp_path, older_first):
    """If a file is saved again while it is read, the older version is dropped, even if it is ready later."""
    watcher = Watcher(str(mine.file), read(find(str(mine.file))))
    gates = [tmp_path / "gate one", tmp_path / "gate two"]
    mine.save("two", gates[0])
    assert watcher.poll() == []
    mine.save("three", gates[1])
    assert watcher.poll() == []
    first, second = gates if older_first else gates[::-1]
    first.touch()
    time.sleep(0.3)
    found = watcher.poll()
    second.touch()
    found += read_until(watcher, lambda more: bool(found or more))
    time.sleep(0.3)
    assert titles(found + watcher.poll()) == ["version three"]


def test_a_module_beside_it_is_watched_as_well(tmp_path):
    """Saving a module that a single scenario file imports reads the file again, once; its repair as well."""
    file, helper = tmp_path / "mine.py", tmp_path / "helper_watched.py"
    helper.write_text("VALUE = 'one'\n")
    text = SLOW.format(gate=str(helper), ready=str(helper), answer="x", more="import helper_watched")
    file.write_text(text + "scenario = Scenario(title=helper_watched.VALUE, expect='it')\n")
    watcher = Watcher(str(file), read(find(str(file))))
    assert watcher.poll() == []
    helper.write_text("VALUE = 'second'\n")  # longer: the file system's clock may not have moved on
    assert titles(read_until(watcher, bool)) == ["second"]
    helper.write_text("VALUE = (\n")
    (said,) = titles(read_until(watcher, bool))
    assert "SyntaxError" in said
    time.sleep(0.1)
    assert watcher.poll() == []
    assert watcher.reading == []
    helper.write_text("VALUE = 'three'\n")
    assert titles(read_until(watcher, bool)) == ["three"]


def test_an_error_in_the_newest_version_is_reported(mine, tmp_path):
    """An error beside the screen is reported with its line, as before."""
    watcher = Watcher(str(mine.file), read(find(str(mine.file))))
    mine.save("two", more="1 / 0")
    (said,) = titles(read_until(watcher, bool))
    assert re.match(rf"{re.escape(str(mine.file))}:\d+: ZeroDivisionError", said)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_slow_lifespan_does_not_bring_an_old_version_back(mine, tmp_path, loop):
    """A version whose lifespan is ready only after a newer one's is not served."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    session = Session(read([mine.file]), loop=loop)
    session.start()
    try:
        session.wait()
        late = tmp_path / "late"
        mine.save("two", ready=late)
        older = session.reload(*read([mine.file]))
        mine.save("three")
        session.reload(*read([mine.file])).result(20)
        late.touch()
        older.result(20)
        assert httpx.get(f"http://{session.address}/mine", trust_env=False).json() == "three"
        assert [file.facts.title for file in session.scenarios] == ["version three"]
    finally:
        session.stop()


def test_the_screen_keeps_drawing(mine, tmp_path):
    """While a saved file is imported, frames are drawn, keys work, and the version before is served."""
    gate = tmp_path / "gate"
    with Terminal("run", str(mine.file)) as terminal:
        terminal.expect("version one|127.0.0.1", 30)
        terminal.pump(1)
        mine.save("two", gate)
        terminal.expect("Reading mine again", 15)
        terminal.press("u")
        terminal.expect(r"#1 .*/mine .*200", 15)
        before = terminal.frames()
        for _ in range(5):
            terminal.press("u")
            terminal.pump(0.3)
        assert terminal.frames() - before >= 8
        assert "mine has been read again" not in terminal.text()
        gate.touch()
        terminal.expect("mine has been read again", 15)
        mine.save("three", more="1 / 0")
        terminal.expect("ZeroDivisionError", 15)
        terminal.press("q")
        terminal.wait(15)
        assert terminal.exit_code == 0
