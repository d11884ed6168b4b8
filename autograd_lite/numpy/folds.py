"""The methods of binary ufuncs: reduce, accumulate and reduceat.

Sums, products, extremes and their scans have primitives of their own. Any other ufunc
is applied to one slice after another, as NumPy does it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import NUMPY_EQUIVALENT
from ..errors import ShapeError
from ..ops import elementwise as ew
from . import reductions, scans
from .dispatch import (
    Axis,
    axes_of,
    axis_of,
    constant,
    converted,
    exactly,
    mask_of,
    operand,
)
from .joins import stack
from .shapes import expand_dims, moveaxis, reshape
from .sorting import take_along_axis

Fold = Callable[..., Any]
# -- reduce ---------------------------------------------------------------------------


def _reduce_by(function: Fold) -> Fold:
    """Return the version of a reduction that reduces axis 0 by default."""

    def reduce(array: Any, axis: Axis = 0, dtype: Any = None, **kwargs: Any) -> Any:
        if dtype is not None:
            kwargs["dtype"] = dtype
        kwargs = {k: v for k, v in kwargs.items() if v is not None}
        return function(array, axis, **kwargs)

    return reduce


def _reduce_of(ufunc: np.ufunc) -> Fold:
    """Return the reduction that applies a ufunc from the first slice to the last."""
    apply = NUMPY_EQUIVALENT[ufunc]

    def reduce(
        array: Any,
        axis: Axis = 0,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        x = operand(array) if dtype is None else converted(array, dtype)
        axes = axes_of(axis, x.ndim)
        mask = None
        if where is not True:
            fitted = np.broadcast_to(mask_of(where, x.shape), x.shape)
            mask = _lines(fitted, axes)
        found = _folded(apply, ufunc, _lines(x, axes), initial, mask)
        return expand_dims(found, axes) if keepdims and axes else found

    return reduce


def _lines(x: Any, axes: tuple[int, ...]) -> Any:
    """Return x with the axes to fold joined into the first."""
    moved = moveaxis(x, axes, tuple(range(len(axes))))
    n = int(np.prod([x.shape[i] for i in axes], dtype=int))
    return reshape(moved, (n, *moved.shape[len(axes) :]))


def _folded(apply: Fold, ufunc: np.ufunc, x: Any, initial: Any, mask: Any) -> Any:
    start = ufunc.identity if initial is None else initial
    if start is None and (mask is not None or not x.shape[0]):
        raise ShapeError(
            f"np.{ufunc.__name__}.reduce of no elements, or with where=, has no value "
            "to start from: pass initial="
        )
    if start is None:
        total, rest = x[0], range(1, x.shape[0])
    else:
        total = np.broadcast_to(operand(start).astype(x.dtype), x.shape[1:])
        rest = range(x.shape[0])
    for i in rest:
        new = apply(total, x[i])
        total = new if mask is None else ew.where(mask[i], new, total)
    return total


# -- accumulate -----------------------------------------------------------------------


def _accumulate_by(scan: Fold) -> Fold:
    """Return the version of a scan that goes along axis 0 by default."""
    return lambda array, axis=0, dtype=None, out=None: scan(array, axis, dtype)


def _accumulate_of(ufunc: np.ufunc) -> Fold:
    """Return the scan that applies a ufunc to what it has so far and the next slice."""
    apply = NUMPY_EQUIVALENT[ufunc]

    def accumulate(
        array: Any, axis: int = 0, dtype: Any = None, out: None = None
    ) -> Any:
        x = operand(array) if dtype is None else converted(array, dtype)
        axis = axis_of(axis, x.ndim)
        slices = list(moveaxis(x, axis, 0))
        if not slices:
            return x
        for i in range(1, len(slices)):
            slices[i] = apply(slices[i - 1], slices[i])
        return stack(slices, axis)

    return accumulate


def _running(ufunc: np.ufunc) -> Fold:
    """Return the scan of an extremum: it picks the last element that attains it."""

    @partial(constant, like=np.argsort)
    def places(x: Any, axis: int) -> Any:
        best = ufunc.accumulate(x, axis)
        chosen = (x == best) | ((x != x) & (best != best))
        shape = [n if i == axis else 1 for i, n in enumerate(x.shape)]
        number = np.where(chosen, np.arange(x.shape[axis]).reshape(shape), 0)
        return np.maximum.accumulate(number, axis)

    def scan(array: Any, axis: int = 0, dtype: Any = None) -> Any:
        x = operand(array) if dtype is None else converted(array, dtype)
        axis = axis_of(axis, x.ndim)
        return take_along_axis(x, places(x, axis), axis)

    return scan


# -- reduceat -------------------------------------------------------------------------


def _reduceat_of(ufunc: np.ufunc, reduce: Fold) -> Fold:
    """Return the reduction of the slices that start at indices."""
    exact = constant(ufunc.reduceat, like=np.unwrap)

    def reduceat(
        array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None
    ) -> Any:
        x = operand(array) if dtype is None else converted(array, dtype)
        axis = axis_of(axis, x.ndim)
        found = exact(x, indices, axis)  # NumPy's checks of the indices too
        lines = moveaxis(x, axis, 0)
        starts = np.asarray(indices).tolist()
        ends = [*starts[1:], x.shape[axis]]
        parts = [
            reduce(lines[i:j]) if i < j else lines[i] for i, j in zip(starts, ends)
        ]
        return exactly(stack(parts, axis), found) if parts else found

    return reduceat


# -- which ufunc has which ------------------------------------------------------------

_REDUCTIONS: dict[np.ufunc, Fold] = {
    np.add: reductions.sum,
    np.multiply: scans.prod,
    np.maximum: reductions.max,
    np.minimum: reductions.min,
    np.logical_and: reductions.all,
    np.logical_or: reductions.any,
}
_SCANS: dict[np.ufunc, Fold] = {
    np.add: scans.cumsum,
    np.multiply: scans.cumprod,
    **{f: _running(f) for f in (np.maximum, np.minimum, np.fmax, np.fmin)},
}
_FLOATING = """add subtract multiply divide maximum minimum fmax fmin logaddexp hypot
logaddexp2 arctan2 power float_power remainder fmod copysign heaviside nextafter"""
_CONSTANT = "floor_divide logical_and logical_or logical_xor"


def _attach(ufunc: np.ufunc) -> None:
    """Make the methods of a ufunc with a floating result known to tracers."""
    known = _REDUCTIONS.get(ufunc)
    reduce = _reduce_by(known) if known else _reduce_of(ufunc)
    scan = _SCANS.get(ufunc)
    accumulate = _accumulate_by(scan) if scan else _accumulate_of(ufunc)
    NUMPY_EQUIVALENT[ufunc, "reduce"] = reduce
    NUMPY_EQUIVALENT[ufunc, "accumulate"] = accumulate
    NUMPY_EQUIVALENT[ufunc, "reduceat"] = _reduceat_of(ufunc, reduce)


for _name in _FLOATING.split():
    _attach(getattr(np, _name))
for _name in _CONSTANT.split():
    for _method in ("reduce", "accumulate", "reduceat"):
        _ufunc: Any = getattr(np, _name)
        NUMPY_EQUIVALENT[_ufunc, _method] = constant(getattr(_ufunc, _method))


def _divmod_outer(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Return the quotients and remainders of each element of x1 with each of x2."""
    return ew.floor_divide.outer(x1, x2), ew.remainder.outer(x1, x2)


NUMPY_EQUIVALENT[np.divmod, "outer"] = _divmod_outer
