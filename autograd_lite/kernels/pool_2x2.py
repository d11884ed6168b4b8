"""Max pooling by 2 x 2 windows that don't overlap, in vectors of channels.

Memory is what these kernels wait for. A row of windows is done in one go, so that every
element is read or written once. A gradient too large to be found in a cache afterwards
is written past the caches, which would otherwise read what is about to be overwritten.

What a vector is, LLVM settles: one of 64 bytes becomes four of NEON. So one size serves
all machines, and smaller ones only where channels are too few to fill it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

from llvmlite import ir
from numba import types

from .denormals import exact
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, emitted, machine
from .moves import clear

_LINE: Final = 64  # bytes of a cache line, and of the widest vector
_NARROWEST: Final = 16  # bytes of the smallest vector

# Bytes from which on a gradient is written past the caches: reading it back included,
# that took one thread 1.08 of the time of ordinary stores at 3 MB, 0.89 at 6 MB and
# 0.71 at 13 MB, with vectors of the same size.
_LARGE: Final = 1 << 22

# Pieces to cut the work into at least; a batch has more.
_TASKS: Final = 8

# Of memory traffic, what `launch` knows as work: a launch is parallel from 2^15 on.
_WORK_PER_ELEMENT: Final = 25

# A tile: bytes of a vector, bytes of a number, whether to write past the caches.
Tile = tuple[int, int, bool]


def fits(pixels: Array) -> bool:
    """Tell whether vectors divide the channels of `(n, h, w, c)`, and we emit any."""
    whole = pixels.shape[3] * pixels.itemsize % _NARROWEST == 0
    return whole and pixels.size > 0 and pixels.dtype in REAL and machine() is not None


def _vector_bytes(channels: int, itemsize: int) -> int:
    """Return the largest size of a vector that divides a pixel.

    Example:
        >>> _vector_bytes(32, 4), _vector_bytes(24, 4), _vector_bytes(2, 8)
        (64, 32, 16)
    """
    nbytes = channels * itemsize
    return min(_LINE, nbytes & -nbytes)


class _Vectors:
    """Loads and stores of vectors at addresses, and of codes, one byte each."""

    def __init__(self, builder: ir.IRBuilder, tile: Tile) -> None:
        self.builder, (nbytes, self.itemsize, self.streamed) = builder, tile
        scalar = ir.FloatType() if self.itemsize == 4 else ir.DoubleType()
        self.numbers = ir.VectorType(scalar, nbytes // self.itemsize)
        self.codes = ir.VectorType(ir.IntType(8), self.numbers.count)

    def _pointer(self, address: ir.Value, kind: ir.Type) -> ir.Value:
        return self.builder.inttoptr(address, kind.as_pointer())

    def load(self, address: ir.Value) -> ir.Value:
        """Load numbers."""
        place = self._pointer(address, self.numbers)
        return self.builder.load(place, align=self.itemsize, typ=self.numbers)

    def load_codes(self, address: ir.Value) -> ir.Value:
        """Load codes."""
        place = self._pointer(address, self.codes)
        return self.builder.load(place, align=1, typ=self.codes)

    def store(self, value: ir.Value, address: ir.Value, align: int) -> None:
        """Store numbers or codes."""
        place = self._pointer(address, value.type)
        self.builder.store(value, place, align=align)

    def write(self, value: ir.Value, address: ir.Value) -> None:
        """Store numbers, past the caches if the tile says so."""
        align = _LINE if self.streamed else self.itemsize
        place = self._pointer(address, self.numbers)
        store = self.builder.store(value, place, align=align)
        if self.streamed:
            word = ir.Constant(ir.IntType(32), 1)
            store.set_metadata("nontemporal", self.builder.module.add_metadata([word]))

    def every(self, code: int) -> ir.Constant:
        """Return a vector of one code."""
        return ir.Constant(self.codes, [code] * self.codes.count)


def _read_tile(literal: Any) -> Tile:
    nbytes, itemsize, streamed = [item.literal_value for item in literal.types]
    return nbytes, itemsize, bool(streamed)


def _corners(builder: ir.IRBuilder, upper: Any, lower: Any, pixel: Any) -> list[Any]:
    """Return the addresses of a window's four corners, in the order of their codes."""
    return [at for row in (upper, lower) for at in (row, builder.add(row, pixel))]


@emitted
def _maximum(typing_context, tile, upper, lower, pixel, y, code):
    """Write the maxima of vectors of windows, and the codes of the corners that won.

    upper, lower: addresses of the left corners; pixel: bytes to the right ones. The
    first of equal numbers wins, a NaN over everything.
    """
    shape = _read_tile(tile)

    def emit(context, builder, signature, arguments):
        _, upper, lower, pixel, y, code = arguments
        vectors = _Vectors(builder, shape)
        first, *others = _corners(builder, upper, lower, pixel)
        best, winner = vectors.load(first), vectors.every(0)
        for corner, address in enumerate(others, start=1):
            value = vectors.load(address)
            more = builder.fcmp_unordered(">", value, best)
            wins = builder.and_(more, builder.fcmp_ordered("ord", best, best))
            best = builder.select(wins, value, best)
            winner = builder.select(wins, vectors.every(corner), winner)
        vectors.store(best, y, vectors.itemsize)
        vectors.store(winner, code, 1)
        return context.get_dummy_value()

    return types.void(tile, *[types.int64] * 5), emit


@emitted
def _select(typing_context, tile, g, code, upper, lower, pixel):
    """Write to the corners of windows the numbers at g, where they won, or zeros."""
    shape = _read_tile(tile)

    def emit(context, builder, signature, arguments):
        _, g, code, upper, lower, pixel = arguments
        vectors = _Vectors(builder, shape)
        value, winner = vectors.load(g), vectors.load_codes(code)
        zero = ir.Constant(vectors.numbers, None)
        for corner, address in enumerate(_corners(builder, upper, lower, pixel)):
            won = builder.icmp_unsigned("==", winner, vectors.every(corner))
            vectors.write(builder.select(won, value, zero), address)
        return context.get_dummy_value()

    return types.void(tile, *[types.int64] * 5), emit


@emitted
def _finish(typing_context, tile):
    """Wait until what was written past the caches is where other threads see it."""
    streamed = _read_tile(tile)[2]

    def emit(context, builder, signature, arguments):
        if streamed:
            builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(tile), emit


@cache
def _forward_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that pools some rows of windows of one image.

    Arrays: x, unused, y, code.
    """
    size, itemsize = tile[0], tile[1]

    def task(p, x, unused, y, code, scratch, index):
        exact()
        h, row, ho, wo, pixel, blocks, height = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
        image, first = index // blocks, index % blocks * height
        for i in range(first, min(first + height, ho)):
            upper = x + (image * h + 2 * i) * row
            target = (image * ho + i) * wo * pixel
            for j in range(wo):
                for at in range(0, pixel, size):
                    corner, to = upper + 2 * j * pixel + at, target + j * pixel + at
                    winner = code + to // itemsize
                    _maximum(tile, corner, corner + row, pixel, y + to, winner)

    return compiled(task)


@cache
def _scatter_task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that writes the gradient of some rows of windows.

    Arrays: g, code, unused, x_bar. The last rows of an image take the row and the
    columns that no window covers.
    """
    size, itemsize = tile[0], tile[1]

    def task(p, g, code, unused, x_bar, scratch, index):
        h, row, ho, wo, pixel, blocks, height = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
        image, first = index // blocks, index % blocks * height
        covered = 2 * wo * pixel
        for i in range(first, min(first + height, ho)):
            upper = x_bar + (image * h + 2 * i) * row
            source = (image * ho + i) * wo * pixel
            for j in range(wo):
                for at in range(0, pixel, size):
                    corner, frm = upper + 2 * j * pixel + at, source + j * pixel + at
                    winner = code + frm // itemsize
                    _select(tile, g + frm, winner, corner, corner + row, pixel)
            clear(upper + covered, row - covered)
            clear(upper + row + covered, row - covered)
        if first + height >= ho:
            clear(x_bar + (image * h + 2 * ho) * row, (h - 2 * ho) * row)
        _finish(tile)

    return compiled(task)


@lru_cache(maxsize=1024)
def _plan(shape: tuple[int, ...], itemsize: int, forward: bool) -> Launch:
    """Return the launch for images of this shape."""
    n, h, w, c = shape
    ho, wo = h // 2, w // 2
    size = _vector_bytes(c, itemsize)
    streamed = not forward and size == _LINE and n * h * w * c * itemsize >= _LARGE
    task = _forward_task if forward else _scatter_task
    address = task((size, itemsize, int(streamed)))
    height = -(-ho // min(ho, -(-_TASKS // n)))
    blocks = -(-ho // height)
    values = (h, w * c * itemsize, ho, wo, c * itemsize, blocks, height)
    return launch(address, values, n * blocks, 0, _WORK_PER_ELEMENT * n * h * w * c)


def forward(x: Array, y: Array, code: Array) -> None:
    """Write the maxima of the windows of x, and the codes of what won; contiguous."""
    run([_plan(x.shape, x.itemsize, True)], x, x, y, code)


def scatter(g: Array, code: Array, x_bar: Array) -> None:
    """Write all of x_bar: g where the codes say so, else zeros; contiguous."""
    run([_plan(x_bar.shape, x_bar.itemsize, False)], g, code, g, x_bar)
