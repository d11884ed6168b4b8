"""Dilated convolution by ordinary ones, of images that are sampled more sparsely.

With dilation d and stride s, output o = d * q + p sees the elements

    o * s + t * d = d * (q * s + t) + p * s,

that is every d-th from p * s on. So the outputs that leave the remainder p are an
ordinary convolution with stride s of a subsampled image. Phases p of equal size are
one batch, in which the fast kernels have as much to do as ever. Along each axis there
are at most two sizes; no output is computed in vain.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import memory
from .geometry import Geometry, geometry
from .launch import Array
from .micro import machine

Kernel = Callable[..., Array]


def fits(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether there is dilation, and fast kernels for what remains."""
    dilated = (size.dh > 1 and size.r > 1) or (size.dw > 1 and size.s > 1)
    return dilated and machine() is not None and min(*size.output_shape) > 0


class Phases(NamedTuple):
    """Along one axis, `number` phases from `first` on, each with `outputs` outputs."""

    first: int
    number: int
    outputs: int


def phases_of(outputs: int, dilation: int) -> list[Phases]:
    """Sort the phases of an axis by their number of outputs.

    Example:
        >>> phases_of(5, 2)
        [Phases(first=0, number=1, outputs=3), Phases(first=1, number=1, outputs=2)]
    """
    least, more = divmod(outputs, dilation)
    found = [Phases(0, more, least + 1), Phases(more, dilation - more, least)]
    return [part for part in found if part.number and part.outputs]


class Piece(NamedTuple):
    """Phases of both axes that are one batch, and the convolution of it."""

    rows: Phases
    columns: Phases
    ordinary: Geometry

    def images(self, wide: Array, size: Geometry) -> Array:
        """Return a view of the subsampled images: (phases, phases, n, h, w, c)."""
        (n, _, _, c), step = wide.shape, wide.strides
        down, across = size.sh * step[1], size.sw * step[2]
        start = wide[:, self.rows.first * size.sh :, self.columns.first * size.sw :]
        shape = (self.rows.number, self.columns.number, n)
        strides = (down, across, step[0], size.dh * step[1], size.dw * step[2])
        inner = (self.ordinary.h, self.ordinary.w, c)
        return as_strided(start, (*shape, *inner), (*strides, step[3]), writeable=False)

    def parts(self, size: Geometry) -> Iterator[tuple[tuple[int, int], slice, slice]]:
        """Yield each phase: its place in the batch, the rows and columns it samples."""
        h, w = self.ordinary.h, self.ordinary.w
        for i, j in np.ndindex(self.rows.number, self.columns.number):
            top = (self.rows.first + i) * size.sh
            left = (self.columns.first + j) * size.sw
            down = slice(top, top + (h - 1) * size.dh + 1, size.dh)
            yield (i, j), down, slice(left, left + (w - 1) * size.dw + 1, size.dw)

    def outputs(self, size: Geometry) -> Iterator[tuple[tuple[int, int], slice, slice]]:
        """Yield each phase: its place in the batch, the outputs that are its own."""
        for i, j in np.ndindex(self.rows.number, self.columns.number):
            row, column = self.rows.first + i, self.columns.first + j
            yield (i, j), slice(row, None, size.dh), slice(column, None, size.dw)


@lru_cache(maxsize=1024)
def pieces(size: Geometry) -> list[Piece]:
    """Return the ordinary convolutions that make up a dilated one."""
    found = []
    pairs = itertools.product(phases_of(size.ho, size.dh), phases_of(size.wo, size.dw))
    for rows, columns in pairs:
        h = (rows.outputs - 1) * size.sh + size.r
        w = (columns.outputs - 1) * size.sw + size.s
        shape = (rows.number * columns.number * size.n, h, w, size.c)
        stride = (size.sh, size.sw)
        rest = (size.kernel_shape, stride, ((0, 0), (0, 0)), (1, 1), size.groups)
        found.append(Piece(rows, columns, geometry(shape, *rest)))
    return found


def _bordered(x: Array, size: Geometry) -> Array:
    if size.padded == (size.h, size.w):
        return x
    border = ((0, 0), (size.top, size.bottom), (size.left, size.right), (0, 0))
    return np.pad(x, border)


def forward(
    kernel: Kernel, x: Array, w: Array, b: Array | None, size: Geometry
) -> Array:
    """Convolve by `kernel(x, w, b, size)`, which does ordinary convolutions."""
    wide, y = _bordered(x, size), memory.empty(size.output_shape, x.dtype)
    for piece in pieces(size):
        images = np.ascontiguousarray(piece.images(wide, size))
        found = kernel(images.reshape(piece.ordinary.input_shape), w, b, piece.ordinary)
        found = found.reshape(*images.shape[:3], *found.shape[1:])
        for at, down, across in piece.outputs(size):
            y[:, down, across] = found[at]
    return y


def _batch(piece: Piece, g: Array, size: Geometry) -> Array:
    """Return the cotangents of a piece's outputs as one batch."""
    shape = (piece.rows.outputs, piece.columns.outputs, size.k)
    counts = (piece.rows.number, piece.columns.number)
    batch = memory.empty((*counts, size.n, *shape), g.dtype)
    for at, down, across in piece.outputs(size):
        batch[at] = g[:, down, across]
    return batch.reshape(piece.ordinary.output_shape)


def input_grad(kernel: Kernel, g: Array, w: Array, size: Geometry) -> Array:
    """Return the cotangent of the input by `kernel(g, w, size)`."""
    wide = memory.zeros((size.n, *size.padded, size.c), g.dtype)
    for piece in pieces(size):
        found = kernel(_batch(piece, g, size), w, piece.ordinary)
        counts = (piece.rows.number, piece.columns.number)
        found = found.reshape(*counts, size.n, *found.shape[1:])
        for at, down, across in piece.parts(size):
            wide[:, down, across] += found[at]
    if size.padded == (size.h, size.w):
        return wide
    inside = slice(size.top, size.top + size.h), slice(size.left, size.left + size.w)
    return np.ascontiguousarray(wide[:, inside[0], inside[1]])


def weight_grad(kernel: Kernel, x: Array, g: Array, size: Geometry) -> Array:
    """Return the cotangent of the weights by `kernel(x, g, size)`."""
    wide, total = _bordered(x, size), memory.zeros(size.kernel_shape, x.dtype)
    for piece in pieces(size):
        images = np.ascontiguousarray(piece.images(wide, size))
        batch = _batch(piece, g, size)
        total += kernel(
            images.reshape(piece.ordinary.input_shape), batch, piece.ordinary
        )
    return total
