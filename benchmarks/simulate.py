"""`python -m benchmarks.simulate --dialogs 1000000 --turns-per-s 1000`: a day of many dialogs, played second by second.

What no benchmark row shows, because this machine is too small for it: how long messages wait at the busiest hour and
after a campaign when a day brings so many dialogs, with so many workers of a measured speed (row "workers"). Arrivals
are Poisson, the day has a curve, statuses of what was sent come back, and the queue is first come, first served.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

DAY_S = 86_400
MESSAGES = 8  # of the customer in one dialog
STATUSES = 3  # sent, delivered, read: of each of ours
STATUS_COST = 0.25  # of a turn: one look-up and one update
BUSIEST = 2.5  # the busiest hour, to the mean of the day
CAMPAIGN_SHARE, CAMPAIGN_S = 0.02, 600  # so many of the day's dialogs begin within ten minutes after a mailing


@dataclass(frozen=True, slots=True)
class Day:
    dialogs: int
    busiest_per_s: float  # turns that arrive in the busiest minute
    load: float  # share of what the workers can do, over the day
    worst_wait_s: float
    waiting_over_5_s: float  # seconds of the day
    longest_queue: int


def play(dialogs: int, capacity_per_s: float, chance: random.Random) -> Day:
    """One day. `capacity_per_s`: turns a second of all workers together."""
    work_a_day = dialogs * MESSAGES * (1 + STATUSES * STATUS_COST)
    queue = worst = 0.0
    busiest = over = 0.0
    minute = 0.0
    for second in range(DAY_S):
        mean = work_a_day / DAY_S * _curve(second)
        if DAY_S * 0.6 <= second < DAY_S * 0.6 + CAMPAIGN_S:
            mean += work_a_day * CAMPAIGN_SHARE / CAMPAIGN_S
        arrived = max(chance.gauss(mean, math.sqrt(mean)), 0.0)
        minute += arrived
        if second % 60 == 59:
            busiest, minute = max(busiest, minute / 60), 0.0
        queue = max(queue + arrived - capacity_per_s, 0.0)
        wait = queue / capacity_per_s
        worst = max(worst, wait)
        over += wait > 5.0
    longest = int(worst * capacity_per_s)
    return Day(dialogs, busiest, work_a_day / DAY_S / capacity_per_s, worst, over, longest)


def _curve(second: int) -> float:
    """Nobody at night, BUSIEST in the afternoon; the mean over a day is 1."""
    height = math.sin(math.pi * second / DAY_S) ** _STEEP
    return BUSIEST * height


def _steepness() -> float:
    """The power of half a sine wave whose mean is 1 when its top is BUSIEST."""
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = sum(math.sin(math.pi * (n + 0.5) / 500) ** middle for n in range(500)) / 500
        low, high = (middle, high) if mean * BUSIEST > 1 else (low, middle)
    return (low + high) / 2


_STEEP = _steepness()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    parser.add_argument("--dialogs", type=int, action="append", help="a day; 1,000,000, 3,000,000 and 10,000,000")
    parser.add_argument("--turns-per-s", type=float, default=1_000.0, help="of one worker, from the row `workers`")
    parser.add_argument("--gain", type=float, default=0.85, help="what each further worker adds to it")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    print("dialogs a day  workers  busiest turns/s  load  worst wait  over 5 s  longest queue")
    for dialogs in given.dialogs or (1_000_000, 3_000_000, 10_000_000):
        for workers in (1, 2, 4, 8, 16):
            capacity = given.turns_per_s * (1 + (workers - 1) * given.gain)
            day = play(dialogs, capacity, random.Random(given.seed))
            figures = f"{day.busiest_per_s:>15,.0f}  {day.load:>4.0%}  {day.worst_wait_s:>8.1f} s"
            print(f"{dialogs:>13,}  {workers:>7}  {figures}  {day.waiting_over_5_s:>6,.0f} s  {day.longest_queue:>13,}")


if __name__ == "__main__":
    main()
