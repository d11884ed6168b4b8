"""Dense layers and dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import is_recorded
from ..errors import ArgumentError, ShapeError, UnsupportedError
from ..ops.basic import reshape
from ..ops.dense import affine
from .arrays import as_array, as_float, check_generator


def dense(
    x: Any, w: Any, b: Any = None, activation: Callable[[Any], Any] | None = None
) -> Any:
    """Return `activation(x @ w + b)`. x: (..., i), w: (i, o), b: (o) -> (..., o)

    >>> dense(np.ones((2, 3)), np.ones((3, 4)), np.zeros(4)).shape
    (2, 4)
    """
    x, w = as_array(x), as_array(w)
    if w.ndim != 2 or x.ndim < 1 or x.shape[-1] != w.shape[0]:
        raise ShapeError(
            f"x has shape {x.shape} and w {w.shape}; expected (..., i) and (i, o). "
            "Images are made rows by nn.flatten(x)."
        )
    y = x @ w if b is None else _affine(x, w, as_array(b))
    return y if activation is None else activation(y)


def _affine(x: Any, w: Any, b: Any) -> Any:
    if b.shape != w.shape[1:]:
        raise ShapeError(f"b has shape {b.shape}, expected {w.shape[1:]}.")
    if not x.dtype == w.dtype == b.dtype or x.dtype.char not in "fd":
        return x @ w + b
    if x.ndim == 2:
        return affine(x, w, b)
    y = affine(reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1])), w, b)
    return reshape(y, shape=(*x.shape[:-1], w.shape[1]))


def flatten(x: Any) -> Any:
    """Return all axes but the first as one. x: (n, ...) -> (n, i)

    >>> flatten(np.ones((2, 3, 4))).shape
    (2, 12)
    """
    x = as_array(x)
    if x.ndim < 1:
        raise ShapeError("x has no axes, expected (n, ...).")
    return reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))


def dropout(x: Any, rate: float, rng: Any, train: bool = True) -> Any:
    """Return x with a share `rate` of its elements zeroed and the rest scaled up.

    The mean stays the same: what is kept is divided by 1 - rate. Without `train`, x is
    returned as it is and `rng`, a `numpy.random.Generator`, may be None.
    N. Srivastava and others, 2014, "Dropout".

    >>> dropout(np.ones(4), 0.5, np.random.default_rng(0))
    array([2., 2., 2., 0.])
    """
    if not 0 <= rate < 1:
        raise ArgumentError(f"rate={rate}: expected a share from 0 to less than 1.")
    x = as_float(x, "x")
    if not train or rate == 0:
        return x
    check_generator(rng)
    if is_recorded(x):
        raise UnsupportedError(
            "dropout inside of jit would drop the same elements at each call. Draw "
            "the mask before, and pass it to the jitted function as an array."
        )
    kept = rng.random(x.shape, np.float32) >= rate
    return x * (kept * x.dtype.type(1 / (1 - rate)))
