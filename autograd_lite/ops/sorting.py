"""Sorting, and picking along an axis by indices that differ from line to line."""

from __future__ import annotations

import numpy as np

from ..core import defjvp, defvjp, nondifferentiable, primitive
from .batch import batch_along_axes
from .index import getitem


def along(shape, indices, axis):
    """Return the index that picks `indices` along one axis of an array."""
    index = []
    for i, n in enumerate(shape):
        lengths = [1] * len(shape)
        lengths[i] = n
        index.append(indices if i == axis else np.arange(n).reshape(lengths))
    return tuple(index)


def take_along_axis(x, indices, *, axis):
    """Return the elements of x at indices along one axis."""
    return getitem(x, along(x.shape, indices, axis))


@primitive
def sort(x, *, axis):
    """Return x sorted along one axis."""
    return np.sort(x, axis)


@nondifferentiable
def argsort(x, *, axis):
    """Return the stable permutation that sorts x."""
    return np.argsort(x, axis, kind="stable")


def _sort_vjp(ans, x, *, axis):
    def pull(g):
        back = argsort(argsort(x, axis=axis), axis=axis)
        return take_along_axis(g, back, axis=axis)

    return pull


def _sort_jvp(x_dot, ans, x, *, axis):
    return take_along_axis(x_dot, argsort(x, axis=axis), axis=axis)


defvjp(sort, _sort_vjp)
defjvp(sort, _sort_jvp)
batch_along_axes(sort, argsort)
