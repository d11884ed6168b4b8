"""Plans of fast convolutions: tiles, parameters and pieces for a given geometry.

All three contractions are passes of the same register tile. The input gradient is a
forward pass over the cotangent with the weights turned by 180 degrees. With a stride,
it is one such pass for each phase: the input pixels whose position leaves the same
remainder meet the same taps, and no others.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from . import memory
from .columns import Columns, columns, even
from .conv_tiles import forward_task, weight_grad_task
from .geometry import Geometry
from .launch import Array, Launch, launch, run
from .micro import REAL, Machine, Tile, machine

# Bytes of an image that a forward task works on: a good part of a level-2 cache; and
# that a weight gradient sums over at a time: a level-1 cache.
_BLOCK_BYTES: Final = 1 << 18
_SUM_BYTES: Final = 1 << 15

# Pieces to cut a forward pass into at least; a batch has more.
_TASKS: Final = 8

# Taps times channels up to which a tile's loops are written out.
_UNROLL: Final = 32

# The batch is cut in this many pieces, each with its own sum of weight gradients.
# Fixed: were it the number of threads, the bits would depend on it.
_CHUNKS: Final = 8


def tiles_fit(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether register tiles can do it: a known machine, an ordinary window."""
    usual = size.dh == size.dw == size.groups == 1 and dtype in REAL
    return usual and min(*size.output_shape, size.c) > 0 and machine() is not None


def lanes_of(itemsize: int) -> int:
    """Return the lanes of a full vector."""
    return known_machine().vector_bytes // itemsize


def known_machine() -> Machine:
    """Return this machine's vectors and registers; there must be some."""
    found = machine()
    assert found is not None, "no kernel chosen by tiles_fit runs without a machine"
    return found


class Frame(NamedTuple):
    """The part of the infinite zero-bordered image that a pass reads.

    top, left: rows and columns of border before the image; negative: of the image
    that are left out.
    """

    h: int
    w: int
    c: int
    top: int
    left: int
    height: int
    width: int

    @property
    def copied(self) -> bool:
        """Whether there is a border, so that rows can't be read in place."""
        inside = self.height <= self.h and self.width <= self.w
        return not (self.top == self.left == 0 and inside)

    def params(self, copied: bool) -> tuple[int, ...]:
        """Return the parameters of the frame, in elements."""
        skipped = max(0, -self.left)
        kept = min(self.w - skipped, self.width - max(0, self.left))
        columns = (max(0, self.left), self.top, skipped, max(0, kept))
        left, top, skipped, kept = columns
        framed_row = self.width * self.c if copied else 0
        return (
            *(self.h, self.w * self.c, framed_row, left * self.c, top),
            *(skipped * self.c, kept * self.c, self.h * self.w * self.c),
        )


class Pass(NamedTuple):
    """One forward pass: a frame, the window that slides over it, where results go.

    first_w: where the pass's weights begin; first_y, y_row, y_pixel: position of the
    first result and steps between results. All in elements.
    """

    frame: Frame
    r: int
    s: int
    k: int
    ho: int
    wo: int
    sh: int
    sw: int
    first_w: int
    first_y: int
    y_image: int
    y_row: int
    y_pixel: int

    @property
    def window(self) -> tuple[int, ...]:
        """The parameters that all tasks share after those of the frame."""
        c = self.frame.c
        sizes = (self.r, self.s * c, self.k, self.ho, self.wo)
        return (*sizes, self.sh, self.sw * c)

    def block_height(self, limit: int, blocks: int = 1) -> int:
        """Cut the results into `blocks` or more, each from `limit` elements or less."""
        row = self.frame.width * self.frame.c
        most = max(1, (limit // row - self.r) // self.sh + 1)
        return even(self.ho, min(most, -(-self.ho // blocks)))

    def scratch(self, height: int) -> int:
        """Return the elements of the framed rows behind `height` rows of results."""
        return ((height - 1) * self.sh + self.r) * self.frame.width * self.frame.c


def _forward_launch(
    step: Pass, part: Columns, n: int, itemsize: int, bias: bool
) -> Launch:
    """Return the launch of a pass for some of its output channels."""
    taps = (step.r, step.s * step.frame.c)
    rows = even(step.wo, known_machine().rows(part.vectors))
    unroll = taps if taps[0] * taps[1] <= _UNROLL else (0, 0)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, unroll=unroll)
    height = step.block_height(_BLOCK_BYTES // itemsize, -(-_TASKS // n))
    copied = step.frame.copied
    blocks = -(-step.ho // height)
    values = (
        *(*step.frame.params(copied), *step.window),
        *(part.first, part.last, part.last_lanes, bias, blocks, height),
        *step[-5:],
    )
    scratch = step.scratch(height) * itemsize if copied else 0
    flops = 2 * n * step.ho * step.wo * step.k * taps[0] * taps[1]
    address = forward_task(tile.literal())
    return launch(address, values, n * blocks, scratch, flops)


def forward_pass(size: Geometry) -> Pass:
    """Return the pass over the images that computes a convolution."""
    height, width = (size.ho - 1) * size.sh + size.r, (size.wo - 1) * size.sw + size.s
    frame = Frame(size.h, size.w, size.c, size.top, size.left, height, width)
    window = (size.r, size.s, size.k, size.ho, size.wo, size.sh, size.sw)
    y_row = size.wo * size.k
    return Pass(frame, *window, 0, 0, size.ho * y_row, y_row, size.k)


@lru_cache(maxsize=1024)
def _plan_forward(size: Geometry, itemsize: int, has_bias: bool) -> list[Launch]:
    step = forward_pass(size)
    return [
        _forward_launch(step, part, size.n, itemsize, has_bias)
        for part in columns(size.k, lanes_of(itemsize))
    ]


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Convolve with register tiles; x and w are contiguous."""
    y = memory.empty(size.output_shape, x.dtype)
    launches = _plan_forward(size, x.itemsize, b is not None)
    run(launches, x, w, x if b is None else b, y)
    return y


class Phase(NamedTuple):
    """Along one axis, the input positions `first, first + stride, ...`.

    They meet the taps `tap, tap + stride, ...`, turned round: `taps` of them, slid over
    the cotangent with a border of `before`.
    """

    first: int
    positions: int
    tap: int
    taps: int
    before: int


def phases(size: int, taps: int, stride: int, border: int) -> list[Phase]:
    """Sort the positions of an axis by the taps that they meet.

    Position i is tap t of output o where `i + border = o * stride + t`.

    Example:
        >>> phases(5, 3, 2, 1)[0]
        Phase(first=1, positions=2, tap=0, taps=2, before=0)
    """
    result = []
    for tap in range(min(stride, taps)):
        first = (tap - border) % stride
        positions = len(range(first, size, stride))
        met = len(range(tap, taps, stride))
        last_output = (first + border - tap) // stride
        if positions:
            result.append(Phase(first, positions, tap, met, met - 1 - last_output))
    return result


@lru_cache(maxsize=1024)
def input_grad_passes(size: Geometry) -> list[Pass]:
    """Return the passes over the cotangent that make up the input gradient."""
    rows = phases(size.h, size.r, size.sh, size.top)
    across = phases(size.w, size.s, size.sw, size.left)
    result, first_w, row = [], 0, size.w * size.c
    for i, j in ((i, j) for i in rows for j in across):
        height, width = i.positions - 1 + i.taps, j.positions - 1 + j.taps
        frame = Frame(size.ho, size.wo, size.k, i.before, j.before, height, width)
        window = (i.taps, j.taps, size.c, i.positions, j.positions, 1, 1)
        strides = (size.h * row, size.sh * row, size.sw * size.c)
        first_y = i.first * row + j.first * size.c
        result.append(Pass(frame, *window, first_w, first_y, *strides))
        first_w += i.taps * j.taps * size.k * size.c
    return result


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
        for part in columns(size.c, lanes_of(itemsize))
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
    parts, step = columns(size.k, lanes_of(itemsize)), forward_pass(size)
    tiles = [_weight_rows(size, part.vectors) for part in parts]
    sc = size.s * size.c
    room = max(-(-sc // rows) * rows for rows, _ in tiles)
    copied = step.frame.copied or room > sc
    height = step.block_height(_SUM_BYTES // itemsize)
    scratch = (step.scratch(height) + room) * itemsize if copied else 0
    tasks = -(-size.n // chunk)
    launches = []
    for part, (rows, bands) in zip(parts, tiles):
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
    partial = _partial_sums(x, g, size, -(-size.n // _CHUNKS))
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
