"""Fourier transforms along one axis: four linear primitives, one another's transposes.

The matrix of the discrete Fourier transform is symmetric, so `fft` and `ifft` are their
own rules. The transforms of real arrays keep half of a Hermitian spectrum; in the
transpose of one stands the other, with the first one's factor, and each element of the
half counts for itself and for its mirror image. Lengths are those of the arrays:
cropping and padding are operations of their own.
"""

from __future__ import annotations

import numpy as np

from ..core import defbatch, defjvp, defvjp, primitive
from .basic import cast
from .elementwise import conj

# The transforms of each pair are scaled so that one undoes the other. Without their
# factors they would be transposes; so in the transpose the factor is the other one's.
TRANSPOSED_NORM = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


@primitive
def fft(x, *, axis, norm):
    """Return the Fourier transform along one axis."""
    return np.fft.fft(x, axis=axis, norm=norm)


@primitive
def ifft(x, *, axis, norm):
    """Return the inverse Fourier transform along one axis."""
    return np.fft.ifft(x, axis=axis, norm=norm)


def _symmetric(transform):
    def rule(ans, x, *, axis, norm):
        dtype = x.dtype
        return lambda g: cast(transform(g, axis=axis, norm=norm), dtype)

    return rule


defvjp(fft, _symmetric(fft))
defvjp(ifft, _symmetric(ifft))


@primitive
def rfft(x, *, axis, norm):
    """Return the half x.shape[axis] // 2 + 1 of the Fourier transform of a real x."""
    return np.fft.rfft(x, axis=axis, norm=norm)


def _rfft_vjp(ans, x, *, axis, norm):
    n, dtype, back = x.shape[axis], x.dtype, TRANSPOSED_NORM[norm]

    def pull(g):
        half = conj(g) / times_counted(n, g, axis)
        return cast(irfft(half, n=n, axis=axis, norm=back), dtype)

    return pull


@primitive
def irfft(x, *, n, axis, norm):
    """Return the n real numbers whose Fourier transform has x as its first half.

    x has n // 2 + 1 elements along the axis. The imaginary part of the first, and for
    even n of the last, does not matter.
    """
    return np.fft.irfft(x, n, axis=axis, norm=norm)


def _irfft_vjp(ans, x, *, n, axis, norm):
    dtype, back = x.dtype, TRANSPOSED_NORM[norm]

    def pull(g):
        half = conj(rfft(g, axis=axis, norm=back))
        return cast(half * times_counted(n, half, axis), dtype)

    return pull


def times_counted(n, half, axis):
    """Return how often each element of half a spectrum stands in the whole: 1 or 2."""
    counts = np.full(n // 2 + 1, 2, half.dtype.char.lower())
    counts[0] = 1
    if n % 2 == 0:
        counts[-1] = 1
    return counts.reshape([-1 if i == axis else 1 for i in range(len(half.shape))])


defvjp(rfft, _rfft_vjp)
defvjp(irfft, _irfft_vjp)


def _linear(transform):
    """Define forward mode and `vmap` of a transform."""

    def along_next(size, args, batched, *, axis, **params):
        return transform(*args, axis=axis + 1, **params)

    defjvp(transform, lambda x_dot, ans, x, **params: transform(x_dot, **params))
    defbatch(transform, along_next)


for _transform in [fft, ifft, rfft, irfft]:
    _linear(_transform)
