"""Convolution in groups: the usual passes over some channels at a time.

A group's rows of an image, few enough to stay in the cache, are copied out of the
other groups' channels together with their border. The results need no copy: a tile
writes to some columns of a pixel, and reads some columns of the weights.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from . import memory
from .columns import Columns, columns
from .geometry import Geometry, geometry
from .jit import serial
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, Tile, machine
from .moves import clear, copy_row
from .passes import (
    CHUNKS,
    TASKS,
    Pass,
    forward_pass,
    input_grad_passes,
    lanes_of,
    phases,
    widest,
)
from .slides import BLOCK_BYTES, forward_form, rows_to_sum, sums_form
from .sliding import slide, slide_sums


def fits(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether there are groups of more than a channel each, and tiles for them."""
    usual = size.groups > 1 and size.dh == size.dw == 1 and dtype in REAL
    several = max(size.c, size.k) > size.groups
    return usual and several and machine() is not None and min(*size.output_shape) > 0


@lru_cache(maxsize=1024)
def _group(size: Geometry) -> Geometry:
    """Return the geometry of one group alone."""
    c, k = size.c // size.groups, size.k // size.groups
    padding = ((size.top, size.bottom), (size.left, size.right))
    shape, kernel = (*size.input_shape[:3], c), (size.r, size.s, c, k)
    return geometry(shape, kernel, (size.sh, size.sw), padding)


@serial
def _positions(p):
    """Return a frame's h, w, width, left, top, and columns skipped and kept."""
    return p[0], p[1], p[2], p[3], p[4], p[5], p[6]


def _frame(step: Pass, channels: int) -> tuple[int, ...]:
    """Return what a task must know of the image; `channels` is the number of all."""
    frame = step.frame
    skipped = max(0, -frame.left)
    kept = max(0, min(frame.w - skipped, frame.width - max(0, frame.left)))
    columns = (frame.h, frame.w, frame.width, max(0, frame.left), frame.top)
    return (*columns, skipped, kept, channels, frame.c)


@cache
def _copier(piece: tuple[int, ...]):
    """Return a function that copies a group's rows to the scratch memory."""
    lanes, itemsize = piece[2], piece[3]

    @serial
    def copy_rows(scratch, image, first, count, p):
        h, w, width, left, top, skipped, kept = _positions(p)
        channels, c = p[7], p[8]
        for i in range(count):
            target = scratch + (i * width + left) * c * itemsize
            row = first - top + i
            if row < 0 or row >= h:
                clear(target, kept * c * itemsize)
                continue
            source = image + (row * w + skipped) * channels * itemsize
            for j in range(kept):
                for at in range(0, c, lanes):
                    copy_row(
                        piece,
                        source + (j * channels + at) * itemsize,
                        min(lanes, c - at),
                        target + (j * c + at) * itemsize,
                    )

    return copy_rows


@cache
def _forward_task(
    tile: tuple[int, ...], form: tuple[int, ...], piece: tuple[int, ...]
) -> int:
    """Return the address of a task that convolves some rows of one image's group.

    Arrays: x, w `(groups, r, s, c, k)`, bias, y; y has the channels of all groups.
    """
    rows, columns, itemsize, taps = tile[0], tile[1] * tile[2], tile[3], form[0]
    copy_rows = _copier(piece)

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, w, bias, y, scratch, index):
        h, width, c, channels = p[0] * p[1], p[2], p[8], p[7]
        r, s, k, ho, wo, sh, sw = p[9], p[10], p[11], p[12], p[13], p[14], p[15]
        first_k, last_k, lanes = p[16], p[17], p[18]
        has_bias, blocks, height, first_w = p[19], p[20], p[21], p[22]
        first_y, y_image, y_row, y_pixel, groups = p[23], p[24], p[25], p[26], p[27]
        group, index = index % groups, index // groups
        image, first = index // blocks, index % blocks * height
        height = min(height, ho - first)
        origin = x + (image * h * channels + group * c) * itemsize
        copy_rows(scratch, origin, first * sh, (height - 1) * sh + r, p)
        w += (first_w + group * r * s * c * k) * itemsize
        target = y + (first_y + image * y_image + first * y_row) * itemsize
        row = width * c
        for column in range(first_k, last_k, columns):
            shift = (group * k + column) * itemsize
            start = bias + shift if has_bias else 0
            for i in range(height):
                for j in range(0, wo, rows):
                    j = min(j, wo - rows)
                    a = scratch + (i * sh * row + j * sw * c) * itemsize
                    out = target + (i * y_row + j * y_pixel) * itemsize + shift
                    slide(
                        tile,
                        form,
                        (a, c, row, 1),
                        (w + column * itemsize, c * k, s * c * k, k),
                        (out, y_pixel),
                        (start, 0),
                        (r, s // taps * c),
                        (lanes,),
                    )

    return compiled(task)


@cache
def _weight_grad_task(
    tile: tuple[int, ...], form: tuple[int, ...], piece: tuple[int, ...]
) -> int:
    """Return the address of a task that sums the weights' gradient of one group.

    Arrays: x, g, unused, partial sums `(chunks, r, room, k)`.
    """
    rows, columns, itemsize, bands = tile[0], tile[1] * tile[2], tile[3], tile[5]
    copy_rows, taps = _copier(piece), form[0]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, g, unused, partial, scratch, index):
        h, width, c, channels = p[0] * p[1], p[2], p[8], p[7]
        r, s, k, ho, wo, sh, sw = p[9], p[10], p[11], p[12], p[13], p[14], p[15]
        first_k, last_k, lanes, group_k = p[16], p[17], p[18], p[19]
        images, chunk, blocks, height, few = p[20], p[21], p[22], p[23], p[24]
        room, groups = p[25], p[26]
        shared = max(0, r - sh)  # rows that a row of results shares with the next
        group, index = index % groups, index // groups
        target = partial + index * r * room * k * itemsize
        row, last = width * c, min(images, (index + 1) * chunk)
        for block in range(index * chunk * blocks, last * blocks):
            image, first = block // blocks, block % blocks * height
            origin = x + (image * h * channels + group * c) * itemsize
            copy_rows(scratch, origin, first * sh, shared, p)
            end = min(ho, first + height)
            for i in range(first, end, few):
                count = min(few, end - i)
                known = (i - first) * sh + shared
                fresh = (count - 1) * sh + r - shared
                place = scratch + known * row * itemsize
                copy_rows(place, origin, first * sh + known, fresh, p)
                source = scratch + (i - first) * sh * row * itemsize
                cotangent = g + (image * ho + i) * wo * k * itemsize
                for tap in range(0, r, bands):
                    for column in range(first_k, last_k, columns):
                        shift = group * group_k + column
                        b = cotangent + shift * itemsize
                        for q in range(0, s // taps * c, rows):
                            a = source + (tap * row + q) * itemsize
                            out = target + ((tap * room + q) * k + shift) * itemsize
                            slide_sums(
                                tile,
                                form,
                                (a, row, 1, c, sh * row, sw * c),
                                (b, wo * k, k),
                                (out, room * k, c * k, k),
                                (count, wo),
                                (lanes,),
                            )

    return compiled(task)


def _piece(c: int, itemsize: int) -> tuple[int, ...]:
    """Return the tile that copies c channels of a pixel."""
    lanes = min(lanes_of(itemsize), 1 << (c - 1).bit_length())
    return Tile(1, 1, lanes, itemsize, masked=c % lanes > 0).literal()


def _launch(
    step: Pass, part: Columns, sizes: tuple[int, int, int], itemsize: int, bias: bool
) -> Launch:
    """Return the launch of a pass over all groups; sizes: n, groups, channels of x."""
    n, groups, channels = sizes
    form, rows = forward_form(step, part.vectors)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked)
    height = step.block_height(BLOCK_BYTES // itemsize, -(-TASKS // (n * groups)))
    blocks = -(-step.ho // height)
    values = (
        *_frame(step, channels),
        *(step.r, step.s, step.k, step.ho, step.wo, step.sh, step.sw),
        *(part.first, part.last, part.last_lanes, bias, blocks, height),
        *(step.first_w * groups, *step[-4:], groups),
    )
    flops = 2 * n * step.ho * step.wo * step.k * groups * step.r * step.s * step.frame.c
    piece = _piece(step.frame.c, itemsize)
    address = _forward_task(tile.literal(), form.literal(), piece)
    scratch = step.scratch(height) * itemsize
    return launch(address, values, n * blocks * groups, scratch, flops)


def _sizes(size: Geometry, channels: int) -> tuple[int, int, int]:
    return size.n, size.groups, channels


@lru_cache(maxsize=1024)
def _plan_forward(size: Geometry, itemsize: int, bias: bool) -> list[Launch]:
    step = forward_pass(_group(size))
    row = size.wo * size.k
    step = step._replace(y_image=size.ho * row, y_row=row, y_pixel=size.k)
    return [
        _launch(step, part, _sizes(size, size.c), itemsize, bias)
        for part in columns(step.k, lanes_of(itemsize))
    ]


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Convolve `x: (n, h, w, c)` with `w: (r, s, c / groups, k)`."""
    y = memory.empty(size.output_shape, x.dtype)
    launches = _plan_forward(size, x.itemsize, b is not None)
    apart = w.reshape(-1, size.groups, size.k // size.groups).swapaxes(0, 1)
    run(launches, x, np.ascontiguousarray(apart), x if b is None else b, y)
    return y


@lru_cache(maxsize=1024)
def _plan_input_grad(size: Geometry, itemsize: int) -> list[Launch]:
    launches, group = [], _group(size)
    for step in input_grad_passes(group):
        # Positions in images of one group become those in images of all.
        step = step._replace(
            first_y=step.first_y * size.groups,
            y_image=step.y_image * size.groups,
            y_row=step.y_row * size.groups,
            y_pixel=step.y_pixel * size.groups,
        )
        launches += [
            _launch(step, part, _sizes(size, size.k), itemsize, False)
            for part in columns(group.c, lanes_of(itemsize))
        ]
    return launches


def _turned(w: Array, size: Geometry) -> Array:
    """Return the weights `(groups, taps, k, c)` of all the input gradient's passes."""
    c, k = size.c // size.groups, size.k // size.groups
    parts = [
        w[i.tap :: size.sh, j.tap :: size.sw][::-1, ::-1]
        .reshape(i.taps * j.taps, c, size.groups, k)
        .transpose(2, 0, 3, 1)
        .ravel()
        for i in phases(size.h, size.r, size.sh, size.top)
        for j in phases(size.w, size.s, size.sw, size.left)
    ]
    return np.concatenate([w[:0].ravel(), *parts])


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Return the cotangent of the input; g and w are contiguous."""
    met = sum(step.ho * step.wo for step in input_grad_passes(_group(size)))
    empty = memory.empty if met == size.h * size.w else memory.zeros
    gx = empty(size.input_shape, g.dtype)
    run(_plan_input_grad(size, g.itemsize), g, _turned(w, size), g, gx)
    return gx


@lru_cache(maxsize=1024)
def _plan_weight_grad(
    size: Geometry, itemsize: int
) -> tuple[list[Launch], tuple[int, ...]]:
    """Return the launches of the weight gradient and the shape of the partial sums."""
    group = _group(size)
    parts = columns(group.k, lanes_of(itemsize), widest())
    step = forward_pass(group)
    forms = [sums_form(group, part.vectors) for part in parts]
    sc = group.s * group.c
    room = max(-(-sc // rows) * rows for _, _, rows in forms)
    height = step.block_height(BLOCK_BYTES // itemsize)
    scratch = (step.scratch(height) + room) * itemsize
    chunk = -(-size.n // CHUNKS)
    tasks, launches = -(-size.n // chunk), []
    for part, (form, bands, rows) in zip(parts, forms):
        tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, bands)
        values = (
            *_frame(step, size.c),
            *(size.r, size.s, size.k, size.ho, size.wo, size.sh, size.sw),
            *(part.first, part.last, part.last_lanes, group.k),
            *(size.n, chunk, -(-size.ho // height), height),
            *(rows_to_sum(step, itemsize), room, size.groups),
        )
        piece = _piece(group.c, itemsize)
        address = _weight_grad_task(tile.literal(), form.literal(), piece)
        work = launch(address, values, tasks * size.groups, scratch, size.flops)
        launches.append(work)
    return launches, (tasks, size.r, room, size.k)


def weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Contract images with cotangents, group by group; both are contiguous."""
    launches, shape = _plan_weight_grad(size, x.itemsize)
    partial = memory.zeros(shape, x.dtype)
    run(launches, x, g, x, partial)
    sc = size.s * (size.c // size.groups)
    return partial[:, :, :sc].sum(0).reshape(size.kernel_shape)
