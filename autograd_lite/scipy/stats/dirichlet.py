"""The Dirichlet distribution over points of the simplex."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...numpy.dispatch import operand
from ...ops.elementwise import exp
from ...ops.special.gamma import gammaln, psi
from ...ops.special.logistic import xlogy


def logpdf(x: Any, alpha: Any) -> Any:
    """Return the logarithm of the density at x.

    alpha: (k,); x: (k, ...), or (k - 1, ...) without the last share. A point off the
    simplex raises, as in SciPy. The gradient in x is that of x^(alpha - 1) for each
    share by itself.
    """
    x, alpha = operand(x), operand(alpha)
    x = _completed(x, alpha)
    _check_simplex(x)
    exponents = np.reshape(alpha - 1, (-1,) + (1,) * (x.ndim - 1))
    return np.sum(xlogy(exponents, x), axis=0) - _log_norm(alpha)


def pdf(x: Any, alpha: Any) -> Any:
    """Return the density at x."""
    return exp(logpdf(x, alpha))


def entropy(alpha: Any) -> Any:
    """Return the differential entropy."""
    alpha = operand(alpha)
    total = np.sum(alpha)
    spread = (total - alpha.size) * psi(total) - np.sum((alpha - 1) * psi(alpha))
    return _log_norm(alpha) + spread


def mean(alpha: Any) -> Any:
    """Return the mean."""
    alpha = operand(alpha)
    return alpha / np.sum(alpha)


def rvs(alpha: Any, size: Any = 1, random_state: Any = None) -> Any:
    """Return random points, without gradient."""
    return np.random.default_rng(random_state).dirichlet(alpha, size)


def _log_norm(alpha: Any) -> Any:
    return np.sum(gammaln(alpha)) - gammaln(np.sum(alpha))


def _completed(x: Any, alpha: Any) -> Any:
    """Return x with the last share, if it is missing."""
    if x.shape[0] == alpha.shape[0] - 1:
        return np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
    if x.shape[0] != alpha.shape[0]:
        raise ShapeError(
            f"x of shape {x.shape} for {alpha.shape[0]} parameters alpha; expected "
            "that many shares along axis 0, or one less"
        )
    return x


def _check_simplex(x: Any) -> None:
    if not np.all((x >= 0) & (x <= 1)):
        raise ArgumentError("each share of x must lie in [0, 1]")
    if np.any(abs(np.sum(x, axis=0) - 1) > 10e-10):
        raise ArgumentError("the shares of x must sum to 1 along axis 0")
