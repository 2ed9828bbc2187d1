"""The documentation: its tables agree with the code, its examples run, and its links lead somewhere."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from docs import gallery, tables
from docs.stories import FILMS
from loopviz.claims import CLAIMS, Claim, Machine, catalogue, criteria
from loopviz.cli import attach, claims, compare, export, main, notes, record, replay, run, scenarios, talk
from loopviz.cli.export import add_parser
from loopviz.draw.look import APPEARANCES
from loopviz.export import FORMATS
from loopviz.export.material import Material
from loopviz.export.table import COLUMNS
from loopviz.model import BLOCK_THRESHOLD, State
from loopviz.recording.replay import Replay
from loopviz.scenario import find, read
from tests.test_claims import sample

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PARSERS = {
    module.__name__.rpartition(".")[2]: module.add_parser
    for module in (run, attach, record, replay, export, compare, claims, talk, notes, scenarios)
}
SVG = "{http://www.w3.org/2000/svg}"


def text_of(page: str) -> str:
    """A page of the documentation."""
    return (ROOT / page).read_text(encoding="utf-8")


def section_of(page: str, heading: str | None) -> str:
    """What is below a heading of the second level; without one, the page up to the first such heading."""
    text = text_of(page)
    below = text if heading is None else text.partition(f"\n## {heading}\n")[2]
    return below.partition("\n## ")[0]


def fields(document: Any) -> set[str]:
    """The names of all fields of a JSON document."""
    if isinstance(document, list):
        return {name for one in document for name in fields(one)}
    if not isinstance(document, dict):
        return set()
    values = (one for name, one in document.items() if name != "evidence")  # whose names are words
    return {*document, *(name for one in values for name in fields(one))}


def examples(page: str, heading: str) -> list[str]:
    """The Python examples under a heading."""
    section = section_of(page, heading)
    return [textwrap.dedent(code) for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)]


@pytest.mark.parametrize("place", tables.declared())
def test_a_table_agrees_with_the_code(place):
    """Tables that follow from the code are what `python -m docs.tables` would write now."""
    file, _, name = place.partition("#")
    assert tables.table_in(text_of(f"docs/{file}"), name) == tables.declared()[place]


def test_the_measured_claims_are_claims():
    """The table of measured verdicts has the claims in their order; a new one may be missing."""
    table = tables.table_in(text_of("docs/claims.md"), "measured")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    assert rows[2:] == [claim.claim for claim in CLAIMS if claim.claim in rows]


def test_a_run_of_the_claims_becomes_a_table():
    """The document of `claims --json` becomes one row for each claim, with figures and verdict."""
    claim = {
        "claim": "It is so.", "verdict": "it depends", "depends_on": "the weather", "why": "So it is.",
        "figures": [{"name": "one", "value": 1.0, "unit": "s"}, {"name": "by", "value": 2.0, "unit": "x"}],
    }  # fmt: skip
    unclear = claim | {"verdict": "undecided here", "depends_on": None}
    versions = dict.fromkeys(("fastapi", "starlette", "uvicorn", "anyio"), "1")
    environment = versions | {"python": "3.13", "gil": True, "platform": "Linux-6"}
    table = tables.measured({"environment": environment, "claims": [claim, unclear]})
    assert table.startswith("Measured on Linux, Python 3.13 with the GIL, fastapi 1, ")
    assert "| It is so. | one 1.00 s; by 2.0 x | **it depends**: the weather |" in table
    assert "| It is so. | So it is. | **undecided here** |" in table


def test_filling_a_table_changes_nothing_else():
    """Only what is between the markers is replaced, and filling twice is filling once."""
    page = "a\n\n<!-- begin t -->\n\n\n\n<!-- end t -->\n\nb\n"
    filled = tables.fill(page, "t", "| x |")
    assert filled == "a\n\n<!-- begin t -->\n\n| x |\n\n<!-- end t -->\n\nb\n"
    assert tables.fill(filled, "t", "| x |") == filled


def test_the_example_of_a_states_colours_is_its_row():
    """CONTRIBUTING shows a row of a theme as it is in the code."""
    (row,) = examples("CONTRIBUTING.md", "Change a state's colour")
    code = (ROOT / "loopviz" / "draw" / "themes.py").read_text(encoding="utf-8")
    assert " ".join(row.split()) in " ".join(code.split())


def test_the_page_of_states_has_every_state():
    """docs/states.md names the states in the words of the screen."""
    rows = re.findall(r"^\| ([a-z ]+) \|", text_of("docs/states.md"), re.MULTILINE)
    assert set(rows) - {"state"} == {row.name for row in APPEARANCES if row.state is not None}


@pytest.mark.parametrize("page", ["docs/states.md", "docs/glossary.md"])
def test_the_threshold_of_a_block_is_the_same_everywhere(page):
    """Pages that name the threshold of a block name the one that is used."""
    assert set(re.findall(r"(\d+) ms or longer", text_of(page))) == {str(BLOCK_THRESHOLD // 1_000_000)}


def test_the_formats_of_exports_are_the_same_everywhere():
    """`--to` offers every format, and docs/exports.md describes it."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    for name in FORMATS:
        assert parser.parse_args(["export", "FILE", "--to", name]).to == name
        assert f"\n| `{name}` |" in text_of("docs/exports.md")
    with pytest.raises(SystemExit):
        parser.parse_args(["export", "FILE", "--to", "none"])


def test_the_page_of_exports_has_every_column_and_state():
    """docs/exports.md names the columns of the table of segments, and the states that are in it."""
    section = section_of("docs/exports.md", "csv")
    named = set(re.findall(r"`(\w+)`", section))
    assert {*COLUMNS} | {state.value for state in State} <= named


def test_the_page_of_exports_has_every_field_of_the_summary(capsys):
    """docs/exports.md names each field of what `record --json` prints."""
    assert main(["record", "blocking", "--requests", "2", "--json"]) == 0
    found = fields(json.loads(capsys.readouterr().out)) - {state.value for state in State}
    assert {"victims", "calls", "where"} <= found
    assert found <= set(re.findall(r"`(\w+)`", section_of("docs/exports.md", "json")))


def test_the_page_of_commands_has_every_option():
    """docs/commands.md names each option of each command, in a row that names the command."""
    rows = [line for line in section_of("docs/commands.md", None).splitlines() if line.startswith("| `")]
    for name, add in PARSERS.items():
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers()
        add(commands)
        options = {
            option
            for action in commands.choices[name]._actions
            for option in action.option_strings
            if option.startswith("--") and option != "--help"
        }
        for option in options:
            of = [line.split(" | ")[1] for line in rows if re.search(rf"`{option}[ `]", line)]
            named = [f"`{name}`" in part or (part.startswith("all but") and name not in part) for part in of]
            assert any(named), (name, option)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every relative link of the documentation leads to a file, and to a heading of it if it says so."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, link


@pytest.mark.parametrize("page", ["docs/threats.md", "docs/faults.md"])
def test_every_promise_names_a_test_that_exists(page):
    """Each line of the tables of threats and of faults ends with a test, and that test is there."""
    rows = re.findall(r"^\| (?!promise|fault|-)(.*) \|$", text_of(page), re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        named = re.search(r" \| `(tests/\w+\.py)::(test_\w+)`$", row)
        assert named is not None, row
        assert re.search(rf"^(async )?def {named[2]}\(", text_of(named[1]), re.MULTILINE), row


# -- examples ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "heading", "name"),
    [
        ("CONTRIBUTING.md", "Add a scenario", "nap"),
        ("docs/scenarios.md", "Your own scenarios", "report"),
    ],
)
def test_the_example_of_a_scenario_runs(tmp_path, capsys, page, heading, name):
    """The documented scenario is read as it stands, beside the built-in ones, and keeps its own law."""
    (code,) = examples(page, heading)
    path = tmp_path / f"{name}.py"
    path.write_text(code, encoding="utf-8")
    files = read([path, *(builtin for builtin in find() if builtin.stem != name)])
    assert name in {file.name for file in files}
    orders = [file.facts.order for file in files]
    assert len(set(orders)) == len(orders)
    assert main(["record", str(path), "--requests", "1", "--json"]) == 0
    assert f'"path": "/{name}"' in capsys.readouterr().out


def test_the_example_of_a_claim_decides():
    """The documented criterion and claim fit together, and give the answers of the documented cases."""
    criterion, claim, cases = examples("CONTRIBUTING.md", "Add a claim")
    names = vars(criteria) | {"__name__": "example"}
    exec(criterion, names)
    helpers = vars(catalogue) | {"c": type("c", (), names)}
    made = eval(f"[{claim}]", helpers)[0]
    assert isinstance(made, Claim)
    assert {*made.scenarios, *made.experiment.scenarios} <= {path.stem for path in find()}
    answers = {"TRUE": "true", "FALSE": "false", "DEPENDS": "it depends"}
    for name, samples, answer in eval(f"[{cases}]", {"sample": sample, **answers}):
        assert name == made.id
        assert samples.keys() == made.experiment.trials.keys()
        assert names["same_helper"](samples, Machine()).answer == answer


def test_the_example_of_an_export_writes_the_blocks(tmp_path, capsys):
    """The documented export lists the blocks of a recording."""
    code, _ = examples("CONTRIBUTING.md", "Add a view")
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    path = tmp_path / "run.lvr"
    assert main(["record", "blocking", "--requests", "2", "-o", str(path)]) == 0
    capsys.readouterr()
    source = Replay(str(path))
    head, *lines = names["blocks"](Material(source.timeline(), "a run"))
    assert head == "start_s lasted_s line\n"
    assert len(lines) == 2
    assert all(re.fullmatch(r"\d\.\d{9} 1\.\d{9} blocking\.py:14\n", line) for line in lines)


# -- pictures ----------------------------------------------------------------------------------


def test_every_scenario_has_a_picture_and_a_sentence():
    """The page has each scenario in the order of the catalogue, and says what is said on its picture."""
    scenarios = read(find())
    row = re.compile(r"^\| `(\w+)` \| !\[[^]]+\]\(pictures/(\w+)\.svg\) \| (.+) \|$", re.MULTILINE)
    rows = row.findall(text_of("docs/pictures.md"))
    assert [row[:2] for row in rows] == [(scenario.name, scenario.name) for scenario in scenarios]
    for name, _, said in rows:
        screen = gallery.screen_of(name)
        assert said.startswith(" ".join(gallery.sentences(screen)))
        assert said.endswith(".")
        assert screen[0].split()[0] == name
    assert text_of("docs/pictures.md") == gallery.page(scenarios)


def test_pictures_are_distinct_and_small():
    """No two pictures look the same below the headline; all are less than 3 MB, and load nothing."""
    files = sorted(gallery.FOLDER.iterdir())
    assert [file.stem for file in files] == sorted(scenario.name for scenario in read(find()))
    assert list(gallery.same({file.stem: gallery.screen_of(file.stem) for file in files})) == []
    assert sum(file.stat().st_size for file in files) < 3_000_000
    for file in files:
        text = file.read_text(encoding="utf-8")
        tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(text).iter()}
        assert tags == {"svg", "title", "desc", "metadata", "style", "g", "path", "rect", "text"}
        assert re.findall(r"url\(|href|@import|https?://(?!www\.w3\.org/2000/svg)", text) == []


# -- the moving picture ------------------------------------------------------------------------


def test_the_moving_picture_shows_what_the_readme_says():
    """Its still frame has the blocked loop, the line that blocks it, and requests that are ready and wait."""
    tree = ET.fromstring(text_of("docs/cast.svg"))
    style = tree.findtext(f"{SVG}style")
    assert style is not None
    defined = {part.get("id"): "".join(part.itertext()) for part in tree.findall(f"{SVG}defs/{SVG}g")}
    frames = [
        [defined[use.attrib["href"].removeprefix("#")] for use in frame.findall(f"{SVG}use")]
        for frame in tree.iterfind(f".//{SVG}g[@id='film']/{SVG}g")
    ]
    width = int(tree.attrib["width"])
    moved = re.search(r"#film\{transform:translateX\(-(\d+)px\)\}", style)
    assert moved is not None
    still = int(moved[1]) // width
    shown = frames[still]
    assert sum(line.startswith("#") and "ready" in line for line in shown) >= 2
    assert any(line.startswith("EVENT LOOP") and "BLOCKED" in line for line in shown)
    line = next(
        n for n, text in enumerate(text_of("scenarios/blocking.py").splitlines(), 1) if "time.sleep(" in text
    )
    assert any(f"blocking.py:{line}" in text for text in shown)
    assert any(f"{line}time.sleep(1)" in text and "BLOCKS" in text for text in shown)
    assert f"`blocking.py:{line}`" in text_of("README.md")


@pytest.mark.parametrize("name", FILMS)
def test_the_moving_pictures_stand_alone(name):
    """They have no script and load nothing, they move only where motion is wanted, and they are small."""
    text = text_of(f"docs/{name}.svg")
    assert f"(docs/{name}.svg)" in text_of("README.md")
    assert all(step.caption.text in text for step in FILMS[name].steps)
    tree = ET.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} == {
        "svg", "title", "desc", "style", "defs", "clipPath", "g", "use", "path", "rect", "text",
    }  # fmt: skip
    links = [value for element in tree.iter() for name, value in element.items() if name.endswith("href")]
    assert all(link.startswith("#") for link in links)
    assert re.findall(r"url\((?!#)|@import|@font-face|https?://(?!www\.w3\.org/2000/svg)", text) == []
    before, _, after = text.partition("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in before
    assert after.startswith("{#film{animation:")
    assert len(text) < 1_000_000
