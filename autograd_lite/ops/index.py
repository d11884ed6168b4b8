"""Indexing: `x[index]` for every NumPy index, and the scatter that is its transpose.

An index travels as hashable metadata (`Template`) with its arrays as positional
arguments. The cotangent of an indexed array is not built as one full-size array per
read: `ScatterSum` gathers the pieces, and adds all of them into one buffer at the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import (
    Tracer,
    defbatch,
    defjvp,
    defjvp_argnums,
    defvjp,
    defvjp_argnums,
    primitive,
)
from .basic import add


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


def _take_batch(size: int, args: Any, batched: Any, *, index: Template) -> Any:
    """Index all elements at once where the index is the same for all."""
    if any(batched[1:]):
        return NotImplemented
    if _separated(index):  # NumPy would put the axes of the arrays in front of ours
        return NotImplemented
    return take(*args, index=(Slice(None, None, None), *index))


def _separated(index: Template) -> bool:
    """Return whether ints and arrays, one array at least, don't stand side by side."""
    if ARRAY not in index:
        return False
    at = [i for i, item in enumerate(index) if item is ARRAY or type(item) is int]
    return at[-1] - at[0] + 1 != len(at)


defbatch(take, _take_batch)
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
