"""Two sparse matrices along two axes in a row, by register tiles: interpolation.

Row i of a matrix has entries at equal distances in all that come up here: neighbours,
windows, parts. So a row of results is a product of one row of weights with rows of x,

    y[i] = sum over e < entries of weight[e] * x[first + e * step],

which is a tile of `micro`. A task mixes the rows of an image that make up one of the
result, to scratch memory, and the pixels of that while it is in the cache.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np

from . import memory
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, Tile, machine, multiply
from .passes import lanes_of

_ENTRY: Final = 4  # numbers for each row of a table


class Table(NamedTuple):
    """A matrix: `(first element, step, entries, first weight)` for each of its rows."""

    rows: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def results(self) -> int:
        """The number of rows."""
        return len(self.rows) // _ENTRY

    @property
    def picks(self) -> bool:
        """Whether each result is an element, as it is."""
        return len(self.weights) == self.results and set(self.weights) == {1.0}


def table(pointers: Array, indices: Array, weights: Array) -> Table | None:
    """Return a sparse matrix as a Table; None if its entries have unequal distances.

    Example:
        >>> table(np.array([0, 2]), np.array([1, 4]), np.array([0.5, 0.5]))
        Table(rows=(1, 3, 2, 0), weights=(0.5, 0.5))
    """
    rows: list[int] = []
    for start, stop in zip(pointers.tolist(), pointers[1:].tolist()):
        here = indices[start:stop]
        steps = set(np.diff(here).tolist())
        if len(steps) > 1 or start == stop:
            return None
        rows += [int(here[0]), steps.pop() if steps else 0, stop - start, start]
    return Table(tuple(rows), tuple(weights.tolist()))


def fits(x: Array) -> bool:
    """Tell whether there are tiles for x."""
    return x.size > 0 and x.dtype in REAL and machine() is not None


@cache
def _task(wide: tuple[int, ...], rest: tuple[int, ...], pixel: tuple[int, ...]) -> int:
    """Return the address of a task that computes one row of one image.

    Arrays: x, weights of the rows and then of the columns, unused, y. Where rows are
    picked rather than mixed (`lone`), columns are mixed from where they are.
    """
    itemsize, lanes, across = wide[3], rest[2], pixel[1] * pixel[2]
    width = wide[1] * wide[2]

    # Long because a function of its own would lose the literals of the tiles.
    def task(p, x, weights, unused, y, scratch, index):
        h, w, c, ho, wo, later, lone = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
        image, i = index // ho, index % ho
        entry = 7 + i * _ENTRY
        first, step, entries, weight = (
            p[entry],
            p[entry + 1],
            p[entry + 2],
            p[entry + 3],
        )
        row = w * c
        a = weights + weight * itemsize
        source = x + (image * h + first) * row * itemsize
        mixed, whole = (source, 0) if lone else (scratch, row)
        for at in range(0, whole - whole % width, width):
            multiply(
                wide,
                (a, 0, 0, 0, 1),
                (source + at * itemsize, 0, step * row),
                (scratch + at * itemsize, 0),
                (0, 0),
                (1, entries),
                (0,),
            )
        for at in range(whole - whole % width, whole, lanes):
            multiply(
                rest,
                (a, 0, 0, 0, 1),
                (source + at * itemsize, 0, step * row),
                (scratch + at * itemsize, 0),
                (0, 0),
                (1, entries),
                (min(lanes, row - at),),
            )
        target = y + index * wo * c * itemsize
        for j in range(wo):
            entry = 7 + (ho + j) * _ENTRY
            first, step = p[entry], p[entry + 1]
            a = weights + (later + p[entry + 3]) * itemsize
            for at in range(0, c, across):
                multiply(
                    pixel,
                    (a, 0, 0, 0, 1),
                    (mixed + (first * c + at) * itemsize, 0, step * c),
                    (target + (j * c + at) * itemsize, 0),
                    (0, 0),
                    (1, p[entry + 2]),
                    (min(pixel[2], c - at),),
                )

    return compiled(task)


@lru_cache(maxsize=256)
def _plan(
    shape: tuple[int, ...], itemsize: int, down: Table, over: Table
) -> tuple[Launch, Array]:
    """Return the launch for `(n, h, w, c)`, and the weights."""
    n, h, w, c = shape
    lanes = lanes_of(itemsize)
    fitting = min(lanes, 1 << (c - 1).bit_length())
    vectors = 1 if c % (2 * fitting) else 2
    address = _task(
        Tile(1, 2, lanes, itemsize).literal(),
        Tile(1, 1, lanes, itemsize, masked=True).literal(),
        Tile(1, vectors, fitting, itemsize, masked=c % fitting > 0).literal(),
    )
    ho, wo = down.results, over.results
    values = (h, w, c, ho, wo, len(down.weights), down.picks, *down.rows, *over.rows)
    entries = len(down.weights) * w + len(over.weights) * ho
    work = launch(address, values, n * ho, w * c * itemsize, 8 * n * c * entries)
    dtype = np.float32 if itemsize == 4 else np.float64
    return work, np.array(down.weights + over.weights, dtype)


def mix_pair(x: Array, axis: int, down: Table, over: Table) -> Array:
    """Mix an axis by `down` and the next one by `over`; x is contiguous."""
    before, after = x.shape[:axis], x.shape[axis + 2 :]
    y = memory.empty((*before, down.results, over.results, *after), x.dtype)
    outer, inner = math.prod(before), math.prod(after)
    shape = (outer, *x.shape[axis : axis + 2], inner)
    work, weights = _plan(shape, x.itemsize, down, over)
    run([work], x, weights, weights, y)
    return y
