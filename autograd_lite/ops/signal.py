"""Correlation of signals in any number of axes: one primitive, closed under gradients.

Convolutions of all modes are correlations of padded and flipped signals, and so are the
cotangents of a correlation.
"""

from __future__ import annotations

import math
from functools import cache
from types import ModuleType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..core import defjvp, defvjp, primitive
from .basic import cast, transpose
from .batch import batch_rows
from .shape import flip, pad

# Windows are gathered into a matrix of up to this many elements; above it the Fourier
# transform does with less memory, and is faster.
LARGEST_MATRIX = 1 << 22


@cache
def scipy_signal() -> ModuleType:
    """Return `scipy.signal`; imported on first use, because that takes long."""
    import scipy.signal

    return scipy.signal


@primitive
def correlate(x, y, *, method="auto"):
    """Return z[b, i, j, k], the sum over d and l of x[b, i, d, k + l] y[b, j, d, l].

    x: (b, i, d, *n), y: (b, j, d, *m) with m <= n in each of any number of axes
    -> (b, i, j, *(n - m + 1)). `method` is "direct", "fft" or "auto", as in SciPy.
    """
    if x.shape[:3] == y.shape[:3] == (1, 1, 1):
        kernel = np.flip(y[0, 0, 0])
        z = scipy_signal().convolve(x[0, 0, 0], kernel, "valid", method)
        return z[None, None, None]
    positions = [n - m + 1 for n, m in zip(x.shape[3:], y.shape[3:])]
    gathered = math.prod(x.shape[:3]) * math.prod(positions) * math.prod(y.shape[3:])
    if method == "fft" or (method == "auto" and gathered > LARGEST_MATRIX):
        return _by_fourier(x, y)
    return _by_matrix(x, y)


def _by_fourier(x, y):
    axes = tuple(range(4, x.ndim + 1))
    kernel = np.flip(y, tuple(range(3, y.ndim)))[:, None]
    pairs = np.broadcast_to(x[:, :, None], (*x.shape[:2], y.shape[1], *x.shape[2:]))
    each = scipy_signal().fftconvolve(pairs, kernel, "valid", axes=axes)
    return each.sum(axis=3)


def _by_matrix(x, y):
    space = tuple(range(3, x.ndim))
    windows = sliding_window_view(x, y.shape[3:], space)  # (b, i, d, *k, *m)
    positions = windows.shape[3 : x.ndim]
    rows = np.moveaxis(windows, 2, x.ndim - 1)  # (b, i, *k, d, *m)
    b, i = x.shape[:2]
    rows = rows.reshape(b, i * math.prod(positions), math.prod(y.shape[2:]))
    columns = y.reshape(b, y.shape[1], -1).transpose(0, 2, 1)
    z = (rows @ columns).reshape(b, i, *positions, y.shape[1])
    return np.moveaxis(z, -1, 2)


def exchanged(x):
    """Return x with its axes 1 and 2 exchanged."""
    return transpose(x, axes=(0, 2, 1, *range(3, len(x.shape))))


def valid_convolution(x, y, method):
    """Return the convolution where y lies inside x; shapes as those of `correlate`."""
    return correlate(x, flip(y, axis=tuple(range(3, len(y.shape)))), method=method)


def full_convolution(x, y, method):
    """Return the convolution wherever x and y overlap, by padding x."""
    margins = tuple([(m - 1, m - 1) for m in y.shape[3:]])
    return valid_convolution(pad(x, widths=((0, 0),) * 3 + margins), y, method)


def _correlate_vjp_x(ans, x, y, *, method="auto"):
    dtype = x.dtype
    return lambda g: cast(full_convolution(g, exchanged(y), method), dtype)


def _correlate_vjp_y(ans, x, y, *, method="auto"):
    dtype = y.dtype

    def pull(g):
        y_bar = correlate(exchanged(x), exchanged(g), method=method)
        return cast(exchanged(y_bar), dtype)

    return pull


defvjp(correlate, _correlate_vjp_x, _correlate_vjp_y)
defjvp(
    correlate,
    lambda x_dot, ans, x, y, **params: correlate(x_dot, y, **params),
    lambda y_dot, ans, x, y, **params: correlate(x, y_dot, **params),
)

batch_rows(correlate)
