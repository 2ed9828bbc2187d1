"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from loopviz import cli
from loopviz.cli.arguments import add_threads
from loopviz.errors import InputError
from loopviz.live import session
from loopviz.probe import compat
from loopviz.scenario import THREAD_LIMIT, Scenario, find, read

ROOT = Path(__file__).parent.parent

QUICK = """
import asyncio
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/quick")
async def quick():
    await asyncio.sleep(0.05)

scenario = Scenario(title="a quick one", expect="soon", requests=3)
"""
ESCAPES = "\x1b[31mred\x1b]0;title\x07"
RAISES = """
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()

@app.get("/boom")
async def boom():
    raise LookupError("no such thing")

scenario = Scenario(title="it raises", expect="500", requests=2)
"""


def loopviz(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program without a terminal."""
    inherited = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}}
    return subprocess.run(
        [sys.executable, "-m", "loopviz", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def refuses(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message with which the program refuses these arguments: one or two lines, and exit code 2."""
    code: object
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert 1 <= len(err.strip().splitlines()) <= 2
    assert err.startswith("loopviz")
    assert "Traceback" not in err
    return err


@pytest.fixture
def write(tmp_path):
    """Writes a scenario's file and gives its name."""

    def write(text: str, name: str = "mine.py") -> str:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


# -- what it loads -----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_is_light(arguments):
    """Help and version import neither a library nor more of loopviz than the arguments need."""
    code = (
        "import sys; from loopviz.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'textual', 'fastapi', 'starlette', 'uvicorn', 'httpx', 'anyio', 'rich'}\n"
        "heavy |= {'multiprocessing', 'loopviz.scenario', 'loopviz.model'}\n"
        "print('loaded:', sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert "loaded: []" in done.stdout
    assert len(done.stdout.splitlines()) >= 2


def test_one_default_thread_limit():
    """The thread limit that help names, and that is used, is the scenarios' own."""
    parser = argparse.ArgumentParser()
    add_threads(parser)
    assert parser.parse_args([]).threads == THREAD_LIMIT
    assert f"default: {THREAD_LIMIT}," in parser.format_help()


def test_a_recording_never_loads_textual(write):
    """Recording works without Textual, as a job on a build machine needs."""
    code = (
        "import sys; sys.modules['textual'] = None\n"
        "from loopviz.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "record", write(QUICK)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "#3 GET /quick" in done.stdout


# -- what comes from outside -------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["record", "quick", ESCAPES], ["run", "--requests", ESCAPES], [ESCAPES]]
)
def test_no_control_character_of_an_unusable_argument_is_printed(capsys, arguments):
    """An argument that cannot be used is named without its escape sequences."""
    assert "\x1b" not in refuses(capsys, *arguments)


@pytest.mark.parametrize("command", ["record", "export", "replay"])
def test_no_control_character_of_an_argument_is_printed(capsys, command):
    """An escape sequence in a name that was typed is shown by a stand-in, not sent to the terminal."""
    assert "\x1b" not in refuses(capsys, command, ESCAPES)


def test_no_control_character_of_an_exception_is_printed(capsys, write):
    """An exception's message is data: one line of it is shown, without its escape sequences."""
    error = refuses(capsys, "record", write("raise ValueError('one\\n\\x1b[2Jtwo\\nthree')\n"))
    assert "\x1b" not in error
    assert "ValueError: one " in error
    assert "three" in error


def test_an_exception_that_is_no_exception_is_reported(capsys, write):
    """A file that raises a class derived from BaseException is refused like any other."""
    file = write("class Odd(BaseException): pass\n\nraise Odd('on purpose')\n")
    assert f"{file}:3: Odd: on purpose" in refuses(capsys, "record", file)


def test_no_control_character_of_a_scenario_is_printed(capsys, write, tmp_path):
    """Titles are data: the list and the report show them without their escape sequences."""
    file = write(QUICK.replace("a quick one", "a \\x1b[31mquick\\x07 one"))
    assert cli.main(["scenarios", str(tmp_path)]) == 0
    assert cli.main(["record", file]) == 0
    out, err = capsys.readouterr()
    assert out.count("[31mquick") == 2
    assert not {"\x1b", "\x07"} & set(out + err)


def test_requests_that_cannot_be_seen_are_no_figures(capsys, write, monkeypatch):
    """Where requests are not visible, a recording says why, and nothing is compared."""
    monkeypatch.setattr(compat, "REQUEST", "renamed")
    monkeypatch.setattr(compat, "DATA_RECEIVED", "renamed")
    file = write(QUICK)
    assert cli.main(["record", file]) == 0
    assert capsys.readouterr().out.startswith("Not visible here: requests. ")
    assert cli.main(["compare", file, file]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()[-2:]
    assert first.startswith("loopviz: Not visible here: requests. ")
    assert second == "Use another version of what is named, or report this."


# -- what it refuses ---------------------------------------------------------------------------


def test_an_unknown_scenario_is_answered_with_the_nearest(capsys):
    """A misspelt scenario's name gets the name that was probably meant."""
    assert "Did you mean blocking?" in refuses(capsys, "record", "blokcing")


def test_an_unlike_name_is_answered_with_all(capsys):
    """A name like no other gets the list of those there are."""
    assert ", ".join(sorted(file.stem for file in find())) in refuses(capsys, "record", "zzz")


def test_a_missing_file_is_named(capsys):
    """A file that does not exist is named."""
    assert "nowhere/mine.py does not exist" in refuses(capsys, "record", "nowhere/mine.py")


@pytest.mark.parametrize("name", ["x" * 300, f"{'x' * 300}.py", f"{'ä' * 180}/x.py"])
@pytest.mark.parametrize("command", ["record", "compare", "scenarios"])
def test_a_name_that_is_too_long_is_refused(capsys, command, name):
    """A name that no file can have is unknown, or does not exist, like any other."""
    assert name in refuses(capsys, command, name, *(["async"] if command == "compare" else []))


def test_a_syntax_error_is_reported_with_its_line(capsys, write):
    """A scenario with a syntax error is refused with the line to fix."""
    file = write("import time\n\ndef broken(:\n    pass\n")
    assert f"{file}:3: syntax error" in refuses(capsys, "record", file)


def test_an_error_on_import_is_reported_with_its_line(capsys, write):
    """A scenario that fails when it is read is refused with the line and the exception's name."""
    file = write("from loopviz.scenario import Scenario\n\n1 / 0\n")
    assert f"{file}:3: ZeroDivisionError" in refuses(capsys, "record", file)


def test_a_missing_library_is_named(capsys, write):
    """A scenario that imports what is not installed says so."""
    error = refuses(capsys, "record", write("import no_such_library_at_all\n"))
    assert ":1: No module named 'no_such_library_at_all'" in error
    assert "Install" in error


def test_a_file_without_an_endpoint_is_refused(capsys, write):
    """For an application without an endpoint, the message says how to add one."""
    file = write(
        "from fastapi import FastAPI\nfrom loopviz.scenario import Scenario\n"
        "app = FastAPI()\nscenario = Scenario(title='t', expect='e')\n"
    )
    error = refuses(capsys, "record", file)
    assert "no endpoint" in error
    assert '@app.get("/mine")' in error


def test_a_file_without_an_application_is_refused(capsys, write):
    """For a scenario without an application, the message says how to add one."""
    file = write("from loopviz.scenario import Scenario\nscenario = Scenario(title='t', expect='e')\n")
    assert "app = FastAPI()" in refuses(capsys, "record", file)


def test_a_file_without_a_scenario_is_refused(capsys, write):
    """For an ordinary Python file, the message says how to make it a scenario."""
    assert "from loopviz.scenario import Scenario" in refuses(capsys, "record", write("x = 1\n"))


def test_an_unknown_field_is_answered_with_the_nearest(capsys, write):
    """A misspelt field of a scenario gets its line, and the field that was probably meant."""
    file = write(QUICK.replace("title=", "titel="))
    error = refuses(capsys, "record", file)
    assert f"{file}:12: " in error
    assert "Did you mean title?" in error


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ("key='Q'", "one letter from a to z"),
        ("key='q'", "is used by loopviz (quit)"),
        ("requests=0", "a whole number from 1"),
        ("group=4", "group must be a text, not 4"),
        ("order='first'", "order must be a whole number, not 'first'"),
        ("seconds='1'", "seconds must be a number of seconds, not '1'"),
        ("needs='json'", "needs must be a tuple of names, not 'json'"),
        ("needs=(asyncio,)", "needs must be a tuple of names, not (<module"),
        ("path=5", "path must be a text, not 5"),
        ("makespan=5", "makespan must be a function of the load, not 5"),
    ],
)
def test_an_impossible_field_is_refused(capsys, write, field, complaint):
    """A field's value that no screen and no load could use is refused, with the reason."""
    assert complaint in refuses(capsys, "record", write(QUICK.replace("requests=3", field)))


@pytest.mark.parametrize(
    ("law", "complaint"),
    [
        ("lambda load: 1 / 0", "no expected one: makespan raises ZeroDivisionError: division by zero"),
        ("lambda load: None", "no expected one: makespan must return seconds, not None"),
        ("lambda load: float('inf')", "no expected one: makespan must return seconds, not inf"),
    ],
)
def test_a_law_that_fails_leaves_the_report(capsys, write, law, complaint):
    """A run is reported although its expected total time cannot be computed, and the report says why."""
    assert cli.main(["record", write(QUICK.replace("requests=3", f"requests=3, makespan={law}"))]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert complaint in out
    assert "busy for" in out


def test_the_path_of_a_recording_has_no_escape_sequence(capsys, write, tmp_path):
    """A recording's path is data: it is shown without its escape sequences, and so is an error with it."""
    file = write(QUICK)
    assert cli.main(["record", file, "-o", str(tmp_path / "\x1b[31mred.jsonl")]) == 0
    assert cli.main(["record", file, "-o", str(tmp_path / "\x1b[31mnone" / "red.jsonl")]) == 2
    out, err = capsys.readouterr()
    assert "red" in err
    assert "\x1b" not in out + err


@pytest.mark.parametrize("field", [field.name for field in fields(Scenario)])
def test_a_value_of_a_wrong_type_is_refused(field):
    """What no field can be is refused for each field, by its name."""
    declared: dict[str, Any] = {"title": "t", "expect": "e", field: object()}
    with pytest.raises(TypeError, match=f"^{field} must be "):
        Scenario(**declared)


@pytest.mark.parametrize(
    ("raised", "reported"),
    [
        ("ImportError('one\\ntwo\\nthree')", "one two three"),
        ("type('Odd', (Exception,), {'__str__': lambda self: 5})()", "Odd: its message raises an exception"),
    ],
)
def test_any_exception_of_a_file_is_two_lines(capsys, write, raised, reported):
    """An exception with several lines, or with a message that cannot be read, gets one line and a hint."""
    error = refuses(capsys, "record", write(f"raise {raised}\n"))
    assert reported in error
    assert len(error.splitlines()) == 2


def test_two_scenarios_with_one_key_are_refused(capsys, write, tmp_path):
    """Two scenarios of a folder cannot have the same key."""
    for name in ("one.py", "two.py"):
        write(QUICK.replace("requests=3", "key='u'"), name)
    assert "one.py and two.py both declare the key 'u'" in refuses(capsys, "scenarios", str(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_no_traceback():
    """Where standard output cannot be written, one line says so, and the code is that of unusable output."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "loopviz", "scenarios"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"loopviz: Standard output cannot be written: no space left on device.\n"


def test_an_empty_folder_is_refused(capsys, tmp_path):
    """A folder without a scenario says what it lacks."""
    assert "no .py file" in refuses(capsys, "scenarios", str(tmp_path))


def test_a_folder_cannot_be_recorded(capsys, write, tmp_path):
    """One of a folder's scenarios has to be named."""
    write(QUICK, "one.py")
    write(QUICK, "two.py")
    error = refuses(capsys, "record", str(tmp_path))
    assert "Name one of them: one, two." in error


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["record", "async", "--requests", "0"], "from 1 to 1000, not 0"),
        (["record", "async", "--requests", "1001"], "from 1 to 1000, not 1001"),
        (["record", "async", "--threads", "0"], "from 1 to 10000, not 0"),
        (["record", "async", "--threads", "-3"], "from 1 to 10000, not -3"),
        (["record", "async", "--requests", "abc"], "'abc' is not a whole number"),
        (["record", "async", "--requests", "1.5"], "'1.5' is not a whole number"),
        (["record", "async", "--requests"], "expected one argument"),
        (["record", "async", "--loop", "twisted"], "asyncio"),
        (["run", "--port", "70000"], "from 0 to 65535, not 70000"),
        (["record", "async", "--colour"], "unrecognized arguments: --colour"),
        (["record"], "TARGET"),
        (["recrod"], "record"),
    ],
)
def test_an_unusable_argument_is_refused(capsys, arguments, complaint):
    """An argument that cannot be used is refused with what is wrong with it, and where to read on."""
    error = refuses(capsys, *arguments)
    assert complaint in error
    assert "--help" in error


def test_an_unknown_argument_names_the_help_of_its_command(capsys):
    """Where to read on is the help that lists the command's arguments; without a command, that of all."""
    error = refuses(capsys, "scenarios", "--theme", "dark")
    assert error.endswith("See 'loopviz scenarios --help'.\n")
    assert refuses(capsys, "--theme").endswith("See 'loopviz --help'.\n")


def test_the_picture_needs_a_terminal():
    """Without a terminal, the live picture points to the recording."""
    done = loopviz("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr
    assert "loopviz record" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_port_in_use_is_refused(capsys, monkeypatch):
    """A port that is in use is refused before anything is drawn."""
    monkeypatch.setattr("loopviz.cli.console.require_terminal", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 is in use" in refuses(capsys, "run", "--port", str(port))


def test_a_missing_uvloop_is_refused(capsys, monkeypatch):
    """Without uvloop, --loop uvloop says how to get it."""
    monkeypatch.setattr(session, "find_spec", lambda _: None)
    error = refuses(capsys, "record", "async", "--loop", "uvloop")
    assert "uvloop is not installed" in error
    assert "pip install uvloop" in error


def test_a_server_that_cannot_start_says_why(write):
    """An application whose lifespan fails ends the recording with its reason, in two lines."""
    file = write(
        QUICK.replace(
            "app = FastAPI()",
            "async def lifespan(app):\n    raise RuntimeError('the database is away')\n    yield\n\n"
            "from contextlib import asynccontextmanager\n"
            "app = FastAPI(lifespan=asynccontextmanager(lifespan))",
        )
    )
    done = loopviz("record", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "The server did not start" in done.stderr
    assert "the database is away" in done.stderr
    assert len(done.stderr.splitlines()) == 2


# -- what it prints ----------------------------------------------------------------------------


def test_scenarios_are_listed_in_order(capsys):
    """Each built-in scenario is one line under its group: key, name, title and what to expect."""
    assert cli.main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "waiting"
    assert [line.split()[:2] for line in lines[1:4]] == [["s", "sync"], ["a", "async"], ["b", "blocking"]]
    files = read(find())
    groups = list(dict.fromkeys(file.facts.group for file in files))
    assert [line for line in lines if line in groups] == groups
    listed = [line for line in lines if line and line not in groups]
    for line, file in zip(listed, files, strict=True):
        assert line[3:].startswith(file.name)
        assert file.facts.title in line
        assert file.facts.expect in line


def test_scenarios_as_json(capsys):
    """The list as JSON has for each scenario its declared facts, and where it is served."""
    assert cli.main(["scenarios", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["version"]) == ("loopviz-scenarios", 1)
    first = document["scenarios"][0]
    assert first.keys() >= {"name", "key", "title", "expect", "requests", "seconds", "method", "path", "file"}
    assert (first["name"], first["key"], first["method"], first["path"]) == ("sync", "s", "GET", "/sync")
    assert Path(first["file"]).is_file()


def test_a_folder_of_ones_own_is_listed(capsys, write, tmp_path):
    """A user's folder is listed like the built-in one; files with an underscore are left out."""
    write(QUICK, "one.py")
    write("not python", "_helper.py")
    assert cli.main(["scenarios", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split() == ["one", "a", "quick", "one", "soon"]


def bars(report: str) -> list[str]:
    """The lines of a report that show a request."""
    return [line for line in report.splitlines() if line.lstrip().startswith("#")]


def test_a_report_has_a_bar_for_each_request(write):
    """The text form shows each request with its status, a bar of its states and its latency."""
    done = loopviz("record", write(QUICK))
    assert (done.returncode, done.stderr) == (0, "")
    rows = bars(done.stdout)
    assert [row[:18] for row in rows] == [f"#{n} GET /quick 200 " for n in (1, 2, 3)]
    assert all(row.rstrip().endswith("ms") and "──────" in row for row in rows)
    assert "awaiting" in done.stdout
    assert "makespan" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_report_names_the_block():
    """The text form reports which request held the loop, for how long, where, how, and which it delayed."""
    done = loopviz("record", "blocking", "--requests", "2")
    assert " BLOCKS " in done.stdout
    assert " running " not in done.stdout
    block = next(line for line in done.stdout.splitlines() if line.startswith("block  "))
    assert re.search(r"#1 held the event loop for 1\.[0-2] s", block)
    assert "blocking.py:14 (time.sleep), sleeping; it delayed #2" in block
    found = r"\nfinding   \w+: blocking\.py:14 \(time\.sleep\) held the event loop twice, for 2\.\d s in all"
    assert re.search(found, done.stdout)
    assert "\n  why     The call waits on the event loop's own thread and does not await" in done.stdout
    assert "\n  do      Use await asyncio.sleep(...)" in done.stdout
    assert (
        "\nrepair    await asyncio.sleep(1), or a plain def. 'loopviz record async' shows it." in done.stdout
    )


def test_a_report_tells_starvation(write):
    """The text form reports that short steps in a row delayed others, for how long, at which line."""
    steps = "for _ in range(3):\n        import time; time.sleep(0.06)\n        await asyncio.sleep(0.001)"
    done = loopviz("record", write(QUICK.replace("await asyncio.sleep(0.05)", steps)), "--requests", "6")
    assert done.returncode == 0
    starved = next(line for line in done.stdout.splitlines() if line.startswith("starved "))
    assert "short steps or callbacks in a row held the event loop" in starved
    assert re.search(r"\d\d% \w+\.py:\d+", starved)
    assert re.search(r"delayed for up to \d\d\d ms: #1 #2 #3 #4 #5 #6", starved)


def test_ascii_is_ascii(write):
    """With --ascii not a single byte is outside ASCII, whatever the scenario says of itself."""
    file = write(QUICK.replace("a quick one", "schnell · prêt … 速い").replace("/quick", "/prêt"))
    done = loopviz("record", file, "--ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "------" in bars(done.stdout)[0]


def test_wide_characters_keep_the_bars_in_line(write):
    """Bars begin in the same column, whatever characters a path is made of."""
    file = write(QUICK.replace("/quick", "/速い"))
    done = loopviz("record", file)
    rows = bars(done.stdout)
    assert len(rows) == 3
    assert {row.index("200") for row in rows} == {len("#1 GET /速い ")}


def test_a_narrow_encoding_is_no_error(write):
    """An output that takes only ASCII gets ASCII."""
    done = loopviz("record", write(QUICK), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "------" in bars(done.stdout)[0]


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_obeyed(write, environment, coloured):
    """Where colours would be shown, NO_COLOR turns them off."""
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    out = loopviz("record", write(QUICK), **terminal, **environment).stdout
    codes = {code for part in out.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")}
    assert bool(codes & {"38", "48"}) is coloured


def test_a_handler_that_raises_is_a_500(write):
    """A handler's exception is reported by name, in the JSON and in the text."""
    file = write(RAISES)
    done = loopviz("record", file, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    for request in json.loads(done.stdout)["requests"]:
        assert request["status"] == 500
        assert request["error"].startswith("LookupError")
    text = loopviz("record", file).stdout
    assert all(" 500 " in row and "LookupError: no such thing" in row for row in bars(text))


def test_ones_own_file_is_recorded(write):
    """A user's file is served and recorded like a built-in scenario, with its own number of requests."""
    document = json.loads(loopviz("record", write(QUICK, "own.py"), "--json").stdout)
    assert document["scenario"] == "own"
    assert [(r["path"], r["status"]) for r in document["requests"]] == [("/quick", 200)] * 3
    assert document["makespan_s"] > 0.05


@pytest.mark.parametrize("arguments", [["record", "FILE"], ["record", "FILE", "--json"], ["scenarios"]])
def test_a_reader_that_goes_is_no_error(write, arguments):
    """When the reader of the output goes away, the program ends and prints nothing more."""
    arguments = [write(QUICK) if part == "FILE" else part for part in arguments]
    read, out = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "loopviz", *arguments],
        cwd=ROOT,
        stdout=out,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(out)
    assert done.stderr == b""
    assert done.returncode == 1


def test_ctrl_c_ends_a_recording_in_time(write, tmp_path):
    """Ctrl+C ends a recording within two seconds, although a worker thread is busy for ten."""
    busy = tmp_path / "busy"
    lasts = f"lambda: (open({str(busy)!r}, 'w').close(), time.sleep(10))"
    file = write(
        QUICK.replace(
            "await asyncio.sleep(0.05)",
            f"import time; await asyncio.get_running_loop().run_in_executor(None, {lasts})",
        )
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "loopviz", "record", file],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        began = time.monotonic()
        while not busy.exists() and child.poll() is None and time.monotonic() - began < 30:
            time.sleep(0.05)
        assert busy.exists()
        asked = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
        assert time.monotonic() - asked < 3
        assert child.returncode == 130
        assert "Traceback" not in err
    finally:
        child.kill()
        child.communicate()


def test_an_input_error_is_the_only_kind_that_is_reworded(monkeypatch):
    """A defect of loopviz's own is never disguised as the user's mistake."""
    from loopviz import scenario

    def fail(target):
        raise RuntimeError("a defect")

    monkeypatch.setattr(scenario, "find", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        cli.main(["scenarios"])
    assert not issubclass(RuntimeError, InputError)


@pytest.mark.parametrize(
    ("repaired", "said"),
    [
        ("nowhere", ""),
        ("x" * 300, ""),
        ("ä" * 180, ""),
        ("other", " 'loopviz record {folder}/other.py' shows it."),
        ("async", " 'loopviz record async' shows it."),
    ],
)
def test_a_report_names_a_repair_that_can_be_recorded(capsys, write, tmp_path, repaired, said):
    """The scenario that shows the repair is a built-in one or a file beside the one recorded."""
    (tmp_path / "other.py").touch()
    file = write(f"""
from fastapi import FastAPI
from loopviz.scenario import Scenario

app = FastAPI()


@app.get("/fails")
async def fails():
    raise ValueError


scenario = Scenario(title="t", expect="e", repair="Do not.", repaired="{repaired}", requests=1)
""")
    assert cli.main(["record", file]) == 0
    repair = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("repair"))
    assert repair == f"repair    Do not.{said.format(folder=tmp_path)}"
