"""The architecture: contracts that are checked, what an import loads, and what the documentation shows."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_import_contract_is_kept():
    """Layers, cycles and forbidden imports are as pyproject.toml declares them."""
    # In a process of its own: import-linter configures logging, and so disables uvicorn's.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documentation_shows_the_layers_of_the_contract():
    """docs/architecture.md lists the layers that import-linter checks, in the same order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    page = (ROOT / "docs" / "architecture.md").read_text()
    blocks = [re.findall(r"^ *([a-z]+(?: \| [a-z]+)*)\b", block, re.MULTILINE) for block in _fenced(page)]
    assert layers in blocks


def test_contributing_shows_the_layers_of_the_contract():
    """CONTRIBUTING.md has the same layers in a line of arrows."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    (shown,) = re.findall(r"^    cli → (?:.|\n    )*", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert [" ".join(layer.split()) for layer in shown.split("→")] == layers


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("Only the screen imports Textual", {"cli", "tui"}),
        ("Only the server imports FastAPI", {"cli", "experiment", "live"}),
    ],
)
def test_who_may_not_import_a_library_is_complete(name, allowed):
    """A contract about a library names every module at the top that may not even reach it by another."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["name"] == name]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    top = {module for layer in layers for module in layer.split(" | ")}
    assert {module.removeprefix("loopviz.") for module in contract["source_modules"]} == top - allowed


def test_only_the_server_and_the_screen_import_their_frameworks():
    """No other module imports FastAPI, Starlette, uvicorn or Textual itself."""
    found = {
        (library, path.relative_to(ROOT / "loopviz").parts[0] + "/" + path.parent.name)
        for path in (ROOT / "loopviz").rglob("*.py")
        for library in re.findall(
            r"^\s*(?:from|import) (fastapi|starlette|uvicorn|textual)\b", path.read_text(), re.MULTILINE
        )
    }
    assert {place for library, place in found if library != "textual"} == {"live/server"}
    assert {place.partition("/")[0] for library, place in found if library == "textual"} == {"tui"}


def _fenced(page: str) -> list[str]:
    return re.findall(r"^```[a-z]*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_every_module_and_package_is_in_a_layer():
    """Nothing stands beside the layers: what lies at the top of the package is in the contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    named = {name for layer in contract["layers"] for name in layer.split(" | ")}
    found = {
        path.stem
        for path in (ROOT / "loopviz").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert contract["exhaustive"]
    assert found - {"__init__", *contract["exhaustive_ignores"]} == named


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("loopviz.cli", {"textual", "fastapi", "uvicorn", "httpx", "rich", "anyio"}),
        ("loopviz.model", {"textual", "fastapi", "uvicorn", "rich", "anyio", "httpx"}),
        ("loopviz.probe", {"textual", "fastapi", "rich"}),
        ("loopviz.live.client", {"textual", "fastapi"}),
        ("loopviz.live.server", {"textual"}),
        ("loopviz.live.session", {"textual", "psutil", "loopviz.probe", "importlib.metadata"}),
        ("loopviz.live.helpers.guard", {"asyncio", "socket"}),
        ("loopviz.experiment.lab", {"textual"}),
        ("loopviz.export", {"textual", "fastapi", "uvicorn", "httpx"}),
        ("loopviz.recording.replay", {"textual", "fastapi", "uvicorn", "httpx"}),
        ("loopviz.draw.words", {"textual", "fastapi"}),
        ("loopviz.tui", {"fastapi", "uvicorn", "httpx", "loopviz.claims", "loopviz.talk"}),
    ],
)
def test_what_an_import_loads(module, forbidden):
    """A module can be imported without the libraries that it does not need."""
    code = f"import sys, {module}; print(sorted({forbidden!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
