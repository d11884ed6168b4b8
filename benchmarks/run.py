"""Runs suites of cases over the contenders and turns times into rows."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import tables
from benchmarks.cases import SUITES, Case
from benchmarks.peers import PEERS
from benchmarks.probes import Limits
from benchmarks.timing import Ratio, ratio
from benchmarks.workers import OURS as OURS
from benchmarks.workers import REFERENCE, Comparison, Effort, Workers


@dataclass(frozen=True)
class Result:
    """What was measured of one contender in one case.

    `ratio` is ours over this contender's, None in our own row; `blocks` are the medians
    of the alternating blocks, in `unit`. `gbs` is the rate in GB/s, `limit` the share
    of what the machine can do at best, `error` the largest one against float64.
    """

    suite: str
    case: str
    contender: str
    value: float
    unit: str
    gflops: float | None = None
    ratio: Ratio | None = None
    blocks: tuple[float, ...] = ()
    gbs: float | None = None
    limit: float | None = None
    error: float | None = None
    bytes: int = 0

    @property
    def intensity(self) -> float | None:
        """Operations per byte, where both are counted."""
        return self.gflops / self.gbs if self.gflops and self.gbs else None

    def against(self, limits: Limits) -> "Result":
        """The same, its share of the limit by these."""
        if not self.bytes:
            return self
        share = limits.share(self.gflops or 0.0, self.gbs or 0.0, self.bytes)
        return replace(self, limit=share)

    def row(self) -> list[str]:
        """The cells of a table."""
        cells = [
            self.case,
            self.contender,
            tables.number(self.value),
            f"{self.gflops:.0f}" if self.gflops else "",
            f"{self.gbs:.1f}" if self.gbs else "",
            f"{self.limit:.0%}" if self.limit else "",
            "" if self.error is None else f"{self.error:.0e}",
            str(self.ratio) if self.ratio else "",
        ]
        return cells

    def record(self) -> dict[str, object]:
        """What goes into the JSON file."""
        return asdict(self)


HEADERS = ["GFLOP/s", "GB/s", "of limit", "error", "ours / theirs [95 %]"]


def result_from(record: dict[str, Any]) -> Result:
    """The result that a record was made of.

    >>> one = Result("steps", "deep", "torch", 2.0, "ms", ratio=Ratio(1.0, 0.9, 1.1))
    >>> result_from(one.record()) == one
    True
    """
    given = record.get("ratio")
    compared = Ratio(**given) if given else None
    blocks = tuple(record.get("blocks", ()))
    return Result(**{**record, "ratio": compared, "blocks": blocks})


def select(suite: str, pattern: str) -> list[Case]:
    """The cases of a suite whose label matches a regular expression, case ignored.

    >>> [case.label for case in select("steps", "lenet8.*64")]
    ['lenet8, batch 64']
    """
    wanted = re.compile(pattern, re.IGNORECASE)
    return [case for case in SUITES[suite] if wanted.search(case.label)]


def run_suite(
    suite: str,
    cases: Sequence[Case],
    peers: Sequence[str],
    effort: Effort,
    limits: Limits,
) -> list[Result]:
    """Measure the cases, ours against the peers, and print the table."""
    contenders = {OURS: "benchmarks.ours"}
    contenders |= {name: PEERS[name].module for name in peers}
    contenders[REFERENCE] = "benchmarks.references"
    results: list[Result] = []
    repeated = disturbed = 0
    with Workers(contenders) as workers, tables.progress(len(cases)) as step:
        for case in cases:
            step(f"{suite}: {case.label}")
            found = workers.compare(case, effort)
            results += summarise(suite, case, found, limits)
            repeated += found.repeated
            disturbed += found.disturbed
    show(suite, results)
    if repeated or disturbed:
        print(
            f"a core was missing in {repeated + disturbed} blocks: "
            f"{repeated} were measured again, {disturbed} were not"
        )
    for error in workers.failed.values():
        print(f"left out: {error}")
    return results


def summarise(
    suite: str, case: Case, found: Comparison, limits: Limits
) -> list[Result]:
    """One result per contender, from the seconds of its blocks."""
    results = []
    flops, nbytes = case.flops, getattr(case, "bytes", 0)
    for name, seconds in found.blocks.items():
        middle = statistics.median(seconds)
        theirs = None if name == OURS else ratio(found.blocks[OURS], seconds)
        results.append(
            Result(
                suite=suite,
                case=case.label,
                contender=name,
                value=middle * case.scale,
                unit=case.unit,
                gflops=flops / middle / 1e9 if flops else None,
                ratio=theirs,
                blocks=tuple(s * case.scale for s in seconds),
                gbs=nbytes / middle / 1e9 if nbytes else None,
                error=found.errors.get(name),
                bytes=nbytes,
            ).against(limits)
        )
    return results


def show(suite: str, results: Sequence[Result]) -> None:
    """Print the table of a suite."""
    if not results:
        print(f"{suite}: no case matches the filter")
        return
    tables.show_table(suite, *table(results))


def table(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells; a column that says nothing is left out.

    Where the units differ, each value has its own.

    >>> table([Result("startup", "import", "numpy", 80.0, "ms")])
    (['case', 'library', 'ms'], [['import', 'numpy', '80']])
    """
    units = {result.unit for result in results}
    rows = [result.row() for result in results]
    if len(units) > 1:
        for row, result in zip(rows, results):
            row[2] += f" {result.unit}"
    headers = ["case", "library", "value" if len(units) > 1 else min(units), *HEADERS]
    used = [i for i in range(len(headers)) if i < 3 or any(row[i] for row in rows)]
    return [headers[i] for i in used], [[row[i] for i in used] for row in rows]
