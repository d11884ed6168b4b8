"""Buffers for the results of kernels, recycled when the arrays in them are gone.

A training step makes the same large arrays every time. Given back to the system and
asked for again, each of their pages costs a page fault, which for small models takes as
long as the arithmetic. So a large buffer goes to a pool when the last array that looks
into it is collected, and the next array of its size takes it from there.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np

SMALLEST: Final = 1 << 16  # bytes; below, the allocator does well by itself
LARGEST_POOL: Final = 1 << 30  # bytes kept at the most
_PAGE: Final = 4096
_ALIGNMENT: Final = 64  # a cache line, and the widest vector

_pool: dict[int, deque[np.ndarray[Any, Any]]] = {}
_pooled_bytes = 0


class _Lease:
    """Holds a block while arrays look into it; gives it back when they are gone."""

    __slots__ = ("block", "interface")

    def __init__(
        self, block: np.ndarray[Any, Any], shape: Any, dtype: np.dtype[Any]
    ) -> None:
        self.block = block
        address = block.ctypes.data
        address += -address % _ALIGNMENT
        self.interface = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (address, False),
        }

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.interface

    def __del__(self) -> None:
        _give_back(self.block)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Return an uninitialised C-contiguous array, as `np.empty` does.

    >>> empty((256, 256), np.float32).shape
    (256, 256)
    """
    dtype = np.dtype(dtype)
    nbytes = dtype.itemsize
    for n in shape:
        nbytes *= n
    if nbytes < SMALLEST:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(_take(nbytes), shape, dtype))


def empty_like(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an uninitialised C-contiguous array of the shape and dtype of x."""
    return empty(x.shape, x.dtype)


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Return an array of zeros, as `np.zeros` does."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def clear() -> None:
    """Return all pooled buffers to the system."""
    global _pooled_bytes
    _pool.clear()
    _pooled_bytes = 0


# Neither function takes a lock: a collection may call `_give_back` inside either. Each
# step on a deque is atomic; the count of bytes may drift in a race, `clear` mends it.


def _take(nbytes: int) -> np.ndarray[Any, Any]:
    global _pooled_bytes
    size = (nbytes + _ALIGNMENT + _PAGE - 1) // _PAGE * _PAGE
    try:
        block = _pool[size].pop()
    except (KeyError, IndexError):
        return np.empty(size, np.uint8)
    _pooled_bytes -= size
    return block


def _give_back(block: np.ndarray[Any, Any]) -> None:
    global _pooled_bytes
    if _pooled_bytes + block.size > LARGEST_POOL:
        clear()
    _pooled_bytes += block.size
    _pool.setdefault(block.size, deque()).append(block)
