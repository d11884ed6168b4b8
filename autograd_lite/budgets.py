"""Plans for a memory budget: what to keep and what to run again, from measured bytes.

A function is run once under a recorder that measures, for each operation, the seconds
it takes and the bytes its pullback keeps. A plan then cuts the operations into
segments. During the walk back there are alive: what segments read from outside, the
tapes of kept segments, and one segment that is being run again. The plan with the least
to run again is taken among those that stay within the budget. T. Chen and others, 2016,
"Training Deep Nets with Sublinear Memory Cost", with measured costs.
"""

from __future__ import annotations

import itertools
import re
import time
from typing import Any, Final, NamedTuple

import numpy as np

from .core import Primitive, concrete
from .errors import ArgumentError
from .linear import Recorded
from .residuals import kept_arrays, owned_bytes, owner_of
from .reverse import as_tuple, pullbacks
from .segments import Part, Recorder, Slot

_UNITS: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS_OF_1024: Final = {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_COUNTS: Final = (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128)  # of segments
_DEEP: Final = (2, 3, 5)  # of segments with segments inside


def bytes_of(budget: int | str) -> int:
    """Return a number of bytes that may be written with a unit.

    Raises `ValueError` for what is no size.

    >>> bytes_of("1.5 kB"), bytes_of("2GiB"), bytes_of(100)
    (1500, 2147483648, 100)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-zA-Z]*)\s*", str(budget))
    scale = {**_UNITS, **_UNITS_OF_1024}.get(found[2].upper()) if found else None
    if found is None or scale is None:
        raise ArgumentError(
            f"budget={budget!r}: expected a number of bytes, or a string such as "
            '"200MB" or "1.5GiB"'
        )
    return int(float(found[1]) * scale)


class Cost(NamedTuple):
    """What one step costs: its time, and the arrays that matter to the walk back.

    Arrays are known by their root: the first slot whose value owns the memory.
    """

    seconds: float
    kept: frozenset[int]  # roots that the pullback keeps
    besides: int  # bytes that it keeps in arrays of its own
    reads: frozenset[int]
    made: range  # slots


class Meter(Recorder):
    """Records a function as one segment that is to run again, and measures it."""

    __slots__ = ("costs", "nbytes", "roots")

    def __init__(self) -> None:
        super().__init__([Part(None)])
        self.costs: list[Cost] = []
        self.roots: list[int] = []  # by slot
        self.nbytes: list[int] = []  # by slot; zero unless it is a root

    def variable(self, value: Any) -> Recorded:
        """Return a value as a tracer, its bytes noted."""
        self.roots.append(self.slots)
        self.nbytes.append(_owned(value))
        return super().variable(value)

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive, and measure."""
        start = time.perf_counter()
        ans = super().process(primitive, args, params)
        seconds = time.perf_counter() - start
        if primitive.differentiable:
            self._measure(primitive, args, params, as_tuple(ans, primitive), seconds)
            super().done(primitive)
        return ans

    def done(self, primitive: Primitive) -> None:
        """Leave what the rule needs until it is measured."""

    def _measure(
        self, primitive: Primitive, args: Any, params: Any, outs: Any, seconds: float
    ) -> None:
        assert self.segment is not None
        step = self.segment.steps[-1]
        places = [i for i, x in enumerate(step.args) if type(x) is Slot]
        values = [args[i].value if i in places else args[i] for i in range(len(args))]
        owners = {_owner_id(args[i].value): self.roots[args[i].slot] for i in places}
        for y in outs:  # a view's memory is that of what it looks into
            root = owners.setdefault(_owner_id(y.value), y.slot)
            if root != y.slot:
                self.roots[y.slot], self.nbytes[y.slot] = root, 0
        ys = tuple([y.value for y in outs])
        ans = ys if primitive.multiple else ys[0]
        kept = kept_arrays(pullbacks(primitive, places, ans, values, params))
        constants = {_owner_id(x) for x in values} - owners.keys()
        known = [owners[id(x)] for x in kept if id(x) in owners]
        unknown = [x for x in kept if id(x) not in owners and id(x) not in constants]
        reads = frozenset([self.roots[args[i].slot] for i in places])
        made = range(step.outs[0], step.outs[-1] + 1)
        besides = sum([owned_bytes(x) for x in unknown])
        self.costs.append(Cost(seconds, frozenset(known), besides, reads, made))


class Planner:
    """Chooses the segments of measured steps."""

    def __init__(self, meter: Meter, inputs: int) -> None:
        self.costs = meter.costs
        self.nbytes = meter.nbytes
        self.inputs = inputs  # slots below are alive in any case
        kept: frozenset[int] = frozenset().union(*[cost.kept for cost in self.costs])
        steps = [
            c.besides + sum([self.nbytes[s] for s in c.made if s in kept])
            for c in self.costs
        ]
        self.bytes = [0, *itertools.accumulate(steps)]
        seconds = [cost.seconds for cost in self.costs]
        self.seconds = [0.0, *itertools.accumulate(seconds)]

    def plan(self, budget: int) -> tuple[tuple[Part, ...], int]:
        """Return the parts that need the least to be run again, and their peak bytes.

        Where nothing fits the budget, it is what needs the least memory that was found.
        """
        found = self._plan(0, len(self.costs), budget, depth=4)
        return found.parts, found.peak

    def _plan(self, a: int, b: int, budget: float, depth: int) -> _Choice:
        whole = self._residual(a, b)
        best = _Choice((Part(b - a, keep=True),), whole, 0.0)
        if whole <= budget or b - a < 2:
            return best
        tries = [self._split(a, b, budget, n, 0) for n in _COUNTS if n <= b - a]
        best = min([best, *tries], key=lambda choice: choice.rank(budget))
        if best.peak > budget and depth > 1:
            tries = [
                self._split(a, b, budget, n, depth - 1) for n in _DEEP if n <= b - a
            ]
            best = min([best, *tries], key=lambda choice: choice.rank(budget))
        return best

    def _split(self, a: int, b: int, budget: float, count: int, depth: int) -> _Choice:
        cuts = self._cuts(a, b, count)
        spans = list(itertools.pairwise(cuts))
        borders = self._borders(spans, a)
        left = budget - borders
        parts, peaks, seconds = [], [], []
        for c, d in spans:
            again = self.seconds[d] - self.seconds[c]
            inner = _Choice((), self._residual(c, d), 0.0)
            if inner.peak > left and depth > 0:
                inner = self._plan(c, d, max(left, 0), depth)
            parts.append(Part(d - c, parts=inner.parts))
            peaks.append(inner.peak)
            seconds.append(again + inner.seconds)
        spare, total = left - max(peaks), sum(seconds)
        rates = [s / max(self._residual(*span), 1) for s, span in zip(seconds, spans)]
        kept = 0
        for i in sorted(range(len(spans)), key=rates.__getitem__, reverse=True):
            nbytes = self._residual(*spans[i])
            if nbytes <= spare:
                parts[i] = Part(parts[i].steps, keep=True)
                spare, total = spare - nbytes, total - seconds[i]
                kept += nbytes
        return _Choice(tuple(parts), borders + max(peaks) + kept, total)

    def _residual(self, a: int, b: int) -> int:
        """Return the bytes that the tape of steps a to b keeps, besides its inputs."""
        return self.bytes[b] - self.bytes[a]

    def _cuts(self, a: int, b: int, count: int) -> list[int]:
        """Return where segments of about equal bytes begin and end."""
        total = self._residual(a, b)
        targets = [self.bytes[a] + total * i / count for i in range(1, count)]
        inside = np.searchsorted(self.bytes[a : b + 1], targets) + a
        return sorted({a, b, *inside.tolist()})

    def _borders(self, spans: list[tuple[int, int]], start: int) -> int:
        """Return the bytes that segments read from earlier ones."""
        first = max(self.inputs, self.costs[start].made.start)
        roots = set()
        for c, d in spans:
            here = self.costs[c].made.start
            for cost in self.costs[c:d]:
                roots.update([root for root in cost.reads if first <= root < here])
        return sum([self.nbytes[root] for root in roots])


class _Choice(NamedTuple):
    parts: tuple[Part, ...]
    peak: int
    seconds: float  # to be run again

    def rank(self, budget: float) -> tuple[float, ...]:
        """Return what to minimise: the time within the budget, the bytes beyond it."""
        over = self.peak > budget
        return (1, self.peak, self.seconds) if over else (0, self.seconds, self.peak)


def _owner_id(x: Any) -> int:
    value = concrete(x)
    return id(owner_of(value)) if isinstance(value, np.ndarray) else id(value)


def _owned(value: Any) -> int:
    value = concrete(value)
    return owned_bytes(owner_of(value)) if isinstance(value, np.ndarray) else 8
