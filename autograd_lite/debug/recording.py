"""Running a function on a tape that takes notes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..api import float_leaves, selector
from ..core import Primitive, concrete
from ..outputs import split_aux
from ..residuals import kept_arrays, owned_bytes, owner_of
from ..reverse import Tape, as_array, slot_of
from ..source import Line, user_line

Fun = Callable[..., Any]
Shape = tuple[int, ...]


class Note(NamedTuple):
    """What a tape does not keep of an operation: its call."""

    line: Line | None
    inputs: tuple[Shape, ...]  # of all arguments, constant ones too
    params: dict[str, Any]


class Row(NamedTuple):
    """One operation on a tape, and what it costs.

    `bytes` is the memory that its pullback keeps until the walk back and that no
    earlier row keeps already, `shared` what it has in common with those. The times, in
    seconds, are None where nothing was timed. `reads` and `fills` are slots: numbers of
    the traced arrays that it reads and makes.
    """

    number: int
    primitive: str
    line: Line | None
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    dtype: str
    bytes: int
    shared: int
    reads: tuple[int, ...]
    fills: tuple[int, ...]
    params: dict[str, Any]
    forward: float | None = None
    backward: float | None = None

    @property
    def source(self) -> str:
        """The file's name and the number of the user's line."""
        return place(self.line)

    @property
    def seconds(self) -> float:
        """Forward and backward time together; 0 where nothing was timed."""
        return (self.forward or 0.0) + (self.backward or 0.0)


class Input(NamedTuple):
    """An array that is differentiated: its place among the arguments."""

    name: str
    shape: Shape
    dtype: str


class NotingTape(Tape):
    """A tape that notes the user's line, the arguments' shapes and the parameters."""

    __slots__ = ("notes",)

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    def process(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """Record an operation, and note how it was called."""
        ans = super().process(primitive, args, params)
        if primitive.differentiable:
            self.notes.append(note(args, params))
        return ans


class WrappedPullback:
    """A pullback that does something besides; errors name the one it wraps."""

    __slots__ = ("pull",)

    def __init__(self, pull: Fun) -> None:
        self.pull = pull

    @property
    def __code__(self) -> Any:
        """The code of the wrapped rule, by which errors name it."""
        return getattr(self.pull, "__code__", None)


def note(args: tuple[Any, ...], params: dict[str, Any]) -> Note:
    """Return the note of a call that is being made."""
    return Note(user_line(), tuple([np.shape(concrete(x)) for x in args]), params)


class Run(NamedTuple):
    """A function that ran on a tape: slots of its inputs come first."""

    inputs: list[Input]
    outputs: list[int | None]  # slots of the results that depend on the inputs
    values: list[Any]
    arguments: list[Any]  # every array that was passed, differentiated or not


def run(
    tape: Tape,
    fun: Fun,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    argnums: int | Sequence[int] = 0,
    wrt: str | Sequence[str] | None = None,
    has_aux: bool = False,
) -> Run:
    """Run a function on a tape, differentiated as `grad` would; any outputs."""
    selected, rebuild = selector(fun, argnums, wrt)(args, kwargs)
    leaves, treedef = tree.flatten(selected)
    arrays = float_leaves(leaves, selected)
    try:
        variables = [tape.input(x) for x in arrays]
        new_args, new_kwargs = rebuild(tree.unflatten(treedef, variables))
        out = fun(*new_args, **new_kwargs)
        out = split_aux(out)[0] if has_aux else out
    finally:
        tape.open = False
    outs = tree.leaves(out)
    slots = [slot_of(tape, x) for x in outs]
    names = [path or "x" for path in tree.paths(selected)]
    inputs = [Input(n, x.shape, str(x.dtype)) for n, x in zip(names, arrays)]
    values = [as_array(x.value if s is not None else x) for x, s in zip(outs, slots)]
    held = [*(v.value for v in variables), *arrays, *tree.leaves((args, kwargs))]
    return Run(inputs, slots, values, held)


def rows_of(tape: Tape, notes: Sequence[Note], besides: Sequence[Any]) -> list[Row]:
    """Return the rows of a tape; memory of arrays in `besides` counts nowhere."""
    plain = [concrete(x) for x in besides]
    alive = {id(owner_of(x)) for x in plain if isinstance(x, np.ndarray)}
    seen = set(alive)
    rows: list[Row] = []
    for entry, called in zip(tape.entries, notes, strict=True):
        kept = [x for x in kept_arrays(_unwatched(entry[3])) if id(x) not in alive]
        new = [x for x in kept if id(x) not in seen]
        seen.update(map(id, new))
        counts = sum(map(owned_bytes, new)), sum(map(owned_bytes, kept))
        rows.append(_row(len(rows), tape, entry, called, *counts))
    return rows


def _row(number: int, tape: Tape, entry: Any, called: Note, new: int, kept: int) -> Row:
    out, primitive, slots, _ = entry
    fills = out if isinstance(out, tuple) else (out,)
    dtypes = dict.fromkeys(str(tape.avals[slot][1]) for slot in fills)
    return Row(
        number,
        primitive.name,
        called.line,
        called.inputs,
        tuple([tape.avals[slot][0] for slot in fills]),
        ", ".join(dtypes),
        new,
        kept - new,
        tuple(slots),
        fills,
        called.params,
    )


def constant_row(primitive: Primitive, called: Note, ans: Any) -> Row:
    """Return the row of an operation without a derivative, which no tape records."""
    outs = [np.asarray(concrete(y)) for y in (ans if primitive.multiple else (ans,))]
    shapes = tuple([y.shape for y in outs])
    dtype = ", ".join(dict.fromkeys(str(y.dtype) for y in outs))
    called_as = primitive.name, called.line, called.inputs
    return Row(0, *called_as, shapes, dtype, 0, 0, (), (), called.params)


def _unwatched(pulls: Any) -> list[Any]:
    """Return pullbacks without what times or watches them."""
    every = pulls if isinstance(pulls, list) else [pulls]
    return [p.pull if isinstance(p, WrappedPullback) else p for p in every]


def place(line: Line | None) -> str:
    """Return the name of the file, without folders, and the number of a line."""
    return f"{os.path.basename(line.file)}:{line.number}" if line else "?"


def name_of(fun: Fun) -> str:
    """Return what a function is called."""
    return getattr(fun, "__name__", type(fun).__name__)
