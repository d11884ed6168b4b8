"""Random initial weights; biases are plain `np.zeros`.

The fan of a weight is the number of terms that an output sums up: all axes but the last
multiplied, for dense `(inputs, outputs)` and convolution `(r, s, c, k)` alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DifferentiationTypeError, ShapeError
from .arrays import check_generator

Array = np.ndarray[Any, Any]


def he_normal(rng: Any, shape: Sequence[int], dtype: Any = np.float32) -> Array:
    """Return normal weights of variance 2 / fan-in, for layers followed by relu.

    K. He and others, 2015, "Delving Deep into Rectifiers".

    >>> he_normal(np.random.default_rng(0), (3, 3, 1, 8)).dtype
    dtype('float32')
    """
    return _normal(rng, shape, 2 / _fans(shape)[0], dtype)


def he_uniform(rng: Any, shape: Sequence[int], dtype: Any = np.float32) -> Array:
    """Return uniform weights of variance 2 / fan-in."""
    return _uniform(rng, shape, 2 / _fans(shape)[0], dtype)


def glorot_normal(rng: Any, shape: Sequence[int], dtype: Any = np.float32) -> Array:
    """Return normal weights of variance 2 / (fan-in + fan-out).

    X. Glorot and Y. Bengio, 2010, "Understanding the difficulty of training deep
    feedforward neural networks".
    """
    return _normal(rng, shape, 2 / sum(_fans(shape)), dtype)


def glorot_uniform(rng: Any, shape: Sequence[int], dtype: Any = np.float32) -> Array:
    """Return uniform weights of variance 2 / (fan-in + fan-out)."""
    return _uniform(rng, shape, 2 / sum(_fans(shape)), dtype)


def lecun_normal(rng: Any, shape: Sequence[int], dtype: Any = np.float32) -> Array:
    """Return normal weights of variance 1 / fan-in.

    Y. LeCun and others, 1998, "Efficient BackProp".
    """
    return _normal(rng, shape, 1 / _fans(shape)[0], dtype)


def lecun_uniform(rng: Any, shape: Sequence[int], dtype: Any = np.float32) -> Array:
    """Return uniform weights of variance 1 / fan-in."""
    return _uniform(rng, shape, 1 / _fans(shape)[0], dtype)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) < 2 or not all(n > 0 for n in shape):
        raise ShapeError(
            f"shape {tuple(shape)}: expected weights (inputs, outputs) or "
            "(r, s, c, k), no axis empty. Biases are np.zeros."
        )
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _normal(rng: Any, shape: Sequence[int], variance: float, dtype: Any) -> Array:
    _check(rng, dtype)
    return rng.standard_normal(tuple(shape), dtype) * np.dtype(dtype).type(
        math.sqrt(variance)
    )


def _uniform(rng: Any, shape: Sequence[int], variance: float, dtype: Any) -> Array:
    _check(rng, dtype)
    # A uniform distribution on (-1, 1) has variance 1/3.
    limit = np.dtype(dtype).type(math.sqrt(3 * variance))
    return (2 * rng.random(tuple(shape), dtype) - 1) * limit


def _check(rng: Any, dtype: Any) -> None:
    check_generator(rng)
    if np.dtype(dtype).char not in "fd":
        raise DifferentiationTypeError(
            f"dtype {np.dtype(dtype)}: weights are float32 or float64."
        )
