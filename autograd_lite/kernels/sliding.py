"""Register tiles that use each number of the image for all the taps that meet it.

Along a row of pixels, x[p] meets the weights of tap t in the sum of pixel p - t. The
tile of `micro` loads it anew for each tap. Here it is loaded once for all taps of a
kernel row, whose weights are held in registers:

    for each p:  for each t:  C[p - t] += x[p] * B[t]

A tile of one vector, which multiplies as often as it loads, then has a third of the
loads. With `alone`, each channel is convolved by itself: x[p] is a vector of channels,
as B[t] is. Weight gradients turn the roles round: the last few cotangents are held, and
the sums are those of the taps.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .conv_tiles import frame_rows
from .launch import compiled
from .micro import Emitter, Loop, Machine, Tile, emitted, read_tile, started

_INT64: Final = ir.IntType(64)


class Slide(NamedTuple):
    """The literal part of a sliding tile, besides its Tile.

    `taps` of a kernel row at a time, over every `step`-th pixel. before, after: how
    many of the pixels that a tile meets lie in the border, which are zeros unread.
    """

    taps: int
    step: int = 1
    alone: bool = False
    before: int = 0
    after: int = 0

    def literal(self) -> tuple[int, ...]:
        """Return the numbers as the tuple of ints that tiles take."""
        return self.taps, self.step, int(self.alone), self.before, self.after

    def rows(self, found: Machine, vectors: int = 1) -> int:
        """Return how many sums of so many vectors fit beside weights and a scalar."""
        return (found.registers - found.spare) // vectors - self.taps

    def met(self, pixel: int, rows: int) -> list[tuple[int, int]]:
        """Return `(sum, tap)` for all sums that a pixel belongs to.

        >>> Slide(taps=3, step=2).met(pixel=2, rows=5)
        [(1, 0), (0, 2)]
        """
        pairs = [divmod(pixel - tap, self.step) for tap in range(self.taps)]
        found = [(row, tap) for tap, (row, rest) in enumerate(pairs) if rest == 0]
        return [(row, tap) for row, tap in found if 0 <= row < rows]


def _read_slide(literal: Any) -> Slide:
    taps, step, alone, *border = [item.literal_value for item in literal.types]
    return Slide(taps, step, bool(alone), *border)


class _Emitter(Emitter):
    """Writes the instructions of a sliding tile."""

    def __init__(self, builder: ir.IRBuilder, tile: Tile, form: Slide) -> None:
        super().__init__(builder, tile)
        self.form = form

    def number(self, pointer: ir.Value, masks: list[Any]) -> ir.Value:
        """Load a number of the image, or one for each channel."""
        return (
            self.load(pointer, masks[0]) if self.form.alone else self.broadcast(pointer)
        )

    def add_product(self, cells: list[Any], x: ir.Value, row: list[Any]) -> None:
        """Add x times the vectors of a row to sums."""
        fma = self.function(f"llvm.fma.{self.suffix}", self.vector, [self.vector] * 3)
        for cell, vector in zip(cells, row):
            total = self.builder.load(cell, typ=self.vector)
            self.builder.store(self.builder.call(fma, [x, vector, total]), cell)


@emitted
def slide(typing_context, tile, form, a, b, c, start, counts, last):
    """Compute the sums of a row of pixels.

    A: `(address, pixel, outer and inner stride)`, B: `(address, tap, outer and inner
    stride)`; C, start, counts and last as those of `micro.multiply`.
    """
    shape, slider = read_tile(tile), _read_slide(form)
    kinds = [types.UniTuple(types.int64, n) for n in (4, 4, 2, 2, 2, 1)]

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[2:]]
        _emit_slide(_Emitter(builder, shape, slider), unpacked)
        return context.get_dummy_value()

    return types.void(tile, form, *kinds), emit


def _emit_slide(emit: _Emitter, arguments: list[Any]) -> None:
    (a, pixel, a_outer, a_inner), (b, tap, b_outer, b_inner) = arguments[:2]
    (c, c_row), (start, start_row), (outer, inner), (last_lanes,) = arguments[2:]
    tile, form, lanes = emit.tile, emit.form, _INT64(emit.tile.lanes)
    masks = emit.masks(last_lanes)
    sums = started(emit, start, start_row, masks)
    for i in range(tile.rows):
        for j in range(tile.vectors):
            emit.prefetch(emit.at(emit.pointer(c), (c_row, i), (lanes, j)))

    def step(pointers: list[Any]) -> None:
        weights = [
            emit.row(emit.at(pointers[1], (tap, t)), masks) for t in range(form.taps)
        ]
        span = (tile.rows - 1) * form.step + form.taps
        for p in range(span):
            met = form.met(p, tile.rows)
            x = ir.Constant(emit.vector, None)
            if met and form.before <= p < span - form.after:
                x = emit.number(emit.at(pointers[0], (pixel, p)), masks)
            for row, t in met:
                emit.add_product(sums[row], x, weights[t])

    def outer_step(pointers: list[Any]) -> None:
        Loop(emit, pointers, [a_inner, b_inner]).run(inner, tile.unroll[1], step)

    pointers = [emit.pointer(a), emit.pointer(b)]
    Loop(emit, pointers, [a_outer, b_outer]).run(outer, tile.unroll[0], outer_step)
    for i, row in enumerate(sums):
        target = emit.at(emit.pointer(c), (c_row, i))
        for j, (cell, mask) in enumerate(zip(row, masks)):
            value = emit.builder.load(cell, typ=emit.vector)
            emit.store(value, emit.at(target, (lanes, j)), mask)


@emitted
def slide_sums(typing_context, tile, form, a, b, c, counts, last):
    """Add the products of images and cotangents to the sums of all taps.

    A: `(address, band, row, pixel, outer and inner stride)`, B: `(address, outer and
    inner stride)`, C: `(address, band, tap and row stride)`, counts: `(rows of pixels,
    pixels of the cotangent)`, of which there must be as many as taps.
    """
    shape, slider = read_tile(tile), _read_slide(form)
    kinds = [types.UniTuple(types.int64, n) for n in (6, 3, 4, 2, 1)]

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[2:]]
        _emit_sums(_Emitter(builder, shape, slider), unpacked)
        return context.get_dummy_value()

    return types.void(tile, form, *kinds), emit


class _Sums:
    """The sums of a tile of weight gradients; the arguments are those of the tile."""

    def __init__(self, emit: _Emitter, arguments: list[Any]) -> None:
        (_, self.band, self.row, self.pixel, _, self.a_inner) = arguments[0]
        (c, c_band, c_tap, c_row), (_, self.pixels), (last_lanes,) = arguments[2:]
        self.emit, tile, self.b_inner = emit, emit.tile, arguments[1][2]
        self.masks = emit.masks(last_lanes)
        self.places = [(i, q) for i in range(tile.bands) for q in range(tile.rows)]
        self.targets = [
            emit.at(emit.pointer(c), (c_band, i), (c_row, q), (c_tap, t))
            for i, q in self.places
            for t in range(emit.form.taps)
        ]
        self.cells = [self.kept(emit.row(at, self.masks)) for at in self.targets]

    def kept(self, values: list[Any]) -> list[Any]:
        """Return variables that begin with the values."""
        return [cgutils.alloca_once_value(self.emit.builder, v) for v in values]

    def values(self, cells: list[Any]) -> list[Any]:
        """Return what variables hold."""
        return [self.emit.builder.load(cell, typ=self.emit.vector) for cell in cells]

    def add(
        self, pointer: Any, first: int, held: list[Any], inside: Any = None
    ) -> None:
        """Add products of `step` pixels with cotangents, the latest `first` ago.

        inside: tells of each pixel whether it is one of the image.
        """
        taps, step = self.emit.form.taps, self.emit.form.step
        met = [(d, range(d + first * step, taps, step)) for d in range(step)]
        for at, (i, q) in enumerate(self.places):
            for d, taps_of in met:
                x = ir.Constant(self.emit.vector, None)
                if taps_of and (inside is None or inside(d)):
                    places = (self.band, i), (self.row, q), (self.pixel, d)
                    x = self.emit.number(self.emit.at(pointer, *places), self.masks)
                for t, cotangent in zip(taps_of, held):
                    self.emit.add_product(self.cells[at * taps + t], x, cotangent)

    def add_row(self, pointers: list[Any]) -> None:
        """Add a row of pixels: at its ends some taps meet no cotangent."""
        emit, (images, cotangents) = self.emit, pointers
        taps, stride, _, border, border_after = emit.form
        before, after = (taps - 1) // stride, taps - stride - border_after
        held: list[Any] = []  # the cotangents of this pixel, the one before, and so on
        for p in range(before):
            held = [emit.row(emit.at(cotangents, (self.b_inner, p)), self.masks), *held]
            image = emit.at(images, (self.a_inner, p))
            self.add(image, 0, held, lambda d, at=p * stride: at + d >= border)
        cells = [self.kept(values) for values in held]

        def step(pointers: list[Any]) -> None:
            held = [emit.row(pointers[1], self.masks), *map(self.values, cells)]
            self.add(pointers[0], 0, held)
            for group, vectors in zip(cells, held):
                for cell, vector in zip(group, vectors):
                    emit.builder.store(vector, cell)

        strides = [self.a_inner, self.b_inner]
        inside = [emit.at(p, (s, before)) for p, s in zip(pointers, strides)]
        count = emit.builder.sub(self.pixels, _INT64(before))
        Loop(emit, inside, strides).run(count, 0, step)
        end = emit.at(images, (emit.builder.mul(self.a_inner, self.pixels), 1))
        held = [self.values(group) for group in cells]
        for p in range(before):
            image = emit.at(end, (self.a_inner, p))
            self.add(image, p + 1, held, lambda d, at=p * stride: at + d < after)

    def store(self) -> None:
        """Write the sums to where they came from."""
        lanes = _INT64(self.emit.tile.lanes)
        for target, cells in zip(self.targets, self.cells):
            for j, value in enumerate(self.values(cells)):
                place = self.emit.at(target, (lanes, j))
                self.emit.store(value, place, self.masks[j])


def _emit_sums(emit: _Emitter, arguments: list[Any]) -> None:
    (a, *_, a_outer, _), (b, b_outer, _), _, (outer, _), _ = arguments
    sums = _Sums(emit, arguments)
    pointers = [emit.pointer(a), emit.pointer(b)]
    Loop(emit, pointers, [a_outer, b_outer]).run(outer, 0, sums.add_row)
    sums.store()


@cache
def forward_task(tile: tuple[int, ...], form: tuple[int, ...]) -> int:
    """Return the address of a task that convolves some rows of one image.

    Arrays: x, w, bias, y; the parameters are those of `conv_tiles.forward_task`, then
    the strides of the tile. Rows of the image are framed just before they are used.
    """
    rows, columns, itemsize, alone = tile[0], tile[1] * tile[2], tile[3], form[2]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, w, bias, y, scratch, index):
        image_size, framed_row, r, ho, wo = p[7], p[2], p[8], p[11], p[12]
        sh, pixel, first_k, last_k, lanes = p[13], p[14], p[15], p[16], p[17]
        has_bias, blocks, height, first_w = p[18], p[19], p[20], p[21]
        first_y, y_image, y_row, y_pixel = p[22], p[23], p[24], p[25]
        x_pixel, x_inner, w_tap, w_outer, w_inner = p[26], p[27], p[28], p[29], p[30]
        inner = p[31]
        image, first = index // blocks, index % blocks * height
        height = min(height, ho - first)
        x += image * image_size * itemsize
        first_x = first * sh
        source, row = frame_rows(scratch, x, first_x, r, p, itemsize)
        w += first_w * itemsize
        target = y + (first_y + image * y_image + first * y_row) * itemsize
        for i in range(height):
            if i:
                known = (i - 1) * sh + r
                place = scratch + known * framed_row * itemsize
                frame_rows(place, x, first_x + known, sh, p, itemsize)
            for column in range(first_k, last_k, columns):
                shift = column * itemsize
                start = bias + shift if has_bias else 0
                for j in range(0, wo, rows):
                    j = min(j, wo - rows)
                    a = source + (i * sh * row + j * pixel) * itemsize + alone * shift
                    out = target + (i * y_row + j * y_pixel) * itemsize + shift
                    slide(
                        tile,
                        form,
                        (a, x_pixel, row, x_inner),
                        (w + shift, w_tap, w_outer, w_inner),
                        (out, y_pixel),
                        (start, 0),
                        (r, inner),
                        (lanes,),
                    )

    return compiled(task)


@cache
def weight_grad_task(tile: tuple[int, ...], form: tuple[int, ...]) -> int:
    """Return the address of a task that sums the weights' gradient of some images.

    Arrays: x, g, unused, partial sums `(tasks, *kernel shape)`. The parameters are
    those of `conv_tiles.weight_grad_task` but for the room, then the strides of the
    tile.
    """
    rows, columns, itemsize, bands = tile[0], tile[1] * tile[2], tile[3], tile[5]
    alone = form[2]

    # Long because a function of its own would lose the literals of the tile.
    def task(p, x, g, unused, partial, scratch, index):
        image_size, framed_row, r, k = p[7], p[2], p[8], p[10]
        ho, wo = p[11], p[12]
        sh, pixel, first_k, last_k, lanes = p[13], p[14], p[15], p[16], p[17]
        images, chunk, height, total = p[18], p[19], p[20], p[21]
        x_row, w_band, w_tap, blocks, few = p[22], p[23], p[24], p[25], p[26]
        x_pixel = p[27]
        shared = max(0, r - sh)  # rows that a row of results shares with the next
        target = partial + index * r * w_band * itemsize
        for block in range(
            index * chunk * blocks, min(images, (index + 1) * chunk) * blocks
        ):
            image, first = block // blocks, block % blocks * height
            origin = x + image * image_size * itemsize
            source, row = frame_rows(scratch, origin, first * sh, shared, p, itemsize)
            end = min(ho, first + height)
            for i in range(first, end, few):
                count = min(few, end - i)
                known = (i - first) * sh + shared
                fresh = (count - 1) * sh + r - shared
                place = scratch + known * framed_row * itemsize
                frame_rows(place, origin, first * sh + known, fresh, p, itemsize)
                source_i = source + (i - first) * sh * row * itemsize
                cotangent = g + (image * ho + i) * wo * k * itemsize
                for tap in range(0, r, bands):
                    for column in range(first_k, last_k, columns):
                        shift = column * itemsize
                        b = cotangent + shift
                        for q in range(0, total, rows):
                            a = source_i + (tap * row + q * x_row) * itemsize
                            a += alone * shift
                            out = target + (tap * w_band + q * k) * itemsize + shift
                            slide_sums(
                                tile,
                                form,
                                (a, row, x_row, x_pixel, sh * row, pixel),
                                (b, wo * k, k),
                                (out, w_band, w_tap, k),
                                (count, wo),
                                (lanes,),
                            )

    return compiled(task)
