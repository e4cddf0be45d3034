"""
Benchmark of asking more often near a video's expected end and less often far from it.

1000 simulated videos, their lengths log-normal around 90 s. A policy chooses each interval between a floor of
1 s and a ``poke_interval`` of 15 s, knowing a wait's age and how long the last 50 videos took, or,
cold, its age alone. Its parameters are chosen here with hindsight, the best of a grid for each law, which no
code in a triggerer could do. It is set against a fixed interval that makes as many requests.

Bar for having it: a median delay of at most half the fixed one's, for each law, cold and after 50 videos.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from collections.abc import Callable

VIDEOS = 1000
MEDIAN = 90.0
SIGMAS = (0.3, 0.5, 0.8)
FLOOR, CEILING = 1.0, 15.0
BAR = 0.5

Policy = Callable[[float], float]
"""The interval to wait at some age."""


def observe(lengths: list[float], policy: Policy, chance: random.Random) -> tuple[int, float]:
    """Return how many requests a policy makes and the median of how late it notices."""
    requests, delays = 0, []
    for length in lengths:
        age = policy(0.0) * chance.random()
        requests += 1
        while age < length:
            age += min(max(policy(age), FLOOR), CEILING)
            requests += 1
        delays.append(age - length)
    return requests, statistics.median(delays)


def fixed(interval: float) -> Policy:
    return lambda _: interval


def attentive(past: list[float], begin: float, end: float, dense: float, sparse: float) -> Policy:
    """Ask often between two quantiles of what past videos took, and seldom before and after."""
    cuts = statistics.quantiles(past, n=100)
    first, last = cuts[round(begin * 99) - 1], cuts[round(end * 99) - 1]

    def interval(age: float) -> float:
        if age < first:
            return min(sparse, first - age + dense)
        return dense if age < last else sparse

    return interval


def by_age(share: float, floor: float) -> Policy:
    """Ask when the wait has become older by some share: all that can be done without a past."""
    return lambda age: max(floor, age * share)


def as_many_requests(lengths: list[float], requests: int) -> float:
    """Return the median delay of the fixed interval that makes as many requests."""
    low, high = 0.2, 60.0
    for _ in range(30):
        middle = (low + high) / 2
        made, delay = unbounded(lengths, middle)
        low, high = (middle, high) if made > requests else (low, middle)
    return delay


def unbounded(lengths: list[float], interval: float) -> tuple[int, float]:
    chance = random.Random(2)
    asked = [(length, interval * chance.random()) for length in lengths]
    counts = [math.ceil(max(0.0, length - first) / interval) for length, first in asked]
    delays = [first + count * interval - length for (length, first), count in zip(asked, counts, strict=True)]
    return sum(counts) + len(counts), statistics.median(delays)


def best(lengths: list[float], policies: list[Policy]) -> tuple[float, float, float, float]:
    """Return the best ratio to a fixed interval, both delays, and the requests per video."""
    results = []
    for policy in policies:
        requests, delay = observe(lengths, policy, random.Random(1))
        plain = as_many_requests(lengths, requests)
        results.append((delay / plain, delay, plain, requests / len(lengths)))
    return min(results)


def main() -> int:
    print(f"{'law':>10} {'knows':>16} {'requests/video':>15} {'median delay':>13} {'fixed':>7} {'ratio':>6}")
    ratios = []
    for sigma in SIGMAS:
        chance = random.Random(f"lengths {sigma}")
        lengths = [MEDIAN * math.exp(chance.gauss(0, sigma)) for _ in range(VIDEOS)]
        past = [MEDIAN * math.exp(chance.gauss(0, sigma)) for _ in range(50)]
        grid = itertools.product((0.05, 0.15, 0.25), (0.6, 0.75, 0.9), (1, 1.5, 2, 3, 5), (8, 15))
        windows = [attentive(past, *each) for each in grid]
        cold = [by_age(*each) for each in itertools.product((0.02, 0.05, 0.1, 0.2), (1, 2, 4, 8))]
        for knows, policies in (("its age", cold), ("50 past videos", windows)):
            ratio, delay, plain, requests = best(lengths, policies)
            ratios.append(ratio)
            print(
                f"sigma {sigma:4} {knows:>16} {requests:15.1f} {delay:11.2f} s {plain:5.2f} s {ratio:6.2f}",
                flush=True,
            )
    verdict = (
        "worth having" if max(ratios) <= BAR else "not worth having, and so the package does not have it"
    )
    print(f"\nBest ratios {min(ratios):.2f} to {max(ratios):.2f}; bar {BAR} in each row: {verdict}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
