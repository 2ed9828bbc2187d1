"""How much of the requests' time loopviz shows in the right state.

Run by hand: ``python -m tests.benchmarks.truth [--seeds N] [--loop uvloop]``. Each seed is a random
application that stamps its own truth (see `tests.truth`), and is run under the real probe. The result is a
share, for each state and in all, and the worst requests with their programs. Exit code 1 below the goal.

``--only SEED`` repeats one application. ``--shrink`` makes the worst one smaller while it is shown wrong,
and prints it as a load that can be kept in a test. ``--mechanisms`` runs the shortest load for each known
mechanism by which a state was shown wrong.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # measure this tree, installed or not

from tests.truth.measure import TOLERANCE, Comparison, Judged, compare
from tests.truth.mechanisms import MECHANISMS
from tests.truth.programs import WORDS, Load, generate, show, smaller

GOAL = 0.995
MS = 1_000_000


def matrix(confusion: Counter[tuple[str, str]]) -> list[str]:
    """The time in each true state, by what was shown."""
    names = ["queued", "running", "ready", "awaiting", "token_wait", "in_thread", "in_process", "gone"]
    names += sorted({name for pair in confusion for name in pair} - set(names))
    used = [name for name in names if any(name in pair for pair in confusion)]
    lines = ["true \\ shown, ms " + "".join(f"{name:>11}" for name in used) + "     right"]
    for true in used:
        row = [confusion[true, shown] for shown in used]
        share = f"{confusion[true, true] / sum(row):9.2%}" if sum(row) else ""
        times = "".join(f"{time / MS:11.0f}" if time else f"{'·':>11}" for time in row)
        lines.append(f"{true:15} {times} {share}")
    return lines


def described(judged: Judged) -> list[str]:
    """Where a request was shown wrong; times are milliseconds since it was sent."""
    start = judged.truth[0].start
    return [
        f"      {(one - start) / MS:7.1f} - {(end - start) / MS:7.1f}  {true}, shown: {said} {why}"
        for (one, end, true, said), why in zip(judged.wrong, judged.why, strict=True)
    ]


def shrunk(load: Load, loop: str, threshold: float) -> Load:
    """A smaller load that is shown as wrong."""

    def fails(candidate: Load) -> bool:
        wrong = compare(candidate, loop=loop)
        return (
            not wrong.trouble
            and max((len(r.wrong) and 1 - r.share for r in wrong.requests), default=0) > threshold
        )

    return smaller(load, fails)


def report(found: list[tuple[int, Comparison]], worst: int) -> float:
    """Print what was found; the share of time shown right."""
    confusion: Counter[tuple[str, str]] = Counter()
    mechanisms: Counter[str] = Counter()
    judged = [(seed, comparison, one) for seed, comparison in found for one in comparison.requests]
    for _, _, one in judged:
        confusion += one.confusion
        for (start, end, true, said), why in zip(one.wrong, one.why, strict=True):
            mechanisms[f"{true}, shown: {said} {why}"] += end - start
    total = sum(one.total for _, _, one in judged)
    agreed = sum(one.agreed for _, _, one in judged)
    ambiguous = sum(one.ambiguous for _, _, one in judged)
    share = agreed / total if total else 0.0
    for seed, comparison, one in sorted(judged, key=lambda item: item[2].share)[:worst]:
        if one.wrong:
            delay, program = comparison.load.programs[one.number - 1]
            print(f"\nseed {seed}, request {one.number}: {one.share:.1%} right, sent after {delay} ms:")
            print(f"      {program}")
            print("\n".join(described(one)))
    print()
    print("\n".join(matrix(confusion)))
    if mechanisms:
        print("\nwhat was shown wrong, ms")
        for words, time in mechanisms.most_common(20):
            print(f"{time / MS:9.0f}  {time / total:6.2%}  {words}")
    print(
        f"\n{share:.2%} of {total / 1e9:.1f} s in {len(judged)} requests are shown right (goal: {GOAL:.1%}); "
        f"in {ambiguous / total if total else 0:.1%} more than one state is right; disagreements shorter "
        f"than {TOLERANCE / MS:.0f} ms count as agreement."
    )
    return share


def mechanisms(loop: str) -> int:
    """Print how each known mechanism is shown; the exit code."""
    wrong = 0
    for about, load in MECHANISMS.items():
        comparison = compare(load, loop=loop)
        right = not any(one.wrong for one in comparison.requests) and not comparison.trouble
        wrong += not right
        print(f"{comparison.share:8.2%}  {'right' if right else 'WRONG'}  {about}")
        for one in comparison.requests:
            if one.wrong:
                print(f"      request {one.number}: {load.programs[one.number - 1][1]}")
                print("\n".join(described(one)))
    return 1 if wrong else 0


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=40, help="how many applications (40)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--only", type=int, help="this seed only")
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    parser.add_argument(
        "--without", nargs="*", default=[], choices=sorted(WORDS), help="operations to leave out"
    )
    parser.add_argument("--worst", type=int, default=5, help="how many of the worst requests are shown (5)")
    parser.add_argument(
        "--shrink", action="store_true", help="make the worst application smaller, and print it"
    )
    parser.add_argument("--mechanisms", action="store_true", help="only the shortest load for each mechanism")
    given = parser.parse_args()
    if given.mechanisms:
        return mechanisms(given.loop)
    seeds = [given.only] if given.only is not None else range(given.first, given.first + given.seeds)
    print(f"Python {platform.python_version()}, {given.loop}, seeds {seeds[0]} to {seeds[-1]}")
    found: list[tuple[int, Comparison]] = []
    unusable = 0
    for seed in seeds:
        load = generate(Random(seed), frozenset(given.without))
        comparison = compare(load, loop=given.loop)
        for why in comparison.trouble:
            print(f"seed {seed}: {why}", file=sys.stderr)
        if comparison.trouble:
            unusable += 1
            continue
        found.append((seed, comparison))
        if sys.stderr.isatty():
            print(f"\r{len(found)} of {len(seeds)}", end="", file=sys.stderr, flush=True)
    share = report(found, given.worst)
    if unusable:
        print(f"{unusable} runs could not be judged: see above.")
    if given.shrink and (wrong := [c for _, c in found if any(r.wrong for r in c.requests)]):
        worst = min(wrong, key=lambda comparison: comparison.share)
        print("\nthe worst, made smaller:\n" + show(shrunk(worst.load, given.loop, 0.02)))
    return 0 if share >= GOAL and unusable <= len(seeds) // 10 else 1


if __name__ == "__main__":
    sys.exit(main())
