"""Buffers for the results of kernels, recycled when the arrays in them are gone.

A training step makes the same large arrays every time. Given back to the system and
asked for again, each of their pages costs a page fault, which for small models takes as
long as the arithmetic. So a large buffer goes to a pool when the last array that looks
into it is collected, and the next array of its size takes it from there. The largest
share the segments of an `Arena` instead, whatever their sizes.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

import numpy as np

from .arena import Arena, Block

SMALLEST: Final = 1 << 16  # bytes; below, the allocator does well by itself
LARGE: Final = 1 << 20  # bytes; from here on, finding a place in an arena is no cost
LARGEST_POOL: Final = 1 << 30  # bytes kept at the most
_PAGE: Final = 4096
_ALIGNMENT: Final = 64  # a cache line, and the widest vector


class _Block(np.ndarray[Any, Any]):
    """Bytes that are lent out again and again, from an aligned one on."""

    first: int


class _Lease(np.ndarray[Any, Any]):
    """A view of a block, and the base of the array in it; its end returns the block.

    NumPy replaces a base by its own base when both are plain arrays. These are not.
    """

    def __del__(self) -> None:
        base = self.base
        if type(base) is _Block:
            _POOL.give_back(base)
        elif type(base) is Block:
            _ARENA.give_back(base)


class _Pool:
    """Free blocks by size.

    It takes no lock, for a garbage collection may give a block back inside `take`. Each
    step on a deque is atomic; the count of bytes may drift in a race, `clear` mends it.
    """

    def __init__(self) -> None:
        self.blocks: dict[int, deque[_Block]] = {}
        self.nbytes = 0

    def take(self, nbytes: int) -> _Block:
        """Return a block with room for so many aligned bytes."""
        size = (nbytes + _ALIGNMENT + _PAGE - 1) // _PAGE * _PAGE
        try:
            block = self.blocks[size].pop()
        except (KeyError, IndexError):
            block = _Block(size, np.uint8)
            block.first = -block.ctypes.data % _ALIGNMENT
            return block
        self.nbytes -= size
        return block

    def give_back(self, block: _Block) -> None:
        """Keep a block for later."""
        if self.nbytes + block.size > LARGEST_POOL:
            self.clear()
        self.nbytes += block.size
        self.blocks.setdefault(block.size, deque()).append(block)

    def clear(self) -> None:
        """Drop all blocks."""
        self.blocks.clear()
        self.nbytes = 0


# Those of the process: not state that a result could depend on.
_POOL: Final = _Pool()
_ARENA: Final = Arena(LARGEST_POOL)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Return an uninitialised C-contiguous array, as `np.empty` does.

    >>> empty((256, 256), np.float32).shape
    (256, 256)
    """
    dtype = np.dtype(dtype)
    nbytes = dtype.itemsize * math.prod(shape)
    if nbytes < SMALLEST:
        return np.empty(shape, dtype)
    if nbytes >= LARGE:
        return np.ndarray(shape, dtype, _ARENA.take(nbytes).view(_Lease))
    block = _POOL.take(nbytes)
    return np.ndarray(shape, dtype, block.view(_Lease), block.first)


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
    _POOL.clear()
    _ARENA.clear()
