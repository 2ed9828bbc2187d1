"""What a watched process and the program that shows it say to each other. Pure: bytes in, messages out."""

from loopviz.wire.frames import Decoder, WireError, encode
from loopviz.wire.messages import PROTOCOL

__all__ = ["PROTOCOL", "Decoder", "WireError", "encode"]
