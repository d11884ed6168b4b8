"""Inverses, linear systems and determinants.

Leading axes are a stack of matrices. Rules: M. B. Giles, 2008, "Collected matrix
derivative results for forward and reverse mode algorithmic differentiation"; for
pseudoinverses G. H. Golub and V. Pereyra, 1973, "The differentiation of pseudo-inverses
and nonlinear least squares problems whose variables separate". With the cotangents of
this library, which are not conjugated, transposes stand where papers on complex numbers
have adjoints.
"""

from __future__ import annotations

import numpy as np

from ..core import concrete, defbatch, defjvp, defvjp, defvjp_argnums, primitive
from .basic import broadcast_to, cast, reshape, sum, transpose, unbroadcast
from .batch import batch_stacks
from .elementwise import conj, where
from .matrices import (
    adjoint,
    as_column,
    as_matrix,
    as_row,
    diagonal_matrix,
    real_part,
    without_diagonal,
)
from .shape import diagonal, swap_last
from .singular import svd

# -- inverses -------------------------------------------------------------------------


@primitive
def inv(x):
    """Return the inverses of matrices x: (..., n, n)."""
    return np.linalg.inv(x)


def _inv_vjp(ans, x):
    back = swap_last(ans)
    return lambda g: -(back @ g @ back)


defvjp(inv, _inv_vjp)
defjvp(inv, lambda x_dot, ans, x: -(ans @ x_dot @ ans))


@primitive
def pinv(x, cutoff, *, hermitian=False):
    """Return the pseudoinverses (..., n, m) of x: (..., m, n).

    Singular values up to `cutoff` times the largest count as zero. The derivative is
    that for a constant rank. A Hermitian x is read as a whole.
    """
    return np.linalg.pinv(x, cutoff, hermitian)


def _pinv_vjp(ans, x, cutoff, *, hermitian=False):
    def pull(g):
        gt, outer_g = swap_last(g), swap_last(ans) @ g @ swap_last(ans)
        left = gt @ ans @ adjoint(ans)  # (m, m), from the null space of x^H
        right = adjoint(ans) @ ans @ gt  # (n, n), from the null space of x
        left = left - x @ (ans @ left)
        right = right - (right @ ans) @ x
        return conj(left + right) - outer_g

    return pull


defvjp(pinv, _pinv_vjp, None)


def _pinv_batch(size, args, batched, *, hermitian=False):
    x, cutoff = args
    if not batched[0]:
        x = broadcast_to(x, shape=(size, *x.shape))
    if batched[1]:
        cutoff = _deepened(cutoff, x.ndim - 3, True)
    return pinv(x, cutoff, hermitian=hermitian)


# -- linear systems -------------------------------------------------------------------


@primitive
def solve(a, b):
    """Return the solutions x of a @ x = b for a: (..., n, n), b: (..., n, k)."""
    return np.linalg.solve(a, b)


def _solve_vjp(argnums, ans, args, params):
    a, b = args

    def pull(g):
        b_bar = solve(swap_last(a), g)
        return tuple(
            [
                _like(b_bar, b) if i else _like(-b_bar @ swap_last(ans), a)
                for i in argnums
            ]
        )

    return pull


def _like(x_bar, x):
    return cast(unbroadcast(x_bar, x.shape), x.dtype)


defvjp_argnums(solve, _solve_vjp)
defjvp(
    solve,
    lambda a_dot, ans, a, b: -solve(a, a_dot @ ans),
    lambda b_dot, ans, a, b: solve(a, b_dot),
)


def batch_systems(solver):
    """Define `vmap` for the solution of systems a @ x = b."""

    def rule(size, args, batched, **params):
        a, b = args
        if not batched[0] and a.ndim == 2 and b.ndim == 3:
            return _many_columns(lambda b: solver(a, b, **params), b)
        return solver(*deepened(args, batched), **params)

    defbatch(solver, rule)


def _many_columns(solve_all, b):
    """Solve with one matrix for columns b: (size, n, k), all at once."""
    size, n, k = b.shape
    joined = reshape(transpose(b, axes=(1, 0, 2)), shape=(n, size * k))
    x = solve_all(joined)
    return transpose(reshape(x, shape=(x.shape[0], size, k)), axes=(1, 0, 2))


def deepened(args, batched):
    """Return stacks of matrices that broadcast: mapped axis, leading axes, matrix."""
    ndim = max(x.ndim - mapped for x, mapped in zip(args, batched))
    return [_deepened(x, ndim, mapped) for x, mapped in zip(args, batched)]


def _deepened(x, ndim, mapped):
    """Return a stack with the mapped axis first and `ndim` axes after it."""
    if not mapped:
        return x
    return reshape(x, shape=(x.shape[0], *(1,) * (ndim + 1 - x.ndim), *x.shape[1:]))


@primitive
def lstsq(a, b, *, cutoff):
    """Return the least-squares solution (n, k) of a @ x = b for a: (m, n), b: (m, k).

    Among several the smallest. The derivative is that for a constant rank.
    """
    return np.linalg.lstsq(a, b, cutoff)[0]


def _lstsq_vjp(argnums, ans, args, params):
    a, b = args

    def pull(g):
        p = pinv(a, params["cutoff"])
        b_bar = swap_last(p) @ g
        return tuple(
            [cast(b_bar, b.dtype) if i else a_bar(g, p, b_bar) for i in argnums]
        )

    def a_bar(g, p, b_bar):
        gt, residual = swap_last(g), b - a @ ans
        left = residual @ (gt @ p @ adjoint(p))
        right = (adjoint(p) @ ans) @ (gt - (gt @ p) @ a)
        return cast(conj(left + right) - b_bar @ swap_last(ans), a.dtype)

    return pull


defvjp_argnums(lstsq, _lstsq_vjp)

# -- determinants ---------------------------------------------------------------------


@primitive
def det(x):
    """Return the determinants of matrices x: (..., n, n)."""
    return np.linalg.det(x)


def _det_vjp(ans, x):
    return lambda g: _det_slope(g, ans, x)


def _det_slope(g, ans, x):
    """Return g times the derivative of det."""
    back = inv(x) if np.all(concrete(ans) != 0) else None
    if back is None or not well_conditioned(concrete(x), concrete(back)):
        return as_matrix(g) * cofactor(x)
    return as_matrix(g * ans) * swap_last(back)


def _det_jvp(x_dot, ans, x):
    ones = np.ones(ans.shape, ans.dtype)
    return sum(x_dot * _det_slope(ones, ans, x), axis=_matrix_axes(x))


def _matrix_axes(x):
    return len(x.shape) - 2, len(x.shape) - 1


def well_conditioned(x, back):
    """Return whether derivatives may be written with the inverse of x, `back`.

    The second one has a product of two inverses; beyond a condition number of
    1 / sqrt(eps) nothing of it would be right.
    """
    sizes = [np.abs(m).sum(axis=-2).max(axis=-1, initial=0.0) for m in (x, back)]
    return bool(np.all(sizes[0] * sizes[1] < np.finfo(x.dtype).eps ** -0.5))


defvjp(det, _det_vjp)
defjvp(det, _det_jvp)


@primitive
def cofactor(x):
    """Return the matrices of cofactors: the gradient of det, of singular x as well."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return as_matrix(sign) * (u.conj() * as_row(products_without_one(s)) @ vh.conj())


def products_without_one(s):
    """Return for each element of s: (..., n) the product of the others."""
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :])
    return others.prod(axis=-1).astype(s.dtype, copy=False)


def products_without_two(s):
    """Return (..., n, n): at i, j the product of s: (..., n) but for its i-th and j-th.

    On the diagonal, zeros.
    """
    n = s.shape[-1]
    total = 1 - np.eye(n, dtype=s.dtype)
    for k in range(n):
        rest = np.ones((n, n), bool)
        rest[k, :] = rest[:, k] = False
        total = total * where(rest, as_matrix(s[..., k]), 1)
    return total


def _cofactor_vjp(ans, x):
    """Expand det(x + h) to second order, in the basis of x's singular vectors."""

    def pull(g):
        u, s, vh = svd(x)
        pairs = products_without_two(s)
        inner = swap_last(conj(u)) @ g @ swap_last(conj(vh))
        d = (pairs @ as_column(diagonal(inner)))[..., 0]
        change = diagonal_matrix(d) - without_diagonal(swap_last(inner)) * pairs
        return as_matrix(det(u) * det(vh)) * (conj(u) @ change @ conj(vh))

    return pull


defvjp(cofactor, _cofactor_vjp)


@primitive(multiple=True)
def slogdet(x):
    """Return sign (or phase) and logarithm of |determinant| of matrices x."""
    return tuple(np.linalg.slogdet(x))


def _slogdet_vjp(ans, x):
    sign = ans[0]
    is_complex = x.dtype.kind == "c"

    def pull(gs):
        g_sign, g_log = gs
        g = g_log
        if is_complex:  # the phase turns with the imaginary part of d(log det)
            turn = g_sign * sign
            g = g_log + 1j * real_part(-1j * turn)
        return as_matrix(g) * swap_last(inv(x))

    return pull


def _slogdet_jvp(x_dot, ans, x):
    sign = ans[0]
    change = sum(x_dot * swap_last(inv(x)), axis=_matrix_axes(x))
    if x.dtype.kind != "c":
        return np.zeros(sign.shape, sign.dtype)[()], change
    return 1j * real_part(-1j * change) * sign, real_part(change)


defvjp(slogdet, _slogdet_vjp)
defjvp(slogdet, _slogdet_jvp)

batch_stacks(inv, det, cofactor, slogdet)
defbatch(pinv, _pinv_batch)


def _lstsq_batch(size, args, batched, *, cutoff):
    """Multiply with pseudoinverses where the matrices differ."""
    a, b = args
    if not batched[0]:
        return _many_columns(lambda b: lstsq(a, b, cutoff=cutoff), b)
    return pinv(a, cutoff) @ b


batch_systems(solve)
defbatch(lstsq, _lstsq_batch)
