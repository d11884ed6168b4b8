"""Functional updates: `at(x)[index].set(v)` is what `x[index] = v` would make of x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import concrete, defbatch, is_tracer, nondifferentiable
from ..errors import DifferentiationTypeError
from ..ops import elementwise as ew
from ..ops.basic import broadcast_to, reshape
from ..ops.index import encode, getitem, last_written, scatter_sum
from ..ops.shape import pad
from .dispatch import converted, operand


def at(x: Any) -> At:
    """Return a view of x whose indexed places have functional updates.

    Traced arrays have it as a property too: `x.at[index].add(v)`.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> print(np.at(x)[1:].set(0.0))
    [1. 0. 0.]
    >>> print(grad(lambda x: np.sum(x.at[1].multiply(5.0)))(x))
    [1. 5. 1.]
    """
    return At(operand(x))


class At:
    """An array about to be indexed for an update."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __getitem__(self, index: Any) -> Places:
        return Places(self.x, index)


class Places:
    """The places of an array that an index names."""

    def __init__(self, x: Any, index: Any) -> None:
        self.x = x
        self.index = index

    def get(self) -> Any:
        """Return the elements."""
        return getitem(self.x, self.index)

    def set(self, values: Any) -> Any:
        """Return the array with the elements replaced; of repeats the last one wins."""
        if self._is_mask_for_one(values):
            return ew.where(self.index, self._converted(values), self.x)
        values = self._values(values)
        if not values.size:
            return self.x
        template, arrays = encode(self.index)
        winner = last_written(*arrays, index=template, shape=tuple(self.x.shape))
        flat = reshape(values, shape=(values.size,))
        return ew.where(winner >= 0, getitem(flat, winner), self.x)

    def add(self, values: Any) -> Any:
        """Return the array with values added to the elements; repeats accumulate."""
        if self._is_mask_for_one(values):
            return self._masked(ew.add, values)
        template, arrays = encode(self.index)
        total = scatter_sum(
            self._values(values),
            *arrays,
            layout=((template, len(arrays)),),
            shape=tuple(self.x.shape),
            dtype=np.dtype(self.x.dtype),
        )
        return ew.add(self.x, total)

    def multiply(self, values: Any) -> Any:
        """Return the array with the elements multiplied; repeats accumulate."""
        return self._apply(ew.multiply, values)

    def max(self, values: Any) -> Any:
        """Return the array with the larger of elements and values."""
        return self._apply(ew.maximum, values)

    def min(self, values: Any) -> Any:
        """Return the array with the smaller of elements and values."""
        return self._apply(ew.minimum, values)

    def _is_mask_for_one(self, values: Any) -> bool:
        """Return whether a mask of the array's shape chooses the places of one value.

        Such an update needs no shape that depends on the mask, and so can be mapped.
        """
        is_array = isinstance(self.index, np.ndarray) or is_tracer(self.index)
        if not is_array or self.index.dtype != bool:
            return False
        return self.index.shape == self.x.shape and np.ndim(values) == 0

    def _masked(self, operation: Callable[[Any, Any], Any], value: Any) -> Any:
        return ew.where(self.index, operation(self.x, self._converted(value)), self.x)

    def _values(self, values: Any) -> Any:
        """Return the values in the dtype of the array, broadcast to the places."""
        shape = getitem(np.broadcast_to(False, self.x.shape), self.index).shape
        return broadcast_to(self._converted(values), shape=shape)

    def _converted(self, values: Any) -> Any:
        """Return the values in the dtype of the array; raise where that loses parts."""
        values, dtype = operand(values), self.x.dtype
        if is_tracer(values) and dtype.kind not in "fc":
            raise DifferentiationTypeError(
                f"a traced value (dtype {values.dtype}) cannot be put into an array of "
                f"dtype {dtype} without losing its derivative; use x.astype(float)"
            )
        if values.dtype.kind == "c" and dtype.kind != "c":
            raise DifferentiationTypeError(
                f"values of dtype {values.dtype} cannot be put into an array of dtype "
                f"{dtype} without losing their imaginary part; use x.astype(complex)"
            )
        return converted(values, dtype)

    def _apply(self, operation: Callable[[Any, Any], Any], values: Any) -> Any:
        """Apply an operation to the places: repeats one after another."""
        if self._is_mask_for_one(values):
            return self._masked(operation, values)
        values, size = self._values(values), self.x.size
        values = reshape(values, shape=(values.size,))
        numbers = np.arange(size).reshape(self.x.shape)
        places = reshape(getitem(numbers, self.index), shape=values.shape)
        rank = _occurrence(places, bound=size)
        # With one element more, to which all go whose turn it is not.
        flat = pad(reshape(self.x, shape=(size,)), widths=((0, 1),))
        for turn in range(int(np.max(concrete(rank), initial=-1)) + 1):
            now = ew.where(rank == turn, places, size)
            new = operation(getitem(flat, now), ew.where(rank == turn, values, 1))
            flat = Places(flat, now).set(new)
        return reshape(flat[:size], shape=self.x.shape)


@nondifferentiable
def _occurrence(places: Any, *, bound: int) -> Any:
    """Return how often the same number, less than `bound`, stands earlier."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.searchsorted(ordered, ordered, "left")
    rank = np.empty(len(places), int)
    rank[order] = np.arange(len(places)) - starts
    return rank


def _occurrence_batch(size: int, args: Any, batched: Any, *, bound: int) -> Any:
    """Give the elements numbers that differ, and count for all at once."""
    (places,) = args
    apart = places + bound * np.arange(size)[:, None]
    rank = _occurrence(reshape(apart, shape=(apart.size,)), bound=bound * size)
    return reshape(rank, shape=apart.shape)


defbatch(_occurrence, _occurrence_batch)
