"""Talks: the file is checked with a line and a correction for each mistake, and nothing in it is executed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopviz.errors import InputError
from loopviz.talk import Question, Talk, builtin_talk, read_talk


@pytest.fixture
def write(tmp_path):
    """Writes a talk."""

    def write(text: str | bytes) -> Path:
        path: Path = tmp_path / "talk.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path: Path) -> tuple[str, str]:
    """Why a talk cannot be used, and what to do, without its folder."""
    with pytest.raises(InputError) as caught:
        read_talk(path)
    what, fix = str(caught.value).split("\n")
    return what.replace(f"{path.parent}/", ""), fix


def test_a_whole_talk_is_read(write):
    """Every field of a step is read; a scenario is one of the catalogue, or a file beside the talk."""
    path = write("""
title = "Loops"
[[step]]
headline = "Hello"
say = "welcome\\n\\tall"
[[step]]
headline = "One by one"
scenario = "blocking"
requests = 4
threads = 2
view = "code"
window = 2.5
minutes = 3
[step.predict]
question = "How long?"
choices = ["1 s", "4 s"]
answer = "4 s"
[[step]]
headline = "Ours"
scenario = "ours.py"
predict = "What happens?"
""")
    (path.parent / "ours.py").write_text("raise SystemExit('it is not executed')")
    talk = read_talk(path)
    hello, blocking, ours = talk.steps
    assert talk.title == "Loops"
    assert talk.minutes == 3
    assert (hello.file, hello.say) == (None, "welcome\n    all")
    assert blocking.file is not None
    assert blocking.file.name == "blocking.py"
    assert (blocking.requests, blocking.threads, blocking.view, blocking.window) == (4, 2, "code", 2.5)
    assert blocking.predict == Question("How long?", ("1 s", "4 s"), "4 s")
    assert ours.file == path.parent.resolve() / "ours.py"
    assert ours.predict == Question("What happens?")


STEP = '[[step]]\nheadline = "x"\n'

MISTAKES = {
    "no title": (STEP, "talk.toml: title is missing.", "Add a line: title = …"),
    "no step": ('title = "x"', "talk.toml: step is missing.", "Add a line: step = …"),
    "no headline": (
        'title = "x"\n\n[[step]]\nscenario = "sync"',
        "talk.toml:3: step 1: headline is missing.",
        "Add a line: headline = …",
    ),
    "a field that is misspelt": (
        f'title = "x"\n{STEP}\n{STEP}scenarios = "sync"',
        "talk.toml:7: step 2: unknown field 'scenarios'.",
        "Did you mean scenario?",
    ),
    "a field of the question": (
        f'title = "x"\n{STEP}[step.predict]\nquestion = "?"\nanswers = ["1", "2"]',
        "talk.toml:6: step 1: predict.unknown field 'answers'.",
        "Did you mean answer?",
    ),
    "a scenario that is misspelt": (
        f'title = "x"\n{STEP}scenario = "blokcing"',
        "talk.toml:4: step 1: unknown scenario: 'blokcing'.",
        "Did you mean blocking?",
    ),
    "a file that is not there": (
        f'title = "x"\n{STEP}scenario = "own.py"',
        "talk.toml:4: step 1: scenario 'own.py' is no Python file beside the talk.",
        "Write that file first.",
    ),
    "a name that is too long": (
        f'title = "x"\n{STEP}scenario = "{"ä" * 180}.py"',
        f"talk.toml:4: step 1: scenario '{'ä' * 180}.py' is no Python file beside the talk.",
        "Write that file first.",
    ),
    "a file elsewhere": (
        f'title = "x"\n{STEP}scenario = "../own.py"',
        "talk.toml:4: step 1: scenario '../own.py' does not lie beside the talk.",
        "Move it into the talk's folder, or name one of 'loopviz scenarios'.",
    ),
    "an absolute file": (
        f'title = "x"\n{STEP}scenario = "/etc/passwd"',
        "talk.toml:4: step 1: scenario '/etc/passwd' does not lie beside the talk.",
        "Move it into the talk's folder, or name one of 'loopviz scenarios'.",
    ),
    "a load without a scenario": (
        f'title = "x"\n{STEP}requests = 8',
        "talk.toml:4: step 1: requests needs a scenario.",
        "Add a scenario, or remove requests.",
    ),
    "too many requests": (
        f'title = "x"\n{STEP}scenario = "sync"\nrequests = 1001',
        "talk.toml:5: step 1: requests is too large.",
        "Write a whole number from 1 to 1000.",
    ),
    "no whole number": (
        f'title = "x"\n{STEP}scenario = "sync"\nrequests = true',
        "talk.toml:5: step 1: requests must be a whole number, not true or false.",
        "Write a whole number from 1 to 1000.",
    ),
    "no number": (
        f'title = "x"\n{STEP}scenario = "sync"\nwindow = nan',
        "talk.toml:5: step 1: window is not from 0.001 to 300.",
        "Write a number of seconds from 0.001 to 300.",
    ),
    "a date": (
        f'title = "x"\n{STEP}minutes = 2026-11-22',
        "talk.toml:4: step 1: minutes must be a number of minutes, not a date or time.",
        "Write a number of minutes from 0.1 to 600.",
    ),
    "an unknown view": (
        f'title = "x"\n{STEP}scenario = "sync"\nview = "wide"',
        "talk.toml:5: step 1: view must not be 'wide'.",
        "Write one of both, picture, code.",
    ),
    "an escape sequence": (
        'title = "\\u001b[2J"\n' + STEP,
        "talk.toml:1: title has a line break or a control character.",
        "Write it in one line of plain text.",
    ),
    "a control character in the notes": (
        f'title = "x"\n{STEP}say = "a\\u0007b"',
        "talk.toml:4: step 1: say has a control character.",
        "Use plain text and line breaks.",
    ),
    "too many tabs": (
        f'title = "x"\n{STEP}say = "' + r"a\tb\n" * 700 + '"',
        "talk.toml:4: step 1: say has 4199 characters.",
        "Write at most 4000.",
    ),
    "one choice": (
        f'title = "x"\n{STEP}[step.predict]\nquestion = "?"\nchoices = ["a"]',
        "talk.toml:6: step 1: predict.choices has 1 texts.",
        "Write a list of 2 to 4 different texts.",
    ),
    "equal choices": (
        f'title = "x"\n{STEP}[step.predict]\nquestion = "?"\nchoices = ["a", "a"]',
        "talk.toml:6: step 1: predict.choices has the same text twice.",
        "Write a list of 2 to 4 different texts.",
    ),
    "an answer that is no choice": (
        f'title = "x"\n{STEP}[step.predict]\nquestion = "?"\nchoices = ["a", "b"]\nanswer = "c"',
        "talk.toml:7: step 1: predict.answer is none of the choices.",
        "Write one of a, b.",
    ),
    "a step that is no table": (
        'title = "x"\nstep = [1]',
        "talk.toml:2: step must be a list of tables.",
        "Write each step below a line [[step]].",
    ),
    "one step in single brackets": (
        'title = "x"\n[step]\nheadline = "a"',
        "talk.toml: step must be a list of tables.",
        "Write each step below a line [[step]].",
    ),
    "a title that is a table": (
        "title = {a = 1}\n" + STEP,
        "talk.toml:1: title must be a text, not a table.",
        "Write a text in quotes.",
    ),
    "a decimal number": (
        f'title = "x"\n{STEP}scenario = "sync"\nrequests = 8.0',
        "talk.toml:5: step 1: requests must be a whole number, not a decimal number.",
        "Write a whole number from 1 to 1000.",
    ),
    "a question without its text": (
        f'title = "x"\n{STEP}predict = {{answer = "1 s"}}',
        "talk.toml:4: step 1: predict.question is missing.",
        "Add a line: question = …",
    ),
    "no steps": ('title = "x"\nstep = []', "talk.toml:2: step has 0 steps.", "Write from 1 to 99."),
    "a long headline": (
        f'title = "x"\n[[step]]\nheadline = "{"x" * 61}"',
        "talk.toml:3: step 1: headline has 61 characters.",
        "Write at most 60.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "what", "fix"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_with_its_line_and_a_correction(write, text, what, fix):
    """What is wrong is named with file, line and step, and the second line says what to write."""
    assert refused(write(text)) == (what, fix)


def test_what_is_no_toml_is_reported_with_its_line(write):
    """A syntax error has its line; hostile nesting and numbers end as errors as well."""
    assert refused(write('title = "x"\nstep = ['))[0].startswith("talk.toml:2: it is no TOML: ")
    assert refused(write('title = "x"\ntitle = "y"'))[0].startswith("talk.toml:2: it is no TOML: ")
    assert "it is nested too deeply." in refused(write("x = " + "[" * 100_000))[0]
    assert refused(write("x = " + "9" * 10_000))[0].startswith("talk.toml: ")
    assert refused(write(b'title = "x"\n\xff\xfe'))[0] == "talk.toml:2: it is no text in UTF-8."


def test_what_is_no_regular_file_is_refused(tmp_path):
    """A folder, a pipe, a device, a missing file and a file that is too large are refused at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 300_000)
    assert "is a folder." in refused(tmp_path)[0]
    assert refused(pipe)[0] == "pipe is no regular file."
    assert "is no regular file." in refused(Path("/dev/zero"))[0]
    assert refused(tmp_path / "none.toml")[0] == "none.toml does not exist."
    assert refused(large)[0] == "large.toml is larger than 256 KiB."


_values = st.recursive(
    st.sampled_from(['""', '"x"', "0", "-1", "1e400", "nan", "true", "1979-05-27", "9" * 40, '"\\u001b"']),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
    max_leaves=4,
)
_names = st.sampled_from(["title", "step", "headline", "scenario", "requests", "predict", "say", "x", '""'])
_lines = st.one_of(
    st.just("[[step]]"),
    st.just("[step.predict]"),
    st.tuples(_names, _values).map(" = ".join),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_lines, max_size=12).map("\n".join))
def test_whatever_a_file_holds_it_is_a_talk_or_an_error_in_two_lines(write, text):
    """A file of random fields is read, or refused in two lines without a control character."""
    try:
        assert isinstance(read_talk(write(text)), Talk)
    except InputError as error:
        lines = str(error).split("\n")
        assert len(lines) == 2
        assert all(line.isprintable() for line in lines)


FIRST_SEEN = {
    "async": {"awaiting"}, "blocking": {"running", "queued", "ready"}, "to_thread": {"in_thread"},
    "tokens": {"token_wait"}, "cpu_processes": {"in_process"},
}  # fmt: skip
"""Where the built-in talk shows each of the seven states for the first time."""


def test_the_built_in_talk_teaches_the_seven_states():
    """It has nine steps with a question and notes each, and names every state where it is seen first."""
    talk = read_talk(builtin_talk())
    assert len(talk.steps) == 9
    seen: set[str] = set()
    every = set().union(*FIRST_SEEN.values())
    assert len(every) == 7
    for step in talk.steps:
        assert step.file is not None
        assert step.predict is not None
        assert step.predict.answer in step.predict.choices
        assert step.minutes
        named = {state for state in every if re.search(rf"\b{state}\b", step.say)}
        assert named - seen == FIRST_SEEN.get(step.file.stem, set()), step.headline
        seen |= named
