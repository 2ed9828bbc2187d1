"""Two versions of an application: whether they answer the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loopviz.draw.answers import said
from loopviz.model.answers import IGNORED, compare
from loopviz.stream.answer import LONGEST, Answer, answer

JSON = {"content-type": "application/json"}


def answered(body: Any, status: int = 200, /, **headers: str) -> Answer:
    """An answer with a JSON body; bytes are sent as they are, as text."""
    plain = isinstance(body, bytes)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "text/plain"} if plain else JSON
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(1, status, (given | named | {"content-length": str(len(data))}).items(), data, 1_000_000)


def sentences(original: list[Answer], changed: list[Answer]) -> str:
    """What is said of them."""
    return " ".join(said(compare(original, changed)))


def test_equal_answers_are_said_to_be_the_same():
    """All of them are counted, and what was compared is named."""
    both = [answered({"n": 1}), answered({"n": 1})]
    assert sentences(both, both) == "2 of 2 answers are the same: status, headers, bodies."
    assert sentences(both[:1], both[:1]) == "The answer is the same: status, headers, body."


def test_headers_that_differ_by_their_nature_are_not_compared():
    """Dates, timers and request numbers say nothing of a change."""
    one = answered({}, 200, **{name.replace("-", "_"): "1" for name in IGNORED})
    other = answered({}, 200, **{name.replace("-", "_"): "2" for name in IGNORED})
    assert compare([one], [other]).same == 1
    assert compare([one], [answered({})]).same == 1


def test_json_is_compared_as_values():
    """The order of keys and the white space are no difference."""
    one = answer(1, 200, JSON.items(), b'{"a": 1, "b": [1, 2]}', 1_000)
    other = answer(2, 200, JSON.items(), b'{"b":[1,2],"a":1}', 1_000)
    assert compare([one], [other]).same == 1


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (answered({}), answered({}, 500), "status: 200 -> 500."),
        (answered({}), Answer(1, None, error="ReadError"), "status: 200 -> ReadError."),
        (answered({}, etag="a"), answered({}), "header etag: a -> none."),
        (answered({"a": {"b": [1, 2]}}), answered({"a": {"b": [1, 3]}}), "$.a.b[1]: 2 -> 3."),
        (answered({"a": 1}), answered({"b": 1}), "$.a: 1 -> nothing. $.b: nothing -> 1."),
        (answered([1]), answered([1, 2]), "$: 1 items -> 2 items."),
        (answered({"a": 1}), answered({"a": True}), "$.a: 1 -> true."),
        (answered(b"four"), answered(b"fork"), "body: four (byte 2) -> fork (byte 2)."),
        (answered(b"\x1b[2J"), answered(b"x"), "body: \\x1b[2J (byte 0) -> x (byte 0)."),
    ],
)
def test_a_difference_names_its_place_and_both_values(before, after, expected):
    """Of a body, the innermost place; what comes from outside is printable."""
    text = sentences([before, before], [before, after])
    assert text == f"1 of 2 answers differs. {expected}"


def test_a_place_that_differs_often_is_named_once():
    """With the number of answers that differ there."""
    text = sentences([answered({"a": 1})] * 3, [answered({"a": 2})] * 3)
    assert text == "3 of 3 answers differ. $.a: 1 -> 2 (3 answers)."


def test_what_varies_in_the_original_is_no_difference():
    """A time stamp, a random id and a list that grows differ between the original's own answers too."""
    original = [answered({"at": n, "seen": [0] * n, "name": "x"}, x_id=str(n)) for n in (1, 2)]
    changed = [answered({"at": n, "seen": [0] * n, "name": "x"}, x_id=str(n)) for n in (3, 4)]
    compared = compare(original, changed)
    assert compared.same == 2
    assert set(compared.varies) == {"$.at", "$.seen", "header x-id"}
    assert "Varies in the original as well, and is not counted: " in " ".join(said(compared))
    wrong = [answered({"at": 5, "seen": [7], "name": "y"}, x_id="3")] * 2
    assert [difference.what for difference in compare(original, wrong).differences] == ["$.name"]


def test_a_body_that_varies_as_a_whole_leaves_status_and_headers_to_compare():
    """No place inside of it is named."""
    original = [answered(b"a1"), answered(b"b2")]
    assert compare(original, [answered(b"c3"), answered(b"d4")]).same == 2
    assert compare(original, [answered(b"c3", 404), answered(b"d4")]).same == 1


def test_more_answers_of_the_original_show_what_varies():
    """With one request, a second answer of the original is what it is compared with."""
    original = [answered({"at": 1}), answered({"at": 2})]
    assert compare(original, [answered({"at": 3})]).same == 1
    assert compare(original[:1], [answered({"at": 3})]).same == 0


def test_fewer_answers_of_the_original_are_enough():
    """The last one stands for those that are missing; without any, nothing is said to be the same."""
    one = answered({})
    assert sentences([one], [one, one]) == "2 of 2 answers are the same: status, headers, bodies."
    assert compare([one], [one, answered({"a": 1})]).same == 1
    assert "there are none" in sentences([one], [])
    assert "there are none" in sentences([], [one])


def test_briefly_the_status_codes_alone_are_compared():
    """A declared repair is another scenario, whose answers say what it does."""
    before, after = answered(b"blocked"), answered(b"awaited", x_new="1")
    compared = compare([before, before], [after, answered(b"awaited", 500)], briefly=True)
    assert said(compared) == ["1 of 2 answers differs.", "status: 200 -> 500."]
    assert said(compare([before], [after], briefly=True)) == [
        "1 of 1 answers have the same status; this repair has words of its own."
    ]


def test_long_bodies_are_compared_by_their_hash():
    """They are not kept; that they were compared in this way is said."""
    one, same = (answer(n, 200, [], b"a" * (LONGEST + 1), 10**9) for n in (1, 2))
    other = answer(3, 200, [], b"b" * (LONGEST + 1), 10**9)
    assert one.body is None
    assert compare([one], [same]).same == 1
    text = sentences([one, same], [other, one])
    assert "body: 100001 bytes -> 100001 bytes." in text
    assert "length and hash were compared" in text


def test_a_document_of_any_depth_and_size_is_compared():
    """Beyond some depth, and some number of values, it is compared as a whole."""
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    changed = json.loads(json.dumps(deep).replace("1", "2"))
    assert compare([answered(deep)], [answered(deep)]).same == 1
    assert compare([answered(deep)], [answered(changed)]).same == 0
    many = list(range(5_000))
    assert len(compare([answered(many)], [answered(many[::-1])]).differences) == 100
    hostile = answer(1, 200, JSON.items(), b"[" * 90_000, 10**6)
    assert compare([hostile], [answered({})]).same == 0
