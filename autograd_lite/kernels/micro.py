"""The register tile: one LLVM function body that all fast kernels are built from.

A tile is a block of C small enough to live in vector registers while it accumulates

    C[i, j] = start[i, j] + sum of A[i, outer, inner] * B[outer, inner, j]

`rows` of A are broadcast one scalar at a time and multiplied with `vectors` vectors of
B, so each loaded vector is used `rows` times and each scalar `vectors` times. This is
the register tiling of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
multiplication" (2008), as BLIS has it; the double sum (over two strides of A) is what
lets the same tile convolve without im2col. Numba can't be talked into keeping such a
block in registers, hence the LLVM IR.

Everything is an address (int64) or a stride in elements. The shape of the tile is a
tuple of literal ints, so that it is part of the key under which Numba caches a kernel.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Numba's annotations make callers pass what only Numba passes.
emitted: Final[Any] = intrinsic(prefer_literal=True)

_INT64: Final = ir.IntType(64)
_INT32: Final = ir.IntType(32)

# The dtypes that tiles are made of.
REAL: Final = (np.dtype(np.float32), np.dtype(np.float64))


class Machine(NamedTuple):
    """What the size of a tile depends on.

    `spare`: registers besides those of C and B; ARM multiplies no operand in memory,
    and by assembly LLVM then wants five for scalars on their way, lest it spills.
    `masks`: whether there are instructions that load some lanes of a vector alone.

    Example:
        >>> Machine("avx512", vector_bytes=64, registers=32).rows(vectors=2)
        14
    """

    name: str
    vector_bytes: int
    registers: int
    spare: int = 1
    masks: bool = True

    def rows(self, vectors: int) -> int:
        """Return how many rows fit beside `vectors` of B and broadcast scalars."""
        return min(14, (self.registers - self.spare - vectors) // vectors)

    @property
    def alone(self) -> int:
        """How many rows of a single vector fit at the most."""
        return self.registers - self.spare - 3


MACHINES: Final = {
    "avx512": Machine("avx512", vector_bytes=64, registers=32),
    "avx2": Machine("avx2", vector_bytes=32, registers=16),
    "neon": Machine("neon", vector_bytes=16, registers=32, spare=5, masks=False),
}


def widest(triple: str, features: Mapping[str, bool]) -> str:
    """Return the name of a processor's widest vectors in MACHINES, or "generic".

    triple and features as LLVM gives them. Every 64-bit ARM has NEON, though not every
    system says so; SVE, whose length varies, is left alone.

    Example:
        >>> widest("arm64-apple-darwin23.1.0", {})
        'neon'
    """
    if triple.startswith(("aarch64", "arm64")):
        return "neon"
    if features.get("avx512f") and features.get("avx512vl"):
        return "avx512"
    return "avx2" if features.get("avx2") and features.get("fma") else "generic"


@cache
def machine() -> Machine | None:
    """Return the machine to emit tiles for; None: use plain kernels alone.

    The environment variable AUTOGRAD_LITE_KERNELS (avx512, avx2, neon or generic)
    overrides what the processor says of itself.
    """
    name = os.environ.get("AUTOGRAD_LITE_KERNELS")
    if name is None:
        name = widest(llvm.get_process_triple(), llvm.get_host_cpu_features())
    if name not in (*MACHINES, "generic"):
        known = ", ".join(map(repr, MACHINES))
        raise ValueError(
            f"AUTOGRAD_LITE_KERNELS is {name!r}; "
            f"expected {known} or 'generic', or leave it unset"
        )
    return MACHINES.get(name)


def has_masks() -> bool:
    """Return whether some lanes of a vector can be loaded alone."""
    found = machine()
    return found is None or found.masks


@cache
def stamp(*emitters: str) -> int:
    """Return what tells kernels of files that emit them from those of their past.

    Numba keys its cache by the file of the kernel, not by the emitter's: every tile
    carries this stamp. It also tells with and without masked loads.
    """
    texts = [Path(emitter).read_bytes() for emitter in emitters]
    return zlib.crc32(b"".join(texts), int(not has_masks()))


_EMITTERS: Final = (__file__, str(Path(__file__).with_name("moves.py")))


class Tile(NamedTuple):
    """The literal part of a tile; all other numbers are known at run time alone.

    `bands * rows` rows of C; two strides of A lead from band to band and from row to
    row. `masked`: only some lanes of the last vector exist. `unroll`: the trip counts
    of both loops, where they are few enough to be written out, or (0, 0).
    """

    rows: int
    vectors: int
    lanes: int
    itemsize: int
    masked: bool = False
    bands: int = 1
    unroll: tuple[int, int] = (0, 0)

    @property
    def columns(self) -> int:
        """The number of columns of C in a full tile."""
        return self.vectors * self.lanes

    def literal(self) -> tuple[int, ...]:
        """Return the tile as the tuple of ints that `multiply` takes."""
        flags = (self.rows, self.vectors, self.lanes, self.itemsize, int(self.masked))
        return (*flags, self.bands, *self.unroll, stamp(*_EMITTERS))


def read_tile(literal: Any) -> Tile:
    """Return the Tile of a tuple type made by `Tile.literal`."""
    values = [item.literal_value for item in literal.types]
    rows, vectors, lanes, itemsize, masked, bands, outer, inner, _ = values
    return Tile(rows, vectors, lanes, itemsize, bool(masked), bands, (outer, inner))


class Emitter:
    """Writes a tile's instructions at the builder's position."""

    def __init__(self, builder: ir.IRBuilder, tile: Tile) -> None:
        self.builder, self.tile = builder, tile
        self.scalar = ir.FloatType() if tile.itemsize == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.scalar, tile.lanes)
        self.mask = ir.VectorType(ir.IntType(1), tile.lanes)
        self.suffix = f"v{tile.lanes}f{8 * tile.itemsize}"

    def pointer(self, address: ir.Value) -> ir.Value:
        """Turn an address to a pointer to scalars."""
        return self.builder.inttoptr(address, self.scalar.as_pointer())

    def at(self, pointer: ir.Value, *terms: tuple[ir.Value, int]) -> ir.Value:
        """Move a pointer by the sum of `stride * count` elements."""
        for stride, count in terms:
            offset = self.builder.mul(stride, _INT64(count))
            pointer = self.builder.gep(pointer, [offset], source_etype=self.scalar)
        return pointer

    def function(self, name: str, result: ir.Type, arguments: list[ir.Type]) -> Any:
        """Return the LLVM intrinsic of that name."""
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, name)

    def splat(self, value: ir.Value, vector: ir.VectorType) -> ir.Value:
        """Repeat a scalar in every lane."""
        undefined = ir.Constant(vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, _INT32(0))
        lanes = ir.Constant(ir.VectorType(_INT32, vector.count), [0] * vector.count)
        return self.builder.shuffle_vector(first, undefined, lanes)

    def broadcast(self, pointer: ir.Value) -> ir.Value:
        """Load one scalar of A into every lane."""
        value = self.builder.load(pointer, align=self.tile.itemsize, typ=self.scalar)
        return self.splat(value, self.vector)

    def lanes_below(self, count: ir.Value) -> ir.Value:
        """Return the mask of the first `count` lanes."""
        lanes = ir.VectorType(_INT32, self.tile.lanes)
        count = self.splat(self.builder.trunc(count, _INT32), lanes)
        every = ir.Constant(lanes, list(range(self.tile.lanes)))
        return self.builder.icmp_signed("<", every, count)

    def load(self, pointer: ir.Value, mask: ir.Value | None) -> ir.Value:
        """Load a vector; lanes off the mask are zero and aren't touched."""
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            size = self.tile.itemsize
            return self.builder.load(pointer, align=size, typ=self.vector)
        if not has_masks():
            return self.gather(pointer, mask, self.vector)
        load = self.function(
            f"llvm.masked.load.{self.suffix}.p0",
            self.vector,
            [pointer.type, _INT32, self.mask, self.vector],
        )
        zero = ir.Constant(self.vector, None)
        return self.builder.call(
            load, [pointer, _INT32(self.tile.itemsize), mask, zero]
        )

    def gather(
        self, pointer: ir.Value, mask: ir.Value, vector: ir.VectorType
    ) -> ir.Value:
        """Load the lanes on the mask one by one; the first of them must be on it.

        LLVM would branch for each lane, in the innermost loop. Here lanes off the mask
        read the first one's place, which exists, and become zero afterwards.
        """
        builder, value = self.builder, ir.Constant(vector, ir.Undefined)
        for i in range(vector.count):
            present = builder.extract_element(mask, _INT32(i))
            offset = builder.select(present, _INT64(i), _INT64(0))
            place = builder.gep(pointer, [offset], source_etype=vector.element)
            lane = builder.load(place, align=1, typ=vector.element)
            value = builder.insert_element(value, lane, _INT32(i))
        return builder.select(mask, value, ir.Constant(vector, None))

    def store(self, value: ir.Value, pointer: ir.Value, mask: ir.Value | None) -> None:
        """Store a vector, or its lanes on the mask."""
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            self.builder.store(value, pointer, align=self.tile.itemsize)
            return
        store = self.function(
            f"llvm.masked.store.{self.suffix}.p0",
            ir.VoidType(),
            [self.vector, pointer.type, _INT32, self.mask],
        )
        self.builder.call(store, [value, pointer, _INT32(self.tile.itemsize), mask])

    def prefetch(self, pointer: ir.Value) -> None:
        """Fetch the cache line at a pointer, to be written to soon."""
        fetch = self.function(
            "llvm.prefetch.p0", ir.VoidType(), [pointer.type, _INT32, _INT32, _INT32]
        )
        arguments = [_INT32(number) for number in (1, 3, 1)]  # to write, near, data
        self.builder.call(fetch, [pointer, *arguments])

    def masks(self, count: ir.Value) -> list[ir.Value | None]:
        """Return one mask per vector of a row; None: all lanes."""
        masks: list[ir.Value | None] = [None] * self.tile.vectors
        if self.tile.masked:
            masks[-1] = self.lanes_below(count)
        return masks

    def row(self, pointer: ir.Value, masks: list[ir.Value | None]) -> list[ir.Value]:
        """Load the vectors of a row of B or C."""
        lanes = _INT64(self.tile.lanes)
        return [
            self.load(self.at(pointer, (lanes, j)), mask)
            for j, mask in enumerate(masks)
        ]

    def accumulate(
        self, sums: list[list[ir.Value]], a_rows: list[ir.Value], b: list[ir.Value]
    ) -> None:
        """Emit the inner step: each row's scalar times the vectors of B."""
        fma = self.function(f"llvm.fma.{self.suffix}", self.vector, [self.vector] * 3)
        for row, pointer in zip(sums, a_rows):
            scalar = self.broadcast(pointer)
            for cell, vector in zip(row, b):
                total = self.builder.load(cell, typ=self.vector)
                total = self.builder.call(fma, [scalar, vector, total])
                self.builder.store(total, cell)


class Loop:
    """Pointers that advance by a stride each time round."""

    def __init__(self, emitter: Emitter, pointers: list[Any], strides: list[Any]):
        self.emitter, self.pointers, self.strides = emitter, pointers, strides

    def run(self, count: ir.Value, unroll: int, body: Any) -> None:
        """Emit `body(pointers)` `count` times: a loop, or `unroll` copies."""
        builder = self.emitter.builder
        if unroll:
            for turn in range(unroll):
                moved = [
                    self.emitter.at(p, (s, turn))
                    for p, s in zip(self.pointers, self.strides)
                ]
                body(moved)
            return
        cells = [cgutils.alloca_once_value(builder, p) for p in self.pointers]
        kind = self.emitter.scalar.as_pointer()
        with cgutils.for_range(builder, count):
            current = [builder.load(cell, typ=kind) for cell in cells]
            body(current)
            for cell, pointer, stride in zip(cells, current, self.strides):
                builder.store(self.emitter.at(pointer, (stride, 1)), cell)


def _emit(builder: ir.IRBuilder, tile: Tile, arguments: list[Any]) -> None:
    """Emit a tile; the arguments are those of `multiply`, unpacked."""
    emit = Emitter(builder, tile)
    (a, a_band, a_row, a_outer, a_inner), (b, b_outer, b_inner) = arguments[:2]
    (c, c_row), (start, start_row), (outer, inner), (last_lanes,) = arguments[2:]
    masks = emit.masks(last_lanes)
    sums = started(emit, start, start_row, masks)
    for i in range(len(sums)):
        for j in range(tile.vectors):
            emit.prefetch(emit.at(emit.pointer(c), (c_row, i), (_INT64(tile.lanes), j)))

    def step(pointers: list[Any]) -> None:
        rows = [
            emit.at(pointers[0], (a_band, band), (a_row, row))
            for band in range(tile.bands)
            for row in range(tile.rows)
        ]
        emit.accumulate(sums, rows, emit.row(pointers[1], masks))

    def outer_step(pointers: list[Any]) -> None:
        Loop(emit, pointers, [a_inner, b_inner]).run(inner, tile.unroll[1], step)

    pointers = [emit.pointer(a), emit.pointer(b)]
    Loop(emit, pointers, [a_outer, b_outer]).run(outer, tile.unroll[0], outer_step)
    for i, row in enumerate(sums):
        target = emit.at(emit.pointer(c), (c_row, i))
        for j, (cell, mask) in enumerate(zip(row, masks)):
            value = builder.load(cell, typ=emit.vector)
            emit.store(value, emit.at(target, (_INT64(tile.lanes), j)), mask)


def started(emit: Emitter, start: Any, start_row: Any, masks: list[Any]) -> list[Any]:
    """Return the accumulators, set to the rows at `start` or, if that is 0, to zero."""
    builder, tile = emit.builder, emit.tile
    zero = ir.Constant(emit.vector, None)
    sums = [
        [cgutils.alloca_once_value(builder, zero) for _ in range(tile.vectors)]
        for _ in range(tile.bands * tile.rows)
    ]
    present = builder.icmp_signed("!=", start, _INT64(0))
    with builder.if_else(present) as (given, absent):
        with given:
            for i, row in enumerate(sums):
                source = emit.at(emit.pointer(start), (start_row, i))
                for cell, value in zip(row, emit.row(source, masks)):
                    builder.store(value, cell)
        with absent:
            for row in sums:
                for cell in row:
                    builder.store(zero, cell)
    return sums


@emitted
def multiply(typing_context, tile, a, b, c, start, counts, last):
    """Compute one tile: `multiply(literal, A, B, C, start, counts, last)`.

    A: `(address, band stride, row stride, outer stride, inner stride)`,
    B: `(address, outer stride, inner stride)`, C and start: `(address, row stride)`,
    counts: `(outer, inner)`, last: `(lanes of the last vector,)`. A start at address 0
    means zeros.
    """
    shape = read_tile(tile)
    kinds = [types.UniTuple(types.int64, n) for n in (5, 3, 2, 2, 2, 1)]

    def emit(context, builder, signature, arguments):
        unpacked = [cgutils.unpack_tuple(builder, item) for item in arguments[1:]]
        _emit(builder, shape, unpacked)
        return context.get_dummy_value()

    return types.void(tile, *kinds), emit
