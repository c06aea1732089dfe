"""Measuring: two ways to do the same, next to each other in one process, and the table of what came out.

A figure is CPU time of this process, all its threads included. The two ways take turns (A B, B A, A B ...), so that a
noise of the machine meets both; what counts is the median of the ratios of neighbours.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Work = Callable[[], object]


@dataclass
class Row:
    """One line of the table."""

    name: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    ours: float | None = None
    """Microseconds of CPU for one unit of work."""
    bare: float | None = None
    unit: str = ""
    goal: str = ""
    notes: list[str] = field(default_factory=list[str])


def cpu(work: Work) -> float:
    """Seconds of CPU that `work` takes; garbage of before is not its business."""
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def compare(name: str, ours: Work, bare: Work, *, rounds: int, units: int, unit: str, goal: str = "") -> Row:
    """The ratio of `ours` to `bare`, over `rounds`; each does `units` of work per call."""
    ours()
    bare()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            first = cpu(ours)
            pairs.append((first, cpu(bare)))
        else:
            second = cpu(bare)
            pairs.append((cpu(ours), second))
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    per = 1e6 / units
    return Row(
        name,
        statistics.median(ratios),
        ratios[0],
        ratios[-1],
        statistics.median(mine for mine, _ in pairs) * per,
        statistics.median(theirs for _, theirs in pairs) * per,
        unit,
        goal,
    )


def table(rows: list[Row]) -> Iterator[str]:
    """The rows as aligned text."""
    yield f"{'case':<52} {'ratio':>6} {'min-max':>12} {'agentkit':>10} {'httpx':>10}  {'per':<14} goal"
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        spread = "-" if row.low is None or row.high is None else f"{row.low:.2f}-{row.high:.2f}"
        ours, bare = _micros(row.ours), _micros(row.bare)
        yield f"{row.name:<52} {ratio:>6} {spread:>12} {ours:>10} {bare:>10}  {row.unit:<14} {row.goal}"
        for note in row.notes:
            yield f"    {note}"


def _micros(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} us" if value >= 100 else f"{value:.1f} us"
