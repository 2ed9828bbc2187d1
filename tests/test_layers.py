"""The architecture's arrows: by contract, and at run time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parent.parent


def test_imports_go_in_the_direction_of_the_arrows(capsys):
    """Every contract of the architecture is kept."""
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("loopviz.cli", {"textual", "fastapi", "uvicorn", "httpx"}),
        ("loopviz.model", {"textual", "fastapi", "uvicorn", "rich", "anyio", "httpx"}),
        ("loopviz.probe", {"textual", "fastapi", "rich"}),
        ("loopviz.load", {"textual", "fastapi"}),
        ("loopviz.server", {"textual"}),
        ("loopviz.session", {"textual"}),
        ("loopviz.record", {"textual"}),
        ("loopviz.export", {"textual", "fastapi", "uvicorn", "httpx"}),
        ("loopviz.convert", {"textual", "uvicorn", "httpx"}),
        ("loopviz.draw.words", {"textual", "fastapi"}),
        ("loopviz.tui", {"fastapi", "uvicorn", "httpx"}),
    ],
)
def test_what_a_module_drags_in(module, forbidden):
    """A module can be imported without the libraries that are none of its business."""
    code = f"import sys, {module}; print(sorted({forbidden!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
