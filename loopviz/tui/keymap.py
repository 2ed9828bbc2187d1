"""The keys as they are now: those of the table, and those that a keymap has put in their place."""

from __future__ import annotations

import string
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from loopviz.tui.keys import TABLE, Context, Foot, Key, Row, keys_of

__all__ = ["FootItem", "Keys", "written"]


def _name(sign: str) -> str:
    """Textual's name for a punctuation mark: ``full_stop``."""
    names = {
        "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
        "plus_sign": "plus", "low_line": "underscore",
    }  # fmt: skip
    name = unicodedata.name(sign).lower().replace("-", "_").replace(" ", "_")
    return names.get(name, name)


_SIGNS = {**{_name(sign): sign for sign in string.punctuation}, "escape": "esc"}


def written(key: str) -> str:
    """A key as people read it, from Textual's name for it: ``.`` for ``full_stop``."""
    modifiers, plus, name = key.rpartition("+")
    return modifiers + plus + _SIGNS.get(name, name)


class FootItem(NamedTuple):
    """Some keys in the foot line, as they are shown, and which key a click on which part presses."""

    keys: tuple[tuple[str, str], ...]
    """The parts of what is shown, ``+`` and ``/-``, and the key that a click on each presses."""
    words: str
    press: str
    """The key that a click on the words presses."""

    @property
    def shown(self) -> str:
        """The keys as they are written: ``+/-``."""
        return "".join(part for part, _ in self.keys)


class Keys:
    """Which keys are bound to what, under a keymap: a binding's id, and the keys to use instead.

    As in Textual, a key that the keymap has put somewhere is no longer bound to anything else on the
    same screen.
    """

    def __init__(
        self,
        keymap: Mapping[str, str] | None = None,
        *,
        server: bool = True,
        client: bool = True,
        routes: bool = False,
    ) -> None:
        """`keymap` is one for `textual.app.App.set_keymap`: keys as Textual names them, or single signs.

        Without a `server`, what needs one is bound as well, but not offered; so is what needs loopviz's own
        `client`. With `routes` an application of
        the user's own is shown: it has routes where there are scenarios otherwise.
        """
        self._server = server
        self._routes = routes
        self._client = client
        chosen = {id_: _split(keys) for id_, keys in (keymap or {}).items()}
        taken: dict[str, set[str]] = defaultdict(set)
        for section in TABLE:
            for key in keys_of(section.context):
                taken[_scope(section.context)].update(chosen.get(key.id, ()))
        self._keys: dict[str, tuple[str, ...]] = {}
        self._bound: set[str] = set()
        for section in TABLE:
            scope = _scope(section.context)
            for key in keys_of(section.context):
                free = tuple(name for name in _split(key.keys) if name not in taken[scope])
                self._keys[key.id] = chosen.get(key.id, free)
                if scope == "picture":
                    self._bound.update(self._keys[key.id])
        self._foot = list(self._foot_items())

    def offers(self, row: Row) -> bool:
        """Whether what the row's keys do can be done here."""
        there = (self._server or not row.server) and (self._client or not row.client)
        return there and not (self._routes and row.lessons)

    def said(self, text: str) -> str:
        """A text of the table, with the word for what is fired here: a route, or a scenario."""
        return text.replace("scenario", "route").replace("Scenario", "Route") if self._routes else text

    def of(self, id_: str) -> tuple[str, ...]:
        """The keys of a binding, by Textual's names; without those that are not to be shown."""
        return self._keys[id_]

    def binds(self, key: str) -> bool:
        """Whether a key has a meaning on the picture, by Textual's name for it."""
        return key in self._bound

    def shown(self, *ids: str) -> str:
        """How to write the first key of each of these bindings: ``left/right``."""
        return "/".join(written(self._keys[id_][0]) for id_ in ids if self._keys[id_])

    def of_row(self, row: Row) -> tuple[list[str], list[list[str]]]:
        """The keys of a row as they are written: those to name in front, and groups of further ones."""
        lead = [self._written(key) for key in row.keys if key.lead]
        rest = [self._written(key) for key in row.keys if not key.lead]
        further = [[names[at] for names in lead if len(names) > at] for at in range(1, 9)]
        further += [[names[at] for names in rest if len(names) > at] for at in range(9)]
        return [names[0] for names in lead if names], [group for group in further if group]

    def line(self, row: Row) -> tuple[str, str]:
        """A row of the help: its keys, and its words with whatever else does the same."""
        first, further = self.of_row(row)
        others = ", ".join([*map(" ".join, further), *([row.also] if row.also else [])])
        text = self.said(row.words)
        return " ".join(first), f"{text} (also {others})" if others else text

    def foot(self, words: Mapping[str, str], *places: str) -> list[FootItem]:
        """The foot line's items in some of its places.

        `words` are put in for the names in braces (`loopviz.tui.keys.Foot`). What has no words is left out.
        """
        return [
            item._replace(words=foot.words.format_map(words))
            for foot, item in self._foot
            if foot.place in places and foot.words.format_map(words)
        ]

    def _foot_items(self) -> Iterator[tuple[Foot, FootItem]]:
        for row in (row for section in TABLE for row in section.rows if self.offers(row)):
            keys = [self._keys[key.id][0] for key in row.keys if key.lead and self._keys[key.id]]
            if row.foot is not None and keys:
                parts = [("/" if at else "") + written(key) for at, key in enumerate(keys)]
                press = keys[min(row.foot.press, len(keys) - 1)]
                yield row.foot, FootItem(tuple(zip(parts, keys, strict=True)), row.foot.words, press)

    def _written(self, key: Key) -> list[str]:
        return [written(name) for name in self._keys[key.id]]


def _split(keys: str) -> tuple[str, ...]:
    names = (name.strip() for name in keys.split(","))
    return tuple(
        _name(name) if len(name) == 1 and name in string.punctuation else name for name in names if name
    )


def _scope(context: Context) -> str:
    """Keys of the picture and of the whole program are looked up together."""
    return "picture" if context == "app" else context
