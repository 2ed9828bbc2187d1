"""For any stream of events the states add up; for any valid one they are those of a simulated server."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, pairwise
from random import Random
from typing import Any, TypeAlias, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from loopviz.model import DELAYED, Request, State, Timeline
from loopviz.stream import events as ev
from loopviz.stream.buffer import Reorder
from loopviz.stream.events import Event, expand, of_worker
from loopviz.stream.schema import SCHEMA
from tests.random_events import expanded_event, expanded_events, times
from tests.simulated_probe import SETTLED, Entry, SimulatedProbe
from tests.streams import MS, ZERO, merged

B = 1 << 48
"""What each worker adds to its numbers."""
PRECEDENCE = [
    State.RUNNING,
    State.IN_THREAD,
    State.IN_PROCESS,
    State.READY,
    State.TOKEN_WAIT,
    State.AWAITING,
]
"""The state of a request is the first of these that one of its tasks and calls is in."""


# -- any stream --------------------------------------------------------------------------------


@st.composite
def _plausible(draw: st.DrawFn) -> list[Event]:
    """A simulated server's events, of which some are lost, moved, repeated or added."""
    events = simulate(Random(draw(st.integers(0, 1 << 32)))).events
    for _ in range(draw(st.integers(0, 12))):
        i = draw(st.integers(0, len(events) - 1))
        change = draw(st.sampled_from(["lose", "twice", "move", "add"]))
        if change == "lose" and len(events) > 1:
            del events[i]
        elif change == "twice":
            events.insert(draw(st.integers(0, len(events))), events[i])
        elif change == "move":
            events[i] = (events[i][0] + draw(st.integers(-50 * MS, 50 * MS)), *events[i][1:])
        else:
            events.insert(i, draw(expanded_event))
    return events


def check_conservation(request: Request, now: int) -> None:
    """A request's segments touch each other, and their durations add up to its latency."""
    segments, after = list(request.segments), list(request.after)
    for segment in (*segments, *after):
        assert segment.start < segment.end
    for one, next_one in pairwise((*segments, *after)):
        assert one.end == next_one.start
    if segments:
        assert segments[0].start == request.start
    closed = (request.since if request.done is None else request.done) - request.start
    assert sum(s.end - s.start for s in segments) == closed
    assert sum(request.totals.values()) == closed
    for state, total in request.totals.items():
        assert total == sum(s.end - s.start for s in segments if s.state is state)
    if request.ended:
        assert request.state is None
        assert request.done is not None
    history = request.history(now)
    for one, next_one in pairwise(history):
        assert one.end == next_one.start
    last = request.since if request.state is None else now
    if min(now, last) > request.start:
        assert history[0].start == request.start
        assert history[-1].end == min(now, last)
    else:
        assert history == []
    if request.done is not None and request.done <= now:
        assert request.latency(now) == closed


def look_at_everything(line: Timeline, now: int) -> None:
    """Make the queries of the views, and check what must be true for any stream."""
    for request in line.requests.values():
        check_conservation(request, now)
        found = request.state_at(now)
        assert found is None or found.start < now <= found.end
        newest = list(request.newest_first(now))
        assert all(a.start == b.end for a, b in pairwise(newest))
        for child in line.children(request.id):
            check_conservation(child.row, now)
    for process in line.processes:
        loop = process.loop
        for one, next_one in pairwise(loop.lane.spans):
            assert one.end <= next_one.start
        for earlier, later in pairwise(loop.blocks):
            assert earlier.end is not None
            assert earlier.end <= later.start
        assert loop.idle >= 0
        assert all(span.start <= span.end for span in loop.spans(now))
    assert sum(len(process.loop.blocks) for process in line.processes) == len(line.blocks)
    for block in filter(None, (line.block_at(now),)):
        assert block.start <= now - line.threshold
        assert len(set(line.victims(block, now))) == len(line.victims(block, now))
        assert block.request == 0 or block.request not in line.victims(block, now)
    for lane in (line.loop, *line.workers.values()):
        lane.busy_at(now)
        lane.cpu_share(now)
        assert lane.busy >= 0
        assert lane.cpu >= 0
        assert all(span.start <= span.end for span in lane.newest_first(now))
    assert line.idle >= 0
    assert all(count >= 0 for life in line._requests.lives.values() for count in life.doing)
    assert all(sum(life.doing) == len(life.tasks) for life in line._requests.lives.values())
    line.tokens_at(now)
    line.running_at(now)
    line.alive_at(now)
    assert all(span.start <= span.end for span in line.loop_spans(now))
    assert 0 <= line.live <= len(line.requests)


@settings(max_examples=1_000)
@given(expanded_events, st.lists(times, max_size=3))
def test_no_stream_breaks_the_conservation_law(events, moments):
    """Whatever the events and their order, nothing raises and the states add up."""
    line = Timeline(threshold=20 * MS)
    for event in events:
        line.feed([event])
        look_at_everything(line, event[0])
    for now in (*moments, line.last, line.last + 900 * MS):
        look_at_everything(line, now)


@settings(max_examples=250)
@given(_plausible(), st.lists(st.integers(-5 * MS, 2_000 * MS), max_size=3))
def test_no_damaged_stream_breaks_the_conservation_law(events, moments):
    """A server's events with losses, repetitions and additions still add up."""
    line = Timeline(threshold=20 * MS)
    line.feed(events)
    for now in (*(ZERO + m for m in moments), line.last, line.last + 900 * MS):
        look_at_everything(line, now)


@settings(max_examples=250)
@given(expanded_events, expanded_events, st.booleans(), times)
def test_removing_the_past_breaks_nothing(before, after, forget, now):
    """After old requests have been removed, the rest still adds up."""
    line = Timeline(threshold=20 * MS, retention=50 * MS)
    line.feed(before)
    if forget:
        line.forget()
    line.prune(now)
    assert len(line.requests) >= line.live
    line.feed(after)
    look_at_everything(line, line.last)


# -- a simulated server ------------------------------------------------------------------------


Op: TypeAlias = tuple[Any, ...]
"""What a task does next: a word, and what it needs."""


@dataclass
class Actor:
    """A task, or a call in a thread, and the states it really was in."""

    number: int
    request: int
    program: list[Op] = field(default_factory=list)
    truth: list[tuple[State, int, int]] = field(default_factory=list)
    state: State | None = State.READY
    since: int = 0
    due: int = 0
    """When a sleeping task becomes READY; 0 for none."""
    children: list[Actor] = field(default_factory=list)
    parent: Actor | None = None
    call: Call | None = None
    got_token: bool = False
    counts: bool = True
    """Whether its parent awaits it, or is not yet known not to."""
    toggled: list[int] = field(default_factory=list)
    """When `counts` has changed."""

    def count(self, counts: bool, t: int) -> None:
        """Count from `t` on, or not."""
        if counts is not self.counts:
            self.counts = counts
            self.toggled.append(t)

    @property
    def lineage(self) -> list[Actor]:
        """The actor, its parent, and so on."""
        return [self, *self.parent.lineage] if self.parent is not None else [self]

    def counted(self, t: int) -> bool:
        """Whether it counted for its request just after `t`."""
        return all(bisect_right(actor.toggled, t) % 2 == 0 for actor in self.lineage)

    @property
    def gathers(self) -> bool:
        """Whether it awaits its children."""
        return self.state is State.AWAITING and self.program[:1] == [("gather",)]

    def turn(self, state: State | None, t: int) -> None:
        """Be in `state` from `t` on."""
        if self.state is State.AWAITING and self.due and self.due < t:
            ready = max(self.since, self.due)
            self.truth.append((State.AWAITING, self.since, ready))
            self.truth.append((State.READY, ready, t))
        elif self.state is not None:
            self.truth.append((self.state, self.since, t))
        self.state, self.since, self.due = state, t, 0


@dataclass
class Call:
    """A call in a worker thread."""

    begins: int
    returns: int


@dataclass
class Story:
    """The events of a simulated server, and what really happened."""

    events: list[Event] = field(repr=False)
    """What the probe's events stand for, in the order of their time."""
    entries: list[Entry] = field(repr=False)
    """The probe's events, as they are appended."""
    lives: dict[int, tuple[int, int, int, int, list[Actor]]] = field(repr=False)
    """Start, read, done and end of each request, and its actors."""
    foreign: set[int]
    stretches: list[tuple[int, int, int]] = field(repr=False)
    """Start and end of each stretch of the loop, and the request whose step it was (0: callbacks)."""

    def timeline_of(self, request: int) -> list[tuple[str, int, int]]:
        """State, start and end of the request's true segments, cut where the response was out."""
        start, read, done, over, actors = self.lives[request]
        edges = {read, done, over} | {e for a in actors for _, s, f in a.truth for e in (s, f)}
        edges |= {t for a in actors for t in a.toggled}
        found = [("queued", start, read)] if read > start else []
        for one, next_one in pairwise(sorted(e for e in edges if read <= e <= over)):
            states = {
                state
                for a in actors
                if a.counted(one)
                for state, s, f in a.truth
                if s <= one and next_one <= f
            }
            state = next(state for state in PRECEDENCE if state in states).value
            if found and found[-1][0] == state and one != done:
                one = found.pop()[1]  # noqa: PLW2901
            found.append((state, one, next_one))
        return found

    def clipped(self, request: int, now: int) -> list[tuple[str, int, int]]:
        """The true history at `now`, the response's cut left out."""
        found: list[tuple[str, int, int]] = []
        for state, start, end in self.timeline_of(request):
            if start >= now:
                break
            if found and found[-1][0] == state:
                start = found.pop()[1]  # noqa: PLW2901
            found.append((state, start, min(end, now)))
        return found

    def victims(self, start: int, end: int, owner: int) -> set[int]:
        """The requests that really could have run between `start` and `end`, on a loop without this step."""
        delayed = {state.value for state in DELAYED}
        wakes = {event[0] for event in self.events if event[1] == ev.WAKE}
        return {
            number
            for number in self.lives
            if number != owner
            and any(
                state in delayed and s < end and f > start and not (s >= start and s in wakes)
                for state, s, f in self.timeline_of(number)
            )
        }


class Server:
    """A simulated server: iterations, timers, the thread limit and threads, on a clock of its own.

    The loop's times are even and those of the other threads odd, so that no two events of different
    threads have the same time, and a shuffled stream has one right order.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.t = ZERO
        self.probe = SimulatedProbe(random)
        self.ready: deque[Actor] = deque()
        self.sleeping: list[tuple[int, int, Actor]] = []
        self.returning: list[tuple[int, int, Actor]] = []
        self.tokens = random.randint(1, 3)
        self.queue: deque[Actor] = deque()
        self.tasks, self.calls = count(1), count(1)
        self.lives: dict[int, list[Any]] = {}
        self.stretches: list[tuple[int, int, int]] = []
        self.turned = 0
        self.owner = 0
        self.soon: list[Actor] = []

    def tick(self, longest: int = 40_000) -> int:
        """Let time pass on the loop; the new time."""
        self.t += 2 * self.random.randint(1, longest // 2)
        return self.t

    def emit(self, kind: str, *fields: object) -> int:
        """Emit an event of the loop's thread; its time."""
        self.probe.on_loop(self.tick(), kind, *fields)
        return self.t

    def wake(self, task: Actor) -> int:
        """Schedule a task's next step; the time."""
        self.probe.woken(self.tick(), task.number)
        return self.t

    def end(self, awaited: str | None, due: int = 0) -> int:
        """End a step; the time."""
        self.probe.ends(self.tick(), awaited, due)
        return self.t

    def elsewhere(self, delay: int) -> int:
        """A time of another thread."""
        return self.t + 2 * self.random.randint(0, delay // 2) + 1

    def turn(self, owner: int) -> None:
        """The loop turns to a step of request `owner` now, to callbacks (0), or to sleep (-1)."""
        if self.turned and self.owner >= 0:
            self.stretches.append((self.turned, self.t, self.owner))
        self.turned, self.owner = self.t, owner

    def program(self, depth: int, workers: tuple[str, ...]) -> list[Op]:
        """A random program for a task, which calls these kinds of workers."""
        random = self.random
        ops: list[Op] = []
        for _ in range(random.randint(0, 4)):
            op = random.choice(["run", "run", "sleep", "give way", *workers, "children"])
            if op == "children" and depth < 2:
                ops.append((op, [self.program(depth + 1, workers) for _ in range(random.randint(1, 3))]))
                if random.random() < 0.7:
                    ops.append(("gather",))
            elif op != "children":
                ops.append((op, random.choice([1_000, 300_000, 30 * MS, 100 * MS])))
        if depth == 0 and random.random() < 0.9:
            ops.insert(random.randint(0, len(ops)), ("respond",))
        return ops

    def serve(self) -> Story:
        """Serve random requests until all of them have ended."""
        random = self.random
        arrivals = sorted(
            (ZERO + 2 * random.randint(0, 40 * MS) + 1, number)
            for number in range(1, random.randint(1, 5) + 1)
        )
        foreign = {number for _, number in arrivals if random.random() < 0.4}
        for at, number in arrivals:
            if number not in foreign:
                self.probe.elsewhere(at, (ev.SENT, number, "GET", "/"))
        waiting = deque(arrivals)
        while waiting or self.ready or self.soon or self.sleeping or self.returning or self.queue:
            self.ready.extend(self.soon)
            self.soon.clear()
            if not self.ready:
                self.emit(ev.IDLE)
                self.turn(-1)
                coming = [q[0][0] for q in (waiting, self.sleeping, self.returning) if q]
                self.t = max(self.t, min(coming) // 2 * 2 + 2)
            self.emit(ev.ITERATION)
            self.turn(0)
            now = self.t
            while waiting and waiting[0][0] < now:
                at, number = waiting.popleft()
                self.emit(ev.READ, number, "GET", "/", at if number in foreign else 0)
                self.lives[number] = [at, self.t, 0, 0, []]
                # Threads or processes: of calls in both at once, the state is that of the first.
                workers = random.choice([("thread", "executor"), ("thread", "executor"), ("process",)])
                self.spawn(number, self.program(0, workers), None)
            for heap in (self.sleeping, self.returning):
                while heap and heap[0][0] <= now:
                    task = heappop(heap)[2]
                    self.wake(task)
                    self.ready.append(task)
                    if heap is self.sleeping:
                        task.turn(State.READY, max(task.due, task.since))
            for _ in range(len(self.ready)):
                self.step(self.ready.popleft())
        self.emit(ev.IDLE)
        self.turn(-1)
        lives = {number: tuple(life) for number, life in self.lives.items()}
        entries = self.probe.entries()
        events = sorted(expand(event for _, event in entries), key=lambda event: event[0])
        return Story(events, entries, lives, foreign, self.stretches)

    def spawn(self, request: int, program: list[Op], parent: Actor | None) -> Actor:
        """Make a task, scheduled for the next iteration."""
        task = Actor(next(self.tasks), request, program, parent=parent)
        task.since = self.emit(ev.TASK, task.number, parent.number if parent else 0, request, "work")
        if parent is None:
            task.since = self.lives[request][1]  # ready since it was read
            task.program.append(("root",))
        self.lives[request][4].append(task)
        self.soon.append(task)
        return task

    def step(self, task: Actor) -> None:
        """One step: operations until one of them suspends the task."""
        self.probe.begins(self.tick(), task.number)
        self.turn(task.request if task.counted(self.t) else 0)
        task.turn(State.RUNNING, self.t)
        self.tick()
        if task.call is not None and task.call.returns < self.t:
            self.release(task)
        while task.program:
            if self.operate(task):
                return
        life = self.lives[task.request]
        self.end(None)
        self.turn(0)
        task.turn(None, self.t)
        for child in task.children:
            child.count(False, self.t)
        parent = task.parent
        if parent is None:
            life[2:4] = life[2] or self.t, self.t
        elif parent.gathers and all(child.state is None for child in parent.children):
            parent.program.pop(0)
            parent.turn(State.READY, self.wake(parent))
            self.soon.append(parent)

    def operate(self, task: Actor) -> bool:  # noqa: C901, PLR0911 - a small interpreter
        """Do the task's next operation; whether it has suspended the task."""
        op, *rest = task.program[0]
        if op == "gather":
            if all(child.state is None for child in task.children):
                task.program.pop(0)
                return False
            return self.suspend(task, State.AWAITING)
        if op == "thread" and not task.got_token:
            if not self.tokens:
                self.emit(ev.TOKEN_WAIT, task.number)
                self.queue.append(task)
                return self.suspend(task, State.TOKEN_WAIT)
            self.tokens -= 1
        task.program.pop(0)
        if op == "run":
            self.tick(rest[0])
        elif op == "respond":
            self.lives[task.request][2] = self.emit(ev.RESPONDED, task.request)
        elif op == "children":
            for program in rest[0]:
                task.children.append(self.spawn(task.request, program, task))
        elif op == "sleep":
            due = self.t + self.random.randint(0, rest[0])
            self.suspend(task, State.AWAITING, due)
            heappush(self.sleeping, (due, task.number, task))
            return True
        elif op == "give way":
            self.soon.append(task)
            return self.suspend(task, State.READY, awaited="")
        elif op in ("thread", "executor", "process"):
            task.got_token = op == "thread"
            self.work(task, rest[0], submitted=op != "thread", in_process=op == "process")
            return True
        return False

    def work(self, task: Actor, longest: int, *, submitted: bool, in_process: bool) -> None:
        """Call a worker thread or process and await its result."""
        number = next(self.calls)
        state = State.IN_PROCESS if in_process else State.IN_THREAD
        if submitted:
            self.emit(ev.SUBMIT, number, task.number, task.request)
        begins = self.elsewhere(longest)
        returns = begins + 2 * self.random.randint(1, longest)
        task.call = Call(begins, returns)
        # No two calls share a thread, so that no span hides another.
        call = (ev.CALL, number, task.number, task.request, 100 + number, "f", 1, "g")
        reported = 0
        if in_process:  # a moment before the call, so that a shuffled stream has one right order
            reported = self.probe.elsewhere(begins - 2, (ev.THREAD, 100 + number, "process"))
        reported = self.probe.elsewhere(begins, call, after=reported)
        reported = self.probe.elsewhere(returns, (ev.RETURN, number), after=reported)
        done = returns
        if in_process:
            done += 2 * self.random.randint(0, longest)
            self.probe.elsewhere(done, (ev.RESULT, number, task.number))
        self.lives[task.request][4].append(
            Actor(number, task.request, truth=[(state, begins, returns)], state=None, parent=task)
        )
        self.tick(longest if self.random.random() < 0.3 else 1_000)
        self.suspend(task, State.TOKEN_WAIT if submitted else State.AWAITING)
        suspended = task.since
        if begins > suspended and submitted:
            task.turn(State.AWAITING, begins)
        elif submitted:
            task.state = State.AWAITING
        task.turn(State.READY, max(done, suspended))
        heappush(self.returning, (done, task.number, task))

    def release(self, task: Actor) -> None:
        """Release the token, or pass it on to the next task in the queue."""
        task.call = None
        if not task.got_token:
            return
        task.got_token = False
        self.tokens += 1
        if self.queue:
            following = self.queue.popleft()
            self.tokens -= 1
            following.got_token = True
            following.turn(State.READY, self.wake(following))
            self.soon.append(following)

    def suspend(self, task: Actor, state: State, due: int = 0, awaited: str = "Future") -> bool:
        """End a step; True, as of every operation that does."""
        self.end(awaited, due)
        self.turn(0)
        task.turn(state, self.t)
        task.due = due
        if awaited:
            for child in task.children:
                if child.state is not None and child.counts is not task.gathers:
                    how = int(task.gathers)
                    child.count(task.gathers, self.emit(ev.AWAITS_TASK, task.number, child.number, how))
        return True


def simulate(random: Random) -> Story:
    """A random story of a server; its events are sorted by time."""
    return Server(random).serve()


_stories = st.integers(0, 1 << 48).map(lambda seed: simulate(Random(seed)))


def check_truth(line: Timeline, story: Story) -> None:
    """The timeline is what really happened, to the nanosecond."""
    assert set(line.requests) == set(story.lives)
    assert line.live == 0
    for number, (start, _, done, over, actors) in story.lives.items():
        request = line.requests[number]
        assert (request.start, request.done, request.since, request.ended) == (start, done, over, True)
        found = merged(request.segments) + merged(request.after)
        assert found == story.timeline_of(number)
        assert sum(request.totals.values()) == done - start
        check_children(line, number, actors)
    blocks = [(s, e, owner) for s, e, owner in story.stretches if e - s >= line.threshold]
    assert [(b.start, b.end, b.request) for b in line.blocks] == blocks
    for block in line.blocks:
        assert block.end is not None
        assert set(block.victims) == story.victims(block.start, block.end, block.request)
    assert line.loop.busy == sum(e - s for s, e, _ in story.stretches)


def check_children(line: Timeline, request: int, actors: list[Actor]) -> None:
    """Each child task's states are what it and its calls really did, and add up to its life."""
    calls = {State.IN_THREAD, State.IN_PROCESS}
    tasks = {actor.number: actor for actor in actors if not {state for state, _, _ in actor.truth} & calls}
    children = {child.number: child for child in line._rows.children._of.get(request, ())}
    direct = {n for n, task in tasks.items() if task.parent is not None and task.parent.parent is None}
    assert direct <= set(children) <= {n for n, task in tasks.items() if task.parent is not None}
    for number, child in children.items():
        row = child.row
        assert (row.start, row.done, row.ended) == (child.start, child.end, True)
        assert sum(row.totals.values()) == row.since - row.start == sum(s.end - s.start for s in row.segments)
        truth = [tasks[number].truth, *(actor.truth for actor in actors if actor.parent is tasks[number])]
        calling = [part for part in truth[1:] if {state for state, _, _ in part} & calls]
        assert merged(row.segments) == overlaid(truth[0], [part for call in calling for part in call])


def overlaid(
    task: list[tuple[State, int, int]], calls: list[tuple[State, int, int]]
) -> list[tuple[str, int, int]]:
    """What a task did, or, while it was suspended, its calls."""
    edges = sorted({edge for _, s, f in (*task, *calls) for edge in (s, f)})
    found: list[tuple[str, int, int]] = []
    for one, next_one in pairwise(edges):
        states = {state for state, s, f in (*task, *calls) if s <= one and next_one <= f}
        if not states or not any(s <= one and next_one <= f for _, s, f in task):
            continue
        state = next(state for state in PRECEDENCE if state in states).value
        start = found.pop()[1] if found and found[-1][0] == state else one
        found.append((state, start, next_one))
    return found


@settings(max_examples=500)
@given(_stories)
def test_a_valid_stream_gives_what_really_happened(story):
    """States, latencies, blocks and victims are those of the simulated server, exactly."""
    line = Timeline(threshold=10 * MS)
    line.feed(story.events)
    check_truth(line, story)


@settings(max_examples=100)
@given(st.lists(_stories, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_several_workers_give_what_really_happened_in_each(stories, random):
    """Requests, blocks and victims of each worker are those of its own simulated server."""
    line = Timeline(threshold=10 * MS)
    events = [event for worker, story in enumerate(stories) for event in as_worker(story, worker)]
    random.shuffle(events)
    line.feed([(ZERO - 1, ev.WORKER, worker, 100 + worker, "started", "") for worker in range(len(stories))])
    line.feed(event for _, event in sorted(events, key=lambda pair: pair[0]))
    for worker, story in enumerate(stories):
        loop = line.processes[worker].loop
        letter = "abc"[worker]
        for number, (start, _, done, over, _) in story.lives.items():
            request = line.requests[number + worker * B]
            assert (request.start, request.done, request.since) == (start, done, over)
            assert (request.worker, request.letter) == (worker, letter)
            assert merged(request.segments) + merged(request.after) == story.timeline_of(number)
        blocks = [(s, e, owner) for s, e, owner in story.stretches if e - s >= line.threshold]
        assert [(b.start, b.end, b.request and b.request - worker * B) for b in loop.blocks] == blocks
        for block in loop.blocks:
            assert block.end is not None
            victims = {number - worker * B for number in block.victims}
            assert victims == story.victims(
                block.start, block.end, block.request and block.request - worker * B
            )
        assert loop.lane.busy == sum(e - s for s, e, _ in story.stretches)
    assert len(line.blocks) == sum(len(process.loop.blocks) for process in line.processes)


def as_worker(story: Story, worker: int) -> list[tuple[tuple[int, int], Event]]:
    """The events of a server as those of this worker, and what puts them in order."""
    moved = []
    for at, event in enumerate(story.events):
        values: tuple[Any, ...] = event[2:]
        fields = [
            value + worker * B if field.field.unit == "number" and value else value
            for field, value in zip(SCHEMA[event[1]].fields, values, strict=True)
        ]
        (one,) = of_worker([cast("Event", (*event[:2], *fields))], worker)
        moved.append(((event[0], at), one))
    return moved


@settings(max_examples=250)
@given(_stories, st.randoms(use_true_random=False), st.integers(1, 60))
def test_a_shuffled_stream_gives_what_really_happened(story, random, batch):
    """Events that several threads wrote out of order, within the margin, are put in order."""
    margin = 5 * MS
    arrivals = sorted((event[0] + random.randint(0, margin), i) for i, event in enumerate(story.events))
    reorder, line = Reorder(margin), Timeline(threshold=10 * MS)
    for i in range(0, len(arrivals), batch):
        chunk = arrivals[i : i + batch]
        line.feed(reorder.push([story.events[n] for _, n in chunk], now=chunk[0][0]))
    line.feed(reorder.flush())
    check_truth(line, story)


@settings(max_examples=120)
@given(_stories, st.lists(st.integers(1 * MS, 60 * MS), min_size=1, max_size=20))
def test_what_is_shown_between_two_drains_is_what_really_happened(story, gaps):
    """The probe's events, appended late and drained at any moment, tell the truth and never take it back.

    See `tests.simulated_probe.REPORTS` for what goes wrong if the step that lasts is not reported in time.
    """
    reorder, line = Reorder(), Timeline(threshold=10 * MS)
    entries, now, taken = deque(story.entries), ZERO, 0
    looks = []
    while entries:
        now += gaps[taken % len(gaps)]
        taken += 1
        drained = []
        while entries and entries[0][0] <= now:
            drained.append(entries.popleft()[1])
        line.feed(reorder.push(drained, now))
        for child in (child for number in line.requests for child in line.children(number)):
            check_conservation(child.row, now)  # looking at it must not change what follows
        past = now - SETTLED
        looks.append((past, {number: merged(r.history(past)) for number, r in line.requests.items()}))
    line.feed(reorder.flush())
    check_truth(line, story)
    for past, shown in looks:
        assert {n for n, life in story.lives.items() if life[1] < past} <= set(shown)
        for number, history in shown.items():
            assert history == merged(line.requests[number].history(past)) == story.clipped(number, past)


@settings(max_examples=300)
@given(_stories, st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_the_past_is_what_was_shown_live(story, places):
    """The picture of a moment is what really happened, seen live or at any later time."""
    events, line = story.events, Timeline(threshold=10 * MS)
    looks, fed = [], 0
    for place in sorted(places):
        upto = round(place * (len(events) - 1))
        now = (events[upto][0] + events[min(upto + 1, len(events) - 1)][0]) // 2
        line.feed(events[fed : upto + 1])
        fed = max(fed, upto + 1)
        live = {number: merged(request.history(now)) for number, request in line.requests.items()}
        block = line.block_at(now)
        victims = set(line.victims(block, now)) if block else set()
        looks.append((now, live, block and (block.start, block.request), victims - story.foreign))
    line.feed(events[fed:])
    for now, live, block_live, victims in looks:
        for number, shown in live.items():
            assert shown == merged(line.requests[number].history(now)) == story.clipped(number, now)
        block = line.block_at(now)
        assert (block and (block.start, block.request)) == block_live
        if block is not None:
            assert set(line.victims(block, now)) - story.foreign == victims
            assert set(line.victims(block, now)) == story.victims(block.start, now, block.request)
