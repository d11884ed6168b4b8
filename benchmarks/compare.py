"""What changed since an older run, and whether that is more than noise.

Two runs are never alike: the machine was busier, or hotter. How much that is worth can
be seen in the peers, whose code has not changed: whatever they gained or lost is noise.
A change of ours counts if its interval lies beyond that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import tables
from benchmarks.run import Result
from benchmarks.timing import Ratio
from benchmarks.workers import OURS

LEAST_NOISE = 0.05  # as a logarithm: what two runs differ by without any peers to ask
FEW_PEERS = 5


@dataclass(frozen=True)
class Change:
    """A result of both runs: its new time over the old one, and what that means."""

    result: Result
    ratio: Ratio
    verdict: str

    def row(self) -> list[str]:
        """The cells of a table."""
        found = self.result
        value = f"{tables.number(found.value)} {found.unit}"
        return [found.case, found.contender, value, str(self.ratio), self.verdict]


HEADERS = ["case", "library", "now", "now / before [95 %]", "verdict"]


def changes(new: Sequence[Result], old: Sequence[Result]) -> list[Change]:
    """The results that both runs have, with verdicts on ours."""
    before = {_key(result): result for result in old}
    pairs = [(r, before[_key(r)]) for r in new if _key(r) in before]
    ratios = [unpaired(r.blocks, b.blocks) for r, b in pairs]
    theirs = [q for (r, _), q in zip(pairs, ratios) if not _is_ours(r)]
    tolerance = noise(theirs)
    return [
        Change(r, q, verdict(q, tolerance) if _is_ours(r) else "")
        for (r, _), q in zip(pairs, ratios)
    ]


def _key(result: Result) -> tuple[str, str, str, str]:
    return result.suite, result.case, result.contender, result.unit


def _is_ours(result: Result) -> bool:
    return result.contender.startswith(OURS)


def unpaired(new: Sequence[float], old: Sequence[float], draws: int = 2000) -> Ratio:
    """The ratio of two medians, with an interval; the runs have no rounds in common.

    >>> print(unpaired([2.0, 2.0], [4.0, 4.0]))
    0.50 [0.50, 0.50]
    """
    a, b = np.asarray(new, float), np.asarray(old, float)
    rng = np.random.default_rng(0)
    above, below = (
        np.median(x[rng.integers(0, len(x), (draws, len(x)))], axis=1) for x in (a, b)
    )
    low, high = np.percentile(above / below, [2.5, 97.5])
    return Ratio(float(np.median(a) / np.median(b)), float(low), float(high))


def noise(theirs: Iterable[Ratio]) -> float:
    """How much nine in ten of the peers' times changed, as a logarithm.

    >>> round(noise([Ratio(q, q, q) for q in (0.9, 1.0, 1.0, 1.1, 1.2)]), 2)
    0.15
    """
    moved = [abs(float(np.log(q.value))) for q in theirs]
    if len(moved) < FEW_PEERS:
        return max([LEAST_NOISE, *moved])
    return max(LEAST_NOISE, float(np.percentile(moved, 90)))


def verdict(found: Ratio, tolerance: float) -> str:
    """Whether a change is more than noise.

    >>> verdict(Ratio(0.8, 0.78, 0.82), 0.05), verdict(Ratio(1.04, 0.9, 1.2), 0.05)
    ('faster', 'within noise')
    """
    if np.log(found.high) < -tolerance:
        return "faster"
    if np.log(found.low) > tolerance:
        return "slower"
    return "within noise"


def show(new: Sequence[Result], old: Sequence[Result]) -> list[Change]:
    """Print what changed, and return it; peers count only as a measure of noise."""
    found = changes(new, old)
    if not found:
        print("compare: the two runs have no case in common")
        return []
    ours = [change for change in found if _is_ours(change.result)]
    tolerance = noise(c.ratio for c in found if not _is_ours(c.result))
    tables.show_table("changes", HEADERS, [change.row() for change in ours])
    beyond = sum(change.verdict != "within noise" for change in ours)
    print(
        f"{beyond} of {len(ours)} changes exceed the noise between the two runs, "
        f"{np.expm1(tolerance):.0%}"
        + (" as the peers' times have it" if len(ours) < len(found) else "")
    )
    return found
