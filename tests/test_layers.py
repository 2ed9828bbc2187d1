"""The architecture's arrows: by contract, and at run time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_imports_go_in_the_direction_of_the_arrows():
    """Every contract of the architecture is kept."""
    # In a process of its own: import-linter configures logging, and so disables uvicorn's.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("loopviz.cli", {"textual", "fastapi", "uvicorn", "httpx"}),
        ("loopviz.model", {"textual", "fastapi", "uvicorn", "rich", "anyio", "httpx"}),
        ("loopviz.probe", {"textual", "fastapi", "rich"}),
        ("loopviz.live.client", {"textual", "fastapi"}),
        ("loopviz.live.server", {"textual"}),
        ("loopviz.live.session", {"textual"}),
        ("loopviz.cli.record", {"textual"}),
        ("loopviz.export", {"textual", "fastapi", "uvicorn", "httpx"}),
        ("loopviz.cli.export", {"textual", "uvicorn", "httpx"}),
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
