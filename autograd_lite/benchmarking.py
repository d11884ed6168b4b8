"""`benchmark`: what a user's own function costs, forward and back."""

from __future__ import annotations

import importlib.util
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from math import ceil, floor, prod, sqrt
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from .debug.grids import Column, Grid, in_bytes, in_ms
from .debug.recording import Fun, Row, name_of, run
from .debug.timing import PATIENCE, Profile, profile
from .errors import ArgumentError
from .flops import flops
from .reverse import Tape

WARM: Final = 2  # calls before those that count: they compile kernels, fill caches
LEAST, MOST = 7, 2000  # calls that are timed
PROFILED: Final = 20  # the most runs that the table per primitive is the median of


def benchmark(
    fn: Fun,
    *args: Any,
    grad: bool | int | Sequence[int] = True,
    seconds: float = 1.0,
) -> Benchmark:
    """Measure `fn(*args)`, and its derivative with respect to the first argument.

    Timed are the function as it is, and in turns with it the function recorded
    (`forward`) and the walk back (`backward`, ones as cotangents). Then come a run for
    each primitive's share, and one for what is allocated. `grad` may name arguments
    instead, as `argnums` does; with `grad=False` the function alone is timed, and the
    table has the derivatives that it takes itself. So for a training step; and it is
    the default for what `grad` and `value_and_grad` return.

    `seconds` is how long the timing goes on, seven calls at the least. The result, a
    `Benchmark`, prints as tables.

    >>> import autograd_lite.numpy as np
    >>> found = benchmark(lambda x: np.sum(x @ x), np.ones((8, 8)), seconds=0.01)
    >>> sorted([(row.primitive, row.flops) for row in found.primitives])
    [('matmul', 1024), ('sum', 64)]
    >>> found.call.low <= found.call.median <= found.call.high
    True
    """
    if seconds <= 0:
        raise ArgumentError(f"seconds={seconds}: expected a positive number")
    argnums = _argnums(fn, grad)
    times = _timed(_parts(fn, args, argnums), seconds)
    calls = min(PROFILED, len(times["call"]))
    table = profile(
        fn, 0 if argnums is None else argnums, repeats=calls, watch=argnums is None
    )(*args)
    allocated = allocations(lambda: _once(fn, args, argnums))
    timings = {name: timing(found) for name, found in times.items()}
    return Benchmark(name_of(fn), timings, by_primitive(table), table.bytes, allocated)


def _argnums(fn: Fun, grad: bool | int | Sequence[int]) -> int | Sequence[int] | None:
    """Return the arguments to differentiate, None if there are none."""
    takes_derivatives = getattr(fn, "transformation", "map") != "map"
    if grad is False or (grad is True and takes_derivatives):
        return None
    return 0 if grad is True else grad


# -- times ----------------------------------------------------------------------------


class Timing(NamedTuple):
    """Seconds of a call: the median of `calls`, with a 95 % interval."""

    median: float
    low: float
    high: float
    calls: int

    def __str__(self) -> str:
        interval = f"[{in_ms(self.low)}, {in_ms(self.high)}]"
        return f"{in_ms(self.median)} ms {interval}, {self.calls:,} calls"


def timing(seconds: Sequence[float]) -> Timing:
    """Return the median of some times and the interval that their order gives.

    Between those two of the ordered times lies the true median with 95 % probability,
    however the times are distributed (binomial, in its normal approximation).

    >>> timing([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    Timing(median=5.0, low=2.0, high=8.0, calls=9)
    """
    ordered, n = sorted(seconds), len(seconds)
    reach = 1.96 * sqrt(n) / 2
    low, high = floor(n / 2 - reach), ceil(n / 2 + reach)
    ends = ordered[max(low, 0)], ordered[min(high, n) - 1]
    return Timing(median(ordered), *ends, n)


def _parts(
    fn: Fun, args: Any, argnums: int | Sequence[int] | None
) -> Callable[[], dict[str, float]]:
    """Return what times one call of everything, one after the other."""

    def once() -> dict[str, float]:
        start = perf_counter()
        fn(*args)
        found = {"call": perf_counter() - start}
        if argnums is None:
            return found
        forward, backward = _differentiated(fn, args, argnums)
        return {**found, "forward": forward, "backward": backward}

    return once


def _differentiated(
    fn: Fun, args: Any, argnums: int | Sequence[int]
) -> tuple[float, float]:
    """Return the seconds of a recorded run, and of the walk back."""
    start = perf_counter()
    tape = Tape()
    try:
        found = run(tape, fn, args, {}, argnums=argnums)
        pairs = zip(found.outputs, found.values)
        seeds = [(s, np.ones_like(y)[()]) for s, y in pairs if s is not None]
        middle = perf_counter()
        tape.backward(seeds, range(len(found.inputs)))
        return middle - start, perf_counter() - middle
    finally:
        tape.release()


def _once(fn: Fun, args: Any, argnums: int | Sequence[int] | None) -> None:
    if argnums is None:
        fn(*args)
    else:
        _differentiated(fn, args, argnums)


def _timed(
    once: Callable[[], dict[str, float]], seconds: float
) -> dict[str, list[float]]:
    """Call until the time is up; on a terminal, show progress if that takes long."""
    for _ in range(WARM):
        once()
    start = perf_counter()
    samples: list[dict[str, float]] = []
    while len(samples) < LEAST or (
        len(samples) < MOST and perf_counter() - start < seconds
    ):
        samples.append(once())
        if perf_counter() - start > PATIENCE and sys.stderr.isatty():
            sys.stderr.write(f"\rbenchmark: call {len(samples)}")
            sys.stderr.flush()
    if perf_counter() - start > PATIENCE and sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    return {name: [sample[name] for sample in samples] for name in samples[0]}


# -- per primitive --------------------------------------------------------------------


class Share(NamedTuple):
    """What all calls of one primitive cost together; times are in seconds.

    `flops` is the arithmetic forward, None where it is not known, and `moved` the bytes
    of the arrays that are read and made forward.
    """

    primitive: str
    calls: int
    forward: float
    backward: float
    flops: int | None
    moved: int
    kept: int

    @property
    def seconds(self) -> float:
        """Forward and backward time together."""
        return self.forward + self.backward


def by_primitive(table: Profile) -> list[Share]:
    """Return the sums over the rows of each primitive, the slowest first."""
    groups: dict[str, list[Row]] = {}
    for row in table:
        groups.setdefault(row.primitive, []).append(row)
    shares = [_share(name, rows) for name, rows in groups.items()]
    return sorted(shares, key=lambda share: -share.seconds)


def _share(name: str, rows: Sequence[Row]) -> Share:
    counts = [flops(name, r.inputs, r.outputs, r.params) for r in rows]
    known = [count for count in counts if count is not None]
    return Share(
        name,
        len(rows),
        sum(row.forward or 0.0 for row in rows),
        sum(row.backward or 0.0 for row in rows),
        sum(known) if len(known) == len(counts) else None,
        sum(_moved(row) for row in rows),
        sum(row.bytes for row in rows),
    )


def _moved(row: Row) -> int:
    """Bytes read and made; what is read counts as of the dtype that is made."""
    width = np.dtype(row.dtype.partition(",")[0]).itemsize
    return width * sum(map(prod, (*row.inputs, *row.outputs)))


# -- memory ---------------------------------------------------------------------------


class Allocations(NamedTuple):
    """New memory of one run: its highest sum in bytes, and page faults.

    Buffers that kernels recycle are not new. Faults are None where the system does not
    count them.
    """

    peak: int
    faults: int | None


def allocations(once: Callable[[], object]) -> Allocations:
    """Return what a run allocates, as Python and NumPy report it to `tracemalloc`."""
    before = _faults()
    once()
    after = _faults()
    faults = None if before is None or after is None else after - before
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        once()
        return Allocations(tracemalloc.get_traced_memory()[1] - held, faults)
    finally:
        if not tracing:
            tracemalloc.stop()


def _faults() -> int | None:
    """Return the page faults of this process so far."""
    if importlib.util.find_spec("resource") is None:
        return None
    resource = importlib.import_module("resource")
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)


# -- the report -----------------------------------------------------------------------

LABELS: Final = {
    "call": "call",
    "forward": "forward, recorded",
    "backward": "backward",
}


class Benchmark:
    """What `benchmark` found; prints as tables.

    `call`, `forward` and `backward` are `Timing`s, the last two None without `grad`;
    `primitives` has a `Share` per primitive, `kept` is what the tape keeps in bytes,
    `allocations` what a run allocates.
    """

    def __init__(
        self,
        name: str,
        times: dict[str, Timing],
        primitives: list[Share],
        kept: int,
        allocations: Allocations,
    ) -> None:
        self.name = name
        self.call = times["call"]
        self.forward = times.get("forward")
        self.backward = times.get("backward")
        self.primitives = primitives
        self.kept = kept
        self.allocations = allocations

    @property
    def flops(self) -> int:
        """The known arithmetic of one forward pass."""
        return sum(share.flops or 0 for share in self.primitives)

    def grid(self) -> Grid:
        """Return the table per primitive as cells of text."""
        columns = [Column("primitive"), *(Column(head, ">") for head in HEADS)]
        total = sum(share.seconds for share in self.primitives) or 1.0
        rows = [_cells(share, total) for share in self.primitives]
        return Grid("by primitive", columns, rows)

    def summary(self) -> Grid:
        """Return what concerns the function as a whole."""
        times = {"call": self.call, "forward": self.forward, "backward": self.backward}
        rows = [[LABELS[name], str(found)] for name, found in times.items() if found]
        rows += [["FLOPs forward, as far as known", f"{self.flops:,}"]]
        rows += [["kept for the walk back", in_bytes(self.kept)]]
        rows += [["allocated at most", in_bytes(self.allocations.peak)]]
        if self.allocations.faults is not None:
            rows += [["page faults", f"{self.allocations.faults:,}"]]
        columns = [Column("what"), Column("median [95 %]")]
        return Grid(f"benchmark of {self.name}", columns, rows)

    def __repr__(self) -> str:
        tables = [self.summary()]
        if self.primitives:
            tables.append(self.grid())
        return "\n".join(map(str, tables))

    def _repr_html_(self) -> str:
        return self.summary().html() + self.grid().html()

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain lists and dicts, ready for JSON; in seconds."""
        return {
            "function": self.name,
            "call": self.call._asdict(),
            "forward": self.forward and self.forward._asdict(),
            "backward": self.backward and self.backward._asdict(),
            "flops": self.flops,
            "kept": self.kept,
            "allocations": self.allocations._asdict(),
            "primitives": [share._asdict() for share in self.primitives],
        }


HEADS: Final = (
    *("calls", "forward ms", "backward ms", "share"),
    *("MFLOP", "GFLOP/s", "moves", "GB/s", "keeps"),
)


def _cells(share: Share, total: float) -> list[str]:
    """Return the cells of a row; rates are those of the forward pass."""
    spent = share.forward or float("inf")
    known = share.flops is not None
    return [
        share.primitive,
        f"{share.calls:,}",
        in_ms(share.forward),
        in_ms(share.backward),
        f"{share.seconds / total:.0%}",
        f"{(share.flops or 0) / 1e6:.3f}" if known else "?",
        f"{share.flops / spent / 1e9:.1f}" if share.flops else "",
        in_bytes(share.moved),
        f"{share.moved / spent / 1e9:.1f}",
        in_bytes(share.kept),
    ]
