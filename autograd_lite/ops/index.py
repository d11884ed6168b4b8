"""Indexing: `x[index]` for every NumPy index, and the scatter that is its transpose.

An index travels as hashable metadata (`Template`) with its arrays as positional
arguments. The cotangent of an indexed array is not built as one full-size array per
read: `ScatterSum` gathers the pieces, and adds all of them into one buffer at the end.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..core import (
    Tracer,
    defbatch,
    defjvp,
    defjvp_argnums,
    defvjp,
    defvjp_argnums,
    nondifferentiable,
    primitive,
)
from ..errors import TracerConversionError
from ..refusals import no_number
from .basic import add, align, transpose
from .batch import every


class Slice(NamedTuple):
    """A `slice` that can be hashed."""

    start: Any
    stop: Any
    step: Any


class _Array:
    """Marks the place of an array in an index."""

    def __repr__(self) -> str:
        return "array"


ARRAY = _Array()
Template = tuple[Any, ...]


def encode(index: Any) -> tuple[Template, list[Any]]:
    """Split a NumPy index into hashable metadata and its arrays.

    >>> encode((0, slice(1, None), [2, 2]))
    ((0, Slice(start=1, stop=None, step=None), array), [array([2, 2])])
    """
    template: list[Any] = []
    arrays: list[Any] = []
    for item in index if type(index) is tuple else (index,):
        if type(item) is int or item is None or item is Ellipsis:
            template.append(item)
        elif isinstance(item, slice):
            template.append(Slice(item.start, item.stop, item.step))
        elif isinstance(item, np.integer):
            template.append(int(item))
        else:
            template.append(ARRAY)
            arrays.append(_index_array(item))
    return tuple(template), arrays


def _index_array(item: Any) -> Any:
    if isinstance(item, Tracer) and item.dtype.kind in "fc":
        raise TracerConversionError(no_number("x[index]", item.shape, item.dtype))
    if isinstance(item, (np.ndarray, Tracer)):
        return item
    array = np.asarray(item)
    return array.astype(np.intp) if array.size == 0 else array


def decode(template: Template, arrays: Any) -> tuple[Any, ...]:
    """Put an index together again; the inverse of `encode`."""
    rest = iter(arrays)
    return tuple(
        [
            slice(*item)
            if type(item) is Slice
            else next(rest)
            if item is ARRAY
            else item
            for item in template
        ]
    )


def getitem(x: Any, index: Any) -> Any:
    """Return x[index]."""
    template, arrays = encode(index)
    return take(x, *arrays, index=template)


@primitive
def take(x: Any, *arrays: Any, index: Template) -> Any:
    """Return x at an encoded index; arrays stand where the index says so."""
    return x[decode(index, arrays)]


def _take_vjp(ans: Any, x: Any, *arrays: Any, index: Template) -> Any:
    shape, dtype = x.shape, x.dtype
    return lambda g: ScatterSum(shape, dtype, g, index, arrays)


defvjp(take, _take_vjp)
defjvp(take, lambda x_dot, ans, x, *arrays, index: take(x_dot, *arrays, index=index))


class ScatterSum:
    """A cotangent given by pieces: `dense + sum of pieces put at their indices`.

    Reading an array of m elements n times costs O(m + elements read) in the backward
    pass, because no piece is expanded to the full size.
    """

    __slots__ = ("dense", "dtype", "pieces", "shape")

    def __init__(
        self, shape: Any, dtype: Any, g: Any, index: Template, arrays: tuple[Any, ...]
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.dense: Any = None
        self.pieces = [(g, index, arrays)]

    def add(self, other: Any) -> ScatterSum:
        """Add another cotangent of the same array, in place."""
        if isinstance(other, ScatterSum):
            self.pieces += other.pieces
            other = other.dense
        if other is not None:
            self.dense = other if self.dense is None else add(self.dense, other)
        return self

    def materialize(self) -> Any:
        """Return the cotangent as one array."""
        operands = [x for g, _, arrays in self.pieces for x in (g, *arrays)]
        layout = tuple([(index, len(arrays)) for _, index, arrays in self.pieces])
        total = scatter_sum(
            *operands, layout=layout, shape=self.shape, dtype=np.dtype(self.dtype)
        )
        return total if self.dense is None else add(self.dense, total)


def _split_operands(operands: Any, layout: Any) -> list[tuple[int, Any, Any]]:
    """Return (position of the piece, its index, its arrays) for each piece."""
    found, at = [], 0
    for index, n in layout:
        found.append((at, index, operands[at + 1 : at + 1 + n]))
        at += 1 + n
    return found


@primitive
def scatter_sum(*operands: Any, layout: Any, shape: Any, dtype: Any) -> Any:
    """Return zeros of `shape` with each piece added at its index.

    `operands` are, for each (index, n) of `layout`, the piece and its n index arrays.
    """
    total = np.zeros(shape, dtype)
    for at, index, arrays in _split_operands(operands, layout):
        place = decode(index, arrays)
        if all(a.dtype == bool for a in arrays):  # no element is met twice
            total[place] += operands[at]
        else:
            np.add.at(total, place, operands[at])
    return total[()]


def _scatter_sum_vjp(argnums: Any, ans: Any, operands: Any, params: Any) -> Any:
    reads = {
        at: (index, arrays)
        for at, index, arrays in _split_operands(operands, params["layout"])
    }
    return lambda g: tuple(
        [take(g, *reads[at][1], index=reads[at][0]) for at in argnums]
    )


def _scatter_sum_jvp(
    argnums: Any, x_dots: Any, ans: Any, operands: Any, params: Any
) -> Any:
    """Scatter the tangents of the pieces; those without one are left out."""
    given = dict(zip(argnums, x_dots, strict=True))
    pieces = [
        (given[at], index, arrays)
        for at, index, arrays in _split_operands(operands, params["layout"])
        if at in given
    ]
    layout = tuple([(index, len(arrays)) for _, index, arrays in pieces])
    moved = [x for x_dot, _, arrays in pieces for x in (x_dot, *arrays)]
    return scatter_sum(*moved, **{**params, "layout": layout})


defvjp_argnums(scatter_sum, _scatter_sum_vjp)
defjvp_argnums(scatter_sum, _scatter_sum_jvp)


# -- writing --------------------------------------------------------------------------


@nondifferentiable
def last_written(*arrays: Any, index: Template, shape: Any) -> Any:
    """Return which of the values written to an index each element would hold last.

    Values are counted in the order of C; -1 where none is written.
    """
    place = decode(index, arrays)
    written = np.broadcast_to(False, shape)[place].shape
    winner = np.full(shape, -1)
    winner[place] = np.arange(math.prod(written)).reshape(written)
    return winner


def _last_written_batch(
    size: int, arrays: Any, batched: Any, *, index: Template, shape: Any
) -> Any:
    """Write for all elements, and count as each of them does."""
    lifted = _lift(len(shape), index, arrays, size, batched, True)
    if lifted is None:
        return NotImplemented
    whole = (size, *shape)
    winner = last_written(*lifted.arrays, index=lifted.template, shape=whole)
    everywhere = np.broadcast_to(False, whole)
    found = take(everywhere, *lifted.arrays, index=lifted.template).shape
    order = lifted.order(len(found))
    written = [found[i] for i in order]
    counted = np.arange(math.prod(written[1:])).reshape(1, *written[1:])
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    number = np.broadcast_to(counted, written).transpose(back).reshape(-1)
    return getitem(np.append(number, -1), winner)  # the last one is for -1


# -- batching -------------------------------------------------------------------------


class _Lifted(NamedTuple):
    """An index of one element's array, as one of the array of all elements.

    Where NumPy leaves axes: the element's result has the `width` axes of the index
    arrays at `place`; that of all has them in front if `arrays_first`, behind the
    mapped axis otherwise, and `mapped` tells where that one is.
    """

    template: Template
    arrays: tuple[Any, ...]
    width: int
    place: int
    mapped: int
    lifted_place: int

    def order(self, ndim: int) -> tuple[int, ...]:
        """Return the axes of the result that make it (mapped, *element's axes)."""
        arrays = range(self.lifted_place, self.lifted_place + self.width)
        rest = [i for i in range(ndim) if i != self.mapped and i not in arrays]
        return (self.mapped, *rest[: self.place], *arrays, *rest[self.place :])


def _lift(
    x_ndim: int, index: Template, arrays: Any, size: int, batched: Any, own: bool
) -> _Lifted | None:
    """Return an index for all elements; None where their results differ in shape.

    `own`: whether each element has an array of its own, of `x_ndim` axes, to index.
    """
    if not any(batched):
        width = _width(arrays)
        place = _place_of_arrays(index, arrays, x_ndim)
        apart = _separated(index)
        return _Lifted(
            (Slice(None, None, None), *index),
            tuple(arrays),
            width,
            place,
            width if apart else 0,
            0 if apart else place + 1,
        )
    if any(a.dtype == bool for a in arrays):
        return None
    place = _place_of_arrays(index, arrays, x_ndim)
    width = max(a.ndim - b for a, b in zip(arrays, batched))
    aligned = tuple(align(arrays, batched))
    if own:
        each = np.arange(size).reshape(size, *(1,) * width)
        return _Lifted((ARRAY, *index), (each, *aligned), width, place, 0, 1)
    return _Lifted(index, aligned, width, place, place, place + 1)


def _width(arrays: Any) -> int:
    """Return the number of axes that index arrays have together."""
    return max([1 if a.dtype == bool else a.ndim for a in arrays], default=0)


def _place_of_arrays(index: Template, arrays: Any, x_ndim: int) -> int:
    """Return which axis of x[index] is the first of those of the index arrays."""
    if ARRAY not in index or _separated(index):
        return 0
    rest = iter(arrays)
    used = [_axes_used(item, rest) for item in index]
    hidden = x_ndim - sum(used) if Ellipsis in index else 0
    first = next(i for i, item in enumerate(index) if item is ARRAY or _is_int(item))
    return sum([hidden if item is Ellipsis else 1 for item in index[:first]])


def _axes_used(item: Any, arrays: Any) -> int:
    """Return how many axes an item of an index stands for, but for the ellipsis."""
    if item is ARRAY:
        array = next(arrays)
        return array.ndim if array.dtype == bool else 1
    return 0 if item is None or item is Ellipsis else 1


def _is_int(item: Any) -> bool:
    return type(item) is int


def _separated(index: Template) -> bool:
    """Return whether ints and arrays, one array at least, don't stand side by side.

    Then NumPy puts the axes of the arrays in front.
    """
    if ARRAY not in index:
        return False
    at = [i for i, item in enumerate(index) if item is ARRAY or _is_int(item)]
    return at[-1] - at[0] + 1 != len(at)


def _take_batch(size: int, args: Any, batched: Any, *, index: Template) -> Any:
    x, *arrays = args
    lifted = _lift(x.ndim - batched[0], index, arrays, size, batched[1:], batched[0])
    if lifted is None:
        return NotImplemented
    y = take(x, *lifted.arrays, index=lifted.template)
    return _ordered(y, lifted.order(y.ndim))


def _ordered(x: Any, order: tuple[int, ...]) -> Any:
    return x if order == tuple(range(len(order))) else transpose(x, axes=order)


def _scatter_sum_batch(
    size: int, operands: Any, batched: Any, *, layout: Any, shape: Any, dtype: Any
) -> Any:
    found: list[Any] = []
    lifted_layout = []
    for at, index, arrays in _split_operands(operands, layout):
        of_arrays = batched[at + 1 : at + 1 + len(arrays)]
        lifted = _lift(len(shape), index, arrays, size, of_arrays, True)
        if lifted is None:
            return NotImplemented
        (piece,) = every(size, operands[at : at + 1], batched[at : at + 1])
        order = lifted.order(piece.ndim)
        back = tuple(sorted(range(len(order)), key=order.__getitem__))
        found += [_ordered(piece, back), *lifted.arrays]
        lifted_layout.append((lifted.template, len(lifted.arrays)))
    return scatter_sum(
        *found, layout=tuple(lifted_layout), shape=(size, *shape), dtype=dtype
    )


defbatch(take, _take_batch)
defbatch(scatter_sum, _scatter_sum_batch)
defbatch(last_written, _last_written_batch)
