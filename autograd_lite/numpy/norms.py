"""Norms of vectors and matrices in all orders, and condition numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Primitive
from ..errors import ArgumentError, ShapeError
from ..ops import elementwise as ew
from ..ops import norms as ops
from ..ops import reduce as red
from ..ops.basic import cast, kept_shape, reshape, transpose
from ..ops.inverses import inv
from ..ops.singular import svdvals
from .dispatch import Axis, axes_of, implements, operand
from .shapes import moveaxis

Axes = tuple[int, ...]
Order = float | str | None


@implements(np.linalg.norm)
def norm(x: Any, ord: Order = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the norm of vectors (one axis) or matrices (two axes) of any order.

    Orders are those of NumPy. Where a norm has a kink, at zero or at ties between
    elements, the gradient is zero or is split evenly.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> print(grad(np.linalg.norm)(np.array([3.0, 4.0])), grad(np.linalg.norm)(0.0))
    [0.6 0.8] 0.0
    """
    x = _inexact(x)
    axes = axes_of(axis, x.ndim)
    if axis is None and ord is None:
        return ops.norm(x, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ShapeError(
        f"np.linalg.norm: ord={ord!r} over {len(axes)} axes of shape {x.shape}; give "
        "one axis for vectors or two for matrices"
    )


def _inexact(x: Any) -> Any:
    x = operand(x)
    return x if x.dtype.kind in "fc" else cast(x, np.dtype(float))


def _vector_norm(x: Any, ord: Order, axes: Axes, keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return ops.norm(x, axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ArgumentError(
            f"np.linalg.norm: ord={ord!r} of vectors; expected a number"
        )
    if ord == 0:
        one = x.dtype.type(1).real
        count = ew.where(ew.not_equal(x, 0), one, one - one)
        return red.sum(count, axis=axes, keepdims=keepdims)
    if ord == 1:
        return red.sum(ew.absolute(x), axis=axes, keepdims=keepdims)
    if ord == math.inf:
        return _reduced(red.max, ew.absolute(x), axes, keepdims)
    if ord == -math.inf:
        return red.min(ew.absolute(x), axis=axes, keepdims=keepdims)
    return ops.power_norm(x, power=float(ord), axis=axes, keepdims=keepdims)


def _reduced(fun: Primitive, sizes: Any, axes: Axes, keepdims: bool) -> Any:
    """Return the maximum of sizes, or 0 of none: their sum, which has a rule too."""
    empty = any(sizes.shape[i] == 0 for i in axes)
    return (red.sum if empty else fun)(sizes, axis=axes, keepdims=keepdims)


# (axis to sum over, what then happens on the other) for each order of a matrix norm
_OF_SUMS: dict[Any, tuple[int, Primitive]] = {
    1: (0, red.max),
    -1: (0, red.min),
    math.inf: (1, red.max),
    -math.inf: (1, red.min),
}
_OF_VALUES: dict[Any, Primitive] = {2: red.max, -2: red.min, "nuc": red.sum}


def _matrix_norm(x: Any, ord: Order, axes: Axes, keepdims: bool) -> Any:
    if ord in (None, "fro", "f"):
        return ops.norm(x, axis=axes, keepdims=keepdims)
    if ord in _OF_SUMS:
        first, fun = _OF_SUMS[ord]
        inner, outer = axes[first : first + 1], axes[1 - first : 2 - first]
        sums = red.sum(ew.absolute(x), axis=inner, keepdims=True)
        total = _extreme(fun, sums, outer)
    elif ord in _OF_VALUES:
        values = svdvals(moveaxis(x, axes, (-2, -1)))
        total = _extreme(_OF_VALUES[ord], values, (values.ndim - 1,))
    else:
        raise ArgumentError(
            f"np.linalg.norm: ord={ord!r} of matrices; expected one of None, 'fro', "
            "'nuc', 1, -1, 2, -2, inf, -inf"
        )
    whole = kept_shape(x.shape, axes)
    kept = tuple([n for i, n in enumerate(x.shape) if i not in axes])
    return reshape(total, shape=whole if keepdims else kept)


def _extreme(fun: Primitive, values: Any, axis: Axes) -> Any:
    if fun is red.max:
        return _reduced(fun, values, axis, True)
    return fun(values, axis=axis, keepdims=True)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Order = "fro") -> Any:
    """Return the norm of matrices, in the last two axes, of any order."""
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(
    x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Order = 2
) -> Any:
    """Return the norm of vectors that lie along any number of axes, of any order.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> x = np.array([[1.0, -2.0], [2.0, 0.0]])
    >>> print(grad(lambda x: np.linalg.vector_norm(x, axis=(0, 1), ord=2))(x) * 3)
    [[ 1. -2.]
     [ 2.  0.]]
    """
    x = _inexact(x)
    axes = axes_of(axis, x.ndim)
    rest = tuple([i for i in range(x.ndim) if i not in axes])
    lengths = [x.shape[i] for i in axes], tuple([x.shape[i] for i in rest])
    moved = transpose(x, axes=(*axes, *rest))
    flat = reshape(moved, shape=(math.prod(lengths[0]), *lengths[1]))
    total = _vector_norm(flat, ord, (0,), False)
    return reshape(total, shape=kept_shape(x.shape, axes)) if keepdims else total


@implements(np.linalg.cond)
def cond(x: Any, p: Order = None) -> Any:
    """Return the condition numbers of matrices: norm(x) * norm(inverse of x).

    Raises `numpy.linalg.LinAlgError` where x is singular, unless `p` is None, 2 or -2.
    """
    x = _inexact(x)
    if 0 in x.shape[-2:]:
        raise ShapeError(f"np.linalg.cond of matrices without elements: {x.shape}")
    if p is None or p in (2, -2):
        values = svdvals(x)
        largest, smallest = values[..., 0], values[..., -1]
        with np.errstate(all="ignore"):
            ratio = smallest / largest if p == -2 else largest / smallest
        undefined = ew.isnan(ratio) & ~np.any(ew.isnan(x), axis=(-2, -1))
        return ew.where(undefined, math.inf, ratio)
    return matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)
