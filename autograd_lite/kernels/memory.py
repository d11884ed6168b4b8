"""Buffers for the results of kernels, recycled when the arrays in them are gone.

A training step makes the same large arrays every time. Given back to the system and
asked for again, each of their pages costs a page fault, which for small models takes as
long as the arithmetic. So a large buffer goes to a pool when the last array that looks
into it is collected, and the next array of its size takes it from there.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, TypeAlias

import numpy as np

Block: TypeAlias = np.ndarray[Any, Any]  # bytes

SMALLEST: Final = 1 << 16  # bytes; below, the allocator does well by itself
LARGEST_POOL: Final = 1 << 30  # bytes kept at the most
_PAGE: Final = 4096
_ALIGNMENT: Final = 64  # a cache line, and the widest vector


class _Pool:
    """Free blocks by size.

    It takes no lock, for a garbage collection may give a block back inside `take`. Each
    step on a deque is atomic; the count of bytes may drift in a race, `clear` mends it.
    """

    def __init__(self) -> None:
        self.blocks: dict[int, deque[Block]] = {}
        self.nbytes = 0

    def take(self, nbytes: int) -> Block:
        """Return a block with room for so many aligned bytes."""
        size = (nbytes + _ALIGNMENT + _PAGE - 1) // _PAGE * _PAGE
        try:
            block = self.blocks[size].pop()
        except (KeyError, IndexError):
            return np.empty(size, np.uint8)
        self.nbytes -= size
        return block

    def give_back(self, block: Block) -> None:
        """Keep a block for later."""
        if self.nbytes + block.size > LARGEST_POOL:
            self.clear()
        self.nbytes += block.size
        self.blocks.setdefault(block.size, deque()).append(block)

    def clear(self) -> None:
        """Drop all blocks."""
        self.blocks.clear()
        self.nbytes = 0


# The one pool of the process: not state that a result could depend on.
_POOL: Final = _Pool()


class _Lease:
    """Holds a block while arrays look into it; gives it back when they are gone."""

    __slots__ = ("block", "interface")

    def __init__(self, block: Block, shape: Any, dtype: np.dtype[Any]) -> None:
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
        _POOL.give_back(self.block)


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
    return np.asarray(_Lease(_POOL.take(nbytes), shape, dtype))


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
