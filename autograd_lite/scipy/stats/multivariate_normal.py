"""The multivariate normal distribution.

The density reads cov as (cov + cov^T) / 2, so that its gradient is symmetric.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ShapeError
from ...numpy.dispatch import operand
from ...ops.elementwise import exp, log, where
from ...ops.matrix_functions import solve_triangular
from ...ops.shape import swap_last
from .common import LOG_TWO_PI


def logpdf(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    """Return the logarithm of the density at x: (..., d).

    Args:
        mean: (d,), or None for zeros.
        cov: (d, d), or a vector for a diagonal one, or a number. It must be positive
            definite (else `LinAlgError`), unless `allow_singular`: then the density is
            that on the subspace which cov spans, and -inf elsewhere.

    >>> print(logpdf([0.0, 0.0]))
    -1.8378770664093453
    """
    x, mean, cov = _arranged(x, mean, cov)
    return _log_density(x - mean, cov, allow_singular)


def pdf(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    """Return the density at x: (..., d); arguments as those of `logpdf`."""
    return exp(logpdf(x, mean, cov, allow_singular))


def entropy(mean: Any = None, cov: Any = 1) -> Any:
    """Return the differential entropy."""
    factor = np.linalg.cholesky(_symmetric(_matrix(operand(cov), None)))
    d = factor.shape[-1]
    return d / 2 * (LOG_TWO_PI + 1) + np.sum(log(np.diagonal(factor)))


def _arranged(x: Any, mean: Any, cov: Any) -> tuple[Any, Any, Any]:
    """Return x: (..., d), mean: (d,) and cov: (d, d) for what SciPy accepts."""
    x, cov = operand(x), operand(cov)
    d = _dimension(x, mean, cov)
    mean = np.zeros(d) if mean is None else np.reshape(operand(mean), (d,))
    if x.ndim == 0 or (d == 1 and x.shape[-1:] != (1,)):
        x = np.expand_dims(x, -1)
    cov = _matrix(cov, d)
    if x.shape[-1] != d or cov.shape != (d, d):
        raise ShapeError(
            f"x of shape {x.shape}, cov of shape {cov.shape} for a mean of length {d}"
        )
    return x, mean, cov


def _dimension(x: Any, mean: Any, cov: Any) -> int:
    if mean is not None:
        return operand(mean).size
    if cov.ndim:
        return cov.shape[0]
    return x.shape[-1] if x.ndim else 1


def _matrix(cov: Any, d: int | None) -> Any:
    if cov.ndim == 0:
        return cov * np.eye(d or 1)
    return np.diag(cov) if cov.ndim == 1 else cov


def _symmetric(cov: Any) -> Any:
    return (cov + swap_last(cov)) / 2


def _log_density(deviation: Any, cov: Any, allow_singular: bool) -> Any:
    cov = _symmetric(cov)
    if allow_singular:
        return _singular_log_density(deviation, cov)
    d = cov.shape[-1]
    factor = np.linalg.cholesky(cov)
    columns = np.reshape(deviation, (-1, d)).T
    z = solve_triangular(factor, columns, lower=True)
    squares = np.reshape(np.sum(z * z, axis=0), deviation.shape[:-1])
    return -squares / 2 - d / 2 * LOG_TWO_PI - np.sum(log(np.diagonal(factor)))


def _singular_log_density(deviation: Any, cov: Any) -> Any:
    values = np.linalg.eigvalsh(cov)
    cutoff = float(1e6 * np.finfo(float).eps)  # relative, as in SciPy
    kept = values > cutoff * np.max(values)
    rank, volume = np.sum(kept), np.sum(log(where(kept, values, 1.0)))
    inverse = np.linalg.pinv(cov, cutoff, hermitian=True)
    squares = np.sum((deviation @ inverse) * deviation, axis=-1)
    value = -(squares + rank * LOG_TWO_PI + volume) / 2
    rest = deviation - deviation @ inverse @ cov
    off = np.sqrt(np.sum(rest * rest, axis=-1)) > 1e3 * cutoff
    return where(off, -math.inf, value)
