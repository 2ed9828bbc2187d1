"""What processes say to each other: frames of any size, in pieces of any size."""

from __future__ import annotations

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
