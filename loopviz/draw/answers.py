"""Whether two versions of an application answer the same, in words."""

from __future__ import annotations

from loopviz.draw import words
from loopviz.draw.safe import printable
from loopviz.model.answers import Compared, Difference

__all__ = ["said"]

_NAMED = 2
"""So many places are named."""


def said(compared: Compared) -> list[str]:
    """Sentences on what is the same, what is not, what could not be compared, and what varies by itself."""
    sentences = [_result(compared)]
    sentences += [_difference(difference) for difference in compared.differences[:_NAMED]]
    more = len(compared.differences) - _NAMED
    if more > 0:
        sentences.append(f"There are {words.count(more, 'more difference')}.")
    if compared.unread:
        bodies = words.count(compared.unread, "body", "bodies")
        sentences.append(f"Of {bodies} that are too long to be kept, length and hash were compared.")
    if compared.varies:
        places = [printable(place, 40) for place in compared.varies[:_NAMED]]
        more = len(compared.varies) - len(places)
        listed = ", ".join([*places, f"{more} more"] if more else places)
        sentences.append(f"Varies in the original as well, and is not counted: {listed}.")
    return sentences


def _result(compared: Compared) -> str:
    if not compared.of:
        return "The answers could not be compared: there are none."
    if compared.briefly and compared.same == compared.of:
        return (
            f"{compared.of} of {compared.of} answers have the same status; this repair has words of its own."
        )
    if compared.same == compared.of:
        if compared.of == 1:
            return "The answer is the same: status, headers, body."
        return f"{compared.of} of {compared.of} answers are the same: status, headers, bodies."
    differ = compared.of - compared.same
    verb = "differs" if differ == 1 else "differ"
    return f"{differ} of {words.count(compared.of, 'answer')} {verb}."


def _difference(difference: Difference) -> str:
    before, after = printable(difference.before, 60), printable(difference.after, 60)
    many = f" ({words.count(difference.requests, 'answer')})" if difference.requests > 1 else ""
    return f"{printable(difference.what, 60)}: {before} -> {after}{many}."
