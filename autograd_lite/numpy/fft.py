"""numpy.fft, differentiable: composites of the four transforms along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Primitive
from ..errors import ArgumentError, DifferentiationTypeError
from ..ops import fft as ops
from ..ops import shape as moving
from ..ops.elementwise import conj
from .dispatch import Axis, axes_of, axis_of, implements, operand
from .shapes import roll

Lengths = Sequence[int] | None
Axes = Sequence[int] | None
Norm = str | None

# -- one axis -------------------------------------------------------------------------


def _resized(a: Any, n: int, axis: int) -> Any:
    """Return `a` cropped, or padded with zeros, to the length n along an axis."""
    old = a.shape[axis]
    if n < old:
        return moving.span(a, axis, 0, n)
    if n == old:
        return a
    widths = tuple([(0, n - old if i == axis else 0) for i in range(a.ndim)])
    return moving.pad(a, widths=widths)


def _length(n: Any, default: int) -> int:
    """Return the length of a transform; raise unless it is positive."""
    length = default if n is None else int(n)
    if length < 1:
        raise ArgumentError(
            f"a Fourier transform of {length} points; expected 1 or more"
        )
    return length


def _norm(norm: Norm) -> str:
    """Return the name of a normalisation; raise unless there is one of that name."""
    name = "backward" if norm is None else norm
    if name not in ops.TRANSPOSED_NORM:
        raise ArgumentError(
            f"norm={norm!r}; expected one of {', '.join(ops.TRANSPOSED_NORM)}"
        )
    return name


def _complex(transform: Primitive, a: Any, n: Any, axis: int, norm: Norm) -> Any:
    a = operand(a)
    axis = axis_of(axis, a.ndim)
    resized = _resized(a, _length(n, a.shape[axis]), axis)
    return transform(resized, axis=axis, norm=_norm(norm))


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None) -> Any:
    """Return the Fourier transform along an axis, cropped or zero-padded to length n.

    Each of the functions here takes `norm`: "backward" (the inverse is divided by n),
    "ortho" (both by sqrt(n)) or "forward" (the forward transform by n). Raises
    `ArgumentError`, a `ValueError`, for another name or a length below 1.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> power = lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2)
    >>> print(grad(power)(np.array([1.0, 2.0, 4.0])))  # Parseval: power = sum(x**2)
    [2. 4. 8.]
    """
    return _complex(ops.fft, a, n, axis, norm)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None) -> Any:
    """Return the inverse Fourier transform along an axis."""
    return _complex(ops.ifft, a, n, axis, norm)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None) -> Any:
    """Return the first n // 2 + 1 elements of the Fourier transform of real numbers."""
    a = operand(a)
    if a.dtype.kind == "c":
        raise DifferentiationTypeError(
            f"a transform of real numbers got dtype {a.dtype}; use np.fft.fft"
        )
    return _complex(ops.rfft, a, n, axis, norm)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None) -> Any:
    """Return n real numbers from the first n // 2 + 1 elements of their transform.

    Give n where it is odd: the default is 2 * (length - 1). Imaginary parts that a
    transform of real numbers cannot have are ignored, and have zero gradient.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> half = np.array([1.0, 2.0, 3.0])
    >>> print(grad(lambda y: np.fft.irfft(y, norm="forward")[0])(half))
    [1. 2. 1.]
    """
    a = operand(a)
    axis = axis_of(axis, a.ndim)
    n = _length(n, 2 * (a.shape[axis] - 1))
    return ops.irfft(_resized(a, n // 2 + 1, axis), n=n, axis=axis, norm=_norm(norm))


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None) -> Any:
    """Return the n real numbers that a signal with Hermitian symmetry transforms to."""
    return irfft(conj(operand(a)), n, axis, ops.TRANSPOSED_NORM[_norm(norm)])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None) -> Any:
    """Return half of the inverse transform of real numbers: the inverse of `hfft`."""
    return conj(rfft(a, n, axis, ops.TRANSPOSED_NORM[_norm(norm)]))


# -- several axes ---------------------------------------------------------------------


def _transforms(a: Any, s: Lengths, axes: Axes) -> list[tuple[int | None, int]]:
    """Return (length, axis) for each transform; a length -1 is the array's own.

    An axis may come more than once: it is transformed each time.
    """
    if axes is None:
        axes = range(-(a.ndim if s is None else len(s)), 0)
    where = [axis_of(int(i), a.ndim) for i in axes]
    lengths = [-1] * len(where) if s is None else list(s)
    if len(lengths) != len(where):
        raise ArgumentError(f"s={s} has {len(lengths)} lengths for {len(where)} axes")
    return [(a.shape[i] if n == -1 else n, i) for n, i in zip(lengths, where)]


def _along_all(transform: Any, a: Any, s: Lengths, axes: Axes, norm: Norm) -> Any:
    a = operand(a)
    for n, axis in reversed(_transforms(a, s, axes)):
        a = transform(a, n, axis, norm)
    return a


@implements(np.fft.fftn)
def fftn(a: Any, s: Lengths = None, axes: Axes = None, norm: Norm = None) -> Any:
    """Return the Fourier transform along axes (default: all, or the last len(s))."""
    return _along_all(fft, a, s, axes, norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Lengths = None, axes: Axes = None, norm: Norm = None) -> Any:
    """Return the inverse Fourier transform along axes."""
    return _along_all(ifft, a, s, axes, norm)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Lengths = None, axes: Axes = None, norm: Norm = None) -> Any:
    """Return the Fourier transform of real numbers, along the last axis half of it."""
    a = operand(a)
    *others, (n, axis) = _transforms(a, s, axes)
    a = rfft(a, n, axis, norm)
    for n, axis in reversed(others):
        a = fft(a, n, axis, norm)
    return a


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Lengths = None, axes: Axes = None, norm: Norm = None) -> Any:
    """Return real numbers from the half of their transform: the inverse of `rfftn`."""
    a = operand(a)
    *others, (n, axis) = _transforms(a, s, axes)
    for m, other in others:
        a = ifft(a, m, other, norm)
    return irfft(a, None if s is None else n, axis, norm)


@implements(np.fft.fft2)
def fft2(a: Any, s: Lengths = None, axes: Axes = (-2, -1), norm: Norm = None) -> Any:
    """Return the Fourier transform along two axes."""
    return fftn(a, s, axes, norm)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Lengths = None, axes: Axes = (-2, -1), norm: Norm = None) -> Any:
    """Return the inverse Fourier transform along two axes."""
    return ifftn(a, s, axes, norm)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Lengths = None, axes: Axes = (-2, -1), norm: Norm = None) -> Any:
    """Return the Fourier transform of real numbers along two axes, half of the last."""
    return rfftn(a, s, axes, norm)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Lengths = None, axes: Axes = (-2, -1), norm: Norm = None) -> Any:
    """Return real numbers from the half of their transform along two axes."""
    return irfftn(a, s, axes, norm)


# -- frequencies ----------------------------------------------------------------------


@implements(np.fft.fftfreq)
def fftfreq(n: int, d: Any = 1.0) -> Any:
    """Return the frequencies of a transform's elements; d is the sample spacing."""
    return np.fft.fftfreq(n) / d


@implements(np.fft.rfftfreq)
def rfftfreq(n: int, d: Any = 1.0) -> Any:
    """Return the frequencies of the elements of `rfft`, for the sample spacing d."""
    return np.fft.rfftfreq(n) / d


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Axis = None) -> Any:
    """Return x with the zero frequency moved to the middle of axes."""
    return _shifted(x, axes, 1)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Axis = None) -> Any:
    """Return x with the zero frequency moved from the middle to the front again."""
    return _shifted(x, axes, -1)


def _shifted(x: Any, axes: Axis, direction: int) -> Any:
    x = operand(x)
    chosen = axes_of(axes, x.ndim)
    lengths = [x.shape[i] for i in chosen]
    shifts = [n // 2 if direction > 0 else -(n // 2) for n in lengths]
    return roll(x, shifts, chosen)


# fmt: off
__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn",
    "ifftshift", "ihfft", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq",
    "rfftn",
]
