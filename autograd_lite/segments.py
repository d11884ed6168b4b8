"""Functions run in segments, so that the walk back needs little memory at a time.

A `Recorder` runs a function on tracers of its own and notes every primitive. It cuts
the list into segments as a plan says. Of a segment that is to run again nothing is
kept but what it read from outside; of one that is kept, the tape. The walk back takes
the segments from the last to the first, and runs again what was not kept, itself in
segments where the plan has parts within the part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .arguments import Flat, Operation, highest
from .blame import annotate
from .core import Primitive, Trace
from .linear import Recorded
from .ops.basic import add
from .reverse import (
    FAILURES,
    Tape,
    Variable,
    as_array,
    as_tuple,
    new_tape,
    slot_of,
    strip,
)

Save = Callable[[str, int], bool]  # name of a primitive, bytes of its results


class Part(NamedTuple):
    """A segment as planned: how many operations, and what becomes of them.

    `keep` keeps the tape; else the segment runs again, in `parts` if there are any,
    except for the operations whose results `save` keeps.
    """

    steps: int | None  # None for all that follow
    keep: bool = False
    parts: tuple[Part, ...] = ()
    save: Save | None = None


class Slot(NamedTuple):
    """Stands for a recorded value among the arguments of a step."""

    number: int


class Step(NamedTuple):
    """One operation, its traced arguments and results by slot."""

    primitive: Primitive
    args: tuple[Any, ...]
    params: dict[str, Any]
    outs: tuple[int, ...]


class Segment:
    """Consecutive steps, and what it takes to walk back over them.

    Slots from `first` on are made in the segment; `inputs` are the earlier ones that it
    reads, with their values. `places` are the tape's slots of both, where it is kept.
    """

    def __init__(self, part: Part, first: int) -> None:
        self.part = part
        self.first = first
        self.steps: list[Step] = []
        self.inputs: dict[int, Any] = {}
        self.saved: dict[int, Any] = {}
        self.tape: Tape | None = new_tape() if part.keep else None
        self.places: dict[int, int] = {}

    def run(
        self, primitive: Primitive, args: Flat, mine: list[bool], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive to recorded values, on the tape of a kept segment."""
        for x, m in zip(args, mine):
            if m and x.slot < self.first:
                self.inputs.setdefault(x.slot, x.value)
        tape = self.tape
        if tape is None:
            values = [x.value if m else x for x, m in zip(args, mine)]
        else:
            values = [self._on(tape, x) if m else x for x, m in zip(args, mine)]
        return apply(primitive, values, params)

    def _on(self, tape: Tape, x: Recorded) -> Variable:
        """Return a recorded value as a variable of the tape."""
        if x.slot not in self.places:
            self.places[x.slot] = tape.variable(x.value).slot
        return Variable(tape, x.value, self.places[x.slot])

    def note(self, step: Step, outs: Flat) -> list[Any]:
        """Note a step that was run; return its results without the tape."""
        if self.tape is not None:
            places = [slot_of(self.tape, y) for y in outs]
            made = [(s, p) for s, p in zip(step.outs, places) if p is not None]
            self.places.update(made)
            self.steps.append(step._replace(args=()))
            return [as_array(strip(self.tape, y)) for y in outs]
        values = [as_array(y) for y in outs]
        if self.part.save is not None and not isinstance(step.primitive, Operation):
            nbytes = sum([y.size * y.dtype.itemsize for y in values])
            if self.part.save(step.primitive.name, nbytes):
                self.saved[len(self.steps)] = tuple(values)
        self.steps.append(step)
        return values

    def pull(self, slots: list[int], gs: Flat) -> Iterable[tuple[int, Any]]:
        """Return the (slot, cotangent) of the inputs, for those of slots made here."""
        if self.tape is not None:
            pairs = zip(slots, _taken(gs))
            seeds = [(self.places[s], g) for s, g in pairs if s in self.places]
            read = [self.places[s] for s in self.inputs]
            found = self.tape.backward(_drained(seeds), read, keep=True)
            return zip(self.inputs, found)
        fun, values = self.again(slots), [*self.inputs.values()]
        if self.part.parts:
            x_bars = planned_vjp(fun, values, self.part.parts)[1](gs)
        else:
            x_bars = taped(fun, values, gs)
        return zip(self.inputs, x_bars)

    def again(self, wanted: list[int]) -> Callable[..., Flat]:
        """Return the segment as a function of its inputs; values go after last use."""
        last = {slot: i for i, step in enumerate(self.steps) for slot in _reads(step)}

        def run(*values: Any) -> Flat:
            known = dict(zip(self.inputs, values, strict=True))
            for i, step in enumerate(self.steps):
                primitive = step.primitive
                if i in self.saved:
                    primitive = _given(primitive, self.saved[i])
                args = [known[x.number] if type(x) is Slot else x for x in step.args]
                outs = as_tuple(apply(primitive, args, step.params), primitive)
                known.update(zip(step.outs, outs))
                for slot in {*_reads(step), *step.outs}.difference(wanted):
                    if last.get(slot, i) <= i:
                        del known[slot]
            return [known[slot] for slot in wanted]

        return run


class Recorder(Trace):
    """Runs primitives, and notes them in segments as planned."""

    __slots__ = ("parts", "segment", "segments", "slots")

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.parts = list(reversed(parts))
        self.slots = 0
        self.segments: list[Segment] = []
        self.segment: Segment | None = None

    def variable(self, value: Any) -> Recorded:
        """Return a value as a tracer, in a new slot."""
        self.slots += 1
        return Recorded(self, value, self.slots - 1)

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Apply a primitive to what is inside the tracers, and note it."""
        self.check_open(primitive)
        if not primitive.differentiable:
            return apply(primitive, [self._strip(x) for x in args], params)
        segment = self._current()
        mine = [isinstance(x, Recorded) and x.owner is self for x in args]
        ans = segment.run(primitive, args, mine, params)
        outs = as_tuple(ans, primitive)
        slots = tuple(range(self.slots, self.slots + len(outs)))
        inner = tuple([Slot(x.slot) if m else x for x, m in zip(args, mine)])
        values = segment.note(Step(primitive, inner, params, slots), outs)
        found = tuple([self.variable(y) for y in values])
        self.done(primitive)
        return found if primitive.multiple else found[0]

    def done(self, primitive: Primitive) -> None:
        """Drop what a primitive left for its rule, which is made when it runs again."""
        if isinstance(primitive, Operation):
            primitive.forget()

    def _strip(self, x: Any) -> Any:
        return x.value if isinstance(x, Recorded) and x.owner is self else x

    def _current(self) -> Segment:
        """Return the segment that the next step belongs to."""
        segment = self.segment
        if segment is None or len(segment.steps) == segment.part.steps:
            part = self.parts.pop() if self.parts else Part(None)
            segment = self.segment = Segment(part, self.slots)
            self.segments.append(segment)
        return segment


def planned_vjp(
    fun: Callable[..., Flat], xs: Flat, parts: Sequence[Part]
) -> tuple[Flat, Callable[[Flat], Flat]]:
    """Return the outputs of a flat function, and the pullback to its arguments."""
    return recorded_vjp(Recorder(parts), fun, xs)


def recorded_vjp(
    recorder: Recorder, fun: Callable[..., Flat], xs: Flat
) -> tuple[Flat, Callable[[Flat], Flat]]:
    """Return the outputs of a flat function, and the pullback, by a given recorder.

    Integers among the arguments have zero cotangents, those of outputs are ignored.
    """
    xs = [as_array(x) for x in xs]
    tracers = [recorder.variable(x) for x in xs]
    given = [t if x.dtype.kind in "fc" else x for x, t in zip(xs, tracers)]
    try:
        outs = [as_array(y) for y in fun(*given)]
    finally:
        recorder.open = False
        for segment in recorder.segments:
            if segment.tape is not None:
                segment.tape.open = False
    ends = [
        y.slot if isinstance(y, Recorded) and y.owner is recorder else None
        for y in outs
    ]
    segments = recorder.segments
    shapes = [(x.shape, x.dtype) for x in xs]

    def pull(gs: Flat) -> Flat:
        found: dict[int, Any] = {}
        _receive(found, [(s, g) for s, g in zip(ends, _taken(gs)) if s is not None])
        for segment in reversed(segments):
            slots = [slot for slot in found if slot >= segment.first]
            if slots:
                _receive(found, segment.pull(slots, [found.pop(s) for s in slots]))
        return [
            found[i] if i in found else np.zeros(shape, dtype)[()]
            for i, (shape, dtype) in enumerate(shapes)
        ]

    return [y if s is None else y.value for y, s in zip(outs, ends)], pull


def apply(primitive: Primitive, args: Flat, params: dict[str, Any]) -> Any:
    """Apply a primitive as one operation, also one that is made for a single call."""
    trace = highest(args)
    if trace is None:
        return primitive.impl(*args, **params)
    return trace.process(primitive, tuple(args), params)


def taped(
    fun: Callable[..., Flat],
    xs: Flat,
    gs: Flat,
    check: Callable[[Flat], None] | None = None,
) -> Flat:
    """Return the cotangents of the arguments of a flat function, run for them.

    `check` is given the results first.
    """

    def record(tape: Tape) -> Flat:
        return fun(*[tape.variable(x) for x in xs])

    tape = new_tape()
    try:
        outs = record(tape)
        if check is not None:
            check(outs)
        ends = [slot_of(tape, y) for y in outs]
    finally:
        tape.open = False
    del outs
    seeds = [(s, g) for s, g in zip(ends, _taken(gs)) if s is not None]
    try:
        return tape.backward(_drained(seeds), range(len(xs)))
    except FAILURES as error:
        annotate(error, tape, record)
        raise


def _taken(gs: Flat) -> list[Any]:
    """Return cotangents, and empty a list of them: else each level would hold its."""
    values = list(gs)
    if isinstance(gs, list):
        gs.clear()
    return values


def _drained(pairs: list[Any]) -> Iterable[Any]:
    while pairs:
        yield pairs.pop()


def _reads(step: Step) -> list[int]:
    return [x.number for x in step.args if type(x) is Slot]


def _given(primitive: Primitive, outs: tuple[Any, ...]) -> Primitive:
    """Return the primitive with its rules, but with known results."""
    known = Operation(
        lambda *args, **params: outs if primitive.multiple else outs[0],
        [],
        name=primitive.name,
        broadcasts=primitive.broadcasts,
        multiple=primitive.multiple,
    )
    known.vjps, known.joint_vjp = primitive.vjps, primitive.joint_vjp
    return known


def _receive(found: dict[int, Any], x_bars: Iterable[tuple[int, Any]]) -> None:
    for slot, x_bar in x_bars:
        found[slot] = add(found[slot], x_bar) if slot in found else x_bar
