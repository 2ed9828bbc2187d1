"""The project's checks: no list of exceptions goes stale, and CI does not skip in silence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
CONFIGURATION: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pytest_in(folder: Path, test: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a project that has one test file and this project's conftest.

    Its temporary files, and so the locks of `tests.turns`, are in its folder. Else a test of another run that
    waits for the end of this one, to be alone, would make the tests in here wait, too.
    """
    (folder / "tests").mkdir()
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    (folder / "tests" / "test_it.py").write_text(test)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs"],
        cwd=folder,
        env={"PATH": "", "TMPDIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


SKIPS = {
    "a mark": "@pytest.mark.skip(reason='needs a moon')\ndef test_it(): pass",
    "a fixture": "@pytest.fixture\ndef moon(): pytest.skip('needs a moon')\ndef test_it(moon): pass",
    "a test": "def test_it(): pytest.skip('needs a moon')",
    "a module": "pytest.skip('needs a moon', allow_module_level=True)",
}


@pytest.mark.parametrize("code", SKIPS.values(), ids=SKIPS)
def test_a_skip_fails_in_ci(tmp_path, code):
    """In CI a test that is skipped for a reason that is not on the list fails, and says so."""
    done = pytest_in(tmp_path, f"import pytest\n{code}\n", CI="true")
    assert done.returncode != 0
    assert "skipped in CI, where this reason is not allowed (tests/conftest.py): needs a moon" in done.stdout


def test_a_skip_stays_a_skip_elsewhere(tmp_path):
    """Outside CI a test that is skipped says why, and the run passes."""
    done = pytest_in(tmp_path, f"import pytest\n{SKIPS['a mark']}\ndef test_that(): pass\n")
    assert done.returncode == 0, done.stdout
    assert "needs a moon" in done.stdout


@pytest.mark.parametrize("given", [True, False])
def test_an_allowed_skip_that_is_not_needed_fails_in_ci(tmp_path, given):
    """A reason on the list that no test gives any more fails in CI; one that is given passes."""
    reason = "eager tasks came with Python 3.12"
    mark = f"@pytest.mark.skipif({given}, reason={reason!r})"
    done = pytest_in(
        tmp_path, f"import pytest\n{mark}\ndef test_it(): pass\ndef test_that(): pass\n", CI="true"
    )
    if sys.version_info >= (3, 12):  # the reason does not occur here
        assert (done.returncode == 0) is not given
    else:
        assert (done.returncode == 0) is given, done.stdout
        assert ("no test is skipped because" in done.stdout) is not given


SKIPPED = """
import sys, pytest
@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_that(): pass
"""
"""What must be skipped where the reason occurs."""
FAILS_ONCE = """
runs = []
def test_it():
    runs.append(1)
    assert len(runs) > 1, "the first run"
"""
FAILS = """
def test_it():
    assert False, "always"
"""
HANGS = """
import time, pytest
@pytest.mark.timeout(0.5)
def test_it():
    time.sleep(2)
"""


@pytest.mark.parametrize(
    ("code", "passes", "runs", "why"),
    [(FAILS_ONCE, True, 2, "the first run"), (FAILS, False, 2, "always"), (HANGS, False, 1, "Timeout")],
    ids=["once", "always", "a timeout"],
)
def test_ci_runs_a_test_that_fails_once_more(tmp_path, code, passes, runs, why):
    """It passes if the second run does; the report says why the first failed. A timeout counts at once."""
    done = pytest_in(tmp_path, SKIPPED + code, CI="true")
    assert (done.returncode == 0) is passes, done.stdout
    assert ("run again: tests/test_it.py::test_it" in done.stdout) is (runs == 2)
    assert why in done.stdout


def test_every_exception_to_a_lint_rule_is_needed():
    """Each rule that pyproject.toml ignores, everywhere or in some files, would find something there."""
    lint = CONFIGURATION["tool"]["ruff"]["lint"]
    ignores: dict[str, list[str]] = {"[a-z]*/": lint["ignore"]} | lint["per-file-ignores"]
    unneeded = []
    for pattern, rules in ignores.items():
        files = [str(file) for one in _alternatives(pattern) for file in ROOT.glob(one)]
        assert files, f"no file is called {pattern}"
        found = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--config", "lint.per-file-ignores={}", "--config",
             "lint.ignore=[]", "--output-format", "json", "--select", ",".join(rules), *files],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        codes = {violation["code"] for violation in json.loads(found.stdout)}
        unneeded += [f"{pattern}: {rule}" for rule in rules if not any(c.startswith(rule) for c in codes)]
    assert unneeded == [], unneeded


def _alternatives(pattern: str) -> list[str]:
    """The patterns that one of ruff's stands for, as `Path.glob` knows them."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern.removesuffix("/**")]
    inside, _, after = rest.partition("}")
    return [f"{before}{one}{after}" for one in inside.split(",")]


def test_every_word_that_is_misspelled_on_purpose_is_there():
    """Each word that the spell checker ignores occurs in a test."""
    words = CONFIGURATION["tool"]["codespell"]["ignore-words-list"].split(",")
    texts = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("*.py"))
    assert [word for word in words if word not in texts] == []
