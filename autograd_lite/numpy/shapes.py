"""Rearranging elements: reshape, transpose, flip, roll, repeat, pad, diagonals."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..batching import Batched
from ..core import Tracer, concrete, is_recorded
from ..errors import ArgumentError, ShapeError, UnsupportedError
from ..ops import basic
from ..ops import shape as ops
from ..ops.index import getitem
from .dispatch import Axis, axes_of, axis_of, implements, operand


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """Return the shape."""
    return operand(a).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    """Return the number of axes."""
    return operand(a).ndim


@implements(np.size)
def size(a: Any, axis: Axis = None) -> int:
    """Return the number of elements, of all axes or of those given."""
    a = operand(a)
    return math.prod([a.shape[i] for i in axes_of(axis, a.ndim)])


# -- other shapes of the same elements ------------------------------------------------


@implements(np.reshape)
def reshape(
    a: Any,
    shape: int | Sequence[int] | None = None,
    order: str = "C",
    *,
    newshape: Any = None,
    copy: bool | None = None,
) -> Any:
    """Return `a` with another shape of the same size; one length may be -1.

    `order` is "C" or "F": which index changes fastest on the way; or "A", that of the
    two in which the array inside a tracer lies in memory.
    """
    a = operand(a)
    new = _resolved(newshape if shape is None else shape, a)
    if order == "A":
        order = "F" if _in_memory(a).flags.fnc else "C"
    if order == "C":
        return basic.reshape(a, shape=new)
    if order != "F":
        raise ArgumentError(f"np.reshape: order={order!r}; expected 'C', 'F' or 'A'")
    return transpose(basic.reshape(transpose(a), shape=new[::-1]))


def _resolved(new: Any, a: Any) -> tuple[int, ...]:
    """Return a shape argument as a tuple, with the length that -1 stands for."""
    try:
        new = (operator.index(new),)
    except TypeError:
        new = tuple([operator.index(n) for n in new])
    known = math.prod([n for n in new if n != -1])
    if -1 in new and new.count(-1) == 1 and known and a.size % known == 0:
        new = tuple([a.size // known if n == -1 else n for n in new])
    if math.prod(new) != a.size or -1 in new:
        raise ShapeError(f"cannot reshape {a.shape}, {a.size} elements, to {new}")
    return new


def laid_out(a: Any, order: str | None) -> Any:
    """Return `a` so that the array inside a tracer lies in memory in order "C" or "F".

    That shows in what the orders "A" and "K" mean later on. Other orders keep what is.
    """
    if order == "F":
        return transpose(laid_out(transpose(a), "C"))
    if order != "C" or (not is_recorded(a) and concrete(a).flags.c_contiguous):
        return a
    return basic.reshape(basic.reshape(a, shape=(a.size,)), shape=a.shape)


def _in_memory(a: Any) -> Any:
    """Return the array inside a tracer, for the order of its elements in memory."""
    while isinstance(a, Tracer):
        if isinstance(a, Batched):
            raise UnsupportedError(
                "the order 'A' or 'K' of elements in memory is not defined inside "
                "vmap; use 'C' or 'F'"
            )
        a = a.value
    return a


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """Return the elements as a vector, in the order "C", "F", "A" or "K"."""
    a = operand(a)
    if order == "K":  # as the elements lie in memory, whichever axis that is
        inside = _in_memory(a)
        places = np.empty_like(inside, dtype=np.intp)
        places[...] = np.arange(inside.size).reshape(inside.shape)
        return getitem(basic.reshape(a, shape=(a.size,)), places.ravel("K"))
    return reshape(a, (a.size,), order)


@implements(np.squeeze)
def squeeze(a: Any, axis: Axis = None) -> Any:
    """Return `a` without axes of length 1: all of them, or those given."""
    a = operand(a)
    drop = axes_of(axis, a.ndim)
    if axis is None:
        drop = tuple([i for i in drop if a.shape[i] == 1])
    elif any(a.shape[i] != 1 for i in drop):
        raise ShapeError(f"cannot squeeze axis {axis} of shape {a.shape}: length not 1")
    kept = tuple([n for i, n in enumerate(a.shape) if i not in drop])
    return basic.reshape(a, shape=kept)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: int | Sequence[int]) -> Any:
    """Return `a` with axes of length 1 at the places `axis` of the result."""
    a = operand(a)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = a.ndim + len(axes)
    new = axes_of(axes, ndim)
    lengths = iter(a.shape)
    return basic.reshape(
        a, shape=tuple([1 if i in new else next(lengths) for i in range(ndim)])
    )


def _at_least(a: Any, rank: int) -> Any:
    """Return `a` with `rank` axes or more, as np.atleast_1d, 2d and 3d place them."""
    a = operand(a)
    n = a.shape
    if len(n) >= rank:
        return a
    if rank == 3:
        new = {0: (1, 1, 1), 1: (1, *n, 1), 2: (*n, 1)}[len(n)]
    else:
        new = (1,) * (rank - len(n)) + n
    return basic.reshape(a, shape=new)


def _for_each(arrays: Any, rank: int) -> Any:
    new = tuple([_at_least(a, rank) for a in arrays])
    return new[0] if len(new) == 1 else new


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """Return arrays with at least one axis."""
    return _for_each(arys, 1)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """Return arrays with at least two axes."""
    return _for_each(arys, 2)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """Return arrays with at least three axes."""
    return _for_each(arys, 3)


# -- broadcasting ---------------------------------------------------------------------


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: int | Sequence[int]) -> Any:
    """Return `array` broadcast to `shape`."""
    array = operand(array)
    new = (shape,) if isinstance(shape, int) else tuple(shape)
    if np.broadcast_shapes(array.shape, new) != new:
        raise ShapeError(f"cannot broadcast {array.shape} to {new}")
    return basic.broadcast_to(array, shape=new)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any) -> tuple[Any, ...]:
    """Return arrays broadcast against each other."""
    arrays = [operand(a) for a in args]
    new = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple([broadcast_to(a, new) for a in arrays])


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> Any:
    """Return the coordinates of a grid over vectors, one array per vector."""
    n = len(xi)
    arrays = [
        reshape(x, (1,) * i + (-1,) + (1,) * (n - 1 - i)) for i, x in enumerate(xi)
    ]
    if indexing == "xy" and n > 1:
        arrays = [swapaxes(a, 0, 1) for a in arrays]
    return tuple(arrays) if sparse else broadcast_arrays(*arrays)


# -- orders of axes -------------------------------------------------------------------


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Sequence[int] | None = None) -> Any:
    """Return `a` with its axes in another order; reversed by default."""
    a = operand(a)
    if axes is None:
        order = tuple(range(a.ndim))[::-1]
    else:
        order = tuple([normalize_axis_index(i, a.ndim) for i in axes])
    if len(set(order)) != a.ndim:
        raise ValueError(f"axes {axes} are no permutation of the axes of {a.shape}")
    return basic.transpose(a, axes=order)


permute_dims = transpose


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Return `a` with two axes exchanged."""
    a = operand(a)
    order = list(range(a.ndim))
    i, j = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[i], order[j] = j, i
    return basic.transpose(a, axes=tuple(order))


@implements(np.moveaxis)
def moveaxis(
    a: Any, source: int | Sequence[int], destination: int | Sequence[int]
) -> Any:
    """Return `a` with axes moved to new places; the others stay in order."""
    a = operand(a)
    sources = axes_of(_tuple(source), a.ndim)
    targets = axes_of(_tuple(destination), a.ndim)
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: {len(sources)} sources, {len(targets)} targets")
    order = [i for i in range(a.ndim) if i not in sources]
    for target, source_axis in sorted(zip(targets, sources)):
        order.insert(target, source_axis)
    return basic.transpose(a, axes=tuple(order))


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list, np.ndarray)) else (x,)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Return `a` with one axis moved before the axis `start`."""
    a = operand(a)
    axis = axis_of(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.matrix_transpose)
def matrix_transpose(x: Any) -> Any:
    """Return x with its last two axes exchanged."""
    return swapaxes(x, -1, -2)


# -- orders of elements ---------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Axis = None) -> Any:
    """Return `m` with the order of elements reversed along axes."""
    m = operand(m)
    return ops.flip(m, axis=axes_of(axis, m.ndim))


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Return `m` with its columns in reverse order."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Return `m` with its rows in reverse order."""
    return flip(m, 0)


@implements(np.roll)
def roll(a: Any, shift: int | Sequence[int], axis: Axis = None) -> Any:
    """Return `a` rolled along axes; without an axis as a vector."""
    a = operand(a)
    if axis is None:
        flat = basic.reshape(a, shape=(a.size,))
        return basic.reshape(roll(flat, shift, 0), shape=a.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    return ops.roll(
        a,
        shift=tuple([int(n) for n in shifts.ravel()]),
        axis=tuple([axis_of(int(i), a.ndim) for i in axes.ravel()]),
    )


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Return `m` turned by 90 degrees k times, from the first axis to the second."""
    i, j = axes
    k = k % 4  # not in place, as k may be an array
    if k == 0:
        return operand(m)
    if k == 2:
        return flip(m, (i, j))
    return swapaxes(flip(m, j), i, j) if k == 1 else flip(swapaxes(m, i, j), j)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return `a` with each element repeated along an axis, as `repeats` says."""
    a = operand(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    counts = np.asarray(repeats)
    if counts.size != 1:
        index = np.repeat(np.arange(a.shape[axis]), counts)
        return getitem(a, (slice(None),) * axis + (index,))
    n, (before, after) = int(counts.item()), (a.shape[: axis + 1], a.shape[axis + 1 :])
    wide = basic.broadcast_to(expand_dims(a, axis + 1), shape=(*before, n, *after))
    return basic.reshape(wide, shape=(*before[:-1], before[-1] * n, *after))


@implements(np.tile)
def tile(A: Any, reps: int | Sequence[int]) -> Any:
    """Return A repeated as a whole, `reps` times along each axis."""
    a = operand(A)
    times = (reps,) if isinstance(reps, int) else tuple([int(n) for n in reps])
    ndim = max(a.ndim, len(times))
    times = (1,) * (ndim - len(times)) + times
    old = (1,) * (ndim - a.ndim) + a.shape
    split = basic.reshape(a, shape=tuple([k for n in old for k in (1, n)]))
    wide = tuple([k for n, t in zip(old, times) for k in (t, n)])
    new = tuple([n * t for n, t in zip(old, times)])
    return basic.reshape(basic.broadcast_to(split, shape=wide), shape=new)


# -- diagonals and triangles ----------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return a diagonal of two axes, as a new last axis."""
    return ops.diagonal(moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None
) -> Any:
    """Return the sum of a diagonal."""
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """Return the k-th diagonal of a matrix, or the matrix with vector `v` on it."""
    v = operand(v)
    if v.ndim == 2:
        return ops.diagonal(v, offset=k)
    if v.ndim != 1:
        raise ShapeError(f"np.diag: shape {v.shape}; expected a vector or a matrix")
    n = v.shape[0] + abs(k)
    return ops.place_diagonal(v, size=(n, n), offset=k)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """Return the matrix with the elements of `v` on its k-th diagonal."""
    return diag(ravel(v), k)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """Return matrices with the elements above the k-th diagonal set to zero."""
    return ops.tril(_rows_of_vector(m), k=k)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """Return matrices with the elements below the k-th diagonal set to zero."""
    return ops.triu(_rows_of_vector(m), k=k)


def _rows_of_vector(m: Any) -> Any:
    """Return matrices; a vector stands for the matrix with equal rows, as in NumPy."""
    m = operand(m)
    return m if m.ndim > 1 else broadcast_to(m, m.shape * 2)
