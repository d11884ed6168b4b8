"""Linear maps along one axis, and the elements that win windows.

`mix` is a sparse matrix along an axis: averages over windows and parts, interpolation.
Its VJP is the transposed matrix. Maxima of windows are found by `window_winners`, which
has no gradient, and read by `pick`, which is linear; its VJP is `place`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from ..core import Primitive, defjvp, defvjp, primitive
from . import taps as tables
from .basic import reshape
from .batch import batch_along_axes, batch_rows


@cache
def _kernels() -> ModuleType:
    """Return `kernels.mixing`; imported on first use, because it loads Numba."""
    from ..kernels import mixing as kernels

    return kernels


@cache
def _tiles() -> ModuleType:
    from ..kernels import mixing_tiles as kernels

    return kernels


@lru_cache(maxsize=1024)
def _table(taps: Any, turned: bool) -> Any:
    return _tiles().table(*tables.rows(taps, turned))


@primitive
def mix(x: Any, *, axis: int, taps: Any, turned: bool = False) -> Any:
    """Return the matrix `taps` of `ops.taps`, or its transpose, along an axis.

    Of a pair of them, the second is for the axis that follows.
    """
    if type(taps) is not tuple:
        return _kernels().mix(x, axis, *tables.rows(taps, turned))
    matrices = [_table(axis_taps, turned) for axis_taps in taps]
    if all(matrices) and _tiles().fits(x):
        return _tiles().mix_pair(np.ascontiguousarray(x), axis, *matrices)
    for i, axis_taps in enumerate(taps):
        x = _kernels().mix(x, axis + i, *tables.rows(axis_taps, turned))
    return x


def _mix_vjp(ans: Any, x: Any, *, axis: int, taps: Any, turned: bool = False) -> Any:
    return lambda g: mix(g, axis=axis, taps=taps, turned=not turned)


defvjp(mix, _mix_vjp)
defjvp(mix, lambda x_dot, ans, x, **params: mix(x_dot, **params))
batch_along_axes(mix)


def _window_winners(x: Any, *, taps: Any) -> Any:
    """Return the maximum of each window, and the place of the element that won.

    `taps` has a description of `ops.taps` for each axis between the first and last.
    """
    return _kernels().winners(x, tuple([tables.bins(axis) for axis in taps]))


window_winners = Primitive(_window_winners, multiple=True, differentiable=False)
batch_rows(window_winners)


@primitive
def pick(x: Any, index: Any, y: Any = None) -> Any:
    """Return the elements of x at these places: x: (n, m, c), index: (n, o, c).

    Where they are known already, `y` says so: linear in x all the same.
    """
    return _kernels().pick(x, index) if y is None else y


@primitive
def place(g: Any, index: Any, *, size: int) -> Any:
    """Add g to zeros at these places: g, index: (n, o, c) -> (n, size, c)."""
    return _kernels().place(g, index, size)


def _pick_vjp(ans: Any, x: Any, index: Any, y: Any = None) -> Any:
    size = x.shape[1]
    return lambda g: place(g, index, size=size)


def _pick_jvp(x_dot: Any, ans: Any, x: Any, index: Any, y: Any = None) -> Any:
    return pick(x_dot, index)


defvjp(pick, _pick_vjp, None, None)
defvjp(place, lambda ans, g, index, *, size: lambda x_bar: pick(x_bar, index), None)
defjvp(pick, _pick_jvp, None, None)
defjvp(place, lambda g_dot, ans, g, index, **size: place(g_dot, index, **size), None)
batch_rows(pick, place)


def windows_max(x: Any, taps: Any) -> tuple[Any, Any]:
    """Return the maximum of each window and, a constant, its place in the image.

    x: (n, *size, c) -> two of (n, *counts, c)
    """
    y, index = window_winners(x, taps=taps)
    n, *counts, c = y.shape
    m, o = 1, 1
    for size, count in zip(x.shape[1:-1], counts):
        m, o = m * size, o * count
    flat = reshape(x, shape=(n, m, c))
    rows = [reshape(part, shape=(n, o, c)) for part in (index, y)]
    return reshape(pick(flat, *rows), shape=(n, *counts, c)), index


def along_each(x: Any, first: int, taps: Any) -> Any:
    """Apply one description after the other to the axes from `first` on."""
    waiting = [(i, t) for i, t in enumerate(taps, start=first) if not _is_identity(t)]
    while waiting:
        axis, axis_taps = waiting.pop()
        if waiting and waiting[-1][0] == axis - 1:
            axis, before = waiting.pop()
            axis_taps = (before, axis_taps)
        x = mix(x, axis=axis, taps=axis_taps)
    return x


def _is_identity(taps: Any) -> bool:
    pointers, indices, weights = tables.rows(taps)
    same = taps.size == taps.results == len(indices) == len(pointers) - 1
    return same and (indices == np.arange(len(indices))).all() and (weights == 1).all()
