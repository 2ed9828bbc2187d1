"""Text of others: paths, exceptions and file names of a live server, and everything in a recording."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loopviz.cli import main
from loopviz.export import FORMATS
from loopviz.stream import events as ev
from loopviz.stream.events import Event
from tests.fuzz_recordings import recorded
from tests.side_screens import shown
from tests.streams import ns
from tests.test_screen import drive, run
from tests.test_serving import scenario

__all__ = ["drive"]  # the fixture

TEXT = "\x1b]0;owned\x07\x1b[77m\x9b77m\u202e\u200b\u2066\u2028[red][/][@click=app.quit]"
"""A window title, escape sequences, a C1 control, overrides, a line separator, markup and an action."""
SHOWN = r"\x1b]0;owned\x07\x1b[77m\x9b77m\u202e\u200b\u2066\u2028[red][/]"
RAW = [b"\x1b]0", b"owned\x07", b"\x1b[77m", b"\xc2\x9b", *(c.encode() for c in "\u202e\u200b\u2066\u2028")]
"""What must not reach a terminal."""
FAILS = """
app = FastAPI()
@app.get("/{anything:path}")
async def fails(request: Request):
    raise ValueError(request.url.path + request.scope["path"])
"""


def own(folder: Path) -> Path:
    """A scenario with hostile facts, in a file with a hostile name, fired at a hostile path."""
    facts = TEXT.replace("\u2028", "")
    path = f"/{urllib.parse.quote(TEXT)}"
    return scenario(folder, f"a{facts.replace('/', '').replace('.', '')}", FAILS, f", key='u', path={path!r}")


def harmless(*texts: str) -> None:
    """Fail unless a terminal would only print these."""
    for text in texts:
        assert text
        assert all(line.isprintable() for line in text.split("\n")), ascii(text)


def open_and_close(terminal: Any, keys: str, wanted: str, *, stays: bool = False) -> None:
    """Open what the keys open, wait for what it shows, and close it; unless that `stays`, it must go."""
    terminal.press(keys)
    terminal.expect(wanted, 30)
    terminal.press("\x1b")
    terminal.pump(0.4)  # else the next key would be one with alt
    until = time.monotonic() + 30
    while not stays and re.search(wanted, terminal.text()):
        assert time.monotonic() < until, terminal.text()
        terminal.pump(0.05)


def end_by_signal(terminal: Any) -> None:
    """End the program, whatever is open; it ends in order."""
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.wait(30)
    assert terminal.exit_code == 0


def test_what_a_command_prints_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No command prints a control character or an override of a path, an exception or a file's name."""
    file, recording = str(own(tmp_path)), str(tmp_path / f"r{TEXT[:-20].replace('/', '')}.lvr")
    other = str(scenario(tmp_path, "other", "app = FastAPI()\n@app.get('/one')\nasync def one(): return 1"))
    for wanted, command in (
        (0, ["scenarios", file]),
        (0, ["record", file, "--requests", "2", "-o", recording]),
        (0, ["compare", file, other, "--requests", "1"]),
        *((0, ["export", recording, "--to", form, "-o", "-"]) for form in FORMATS),
        (0, ["scenarios", file, "--json"]),
        (2, ["export", recording, "--to", "csv", "-o", str(tmp_path / f"x{TEXT[:6]}" / "x")]),
        (2, ["replay", recording]),
        (2, ["record", str(tmp_path / f"{TEXT[:6]}.py")]),
        (2, ["record", file, f"--{TEXT}"]),
    ):
        try:
            code: object = main(command)
        except SystemExit as end:
            code = end.code
        assert code == wanted, command
        printed = capsys.readouterr()
        harmless(printed.out + printed.err)
    Path(recording).write_bytes(Path(recording).read_bytes()[:-20])
    assert main(["export", recording, "--to", "csv", "-o", "-"]) == 0
    harmless(capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_what_a_client_sends_is_text_on_the_terminal(tmp_path: Path) -> None:
    """In the live picture, in an opened request, in lists and in the help, text of others stays text."""
    from tests.terminal import Terminal
    from tests.test_terminal import get, port_of

    path = f"/%1b%5b2J{urllib.parse.quote(TEXT)}".encode()
    with Terminal("run", str(own(tmp_path)), columns=200, rows=40) as terminal:
        terminal.expect("Press a letter", 60)
        terminal.press("u")
        terminal.expect("#1 .* 500 ValueError", 30)
        assert b" 500 " in get(port_of(terminal), path)
        terminal.expect(rf"#2 +{re.escape('/' + chr(92) + 'x1b[2J' + SHOWN[:12])}", 30)
        for keys, wanted in (
            ("k\r", "the latency"), ("?", "legend and keys"), ("\t", "type to filter"),
            ("\x10", "(?s)Fire a.*owned"),
        ):  # fmt: skip
            open_and_close(terminal, keys, wanted)
        end_by_signal(terminal)
        for raw in RAW:
            assert raw not in terminal.output


@run
async def test_markup_in_a_title_is_text_in_every_list(drive):
    """The command palette and the list of scenarios show brackets as they are, whether searched or not."""
    titles = ["[/]", "[red]", "[@click=app.quit]x", "[", "\\", "\\[b]", TEXT, '[/"]// $[']
    async with drive(size=(160, 60)) as screen:
        source = screen.source
        source.scenarios = [
            replace(source.scenarios[0], name=f"n{number}{title}", facts=replace(
                source.scenarios[0].facts, title=f"t{number}{title}", group=f"g{number}{title}", key=None
            ))
            for number, title in enumerate(titles)
        ]  # fmt: skip
        for keys in (["ctrl+p"], ["ctrl+p", *"fire n"]):
            await screen.press(*keys)
            wanted = [f"{word}{number}{title}" for number, title in enumerate(titles[:6]) for word in "nt"]
            for _ in range(200):  # it is filled part by part
                await screen.pilot.pause(0.05)
                text = shown(screen)
                if all(words in text for words in wanted):
                    break
            for words in wanted:
                assert words in text
            await screen.press("escape")
        await screen.press("tab")
        screen.app.screen.catalogue.show(source.scenarios)
        await screen.show()
        assert r"g6\x1b]0;owned" in shown(screen)
        assert "g1[red]" in shown(screen)


# -- recordings --------------------------------------------------------------------------------

CANARY = "canary-a4f1"


def hostile_recording(folder: Path) -> Path:
    """A recording that names other files everywhere, and has hostile text everywhere."""
    python, secret = folder / f"{CANARY}.py", folder / f"{CANARY}.txt"
    python.write_text(f"open({str(folder / 'executed')!r}, 'w')\n" * 20)
    secret.write_text(f"the text of {CANARY}-secret\n" * 20)
    events: list[Event] = [(ns(0), ev.THREAD, 2, "worker")]
    for number, name in enumerate((str(secret), str(python), f"http://127.0.0.1:9/{CANARY}"), 1):
        at = 400 * number
        events += [
            (ns(at), ev.SENT, number, TEXT, f"/{name}{TEXT}"),
            (ns(at + 1), ev.READ, number, TEXT, f"/{name}{TEXT}", 0),
            (ns(at + 1), ev.TASK, number, 0, number, TEXT),
            (ns(at + 2), ev.STEP, number),
            (ns(at + 50), ev.HOLDS, number, ns(at + 2), name, 3, TEXT, TEXT),
            (ns(at + 200), ev.YIELD, number, TEXT, 0),
            (ns(at + 201), ev.CALL, number, number, number, 2, name, 4, TEXT),
            (ns(at + 260), ev.RETURN, number),
            (ns(at + 261), ev.WAKE, number),
            (ns(at + 262), ev.STEP, number),
            (ns(at + 263), ev.RAISED, number, TEXT, TEXT),
            (ns(at + 264), ev.RESPONDED, number),
            (ns(at + 265), ev.END, number),
            (ns(at + 265), ev.IDLE),
        ]
    file = recorded(folder / "hostile.lvr", [(ns(2_000), events)], started=ns(0))
    header, *rest = file.read_text().split("\n")
    document = json.loads(header)
    one = document["scenarios"][0]
    document["scenarios"] = [
        one | {"name": f"{name}{TEXT}", "file": name, "key": None, "title": TEXT, "group": TEXT,
               "expect": TEXT, "source": f"{TEXT}\n" * 10, "path": f"/{name}"}
        for name in (str(secret), str(python), CANARY)
    ]  # fmt: skip
    document |= {"mode": TEXT, "address": TEXT, "blind": [[TEXT, TEXT]]}
    document["environment"] = {
        name: TEXT if isinstance(value, str) else value for name, value in document["environment"].items()
    }
    file.write_text("\n".join([json.dumps(document), *rest]))
    return file


_AUDIT = """
import os
import sys

log = open(os.environ["AUDIT_LOG"], "a", buffering=1)
kinds = (
    "open", "import", "exec", "compile", "pickle", "socket.", "subprocess", "webbrowser", "os.system",
    "os.exec", "os.fork", "os.spawn", "os.posix_spawn", "os.startfile",
)

def note(event, arguments):
    if event == "compile" and arguments[1] == "<unknown>":
        return  # a syntax tree of recorded source: to execute it would be an event of its own
    if event.startswith(kinds):
        shown = arguments[0] if event in {"import", "open", "socket.__new__"} else arguments
        log.write(f"{event} {shown!r}\\n")

sys.addaudithook(note)
"""
_FORBIDDEN = re.compile(
    rf"^(subprocess(?!.*lifeline\.py)|webbrowser|pickle|os\.(system|exec|fork|spawn|posix_spawn|startfile)"
    rf"|socket\.(connect|bind|send|getaddrinfo|gethostby)|exec .*<unknown>)|{CANARY}",
    re.MULTILINE,
)
"""What no command does that reads a recording: start programs, use the network, open what it names."""


def audited(folder: Path) -> dict[str, str]:
    """An environment in which a Python program writes down what it opens, imports and connects to."""
    hooks = folder / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_AUDIT)
    return {"PYTHONPATH": str(hooks), "AUDIT_LOG": str(folder / "log")}


def check_log(folder: Path) -> None:
    """Fail if anything was done that no recording can ask for."""
    log = (folder / "log").read_text()
    assert "open " in log
    assert "hostile.lvr" in log
    assert [line for line in log.splitlines() if _FORBIDDEN.search(line)] == []
    assert not (folder / "executed").exists()


_EXPORT_ALL = """
import sys
from loopviz.cli import main
for form in ("perfetto", "svg", "html", "csv", "json"):
    assert main(["export", sys.argv[1], "--to", form, "-o", "-"]) == 0
"""


def test_an_export_opens_nothing_that_a_recording_names(tmp_path: Path) -> None:
    """No export opens, imports, executes or embeds a file that a recording names, or uses the network."""
    file = hostile_recording(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT_ALL, str(file)],
        env={**os.environ, **audited(tmp_path)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"{CANARY}.txt".encode() in done.stdout, "names are shown"
    assert f"{CANARY}-secret".encode() not in done.stdout
    assert not any(raw in done.stdout for raw in RAW)
    check_log(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_a_replay_opens_nothing_that_a_recording_names(tmp_path: Path) -> None:
    """A replay shows the recorded text of files only, executes nothing, and its text is no more than text."""
    from tests.terminal import Terminal

    file = hostile_recording(tmp_path)
    with Terminal("replay", str(file), columns=100, rows=40, environment=audited(tmp_path)) as terminal:
        terminal.expect(re.escape(CANARY), 60)
        for keys, wanted in (
            ("k\r", "the latency"), ("k\r", "the latency"), ("?", "legend and keys"),
            ("\t", "This is a recording"), ("\x10", "Back in time"), ("vmwbo", "REQUESTS"),
        ):  # fmt: skip
            open_and_close(terminal, keys, wanted, stays=wanted in {"This is a recording", "REQUESTS"})
        end_by_signal(terminal)
        assert f"{CANARY}-secret".encode() not in terminal.output
        assert b"Traceback" not in terminal.output
        for raw in RAW:
            assert raw not in terminal.output
    check_log(tmp_path)
