"""Singular values and vectors; leading axes are a stack of matrices.

Rules: J. Townsend, 2016, "Differentiating the singular value decomposition"; for
complex matrices Z.-Q. Wan and S.-X. Zhang, 2019, "Automatic differentiation for complex
valued SVD". Written with sums and differences of singular values instead of their
squares, which keeps precision where these are small.
"""

from __future__ import annotations

import numpy as np

from ..core import concrete, defjvp, defvjp, primitive
from ..errors import AmbiguousGradientError
from .basic import sum
from .batch import batch_stacks
from .elementwise import conj, imag, over, where
from .matrices import (
    adjoint,
    as_column,
    as_row,
    diagonal_matrix,
    hermitian_part,
    real_part,
    require_distinct,
    require_same_for_any_phase,
    rounding,
    skew_part,
    vanishes,
)
from .shape import diagonal, swap_last


@primitive(multiple=True)
def svd(x):
    """Return u: (..., m, k), s: (..., k), vh: (..., k, n) with x = (u * s) @ vh.

    k is the smaller of m and n, and s descends. The gradient raises
    `AmbiguousGradientError` where vectors of equal singular values are used, or complex
    vectors in such a way that their phases matter.
    """
    return tuple(np.linalg.svd(x, full_matrices=False))


def _svd_vjp(ans, x):
    u, s, vh = ans

    def pull(gs):
        g_u, g_s, g_vh = gs
        if vanishes(g_u) and vanishes(g_vh):
            return (conj(u) * as_row(_off_zero(g_s, s))) @ conj(vh)
        _require_differentiable(s, x)
        inner = diagonal_matrix(_off_zero(g_s, s)) + _rotation(ans, g_u, g_vh)
        return conj(u) @ inner @ conj(vh) + _outside(ans, g_u, g_vh)

    return pull


def _off_zero(g, s):
    """Return the cotangent of s; zero where s is, as the gradient of abs(0)."""
    return where(s == 0, 0.0, g)


def _rotation(ans, g_u, g_vh):
    """Return the cotangent of u^H dx v that comes from turning u and v inwardly."""
    u, s, vh = ans
    of_u, of_v = swap_last(u) @ g_u, conj(vh @ swap_last(g_vh))
    if u.dtype.kind == "c":
        _require_no_phase(of_u + of_v, [of_u, of_v, g_u, g_vh])
    together = over(1.0, as_row(s) - as_column(s)) * (of_u + of_v)
    apart = over(1.0, as_row(s) + as_column(s)) * (of_u - of_v)
    return hermitian_part(together) + skew_part(apart)


def _require_no_phase(turning, sizes):
    change = imag(diagonal(turning))
    scale = [np.abs(concrete(g)).max(initial=0.0) for g in sizes]
    require_same_for_any_phase(change, np.array(scale), "singular vectors")


def _outside(ans, g_u, g_vh):
    """Return the cotangent of x that comes from turning u and v out of their spaces."""
    u, s, vh = ans
    m, k, n = u.shape[-2], s.shape[-1], vh.shape[-1]
    if m > k:
        rest = g_u - conj(u) @ (swap_last(u) @ g_u)
        return (rest / as_row(s)) @ conj(vh)
    if n > k:
        rest = g_vh - (g_vh @ swap_last(vh)) @ conj(vh)
        return (conj(u) / as_row(s)) @ rest
    return 0.0


def _require_differentiable(s, x):
    require_distinct(s, "singular values")
    m, n = x.shape[-2:]
    values = np.asarray(concrete(s))
    free = m != n or x.dtype.kind == "c"  # to turn where the value is zero
    if free and values.size and (values[..., -1] <= rounding(values)).any():
        raise AmbiguousGradientError(
            f"a singular value of a matrix of shape {(m, n)} and dtype {x.dtype} is "
            "zero: its vectors are arbitrary, and have no gradient. Use the values "
            "alone."
        )


defvjp(svd, _svd_vjp)


@primitive
def svdvals(x):
    """Return the singular values (..., k) of matrices, in descending order."""
    return np.linalg.svd(x, compute_uv=False)


def _svdvals_vjp(ans, x):
    def pull(g):
        u, s, vh = svd(x)
        return (conj(u) * as_row(_off_zero(g, s))) @ conj(vh)

    return pull


def _svdvals_jvp(x_dot, ans, x):
    u, s, vh = svd(x)
    change = sum(conj(u) * (x_dot @ adjoint(vh)), axis=(len(u.shape) - 2,))
    return _off_zero(real_part(change), s)


defvjp(svdvals, _svdvals_vjp)
defjvp(svdvals, _svdvals_jvp)

batch_stacks(svd, svdvals)
