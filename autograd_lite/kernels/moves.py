"""Instructions that move numbers, for kernels on addresses: copies and transposes."""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .micro import Emitter, emitted, read_tile

_INT64: Final = ir.IntType(64)
_INT32: Final = ir.IntType(32)
_BYTE: Final = ir.IntType(8)


@emitted
def whole_registers(typing_context):
    """Let LLVM use the widest vectors in the function that this is called in.

    It thinks 512 bits bad for the processor's clock, for a while after each use. But
    the kernels of a training step use them all the time; and a processor that has been
    without for half a millisecond takes as long again to get to speed.
    """

    def emit(context, builder, signature, arguments):
        attributes = builder.function.attributes
        attributes.add("noinline")  # or it would have its caller's preference
        set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite knows it not
        return context.get_dummy_value()

    return types.void(), emit


@emitted
def copy(typing_context, target, source, count):
    """Copy `count` bytes from address `source` to address `target`."""

    def emit(context, builder, signature, arguments):
        to, origin = (builder.inttoptr(a, _BYTE.as_pointer()) for a in arguments[:2])
        cgutils.raw_memcpy(builder, to, origin, arguments[2], _INT64(1))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@emitted
def clear(typing_context, target, count):
    """Set `count` bytes at address `target` to zero."""

    def emit(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], _BYTE.as_pointer())
        cgutils.memset(builder, pointer, arguments[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@emitted
def copy_row(typing_context, tile, source, lanes, target):
    """Copy a row of `tile`, whose last vector has so many lanes, between addresses."""
    shape = read_tile(tile)

    def emit(context, builder, signature, arguments):
        emitter = Emitter(builder, shape)
        source, lanes, target = arguments[1:]
        masks = emitter.masks(lanes)
        source, target = emitter.pointer(source), emitter.pointer(target)
        for j, value in enumerate(emitter.row(source, masks)):
            place = emitter.at(target, (_INT64(shape.lanes), j))
            emitter.store(value, place, masks[j])
        return context.get_dummy_value()

    return types.void(tile, types.int64, types.int64, types.int64), emit


@emitted
def copy_column(typing_context, tile, source, target):
    """Copy as many numbers as `tile` has rows between addresses."""
    shape = read_tile(tile)

    def emit(context, builder, signature, arguments):
        emitter = Emitter(builder, shape)
        kind = ir.VectorType(emitter.scalar, shape.rows)
        source, target = (
            builder.inttoptr(address, kind.as_pointer()) for address in arguments[1:]
        )
        value = builder.load(source, align=shape.itemsize, typ=kind)
        builder.store(value, target, align=shape.itemsize)
        return context.get_dummy_value()

    return types.void(tile, types.int64, types.int64), emit


@emitted
def transpose(typing_context, tile, source, present, target):
    """Transpose a square of `tile` lanes: source rows become target columns.

    source, target: `(address, row stride)`; present: `(rows, columns)`, no others are
    read. What they would give is arbitrary, but written. Each of the log2 stages
    interleaves the first half of the rows with the second.
    """
    shape = read_tile(tile)

    def emit(context, builder, signature, arguments):
        pairs = [cgutils.unpack_tuple(builder, item) for item in arguments[1:]]
        (source, row), (rows, lanes), (target, target_row) = pairs
        emitter = Emitter(builder, shape)
        mask, square = emitter.lanes_below(lanes), []
        pointer, last = emitter.pointer(source), builder.sub(rows, _INT64(1))
        for i in range(shape.lanes):
            inside = builder.icmp_signed("<", _INT64(i), rows)
            position = builder.mul(row, builder.select(inside, _INT64(i), last))
            square.append(emitter.load(emitter.at(pointer, (position, 1)), mask))
        for i, vector in enumerate(_interleaved(builder, square)):
            out = emitter.at(emitter.pointer(target), (target_row, i))
            emitter.store(vector, out, None)
        return context.get_dummy_value()

    return types.void(tile, *[types.UniTuple(types.int64, 2)] * 3), emit


def _interleaved(builder: ir.IRBuilder, rows: list[Any]) -> list[Any]:
    """Return the transpose of a square of vectors."""
    size = len(rows)
    half = size // 2
    pattern = [i // 2 + size * (i % 2) for i in range(2 * size)]
    kind = ir.VectorType(_INT32, size)
    low, high = (ir.Constant(kind, pattern[i : i + size]) for i in (0, size))
    for _ in range(half.bit_length()):
        rows = [
            builder.shuffle_vector(rows[i], rows[i + half], part)
            for i in range(half)
            for part in (low, high)
        ]
    return rows
