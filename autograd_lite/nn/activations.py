"""Activation functions, elementwise or over one axis."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError
from ..fusing import rectify
from ..ops import layers as ops
from ..ops.basic import cast
from ..ops.elementwise import tanh
from ..ops.special.error import erf
from .arrays import as_float, as_real


def relu(x: Any) -> Any:
    """Return max(x, 0); the derivative at 0 is 0, as in PyTorch.

    >>> relu([-1.0, 2.0])
    array([0., 2.])
    """
    return rectify(as_real(x, "x"))


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """Return x where it is positive, else `slope * x`; the derivative at 0 is `slope`.

    >>> leaky_relu([-1.0, 2.0], slope=0.5)
    array([-0.5,  2. ])
    """
    x = as_float(x, "x")
    return x * ops.leaky_slope(x, slope=slope)


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), to full precision at both ends.

    >>> print(sigmoid(0.0))
    0.5
    """
    return ops.sigmoid(as_float(x, "x"))


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), without overflow.

    >>> print(softplus(1000.0))
    1000.0
    """
    return ops.softplus(as_float(x, "x"))


def silu(x: Any) -> Any:
    """Return x * sigmoid(x), also known as swish.

    >>> print(silu(0.0))
    0.0
    """
    x = as_float(x, "x")
    return x * ops.sigmoid(x)


def gelu(x: Any, *, approximate: bool = False) -> Any:
    """Return x times the normal distribution function of x.

    D. Hendrycks and K. Gimpel, 2016, "Gaussian Error Linear Units". `approximate` uses
    their formula with tanh, else it is erf, for which SciPy is loaded.

    >>> print(round(float(gelu(1.0)), 4), round(float(gelu(1.0, approximate=True)), 4))
    0.8413 0.8412
    """
    x = as_float(x, "x")
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1 + tanh(inner))
    distribution = 0.5 * (1 + erf(x * math.sqrt(0.5)))
    return x * cast(distribution, x.dtype)  # SciPy has no erf of float16


def softmax(x: Any, axis: int = -1) -> Any:
    """Return exp(x) divided by its sum along an axis.

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    x = as_float(x, "x")
    return ops.softmax(x, axis=_axis(x, axis))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Return the logarithm of `softmax`, finite where that underflows.

    >>> log_softmax([0.0, 1000.0])
    array([-1000.,     0.])
    """
    x = as_float(x, "x")
    return ops.log_softmax(x, axis=_axis(x, axis))


def _axis(x: Any, axis: int) -> tuple[int]:
    if not hasattr(axis, "__index__"):
        raise ArgumentError(f"axis={axis!r}: expected one axis, an int.")
    if not -x.ndim <= axis < x.ndim:
        raise ArgumentError(f"axis={axis}: x has shape {x.shape}.")
    return (axis % x.ndim,)
