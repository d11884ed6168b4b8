"""Small helpers of the rules for matrices: the last two axes are rows and columns."""

from __future__ import annotations

import math

import numpy as np

from ..core import concrete
from ..errors import AmbiguousGradientError
from .basic import real, reshape
from .elementwise import conj
from .shape import diagonal, place_diagonal, swap_last, tril, triu


def adjoint(x):
    """Return the conjugate transpose."""
    return conj(swap_last(x))


def hermitian_part(x):
    """Return (x + x^H) / 2."""
    return (x + adjoint(x)) / 2


def skew_part(x):
    """Return (x - x^H) / 2."""
    return (x - adjoint(x)) / 2


def real_part(x):
    """Return the real part; a real array itself."""
    return real(x) if x.dtype.kind == "c" else x


def diagonal_matrix(d):
    """Return square matrices with the last axis of d on their diagonals."""
    return place_diagonal(d, size=(d.shape[-1],) * 2)


def without_diagonal(x):
    """Return square matrices with zeros on their diagonals."""
    return tril(x, k=-1) + triu(x, k=1)


def as_row(d):
    """Return d: (..., n) as (..., 1, n): a factor of each column of a matrix."""
    return reshape(d, shape=(*d.shape[:-1], 1, d.shape[-1]))


def as_column(d):
    """Return d: (..., n) as (..., n, 1): a factor of each row of a matrix."""
    return reshape(d, shape=(*d.shape, 1))


def as_matrix(g):
    """Return g: (...) as (..., 1, 1): a factor of whole matrices."""
    return reshape(g, shape=(*g.shape, 1, 1))


def fold(x_bar, lower):
    """Return the cotangent of one triangle, given that of the Hermitian matrix.

    A function that reads one triangle (and the real part of the diagonal) does not
    depend on the other; each element read stands in the matrix twice.
    """
    both = x_bar + adjoint(x_bar)
    triangle = tril(both, k=-1) if lower else triu(both, k=1)
    return triangle + diagonal_matrix(real_part(diagonal(x_bar)))


def unfold(x_dot, lower):
    """Return the tangent of a Hermitian matrix of which one triangle is read."""
    triangle = tril(x_dot, k=-1) if lower else triu(x_dot, k=1)
    return triangle + adjoint(triangle) + diagonal_matrix(real_part(diagonal(x_dot)))


def vanishes(g):
    """Return whether a cotangent is zero for certain: its output was not used."""
    return isinstance(g, (np.ndarray, np.generic)) and not g.any()


def require_distinct(values, name):
    """Raise `AmbiguousGradientError` where two values of a matrix are equal.

    Equal means closer than what rounding does to them.
    """
    values = np.asarray(concrete(values))
    n = values.shape[-1]
    gaps = np.abs(values[..., :, None] - values[..., None, :])
    gaps[..., range(n), range(n)] = math.inf
    limit = rounding(values)
    if (gaps <= limit[..., None, None]).any():
        i = int(np.argmin((gaps - limit[..., None, None]).min(axis=(-2, -1))))
        raise AmbiguousGradientError(
            f"{name} are equal: {values.reshape(-1, n)[i]}. Their vectors may be any "
            "basis of a subspace, so that a result that depends on them has no "
            "gradient. Use the values alone, or break the tie by a small random "
            "perturbation of the matrix."
        )


def rounding(values):
    """Return the size of rounding errors in the values of each matrix."""
    largest = np.abs(values).max(axis=-1, initial=0.0)
    return values.shape[-1] * np.finfo(values.dtype).eps * largest


def require_same_for_any_phase(change, scale, name):
    """Raise where a result depends on the phases of complex vectors.

    `change` is the derivative along each phase, `scale` what counts as 1.
    """
    change, scale = np.asarray(concrete(change)), float(np.max(scale, initial=0.0))
    worst = float(np.abs(change).max(initial=0.0))
    if worst > np.sqrt(np.finfo(change.dtype).eps) * scale:
        raise AmbiguousGradientError(
            f"the result depends on the phases of complex {name} (its derivative along "
            f"a phase is {worst:.3g}), which are arbitrary: it has no gradient. Use "
            "the vectors in a way that their phases cancel, such as abs(v) or "
            "v * w @ v^H."
        )
