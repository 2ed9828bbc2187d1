"""What `esc` takes back, one layer at a time: filter, selection, mark, and then the way to the present."""

from __future__ import annotations

from typing import Literal

from loopviz.tui.view import View

__all__ = ["Layer", "layers", "sentence", "take_back"]

Layer = Literal["filter", "selection", "mark", "cursor", "time"]

_DONE: dict[Layer, str] = {
    "filter": "All rows are shown again.",
    "selection": "No request is selected.",
    "mark": "The mark is removed.",
    "cursor": "The time cursor is removed.",
    "time": "This is the present.",
}
_NEXT: dict[Layer, str] = {
    "filter": "shows all rows",
    "selection": "selects nothing",
    "mark": "removes the mark",
    "cursor": "removes the time cursor",
    "time": "goes to the present",
}


def layers(view: View, *, live: bool) -> list[Layer]:
    """What can be taken back, in the order in which it is. A recording has no present to go to."""
    found: list[tuple[Layer, bool]] = [
        ("filter", bool(view.words)),
        ("selection", view.cursor is not None),
        ("mark", view.mark is not None),
        ("cursor", view.at is not None and not live),
        ("time", live and view.behind is not None),
    ]
    return [layer for layer, there in found if there]


def take_back(view: View, layer: Layer) -> None:
    """Take it back. The filter's field is the screen's."""
    if layer == "filter":
        view.words = ""
    elif layer == "selection":
        view.cursor = None
    else:
        view.remember()
        view.mark = None
        view.change, view.changed = "", None
        if layer == "cursor":
            view.at = None
        elif layer == "time":
            view.follow()


def sentence(view: View, taken: Layer, key: str, *, live: bool) -> str:
    """What was taken back, and what the key does next."""
    left = layers(view, live=live)
    return _DONE[taken] + (f" {key} now {_NEXT[left[0]]}." if left else "")
