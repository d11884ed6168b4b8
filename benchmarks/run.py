"""Runs suites of cases over the contenders and turns times into rows."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks import tables
from benchmarks.cases import SUITES, Case
from benchmarks.peers import PEERS
from benchmarks.timing import Ratio, ratio
from benchmarks.workers import Blocks, Workers

OURS = "autograd_lite"


@dataclass(frozen=True)
class Effort:
    """How long to measure: alternating rounds, and seconds per block."""

    rounds: int
    seconds: float


FULL = Effort(rounds=15, seconds=0.15)
QUICK = Effort(rounds=5, seconds=0.05)


@dataclass(frozen=True)
class Result:
    """One contender's time in one case.

    `ratio` is ours over this contender's, None in our own row; `blocks` are the medians
    of the alternating blocks, in `unit`.
    """

    suite: str
    case: str
    contender: str
    value: float
    unit: str
    gflops: float | None
    ratio: Ratio | None
    blocks: tuple[float, ...]

    def row(self) -> list[str]:
        """The cells of a table."""
        rate = f"{self.gflops:.0f}" if self.gflops else ""
        compared = str(self.ratio) if self.ratio else ""
        return [self.case, self.contender, tables.number(self.value), rate, compared]

    def record(self) -> dict[str, object]:
        """What goes into the JSON file."""
        return asdict(self)


def select(suite: str, pattern: str) -> list[Case]:
    """The cases of a suite whose label matches a regular expression, case ignored.

    >>> [case.label for case in select("steps", "lenet8.*64")]
    ['lenet8, batch 64']
    """
    wanted = re.compile(pattern, re.IGNORECASE)
    return [case for case in SUITES[suite] if wanted.search(case.label)]


def run_suite(
    suite: str, cases: Sequence[Case], peers: Sequence[str], effort: Effort
) -> list[Result]:
    """Measure the cases, ours against the peers, and print the table."""
    contenders = {OURS: "benchmarks.ours"}
    contenders |= {name: PEERS[name].module for name in peers}
    results: list[Result] = []
    with Workers(contenders) as workers, tables.progress(len(cases)) as step:
        for case in cases:
            step(case.label)
            blocks = workers.compare(case, effort.rounds, effort.seconds)
            results += summarise(suite, case, blocks)
    show(suite, results, results[0].unit if results else "")
    for error in workers.failed.values():
        print(f"left out: {error}")
    return results


def summarise(suite: str, case: Case, blocks: Blocks) -> list[Result]:
    """One result per contender, from the seconds of its blocks."""
    results = []
    for name, seconds in blocks.items():
        middle = statistics.median(seconds)
        results.append(
            Result(
                suite=suite,
                case=case.label,
                contender=name,
                value=middle * case.scale,
                unit=case.unit,
                gflops=case.flops / middle / 1e9 if case.flops else None,
                ratio=None if name == OURS else ratio(blocks[OURS], seconds),
                blocks=tuple(s * case.scale for s in seconds),
            )
        )
    return results


def show(suite: str, results: Sequence[Result], unit: str) -> None:
    """Print the table of a suite; GFLOP/s only where there are any."""
    if not results:
        print(f"{suite}: no case matches the filter")
        return
    headers = ["case", "library", unit, "GFLOP/s", "ours / theirs [95 %]"]
    rows = [headers, *(result.row() for result in results)]
    if not any(result.gflops for result in results):
        rows = [[*row[:3], *row[4:]] for row in rows]
    tables.show_table(suite, rows[0], rows[1:])
