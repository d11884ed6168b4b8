"""The input gradient of a convolution over images with a single channel.

A vector along one input channel has one lane. So the cotangent is transposed, row by
row, and vectors lie along the pixels: first every tap's products

    P[t, i, j] = sum over k of w[t, k] * g[i, j, k]

as a small matrix product per image row, then for each input pixel the sum over the
taps t of P, shifted. The shifts need no copies: they are strides of the same tile,
which here multiplies by one.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

import numpy as np

from . import memory
from .columns import even
from .geometry import Geometry
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, Tile, machine, multiply
from .moves import clear, transpose
from .passes import lanes_of

# Bytes of products that a task holds at a time.
_BLOCK_BYTES: Final = 1 << 18


def fits(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether there is one input channel, no stride, and few enough taps."""
    found = machine()
    if found is None or size.n == 0 or dtype not in REAL:
        return False
    ordinary = size.sh == size.sw == size.dh == size.dw == size.groups == 1
    few = size.r * size.s <= found.alone
    inside = size.left < size.s and size.top < size.r
    return size.c == 1 and ordinary and few and inside


@cache
def _task(products: tuple[int, ...], sums: tuple[int, ...]) -> int:
    """Return the address of a task that computes some rows of one image's gradient.

    Arrays: g, w `(r, s, 1, k)`, a one, gx. The scratch memory holds a transposed row
    of the cotangent, then P for each tap: rows with zeros where a border is.
    """
    lanes, itemsize = products[2], products[3]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, g, w, one, gx, scratch, index):
        ho, wo, k, h, width, r, s = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
        above, before, blocks, height = p[7], p[8], p[9], p[10]
        turned_row, p_row, p_tap, turned_size = p[11], p[12], p[13], p[14]
        image, first = index // blocks, index % blocks * height
        height = min(height, h - first)
        p_first = scratch + turned_size * itemsize
        for i in range(height + r - 1):
            target = p_first + (i * p_row + before) * itemsize
            row = first + i - above
            if row < 0 or row >= ho:
                for tap in range(r * s):
                    clear(target + tap * p_tap * itemsize, wo * itemsize)
                continue
            source = g + (image * ho + row) * wo * k * itemsize
            for j in range(0, wo, lanes):
                for channel in range(0, k, lanes):
                    transpose(
                        products,
                        (source + (j * k + channel) * itemsize, k),
                        (min(wo - j, lanes), min(k - channel, lanes)),
                        (scratch + (channel * turned_row + j) * itemsize, turned_row),
                    )
            for j in range(0, wo, lanes):
                multiply(
                    products,
                    (w, 0, k, 0, 1),
                    (scratch + j * itemsize, 0, turned_row),
                    (target + j * itemsize, p_tap),
                    (0, 0),
                    (1, k),
                    (min(lanes, wo - j),),
                )
        last_tap = p_first + (r * s - 1) * p_tap * itemsize
        for i in range(height):
            target = gx + (image * h + first + i) * width * itemsize
            for j in range(0, width, lanes):
                multiply(
                    sums,
                    (one, 0, 0, 0, 0),
                    (
                        last_tap + (i * p_row + j) * itemsize,
                        p_row - s * p_tap,
                        1 - p_tap,
                    ),
                    (target + j * itemsize, 0),
                    (0, 0),
                    (r, s),
                    (min(lanes, width - j),),
                )

    return compiled(task)


@lru_cache(maxsize=1024)
def _plan(size: Geometry, itemsize: int) -> Launch:
    lanes, taps = lanes_of(itemsize), size.r * size.s
    products = Tile(taps, 1, lanes, itemsize, masked=True)
    sums = Tile(1, 1, lanes, itemsize, masked=True)
    turned_row = -(-size.wo // lanes) * lanes
    p_row = max(size.w, size.wo) + size.s - 1
    rows = _BLOCK_BYTES // (itemsize * p_row * taps) - size.r + 1
    height = even(size.h, min(size.h, max(1, rows)))
    blocks = -(-size.h // height)
    turned_size = -(-size.k // lanes) * lanes * turned_row
    p_tap = (height + size.r - 1) * p_row
    values = (
        *(size.ho, size.wo, size.k, size.h, size.w, size.r, size.s),
        *(size.r - 1 - size.top, size.s - 1 - size.left, blocks, height),
        *(turned_row, p_row, p_tap, turned_size),
    )
    scratch = (turned_size + taps * p_tap) * itemsize
    address = _task(products.literal(), sums.literal())
    return launch(address, values, size.n * blocks, scratch, size.flops)


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Return the cotangent `gx: (n, h, w, 1)`; g and w are contiguous."""
    gx = memory.empty(size.input_shape, g.dtype)
    run([_plan(size, g.itemsize)], g, w, np.ones(1, g.dtype), gx)
    return gx
