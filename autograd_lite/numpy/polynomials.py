"""Polynomials given by their coefficients, the highest power first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core import concrete
from ..errors import ArgumentError, ShapeError
from ..ops.basic import cast
from .dispatch import implements, operand
from .joins import concatenate
from .scans import convolve
from .shapes import atleast_1d


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Return the values of a polynomial at x."""
    p, x = operand(p), operand(x)
    y = 0 * x
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


def _front(p: Any, n: int) -> Any:
    """Return coefficients with zeros in front, n in all."""
    p = atleast_1d(p)
    return np.pad(p, (n - p.shape[0], 0)) if p.shape[0] < n else p


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """Return the sum of two polynomials."""
    n = max(np.size(a1), np.size(a2))
    return _front(a1, n) + _front(a2, n)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """Return the difference of two polynomials."""
    n = max(np.size(a1), np.size(a2))
    return _front(a1, n) - _front(a2, n)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Return the product of two polynomials, without their leading zeros."""
    return convolve(_trimmed(a1), _trimmed(a2))


def _trimmed(p: Any) -> Any:
    """Return coefficients without zeros in front, but one at least."""
    p = np.trim_zeros(atleast_1d(p), "f")
    return p if p.shape[0] else np.zeros(1, p.dtype)


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """Return the quotient and the remainder of two polynomials."""
    u, v = atleast_1d(u) + 0.0, atleast_1d(v) + 0.0
    n, m = u.shape[0], v.shape[0]
    quotient = []
    for i in range(n - m + 1):
        q = u[i] / v[0]
        quotient.append(q)
        u = u - np.pad(q * v, (i, n - m - i))
    found = np.stack(quotient) if quotient else np.zeros(1, u.dtype)
    rest = u[max(n - m + 1, 0) :] if m > 1 else u[-1:]
    while rest.shape[0] > 1 and np.allclose(rest[0], 0, rtol=1e-14):
        rest = rest[1:]
    return found, rest


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """Return the m-th derivative of a polynomial."""
    p = atleast_1d(p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """Return the m-th antiderivative of a polynomial, with constants k."""
    p = atleast_1d(p)
    constants = np.broadcast_to(operand(0.0 if k is None else k), (m,))
    for i in range(m):
        whole = p / np.arange(p.shape[0], 0, -1)
        p = concatenate([whole, constants[i : i + 1]])
    return p


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """Return the polynomial with given zeros, or a matrix's characteristic one."""
    zeros = operand(seq_of_zeros)
    if zeros.ndim == 2:
        zeros = np.linalg.eigvals(zeros)
    if not zeros.shape[0]:
        return np.float64(1)
    zeros = cast(zeros, np.dtype(np.mintypecode(zeros.dtype.char)))
    p = np.ones(1, zeros.dtype)
    for i in range(zeros.shape[0]):
        p = convolve(p, np.stack([np.ones((), zeros.dtype), -zeros[i]]))
    paired = np.all(np.sort(zeros) == np.sort(np.conjugate(zeros)))
    return np.real(p) if paired else p


@implements(np.roots)
def roots(p: Any) -> Any:
    """Return the zeros of a polynomial: the eigenvalues of its companion matrix."""
    p = operand(p)
    places = np.flatnonzero(p)
    if not len(places):
        return np.zeros(0)
    trailing = p.shape[0] - int(places[-1]) - 1
    p = p[int(places[0]) : int(places[-1]) + 1]
    n = p.shape[0] - 1
    if n < 1:
        return np.zeros(trailing, p.dtype)
    companion = concatenate([-p[None, 1:] / p[0], np.eye(n - 1, n, dtype=p.dtype)])
    found = np.linalg.eigvals(companion)
    return concatenate([found, np.zeros(trailing, found.dtype)])


@implements(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: bool | str = False,
) -> Any:
    """Return the coefficients of the least-squares polynomial through samples.

    x: (m,), y: (m,) or (m, k). With `full` also the residuals, rank, singular values
    and `rcond`, below which (relative to the largest) such values count as zero; with
    `cov` also the covariance of the coefficients.
    """
    x, y, order = operand(x), operand(y), int(deg) + 1
    _check_samples(x, y, w, order)
    a = np.vander(x + 0.0, order)
    if w is not None:
        w = operand(w)
        a = a * w[:, None]
        y = y * (w if y.ndim == 1 else w[:, None])
    if rcond is None:
        rcond = x.shape[0] * np.finfo((x + 0.0).dtype).eps
    scale = np.sqrt(np.sum(a * a, axis=0))
    a = a / scale
    found, residuals, rank, values = np.linalg.lstsq(a, y, rcond)
    found = (found.T / scale).T
    if full:
        return found, residuals, rank, values, rcond
    if np.any(concrete(rank) != order):
        message = "Polyfit may be poorly conditioned"
        warnings.warn(message, np.exceptions.RankWarning, stacklevel=4)
    if cov:
        return found, _covariance(a, scale, residuals, y.ndim, cov)
    return found


def _check_samples(x: Any, y: Any, w: Any, order: int) -> None:
    if order < 1:
        raise ArgumentError(f"np.polyfit: deg={order - 1}; expected 0 or more")
    weights = x.shape if w is None else np.shape(w)
    if x.ndim != 1 or not x.size or y.ndim not in (1, 2) or len(y) != x.size:
        raise ShapeError(
            f"np.polyfit of x: {x.shape} and y: {y.shape}; expected (m,) and (m,) or "
            "(m, k), m > 0"
        )
    if weights != x.shape:
        raise ShapeError(f"np.polyfit: w of shape {weights}; expected {x.shape}")


def _covariance(a: Any, scale: Any, residuals: Any, ndim: int, cov: bool | str) -> Any:
    """Return the covariance (n, n) or (n, n, k) of the coefficients of a fit."""
    base = np.linalg.inv(a.T @ a) / (scale[:, None] * scale)
    if cov == "unscaled":
        return base if ndim == 1 else base[:, :, None]
    m, order = a.shape
    if m <= order:
        raise ArgumentError(
            f"np.polyfit: cov=True needs more samples than coefficients; got {m} and "
            f"{order}. Pass cov='unscaled'."
        )
    factor = residuals / (m - order)
    return base * factor if ndim == 1 else base[:, :, None] * factor
