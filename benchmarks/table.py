"""Lines of the result: what was measured, against what, and whether the goal is met."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Line:
    """`passed` None: a figure without a goal, or a part that was skipped."""

    row: str
    figures: str
    ratio: str = ""
    goal: str = ""
    passed: bool | None = None


def at_least(row: str, figures: str, ratio: float, goal: float) -> Line:
    return Line(row, figures, f"{ratio:.2f}", f">= {goal:g}", ratio >= goal)


def at_most(row: str, figures: str, value: float, goal: float, *, unit: str = "") -> Line:
    return Line(row, figures, f"{value:.2f}{unit}", f"<= {goal:g}{unit}", value <= goal)


def skipped(row: str, reason: str) -> Line:
    return Line(row, f"skipped: {reason}")


def failed(row: str, reason: str) -> Line:
    return Line(row, f"could not be measured: {reason}", passed=False)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of rounds that were run one after another: what slows the machine slows both."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def say(text: str) -> None:
    """Progress, on standard error: standard output holds the table alone."""
    print(text, file=sys.stderr, flush=True)


def show(lines: Iterable[Line]) -> None:
    head = ("row", "figures", "ratio", "goal", "")
    words = [
        (line.row, line.figures, line.ratio, line.goal, {True: "pass", False: "FAIL", None: ""}[line.passed])
        for line in lines
    ]
    widths = [max(len(row[n]) for row in (head, *words)) for n in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *words):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)
