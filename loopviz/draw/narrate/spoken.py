"""Words that can be read aloud: ``requests 2 to 5`` in place of ``#2 #3 #4 #5``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from loopviz.clock import NS
from loopviz.draw.words import duration

__all__ = ["between", "named", "numbers", "spoken", "took"]

_TAGS = re.compile(r"(requests?: |[Tt]he request )?#(\d+[a-z]?(?: #\d+[a-z]?)*)( …)?( and \d+ more)?")
"""Requests as the screen names them, and what may stand before and after them."""
_KEY = re.compile(r" \([^\w\s()]\)")
"""A key of the screen in a sentence: `` (])``."""
_MOST = 4
"""So many stretches of numbers are named."""


def spoken(text: str) -> str:
    """A sentence of the screen in words: it has no signs in place of words, and no keys."""
    said = _TAGS.sub(_in_words, _KEY.sub("", text))
    if text.startswith("#"):
        said = said[:1].upper() + said[1:]
    return f"{said}." if said.endswith("others") else said


def _in_words(found: re.Match[str]) -> str:
    before, tags, more, rest = found[1] or "", found[2].split(" #"), found[3], found[4] or ""
    parts = [tags[0] if len(tags) == 1 else _together([(tag, "") for tag in tags], last=not (more or rest))]
    if more:
        parts.append("others")
    said = " and ".join(parts) + rest
    noun = "" if before.startswith("request") else "request " if len(tags) == 1 and not rest else "requests "
    if not before and found.string[: found.start()].endswith((". ", "! ")):
        noun = noun.capitalize()
    return f"{before}{noun}{said}"


def numbers(tagged: Sequence[tuple[int, str]], most: int = _MOST) -> str:
    """Numbers and letters of requests: ``1``, ``2 to 8``, ``1, 3 and 5 to 8``, ``1, 3, 5, 7 and others``."""
    return _together([(f"{number}{letter}", letter) for number, letter in tagged], most=most)


def named(tagged: Sequence[tuple[int, str]]) -> str:
    """The same with its noun: ``Request 1``, ``Requests 2 to 8``."""
    return f"Request{'s' if len(tagged) > 1 else ''} {numbers(tagged)}"


def _together(tags: Iterable[tuple[str, str]], *, most: int = _MOST, last: bool = True) -> str:
    """Tags in stretches that follow each other; `last`: whether the last one is joined by "and"."""
    stretches: list[list[str]] = []
    for tag, _ in tags:
        if stretches and _follows(stretches[-1][-1], tag):
            stretches[-1].append(tag)
        else:
            stretches.append([tag])
    parts: list[str] = []
    left = 0
    for stretch in stretches:
        if len(parts) + min(2, len(stretch)) > most and stretch is not stretches[0]:
            left += len(stretch)
        elif len(stretch) > 2:
            parts.append(f"{stretch[0]} to {stretch[-1]}")
        else:
            parts += stretch
    if left:
        return f"{', '.join(parts)} and {left} other{'' if left == 1 else 's'}"
    if len(parts) == 1 or not last:
        return ", ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _follows(one: str, other: str) -> bool:
    """Whether a tag is the next one of the same worker: ``4b`` after ``3b``."""
    first, second = one.rstrip("abcdefghijklmnopqrstuvwxyz"), other.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(second) == int(first) + 1 and one[len(first) :] == other[len(second) :]


def took(ns: int) -> str:
    """How long a request took: ``2.00 s``, ``12 ms``."""
    return f"{ns / NS:.2f} s" if 0.9995 * NS <= ns < 100 * NS else duration(ns)


def between(least: int, most: int) -> str:
    """How long several took: ``1.00 to 1.02 s``, ``850 ms to 1.02 s``; once if that is the same."""
    short, long = took(least), took(most)
    if short == long:
        return long
    if short.partition(" ")[2] == long.partition(" ")[2]:
        short = short.partition(" ")[0]
    return f"{short} to {long}"
