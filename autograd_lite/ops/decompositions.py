"""Cholesky and QR decompositions; leading axes are a stack of matrices."""

from __future__ import annotations

import numpy as np

from ..core import defjvp, defvjp, primitive
from .batch import batch_stacks
from .elementwise import conj
from .inverses import inv, solve
from .matrices import (
    adjoint,
    diagonal_matrix,
    fold,
    real_part,
    unfold,
)
from .shape import concatenate, diagonal, span, swap_last, tril, triu

# -- Cholesky -------------------------------------------------------------------------


@primitive
def cholesky(x, *, upper=False):
    """Return lower triangular l with x = l @ l^H, or upper triangular u, x = u^H @ u.

    Only that triangle of x is read, and the gradient is zero in the other one. Rule: I.
    Murray, 2016, "Differentiation of the Cholesky decomposition".
    """
    return np.linalg.cholesky(x, upper=upper)


def _cholesky_vjp(ans, x, *, upper=False):
    def pull(g):
        factor, g = (adjoint(ans), adjoint(g)) if upper else (ans, g)
        back = inv(factor)
        middle = _half_diagonal(tril(swap_last(factor) @ g))
        return fold(swap_last(back) @ middle @ conj(back), not upper)

    return pull


def _half_diagonal(x):
    return x - diagonal_matrix(diagonal(x)) / 2


def _cholesky_jvp(x_dot, ans, x, *, upper=False):
    factor = adjoint(ans) if upper else ans
    back = inv(factor)
    middle = tril(back @ unfold(x_dot, not upper) @ adjoint(back))
    change = factor @ _half_diagonal(middle)
    return adjoint(change) if upper else change


defvjp(cholesky, _cholesky_vjp)
defjvp(cholesky, _cholesky_jvp)

# -- QR -------------------------------------------------------------------------------


@primitive(multiple=True)
def qr(x):
    """Return q: (..., m, k) and upper triangular r: (..., k, n) with x = q @ r.

    k is the smaller of m and n; the first k columns must be independent. Rule: D. A. O.
    Roberts and L. R. Roberts, 2020, "QR and LQ decomposition matrix backpropagation
    algorithms for square, wide, and deep - real or complex - matrices".
    """
    return tuple(np.linalg.qr(x))


def _qr_vjp(ans, x):
    q, r = ans
    m, n = x.shape[-2:]
    if m >= n:
        return lambda gs: _tall_cotangent(q, r, *gs)
    last = len(x.shape) - 1
    square, rest = span(r, last, 0, m), span(x, last, m, n)

    def pull(gs):  # r = [square, q^H @ rest]
        g_q, g_r = gs
        g_square, g_rest = span(g_r, last, 0, m), span(g_r, last, m, n)
        g_q = g_q + conj(rest @ swap_last(g_rest))
        first = _tall_cotangent(q, square, g_q, g_square)
        return concatenate(first, conj(q) @ g_rest, axis=last)

    return pull


def _tall_cotangent(q, r, g_q, g_r):
    turning = triu(g_r @ swap_last(r) - swap_last(q) @ g_q)
    both = triu(turning, k=1)
    middle = both + adjoint(both) + diagonal_matrix(real_part(diagonal(turning)))
    x_bar = g_q + conj(q) @ middle
    return swap_last(solve(r, swap_last(x_bar)))


defvjp(qr, _qr_vjp)

batch_stacks(cholesky, qr)
