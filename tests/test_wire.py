"""What processes say to each other: frames of any size, in pieces of any size."""

from __future__ import annotations

import enum
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopviz.wire.frames import MOST, Decoder, WireError, encode

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
messages = st.lists(st.tuples(st.text(max_size=10), plain), max_size=5)


@given(messages, st.data())
def test_messages_arrive_whole_and_in_order(sent, data):
    """However the bytes are cut, the messages that come out are those that were put in."""
    stream = b"".join(map(encode, sent))
    decoder = Decoder()
    received: list[object] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        received += decoder.feed(stream[:cut])
        stream = stream[cut:]
    assert received == sent


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("too long", (MOST + 1).to_bytes(4, "big")),
        ("no value", b"\0\0\0\x01?"),
        ("no message", encode(("kind",))[:4] + b"i\x01\0\0\0" + b"\0" * 50),
        ("empty", b"\0\0\0\0"),
    ],
)
def test_what_is_no_frame_is_refused(name, data):
    """Bytes that are no message of loopviz's raise a `WireError`, and no other exception."""
    with pytest.raises(WireError):
        list(Decoder().feed(data))


class _Page(enum.StrEnum):
    HOME = "home.html"


def test_values_of_an_enum_are_sent_as_plain_ones():
    """An application may have given a text or a number of a type of its own: marshal does not write it."""
    sent = ("events", [(1, _Page.HOME, HTTPStatus.OK, None, True)], {_Page.HOME: 1})
    (received,) = Decoder().feed(encode(sent))
    assert received == ("events", [(1, "home.html", 200, None, True)], {"home.html": 1})
    assert [type(value) for value in received[1][0]] == [int, str, int, type(None), bool]
    with pytest.raises(ValueError, match="unmarshallable"):
        encode(("events", object()))
