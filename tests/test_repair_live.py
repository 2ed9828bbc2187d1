"""A repair on the real thing: the change, both bursts measured, and a patch that git accepts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.terminal import Terminal
from tests.test_repair_screen import SOURCE

VARIED = SOURCE.replace("time.sleep(1)", "time.sleep(0.3)").replace(
    'return "slept"', 'return {"slept": 0.3, "at": time.monotonic(), "agent": agent}'
)
VARIED = VARIED.replace("async def slow():", "async def slow(request: Request):").replace(
    "    time.sleep", '    agent = "x-loopviz-copy" in request.headers\n    time.sleep'
)
VARIED = VARIED.replace("import FastAPI", "import FastAPI, Request")


@pytest.mark.slow
def test_an_application_is_repaired_and_measured_and_its_patch_applies(tmp_path: Path) -> None:
    """Fire, F, enter: the factor, the same answers, no finding. w: a patch. The file is as it was."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    main = tmp_path / "shop" / "main.py"
    main.write_text(VARIED)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with Terminal("run", "shop.main:app", "--requests", "6", folder=tmp_path) as terminal:
        terminal.expect("GET /slow", 30)
        terminal.press("\r")
        terminal.expect("Done: 6 requests", 30)
        terminal.press("F")
        terminal.expect(r"await asyncio\.sleep\(0\.3\)", 30)
        assert "held the event loop 6 times" in terminal.text()
        terminal.press("\r")
        factor = terminal.expect(r"([\d.]+)x faster: 1\.\d+ s -> (\d+) ms", 40)
        assert float(factor[1]) > 2
        terminal.expect(r"6 of 6 answers are the same: status, headers, bodies\.")
        terminal.expect(r"not counted: \$\.at")
        terminal.expect("The finding is gone")
        assert "GET /slow (repaired)" in terminal.text()
        terminal.press("w")
        terminal.expect(r"loopviz-repair-slow\.patch", 20)
        terminal.press("q")
        terminal.press("q")
        terminal.expect("GET /slow")
        terminal.press("q")
        terminal.wait(20)
        assert terminal.exit_code == 0
    assert main.read_text() == VARIED
    patch = tmp_path / "loopviz-repair-slow.patch"
    assert re.findall(r"^[-+](?![-+]).*", patch.read_text(), re.MULTILINE)
    subprocess.run(["git", "-C", str(tmp_path), "apply", "--check", str(patch)], check=True)
    left = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--short"], capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in left.splitlines() if "__pycache__" not in line] == [
        "?? loopviz-repair-slow.patch", "?? shop/",
    ]  # fmt: skip
