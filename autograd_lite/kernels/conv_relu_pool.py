"""Convolution, bias, ReLU and max-pool in one pass, for images of few channels.

With one input channel the arithmetic of a convolution is little, and most of the time
goes into writing its result, rectifying that and pooling it. Here the results behind
one pooled pixel are computed together and never leave the registers: what is written is
their maximum and a code that says who won. Backward, the code selects which of them
receives the cotangent, and the sums of the weights' gradient stay in registers too.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np

from . import memory
from .columns import even
from .conv_tiles import frame_rows
from .geometry import Geometry, Pair
from .launch import Array, Launch, compiled, launch, run
from .passes import Frame, known_machine, lanes_of, tiles_fit
from .pooled_rows import Pooled, pooled_row, pooled_row_grad

# The most taps of a filter (over all channels) with which this pays, by the machine's
# vector registers. Measured, one thread, time against convolution, ReLU and pool one
# after the other, forward and backward, for 16 filters of float32 and 2x2 pools:
#
#   registers   9 taps       18 (c=2)     27 (c=3)     36 (c=4)     72 (c=8)
#   32          0.38  0.18   0.53  0.28   0.73  0.38   0.88  0.61   1.22  0.99
#   16          0.52  0.28   0.73  0.40   0.97  0.42
_MOST_TAPS: Final = {16: 28, 32: 36}

# The most products of one pooled pixel: all are written out.
_MOST_PRODUCTS: Final = 250

# Bytes of an image that a task works on, and pieces to cut a batch into. Fixed, for the
# sums of the weights' gradient may not depend on the number of threads.
_BLOCK_BYTES: Final = 1 << 15
_TASKS: Final = 8
_CHUNKS: Final = 16


@cache
def _forward_task(literal: tuple[int, ...]) -> int:
    """Return the address of a task that computes some pooled rows of one image.

    Arrays: x, the weights of each tap and the bias, y, codes.
    """
    pool_down, taps_down, lanes, itemsize = (literal[i] for i in (0, 2, 5, 6))

    # Long because a function of its own would lose the literals.
    def task(p, x, w, y, codes, scratch, index):
        image_size, k, ho, wo, down, step = p[7], p[8], p[9], p[10], p[11], p[12]
        blocks, height = p[13], p[14]
        image, first = index // blocks, index % blocks * height
        height = min(height, ho - first)
        source, row = frame_rows(
            scratch,
            x + image * image_size * itemsize,
            first * down,
            (height - 1) * down + pool_down + taps_down - 1,
            p,
            itemsize,
        )
        for column in range(0, k, lanes):
            for i in range(height):
                place = ((image * ho + first + i) * wo) * k + column
                pooled_row(
                    literal,
                    (source + i * down * row * itemsize, row, step),
                    (w + column * itemsize, k),
                    (y + place * itemsize, codes + place),
                    (wo, k, min(lanes, k - column)),
                )

    return compiled(task)


@cache
def _grad_task(literal: tuple[int, ...]) -> int:
    """Return the address of a task that sums the gradients of some images.

    Arrays: x, g, codes, sums `(tasks, taps + 1, k)`.
    """
    pool_down, taps_down, lanes, itemsize = (literal[i] for i in (0, 2, 5, 6))
    rows = literal[2] * literal[3] + 1

    # Long because a function of its own would lose the literals.
    def task(p, x, g, codes, sums, scratch, index):
        image_size, k, ho, wo, down, step = p[7], p[8], p[9], p[10], p[11], p[12]
        block, images, chunk = p[14], p[15], p[16]
        sums += index * rows * k * itemsize
        for image in range(index * chunk, min(images, (index + 1) * chunk)):
            for first in range(0, ho, block):
                height = min(block, ho - first)
                source, row = frame_rows(
                    scratch,
                    x + image * image_size * itemsize,
                    first * down,
                    (height - 1) * down + pool_down + taps_down - 1,
                    p,
                    itemsize,
                )
                for column in range(0, k, lanes):
                    for i in range(height):
                        place = ((image * ho + first + i) * wo) * k + column
                        pooled_row_grad(
                            literal,
                            (source + i * down * row * itemsize, row, step),
                            (sums + column * itemsize, k),
                            (g + place * itemsize, codes + place),
                            (wo, k, min(lanes, k - column)),
                        )

    return compiled(task)


class Plan(NamedTuple):
    """Both launches, the shape of what is pooled, and of the sums of gradients."""

    forward: Launch
    grad: Launch
    shape: tuple[int, int, int, int]
    sums: tuple[int, int, int]


def pooled_size(size: Geometry, window: Pair, stride: Pair) -> Pair:
    """Return the height and width of what a max-pool leaves of a convolution."""
    down, across = (
        (n - m) // step + 1
        for n, m, step in zip((size.ho, size.wo), window, stride, strict=True)
    )
    return down, across


def fits(size: Geometry, dtype: np.dtype, window: Pair, stride: Pair) -> bool:
    """Tell whether there are few enough taps, no stride, and a known machine."""
    if not tiles_fit(size, dtype) or size.sh > 1 or size.sw > 1:
        return False
    taps, positions = size.r * size.s * size.c, window[0] * window[1]
    few = taps <= _MOST_TAPS.get(known_machine().registers, 28)
    written = taps * positions <= _MOST_PRODUCTS
    return few and written and min(pooled_size(size, window, stride)) > 0


@lru_cache(maxsize=1024)
def _plan(size: Geometry, itemsize: int, window: Pair, stride: Pair) -> Plan:
    ho, wo = pooled_size(size, window, stride)
    lanes = lanes_of(itemsize)
    paired = 2 * size.k == lanes
    lanes = lanes // 2 if 2 * size.k < lanes else lanes
    taps = size.r, size.s * size.c
    flags = size.k % lanes > 0, paired
    literal = Pooled(*window, *taps, size.c, lanes, itemsize, *flags).literal()
    spans = [
        (count - 1) * step + extent + reach - 1
        for count, step, extent, reach in zip(
            *((ho, wo), stride, window, (size.r, size.s)), strict=True
        )
    ]
    frame = Frame(size.h, size.w, size.c, size.top, size.left, *spans)
    row = frame.width * size.c
    most = max(1, (_BLOCK_BYTES // (itemsize * row) - size.r) // stride[0])
    height = even(ho, min(most, -(-ho // -(-_TASKS // size.n))))
    blocks = -(-ho // height)
    chunk = -(-size.n // _CHUNKS)
    values = (
        *frame.params(frame.copied),
        *(size.k, ho, wo, stride[0], stride[1] * size.c, blocks, height),
        *(size.n, chunk),
    )
    rows = (height - 1) * stride[0] + window[0] + size.r - 1
    scratch = rows * row * itemsize if frame.copied else 0
    flops = 2 * size.n * ho * wo * size.k * taps[0] * taps[1] * window[0] * window[1]
    tasks = -(-size.n // chunk)
    return Plan(
        launch(_forward_task(literal), values, size.n * blocks, scratch, flops),
        launch(_grad_task(literal), values, tasks, scratch, flops),
        (size.n, ho, wo, size.k),
        (tasks, taps[0] * taps[1] + 1, size.k),
    )


def forward(
    x: Array, w: Array, b: Array, size: Geometry, window: Pair, stride: Pair
) -> tuple[Array, Array]:
    """Return max-pooled, rectified results and their codes, both `(n, ho, wo, k)`.

    A code is the position in the pool's window, row by row, or one more than there are
    where ReLU made a zero.
    """
    plan = _plan(size, x.itemsize, window, stride)
    y, codes = memory.empty(plan.shape, x.dtype), memory.empty(plan.shape, np.uint8)
    rows = np.concatenate([w.reshape(-1, size.k), b.reshape(1, size.k)])
    run([plan.forward], np.ascontiguousarray(x), rows, y, codes)
    return y, codes


def weight_grad(
    x: Array, g: Array, codes: Array, size: Geometry, window: Pair, stride: Pair
) -> tuple[Array, Array]:
    """Return the cotangents of weights and bias, given that of what was pooled."""
    plan = _plan(size, x.itemsize, window, stride)
    sums = memory.zeros(plan.sums, x.dtype)
    x, g, codes = (np.ascontiguousarray(a) for a in (x, g, codes))
    run([plan.grad], x, g, codes, sums)
    total = sums.sum(0)
    return total[:-1].reshape(size.kernel_shape), total[-1].copy()
