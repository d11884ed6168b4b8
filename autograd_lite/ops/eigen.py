"""Eigenvalues and eigenvectors; leading axes are a stack of matrices.

Rules: M. B. Giles, 2008, "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation", section 3.1; for complex matrices C. Boeddeker et
al., 2017, "On the computation of complex-valued gradients with application to
statistically optimum beamforming". Eigenvectors of equal eigenvalues have no derivative
and raise `AmbiguousGradientError`.
"""

from __future__ import annotations

import numpy as np

from ..core import concrete, defjvp, defvjp, nondifferentiable, primitive
from .basic import cast, sum
from .batch import batch_stacks
from .elementwise import conj, imag, over
from .inverses import solve
from .matrices import (
    as_column,
    as_row,
    diagonal_matrix,
    fold,
    real_part,
    require_distinct,
    require_same_for_any_phase,
    unfold,
    vanishes,
)
from .shape import diagonal, swap_last

# -- Hermitian matrices ---------------------------------------------------------------


@primitive(multiple=True)
def eigh(x, *, lower=True):
    """Return eigenvalues w: (..., n), ascending, and vectors v: (..., n, n), columns.

    Only one triangle of x is read, and the gradient is zero in the other one. Complex
    vectors are differentiated as if a change of x did not turn their phases.
    """
    return tuple(np.linalg.eigh(x, "L" if lower else "U"))


def _eigh_vjp(ans, x, *, lower=True):
    w, v = ans

    def pull(gs):
        g_w, g_v = gs
        if vanishes(g_v):
            return fold((conj(v) * as_row(g_w)) @ swap_last(v), lower)
        require_distinct(w, "eigenvalues")
        turn = swap_last(v) @ g_v
        if v.dtype.kind == "c":
            change = imag(diagonal(turn))
            require_same_for_any_phase(change, np.abs(concrete(turn)), "eigenvectors")
        middle = diagonal_matrix(g_w) + over(1.0, as_row(w) - as_column(w)) * turn
        return fold(conj(v) @ middle @ swap_last(v), lower)

    return pull


defvjp(eigh, _eigh_vjp)


@primitive
def eigvalsh(x, *, lower=True):
    """Return the eigenvalues (..., n) of Hermitian matrices, ascending."""
    return np.linalg.eigvalsh(x, "L" if lower else "U")


def _eigvalsh_vjp(ans, x, *, lower=True):
    def pull(g):
        v = eigh(x, lower=lower)[1]
        return fold((conj(v) * as_row(g)) @ swap_last(v), lower)

    return pull


def _eigvalsh_jvp(x_dot, ans, x, *, lower=True):
    v = eigh(x, lower=lower)[1]
    change = conj(v) * (unfold(x_dot, lower) @ v)
    return real_part(sum(change, axis=(len(v.shape) - 2,)))


defvjp(eigvalsh, _eigvalsh_vjp)
defjvp(eigvalsh, _eigvalsh_jvp)

# -- general matrices -----------------------------------------------------------------


@primitive(multiple=True)
def eig(x):
    """Return eigenvalues w: (..., n) and vectors v: (..., n, n) as columns.

    The vectors are LAPACK's, with norm 1 and their largest element real, and so are
    their derivatives. Both are real when all eigenvalues are.
    """
    return tuple(np.linalg.eig(x))


def _eig_vjp(ans, x):
    w, v = ans
    dtype = x.dtype

    def pull(gs):
        g_w, g_v = gs
        middle = diagonal_matrix(g_w)
        if not vanishes(g_v):
            require_distinct(w, "eigenvalues")
            free = swap_last(v) @ _normalised_cotangent(v, g_v)
            middle = middle + over(1.0, as_row(w) - as_column(w)) * free
        return cast(solve(swap_last(v), middle @ swap_last(v)), dtype)

    return pull


def _normalised_cotangent(v, g):
    """Return the cotangent of vectors before they are scaled as LAPACK does.

    Scaling takes from a change d of a vector v the part Re(v^H d) v that would change
    its norm, and the part i Im(d_k) v / v_k that would turn its largest element v_k.
    """
    along = sum(g * v, axis=(len(v.shape) - 2,), keepdims=True)
    g = g - real_part(along) * conj(v)
    if v.dtype.kind != "c":
        return g
    top = largest_elements(v)
    largest = real_part(sum(v * top, axis=(len(v.shape) - 2,), keepdims=True))
    return g - 1j * real_part(-1j * along) / largest * top


@nondifferentiable
def largest_elements(v):
    """Return ones for the largest element of each column, and zeros elsewhere."""
    rows = np.arange(v.shape[-2])[:, None]
    if not v.size:
        return np.zeros(v.shape, v.real.dtype)
    at = np.abs(v).argmax(axis=-2, keepdims=True)
    return (rows == at).astype(v.real.dtype)


defvjp(eig, _eig_vjp)

batch_stacks(eigh, eigvalsh, eig, largest_elements)
