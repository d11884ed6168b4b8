"""Plans of fast convolutions: tiles, parameters and pieces for a given geometry."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from . import memory, slides
from .columns import Columns, columns, even
from .conv_tiles import forward_task, weight_grad_task
from .geometry import Geometry
from .launch import Array, Launch, launch, run
from .micro import Tile
from .passes import (
    CHUNKS,
    SUM_BYTES,
    TASKS,
    Pass,
    forward_pass,
    input_grad_passes,
    known_machine,
    lanes_of,
    phases,
    widest,
)

# Bytes of an image that a forward task works on: a good part of a level-2 cache.
_BLOCK_BYTES: Final = 1 << 18

# Bytes of the weights whose terms are added before others begin, so that they stay in a
# level-1 cache; and tiles that must read them for a copy of them to pay.
_PANEL_BYTES: Final = 3 << 13
_TILES_TO_PACK: Final = 3

# Taps times channels up to which a tile's loops are written out.
_UNROLL: Final = 32


def _forward_launch(
    step: Pass, part: Columns, n: int, itemsize: int, bias: bool
) -> Launch:
    """Return the launch of a pass for some of its output channels."""
    if slides.forward_fits(step, part.vectors):
        return slides.forward_launch(step, part, n, itemsize, bias)
    r, sc = step.r, step.s * step.frame.c
    rows = even(step.wo, known_machine().rows(part.vectors))
    few = r * sc <= _UNROLL
    unroll = (r, sc) if few else (0, 0)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, unroll=unroll)
    height = step.block_height(_BLOCK_BYTES // itemsize, -(-TASKS // n))
    copied, blocks, tiles = (
        step.frame.copied,
        -(-step.ho // height),
        -(-step.wo // rows),
    )
    packed = height * tiles >= _TILES_TO_PACK and not few
    terms = max(1, _PANEL_BYTES // (part.width * itemsize))
    taps, depth = even(r, max(1, terms // sc)), even(sc, terms)
    frame = -(-step.scratch(height) // part.lanes) * part.lanes if copied else 0
    panel = taps * depth * part.width * packed
    values = (
        *(*step.frame.params(copied), *step.window),
        *(part.first, part.last, part.last_lanes, bias, blocks, height),
        *(*step[-5:], packed, taps, depth, frame, panel),
    )
    whole = taps == r and depth == sc
    sums = 0 if whole else height * tiles * rows * part.width
    scratch = (frame + panel + sums) * itemsize
    flops = 2 * n * step.ho * step.wo * step.k * r * sc
    address = forward_task(tile.literal())
    return launch(address, values, n * blocks, scratch, flops, cleared=copied)


@lru_cache(maxsize=1024)
def _plan_forward(size: Geometry, itemsize: int, has_bias: bool) -> list[Launch]:
    step = forward_pass(size)
    return [
        _forward_launch(step, part, size.n, itemsize, has_bias)
        for part in columns(size.k, lanes_of(itemsize), widest())
    ]


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Convolve with register tiles; x and w are contiguous."""
    y = memory.empty(size.output_shape, x.dtype)
    launches = _plan_forward(size, x.itemsize, b is not None)
    run(launches, x, w, x if b is None else b, y)
    return y


def turned_weights(w: Array, size: Geometry) -> Array:
    """Return the weights of all passes of the input gradient, one after the other."""
    parts = [
        w[i.tap :: size.sh, j.tap :: size.sw][::-1, ::-1].transpose(0, 1, 3, 2).ravel()
        for i in phases(size.h, size.r, size.sh, size.top)
        for j in phases(size.w, size.s, size.sw, size.left)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([w[:0].ravel(), *parts])


@lru_cache(maxsize=1024)
def _plan_input_grad(size: Geometry, itemsize: int) -> list[Launch]:
    return [
        _forward_launch(step, part, size.n, itemsize, False)
        for step in input_grad_passes(size)
        for part in columns(size.c, lanes_of(itemsize), widest())
    ]


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Slide the turned weights over the cotangent; g and w are contiguous."""
    met = sum(step.ho * step.wo for step in input_grad_passes(size))
    empty = memory.empty if met == size.h * size.w else memory.zeros
    gx = empty(size.input_shape, g.dtype)
    run(_plan_input_grad(size, g.itemsize), g, turned_weights(w, size), g, gx)
    return gx


def _weight_rows(size: Geometry, vectors: int) -> tuple[int, int]:
    """Return rows per tile, and bands: kernel rows that one tile takes."""
    sc, found = size.s * size.c, known_machine()
    alone = found.alone if vectors == 1 else found.rows(vectors)
    if size.r * sc <= alone:
        return sc, size.r
    return even(sc, found.rows(vectors)), 1


@lru_cache(maxsize=1024)
def _plan_weight_grad(
    size: Geometry, itemsize: int, chunk: int
) -> tuple[list[Launch], tuple[int, ...]]:
    """Return the launches that sum over every `chunk` images, the shape of the sums."""
    parts = columns(size.k, lanes_of(itemsize), widest())
    step = forward_pass(size)
    tiles = [_weight_rows(size, part.vectors) for part in parts]
    sc = size.s * size.c
    room = max(-(-sc // rows) * rows for rows, _ in tiles)
    copied = step.frame.copied or room > sc
    height = step.block_height(SUM_BYTES // itemsize)
    scratch = (step.scratch(height) + room) * itemsize if copied else 0
    tasks = -(-size.n // chunk)
    launches = []
    for part, (rows, bands) in zip(parts, tiles):
        if slides.weight_grad_fits(size, part.vectors):
            work = slides.weight_grad_launch(size, part, itemsize, chunk, room)
            launches.append(work)
            continue
        tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, bands)
        values = (
            *(*step.frame.params(copied), *step.window),
            *(part.first, part.last, part.last_lanes, size.n, chunk, height, room),
        )
        address = weight_grad_task(tile.literal())
        launches.append(launch(address, values, tasks, scratch, size.flops))
    return launches, (tasks, size.r, room, size.k)


def weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Contract images with cotangents by register tiles; both are contiguous."""
    partial = _partial_sums(x, g, size, -(-size.n // CHUNKS))
    return partial.sum(0).reshape(size.kernel_shape)


def weight_grads(x: Array, g: Array, size: Geometry, parts: int) -> Array:
    """Return one weight gradient for each of `parts` equal parts of the batch."""
    partial = _partial_sums(x, g, size, size.n // parts)
    return partial.reshape(parts, *size.kernel_shape)


def _partial_sums(x: Array, g: Array, size: Geometry, chunk: int) -> Array:
    """Return the weight gradients of every `chunk` images: (chunks, r, s * c, k)."""
    launches, shape = _plan_weight_grad(size, x.itemsize, chunk)
    partial = memory.zeros(shape, x.dtype)
    run(launches, x, g, x, partial)
    return partial[:, :, : size.s * size.c]
