"""Picking and replacing elements: select, choose, compress, insert, delete, unique."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import is_tracer
from ..errors import ShapeError
from ..ops.basic import reshape
from ..ops.index import getitem
from .at import at
from .dispatch import axes_of, axis_of, constant, implements, operand
from .joins import concatenate
from .shapes import moveaxis, ravel

isin = constant(np.isin)


# -- by conditions --------------------------------------------------------------------


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Return for each element the choice of the first condition that holds."""
    if len(condlist) != len(choicelist):
        raise ShapeError(
            f"np.select: {len(condlist)} conditions, {len(choicelist)} choices"
        )
    chosen = default
    for condition, choice in reversed(list(zip(condlist, choicelist))):
        chosen = np.where(condition, choice, chosen)
    return chosen


@implements(np.choose)
def choose(a: Any, choices: Sequence[Any], *, mode: str = "raise") -> Any:
    """Return for each element the choice that its number in `a` names."""
    arrays = np.stack(np.broadcast_arrays(np.asarray(a), *choices)[1:])
    n = arrays.shape[0]
    number = np.asarray(a)
    if mode == "wrap":
        number = number % n
    elif mode == "clip":
        number = np.clip(number, 0, n - 1)
    elif number.min(initial=0) < 0 or number.max(initial=0) >= n:
        raise ValueError(f"np.choose: numbers must be in 0..{n - 1}")
    number = np.broadcast_to(number, arrays.shape[1:])
    return np.take_along_axis(arrays, number[None], 0)[0]


@implements(np.piecewise)
def piecewise(
    x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any
) -> Any:
    """Return functions of x, each applied to the elements where its condition holds."""
    x = operand(x)
    conditions = [np.asarray(c, bool) for c in _as_list(condlist, x)]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(funclist) != len(conditions):
        raise ValueError(f"{len(conditions)} conditions, {len(funclist)} functions")
    y = 0 * x
    for condition, f in zip(conditions, funclist):
        value = f(x[condition], *args, **kw) if callable(f) else f
        y = at(y)[condition].set(value)
    return y


def _as_list(condlist: Any, x: Any) -> list[Any]:
    first = condlist[0] if isinstance(condlist, (list, tuple)) else condlist
    alone = np.ndim(condlist) == 0 or (np.ndim(first) == 0 and x.ndim > 0)
    return [condlist] if alone else list(condlist)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Return the slices of `a` along an axis where a vector of conditions holds."""
    a = operand(a)
    if axis is None:
        a, axis = ravel(a), 0
    (places,) = np.nonzero(condition)
    return getitem(a, (slice(None),) * axis_of(axis, a.ndim) + (places,))


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """Return the elements of `arr` where the condition holds, as a vector."""
    return getitem(ravel(arr), np.nonzero(np.ravel(condition))[0])


# -- by places ------------------------------------------------------------------------


def _places_of(obj: Any) -> Any:
    """Return places that shapes depend on, which cannot be traced."""
    return np.asarray(obj) if is_tracer(obj) else obj


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Return `arr` without the slices that `obj` names along an axis."""
    arr = operand(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = axis_of(axis, arr.ndim)
    rest = np.delete(np.arange(arr.shape[axis]), _places_of(obj))
    return getitem(arr, (slice(None),) * axis + (rest,))


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Return `arr` with values inserted before the places `obj` along an axis."""
    arr, values = operand(arr), operand(values)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = axis_of(axis, arr.ndim)
    n = arr.shape[axis]
    order = np.insert(np.arange(n), _places_of(obj), -1)  # -1 marks what is new
    new = int(np.sum(order < 0))
    order[order < 0] = n + np.arange(new)
    shape = [new if i == axis else k for i, k in enumerate(arr.shape)]
    if np.ndim(obj) == 0 and not isinstance(obj, slice):
        lead = (1,) * (arr.ndim - values.ndim)
        values = moveaxis(reshape(values, shape=lead + values.shape), 0, axis)
    both = concatenate([arr, np.broadcast_to(values.astype(arr.dtype), shape)], axis)
    return getitem(both, (slice(None),) * axis + (order,))


@implements(np.resize)
def resize(a: Any, new_shape: int | Sequence[int]) -> Any:
    """Return an array of a new shape, filled with repeated copies of `a`."""
    flat = ravel(a)
    shape = np.broadcast_to(False, new_shape).shape
    if not flat.size:
        return np.zeros(shape, flat.dtype)
    return getitem(
        flat, np.arange(np.prod(shape, dtype=int)).reshape(shape) % flat.size
    )


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Return an array without the zeros at its front ("f") and back ("b").

    Of several axes, all or those in `axis`, slices of zeros are left out.
    """
    filt = operand(filt)
    if not filt.ndim:
        return filt
    places = np.nonzero(filt)
    box = [slice(None)] * filt.ndim
    for i in axes_of(axis, filt.ndim):
        if not len(places[i]):
            box[i] = slice(0, 0)
            continue
        start = int(places[i].min()) if "f" in trim.lower() else 0
        stop = int(places[i].max()) + 1 if "b" in trim.lower() else filt.shape[i]
        box[i] = slice(start, stop)
    return filt[tuple(box)]


# -- unique values, each with the gradient of its first occurrence --------------------


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Any
    inverse_indices: Any


def _unique(ar: Any) -> UniqueAll:
    """Return the values in order, picked from the array, and what goes with them."""
    ar = operand(ar)
    _, first, inverse, counts = _unique_places(ar)
    return UniqueAll(getitem(ravel(ar), first), first, inverse, counts)


def _places(ar: Any, axis: int | None = None, equal_nan: bool = True) -> Any:
    return np.unique(
        ar,
        return_index=True,
        return_inverse=True,
        return_counts=True,
        axis=axis,
        equal_nan=equal_nan,
    )


_unique_places = constant(_places, multiple=True)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return the values of an array in order, each once; or its slices along an axis.

    They are sorted whatever `sorted` says.
    """
    ar = operand(ar)
    _, *places = _unique_places(ar, axis, equal_nan)
    flat = ravel(ar) if axis is None else moveaxis(ar, axis, 0)
    values = getitem(flat, places[0])
    values = values if axis is None else moveaxis(values, 0, axis)
    wanted = (return_index, return_inverse, return_counts)
    kept = (values, *[x for x, want in zip(places, wanted) if want])
    return kept[0] if len(kept) == 1 else kept


@implements(np.unique_all)
def unique_all(x: Any) -> UniqueAll:
    """Return the values in order, where they stand first, their numbers and counts."""
    return _unique(x)


@implements(np.unique_counts)
def unique_counts(x: Any) -> UniqueCounts:
    """Return the values in order, and how often each occurs."""
    found = _unique(x)
    return UniqueCounts(found.values, found.counts)


@implements(np.unique_inverse)
def unique_inverse(x: Any) -> UniqueInverse:
    """Return the values in order, and for each element the number of its value."""
    found = _unique(x)
    return UniqueInverse(found.values, found.inverse_indices)


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    """Return the values of an array in order, each once."""
    return _unique(x).values


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """Return the values in either array, in order."""
    return unique(concatenate([ravel(ar1), ravel(ar2)]))


def _in_both(ar1: Any, ar2: Any, assume_unique: bool) -> Any:
    return np.intersect1d(ar1, ar2, assume_unique, return_indices=True)


_common = constant(_in_both, multiple=True)


@implements(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """Return the values in both arrays, in order; gradients go to the first."""
    first, second = ravel(ar1), ravel(ar2)
    _, ours, theirs = _common(first, second, assume_unique)
    values = getitem(first, ours)
    return (values, ours, theirs) if return_indices else values


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Return the values of the first array that are not in the second.

    They are in order, unless `assume_unique` says that there is nothing to sort.
    """
    values = ravel(ar1) if assume_unique else unique(ar1)
    return values[~isin(values, ar2)]


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Return the values in one of the arrays alone, in order."""
    if not assume_unique:
        ar1, ar2 = unique(ar1), unique(ar2)
    both = np.sort(concatenate([ravel(ar1), ravel(ar2)]))
    differs = np.concatenate([[True], np.not_equal(both[1:], both[:-1]), [True]])
    return both[differs[1:] & differs[:-1]] if both.size else both
