"""Convolution of each channel by itself, and what grouped convolutions make of it.

The channels are the vectors here, of the image and of the weights alike, in the sliding
tiles that do all three contractions by the usual passes.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from . import memory
from .columns import Columns, even
from .geometry import Geometry
from .jit import serial
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, Tile, machine
from .moves import clear, copy
from .passes import (
    CHUNKS,
    TASKS,
    Pass,
    forward_pass,
    input_grad_passes,
    lanes_of,
    phases,
)
from .slides import (
    forward_form,
    forward_launch,
    sums_alone,
    weight_grad_launch,
)
from .sliding import slide, slide_sums


def _parts(k: int, lanes: int) -> list[Columns]:
    """Cut k channels to single vectors and one that is not full.

    Example:
        >>> [(part.first, part.last_lanes, part.masked) for part in _parts(35, 16)]
        [(0, 16, False), (32, 3, True)]
    """
    main = k - k % lanes
    parts = [Columns(1, lanes, 0, main), Columns(1, lanes, main, k)]
    return [part for part in parts if part.first < part.last]


@serial
def _rows_at(image, first, h, count, row, scratch):
    """Return the address of rows of an image; those beyond it are zeros.

    row: its bytes. If there are any, all rows are copied to the scratch memory.
    """
    if first >= 0 and first + count <= h:
        return image + first * row
    for i in range(count):
        if 0 <= first + i < h:
            copy(scratch + i * row, image + (first + i) * row, row)
        else:
            clear(scratch + i * row, row)
    return scratch


@cache
def _bare_task(
    tile: tuple[int, ...],
    first_form: tuple[int, ...],
    inner_form: tuple[int, ...],
    last_form: tuple[int, ...],
) -> int:
    """Return the address of a task that convolves some rows of one image unframed.

    Arrays: x, w, bias, y. The border to the left and right is known to the tiles. Rows
    that meet the border above or below are copied to the scratch memory.
    """
    rows, columns, itemsize = tile[0], tile[2], tile[3]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, w, bias, y, scratch, index):
        h, row, top, left, r, s, c = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
        ho, wo, sh, sw, first_w = p[7], p[8], p[9], p[10], p[11]
        first_y, y_image, y_row, y_pixel = p[12], p[13], p[14], p[15]
        first_c, last_c, lanes, has_bias = p[16], p[17], p[18], p[19]
        blocks, height = p[20], p[21]
        image, first = index // blocks, index % blocks * height
        x += image * h * row * itemsize
        w += first_w * itemsize
        target = y + (first_y + image * y_image + first * y_row) * itemsize
        for i in range(first, min(ho, first + height)):
            source = _rows_at(x, i * sh - top, h, r, row * itemsize, scratch)
            source -= left * c * itemsize
            for column in range(first_c, last_c, columns):
                shift = column * itemsize
                start = bias + shift if has_bias else 0
                for j in range(0, wo, rows):
                    place = min(j, wo - rows)
                    a = (source + place * sw * c * itemsize + shift, c, row, 0)
                    b = (w + shift, c, s * c, 0)
                    out = (target + place * y_pixel * itemsize + shift, y_pixel)
                    ends = j + rows >= wo
                    if j == 0:
                        slide(tile, first_form, a, b, out, (start, 0), (r, 1), (lanes,))
                    elif ends:
                        slide(tile, last_form, a, b, out, (start, 0), (r, 1), (lanes,))
                    else:
                        slide(tile, inner_form, a, b, out, (start, 0), (r, 1), (lanes,))
            target += y_row * itemsize

    return compiled(task)


class _Border(NamedTuple):
    """Pixels beyond the image that a pass meets to its left and right."""

    left: int
    right: int


def _border(step: Pass, rows: int) -> _Border | None:
    """Return the border if only the first and the last tile of a row meet it."""
    frame, tiles = step.frame, -(-step.wo // rows)
    border = _Border(frame.left, max(0, frame.width - frame.left - frame.w))
    if frame.left < 0 or frame.top < 0:
        return None
    last = (step.wo - rows) * step.sw - frame.left
    before_last = ((tiles - 1) * rows - 1) * step.sw + step.s - frame.left
    apart = rows * step.sw >= frame.left and last >= 0 and before_last <= frame.w
    return border if tiles == 1 or apart else None


def _bare_launch(
    step: Pass, part: Columns, n: int, itemsize: int, bias: bool
) -> Launch | None:
    """Return the launch of a pass that frames no image, if its tiles allow it."""
    form, rows = forward_form(step, 1, alone=True)
    border = _border(step, rows)
    if form.taps < step.s or border is None:
        return None
    left, right = form._replace(before=border.left), form._replace(after=border.right)
    if rows == step.wo:
        left = left._replace(after=border.right)
    tile = Tile(rows, 1, part.lanes, itemsize, part.masked, unroll=(0, 1))
    forms = [each.literal() for each in (left, form, right)]
    frame, height = step.frame, even(step.ho, -(-step.ho * n // max(n, TASKS)))
    values = (
        *(frame.h, frame.w * frame.c, frame.top, frame.left, step.r, step.s, frame.c),
        *(step.ho, step.wo, step.sh, step.sw, *step[-5:]),
        *(part.first, part.last, part.last_lanes, bias, -(-step.ho // height), height),
    )
    scratch = step.r * frame.w * frame.c * itemsize
    flops = 2 * n * step.ho * step.wo * step.k * step.r * step.s
    tasks, address = n * -(-step.ho // height), _bare_task(tile.literal(), *forms)
    return launch(address, values, tasks, scratch, flops, cleared=False)


@cache
def _bare_sums_task(tile: tuple[int, ...], form: tuple[int, ...]) -> int:
    """Return the address of a task that sums the weights' gradient of some images.

    Arrays: x, g, unused, partial sums `(tasks, r, s, 1, c)`. Images are read unframed,
    as by `_bare_task`; of a row of pixels, one vector of channels after the other, so
    that memory is read nearly in its order.
    """
    columns, itemsize, bands = tile[2], tile[3], tile[5]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, g, unused, partial, scratch, index):
        h, row, top, left, r, s, c = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
        ho, wo, sh, sw, images, chunk = p[7], p[8], p[9], p[10], p[11], p[12]
        first_c, last_c, lanes = p[13], p[14], p[15]
        target = partial + index * r * s * c * itemsize
        for image in range(index * chunk, min(images, (index + 1) * chunk)):
            origin = x + image * h * row * itemsize
            for i in range(ho):
                source = _rows_at(origin, i * sh - top, h, r, row * itemsize, scratch)
                source -= left * c * itemsize
                cotangent = g + (image * ho + i) * wo * c * itemsize
                for tap in range(0, r, bands):
                    for column in range(first_c, last_c, columns):
                        shift = column * itemsize
                        a = source + tap * row * itemsize + shift
                        slide_sums(
                            tile,
                            form,
                            (a, row, 0, c, sh * row, sw * c),
                            (cotangent + shift, wo * c, c),
                            (target + tap * s * c * itemsize + shift, s * c, c, 0),
                            (1, wo),
                            (lanes,),
                        )

    return compiled(task)


def _bare_sums_launch(
    size: Geometry, part: Columns, itemsize: int, chunk: int
) -> Launch | None:
    """Return the launch of a weight gradient that frames no image, if it can be."""
    step, (form, bands) = forward_pass(size), sums_alone(size)
    frame, right = step.frame, max(0, step.frame.width - size.left - size.w)
    ends = (form.taps - 1) // form.step * form.step, form.taps - form.step
    if form.taps < size.s or frame.left > ends[0] or right > ends[1]:
        return None
    form = form._replace(before=frame.left, after=right)
    tile = Tile(1, 1, part.lanes, itemsize, part.masked, bands)
    values = (
        *(frame.h, frame.w * frame.c, frame.top, frame.left, step.r, step.s, frame.c),
        *(step.ho, step.wo, step.sh, step.sw, size.n, chunk),
        *(part.first, part.last, part.last_lanes),
    )
    scratch = step.r * frame.w * frame.c * itemsize
    address = _bare_sums_task(tile.literal(), form.literal())
    tasks = -(-size.n // chunk)
    return launch(address, values, tasks, scratch, size.flops, cleared=False)


def _launches(step: Pass, n: int, itemsize: int, bias: bool) -> list[Launch]:
    """Return the launches of a pass over n images."""
    return [
        _bare_launch(step, part, n, itemsize, bias)
        or forward_launch(step, part, n, itemsize, bias, alone=True)
        for part in _parts(step.k, lanes_of(itemsize))
    ]


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
def _plan_weight_grad(size: Geometry, itemsize: int) -> list[Launch]:
    chunk = -(-size.n // CHUNKS)
    return [
        _bare_sums_launch(size, part, itemsize, chunk)
        or weight_grad_launch(size, part, itemsize, chunk, size.s, alone=True)
        for part in _parts(size.k, lanes_of(itemsize))
    ]


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
    launches = _plan_weight_grad(size, x.itemsize)
    partial = memory.zeros((launches[0].tasks, *size.kernel_shape), x.dtype)
    run(launches, x, g, x, partial)
    return partial.sum(0)
