"""The innermost loops of `conv_relu_pool`, as LLVM IR: a row of pooled pixels.

Vectors lie along the output channels. Each pixel is loaded once per pooled pixel and
multiplied with every tap that meets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .micro import Emitter, Tile, emitted, has_masks, stamp


class Pooled(NamedTuple):
    """The literal part of a kernel: a pool's window over a filter's taps.

    `taps_across` counts the taps of a kernel row in all channels. With half as many
    filters as lanes, a vector holds those of two pooled pixels, which are neighbours.
    """

    height: int
    width: int
    taps_down: int
    taps_across: int
    channels: int
    lanes: int
    itemsize: int
    masked: bool
    paired: bool

    @property
    def taps(self) -> int:
        """The number of weights of a filter."""
        return self.taps_down * self.taps_across

    @property
    def positions(self) -> int:
        """The number of places in the pool's window; the code of what ReLU zeroed."""
        return self.height * self.width

    def literal(self) -> tuple[int, ...]:
        """Return the ints that stand for this."""
        return (*map(int, self), stamp(__file__))

    def products(self) -> Any:
        """Yield pixels (row, column) with the (position, tap) pairs that meet them."""
        for row in range(self.height + self.taps_down - 1):
            for column in range((self.width - 1) * self.channels + self.taps_across):
                yield (row, column), [*self._met(row, column)]

    def _met(self, row: int, column: int) -> Any:
        for position in range(self.positions):
            down = row - position // self.width
            across = column - position % self.width * self.channels
            if 0 <= down < self.taps_down and 0 <= across < self.taps_across:
                yield position, down * self.taps_across + across


class _Kernel(Emitter):
    """Writes the instructions for one row of pooled pixels and a vector of channels."""

    def __init__(self, builder: ir.IRBuilder, shape: Pooled) -> None:
        tile = Tile(1, 1, shape.lanes, shape.itemsize, shape.masked)
        super().__init__(builder, tile)
        self.shape = shape
        self.codes = ir.VectorType(ir.IntType(8 * shape.itemsize), shape.lanes)
        self.bytes = ir.VectorType(ir.IntType(8), shape.lanes)
        self.zero = ir.Constant(self.vector, None)
        half = shape.lanes // 2
        self.upper = ir.Constant(self.mask, [0] * half + [1] * half)
        self.swapped = ir.Constant(
            ir.VectorType(ir.IntType(32), shape.lanes),
            [*range(half, shape.lanes), *range(half)],
        )

    def code(self, position: int) -> ir.Constant:
        """Return a position in every lane."""
        return ir.Constant(self.codes, [position] * self.shape.lanes)

    def multiply_add(self, a: ir.Value, b: ir.Value, total: ir.Value) -> ir.Value:
        """Return a * b + total."""
        fma = self.function(f"llvm.fma.{self.suffix}", self.vector, [self.vector] * 3)
        return self.builder.call(fma, [a, b, total])

    def byte_pointer(self, address: ir.Value) -> ir.Value:
        """Turn an address to a pointer to a vector of codes in memory."""
        return self.builder.inttoptr(address, self.bytes.as_pointer())

    def store_code(self, code: ir.Value, address: ir.Value, mask: Any) -> None:
        """Store positions as bytes, or those on the mask."""
        value = self.builder.trunc(code, self.bytes)
        pointer = self.byte_pointer(address)
        if mask is None:
            self.builder.store(value, pointer, align=1)
            return
        kinds = [self.bytes, pointer.type, ir.IntType(32), self.mask]
        name = f"llvm.masked.store.v{self.shape.lanes}i8.p0"
        store = self.function(name, ir.VoidType(), kinds)
        self.builder.call(store, [value, pointer, ir.IntType(32)(1), mask])

    def load_code(self, address: ir.Value, mask: Any) -> ir.Value:
        """Load positions from bytes; lanes off the mask are zero."""
        pointer = self.byte_pointer(address)
        if mask is None:
            value = self.builder.load(pointer, align=1, typ=self.bytes)
        elif not has_masks():
            value = self.gather(pointer, mask, self.bytes)
        else:
            kinds = [pointer.type, ir.IntType(32), self.mask, self.bytes]
            name = f"llvm.masked.load.v{self.shape.lanes}i8.p0"
            load = self.function(name, self.bytes, kinds)
            rest = ir.Constant(self.bytes, None)
            value = self.builder.call(load, [pointer, ir.IntType(32)(1), mask, rest])
        return self.builder.zext(value, self.codes)

    def winner(self, values: list[ir.Value]) -> tuple[ir.Value, ir.Value]:
        """Return the rectified maximum and the position that it comes from.

        The first of equal values wins, a NaN wins over all. Where ReLU makes a zero,
        the code is a position that there is not.
        """
        builder = self.builder
        best, code = values[0], self.code(0)
        for position, value in enumerate(values[1:], 1):
            larger = builder.fcmp_unordered(">", value, best)
            number = builder.fcmp_ordered("ord", best, self.zero)
            wins = builder.and_(larger, number)
            best = builder.select(wins, value, best)
            code = builder.select(wins, self.code(position), code)
        dead = builder.fcmp_ordered("<=", best, self.zero)
        best = builder.select(dead, self.zero, best)
        return best, builder.select(dead, self.code(self.shape.positions), code)

    def other_half(self, value: ir.Value) -> ir.Value:
        """Return a vector with its halves exchanged."""
        return self.builder.shuffle_vector(value, value, self.swapped)

    def known(self, pointer: ir.Value, lanes: ir.Value) -> ir.Value:
        """Load a vector of weights or sums, zero where there is none."""
        if self.shape.paired:
            return self.load(pointer, self.lanes_below(lanes))
        return self.load(pointer, self.masks(lanes)[0])

    @contextmanager
    def each(self, counts: Any, x_step: Any) -> Iterator[tuple[Any, Any, Any]]:
        """Loop over pooled pixels; give an index, the lanes in use, and the distance
        of the pixels behind the second half of a vector.
        """
        builder, (count, _, lanes) = self.builder, counts
        if not self.shape.paired:
            with cgutils.for_range(builder, count) as loop:
                yield loop.index, self.masks(lanes)[0], None
            return
        two, one = ir.IntType(64)(2), ir.IntType(64)(1)
        pairs = builder.sdiv(builder.add(count, one), two)
        with cgutils.for_range(builder, pairs) as loop:
            index = builder.mul(two, loop.index)
            both = builder.icmp_signed("<", builder.add(index, one), count)
            present = builder.select(both, builder.mul(two, lanes), lanes)
            distance = builder.select(both, x_step, ir.IntType(64)(0))
            yield index, self.lanes_below(present), distance

    def spread(self, pointer: ir.Value, distance: Any) -> ir.Value:
        """Load a scalar into every lane, and one at a distance into the upper half."""
        value = self.broadcast(pointer)
        if distance is None:
            return value
        other = self.broadcast(self.at(pointer, (distance, 1)))
        return self.builder.select(self.upper, other, value)

    def forward(self, x: Any, w: Any, targets: Any, counts: Any) -> None:
        """Emit `pooled_row`."""
        builder, shape = self.builder, self.shape
        (x, x_row, x_step), (w, w_row), (y, code) = x, w, targets
        _, y_step, lanes = counts
        weights = [
            self.known(self.at(self.pointer(w), (w_row, tap)), lanes)
            for tap in range(shape.taps + 1)
        ]
        if shape.paired:  # the upper halves are zero
            weights = [builder.fadd(v, self.other_half(v)) for v in weights]
        with self.each(counts, x_step) as (index, mask, distance):
            pixels = self.moved(x, x_step, index)
            sums = [weights[-1]] * shape.positions
            for (row, column), met in shape.products():
                one = ir.IntType(64)(1)
                place = self.at(pixels, (x_row, row), (one, column))
                value = self.spread(place, distance)
                for position, tap in met:
                    product = self.multiply_add(value, weights[tap], sums[position])
                    sums[position] = product
            best, position = self.winner(sums)
            self.store(best, self.moved(y, y_step, index), mask)
            place = builder.add(code, builder.mul(y_step, index))
            self.store_code(position, place, mask)

    def moved(self, address: ir.Value, step: ir.Value, index: ir.Value) -> ir.Value:
        """Return the pointer `step * index` elements behind an address."""
        offset = self.builder.mul(step, index)
        pointer = self.pointer(address)
        return self.builder.gep(pointer, [offset], source_etype=self.scalar)

    def backward(self, x: Any, sums: Any, sources: Any, counts: Any) -> None:
        """Emit `pooled_row_grad`."""
        builder, shape = self.builder, self.shape
        (x, x_row, x_step), (target, target_row), (g, code) = x, sums, sources
        _, g_step, lanes = counts
        places = [
            self.at(self.pointer(target), (target_row, tap))
            for tap in range(shape.taps + 1)
        ]
        cells = [
            cgutils.alloca_once_value(builder, self.known(place, lanes))
            for place in places
        ]
        with self.each(counts, x_step) as (index, mask, distance):
            cotangent = self.load(self.moved(g, g_step, index), mask)
            place = builder.add(code, builder.mul(g_step, index))
            pixels = self.moved(x, x_step, index), x_row, distance
            self.add_products(cells, pixels, cotangent, self.load_code(place, mask))
        for place, cell in zip(places, cells):
            total = builder.load(cell, typ=self.vector)
            if shape.paired:
                total = builder.fadd(total, self.other_half(total))
                self.store(total, place, self.lanes_below(lanes))
            else:
                self.store(total, place, self.masks(lanes)[0])

    def add_products(
        self, cells: list[Any], pixels: Any, cotangent: Any, code: Any
    ) -> None:
        """Add what one pooled pixel contributes to the gradients."""
        builder, shape = self.builder, self.shape
        first, x_row, distance = pixels
        sums = [builder.load(cell, typ=self.vector) for cell in cells]
        shares = []
        for position in range(shape.positions):
            here = builder.icmp_unsigned("==", code, self.code(position))
            shares.append(builder.select(here, cotangent, self.zero))
        alive = builder.icmp_unsigned("!=", code, self.code(shape.positions))
        received = builder.select(alive, cotangent, self.zero)
        sums[-1] = builder.fadd(sums[-1], received)
        for (row, column), met in shape.products():
            one = ir.IntType(64)(1)
            place = self.at(first, (x_row, row), (one, column))
            value = self.spread(place, distance)
            for position, tap in met:
                sums[tap] = self.multiply_add(value, shares[position], sums[tap])
        for cell, total in zip(cells, sums):
            builder.store(total, cell)


def _pooled(literal: Any) -> Pooled:
    *sizes, masked, paired, _ = [item.literal_value for item in literal.types]
    height, width, down, across, channels, lanes, itemsize = sizes
    window = height, width, down, across, channels
    return Pooled(*window, lanes, itemsize, bool(masked), bool(paired))


_KINDS: Final = [types.UniTuple(types.int64, n) for n in (3, 2, 2, 3)]


@emitted
def pooled_row(typing_context, literal, x, w, targets, counts):
    """Compute a row of pooled pixels in one vector of channels.

    x: `(address, row stride, stride of the pool)`, w: `(address, row stride)`, a row
    for each tap and the bias, targets: addresses of results and codes, counts:
    `(pixels, their stride, lanes of the vector)`.
    """
    shape = _pooled(literal)

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[1:]]
        _Kernel(builder, shape).forward(*unpacked)
        return context.get_dummy_value()

    return types.void(literal, *_KINDS), emit


@emitted
def pooled_row_grad(typing_context, literal, x, sums, sources, counts):
    """Add a row's part of the gradients of weights and bias to the rows at `sums`.

    x and counts are those of `pooled_row`, sources: addresses of cotangents and codes.
    """
    shape = _pooled(literal)

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[1:]]
        _Kernel(builder, shape).backward(*unpacked)
        return context.get_dummy_value()

    return types.void(literal, *_KINDS), emit
