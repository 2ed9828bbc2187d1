"""--reload: which saved files start an application again."""

from __future__ import annotations

import os
import sys
import time

import pytest

from loopviz.target.changes import Changes
from tests.served import soon

APP = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/{name}')\nasync def {name}(): ...\n"


def test_saved_and_new_files_are_found(tmp_path):
    """In all folders below, but not in hidden ones and in virtual environments; what is gone is none."""
    for name in (
        "one.py",
        "pkg/two.py",
        ".git/three.py",
        "env/lib/four.py",
        "node_modules/five.py",
        "six.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "env" / "pyvenv.cfg").write_text("", encoding="utf-8")
    changes = Changes([tmp_path, str(tmp_path)])
    changes.look()
    assert {path.name for path in changes.poll()} == {"one.py", "two.py"}
    changes.look()
    assert changes.poll() == []
    (tmp_path / "pkg" / "two.py").write_text("x = 12\n", encoding="utf-8")
    (tmp_path / "pkg" / "new.py").write_text("", encoding="utf-8")
    (tmp_path / "one.py").unlink()
    changes.look()
    changes.look()
    assert sorted(path.name for path in changes.poll()) == ["new.py", "two.py"]


def test_what_was_there_before_has_not_changed(tmp_path):
    """From `start` on, only what is saved counts, also if only its time is another one."""
    file = tmp_path / "one.py"
    file.write_text("x = 1\n", encoding="utf-8")
    changes = Changes([tmp_path])
    changes.start()
    assert changes.poll() == []
    os.utime(file, (time.time() + 5, time.time() + 5))
    found: list[object] = []

    def saved() -> bool:
        found.extend(changes.poll())
        return bool(found)

    assert soon(saved)
    assert found == [file.resolve()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_a_saved_file_starts_the_application_again(tmp_path):
    """The screen says so, and the new version answers; one that cannot be imported is reported."""
    from tests.terminal import Terminal

    file = tmp_path / "main.py"
    file.write_text(APP.replace("{name}", "first"), encoding="utf-8")
    with Terminal("run", "main.py", "--reload", folder=tmp_path) as terminal:
        terminal.expect("GET /first", 20)
        file.write_text(APP.replace("{name}", "second") + "1 / 0\n", encoding="utf-8")
        terminal.expect("ZeroDivisionError", 20)
        file.write_text(APP.replace("{name}", "second"), encoding="utf-8")
        terminal.expect("GET /second", 20)
        terminal.press("q")
        terminal.wait(20)
    assert terminal.exit_code == 0
