"""3x3 convolutions with 16 instead of 36 multiplications per four pixels.

F(2x2, 3x3) of A. Lavin and S. Gray, "Fast algorithms for convolutional neural
networks" (2015): a 4x4 square of input d and a 3x3 kernel w give a 2x2 square

    y = A' [(G w G') * (B' d B)] A

where the products in brackets, taken for all channels and many squares, are 16 matrix
products. The weight gradient is the transpose of the same map,

    gw = G' [sum over squares of (A g A') * (B' d B)] G.

All coefficients are 0, 1 and 1/2, and the error stays that of float32: about 1e-6 of
the largest result. But a NaN or an infinity spreads over its square, so the kernels
report numbers that aren't finite, and the direct method then gives the right ones.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from . import conv_fast, memory
from .columns import even
from .conv_fast import turned_weights
from .conv_tiles import frame_rows
from .geometry import Geometry
from .launch import Array, Launch, compiled, launch, run
from .micro import Emitter, Tile, emitted, machine, multiply, read_tile
from .passes import Pass, forward_pass, input_grad_passes, known_machine, lanes_of

_INPUT: Final = 0  # B'
_WEIGHT: Final = 1  # G
_OUTPUT: Final = 2  # A'
_OUTPUT_GRAD: Final = 3  # A
_WEIGHT_GRAD: Final = 4  # G'

_MATRICES: Final = {
    _INPUT: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    _WEIGHT: ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    _OUTPUT: ((1, 1, 1, 0), (0, 1, -1, -1)),
    _OUTPUT_GRAD: ((1, 0), (1, 1), (1, -1), (0, -1)),
    _WEIGHT_GRAD: ((1, 0.5, 0.5, 0), (0, 0.5, -0.5, 0), (0, 0.5, 0.5, 1)),
}

# Channels must be a multiple of a tile's columns, on the widest machine.
_CHANNELS: Final = 32

# Bytes of transformed input and output that a task holds at a time.
_BLOCK_BYTES: Final = 1 << 19

# Floating-point operations below which the transforms don't pay.
_FEWEST_FLOPS: Final = 4_000_000

# The batch is cut in this many sums of weight gradients, whatever the threads.
_CHUNKS: Final = 8


def fits(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether the squares and vectors come out even, and the gain is worth it."""
    if machine() is None or dtype != np.float32:
        return False
    ordinary = size.r == size.s == 3 and size.dh == size.dw == size.sh == size.sw == 1
    even_sizes = not (size.h % 2 or size.w % 2 or size.ho % 2 or size.wo % 2)
    whole = size.c % _CHANNELS == size.k % _CHANNELS == 0
    large = size.flops >= _FEWEST_FLOPS
    return ordinary and size.groups == 1 and even_sizes and whole and large


class _Square:
    """A square of vectors in registers."""

    def __init__(self, emit: Emitter, rows: list[list[ir.Value]]) -> None:
        self.emit, self.rows = emit, rows

    def transformed(self, matrix: Any) -> _Square:
        """Return `matrix @ square @ matrix'`."""
        return self._mixed(matrix)._transposed()._mixed(matrix)._transposed()

    def _transposed(self) -> _Square:
        return _Square(self.emit, [list(column) for column in zip(*self.rows)])

    def _mixed(self, matrix: Any) -> _Square:
        columns = self._transposed().rows
        rows = [[self._sum(weights, c) for c in columns] for weights in matrix]
        return _Square(self.emit, rows)

    def _sum(self, weights: Any, vectors: list[ir.Value]) -> ir.Value:
        """Emit a sum of vectors times 0, 1, -1, 1/2 or -1/2."""
        builder, total = self.emit.builder, None
        used = [(abs(w), w < 0, v) for w, v in zip(weights, vectors) if w]
        # One that is added comes first, so that no vector must be negated alone.
        for size, negative, vector in sorted(used, key=lambda term: term[1]):
            if size != 1:
                half = ir.Constant(vector.type, [size] * vector.type.count)
                vector = builder.fmul(vector, half)
            if total is None:
                total = builder.fneg(vector) if negative else vector
            else:
                total = (builder.fsub if negative else builder.fadd)(total, vector)
        return total


def _emit_transform(builder: Any, shape: Tile, kind: int, arguments: list[Any]) -> None:
    """Emit the instructions of `transform`; the arguments are unpacked."""
    emit, matrix = Emitter(builder, shape), _MATRICES[kind]
    (source, row, column), (target, to_row, to_column), (bias, check) = arguments
    span = range(len(matrix[0]))
    place = emit.pointer(source)
    rows = [
        [emit.load(emit.at(place, (row, i), (column, j)), None) for j in span]
        for i in span
    ]
    offset = emit.load(emit.pointer(bias), None) if kind == _OUTPUT else None
    found = emit.load(emit.pointer(check), None) if kind == _OUTPUT else None
    zero = ir.Constant(emit.vector, None)
    for i, results in enumerate(_Square(emit, rows).transformed(matrix).rows):
        for j, value in enumerate(results):
            if kind == _OUTPUT:
                value = builder.fadd(value, offset)
                found = builder.fadd(found, builder.fmul(value, zero))
            to = emit.at(emit.pointer(target), (to_row, i), (to_column, j))
            emit.store(value, to, None)
    if kind == _OUTPUT:
        emit.store(found, emit.pointer(check), None)


@emitted
def transform(typing_context, tile, kind, source, target, extra):
    """Transform one square of vectors: `matrix @ square @ matrix'`.

    source, target: `(address, row stride, column stride)`; extra: `(bias, check)`, two
    addresses used by the output transform alone: a vector to add, and one that turns
    NaN with the first result that isn't finite.
    """
    shape, matrix = read_tile(tile), kind.literal_value
    kinds = [types.UniTuple(types.int64, n) for n in (3, 3, 2)]

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[2:]]
        _emit_transform(builder, shape, matrix, unpacked)
        return context.get_dummy_value()

    return types.void(tile, kind, *kinds), emit


@cache
def _weight_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that transforms an input channel's weights.

    Arrays: w `(3, 3, c, k)`, unused, unused, transformed `(4, 4, c, k)`.
    """
    lanes, itemsize = tile[2], tile[3]

    def task(p, w, unused, unused2, u, scratch, index):
        c, k = p[0], p[1]
        for channel in range(0, k, lanes):
            shift = (index * k + channel) * itemsize
            source = (w + shift, 3 * c * k, c * k)
            transform(tile, _WEIGHT, source, (u + shift, 4 * c * k, c * k), (0, 0))

    return compiled(task)


@cache
def _forward_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that convolves some rows of one image.

    Arrays: x, transformed weights followed by a check vector per task, bias, y. The
    scratch memory holds framed rows, transformed input, transformed output.
    """
    rows, columns, lanes, itemsize = tile[0], tile[1] * tile[2], tile[2], tile[3]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, u, bias, y, scratch, index):
        image_size, c, k, wo = p[7], p[9] // 3, p[10], p[12]
        blocks, height, frame_size, squares = p[15], p[16], p[17], p[18]
        y_image, y_row, y_pixel = p[19], p[20], p[21]
        image, first = index // blocks, index % blocks * height
        origin = x + image * image_size * itemsize
        source, row = frame_rows(scratch, origin, first, height + 2, p, itemsize)
        v = scratch + frame_size * itemsize
        m = v + 16 * squares * c * itemsize
        for t in range(squares):
            i, j = 2 * (t // (wo // 2)), 2 * (t % (wo // 2))
            for channel in range(0, c, lanes):
                a = source + (i * row + j * c + channel) * itemsize
                to = (v + (t * c + channel) * itemsize, 4 * squares * c, squares * c)
                transform(tile, _INPUT, (a, row, c), to, (0, 0))
        for e in range(16):
            for column in range(0, k, columns):
                b = u + (e * c * k + column) * itemsize
                for t in range(0, squares, rows):
                    t = e * squares + min(t, squares - rows)
                    multiply(
                        tile,
                        (v + t * c * itemsize, 0, c, 0, 1),
                        (b, 0, k),
                        (m + (t * k + column) * itemsize, k),
                        (0, 0),
                        (1, c),
                        (lanes,),
                    )
        target = y + (image * y_image + first * y_row) * itemsize
        check = u + (16 * c * k + index * lanes) * itemsize
        for t in range(squares):
            i, j = 2 * (t // (wo // 2)), 2 * (t % (wo // 2))
            for channel in range(0, k, lanes):
                a = m + (t * k + channel) * itemsize
                to = target + (i * y_row + j * y_pixel + channel) * itemsize
                transform(
                    tile,
                    _OUTPUT,
                    (a, 4 * squares * k, squares * k),
                    (to, y_row, y_pixel),
                    (bias + channel * itemsize, check),
                )

    return compiled(task)


@cache
def _weight_grad_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that sums the weights' gradient of some images.

    Arrays: x, g, unused, sums `(tasks, 3, 3, c, k)`. The scratch memory holds framed
    rows, transformed input, transformed cotangent, transformed sums.
    """
    rows, columns, lanes, itemsize = tile[0], tile[1] * tile[2], tile[2], tile[3]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, g, unused, sums, scratch, index):
        image_size, c, k, ho, wo = p[7], p[9] // 3, p[10], p[11], p[12]
        blocks, height, frame_size, squares = p[15], p[16], p[17], p[18]
        images, chunk, room = p[19], p[20], p[21]
        v = scratch + frame_size * itemsize
        m = v + 16 * squares * c * itemsize
        total = m + 16 * squares * k * itemsize
        begin = index * chunk * blocks
        for block in range(begin, min(images, (index + 1) * chunk) * blocks):
            image, first = block // blocks, block % blocks * height
            origin = x + image * image_size * itemsize
            source, row = frame_rows(scratch, origin, first, height + 2, p, itemsize)
            cotangent = g + (image * ho + first) * wo * k * itemsize
            for t in range(squares):
                i, j = 2 * (t // (wo // 2)), 2 * (t % (wo // 2))
                for channel in range(0, c, lanes):
                    a = source + (i * row + j * c + channel) * itemsize
                    to = (
                        v + (t * c + channel) * itemsize,
                        4 * squares * c,
                        squares * c,
                    )
                    transform(tile, _INPUT, (a, row, c), to, (0, 0))
                for channel in range(0, k, lanes):
                    a = cotangent + ((i * wo + j) * k + channel) * itemsize
                    to = (
                        m + (t * k + channel) * itemsize,
                        4 * squares * k,
                        squares * k,
                    )
                    transform(tile, _OUTPUT_GRAD, (a, wo * k, k), to, (0, 0))
            for e in range(16):
                for column in range(0, k, columns):
                    b = m + (e * squares * k + column) * itemsize
                    for q in range(0, c, rows):
                        out = total + ((e * room + q) * k + column) * itemsize
                        multiply(
                            tile,
                            (v + (e * squares * c + q) * itemsize, 0, 1, 0, c),
                            (b, 0, k),
                            (out, k),
                            (out if block > begin else 0, k),
                            (1, squares),
                            (lanes,),
                        )
        for q in range(c):
            for channel in range(0, k, lanes):
                a = total + (q * k + channel) * itemsize
                to = sums + ((index * 9 * c + q) * k + channel) * itemsize
                transform(
                    tile,
                    _WEIGHT_GRAD,
                    (a, 4 * room * k, room * k),
                    (to, 3 * c * k, c * k),
                    (0, 0),
                )

    return compiled(task)


class _Blocks(NamedTuple):
    """How an image is cut: rows of results per block, and squares in them."""

    height: int
    blocks: int
    squares: int
    frame_size: int


def _cut(step: Pass) -> _Blocks:
    """Choose the largest even blocks of rows that the cache holds."""
    across, down = step.wo // 2, step.ho // 2
    row_bytes = 16 * 4 * across * (step.frame.c + step.k)
    tall = [d for d in range(1, down + 1) if down % d == 0]
    height = max(d for d in tall if d == 1 or d * row_bytes <= _BLOCK_BYTES)
    frame_size = (2 * height + 2) * step.frame.width * step.frame.c
    return _Blocks(2 * height, down // height, height * across, frame_size)


def _shape(step: Pass, cut: _Blocks) -> tuple[int, ...]:
    """Return the parameters that both large tasks share."""
    sizes = (step.r, step.s * step.frame.c, step.k, step.ho, step.wo, 1, step.frame.c)
    blocks = (cut.blocks, cut.height, cut.frame_size, cut.squares)
    return (*step.frame.params(step.frame.copied), *sizes, *blocks)


@lru_cache(maxsize=1024)
def _plan_forward(step: Pass, n: int) -> tuple[Launch, Launch]:
    """Return the launches that transform the weights and that convolve."""
    c, k, cut = step.frame.c, step.k, _cut(step)
    rows = even(cut.squares, known_machine().rows(2))
    tile = Tile(rows, 2, lanes_of(4), 4).literal()
    weights = launch(_weight_task(tile), (c, k), c, 0, 64 * c * k)
    values = (*_shape(step, cut), step.y_image, step.y_row, step.y_pixel)
    scratch = 4 * (cut.frame_size + 16 * cut.squares * (c + k))
    flops = 8 * n * step.ho * step.wo * c * k
    tasks = n * cut.blocks
    return weights, launch(_forward_task(tile), values, tasks, scratch, flops)


def _convolve(x: Array, w: Array, b: Array | None, y: Array, step: Pass) -> bool:
    """Fill y; return whether all results are finite, so that they can be trusted."""
    weights, main = _plan_forward(step, len(x))
    transformed, lanes = 16 * step.frame.c * step.k, lanes_of(4)
    u = memory.empty((transformed + main.tasks * lanes,), x.dtype)
    u[transformed:] = 0
    run([weights], w, w, w, u)
    run([main], x, u, np.zeros(step.k, x.dtype) if b is None else b, y)
    return not np.isnan(u[transformed:]).any()


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Convolve `x: (n, h, w, c)` with `w: (3, 3, c, k)`."""
    y = memory.empty(size.output_shape, x.dtype)
    if _convolve(x, w, b, y, forward_pass(size)):
        return y
    return conv_fast.forward(x, w, b, size)


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Convolve the cotangent with the weights turned by 180 degrees."""
    gx = memory.empty(size.input_shape, g.dtype)
    (step,) = input_grad_passes(size)
    if _convolve(g, turned_weights(w, size), None, gx, step):
        return gx
    return conv_fast.input_grad(g, w, size)


@lru_cache(maxsize=1024)
def _plan_weight_grad(size: Geometry) -> Launch:
    step = forward_pass(size)
    cut, rows = _cut(step), even(size.c, known_machine().rows(2))
    tile = Tile(rows, 2, lanes_of(4), 4).literal()
    room = -(-size.c // rows) * rows
    chunk = -(-size.n // _CHUNKS)
    values = (*_shape(step, cut), size.n, chunk, room)
    held = cut.squares * (size.c + size.k) + room * size.k
    scratch = 4 * (cut.frame_size + 16 * held)
    tasks, address = -(-size.n // chunk), _weight_grad_task(tile)
    return launch(address, values, tasks, scratch, size.flops)


def weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Contract `x: (n, h, w, c)` with `g: (n, ho, wo, k)`."""
    plan = _plan_weight_grad(size)
    sums = memory.empty((plan.tasks, *size.kernel_shape), x.dtype)
    run([plan], x, g, x, sums)
    gw = sums.sum(0)
    return gw if np.isfinite(gw).all() else conv_fast.weight_grad(x, g, size)
