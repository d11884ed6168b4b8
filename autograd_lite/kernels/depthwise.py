"""Convolution of each channel by itself, and what grouped convolutions make of it.

The channels are the vectors here, of the image and of the weights alike: the tile of
`micro` with a vector of A in the place of a scalar that is repeated,

    C[i] = start[i] + sum of A[i, outer, inner] * B[outer, inner],    lane by lane.

As in `conv_fast` one tile does all three contractions, by the same passes.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from . import memory
from .columns import Columns, even
from .conv_fast import (
    Pass,
    forward_pass,
    input_grad_passes,
    known_machine,
    lanes_of,
    phases,
)
from .conv_tiles import frame_rows
from .geometry import Geometry
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, Emitter, Loop, Tile, emitted, machine, read_tile, started

# As in conv_fast: bytes of an image that a task works on, pieces to cut the work into.
_BLOCK_BYTES: Final = 1 << 17
_SUM_BYTES: Final = 1 << 15
_TASKS: Final = 8
_CHUNKS: Final = 8

# Pixels whose sums a tile holds: few sizes, as each is compiled. The last tile of a row
# overlaps the one before if it has to.
_PIXELS: Final = (8, 4)


@emitted
def multiply_lanes(typing_context, tile, a, b, c, start, counts, last):
    """Compute one tile, lane by lane; the arguments are those of `micro.multiply`."""
    shape = read_tile(tile)
    kinds = [types.UniTuple(types.int64, n) for n in (5, 3, 2, 2, 2, 1)]

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[1:]]
        _emit_lanes(builder, shape, unpacked)
        return context.get_dummy_value()

    return types.void(tile, *kinds), emit


def _emit_lanes(builder: ir.IRBuilder, tile: Tile, arguments: list[Any]) -> None:
    emit = Emitter(builder, tile)
    (a, a_band, a_row, a_outer, a_inner), (b, b_outer, b_inner) = arguments[:2]
    (c, c_row), (start, start_row), (outer, inner), (last_lanes,) = arguments[2:]
    masks = emit.masks(last_lanes)
    sums = [row[0] for row in started(emit, start, start_row, masks)]
    fma = emit.function(f"llvm.fma.{emit.suffix}", emit.vector, [emit.vector] * 3)

    def step(pointers: list[Any]) -> None:
        weight = emit.load(pointers[1], masks[0])
        for i, cell in enumerate(sums):
            band, row = divmod(i, tile.rows)
            source = emit.at(pointers[0], (a_band, band), (a_row, row))
            total = builder.load(cell, typ=emit.vector)
            value = emit.load(source, masks[0])
            builder.store(builder.call(fma, [value, weight, total]), cell)

    def outer_step(pointers: list[Any]) -> None:
        Loop(emit, pointers, [a_inner, b_inner]).run(inner, tile.unroll[1], step)

    pointers = [emit.pointer(a), emit.pointer(b)]
    Loop(emit, pointers, [a_outer, b_outer]).run(outer, tile.unroll[0], outer_step)
    for i, cell in enumerate(sums):
        target = emit.at(emit.pointer(c), (c_row, i))
        emit.store(builder.load(cell, typ=emit.vector), target, masks[0])


@cache
def _forward_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that convolves some rows of one image.

    Arrays: x, w, bias, y; the parameters are those of `conv_tiles.forward_task`.
    """
    rows, columns, itemsize = tile[0], tile[2], tile[3]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, w, bias, y, scratch, index):
        image_size, r, sc, k, ho, wo = p[7], p[8], p[9], p[10], p[11], p[12]
        sh, pixel, first_k, last_k, lanes = p[13], p[14], p[15], p[16], p[17]
        has_bias, blocks, height, first_w = p[18], p[19], p[20], p[21]
        first_y, y_image, y_row, y_pixel = p[22], p[23], p[24], p[25]
        image, first = index // blocks, index % blocks * height
        height = min(height, ho - first)
        source, row = frame_rows(
            scratch,
            x + image * image_size * itemsize,
            first * sh,
            (height - 1) * sh + r,
            p,
            itemsize,
        )
        w += first_w * itemsize
        target = y + (first_y + image * y_image + first * y_row) * itemsize
        for i in range(height):
            for column in range(first_k, last_k, columns):
                shift = column * itemsize
                start = bias + shift if has_bias else 0
                for j in range(0, wo, rows):
                    j = min(j, wo - rows)
                    a = source + (i * sh * row + j * pixel) * itemsize + shift
                    out = target + (i * y_row + j * y_pixel) * itemsize + shift
                    multiply_lanes(
                        tile,
                        (a, 0, pixel, row, k),
                        (w + shift, sc, k),
                        (out, y_pixel),
                        (start, 0),
                        (r, sc // k),
                        (lanes,),
                    )

    return compiled(task)


@cache
def _weight_grad_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that sums the weights' gradient of some images.

    Arrays: x, g, unused, partial sums `(tasks, r, room, k)`. A tile's rows are taps of
    one kernel row, or of all of them (bands); the last may be beyond s, hence room.
    """
    rows, columns, itemsize, bands = tile[0], tile[2], tile[3], tile[5]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, g, unused, partial, scratch, index):
        image_size, r, sc, k, ho, wo = p[7], p[8], p[9], p[10], p[11], p[12]
        sh, pixel, first_k, last_k, lanes = p[13], p[14], p[15], p[16], p[17]
        images, chunk, height, room = p[18], p[19], p[20], p[21]
        target = partial + index * r * room * k * itemsize
        for image in range(index * chunk, min(images, (index + 1) * chunk)):
            for first in range(0, ho, height):
                count = min(height, ho - first)
                source, row = frame_rows(
                    scratch,
                    x + image * image_size * itemsize,
                    first * sh,
                    (count - 1) * sh + r,
                    p,
                    itemsize,
                )
                cotangent = g + (image * ho + first) * wo * k * itemsize
                for tap in range(0, r, bands):
                    for column in range(first_k, last_k, columns):
                        for q in range(0, sc // k, rows):
                            a = source + (tap * row + q * k + column) * itemsize
                            b = cotangent + column * itemsize
                            out = target + ((tap * room + q) * k + column) * itemsize
                            multiply_lanes(
                                tile,
                                (a, row, k, sh * row, pixel),
                                (b, wo * k, k),
                                (out, k),
                                (out, k),
                                (count, wo),
                                (lanes,),
                            )

    return compiled(task)


def _parts(k: int, lanes: int) -> list[Columns]:
    """Cut k channels to single vectors and one that is not full.

    Example:
        >>> [(part.first, part.last_lanes, part.masked) for part in _parts(35, 16)]
        [(0, 16, False), (32, 3, True)]
    """
    main = k - k % lanes
    parts = [Columns(1, lanes, 0, main), Columns(1, lanes, main, k)]
    return [part for part in parts if part.first < part.last]


def _launches(step: Pass, n: int, itemsize: int, bias: bool) -> list[Launch]:
    """Return the launches of a pass over n images."""
    height = step.block_height(_BLOCK_BYTES // itemsize, -(-_TASKS // n))
    copied, blocks = step.frame.copied, -(-step.ho // height)
    scratch = step.scratch(height) * itemsize if copied else 0
    flops = 2 * n * step.ho * step.wo * step.k * step.r * step.s
    launches = []
    for part in _parts(step.k, lanes_of(itemsize)):
        rows = next((n for n in _PIXELS if n <= step.wo), 1)
        tile = Tile(rows, 1, part.lanes, itemsize, part.masked)
        values = (
            *(*step.frame.params(copied), *step.window),
            *(part.first, part.last, part.last_lanes, bias, blocks, height),
            *step[-5:],
        )
        address = _forward_task(tile.literal())
        launches.append(launch(address, values, n * blocks, scratch, flops))
    return launches


@lru_cache(maxsize=1024)
def _plan_forward(size: Geometry, itemsize: int, bias: bool) -> list[Launch]:
    return _launches(forward_pass(size), size.n, itemsize, bias)


@lru_cache(maxsize=1024)
def _plan_input_grad(size: Geometry, itemsize: int) -> list[Launch]:
    found = []
    for step in input_grad_passes(size):
        # Passes count k * c weights for a tap, and here there are c.
        step = step._replace(first_w=step.first_w // size.k)
        found += _launches(step, size.n, itemsize, False)
    return found


@lru_cache(maxsize=1024)
def _plan_weight_grad(
    size: Geometry, itemsize: int
) -> tuple[list[Launch], tuple[int, ...]]:
    """Return the launches of the weight gradient and the shape of the partial sums."""
    step, most = forward_pass(size), known_machine().alone
    bands = size.r if size.r == size.s and size.r * size.s <= most else 1
    rows = even(size.s, most)
    room = -(-size.s // rows) * rows
    copied = step.frame.copied or room > size.s
    height = step.block_height(_SUM_BYTES // itemsize)
    scratch = (step.scratch(height) + room * size.c) * itemsize if copied else 0
    chunk = -(-size.n // _CHUNKS)
    tasks = -(-size.n // chunk)
    launches = []
    for part in _parts(size.k, lanes_of(itemsize)):
        tile = Tile(rows, 1, part.lanes, itemsize, part.masked, bands)
        values = (
            *(*step.frame.params(copied), *step.window),
            *(part.first, part.last, part.last_lanes, size.n, chunk, height, room),
        )
        address = _weight_grad_task(tile.literal())
        launches.append(launch(address, values, tasks, scratch, size.flops))
    return launches, (tasks, size.r, room, size.k)


def fits(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether each channel is a group, without dilation, and there are tiles."""
    alone = size.groups == size.c == size.k > 1 and size.dh == size.dw == 1
    tiles = dtype in REAL and machine() is not None
    return alone and tiles and min(size.output_shape) > 0


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Convolve each channel of `x: (n, h, w, c)` with its own of `w: (r, s, 1, c)`."""
    y = memory.empty(size.output_shape, x.dtype)
    run(_plan_forward(size, x.itemsize, b is not None), x, w, x if b is None else b, y)
    return y


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Return the cotangent of the input; g and w are contiguous."""
    met = sum(step.ho * step.wo for step in input_grad_passes(size))
    empty = memory.empty if met == size.h * size.w else memory.zeros
    gx = empty(size.input_shape, g.dtype)
    run(_plan_input_grad(size, g.itemsize), g, _turned(w, size), g, gx)
    return gx


def _turned(w: Array, size: Geometry) -> Array:
    """Return the weights of all passes of the input gradient, one after the other."""
    parts = [
        w[i.tap :: size.sh, j.tap :: size.sw][::-1, ::-1].ravel()
        for i in phases(size.h, size.r, size.sh, size.top)
        for j in phases(size.w, size.s, size.sw, size.left)
    ]
    return np.concatenate([w[:0].ravel(), *parts])


def weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Return the cotangent of the weights; x and g are contiguous."""
    launches, shape = _plan_weight_grad(size, x.itemsize)
    partial = memory.zeros(shape, x.dtype)
    run(launches, x, g, x, partial)
    return partial[:, :, : size.s].sum(0).reshape(size.kernel_shape)
