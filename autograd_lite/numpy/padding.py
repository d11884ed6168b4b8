"""np.pad in all its modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..ops import shape as ops
from ..ops.elementwise import where
from ..ops.index import getitem
from .dispatch import converted, has_tracer, implements, operand
from .joins import concatenate
from .reductions import max, mean, min

Widths = tuple[tuple[int, int], ...]
_np_pad: Any = np.pad  # its type knows each mode as a literal only


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Return `array` with elements added at both ends of each axis, in any mode.

    A mode that picks elements ("edge", "reflect", ...) passes their cotangents on to
    them. `constant_values` and `end_values` may be traced too.
    """
    array = operand(array)
    widths = _pairs(pad_width, array.ndim)
    if mode == "constant":
        return _constant(array, widths, kwargs.pop("constant_values", 0), kwargs)
    if mode in ("edge", "wrap", "empty") or (
        mode in ("reflect", "symmetric") and kwargs.get("reflect_type") != "odd"
    ):
        return _picked(array, widths, mode, kwargs)
    if mode in ("reflect", "symmetric"):
        return _odd(array, widths, mode)
    if mode in _STATISTICS:
        lengths = kwargs.get("stat_length")
        return _along_each_axis(array, widths, _STATISTICS[mode], lengths)
    if mode == "linear_ramp":
        ends = _traced_pairs(kwargs.get("end_values", 0), array.ndim)
        return _ramps(array, widths, ends)
    raise ArgumentError(f"np.pad: mode {mode!r} is not supported for traced arrays")


def _pairs(x: Any, ndim: int) -> Any:
    """Return a pad argument as one pair (before, after) per axis."""
    if isinstance(x, dict):
        x = [x.get(i, x.get(i - ndim, 0)) for i in range(ndim)]
        x = [pair if np.ndim(pair) else (pair, pair) for pair in x]
    pairs = np.broadcast_to(np.asarray(x), (ndim, 2))
    return tuple([tuple(pair) for pair in pairs.tolist()])


def _traced_pairs(x: Any, ndim: int) -> Any:
    """Return values to pad with as `_pairs` does; some may be traced."""
    if not has_tracer((x,)):
        return _pairs(x, ndim)
    pairs = np.broadcast_to(operand(x), (ndim, 2))
    return tuple([(pairs[i, 0], pairs[i, 1]) for i in range(ndim)])


def _constant(array: Any, widths: Widths, values: Any, kwargs: Any) -> Any:
    if kwargs:
        raise ArgumentError(f"np.pad: mode 'constant' with {sorted(kwargs)}")
    if has_tracer((values,)):
        return _framed(array, widths, _traced_pairs(values, array.ndim))
    if np.ndim(values) == 0:
        return ops.pad(array, widths=widths, value=values)
    inside = np.pad(np.ones(array.shape, bool), widths)
    frame = np.zeros(array.shape, array.dtype)
    frame = np.pad(frame, widths, constant_values=values)
    return where(inside, ops.pad(array, widths=widths), frame)


def _framed(array: Any, widths: Widths, values: Any) -> Any:
    """Pad with traced constants: along one axis after another, as NumPy does."""
    for axis, (pair, ends) in enumerate(zip(widths, values)):
        shape = list(array.shape)
        parts = [array]
        for n, value, place in zip(pair, ends, (0, 2)):
            shape[axis] = n
            frame = np.broadcast_to(converted(value, array.dtype), shape)
            parts.insert(place, frame)
        array = concatenate(parts, axis)
    return array


def _picked(array: Any, widths: Widths, mode: str, kwargs: Any) -> Any:
    """Pad by indexing: each added element is one of the array's."""
    for axis, pair in enumerate(widths):
        if pair != (0, 0):
            places = np.arange(array.shape[axis])
            index = _np_pad(places, pair, "edge" if mode == "empty" else mode, **kwargs)
            array = getitem(array, (slice(None),) * axis + (index,))
    return array


def _odd(array: Any, widths: Widths, mode: str) -> Any:
    """Pad by reflection about the value at the edge: 2 * edge - mirrored."""
    for axis, (before, after) in enumerate(widths):
        n = array.shape[axis]
        if before == after == 0:
            continue
        weights = _np_pad(
            np.eye(n), ((before, after), (0, 0)), mode, reflect_type="odd"
        )
        weights = weights.astype(array.dtype)
        columns = np.moveaxis(array, axis, 0)
        array = np.moveaxis(np.tensordot(weights, columns, 1), 0, axis)
    return array


def _along_each_axis(
    array: Any, widths: Widths, statistic: Callable[..., Any], lengths: Any
) -> Any:
    """Pad with a statistic of the `lengths` elements next to each end."""
    pairs = _pairs(lengths, array.ndim) if lengths is not None else None
    for axis, (before, after) in enumerate(widths):
        n = array.shape[axis]
        first, last = pairs[axis] if pairs is not None else (n, n)
        head = statistic(_first(array, axis, 0, first), axis, keepdims=True)
        tail = statistic(_first(array, axis, -last, n), axis, keepdims=True)
        array = concatenate(
            [np.repeat(head, before, axis), array, np.repeat(tail, after, axis)], axis
        )
    return array


def _first(array: Any, axis: int, start: int, stop: int) -> Any:
    return getitem(array, (slice(None),) * axis + (slice(start, stop),))


def _ramps(array: Any, widths: Widths, ends: Any) -> Any:
    """Pad with straight lines from the edges to the end values."""
    for axis, ((before, after), (first, last)) in enumerate(zip(widths, ends)):
        n = array.shape[axis]
        head = _ramp(_first(array, axis, 0, 1), axis, before, first)
        tail = _ramp(_first(array, axis, n - 1, n), axis, after, last)
        array = concatenate([np.flip(head, axis), array, tail], axis)
    return array


def _ramp(edge: Any, axis: int, n: int, end: Any) -> Any:
    """Return n elements on the way from an edge, left out, to an end value."""
    shape = [1] * edge.ndim
    shape[axis] = n
    share = (np.arange(1, n + 1, dtype=edge.dtype) / (n or 1)).reshape(shape)
    return edge * (1 - share) + converted(end, edge.dtype) * share


_STATISTICS: dict[str, Callable[..., Any]] = {
    "mean": mean,
    "maximum": max,
    "minimum": min,
    "median": np.median,
}
