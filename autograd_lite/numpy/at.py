"""Functional updates: `at(x)[index].set(v)` is what `x[index] = v` would make of x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import is_tracer
from ..errors import DifferentiationTypeError
from ..ops import elementwise as ew
from ..ops.basic import broadcast_to, reshape
from ..ops.index import encode, getitem, scatter_sum
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
        values = self._values(values)
        winner = np.full(self.x.shape, -1)
        winner[self.index] = np.arange(values.size).reshape(values.shape)
        if not values.size:
            return self.x
        flat = reshape(values, shape=(values.size,))
        return ew.where(winner >= 0, getitem(flat, winner), self.x)

    def add(self, values: Any) -> Any:
        """Return the array with values added to the elements; repeats accumulate."""
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

    def _values(self, values: Any) -> Any:
        """Return the values in the dtype of the array, broadcast to the places."""
        shape = np.broadcast_to(False, self.x.shape)[self.index].shape
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
        return broadcast_to(converted(values, dtype), shape=shape)

    def _apply(self, operation: Callable[[Any, Any], Any], values: Any) -> Any:
        """Apply an operation to the places: repeats one after another."""
        values = self._values(values)
        flat = reshape(self.x, shape=(self.x.size,))
        values = reshape(values, shape=(values.size,))
        places = np.arange(self.x.size).reshape(self.x.shape)[self.index].ravel()
        rank = _occurrence(places)
        for r in range(int(rank.max(initial=-1)) + 1):
            (now,) = np.nonzero(rank == r)
            new = operation(getitem(flat, places[now]), getitem(values, now))
            flat = Places(flat, places[now]).set(new)
        return reshape(flat, shape=self.x.shape)


def _occurrence(places: np.ndarray) -> np.ndarray:
    """Return how often the same number stands earlier, for each number."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.searchsorted(ordered, ordered, "left")
    rank = np.empty(len(places), int)
    rank[order] = np.arange(len(places)) - starts
    return rank
