"""Events in, sentences out: what is said, and when.

Time is cut into ticks of the events' clock. After each, what is known of it is looked at, so that a live
server and a recording of it give the same sentences, however fast their events come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from loopviz.clock import NS
from loopviz.draw.health import taken_out
from loopviz.draw.incidents import sentence
from loopviz.draw.narrate.arrivals import expectation, were_sent
from loopviz.draw.narrate.blocks import were_left_out
from loopviz.draw.narrate.ends import End, ends, unanswered
from loopviz.draw.narrate.outcome import found_in, found_since, judged, summed_up
from loopviz.draw.narrate.pace import Pace, repeat_after
from loopviz.draw.narrate.sentence import Sentence, Topic
from loopviz.draw.narrate.situation import Situation, situation
from loopviz.draw.source import lines_of
from loopviz.model import Block, Burst, Incident, Request, Timeline
from loopviz.scenario import Scenario
from loopviz.stream.events import Event

__all__ = ["SETTLE", "TICK", "Narrator"]

TICK = NS // 20
"""How far apart the moments are that are looked at (ns)."""
SETTLE = 2 * NS // 5
"""So long after a burst is over it is judged (ns): what a block did is known a little after it."""
_LATE = NS // 2
"""A request is over so long after its response (ns), even if its client has not said so."""
_MOMENT = NS // 5
"""Requests of the same moment are one sentence: it waits so long for more of them (ns)."""
_QUIET = NS
"""When nothing has happened for so long (ns), the next request is a new beginning."""
_PRUNE = NS
_INTERRUPTED = NS
"""What was so until so long ago (ns) is still so: something else was to be said for a moment."""
_AGAIN = 5 * NS
"""The same sentence is not said again for so long (ns), if it was not true in between."""
_HINDSIGHT = 3 * NS
"""How long after its end a block may become known (ns)."""
_SILENCE = 1_000
"""Where there was no event for long, the next moment is this part of that time later."""
_MOST = 5_000
"""So many situations, and as many blocks, are remembered where requests never end."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Facts = Callable[[str], Scenario | None]
"""The facts of the scenario with this name, if they are known."""


class Narrator:
    """Says what happens in sentences, from the events of a server or of a recording.

    `facts` gives what a scenario declares; `gil`: whether the server has one.
    """

    def __init__(
        self,
        facts: Facts = lambda _: None,
        *,
        gil: bool = True,
    ) -> None:
        self.timeline = Timeline()
        self._facts = facts
        self._lines = partial(lines_of, self.timeline)
        self._gil = gil
        self._pace = Pace()
        self._tick = 0
        """The moment that is looked at next (ns); 0 before the first event."""
        self._held: list[Event] = []
        """Events up to that moment."""
        self._said: list[Sentence] = []
        self._last = 0
        self._pruned = 0
        self._zero = 0
        """The first request of what is going on; 0 while nothing is."""
        self._active = 0
        """When something was going on last."""
        self._seen: set[int] = set()
        """Requests that are known, in part also those that have ended."""
        self._open: dict[int, Request] = {}
        self._sent: list[Request] = []
        """Those of which it is not said yet that they were sent."""
        self._ended: list[End] = []
        self._foreign = 0
        """How many requests of other clients, or of a steady load, have ended since the zero."""
        self._failed = 0
        """How many of these have failed."""
        self._ended_last = 0
        self._bursts: dict[int, Burst] = {}
        """Those that are not judged."""
        self._announced: set[int] = set()
        self._explained: set[str] = set()
        """Scenarios of which it is said what is expected."""
        self._incident: Incident | None = None
        self._out = (0, False)
        """The last time that a load balancer would have taken it out, and whether its end was said."""
        self._now: Situation | None = None
        self._since = 0
        self._repeat = 0
        """When the present situation is said again (ns); 0 if it was not said."""
        self._places: set[tuple[str, str]] = set()
        """Kinds of situations, and lines, that were described in full."""
        self._before: dict[tuple[str, tuple[int, int] | None], tuple[int, int, int]] = {}
        """Of situations: since when, when it is said again, and when it was so last (ns)."""
        self._described: dict[str, tuple[str, int]] = {}
        """The last sentence of each kind, and when it was said (ns)."""
        self._blocks: dict[tuple[int, int], bool] = {}
        """The blocks of this time; whether each was said, or is left out."""
        self._left_out: list[Block] = []

    # -- events ----------------------------------------------------------------------------------

    def take(self, events: Iterable[Event], until: int = 0) -> list[Sentence]:
        """Take in events, in the order of their time; what is to be said then.

        All that had happened by `until` (ns) is among these, or was before.
        """
        for event in events:
            t = event[0]
            if not self._tick:
                self._tick = (t // TICK + 1) * TICK
            while t > self._tick:
                self._look()
                if self._idle:  # nothing happens before this event
                    self._tick = max(self._tick, (t - 1) // TICK * TICK)
            self._held.append(event)
        while self._tick and self._tick <= until and not (self._idle and not self._held):
            self._look()
        return self._take_said()

    def finish(self, now: int = 0) -> list[Sentence]:
        """There will be no more events, and all up to `now` (ns) are there: what is still to be said.

        For a recording, `now` is 0: it ends with its last event.
        """
        if not self._tick:
            return []
        self._look()
        end = max(now, self.timeline.last)
        while self._bursts_over() and self._tick < end + _LATE + 2 * SETTLE:
            self._look()
        t = max(end, self._last)
        self._flush(t, force=True)
        self._leave_out(t, force=True)
        left = list(self._open.values())
        self._open.clear()
        over = [End(max(r.done, r.start), r) for r in left if r.done is not None]
        if over:
            self._ended += over
            self._flush(t, force=True)
        waiting = [request for request in left if request.done is None]
        if waiting:
            self._say(t, "end", unanswered(waiting, end), [request.id for request in waiting])
        for burst in list(self._bursts.values()):
            if burst.done is not None:
                self._judge(burst, t)
        self._conclude(t)
        return self._take_said()

    def _take_said(self) -> list[Sentence]:
        said, self._said = self._said, []
        return said

    @property
    def _idle(self) -> bool:
        """Whether nothing can be said before another event comes."""
        return not (self._open or self._sent or self._ended or self._bursts or self._zero or self._left_out)

    def _bursts_over(self) -> bool:
        return any(burst.done is not None for burst in self._bursts.values())

    # -- a moment --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take in what has happened up to the next moment, and say what is to be said of it."""
        t = self._tick
        held, self._held = self._held, []
        self.timeline.feed(held)
        silence = t - self.timeline.last if self.timeline.last else 0
        self._tick += max(TICK, silence // _SILENCE // TICK * TICK)
        self._arrive(t)
        self._end(t)
        self._say_incidents()
        self._health_at(t)
        if self._zero:
            self._follow(t)
            self._flush(t)
            self._leave_out(t)
            self._over(t)
        if t - self._pruned >= _PRUNE:
            self._pruned = t
            self.timeline.prune(t)
            if len(self._seen) > 2 * len(self.timeline.requests) + 1_000:
                self._seen &= self.timeline.requests.keys()

    def _arrive(self, t: int) -> None:
        """Find the requests that are new."""
        new: list[Request] = []
        for request in reversed(self.timeline.requests.values()):
            if request.id in self._seen:
                break
            new.append(request)
        if not new:
            return
        if not (self._open or self._bursts) and self.timeline.burst_of(new[-1].id) is not None:
            self._conclude(t - TICK)  # a burst has a zero of its own, unless something else goes on
        if not self._zero:
            self._zero = min(request.start for request in new)
            self._pace.begin(self._zero)
        for request in reversed(new):
            self._seen.add(request.id)
            self._open[request.id] = request
            burst = self.timeline.burst_of(request.id)
            if burst is not None and burst.number not in self._announced:
                self._announced.add(burst.number)
                self._bursts[burst.number] = burst
        self._sent += reversed(new)
        self._active = t

    def _end(self, t: int) -> None:
        """Find the requests that have ended."""
        for number, request in list(self._open.items()):
            end = _over_at(request, t)
            if end is not None:
                del self._open[number]
                self._ended.append(End(end, request))
                self._ended_last = max(self._ended_last, end)
                if self.timeline.burst_of(number) is None:
                    self._foreign += 1
                    self._failed += request.failed
                self._active = t

    def _say_incidents(self) -> None:
        """Say which processes have ended, or were started again."""
        incidents = self.timeline.incidents
        new: list[Incident] = []
        for incident in reversed(incidents):
            if incident is self._incident:
                break
            new.append(incident)
        if incidents:
            self._incident = incidents[-1]
        for incident in reversed(new):
            self._say(incident.t, "incident", sentence(self.timeline, incident))

    def _health_at(self, t: int) -> None:
        """Say when a load balancer would have sent no more requests, and when it would again."""
        for out in list(self.timeline.health.outs)[-1:]:
            new = (out.start, out.end is not None and out.end <= t)
            if self._out != new and (self._out[0] != out.start or new[1]):
                self._out = new
                self._flush(t, force=True)
                self._say(t, "incident", taken_out(self.timeline, t))

    # -- requests --------------------------------------------------------------------------------

    def _flush(self, t: int, *, force: bool = False) -> None:
        """Say which requests were sent, and which have ended, if it is time to."""
        if self._sent and (force or self._ripe("sent", [r.start for r in self._sent], t)):
            sent, self._sent = self._sent, []
            for part, burst in self._parted(sent):
                at = part[0].start if part[-1].start - part[0].start < _MOMENT else part[-1].start
                text = were_sent(part, burst, self._zero)
                self._say(at, "sent", text, [request.id for request in part])
                if burst is not None:
                    self._expect(burst, at)
            self._pace.said("sent", t)
        if self._ended and (force or self._ripe("end", [end.t for end in self._ended], t)):
            self._flush_sent_of(self._ended, t)
            ended, self._ended = self._ended, []
            for text, over in ends(ended, self._zero):
                self._say(max(end.t for end in over), "end", text, [end.request.id for end in over])
            self._pace.said("end", t)

    def _flush_sent_of(self, ended: Sequence[End], t: int) -> None:
        """Nothing ends before it is said that it was sent."""
        if self._sent and {end.request.id for end in ended} & {request.id for request in self._sent}:
            sent, self._sent = self._sent, []
            for part, burst in self._parted(sent):
                self._say(part[0].start, "sent", were_sent(part, burst, self._zero), [r.id for r in part])
                if burst is not None:
                    self._expect(burst, t)

    def _ripe(self, kind: str, times: Sequence[int], t: int) -> bool:
        """Whether no more of the same moment is expected, and it is time to say something of this kind."""
        complete = t - max(times) >= TICK // 2 or t - min(times) >= _MOMENT
        return complete and self._pace.may(kind, t)

    def _parted(self, sent: Sequence[Request]) -> list[tuple[list[Request], Burst | None]]:
        """The requests of each burst, those of the load, and those of other clients; in their order."""
        parts: dict[tuple[int, bool], list[Request]] = {}
        bursts: dict[int, Burst] = {}
        for request in sorted(sent, key=lambda request: (request.start, request.id)):
            burst = self.timeline.burst_of(request.id)
            number = 0 if burst is None else burst.number
            if burst is not None:
                bursts[number] = burst
            parts.setdefault((number, request.own), []).append(request)
        return [(part, bursts.get(number)) for (number, _), part in parts.items()]

    def _expect(self, burst: Burst, at: int) -> None:
        """Say once of a scenario what is expected of it."""
        if burst.scenario in self._explained:
            return
        self._explained.add(burst.scenario)
        said = expectation(self.timeline, burst, self._facts(burst.scenario), at)
        if said:
            self._say(at, "now", said)

    # -- what happens ----------------------------------------------------------------------------

    def _follow(self, t: int) -> None:
        """Say what happens now, if that is new, or has lasted."""
        found = situation(self.timeline, t) if self._open or self.timeline.live else None
        if found is None:
            self._now = None
            return
        if self._now is None or self._now.key != found.key:
            begun = t if found.block is None else found.block[0]
            self._since, self._repeat, last = self._before.get(found.key, (begun, 0, 0))
            if t - last > _INTERRUPTED:
                self._since, self._repeat = begun, 0
        self._now = found
        if not self._repeat:
            if found.ripe(self._since) and self._pace.may(found.kind, t):
                self._describe(found, t)
        elif t >= self._repeat and self._pace.free(t):
            self._flush(t, force=True)
            self._say(t, "still", found.again(self._since))
            self._repeat = self._since + repeat_after(t - self._since)
        self._before.pop(found.key, None)  # the latest is the last
        _remember(self._before, found.key, (self._since, self._repeat, t))

    def _describe(self, found: Situation, t: int) -> None:
        self._flush(t, force=True)
        if found.block is not None:
            _remember(self._blocks, found.block, True)
        self._leave_out(t, force=True)
        known = (found.kind, found.place) in self._places
        self._places.add((found.kind, found.place))
        sentences = found.sentences()[: 1 if known else None]
        before, at = self._described.get(found.kind, ("", 0))
        if sentences[0] == before and t - at < _AGAIN:  # something else was said for a moment only
            sentences = []
        else:
            self._described[found.kind] = (sentences[0], t)
        for text in sentences:
            self._say(t, "now", text)
        self._pace.said(found.kind, t)
        self._repeat = self._since + repeat_after(t - self._since)

    def _leave_out(self, t: int, *, force: bool = False) -> None:
        """Say what blocks there were that were not described."""
        for block in self.timeline.blocks_until(t):
            if block.end is not None and block.end < t - _HINDSIGHT:
                break
            key = (block.start, block.worker)
            if block.end is not None and block.end > self._zero and key not in self._blocks:
                _remember(self._blocks, key, False)
                self._left_out.append(block)
        blocks = self._left_out
        settled = blocks and t - max(block.end or 0 for block in blocks) >= SETTLE
        if blocks and (force or (settled and self._pace.may("past", t))):
            self._left_out = []
            self._say(t, "past", were_left_out(blocks, self._zero))
            self._pace.said("past", t)

    # -- the end ---------------------------------------------------------------------------------

    def _over(self, t: int) -> None:
        """Judge the bursts that are over; when all is quiet, the next request is a new beginning."""
        for burst in list(self._bursts.values()):
            if burst.done is not None and t - burst.done >= SETTLE:
                mine = range(burst.first, burst.stop)
                if any(number in mine for number in self._open) and t - burst.done < _LATE + SETTLE:
                    continue
                self._judge(burst, t)
        if not (self._open or self._bursts) and t - self._active >= _QUIET:
            self._conclude(t)

    def _judge(self, burst: Burst, t: int) -> None:
        """Say the verdict on a burst, and what was found."""
        del self._bursts[burst.number]
        self._flush(t, force=True)
        self._leave_out(t, force=True)
        facts = self._facts(burst.scenario)
        for text in judged(self.timeline, burst, facts, t):
            self._say(t, "verdict", text)
        for text in found_in(self.timeline, burst, facts, t, self._lines, gil=self._gil):
            self._say(t, "finding", text)
        self._active = t

    def _conclude(self, t: int) -> None:
        """Nothing goes on any more."""
        if not self._zero:
            return
        self._flush(t, force=True)
        self._leave_out(t, force=True)
        if self._foreign:
            took = max(0, self._ended_last - self._zero)
            self._say(t, "verdict", summed_up(self._foreign, self._failed, took))
            for text in found_since(self.timeline, self._zero, t, self._lines, gil=self._gil):
                self._say(t, "finding", text)
        self._zero, self._now, self._repeat = 0, None, 0
        self._foreign = self._failed = self._ended_last = 0
        self._places.clear()
        self._described.clear()
        self._before.clear()
        self._blocks.clear()
        self._announced &= {burst.number for burst in self.timeline.bursts}

    # -- words -----------------------------------------------------------------------------------

    def _say(self, t: int, topic: Topic, text: str, requests: Iterable[int] = ()) -> None:
        """Add a sentence. Its time is moved up to that of the one before, if that is later."""
        self._last = t = max(t, self._last)
        self._said.append(Sentence(t, self._zero or t, topic, text, tuple(requests)))
        if topic not in {"verdict", "finding"}:
            self._pace.count(t)


def _remember(known: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Add it; of too many, the oldest is forgotten."""
    known[key] = value
    if len(known) > _MOST:
        del known[next(iter(known))]


def _over_at(request: Request, t: int) -> int | None:
    """When it was over (ns); None if it is not, or its client may still say how it ended for it."""
    if request.received is not None:
        return request.received
    if request.done is not None:
        return request.done if not request.own or t - request.done >= _LATE else None
    return request.since if request.ended and not request.own else None
