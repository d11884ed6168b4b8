"""Windows of arrays with any number of axes, and their adjoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..core import defbatch, defjvp, defvjp, primitive
from .batch import next_axes


@primitive
def gather_windows(
    x: Any, *, axes: Any, window: Any, stride: Any, dilation: Any
) -> Any:
    """Return the windows along some axes of x, a view; the window's axes are last.

    `axes`, `window`, `stride` and `dilation` are tuples of equal lengths.
    """
    reach = tuple([d * (n - 1) + 1 for n, d in zip(window, dilation)])
    views = sliding_window_view(x, reach, axes)
    steps = [slice(None)] * x.ndim
    for axis, step in zip(axes, stride):
        steps[axis] = slice(None, None, step)
    return views[(*steps, *[slice(None, None, d) for d in dilation])]


@primitive
def add_windows(
    g: Any, *, shape: Any, axes: Any, window: Any, stride: Any, dilation: Any
) -> Any:
    """Add windows to zeros of `shape`: the transpose of `gather_windows`."""
    x_bar = np.zeros(shape, g.dtype)
    for tap, met in _taps(g.shape, axes, window, stride, dilation):
        x_bar[met] += g[(..., *tap)]
    return x_bar


def _taps(
    shape: Any, axes: Any, window: Any, stride: Any, dilation: Any
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Yield each place in the window, and the elements that all windows have there."""
    ndim = len(shape) - len(axes)
    for tap in np.ndindex(*window):
        met = [slice(None)] * ndim
        for axis, i, step, spread in zip(axes, tap, stride, dilation):
            length = max(0, (shape[axis] - 1) * step + 1)
            met[axis] = slice(i * spread, i * spread + length, step)
        yield tap, tuple(met)


def _gather_vjp(ans: Any, x: Any, **params: Any) -> Any:
    shape = x.shape
    return lambda g: add_windows(g, shape=shape, **params)


def _add_vjp(ans: Any, g: Any, *, shape: Any, **params: Any) -> Any:
    return lambda x_bar: gather_windows(x_bar, **params)


defvjp(gather_windows, _gather_vjp)
defvjp(add_windows, _add_vjp)
defjvp(gather_windows, lambda x_dot, ans, x, **params: gather_windows(x_dot, **params))
defjvp(add_windows, lambda g_dot, ans, g, **params: add_windows(g_dot, **params))


def _gather_batch(size: int, args: Any, batched: Any, *, axes: Any, **rest: Any) -> Any:
    return gather_windows(args[0], axes=next_axes(axes), **rest)


def _add_batch(
    size: int, args: Any, batched: Any, *, shape: Any, axes: Any, **rest: Any
) -> Any:
    return add_windows(args[0], shape=(size, *shape), axes=next_axes(axes), **rest)


defbatch(gather_windows, _gather_batch)
defbatch(add_windows, _add_batch)
