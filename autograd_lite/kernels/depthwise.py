"""Convolution of each channel by itself, and what grouped convolutions make of it.

The channels are the vectors here, of the image and of the weights alike, in the sliding
tiles that do all three contractions by the usual passes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from . import memory
from .columns import Columns
from .geometry import Geometry
from .launch import Array, Launch, run
from .micro import REAL, machine
from .passes import (
    CHUNKS,
    Pass,
    forward_pass,
    input_grad_passes,
    lanes_of,
    phases,
)
from .slides import forward_launch, weight_grad_launch


def _parts(k: int, lanes: int) -> list[Columns]:
    """Cut k channels to single vectors and one that is not full.

    Example:
        >>> [(part.first, part.last_lanes, part.masked) for part in _parts(35, 16)]
        [(0, 16, False), (32, 3, True)]
    """
    main = k - k % lanes
    parts = [Columns(1, lanes, 0, main), Columns(1, lanes, main, k)]
    return [part for part in parts if part.first < part.last]


def _launches(step: Pass, n: int, itemsize: int, bias: bool) -> list[Launch]:
    """Return the launches of a pass over n images."""
    return [
        forward_launch(step, part, n, itemsize, bias, alone=True)
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
        weight_grad_launch(size, part, itemsize, chunk, size.s, alone=True)
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
