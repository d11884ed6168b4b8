"""Convolution and correlation of `scipy.signal`, differentiable.

Without a tracer among the arguments the results are SciPy's, bit for bit. `convolve`
takes the axes of HIPS autograd's as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.signal

from ..errors import ArgumentError, ShapeError
from ..numpy.dispatch import axes_of, has_tracer, implements, operand
from ..ops import signal as ops
from ..ops.basic import broadcast_to, reshape, transpose
from ..ops.elementwise import conj
from ..ops.shape import crop

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "fftconvolve",
    "oaconvolve",
]

Axes = tuple[int, ...]


def convolve(
    in1: Any,
    in2: Any,
    mode: str = "full",
    method: str = "auto",
    *,
    axes: Sequence[Sequence[int]] | None = None,
    dot_axes: Sequence[Sequence[int]] = ((), ()),
) -> Any:
    """Return the convolution of two arrays with the same number of axes.

    Args:
        in1, in2: the arrays.
        mode: "full", "same" (shape of in1, the middle of "full") or "valid".
        method: "direct", "fft" or "auto".
        axes: as in HIPS autograd, the pair (axes of in1, axes of in2) to convolve over,
            where it is not all of them.
        dot_axes: the pair of axes to sum products over. The result's axes are those of
            in1 named in neither, those of in2, and the convolved ones.

    Raises `ShapeError` where mode="valid" and neither array is inside the other.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0])
    >>> convolve(x, y)
    array([ 1., 12., 23., 30.])
    >>> grad(lambda y: convolve(x, y, "valid").sum())(y)
    array([5., 3.])
    """
    _check_mode(mode)
    if axes is None and not has_tracer((in1, in2)):
        return scipy.signal.convolve(in1, in2, mode, method)
    x, y = operand(in1), operand(in2)
    if axes is None:
        if x.ndim != y.ndim:
            raise ShapeError(f"convolve of shapes {x.shape} and {y.shape}: axes differ")
        axes = (range(x.ndim), range(y.ndim))
    ours, theirs = axes_of(tuple(axes[0]), x.ndim), axes_of(tuple(axes[1]), y.ndim)
    dot_ours = axes_of(tuple(dot_axes[0]), x.ndim)
    dot_theirs = axes_of(tuple(dot_axes[1]), y.ndim)
    x, kept_x = _arranged(x, dot_ours, ours)
    y, kept_y = _arranged(y, dot_theirs, theirs)
    z = _convolved(x, y, mode, method)
    z = reshape(z, shape=(*kept_x, *kept_y, *z.shape[3:]))
    return _middle(z, (*kept_x, *kept_y, *x.shape[3:])) if mode == "same" else z


def _check_mode(mode: Any) -> None:
    if mode not in ("full", "same", "valid"):
        raise ArgumentError(
            f"mode={mode!r}: expected 'full', 'same' or 'valid' (axes are given by "
            "keyword)"
        )


def _arranged(x: Any, dot: Axes, space: Axes) -> tuple[Any, tuple[int, ...]]:
    """Return x as (1, kept axes, dot axes, *space), and the shape of the kept axes."""
    kept = tuple([i for i in range(x.ndim) if i not in dot + space])
    moved = transpose(x, axes=kept + dot + space)
    a, b = len(kept), len(kept) + len(dot)
    rows, sums = math.prod(moved.shape[:a]), math.prod(moved.shape[a:b])
    return reshape(moved, shape=(1, rows, sums, *moved.shape[b:])), moved.shape[:a]


def _convolved(x: Any, y: Any, mode: str, method: str) -> Any:
    """Convolve x: (b, i, d, *n) and y: (b, j, d, *m) to (b, i, j, *k).

    The result is the full one for mode="same" as well.
    """
    n, m = x.shape[3:], y.shape[3:]
    if mode == "valid":
        inside = all(a >= b for a, b in zip(n, m))
        if not inside and not all(a <= b for a, b in zip(n, m)):
            raise ShapeError(
                f"mode='valid' of lengths {n} and {m}: one array must be at least as "
                "long as the other along every axis"
            )
        if inside:
            return ops.valid_convolution(x, y, method)
        return ops.exchanged(ops.valid_convolution(y, x, method))
    if math.prod(m) <= math.prod(n):
        return ops.full_convolution(x, y, method)
    return ops.exchanged(ops.full_convolution(y, x, method))


def _middle(full: Any, shape: tuple[int, ...]) -> Any:
    """Return the middle part, of this shape."""
    starts = tuple([(n - m) // 2 for n, m in zip(full.shape, shape)])
    stops = tuple([start + m for start, m in zip(starts, shape)])
    return crop(full, starts=starts, stops=stops)


# -- scipy's other forms --------------------------------------------------------------


@implements(scipy.signal.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Return the cross-correlation: the convolution with in2 reversed, conjugated."""
    in2 = operand(in2)
    return convolve(in1, conj(np.flip(in2)), mode, method)


@implements(scipy.signal.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Return the convolution by Fourier transform, over `axes` or all of them.

    Other axes are broadcast against each other.
    """
    _check_mode(mode)
    x, y = operand(in1), operand(in2)
    if x.ndim != y.ndim:
        raise ShapeError(f"fftconvolve of shapes {x.shape} and {y.shape}: axes differ")
    space = axes_of(axes, x.ndim)
    batch = tuple([i for i in range(x.ndim) if i not in space])
    shape = np.broadcast_shapes(*[[a.shape[i] for i in batch] for a in (x, y)])
    first, second = (_stacked(a, batch, space, shape) for a in (x, y))
    z = _convolved(first, second, mode, "fft")
    z = reshape(z, shape=(*shape, *z.shape[3:]))
    order = batch + space
    z = transpose(z, axes=tuple([order.index(i) for i in range(len(order))]))
    return _middle(z, x.shape) if mode == "same" else z


def _stacked(x: Any, batch: Axes, space: Axes, shape: tuple[int, ...]) -> Any:
    """Return x as (b, 1, 1, *space), its other axes broadcast to `shape`."""
    moved = transpose(x, axes=batch + space)
    lengths = moved.shape[len(batch) :]
    wide = broadcast_to(moved, shape=(*shape, *lengths))
    return reshape(wide, shape=(math.prod(shape), 1, 1, *lengths))


@implements(scipy.signal.oaconvolve)
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Return the convolution, as `fftconvolve` does."""
    return fftconvolve(in1, in2, mode, axes)


@implements(scipy.signal.convolve2d)
def convolve2d(in1: Any, in2: Any, mode: str = "full") -> Any:
    """Return the convolution of two matrices, with zeros around them."""
    return convolve(in1, in2, mode, "direct")


@implements(scipy.signal.correlate2d)
def correlate2d(in1: Any, in2: Any, mode: str = "full") -> Any:
    """Return the cross-correlation of two matrices, with zeros around them.

    Of an even length, SciPy takes the other middle here than in `correlate`.
    """
    if mode != "same":
        return correlate(in1, in2, mode, "direct")
    full, n = correlate(in1, in2, "full", "direct"), operand(in1).shape
    starts = tuple([m // 2 for m in operand(in2).shape])
    return crop(full, starts=starts, stops=tuple([a + b for a, b in zip(starts, n)]))
