"""Plans of fast convolutions: tiles, parameters and pieces for a given geometry."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from .columns import columns, even
from .conv_tiles import forward_task, weight_grad_task
from .geometry import Geometry
from .launch import Array, Launch, params
from .micro import Machine, Tile, machine

# Bytes of an image that a task works on at a time: a good part of a level-2 cache.
_BLOCK_BYTES: Final = 1 << 18

# Taps times channels up to which a tile's loops are written out.
_UNROLL: Final = 32

# The batch is cut in this many pieces, each with its own sum of weight gradients.
# Fixed: were it the number of threads, the bits would depend on it.
_CHUNKS: Final = 8


def tiles_fit(size: Geometry) -> bool:
    """Tell whether register tiles can do it: a known machine, an ordinary window."""
    usual = size.dh == size.dw == size.groups == 1
    return usual and min(size.output_shape) > 0 and machine() is not None


def can_turn(size: Geometry) -> bool:
    """Tell whether the input gradient is a forward convolution with turned weights."""
    return (
        tiles_fit(size)
        and size.sh == size.sw == 1
        and max(size.top, size.bottom) < size.r
        and max(size.left, size.right) < size.s
    )


class Plan(NamedTuple):
    """The launches that make up a convolution."""

    launches: list[Launch]

    def run(self, a: Array, b: Array, c: Array, d: Array) -> None:
        """Run every launch on the flattened arrays."""
        flat = (a.reshape(-1), b.reshape(-1), c.reshape(-1), d.reshape(-1))
        for launch in self.launches:
            launch(*flat)


def _image_params(size: Geometry, padded_row: int) -> tuple[int, ...]:
    return (
        *(size.h, size.w * size.c, padded_row, size.left * size.c, size.top),
        *(size.h * size.w * size.c, size.r, size.s * size.c, size.k),
        *(size.ho, size.wo, size.sh, size.sw * size.c),
    )


def _block_height(size: Geometry, itemsize: int, limit: int) -> int:
    """Return how many output rows to compute from one block of input rows."""
    row = size.padded[1] * size.c * itemsize
    most = max(1, (limit // row - size.r) // size.sh + 1)
    return even(size.ho, min(most, size.ho))


@lru_cache(maxsize=1024)
def plan_forward(size: Geometry, itemsize: int, has_bias: bool) -> Plan:
    """Return the launches of `conv_forward`."""
    found = machine()
    assert found is not None
    padded = size.padded[1] * size.c
    padded_row = padded if size.padded != (size.h, size.w) else 0
    height = _block_height(size, itemsize, _BLOCK_BYTES)
    blocks = -(-size.ho // height)
    scratch = ((height - 1) * size.sh + size.r) * padded_row
    small = size.r * size.s * size.c <= _UNROLL
    launches = []
    for part in columns(size.k, found.vector_bytes // itemsize):
        tile = Tile(
            rows=even(size.wo, found.rows(part.vectors)),
            vectors=part.vectors,
            lanes=part.lanes,
            itemsize=itemsize,
            masked=part.masked,
            unroll=(size.r, size.s * size.c) if small else (0, 0),
        )
        values = (
            *_image_params(size, padded_row),
            *(part.first, part.last, part.last_lanes),
            *(int(has_bias), blocks, height),
        )
        address = forward_task(tile.literal())
        tasks = size.n * blocks
        launches.append(Launch(address, params(*values), tasks, scratch, size.flops))
    return Plan(launches)


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Convolve with register tiles; x and w are contiguous."""
    y = np.empty(size.output_shape, x.dtype)
    plan = plan_forward(size, x.itemsize, b is not None)
    plan.run(x, w, x if b is None else b, y)
    return y


class WeightTile(NamedTuple):
    """How the rows (s, c) of a weight gradient are tiled."""

    rows: int
    bands: int


def weight_rows(size: Geometry, found: Machine, vectors: int) -> WeightTile:
    """Choose rows per tile, and whether one tile takes all kernel rows (bands)."""
    sc, limit = size.s * size.c, found.rows(vectors)
    if vectors == 1:
        limit = found.registers - 4
    if size.r * sc <= limit:
        return WeightTile(sc, size.r)
    return WeightTile(even(sc, min(limit, 14)), 1)


@lru_cache(maxsize=1024)
def plan_weight_grad(size: Geometry, itemsize: int) -> tuple[Plan, tuple[int, ...]]:
    """Return the launches of `conv_weight_grad` and the shape of the partial sums."""
    found = machine()
    assert found is not None
    parts = columns(size.k, found.vector_bytes // itemsize)
    tiles = [weight_rows(size, found, part.vectors) for part in parts]
    sc = size.s * size.c
    room = max(-(-sc // rows) * rows for rows, _ in tiles)
    padded = size.padded[1] * size.c
    copied = size.padded != (size.h, size.w) or room > sc
    padded_row = padded if copied else 0
    height = _block_height(size, itemsize, 1 << 15)
    scratch = ((height - 1) * size.sh + size.r) * padded_row + room
    chunk = -(-size.n // _CHUNKS)
    tasks = -(-size.n // chunk)
    launches = []
    for part, (rows, bands) in zip(parts, tiles):
        tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked, bands)
        values = (
            *_image_params(size, padded_row),
            *(part.first, part.last, part.last_lanes),
            *(size.n, chunk, height, room),
        )
        address = weight_grad_task(tile.literal())
        launches.append(Launch(address, params(*values), tasks, scratch, size.flops))
    return Plan(launches), (tasks, size.r, room, size.k)


def weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Contract images with cotangents by register tiles; both are contiguous."""
    plan, shape = plan_weight_grad(size, x.itemsize)
    partial = np.zeros(shape, x.dtype)
    plan.run(x, g, x, partial)
    return partial[:, :, : size.s * size.c].sum(0).reshape(size.kernel_shape)


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Convolve the cotangent with the weights turned by 180 degrees (stride 1)."""
    turned = np.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))
    return forward(g, turned, None, transposed(size))


@lru_cache(maxsize=1024)
def transposed(size: Geometry) -> Geometry:
    """Return the geometry whose forward convolution is the input gradient."""
    return size._replace(
        h=size.ho,
        w=size.wo,
        c=size.k,
        k=size.c,
        ho=size.h,
        wo=size.w,
        top=size.r - 1 - size.top,
        bottom=size.r - 1 - size.bottom,
        left=size.s - 1 - size.left,
        right=size.s - 1 - size.right,
    )
