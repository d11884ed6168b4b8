"""Building arrays from arrays, and taking them apart: array, concatenate, split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tracer, concrete
from ..errors import ShapeError, UnsupportedError
from ..ops import basic
from ..ops import shape as ops
from ..ops.index import getitem
from .dispatch import axis_of, has_tracer, implements, operand
from .shapes import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    expand_dims,
    laid_out,
    moveaxis,
    ravel,
)

# -- arrays from lists ----------------------------------------------------------------


def array(object: Any, dtype: Any = None, *, ndmin: int = 0, **layout: Any) -> Any:
    """Return an array of tracers and numbers in nested lists; else as np.array.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> print(grad(lambda x: np.sum(np.array([x, [2 * x, 1][0]]) ** 2))(3.0))
    30.0
    """
    if not has_tracer((object,)):
        return np.array(object, dtype, ndmin=ndmin, **layout)
    _check_layout("array", layout)
    x = laid_out(operand(object), layout.get("order"))
    if x.ndim < ndmin:
        x = x.reshape((1,) * (ndmin - x.ndim) + x.shape)
    return x if dtype is None else x.astype(dtype)


def _check_layout(name: str, layout: dict[str, Any]) -> None:
    """Raise unless keywords only say where and how an array lies in memory."""
    unknown = layout.keys() - {"copy", "order", "subok", "device"}
    if unknown:
        raise UnsupportedError(
            f"np.{name}: {', '.join(sorted(unknown))} is not supported for traced "
            "arrays; of the keywords dtype is, and ndmin for np.array."
        )


def asarray(a: Any, dtype: Any = None, **layout: Any) -> Any:
    """Return `a` if it is an array or a tracer, else an array of its elements."""
    if not has_tracer((a,)):
        return np.asarray(a, dtype, **layout)
    return array(a, dtype, **layout)


def asanyarray(a: Any, dtype: Any = None, **layout: Any) -> Any:
    """Return `a` if it is an array or a tracer, else an array of its elements."""
    if not has_tracer((a,)):
        return np.asanyarray(a, dtype, **layout)
    return array(a, dtype, **layout)


def ascontiguousarray(a: Any, dtype: Any = None, **layout: Any) -> Any:
    """Return an array that is contiguous in C's order, of at least one axis."""
    if not has_tracer((a,)):
        return np.ascontiguousarray(a, dtype, **layout)
    return atleast_1d(laid_out(array(a, dtype, **layout), "C"))


def asfortranarray(a: Any, dtype: Any = None, **layout: Any) -> Any:
    """Return an array in Fortran's order, of at least one axis."""
    if not has_tracer((a,)):
        return np.asfortranarray(a, dtype, **layout)
    return atleast_1d(laid_out(array(a, dtype, **layout), "F"))


def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """Return an array or a tracer; raise `ValueError` unless all of it is finite."""
    if has_tracer((a,)):
        a = array(a, dtype)
        np.asarray_chkfinite(concrete(a))
        return a
    return np.asarray_chkfinite(a, dtype, order)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """Return a copy; a tracer, which nobody can write to, only in the order asked for.

    Nothing is copied where it lies in that order already.
    """
    return laid_out(operand(a), order)


@implements(np.astype)
def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """Return x converted to `dtype`; integers and booleans are constants."""
    return x.astype(dtype)


# -- joining --------------------------------------------------------------------------


@implements(np.concatenate, np.concat)
def concatenate(
    arrays: Sequence[Any], axis: int | None = 0, *, dtype: Any = None
) -> Any:
    """Return arrays joined along an existing axis; without an axis as vectors."""
    xs = _list_of(arrays)
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if not xs:
        raise ShapeError("np.concatenate: need at least one array")
    if dtype is not None:
        xs = [x.astype(dtype) for x in xs]
    return ops.concatenate(*xs, axis=axis_of(axis, xs[0].ndim))


class Joiner:
    """What `np.r_` and `np.c_` are: indexed with arrays, it joins them.

    Strings that direct NumPy's own are not supported for traced arrays.
    """

    def __init__(self, plain: Any, *, columns: bool) -> None:
        self.plain = plain
        self.columns = columns

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if not has_tracer(items):
            return self.plain[key]
        if any(isinstance(item, str) for item in items):
            raise UnsupportedError(
                f"np.{'c' if self.columns else 'r'}_ with a string is not supported "
                "for traced arrays; use np.concatenate or np.stack"
            )
        arrays = [np.r_[x] if isinstance(x, slice) else x for x in items]
        dtype = np.result_type(*[getattr(x, "dtype", x) for x in arrays])
        parts = [self._shaped(array(x, dtype)) for x in arrays]
        return concatenate(parts, axis=-1 if self.columns else 0)

    def _shaped(self, x: Any) -> Any:
        if not self.columns:
            return atleast_1d(x)
        return x if x.ndim > 1 else x.reshape(-1, 1)


r_ = Joiner(np.r_, columns=False)
c_ = Joiner(np.c_, columns=True)


def _list_of(arrays: Any) -> list[Any]:
    """Return a sequence of arrays, or the subarrays of one array, as a list."""
    if isinstance(arrays, Tracer) or type(arrays) is np.ndarray:
        return [getitem(arrays, i) for i in range(len(arrays))]
    return [operand(x) for x in arrays]


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None) -> Any:
    """Return arrays of one shape, joined along a new axis."""
    xs = _list_of(arrays)
    if len({x.shape for x in xs}) != 1:
        raise ShapeError(f"np.stack: shapes {[x.shape for x in xs]} must be equal")
    if dtype is not None:
        xs = [x.astype(dtype) for x in xs]
    at = axis_of(axis, xs[0].ndim + 1)
    if at == 0:
        return basic.stack(*xs)
    return ops.concatenate(*[expand_dims(x, at) for x in xs], axis=at)


@implements(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    """Return arrays joined along axis 0, vectors as rows."""
    return concatenate([atleast_2d(x) for x in _list_of(tup)], 0, dtype=dtype)


row_stack = vstack


@implements(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    """Return arrays joined along axis 1, vectors along axis 0."""
    xs = [atleast_1d(x) for x in _list_of(tup)]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """Return arrays joined along axis 2."""
    return concatenate([atleast_3d(x) for x in _list_of(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """Return arrays joined along axis 1, vectors as columns."""
    xs = _list_of(tup)
    return concatenate([atleast_2d(x).T if x.ndim < 2 else x for x in xs], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Return values joined to the end of an array."""
    return concatenate([operand(arr), operand(values)], axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    """Return the array that nested lists of blocks describe."""
    depth = _depth(arrays)
    ndim = max(depth, _max_ndim(arrays))
    return _joined(arrays, depth, ndim)


def _depth(blocks: Any) -> int:
    return 1 + _depth(blocks[0]) if isinstance(blocks, list) else 0


def _max_ndim(blocks: Any) -> int:
    if isinstance(blocks, list):
        return max([_max_ndim(b) for b in blocks])
    return operand(blocks).ndim


def _joined(blocks: Any, depth: int, ndim: int) -> Any:
    if depth:
        return concatenate([_joined(b, depth - 1, ndim) for b in blocks], -depth)
    x = operand(blocks)
    return basic.reshape(x, shape=(1,) * (ndim - x.ndim) + x.shape)


# -- splitting ------------------------------------------------------------------------


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Return parts along an axis, of nearly equal length or cut at indices."""
    ary = operand(ary)
    axis = axis_of(axis, ary.ndim)
    n = ary.shape[axis]
    parts = np.array_split(np.arange(n), indices_or_sections)
    ends = np.cumsum([0] + [len(p) for p in parts])
    if np.ndim(indices_or_sections):  # cuts may be out of range, or not in order
        return [ary[(slice(None),) * axis + (_as_slice(p),)] for p in parts]
    return [ops.span(ary, axis, int(a), int(b)) for a, b in zip(ends, ends[1:])]


def _as_slice(indices: Any) -> slice:
    if not len(indices):
        return slice(0, 0)
    return slice(int(indices[0]), int(indices[-1]) + 1)


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Return parts of an array along an axis, equal or cut at indices."""
    ary = operand(ary)
    if not np.ndim(indices_or_sections) and ary.shape[axis] % indices_or_sections:
        raise ShapeError(
            f"np.split: axis {axis} of shape {ary.shape} cannot be cut into "
            f"{indices_or_sections} equal parts; use np.array_split"
        )
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return parts of an array along axis 1; of a vector along axis 0."""
    return split(ary, indices_or_sections, 1 if operand(ary).ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return parts of an array along axis 0."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return parts of an array along axis 2."""
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the subarrays of x along an axis."""
    x = moveaxis(x, axis, 0)
    return tuple([x[i] for i in range(x.shape[0])])
