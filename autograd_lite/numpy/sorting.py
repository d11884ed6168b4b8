"""Sorting, searching and picking elements by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops import sorting as ops
from ..ops.basic import cast
from ..ops.index import getitem
from .dispatch import axis_of, constant, implements, operand
from .shapes import ravel

argsort = constant(np.argsort)
argwhere = constant(np.argwhere)
nonzero = constant(np.nonzero, multiple=True)
flatnonzero = constant(np.flatnonzero)
searchsorted = constant(np.searchsorted)
digitize = constant(np.digitize)
lexsort = constant(np.lexsort)
argpartition = constant(np.argpartition)


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """Return `a` sorted along an axis; without an axis as a vector."""
    a = operand(a)
    if axis is None:
        a, axis = ravel(a), -1
    return ops.sort(a, axis=axis_of(axis, a.ndim))


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect"
) -> Any:
    """Return `a` with the kth element in its sorted place, smaller ones before it."""
    a = operand(a)
    if axis is None:
        a, axis = ravel(a), -1
    places = np.argpartition(a, kth, axis)
    return ops.take_along_axis(a, places, axis=axis_of(axis, a.ndim))


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Return `a` sorted along its last axis, as complex numbers."""
    a = operand(a)
    return sort(a if a.dtype.kind == "c" else cast(a, np.dtype(complex)))


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Any:
    """Return the elements of `a` at indices along an axis; gradients accumulate."""
    a = operand(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = axis_of(axis, a.ndim)
    n = a.shape[axis]
    listed = isinstance(indices, (list, tuple)) and not np.size(indices)
    indices = np.asarray(indices, int) if listed else operand(indices)
    if mode == "wrap":
        indices = indices % n
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    return getitem(a, (slice(None),) * axis + (indices,))


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Return the elements of `arr` at indices that differ from line to line."""
    arr = operand(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    return ops.take_along_axis(arr, indices, axis=axis_of(axis, arr.ndim))
