"""The claims, in an order that suits a talk."""

from __future__ import annotations

from loopviz.claims import criteria as c
from loopviz.claims.claim import Burst, Claim, Experiment, Trial

__all__ = ["CLAIMS"]

_CALLS = 10
"""How many upstream calls the fan-out scenarios make."""


def _one(scenario: str) -> Trial:
    return Trial((Burst(scenario),))


def _many(scenario: str, requests: int) -> Trial:
    return Trial((Burst(scenario, requests),))


def _beside(scenario: str, requests: int) -> Trial:
    """`requests` of `scenario`, and 0.1 s later four async requests."""
    return Trial((Burst(scenario, requests), Burst("async", 4, 0.1)))


def _in_turn(scenario: str, requests: int) -> Trial:
    return Trial((Burst(scenario, requests, at_once=1),))


_ASYNC_ALONE = _many("async", 4)
_SPEEDUP_RULE = (
    f"the best of several rounds: true for a speed-up of {c.CLEAR} or more, false up to {c.SLIGHTLY}; "
    f"undecided if two threads of C code are less than {c.PARALLEL} times as fast as one, "
    "because another program runs"
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="def-one-at-a-time",
        claim="def endpoints serve one request at a time.",
        question="Eight requests at once to a def endpoint that sleeps for a second: how long does it take?",
        experiment=Experiment({"one": _one("sync"), "many": _many("sync", 8)}),
        rule=f"true if 8 take at least {8 * c.IN_TURN:g} times as long as one, false up to {c.CLEAR} times",
        criterion=c.one_at_a_time,
        scenarios=("sync",),
    ),
    Claim(
        id="def-blocks-others",
        claim="A def endpoint that blocks holds up all other requests.",
        question="Eight def requests sleep. Four async requests arrive: are they late?",
        experiment=Experiment({"alone": _ASYNC_ALONE, "beside": _beside("sync", 8)}),
        rule=f"true if async requests are delayed by {c.HELD_UP} s, false if they take less than "
        f"{c.CLEAR} times as long as alone",
        criterion=c.def_blocks,
        scenarios=("sync", "async"),
    ),
    Claim(
        id="async-is-faster",
        claim="async makes a request faster.",
        question="One request that waits for a second, as def and as async def: which is done first?",
        experiment=Experiment({"def": _one("sync"), "async": _one("async")}),
        rule=f"true if one async request is at least {c.SAME} times as fast, otherwise false",
        criterion=c.faster_one,
        scenarios=("sync", "async"),
    ),
    Claim(
        id="async-serves-more",
        claim="async serves more requests at once.",
        question="Eight requests, then sixty: is async def faster than def?",
        experiment=Experiment(
            {
                "few def": _many("sync", 8),
                "few async": _many("async", 8),
                "many def": _many("sync", 60),
                "many async": _many("async", 60),
            }
        ),
        rule=f"true if async is {c.CLEAR} times as fast with 8 requests and with 60, false if with neither",
        criterion=c.serves_more,
        scenarios=("sync", "async", "tokens"),
    ),
    Claim(
        id="time-sleep-stops-everyone",
        claim="time.sleep in async def stops everyone.",
        question="Two requests call time.sleep(1) in async def. What happens to four others?",
        experiment=Experiment({"alone": _ASYNC_ALONE, "beside": _beside("blocking", 2)}),
        rule=f"true if all others are delayed by {c.HELD_UP} s, false if none is",
        criterion=c.sleep_stops,
        scenarios=("blocking", "async"),
    ),
    Claim(
        id="sync-calls-are-safe",
        claim="Any synchronous call is safe inside async def.",
        question="time.sleep, an HTTP call, a query, a file: which of them holds the loop?",
        experiment=Experiment(
            {
                "time.sleep": _many("blocking", 2),
                "an HTTP call": _one("http_blocking"),
                "a query": _one("db_blocking"),
                "a file": _one("file_blocking"),
            }
        ),
        rule=f"false if one of them holds the loop for {c.HELD_UP} s, true if all take at most {c.FREE} s",
        criterion=c.calls_are_safe,
        scenarios=("blocking", "http_blocking", "db_blocking", "file_blocking"),
    ),
    Claim(
        id="to-thread-repairs",
        claim="asyncio.to_thread makes a blocking call harmless.",
        question="The same time.sleep, through asyncio.to_thread: is the loop free?",
        experiment=Experiment({"on the loop": _many("blocking", 2), "in a thread": _many("to_thread", 2)}),
        rule=f"true if the loop is never held for {c.HELD_UP} s and the requests are {c.CLEAR} times as fast",
        criterion=c.thread_helps,
        scenarios=("blocking", "to_thread"),
    ),
    Claim(
        id="fastapi-makes-it-async",
        claim="FastAPI turns every route into an async one.",
        question="Eight requests to a def route: how many threads do they use?",
        experiment=Experiment({"def": _many("sync", 8), "async": _many("async", 8)}),
        rule="true if def requests use no worker thread; false if they do, and async ones do not",
        criterion=c.becomes_async,
        scenarios=("sync", "async"),
    ),
    Claim(
        id="a-thread-for-each-task",
        claim="Each async task gets a thread of its own.",
        question="Eight async requests, or ten child tasks of one request: how many threads?",
        experiment=Experiment({"async": _many("async", 8), "child tasks": _one("gather")}),
        rule="true if there are as many threads as requests, false if there is none",
        criterion=c.thread_per_task,
        scenarios=("async", "gather"),
    ),
    Claim(
        id="async-uses-all-cores",
        claim="async makes use of several cores.",
        question="Four async requests compute. How much faster is that than one after the other?",
        experiment=Experiment({"one": _one("cpu"), "many": _many("cpu", 4)}, rounds=2),
        rule=_SPEEDUP_RULE,
        criterion=c.speedup(
            "in async def",
            yes="Requests computed in parallel.",
            no="The event loop is one thread: it computes one request after the other.",
            depends_on="what the endpoint calls",
        ),
        scenarios=("cpu",),
        cores=2,
    ),
    Claim(
        id="def-for-cpu",
        claim="Use def for CPU work.",
        question="Three requests compute, in async def or in def. Which is better, and for which requests?",
        experiment=Experiment({"async def": _beside("cpu", 3), "def": _beside("cpu_threads", 3)}),
        rule=f"true if the work is done {c.CLEAR} times as fast; "
        f"it depends if others wait at most {c.HALF} times as long",
        criterion=c.def_for_cpu,
        scenarios=("cpu", "cpu_threads"),
    ),
    Claim(
        id="threads-for-cpu",
        claim="Threads speed up CPU work.",
        question="Four requests compute in four threads on two cores or more: how much faster?",
        experiment=Experiment(
            {
                "one python": _one("cpu_threads"),
                "many python": _many("cpu_threads", 4),
                "one native": _one("cpu_native"),
                "many native": _many("cpu_native", 4),
            }
        ),
        rule=f"true if Python code and C code are {c.CLEAR} times as fast, false if neither is",
        criterion=c.threads_for_cpu,
        scenarios=("cpu_threads", "cpu_native"),
        cores=2,
    ),
    Claim(
        id="executor-for-cpu",
        claim="run_in_executor speeds up CPU work.",
        question="The same work with run_in_executor and its default threads: is it faster?",
        experiment=Experiment({"one": _one("cpu_executor"), "many": _many("cpu_executor", 4)}, rounds=2),
        rule=_SPEEDUP_RULE,
        criterion=c.speedup(
            "in the default executor",
            yes="The executor's threads computed in parallel.",
            no="The default executor uses threads, and they share the GIL.",
            depends_on="what is computed, and in which executor",
        ),
        scenarios=("cpu_executor",),
        cores=2,
    ),
    Claim(
        id="processes-for-cpu",
        claim="Processes speed up CPU work.",
        question="The same work in a ProcessPoolExecutor: is it faster?",
        experiment=Experiment({"one": _one("cpu_processes"), "many": _many("cpu_processes", 4)}, rounds=3),
        rule=_SPEEDUP_RULE,
        criterion=c.speedup(
            "in processes",
            yes="Every process has its own GIL, so the work runs on several cores.",
            no="Sending the work to the processes cost as much as the cores gained.",
            depends_on="how much work each call sends to a process",
        ),
        scenarios=("cpu_processes",),
        cores=2,
    ),
    Claim(
        id="sync-session-in-async",
        claim="A synchronous database session in async def is fine.",
        question="Four queries by a Session, in async def and in def: how long is the loop held?",
        experiment=Experiment({"async def": _many("db_blocking", 4), "def": _many("db_threads", 4)}),
        rule=f"false if it holds the loop for {c.HELD_UP} s, true if it releases it within {c.FREE} s",
        criterion=c.session_in_async,
        scenarios=("db_blocking", "db_threads"),
    ),
    Claim(
        id="async-drivers-3-to-5",
        claim="Async database drivers give 3 to 5 times the throughput under load.",
        question="Eight queries at once, in three ways: how much faster is the async driver?",
        experiment=Experiment(
            {
                "async driver": _many("db_async", 8),
                "blocking": _many("db_blocking", 8),
                "threads": _many("db_threads", 8),
            }
        ),
        rule=f"true from {c.MUCH} times the throughput of both other ways, "
        "false if it is below that for both",
        criterion=c.async_db,
        scenarios=("db_async", "db_blocking", "db_threads"),
    ),
    Claim(
        id="gather-n-fold",
        claim="gather turned 10 s into 1.3 s: n calls, n times as fast.",
        question="Ten upstream calls, in turn and with gather: how much faster?",
        experiment=Experiment({"in turn": _one("sequential"), "together": _one("gather")}),
        rule=f"true from {_CALLS * c.HALF:g} times as fast for {_CALLS} calls, false below {c.CLEAR} times",
        criterion=c.fan_out(_CALLS),
        scenarios=("sequential", "gather", "task_group"),
    ),
    Claim(
        id="background-tasks-are-free",
        claim="Background tasks never hold up users.",
        question="The response has been sent, and a background task continues. Do four others wait?",
        experiment=Experiment(
            {
                "sync task": _beside("background_sync", 2),
                "async task": _beside("background_async", 2),
                "async task that blocks": _beside("background_blocking", 2),
            }
        ),
        rule=f"true if no kind of task delays others by {c.HELD_UP} s, false if all kinds do",
        criterion=c.background,
        scenarios=("background_sync", "background_async", "background_blocking"),
    ),
    Claim(
        id="trivial-endpoints-def",
        claim="Trivial endpoints should be def.",
        question="An endpoint that returns at once, as def and as async def: which answers first?",
        experiment=Experiment(
            {"def": _in_turn("trivial_def", 15), "async def": _in_turn("trivial_async", 15)}, rounds=8
        ),
        rule=f"the smallest of 8 rounds' medians: false if def takes {c.MARGIN} times as long, "
        "true if async def does",
        criterion=c.hop_is_worth_it,
        scenarios=("trivial_def", "trivial_async"),
    ),
    Claim(
        id="sync-dependencies-are-free",
        claim="Sync dependencies are free.",
        question="Sixty async def requests have a dependency that is def. How many threads do they use?",
        experiment=Experiment({"sync": _many("dependency_sync", 60), "async": _many("dependency_async", 60)}),
        rule=f"true if it uses no worker thread and takes less than {c.CLEAR} times as long as an async one; "
        "false if it uses threads and takes longer",
        criterion=c.sync_dependencies,
        scenarios=("dependency_sync", "dependency_async"),
    ),
    Claim(
        id="asgi-beats-wsgi",
        claim="ASGI beats WSGI two- to threefold under concurrency.",
        question="The same endpoint in Flask and in ASGI, 4 requests and 100: which is faster, by how much?",
        experiment=Experiment(
            {
                "few wsgi": _many("flask", 4),
                "few asgi": _many("asgi", 4),
                "many wsgi": _many("flask", 100),
                "many asgi": _many("asgi", 100),
            }
        ),
        rule=f"true from {c.TWICE} to {c.FOURFOLD} times the throughput with 100 requests, "
        f"false below {c.CLEAR}",
        criterion=c.asgi_wins,
        scenarios=("flask", "asgi"),
    ),
    Claim(
        id="forty-threads-are-enough",
        claim="40 threads are enough.",
        question="Forty def requests, then sixty: what is the longest wait for a thread?",
        experiment=Experiment({"as many": _many("sync", 40), "more": _many("sync", 60)}),
        rule=f"true if no request waits for a thread for {c.HELD_UP} s, false if one of forty does",
        criterion=c.enough_threads,
        scenarios=("tokens", "sync"),
    ),
    Claim(
        id="timers-see-the-wait",
        claim="A timer middleware sees the time that a user waits.",
        question="The loop is busy for two seconds when a request arrives. What does its timer report?",
        experiment=Experiment({"busy": Trial((Burst("blocking", 2), Burst("timer_asgi", 2, 0.1)))}),
        rule=f"true if the timer saw {c.MOST:.0%} of the longest latency, false up to {c.HALF:.0%} of it",
        criterion=c.timer_sees,
        scenarios=("timer_asgi", "timer_base", "blocking"),
    ),
)
