"""The profile: how long each operation takes, forward and back."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np

from .. import tree
from ..core import Primitive, no_cotangent
from ..errors import ArgumentError
from ..reverse import TAPE, Tape
from .context import setting
from .grids import in_bytes, in_ms
from .recording import (
    Fun,
    Input,
    Note,
    Row,
    WrappedPullback,
    constant_row,
    name_of,
    note,
    rows_of,
    run,
)
from .tables import Table

WARM_UP: Final = 0.1  # seconds; processors and thread pools take some time to wake
PATIENCE: Final = 2.0  # seconds, from which on progress is shown


def profile(
    fun: Fun,
    argnums: int | Sequence[int] = 0,
    *,
    wrt: str | Sequence[str] | None = None,
    has_aux: bool = False,
    repeats: int = 10,
    watch: bool | None = None,
) -> Callable[..., Profile]:
    """Return the function that times `fun` and its derivative, operation by operation.

    Arguments are those of `grad`, but outputs may have any shape. The result, a
    `Profile`, is a `Table` with the forward and backward time of each row, the medians
    of `repeats` runs after some that warm up. Printed, it has sums per primitive and
    per line of the program as well.

    With `watch` the function runs as it is, and what is timed are the derivatives that
    it takes itself: for a training step. That is the default for what `grad` and
    `value_and_grad` return.

    A row has the time of its primitive with the making and the call of its pullbacks;
    operations without a derivative have rows as well. Sums of cotangents, and what is
    no operation on traced arrays, count as outside.

    >>> import autograd_lite.numpy as np
    >>> report = profile(lambda x: np.sum(np.tanh(x) ** 2), repeats=3)(np.ones(9))
    >>> list(report.by_primitive()) and [row.primitive for row in report]
    ['tanh', 'square', 'sum']
    >>> all(row.forward > 0 and row.backward > 0 for row in report)
    True
    """
    if repeats < 1:
        raise ArgumentError(f"repeats={repeats}: expected at least 1")
    if watch is None:
        watch = getattr(fun, "transformation", "map") != "map"
    options = {"argnums": argnums, "wrt": wrt, "has_aux": has_aux}

    @functools.wraps(fun)
    def profiled(*args: Any, **kwargs: Any) -> Profile:
        def once(noting: bool) -> Session:
            if watch:
                return _observed(fun, args, kwargs, noting)
            return _differentiated(fun, args, kwargs, options, noting)

        first = once(noting=True)
        warm = first.seconds
        while warm < WARM_UP:
            warm += once(noting=False).seconds
        estimate = first.seconds if first.seconds > WARM_UP else WARM_UP / 10
        sessions = _repeated(lambda: once(noting=False), repeats, estimate)
        return _profile_of(name_of(fun), first, sessions)

    return profiled


class Profile(Table):
    """A tape with times: of each row in `forward` and `backward`, in seconds.

    `seconds` is the time of a whole run, `repeats` how many there were.
    """

    timed = True

    def __init__(
        self,
        name: str,
        rows: list[Row],
        inputs: list[Input],
        outputs: list[int],
        *,
        seconds: float,
        repeats: int,
    ) -> None:
        super().__init__(name, rows, inputs, outputs)
        self.seconds = seconds
        self.repeats = repeats
        self.forward = sum(row.forward or 0.0 for row in rows)
        self.backward = sum(row.backward or 0.0 for row in rows)

    @property
    def title(self) -> str:
        """The head of the table: the time of a run, and what it is made of."""
        outside = max(self.seconds - self.forward - self.backward, 0.0)
        return (
            f"profile of {self.name}: {in_ms(self.seconds)} ms = forward "
            f"{in_ms(self.forward)} + backward {in_ms(self.backward)} + outside of "
            f"operations {in_ms(outside)} (median of {self.repeats}); "
            f"{in_bytes(self.bytes)} kept beside the arguments"
        )

    def _times(self, row: Row) -> list[str]:
        share = row.seconds / ((self.forward + self.backward) or 1.0)
        times = [in_ms(row.forward or 0.0), in_ms(row.backward or 0.0)]
        return [*times, f"{share:.0%}"]

    def __repr__(self) -> str:
        return f"{self.text()}\n{self.by_primitive()}\n{self.by_line()}"

    def _repr_html_(self) -> str:
        grids = [self.by_primitive().grid(), self.by_line().grid()]
        return super()._repr_html_() + "".join(grid.html() for grid in grids)

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain lists and dicts; times are in seconds."""
        times = {"seconds": self.seconds, "repeats": self.repeats}
        return {**super().to_dict(), **times}


# -- one run --------------------------------------------------------------------------


class Clock:
    """What the tapes of a run share; it does not know them, which would be a cycle."""

    def __init__(self, noting: bool, besides: Sequence[Any]) -> None:
        self.noting = noting
        self.besides = besides
        self.nested = 0.0  # seconds within operations inside of the one that runs


class Session:
    """One run: its tapes, and the clock that they go by."""

    def __init__(self, noting: bool, besides: Sequence[Any] = ()) -> None:
        self.clock = Clock(noting, besides)
        self.tapes: list[TimedTape] = []
        self.seconds = 0.0
        self.inputs: list[Input] = []
        self.outputs: list[int] = []

    def names(self) -> list[str]:
        """Return the primitives that ran, in order."""
        return [sample.name for tape in self.tapes for sample in tape.samples]

    def times(self) -> list[tuple[float, float]]:
        """Return the forward and backward time of each operation."""
        return [(s.forward, s.backward) for tape in self.tapes for s in tape.samples]


class Sample:
    """The times of one operation in one run."""

    __slots__ = ("backward", "forward", "name")

    def __init__(self, name: str, forward: float) -> None:
        self.name = name
        self.forward = forward
        self.backward = 0.0


class TimedTape(Tape):
    """A tape that times each operation and each pullback.

    An operation on a tape within another is one on the outer tape too; each of them has
    the time that is spent in it and not in the other.
    """

    __slots__ = ("clock", "constants", "notes", "recorded", "samples")

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.clock = session.clock
        self.samples: list[Sample] = []
        self.notes: list[Note] = []
        self.constants: list[Row | None] = []  # without a derivative; else None
        self.recorded: list[Row] = []
        session.tapes.append(self)

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Record an operation, and how long it takes."""
        clock = self.clock
        outer, clock.nested = clock.nested, 0.0
        start = perf_counter()
        try:
            ans = super().process(primitive, args, params)
            own = perf_counter() - start - clock.nested
            sample = Sample(primitive.name, own)
            self.samples.append(sample)
            if clock.noting:
                self._note(primitive, args, params, ans)
            if primitive.differentiable:
                self._time_pullbacks(sample)
        finally:
            clock.nested = outer + perf_counter() - start
        return ans

    def _note(
        self, primitive: Primitive, args: tuple[Any, ...], params: Any, ans: Any
    ) -> None:
        called = note(args, params)
        if primitive.differentiable:
            self.notes.append(called)
            self.constants.append(None)
        else:
            self.constants.append(constant_row(primitive, called, ans))

    def _time_pullbacks(self, sample: Sample) -> None:
        out, primitive, slots, pulls = self.entries[-1]
        timed: Any
        if isinstance(pulls, list):
            timed = [
                p if p is no_cotangent else TimedPullback(p, sample, self.clock)
                for p in pulls
            ]
        else:
            timed = TimedPullback(pulls, sample, self.clock)
        self.entries[-1] = out, primitive, slots, timed

    def backward(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return the cotangents; before the first walk, see what the tape keeps."""
        if self.clock.noting and not self.recorded:
            self.recorded = rows_of(self, self.notes, self.clock.besides)
        return super().backward(*args, **kwargs)

    def rows(self) -> list[Row]:
        """Return the rows of all operations, in the order of the samples."""
        recorded = self.recorded or rows_of(self, self.notes, self.clock.besides)
        following = iter(recorded)
        return [row or next(following) for row in self.constants]


# The run that is being observed, for tapes that `new_tape` makes without arguments.
SESSION: Final[ContextVar[Session]] = ContextVar("SESSION")


class ObservedTape(TimedTape):
    """A tape of the run in progress, made by a transformation within it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(SESSION.get())


class TimedPullback(WrappedPullback):
    """A pullback that adds the time it takes to a sample."""

    __slots__ = ("clock", "sample")

    def __init__(self, pull: Fun, sample: Sample, clock: Clock) -> None:
        super().__init__(pull)
        self.sample = sample
        self.clock = clock

    def __call__(self, g: Any) -> Any:
        """Return what the pullback returns."""
        clock = self.clock
        outer, clock.nested = clock.nested, 0.0
        start = perf_counter()
        try:
            return self.pull(g)
        finally:
            elapsed = perf_counter() - start
            self.sample.backward += elapsed - clock.nested
            clock.nested = outer + elapsed


def _differentiated(
    fun: Fun, args: Any, kwargs: Any, options: dict[str, Any], noting: bool
) -> Session:
    """Run a function forward and back, with ones as cotangents."""
    session = Session(noting)
    start = perf_counter()
    tape = TimedTape(session)
    try:
        found = run(tape, fun, args, kwargs, **options)
        session.clock.besides, session.inputs = found.arguments, found.inputs
        pairs = zip(found.outputs, found.values)
        seeds = [(s, np.ones_like(y)[()]) for s, y in pairs if s is not None]
        session.outputs = [slot for slot, _ in seeds]
        tape.backward(seeds, range(len(found.inputs)))
    finally:
        tape.release()
    session.seconds = perf_counter() - start
    return session


def _observed(fun: Fun, args: Any, kwargs: Any, noting: bool) -> Session:
    """Run a function that takes derivatives itself."""
    session = Session(noting, tree.leaves((args, kwargs)))
    start = perf_counter()
    with setting(SESSION, session), setting(TAPE, ObservedTape):
        fun(*args, **kwargs)
    session.seconds = perf_counter() - start
    return session


# -- many runs ------------------------------------------------------------------------


def _repeated(
    once: Callable[[], Session], repeats: int, estimate: float
) -> list[Session]:
    """Run several times; show progress on a terminal if it takes long."""
    slow = repeats * estimate > PATIENCE and sys.stderr.isatty()
    sessions = []
    for i in range(repeats):
        if slow:
            sys.stderr.write(f"\rprofile: run {i + 1} of {repeats}")
            sys.stderr.flush()
        sessions.append(once())
    if slow:
        sys.stderr.write("\r\033[K")
    return sessions


def _profile_of(name: str, first: Session, sessions: list[Session]) -> Profile:
    """Return the medians of the runs that did what the first one did."""
    names = first.names()
    alike = [s for s in sessions if s.names() == names]
    if not alike:
        raise ArgumentError(
            f"{name} ran other operations each time, so that there is no median: fix "
            "what is random in it, or what it changes outside of itself"
        )
    rows = _numbered(first)
    runs = zip(*[session.times() for session in alike])
    for i, (row, times) in enumerate(zip(rows, runs)):
        forward, backward = map(median, zip(*times))
        rows[i] = row._replace(forward=forward, backward=backward)
    seconds = median(session.seconds for session in alike)
    return Profile(
        name,
        rows,
        first.inputs,
        first.outputs,
        seconds=seconds,
        repeats=len(alike),
    )


def _numbered(session: Session) -> list[Row]:
    """Return the rows of all tapes, with numbers and slots of their own."""
    rows: list[Row] = []
    base = 0
    for tape in session.tapes:
        for row in tape.rows():
            reads = tuple([base + slot for slot in row.reads])
            fills = tuple([base + slot for slot in row.fills])
            rows.append(row._replace(number=len(rows), reads=reads, fills=fills))
        base += len(tape.avals)
    return rows
