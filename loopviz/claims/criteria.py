"""The criteria: pure functions from measurements to a verdict, with every threshold by name.

The branch that was taken chooses the sentence, which never asserts what was not measured.
"""

from __future__ import annotations

from loopviz.claims.claim import TIMER_HEADER, Answer, Criterion, Figure, Machine, Samples, Verdict
from loopviz.clock import NS
from loopviz.model import BLOCK_THRESHOLD
from loopviz.model.sample import Sample

__all__ = [
    "CLEAR",
    "FOURFOLD",
    "FREE",
    "HALF",
    "HELD_UP",
    "IN_TURN",
    "MARGIN",
    "MOST",
    "MUCH",
    "PARALLEL",
    "SAME",
    "SLIGHTLY",
    "TWICE",
    "asgi_wins",
    "async_db",
    "background",
    "becomes_async",
    "calls_are_safe",
    "def_blocks",
    "def_for_cpu",
    "enough_threads",
    "fan_out",
    "faster_one",
    "hop_is_worth_it",
    "one_at_a_time",
    "serves_more",
    "session_in_async",
    "sleep_stops",
    "speedup",
    "sync_dependencies",
    "thread_helps",
    "thread_per_task",
    "threads_for_cpu",
    "timer_sees",
]

SAME = 1.1
"""Up to this factor two times are the same."""
CLEAR = 1.3
"""From this factor on, one of two runs is clearly faster."""
MARGIN = 1.1
"""The same for medians of many runs that took turns."""
SLIGHTLY = 1.2
"""Up to this factor a speed-up counts as none."""
TWICE = 1.8
"""From this factor on, one run has about twice the throughput of another."""
MUCH = 2.5
"""From this factor on, one run is much faster."""
FOURFOLD = 4
"""Above this factor, the difference is more than the claim says."""
IN_TURN = 0.75
"""From this part of n times as long on, n requests were served one after the other."""
MOST = 0.9
"""From this part on, a timer has seen all of a latency."""
HALF = 0.5
"""What is at most this part of another time is clearly less, where the claim says by how much."""
HELD_UP = BLOCK_THRESHOLD / NS
"""From this time on a request was delayed: the threshold of a block (s)."""
FREE = 0.02
"""Up to this time a delay does not matter (s)."""
PARALLEL = 1.6
"""The speed-up that two threads of C code must have for a second core to count as free."""

_TRUE, _FALSE, _DEPENDS, _UNDECIDED = Answer.TRUE, Answer.FALSE, Answer.DEPENDS, Answer.UNDECIDED


def _times(a: float, b: float) -> float:
    """The factor a / b, or 0 if b is 0."""
    return a / b if b > 0 else 0.0


def _x(name: str, factor: float) -> Figure:
    return Figure(name, round(factor, 2), "x")


def _s(name: str, seconds: float) -> Figure:
    return Figure(name, round(seconds, 6))


def _threads(name: str, number: int) -> Figure:
    return Figure(name, number, "threads")


def _number(many: int, noun: str) -> str:
    return f"{many} {noun}{'' if many == 1 else 's'}"


def _count(sample: Sample) -> int:
    return len(sample.requests)


# -- which requests wait -------------------------------------------------------------------------


def one_at_a_time(samples: Samples, _: Machine) -> Verdict:
    """Whether n requests take n times as long as one: `one` and `many`."""
    one, many = samples["one"], samples["many"]
    n, factor = _count(many), _times(many.makespan, one.makespan)
    figures = (
        _s("one request", one.makespan),
        _s(f"{n} at once", many.makespan),
        _threads("threads used", many.threads_used),
    )
    if factor >= IN_TURN * n:
        return Verdict(_TRUE, f"{n} requests took {factor:.1f} times as long as one.", figures)
    if factor <= CLEAR:
        why = f"{n} requests ran at the same time in {_number(many.threads_used, 'worker thread')}."
        return Verdict(_FALSE, why, figures)
    why = f"{n} requests took {factor:.1f} times as long as one, on {_number(many.threads_used, 'thread')}."
    return Verdict(_DEPENDS, why, figures, "how many worker threads are free")


def def_blocks(samples: Samples, _: Machine) -> Verdict:
    """Whether ``def`` requests delay async ones: `alone` and `beside`."""
    alone, beside = samples["alone"].of("async"), samples["beside"].of("async")
    waited, lag = beside.kept_waiting, samples["beside"].max_lag
    figures = (
        _s("async alone", alone.latency),
        _s("async beside def", beside.latency),
        _s("longest lag of the loop", lag),
    )
    if waited >= HELD_UP:
        return Verdict(_TRUE, f"The others were delayed by {waited:.2f} s.", figures)
    if _times(beside.latency, alone.latency) < CLEAR and lag < HELD_UP:
        why = "A def endpoint waits in a worker thread, and the event loop serves others."
        return Verdict(_FALSE, why, figures)
    return Verdict(_DEPENDS, "Some requests were late, but not all.", figures, "what the def endpoint does")


def faster_one(samples: Samples, _: Machine) -> Verdict:
    """Whether one request is faster by async: `def` and `async`."""
    sync, async_ = samples["def"].latency, samples["async"].latency
    factor = _times(sync, async_)
    figures = (_s("one def", sync), _s("one async def", async_))
    if factor >= SAME:
        return Verdict(_TRUE, f"One async request was {factor:.1f} times as fast.", figures)
    why = "A request takes as long as what it waits for; async only lets other requests run meanwhile."
    return Verdict(_FALSE, why, figures)


def serves_more(samples: Samples, _: Machine) -> Verdict:
    """Whether async is faster, with few requests and with many: `few …` and `many …`."""
    few = _times(samples["few def"].makespan, samples["few async"].makespan)
    many = _times(samples["many def"].makespan, samples["many async"].makespan)
    a, b, limit = _count(samples["few def"]), _count(samples["many def"]), samples["many def"].threads
    figures = (_x(f"def / async, {a} requests", few), _x(f"def / async, {b} requests", many))
    if min(few, many) >= CLEAR:
        return Verdict(_TRUE, "Async was done first with few requests and with many.", figures)
    if max(few, many) < CLEAR:
        return Verdict(_FALSE, "Threads served as many requests at once.", figures)
    why = f"Up to {limit} requests, threads are as fast; the next request waits for a thread."
    return Verdict(_DEPENDS, why, figures, f"whether there are more requests at once than threads ({limit})")


def sleep_stops(samples: Samples, _: Machine) -> Verdict:
    """Whether async requests wait while another sleeps on the loop: `alone` and `beside`."""
    alone, beside = samples["alone"].of("async"), samples["beside"].of("async")
    held = [seen for seen in beside.requests if seen.kept_waiting >= HELD_UP]
    figures = (
        _s("async alone", alone.latency),
        _s("async beside time.sleep", beside.latency),
        _s("longest lag of the loop", samples["beside"].max_lag),
    )
    if len(held) == _count(beside):
        why = f"All {len(held)} others had to wait, {beside.kept_waiting:.1f} s each: the loop was blocked."
        return Verdict(_TRUE, why, figures)
    if not held:
        return Verdict(_FALSE, "No other request had to wait: the loop was free.", figures)
    why = f"{len(held)} of {_count(beside)} others had to wait."
    return Verdict(_DEPENDS, why, figures, "when the others arrive")


def calls_are_safe(samples: Samples, _: Machine) -> Verdict:
    """Whether no synchronous call of several kinds holds the loop: any trials, one request each."""
    lags = {name: sample.max_lag for name, sample in samples.items()}
    figures = tuple(_s(f"longest lag, {name}", lag) for name, lag in lags.items())
    blocking = [name for name, lag in lags.items() if lag >= HELD_UP]
    if blocking:
        verb, until = ("holds", "it returns") if len(blocking) == 1 else ("hold", "they return")
        why = f"{_listed(blocking)} {verb} the loop until {until}; no other request can run."
        return Verdict(_FALSE, why, figures)
    if max(lags.values(), default=0.0) <= FREE:
        return Verdict(_TRUE, "None of them held the loop for long.", figures)
    why = f"None of them held the loop for {HELD_UP:g} s, but some delayed it noticeably."
    return Verdict(_DEPENDS, why, figures, "how long the call takes")


def thread_helps(samples: Samples, _: Machine) -> Verdict:
    """Whether a blocking call delays no request from a thread: `on the loop` and `in a thread`."""
    bad, good = samples["on the loop"], samples["in a thread"]
    figures = (
        _s("longest lag, on the loop", bad.max_lag),
        _s("longest lag, in a thread", good.max_lag),
        _x("faster in a thread", _times(bad.makespan, good.makespan)),
    )
    if good.max_lag < HELD_UP and _times(bad.makespan, good.makespan) >= CLEAR:
        return Verdict(_TRUE, "The call waits in a worker thread, and the loop is free.", figures)
    if good.max_lag >= HELD_UP:
        return Verdict(_FALSE, "The loop was held all the same.", figures)
    return Verdict(
        _DEPENDS, "The loop is free, but the requests are not faster.", figures, "what the call does"
    )


def becomes_async(samples: Samples, _: Machine) -> Verdict:
    """Whether ``def`` routes run without worker threads, as async ones do: `def` and `async`."""
    sync, async_ = samples["def"], samples["async"]
    figures = (
        _threads(f"{_count(sync)} def requests", sync.threads_used),
        _threads(f"{_count(async_)} async def requests", async_.threads_used),
    )
    if sync.threads_used == 0:
        return Verdict(_TRUE, "No def request used a worker thread.", figures)
    if async_.threads_used == 0:
        why = "FastAPI runs a def endpoint in a worker thread; only an async def runs on the event loop."
        return Verdict(_FALSE, why, figures)
    return Verdict(_DEPENDS, "Both used worker threads.", figures, "what the endpoint calls")


def thread_per_task(samples: Samples, _: Machine) -> Verdict:
    """Whether tasks use threads: `async` and `child tasks`."""
    async_, tasks = samples["async"], samples["child tasks"]
    figures = (
        _threads(f"{_count(async_)} async requests", async_.threads_used),
        _threads("a request with ten child tasks", tasks.threads_used),
    )
    if not async_.threads_used and not tasks.threads_used:
        return Verdict(_FALSE, "All tasks take turns on the one thread of the event loop.", figures)
    if async_.threads_used >= _count(async_):
        return Verdict(_TRUE, "There were as many threads as requests.", figures)
    return Verdict(_DEPENDS, "Some tasks used threads.", figures, "what the task calls")


def background(samples: Samples, _: Machine) -> Verdict:
    """Whether async requests wait while background tasks run: one trial for each kind of task."""
    waits = {name: sample.of("async").kept_waiting for name, sample in samples.items()}
    figures = tuple(_s(f"others waited, {name}", wait) for name, wait in waits.items())
    blocking = [name for name, wait in waits.items() if wait >= HELD_UP]
    if not blocking:
        return Verdict(_TRUE, "No request had to wait for a background task.", figures)
    if len(blocking) == len(waits):
        return Verdict(_FALSE, "Every kind of background task delayed others.", figures)
    why = (
        "After the response, the task still runs on the loop or in a thread: if it blocks the loop, all wait."
    )
    return Verdict(_DEPENDS, why, figures, "whether the task blocks the event loop")


def enough_threads(samples: Samples, _: Machine) -> Verdict:
    """Whether no request waits for a thread: `as many` and `more`."""
    few, many = samples["as many"], samples["more"]
    a, b = _count(few), _count(many)
    figures = (
        _s(f"longest wait for a thread, {a} requests", few.max_token_wait),
        _s(f"longest wait for a thread, {b} requests", many.max_token_wait),
    )
    if max(few.max_token_wait, many.max_token_wait) < HELD_UP:
        return Verdict(_TRUE, "No request waited for a thread.", figures)
    if few.max_token_wait >= HELD_UP:
        return Verdict(_FALSE, f"Even {a} requests waited for threads.", figures)
    why = f"Request number {many.threads + 1} waits until one of the {many.threads} threads is free."
    return Verdict(_DEPENDS, why, figures, "how many def calls run at once, dependencies included")


def timer_sees(samples: Samples, _: Machine) -> Verdict:
    """Whether a middleware's timer measures the whole latency: `busy`, with timed requests."""
    timed = [seen for seen in samples["busy"].requests if seen.timed is not None]
    if not timed:
        return Verdict(_UNDECIDED, f"Undecided here: no response carries the timer's {TIMER_HEADER}.")
    worst = max(timed, key=lambda seen: seen.latency)
    share = _times(worst.timed or 0.0, worst.latency)
    figures = (_s("the user waited", worst.latency), _s("the timer reports", worst.timed or 0.0))
    if share >= MOST:
        return Verdict(_TRUE, "The timer measured all of it.", figures)
    if share <= HALF:
        why = "The timer starts when the loop reaches the request; until then the request is queued."
        return Verdict(_FALSE, why, figures)
    return Verdict(_DEPENDS, f"The timer measured {share:.0%} of it.", figures, "how busy the loop is")


# -- computing ----------------------------------------------------------------------------------


def speedup(how: str, *, yes: str, no: str, depends_on: str) -> Criterion:
    """A criterion for `one` and `many`: whether n pieces of work take less than n times as long as one.

    The best of several rounds counts, because a speed-up is what can be reached.
    """

    def criterion(samples: Samples, machine: Machine) -> Verdict:
        one, many = samples["one"], samples["many"]
        n = _count(many) // len(many.makespans)
        factor = _times(n * one.best, many.best)
        figures = (
            _s("one request", one.best),
            _s(f"{n} at once {how}", many.best),
            _x("speed-up", factor),
        )
        if factor >= CLEAR:
            return Verdict(_TRUE, yes, figures)
        if machine.parallel < PARALLEL:
            return _cores_in_use(machine, figures)
        if factor <= SLIGHTLY:
            return Verdict(_FALSE, no, figures)
        return Verdict(_DEPENDS, f"A little faster: {factor:.2f} times.", figures, depends_on)

    return criterion


def threads_for_cpu(samples: Samples, machine: Machine) -> Verdict:
    """Whether threads speed up Python and C code: `one …` and `many …` of `python` and `native`."""
    python, native = (
        _times(
            _count(samples[f"many {kind}"]) * samples[f"one {kind}"].makespan,
            samples[f"many {kind}"].makespan,
        )
        for kind in ("python", "native")
    )
    figures = (_x("speed-up of Python code", python), _x("speed-up of C code without the GIL", native))
    if min(python, native) >= CLEAR:
        return Verdict(_TRUE, "Threads computed in parallel.", figures)
    if machine.parallel < PARALLEL and native < CLEAR:
        return _cores_in_use(machine, figures)
    if max(python, native) < CLEAR:
        return Verdict(_FALSE, "Threads took turns, whatever they computed.", figures)
    if native >= CLEAR:
        why = "Only one thread at a time runs Python code; C code that releases the GIL runs in parallel."
        return Verdict(_DEPENDS, why, figures, "whether the code releases the GIL")
    return Verdict(_DEPENDS, "Python code was faster, C code was not.", figures, "what is computed")


def def_for_cpu(samples: Samples, _: Machine) -> Verdict:
    """Whether computing in threads is faster, or at least delays others less: `async def` and `def`."""
    loop, threads = samples["async def"], samples["def"]
    faster = _times(_computing(loop), _computing(threads))
    waited, waits = loop.of("async").kept_waiting, threads.of("async").kept_waiting
    figures = (
        _x("def faster by", faster),
        _s("others waited, async def", waited),
        _s("others waited, def", waits),
    )
    if faster >= CLEAR:
        return Verdict(_TRUE, "In threads the work was done earlier.", figures)
    if _times(waited, waits) >= 1 / HALF or (waits < FREE < waited):
        why = "No faster, because threads share the GIL; but other requests get their turns meanwhile."
        return Verdict(_DEPENDS, why, figures, "your goal: it delays others less, but is not faster")
    return Verdict(_FALSE, "The work was not done earlier, and others did not wait less.", figures)


def _computing(sample: Sample) -> float:
    """When the last of the requests that compute was done (s)."""
    return max(
        (seen.sent + seen.latency for seen in sample.requests if seen.scenario != "async"), default=0.0
    )


def _cores_in_use(machine: Machine, figures: tuple[Figure, ...]) -> Verdict:
    why = (
        f"Undecided here: two threads of C code gained only {machine.parallel:.1f} times just now, "
        "so another program used the cores."
    )
    return Verdict(_UNDECIDED, why, figures)


# -- databases, fan-out, costs -----------------------------------------------------------------


def session_in_async(samples: Samples, _: Machine) -> Verdict:
    """Whether a blocking session on the loop is as good as in threads: `async def` and `def`."""
    loop, threads = samples["async def"], samples["def"]
    factor = _times(loop.makespan, threads.makespan)
    figures = (
        _s("longest lag, async def", loop.max_lag),
        _s("longest lag, def", threads.max_lag),
        _x("def faster by", factor),
    )
    if loop.max_lag >= HELD_UP:
        return Verdict(_FALSE, "Each query holds the event loop until the database answers.", figures)
    if factor < CLEAR and loop.max_lag <= FREE:
        return Verdict(_TRUE, "The queries were too short to matter.", figures)
    return Verdict(_DEPENDS, "The queries delayed the loop noticeably.", figures, "how long the queries take")


def async_db(samples: Samples, _: Machine) -> Verdict:
    """Whether an async driver gives 3 to 5 times the throughput: `async driver`, `blocking`, `threads`."""
    fast = samples["async driver"].throughput
    over_loop = _times(fast, samples["blocking"].throughput)
    over_threads = _times(fast, samples["threads"].throughput)
    figures = (
        Figure("async driver", round(fast, 1), "req/s"),
        _x("over Session in async def", over_loop),
        _x("over Session in def", over_threads),
    )
    if min(over_loop, over_threads) >= MUCH:
        return Verdict(_TRUE, f"It is at least {MUCH:g} times as fast as both other ways.", figures)
    if max(over_loop, over_threads) < MUCH:
        why = (
            "It avoids blocking the event loop, and so does a Session in a worker thread; neither speeds up "
        )
        return Verdict(_FALSE, why + "the database.", figures)
    than = "Session in def" if over_threads > over_loop else "blocked loop"
    why = f"It is much faster than a {than}, but not than the other way."
    return Verdict(_DEPENDS, why, figures, "what you use now: a blocked loop, or worker threads")


def fan_out(calls: int) -> Criterion:
    """A criterion for `in turn` and `together`, with `calls` upstream calls each."""

    def criterion(samples: Samples, _: Machine) -> Verdict:
        turn, together = samples["in turn"].makespan, samples["together"].makespan
        factor = _times(turn, together)
        figures = (_s(f"{calls} calls in turn", turn), _s("with gather", together), _x("faster by", factor))
        if factor >= calls * HALF:
            why = "They wait at the same time, so the total is the slowest call, not the sum."
            return Verdict(_TRUE, why, figures)
        if factor < CLEAR:
            return Verdict(_FALSE, "The calls still went one after the other.", figures)
        why = f"{factor:.1f} times as fast: the total is the slowest call."
        return Verdict(_DEPENDS, why, figures, "how much the calls differ")

    return criterion


def hop_is_worth_it(samples: Samples, _: Machine) -> Verdict:
    """Whether a trivial endpoint is faster as ``def``: `def` and `async def`, by the smallest medians."""
    sync, async_ = samples["def"].quietest, samples["async def"].quietest
    factor = _times(sync, async_)
    figures = (_s("median, def", sync), _s("median, async def", async_), _x("cost of the thread", factor))
    if factor >= MARGIN:
        why = "The way to a worker thread and back takes longer than the endpoint itself."
        return Verdict(_FALSE, why, figures)
    if factor <= 1 / MARGIN:
        return Verdict(_TRUE, "The def endpoint answered first.", figures)
    return Verdict(_DEPENDS, "There is no difference within the margin.", figures, "your preference")


def sync_dependencies(samples: Samples, _: Machine) -> Verdict:
    """Whether a sync dependency is as fast as an async one, without a thread: `sync` and `async`."""
    sync, async_ = samples["sync"], samples["async"]
    n, used = _count(sync), sync.threads_used
    factor = _times(sync.makespan, async_.makespan)
    figures = (
        _s(f"{n} with a sync one", sync.makespan),
        _s(f"{n} with an async one", async_.makespan),
        _threads("worker threads used", used),
    )
    if not used and factor < CLEAR:
        return Verdict(_TRUE, "It was as fast as an async one, and used no thread.", figures)
    if used and factor >= CLEAR:
        why = "Each uses a worker thread, even for an async def endpoint; the others wait for a thread."
        return Verdict(_FALSE, why, figures)
    why = "It uses threads, and there were enough." if used else "It took longer, but used no thread."
    return Verdict(_DEPENDS, why, figures, "how many requests share the worker threads")


def asgi_wins(samples: Samples, _: Machine) -> Verdict:
    """Whether ASGI has twice WSGI's throughput under load: `few …` and `many …`."""
    few = _times(samples["few asgi"].throughput, samples["few wsgi"].throughput)
    many = _times(samples["many asgi"].throughput, samples["many wsgi"].throughput)
    a, b = _count(samples["few asgi"]), _count(samples["many asgi"])
    figures = (_x(f"ASGI / WSGI, {a} requests", few), _x(f"ASGI / WSGI, {b} requests", many))
    why = "A WSGI request keeps a thread while it waits; when all are in use, the others queue."
    if many > FOURFOLD:
        on = "how many threads the WSGI server has, and how many requests arrive at once"
        return Verdict(_DEPENDS, why, figures, on)
    if many >= TWICE:
        return Verdict(_TRUE, why, figures)
    if many < CLEAR:
        return Verdict(_FALSE, "Under load both had the same throughput.", figures)
    return Verdict(
        _DEPENDS,
        f"{many:.1f} times the throughput under load.",
        figures,
        "how many threads the WSGI server has",
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
