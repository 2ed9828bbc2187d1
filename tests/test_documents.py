"""The JSON documents keep their contract: fields are added, never renamed, dropped or given another type.

``tests/data/before`` has documents that an earlier version printed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loopviz import cli
from loopviz.claims import CLAIMS, Answer

BEFORE = Path(__file__).parent / "data" / "before"


def before(name: str) -> Any:
    """A document as an earlier version printed it."""
    return json.loads((BEFORE / f"{name}.json").read_text(encoding="utf-8"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The document that a command prints now."""
    assert cli.main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def lost(old: Any, new: Any, place: str = "") -> list[str]:
    """Where `new` lacks a field of `old`, or has another type there. A null may become anything."""
    if old is None or new is None:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{place}.{name} is gone" for name in old.keys() - new.keys()]
        return found + [
            each for name in old.keys() & new.keys() for each in lost(old[name], new[name], f"{place}.{name}")
        ]
    if isinstance(old, list) and isinstance(new, list):
        return lost(old[0], new[0], f"{place}[]") if old and new else []
    numbers = (int, float)
    same = type(old) is type(new) or (isinstance(old, numbers) and isinstance(new, numbers))
    return [] if same else [f"{place} was {type(old).__name__} and is {type(new).__name__}"]


def test_what_counts_as_lost():
    """A field that is gone or has another type is found at any depth; an added one is not."""
    assert lost({"a": [{"b": 1}]}, {"a": [{"c": 1}]}) == [".a[].b is gone"]
    assert lost({"a": 1}, {"a": "1"}) == [".a was int and is str"]
    assert lost({"a": 1}, {"a": 1.5, "b": 2}) == []


@pytest.mark.parametrize(("name", "scenario"), [("record", "background_sync"), ("record-blocks", "blocking")])
def test_the_summary_keeps_its_fields(capsys, name, scenario):
    """`loopviz record --json` has every field that it had."""
    new = printed(capsys, "record", scenario, "--requests", "2")
    old = before(name)
    assert lost(old, new) == []
    assert {k: new[k] for k in ("format", "version", "scenario")} == {
        k: old[k] for k in ("format", "version", "scenario")
    }
    assert all(
        r["states"].keys() >= o["states"].keys()
        for r, o in zip(new["requests"], old["requests"], strict=True)
    )


def test_the_list_of_scenarios_keeps_its_fields(capsys):
    """`loopviz scenarios --json` has every field and every scenario that it had, with the same facts."""
    new, old = printed(capsys, "scenarios"), before("scenarios")
    assert lost(old, new) == []
    assert (new["format"], new["version"]) == (old["format"], old["version"])
    facts = ("name", "group", "key", "requests", "seconds", "method", "path", "needs")

    def known(document: Any) -> list[dict[str, Any]]:
        return [{fact: each[fact] for fact in facts} for each in document["scenarios"]]

    now = known(new)
    assert [each for each in known(old) if each not in now] == []


def test_the_claims_keep_their_fields(capsys):
    """`loopviz claims --json` has every field that it had, and the same claims exist."""
    new, old = printed(capsys, "claims", "def-one-at-a-time"), before("claims")
    assert lost(old, new) == []
    assert (new["format"], new["version"]) == (old["format"], old["version"])
    assert {claim.id for claim in CLAIMS} >= {claim["id"] for claim in old["claims"]}
    assert {answer.value for answer in Answer} >= {claim["verdict"] for claim in old["claims"]}
