"""The speaker's notes: they follow the talk that is held, and trust nothing that they read."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopviz.clock import NS
from loopviz.draw.look import Palette
from loopviz.errors import InputError
from loopviz.talk import Link, Note, Phase, Progress, builtin_talk, follow, held, private_folder, read_talk
from loopviz.tui.scene.notes import compose_notes
from tests.terminal import Terminal

HOSTILE = "\x1b]0;x\x07[red]\u202e"


def note(**changes: Any) -> Note:
    """A note of the second step."""
    progress = Progress(read_talk(builtin_talk()), 2)
    found: Note = replace(Note.of(progress, 100 * NS, 130 * NS), **changes)
    return found


def shown(*, now: float = 140, notice: str = "", width: int = 80, height: int = 24, **changes: Any) -> str:
    """The notes' screen."""
    lines = compose_notes(Palette(), note(**changes), notice, int(now * NS), width, height)
    assert len(lines) == height
    assert {sum(segment.cell_length for segment in line) for line in lines} == {width}
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def test_the_notes_show_what_to_say_what_is_next_and_the_clock():
    """The step with its notes, the next step, and the time of the talk and of the step beside the plan."""
    text = shown(now=140, phase="running")
    assert "2 of 9  One holds, all wait" in text
    assert "0:40 of" in text
    assert "0:10 of" in text
    assert "fired" in text
    assert "• One word is different" in text
    assert "next: Off the loop" in text
    assert "behind" not in text
    assert "behind the plan" in shown(now=140 + 3600)


@pytest.mark.parametrize("size", [(80, 24), (20, 5), (200, 60), (1, 1)])
def test_the_notes_fit_every_terminal(size):
    """Whatever the size, there are as many lines as it has, each as wide as it is."""
    shown(width=size[0], height=size[1], say="word " * 700, title=HOSTILE)


def test_notes_follow_the_talk_that_is_held(tmp_path):
    """A talk's note is read as it was published, until the talk ends; what a killed talk left is removed."""
    assert held(tmp_path) == []
    dead = tmp_path / "talk-4.json"
    dead.write_text(json.dumps({}))
    with Link(tmp_path) as link:
        link.publish(note(phase=Phase.OVER.value))
        assert held(tmp_path) == [os.getpid()]
        assert follow(tmp_path, os.getpid()) == note(phase="over")
        assert follow(tmp_path, 4) is None
        assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    assert list(tmp_path.iterdir()) == []
    assert follow(tmp_path, os.getpid()) is None


def followed(folder: Path, text: str) -> list[Note]:
    """What the notes read of each step of a talk, as it was published."""
    file = folder / "talk.toml"
    file.write_bytes(text.encode())
    talk = read_talk(file)
    found = []
    with Link(folder) as link:
        for position in range(1, len(talk.steps) + 1):
            link.publish(Note.of(Progress(talk, position), 1, 1))
            seen = follow(folder, os.getpid())
            assert seen is not None
            found.append(seen)
    return found


@pytest.mark.parametrize("step", ["minutes = 600\n", f'say = "{"😀" * 3_900}"\n'], ids=["time", "texts"])
def test_a_large_talk_can_be_followed(tmp_path, step):
    """Steps that are planned to take very long, or have long texts of large characters, are followed."""
    found = followed(tmp_path, 'title = "x"\n' + f'[[step]]\nheadline = "a"\n{step}' * 3)
    assert [note.position for note in found] == [1, 2, 3]
    assert found[0].planned * 2 == found[2].planned_before


def texts(letters: list[str], times: list[int]) -> st.SearchStrategy[str]:
    """One to three letters that are repeated; some of the texts are too long, or empty but for blanks."""
    few = st.lists(st.sampled_from(letters), min_size=1, max_size=3).map("".join)
    return st.builds(lambda part, number: part * number, few, st.sampled_from(times))


_titles = texts(["a", "é", "😀", " ", '"', "\\"], [1, 19, 30, 60, 80])
_fields = st.fixed_dictionaries(
    {"headline": st.just("x") | _titles},
    optional={
        "say": texts(["a", "😀", "\t", "\n", "\r\n", "\x1c"], [1, 300, 800, 1_333, 4_000]),
        "predict": _titles,
        "minutes": st.floats(0.1, 600) | st.just(600.0),
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_titles, st.lists(st.just({"headline": "x", "minutes": 600.0}) | _fields, min_size=1, max_size=3))
def test_every_talk_that_can_be_held_can_be_followed(tmp_path, title, steps):
    """Whatever titles, texts and times a talk is read with, its notes are read as they are published."""
    lines = [f"title = {json.dumps(title, ensure_ascii=False)}"]
    for step in steps:
        lines += ["[[step]]", *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in step.items())]
    with suppress(InputError):
        followed(tmp_path, "\n".join(lines))


_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from([HOSTILE, "x", ""])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(Note.__slots__), inner),
    max_leaves=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_json)
def test_what_is_no_note_is_not_shown(tmp_path, value):
    """A file with wrong types, control characters or missing fields is no note."""
    valid = {name: getattr(note(), name) for name in Note.__slots__}
    with Link(tmp_path):
        path = tmp_path / f"talk-{os.getpid()}.json"
        for text in (json.dumps(value), json.dumps({**valid, "say": value}), json.dumps([value])[:-1]):
            path.write_text(text)
            found = follow(tmp_path, os.getpid())
            assert found is None or all(
                line.isprintable()
                for field in Note.__slots__
                for line in str(getattr(found, field)).split("\n")
            )


@pytest.mark.parametrize("kind", ["pipe", "link", "large", "deep", "folder"])
def test_what_is_no_small_file_is_not_read(tmp_path, kind):
    """A pipe, a link, a folder, a large file and deep nesting in place of the note end nothing."""
    with Link(tmp_path):
        path: Path = tmp_path / f"talk-{os.getpid()}.json"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to("/dev/zero")
        elif kind == "folder":
            path.mkdir()
        else:
            path.write_text("[" * 60_000 if kind == "deep" else " " * 300_000)
        assert follow(tmp_path, os.getpid()) is None
        if kind == "folder":
            path.rmdir()


def test_the_folder_is_private(tmp_path, monkeypatch):
    """It is made for this user alone, and one that others can use, or a link, is refused."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = private_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folder() == folder
    folder.chmod(0o755)
    with pytest.raises(InputError, match="is not a folder of yours alone"):
        private_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(InputError, match="is not a folder of yours alone"):
        private_folder()
    tmp_path.chmod(0o777)
    with pytest.raises(InputError, match="Other users can replace"):
        private_folder()
    tmp_path.chmod(0o700)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert private_folder() == runtime / "loopviz"


def test_the_notes_in_a_terminal_of_their_own(tmp_path):
    """Notes wait for a talk, follow it, say when it has ended, and q ends them."""
    (tmp_path / "run").mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with Terminal("notes", columns=80, rows=24, environment=environment) as notes:
        notes.expect("No talk is held: 'loopviz talk' begins one", 20)
        folder = tmp_path / "run" / "loopviz"
        with Link(folder) as link:
            link.publish(note())
            notes.expect("One holds, all wait", 10)
            link.publish(note(headline="Another", position=3))
            notes.expect("3 of 9  Another", 10)
        notes.expect("The talk has ended", 10)
        notes.press("q")
        notes.wait(10)
        assert notes.exit_code == 0
