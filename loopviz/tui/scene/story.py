"""The lines below the rows: what happens and why; when a burst is over, the verdict; and what to change."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.segment import Segment

from loopviz.draw import health, incidents, serving, words
from loopviz.draw.safe import printable
from loopviz.draw.story import Said, say
from loopviz.draw.verdict import Verdicts
from loopviz.model import Burst, Timeline
from loopviz.stream.blind import nothing_visible
from loopviz.stream.source import Death
from loopviz.tui.scene.frame import Facts
from loopviz.tui.scene.pen import Line, Pen
from loopviz.tui.scene.reasons.known import Known
from loopviz.tui.scene.selected import Selected
from loopviz.tui.view import View

__all__ = ["Story"]

_NARROW = 150
"""Below this width each sentence has at most 77 columns."""
_MOMENT = 100_000_000
"""How long a sentence about the present is kept (ns)."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the lines say."""

    mood: words.Mood
    sentences: list[str]
    repair: str = ""
    repaired: str = ""
    """The scenario that shows the repair."""
    verdict: bool = False
    made: bool = False
    """Whether a repair can be made from the code."""


class Story:
    """Composes the lines, and keeps what does not change with every frame."""

    def __init__(self, known: Known | None = None) -> None:
        self._known = known or Known()
        self.fires: int | None = None
        """Which of the last lines ends with the key that fires the repair; None for none."""
        self._verdicts = Verdicts()
        self._moment: tuple[int, tuple[object, ...], _Shown | None] = (0, (), None)
        self._selected = Selected()

    def lines(
        self, pen: Pen, facts: Facts, timeline: Timeline, view: View, width: int, rows: int = 2
    ) -> list[Line]:
        """So many lines: what happens in the first, and the repair, if there is one, in the last."""
        shown = self._all(facts, timeline, view, width)
        lines, self.fires = _drawn(pen, shown, facts, width, rows)
        return lines

    def _all(self, facts: Facts, timeline: Timeline, view: View, width: int) -> _Shown:
        """What the lines say; notices, and what has gone wrong, come first."""
        if view.notice:
            return _Shown("dim", [view.notice])
        if facts.death is not None and view.at is None:
            return _Shown("alarm", _of_death(facts, facts.death))
        shown = self._recent(facts, timeline, view, brief=width < _NARROW)
        if (unseen := nothing_visible(facts.blind)) is not None:
            shown = _Shown("alarm", [printable(unseen, 400)])
        elif view.load is not None and (held_back := serving.unsent(view.load)):
            shown = _Shown("alarm", [held_back, *shown.sentences[:1]])
        elif (ended := incidents.latest(timeline, view.moment)) is not None:
            shown = _Shown("alarm", [ended, *shown.sentences[:1]])
        if out := health.taken_out(timeline, view.moment):
            shown = replace(shown, sentences=[*shown.sentences[:1], out])
        if view.guessed and view.at is None:
            shown = _Shown(shown.mood, [view.guessed, *shown.sentences[:1]])
        if view.change:
            # What lies around a place is not about it: the next moment may be the opposite.
            others = shown.sentences[:1] if view.changed is not None or shown.mood == "alarm" else []
            shown = _Shown(shown.mood, [view.change, *others])
        if selected := self._selected.sentences(timeline, view):
            shown = _Shown("dim", selected)
        return shown

    def _recent(self, facts: Facts, timeline: Timeline, view: View, *, brief: bool) -> _Shown:
        """What happens; in a picture that moves, it is found ten times a second."""
        asked = view.asked
        if view.behind is not None:
            return self._of_moment(facts, timeline, view, brief=brief)
        key = timeline, facts, brief, asked, asked and asked.waits, view.at, timeline.newest_burst(view.now)
        since, known, shown = self._moment
        if shown is None or key != known or not 0 <= view.now - since < _MOMENT:
            shown = self._of_moment(facts, timeline, view, brief=brief)
            self._moment = view.now, key, shown
        return shown

    def _of_moment(self, facts: Facts, timeline: Timeline, view: View, *, brief: bool) -> _Shown:
        now = view.moment
        said = say(timeline, now, brief=brief)
        burst = timeline.newest_burst(now)
        unsent = view.unsent(burst)
        if unsent is not None:
            waits = _begins(unsent.count)
            if unsent.waits:
                name = printable(unsent.file.name, 40)
                waits = f"{name} is sent when it is ready: {printable(unsent.waits, 60)}."
            return _Shown("dim", [waits, *(said.sentences[:1] if said.row.id != "nothing" else [])])
        if said.row.id != "nothing":
            return _while_it_lasts(facts, said, burst)
        if burst is None:
            return _Shown("dim", [*said.sentences, *_invitation(facts)])
        if not burst.over(now):
            return _Shown("dim", [_beginning(burst, now)])
        file = facts.scenario(burst.scenario)
        declared = file.facts if file is not None else None
        known = self._known.of_burst(facts, timeline, view, burst)
        found = known or []
        if view.moves:
            over = self._verdicts.of(timeline, burst, declared, now, found)
        else:  # of exactly this moment (1 ns), and anew (0) while events of it can still arrive
            over = self._verdicts.of(timeline, burst, declared, now, found, again=0 if view.arrives else 1)
        if known is None:  # why, and what repairs it, is still looked for
            return _Shown(over.mood, [over.measured], verdict=True)
        sentences = [over.measured, *filter(None, [over.why])]
        made = bool(found) and found[0].repair is not None
        return _Shown(over.mood, sentences, over.repair, over.repaired, verdict=True, made=made)


def _while_it_lasts(facts: Facts, said: Said, burst: Burst | None) -> _Shown:
    """What happens, and what repairs it: as the scenario says, if one of its requests is concerned."""
    shown = _Shown(said.mood, said.sentences, said.repair)
    file = facts.scenario(burst.scenario) if burst is not None else None
    if burst is None or file is None or said.row.repair is None or not file.facts.repair:
        return shown
    if not any(burst.first <= number < burst.stop for number in said.requests):
        return shown
    declared = file.facts
    return _Shown(
        said.mood,
        said.sentences,
        printable(declared.repair or "", 200),
        printable(declared.repaired or "", 40),
    )


def _drawn(pen: Pen, shown: _Shown, facts: Facts, width: int, rows: int) -> tuple[list[Line], int | None]:
    """The lines, and which of them ends with the key of the repair.

    The repair has the last line; of the sentences, as many as there is room for.
    """
    room, sentences = width - 3, list(shown.sentences)
    repair, key = _repair(pen, shown, facts)
    if repair:
        whole = " ".join(sentences)
        if rows == 2:
            sentences = [whole if cell_len(whole) <= room else sentences[0]]
        rows -= 1
    bar = Segment("▌ " if pen.palette.unicode else "| ", pen.palette.text(shown.mood))
    strong = shown.verdict or shown.mood == "alarm"
    lines: list[Line] = [
        [bar, Segment(text, pen.title if strong and not at else pen.text)]
        for at, text in enumerate(words.wrapped(sentences, room, rows))
    ]
    if repair:
        lines.append([bar, *repair])
    place = len(lines) - 1 if key else None
    return [*lines, *[[bar]] * (rows + bool(repair) - len(lines))], place


def _repair(pen: Pen, shown: _Shown, facts: Facts) -> tuple[Line, bool]:
    """What to change, and, if it can be shown here, the key that does; whether it can."""
    if not shown.repair:
        return [], False
    line = [Segment("Repair: ", pen.dim), Segment(shown.repair, pen.text)]
    key = facts.keys.shown("picture.repaired")
    known = bool(shown.repaired) and facts.scenario(shown.repaired) is not None
    if not (key and facts.live and (known or (shown.made and not facts.attached))):
        return line, False
    strong = pen.palette.style(pen.palette.colours.accent, bold=True)
    what = shown.repaired if known else "shows it"
    return [*line, Segment(f"   {key}", strong), Segment(f" {what}", pen.text)], True


def _beginning(burst: Burst, now: int) -> str:
    """A burst that is fired, while none of its requests is in progress."""
    answered = sum(request.done is not None and request.done <= now for request in burst.requests)
    if not answered:
        return _begins(burst.count)
    return f"{answered} of {words.count(burst.count, 'request')} answered."


def _begins(count: int) -> str:
    return f"{words.count(count, 'request')} fired; the client begins to send."


def _of_death(facts: Facts, death: Death) -> list[str]:
    restart = (
        "" if facts.attached else facts.keys.shown("picture.restart")
    )  # what others have started is theirs
    return serving.died(death.how, death.where, death.tail, restart)


def _invitation(facts: Facts) -> list[str]:
    """What to do first: before anything was fired, and nothing has come from elsewhere."""
    if not facts.live:
        return ["Nothing was fired up to this moment of the recording."]
    if facts.application is not None or facts.attached:
        return serving.invitation(
            len(facts.scenarios), facts.address, facts.keys.shown("picture.open"), attached=facts.attached
        )
    keys = [f"{file.facts.key} {printable(file.name, 40)}" for file in facts.scenarios if file.facts.key]
    return [
        f"Press a letter to fire requests: {', '.join(keys)}."
        if keys
        else f"No scenario has a key. Press {facts.keys.shown('picture.scenarios')} to choose one."
    ]
