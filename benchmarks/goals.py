"""What the project sets out to reach, and whether a run did."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import tables
from benchmarks.run import Result
from benchmarks.startup import COLD
from benchmarks.workers import OURS


class Goal(NamedTuple):
    """The most that something may cost: as a ratio, or as a value of our own.

    The ratio is that of our time over the best peer's.
    """

    name: str
    suite: str
    pattern: str
    most: float
    unit: str = ""  # of a value; none for a ratio
    contender: str = OURS  # whose value


GOALS = [
    Goal("training step of emnist16", "steps", "^emnist16", 0.33),
    Goal("training step of lenet8", "steps", "^lenet8", 0.30),
    Goal("training step of deep", "steps", "^deep,", 0.95),
    Goal("deep with batch norm, ResNet, separable", "steps", "norm|resnet|separ", 1.0),
    Goal("convolutions", "primitives", r"^conv \d+x(28|14|7)x", 1.05),
    Goal("fused layer of one channel", "primitives", r"^conv\+relu", 0.2),
    Goal("pools", "primitives", "-pool 2x2 ", 0.5),
    Goal("7x7 stem on 224x224x3", "primitives", "7x7 /2", 1.0),
    Goal("training by any recipe, with its data", "recipes", "", 0.6),
    Goal("peak memory of a step of deep", "memory", "batch 128: peak", 0.8),
    Goal("first step of deep, kernels on disk", "startup", "^first.*deep", 1500, "ms"),
    Goal("first step of deep, cold", "startup", "^first.*deep", 15000, "ms", COLD),
]


def verdicts(results: Sequence[Result]) -> list[list[str]]:
    """Rows: what, the case that does worst, how it does, the goal, whether it is met.

    Goals of which nothing was measured are left out.
    """
    return [row for goal in GOALS for row in _verdict(goal, results)]


def _verdict(goal: Goal, results: Sequence[Result]) -> list[list[str]]:
    wanted = re.compile(goal.pattern)
    concerned = [r for r in results if r.suite == goal.suite and wanted.search(r.case)]
    found = _values(goal, concerned) if goal.unit else _ratios(concerned)
    if not found:
        return []
    worst = max(found, key=lambda case: found[case])
    value = found[worst]
    unit = f" {goal.unit}" if goal.unit else ""
    reached = "yes" if value <= goal.most else "no"
    cells = [f"{tables.number(x)}{unit}" for x in (value, goal.most)]
    return [[goal.name, worst, *cells, reached]]


def _values(goal: Goal, results: Sequence[Result]) -> dict[str, float]:
    return {r.case: r.value for r in results if r.contender == goal.contender}


def _ratios(results: Sequence[Result]) -> dict[str, float]:
    """The ratio to the best peer of each case."""
    found: dict[str, float] = {}
    for r in results:
        if r.ratio:
            found[r.case] = max(found.get(r.case, 0.0), r.ratio.value)
    return found
