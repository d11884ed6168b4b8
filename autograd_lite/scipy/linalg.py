"""Linear algebra of `scipy.linalg`, differentiable.

Without a tracer among the arguments the results are SciPy's, bit for bit. With one,
nothing is overwritten, and nothing is checked to be finite, whatever the keywords say.
What reads one triangle of a matrix has zero gradient in the other.

>>> import numpy as np
>>> from autograd_lite import grad
>>> print(grad(lambda a: np.trace(expm(a)))(np.zeros((2, 2))))
[[1. 0.]
 [0. 1.]]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from ..errors import ArgumentError, ShapeError, UnsupportedError
from ..numpy import linalg as npl
from ..numpy.dispatch import has_tracer, implements, operand
from ..ops import matrix_functions as ops
from ..ops.basic import reshape
from ..ops.elementwise import conj
from ..ops.inverses import solve as solve_general
from ..ops.matrices import adjoint
from ..ops.shape import concatenate, pad, swap_last, tril, triu

__all__ = [
    *["block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "coshm"],
    *["cosm", "det", "eigh", "eigvalsh", "expm", "expm_frechet"],
    *["fractional_matrix_power", "hankel", "inv", "khatri_rao", "logm", "lstsq"],
    *["matmul_toeplitz", "norm", "pinv", "qr", "sinhm", "sinm", "solve"],
    *["solve_continuous_lyapunov", "solve_discrete_lyapunov", "solve_sylvester"],
    *["solve_toeplitz", "solve_triangular", "sqrtm", "svd", "svdvals", "tanhm"],
    *["tanm", "toeplitz"],
]


Fun = Callable[..., Any]
WITHOUT_EFFECT = {"check_finite", "overwrite_a", "overwrite_b", "lwork"}


def _implements(scipy_function: Fun) -> Callable[[Fun], Fun]:
    """Do as `implements`, and drop keywords that have no effect on the result."""

    def decorate(traced: Fun) -> Fun:
        known = implements(scipy_function)(traced)

        @functools.wraps(traced)
        def function(*args: Any, **kwargs: Any) -> Any:
            if has_tracer(args) or has_tracer(kwargs.values()):
                kwargs = {k: v for k, v in kwargs.items() if k not in WITHOUT_EFFECT}
            return known(*args, **kwargs)

        return function

    return decorate


def _square(a: Any) -> Any:
    """Return an operand; raise unless it is a square matrix or a stack of them."""
    a = operand(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"expected square matrices (..., n, n), got shape {a.shape}")
    return a


# -- functions of matrices ------------------------------------------------------------


@_implements(scipy.linalg.expm)
def expm(A: Any) -> Any:
    """Return the matrix exponential of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="expm")


@_implements(scipy.linalg.expm_frechet)
def expm_frechet(A: Any, E: Any, *, compute_expm: bool = True) -> Any:
    """Return expm(A), and its derivative in the direction E, or only the latter."""
    A, E = _square(A), _square(E)
    change = ops.frechet(A, E, name="expm")
    return (expm(A), change) if compute_expm else change


@_implements(scipy.linalg.logm)
def logm(A: Any) -> Any:
    """Return the principal logarithm of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="logm")


@_implements(scipy.linalg.sqrtm)
def sqrtm(A: Any) -> Any:
    """Return the principal square root of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="sqrtm")


@_implements(scipy.linalg.sinm)
def sinm(A: Any) -> Any:
    """Return the matrix sine of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="sinm")


@_implements(scipy.linalg.cosm)
def cosm(A: Any) -> Any:
    """Return the matrix cosine of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="cosm")


@_implements(scipy.linalg.tanm)
def tanm(A: Any) -> Any:
    """Return the matrix tangent of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="tanm")


@_implements(scipy.linalg.sinhm)
def sinhm(A: Any) -> Any:
    """Return the hyperbolic matrix sine of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="sinhm")


@_implements(scipy.linalg.coshm)
def coshm(A: Any) -> Any:
    """Return the hyperbolic matrix cosine of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="coshm")


@_implements(scipy.linalg.tanhm)
def tanhm(A: Any) -> Any:
    """Return the hyperbolic matrix tangent of A: (..., n, n)."""
    return ops.matrix_function(_square(A), name="tanhm")


@_implements(scipy.linalg.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """Return A**t = expm(t * logm(A)), for real t; A has no eigenvalue in (-inf, 0]."""
    return expm(t * logm(A))


# -- linear systems -------------------------------------------------------------------


@_implements(scipy.linalg.solve)
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    *,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """Return the x with a @ x = b for a: (..., n, n), b: (n,) or (..., n, k).

    With `assume_a` "sym", "her" or "pos" only the triangle that `lower` names is read.
    """
    a = _structured(_square(a), lower, assume_a)
    a = swap_last(a) if transposed else a
    return _on_columns(solve_general, a, b)


def _structured(a: Any, lower: bool, assume_a: str | None) -> Any:
    """Return the matrix that is meant by the elements that are read."""
    if assume_a in (None, "gen", "general"):
        return a
    if assume_a in ("upper triangular", "lower triangular"):
        return triu(a, k=0) if assume_a[0] == "u" else tril(a, k=0)
    strict = tril(a, k=-1) if lower else triu(a, k=1)
    diagonal = triu(tril(a, k=0), k=0)
    if assume_a in ("sym", "symmetric"):
        return strict + swap_last(strict) + diagonal
    if assume_a in ("her", "hermitian", "pos", "positive definite"):
        return strict + adjoint(strict) + diagonal
    raise UnsupportedError(
        f"scipy.linalg.solve: assume_a={assume_a!r} of a traced matrix; use 'gen', "
        "'sym', 'her', 'pos', or leave it out"
    )


def _on_columns(fun: Any, a: Any, b: Any, **params: Any) -> Any:
    """Apply a solver of matrices, with a vector b as a matrix of one column."""
    b = operand(b)
    if b.shape[-2 if b.ndim > 1 else -1 :][:1] != a.shape[-1:]:
        raise ShapeError(f"a of shape {a.shape} and b of shape {b.shape} do not fit")
    if b.ndim > 1:
        return fun(a, b, **params)
    x = fun(a, reshape(b, shape=(*b.shape, 1)), **params)
    return reshape(x, shape=x.shape[:-1])


@_implements(scipy.linalg.solve_triangular)
def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Return x with a @ x = b for triangular a: (..., n, n), b: (n,) or (..., n, k).

    `trans` 1 or "T" solves with the transpose, 2 or "C" with the adjoint.
    """
    a = _square(a)
    if trans in (1, "T", 2, "C"):
        a, lower = swap_last(a), not lower
        a = conj(a) if trans in (2, "C") else a
    elif trans not in (0, "N"):
        raise ArgumentError(f"trans={trans!r}: expected 0, 1, 2, 'N', 'T' or 'C'")
    return _on_columns(
        ops.solve_triangular, a, b, lower=bool(lower), unit=bool(unit_diagonal)
    )


@_implements(scipy.linalg.cholesky)
def cholesky(a: Any, lower: bool = False) -> Any:
    """Return upper triangular U, a = U^H @ U, or with `lower` L, a = L @ L^H."""
    return npl.cholesky(_square(a), upper=not lower)


@_implements(scipy.linalg.cho_factor)
def cho_factor(a: Any, lower: bool = False) -> tuple[Any, bool]:
    """Return (factor, lower) for `cho_solve`, with zeros in the other triangle."""
    return cholesky(a, lower=lower), lower


@_implements(scipy.linalg.cho_solve)
def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """Return the x with a @ x = b, given `cho_factor(a)`."""
    c, lower = c_and_lower
    if lower:
        inner = solve_triangular(c, b, lower=True)
        return solve_triangular(c, inner, trans=2, lower=True)
    inner = solve_triangular(c, b, trans=2)
    return solve_triangular(c, inner)


@_implements(scipy.linalg.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Return the x with a @ x + x @ b = q, for a: (m, m), b: (n, n), q: (m, n)."""
    return ops.solve_sylvester(_square(a), _square(b), operand(q))


@_implements(scipy.linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Return the x with a @ x + x @ a^H = q."""
    a = _square(a)
    return ops.solve_sylvester(a, adjoint(a), operand(q))


@_implements(scipy.linalg.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any) -> Any:
    """Return the x with a @ x @ a^H - x + q = 0: one linear system of n^2 unknowns."""
    a, q = _square(a), _square(q)
    system = np.eye(a.shape[0] ** 2) - np.kron(a, conj(a))
    x = solve_general(system, reshape(q, shape=(q.size, 1)))
    return reshape(x, shape=q.shape)


# -- as in numpy.linalg ---------------------------------------------------------------


@_implements(scipy.linalg.inv)
def inv(a: Any) -> Any:
    """Return the inverse of a: (..., n, n)."""
    return npl.inv(_square(a))


@_implements(scipy.linalg.det)
def det(a: Any) -> Any:
    """Return the determinant of a: (..., n, n)."""
    return npl.det(_square(a))


@_implements(scipy.linalg.norm)
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return a norm of vectors or matrices, as np.linalg.norm."""
    return npl.norm(operand(a), ord, axis, keepdims)


@_implements(scipy.linalg.pinv)
def pinv(a: Any, *, rtol: float | None = None) -> Any:
    """Return the pseudoinverse of a: (m, n), with the gradient for a constant rank."""
    a = operand(a)
    if rtol is None:
        rtol = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    return npl.pinv(a, rtol)


@_implements(scipy.linalg.lstsq)
def lstsq(a: Any, b: Any, cond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """Return least-squares solution, squared residuals, rank and singular values."""
    a = operand(a)
    rcond = np.finfo(a.dtype).eps if cond is None else cond
    return npl.lstsq(a, b, rcond)


@_implements(scipy.linalg.eigh)
def eigh(a: Any, *, lower: bool = True, eigvals_only: bool = False) -> Any:
    """Return the eigenvalues, and eigenvectors, of a Hermitian matrix."""
    uplo = "L" if lower else "U"
    if eigvals_only:
        return npl.eigvalsh(_square(a), uplo)
    return tuple(npl.eigh(_square(a), uplo))


@_implements(scipy.linalg.eigvalsh)
def eigvalsh(a: Any, *, lower: bool = True) -> Any:
    """Return the eigenvalues of a Hermitian matrix, ascending."""
    return npl.eigvalsh(_square(a), "L" if lower else "U")


@_implements(scipy.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return U, S and Vh with a = (U * S) @ Vh, or S alone; see np.linalg.svd."""
    found = npl.svd(operand(a), full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


@_implements(scipy.linalg.svdvals)
def svdvals(a: Any) -> Any:
    """Return the singular values, in descending order."""
    return npl.svdvals(operand(a))


@_implements(scipy.linalg.qr)
def qr(a: Any, *, mode: str = "full") -> Any:
    """Return Q and R with a = Q @ R, or with mode="r" the tuple (R,).

    With mode="raw" the result is ((h, tau), R); see np.linalg.qr.
    """
    a = operand(a)
    if mode not in ("full", "economic", "r", "raw"):
        raise ArgumentError(
            f"scipy.linalg.qr: mode={mode!r}; expected 'full', 'r', 'economic' or 'raw'"
        )
    m, n = a.shape[-2:]
    if mode == "raw":
        h, tau = npl.qr(a, "raw")
        h = swap_last(h)
        return (h, tau), triu(h)[..., : min(m, n), :]
    if mode == "full":
        return tuple(npl.qr(a, "complete"))
    q, r = npl.qr(a)
    if mode == "economic":
        return q, r
    below = m - r.shape[-2]
    return (pad(r, widths=((0, 0),) * (a.ndim - 2) + ((0, below), (0, 0))),)


# -- structured matrices --------------------------------------------------------------


@_implements(scipy.linalg.block_diag)
def block_diag(*arrs: Any) -> Any:
    """Return the matrix with the given matrices on its diagonal; vectors are rows."""
    blocks = [np.atleast_2d(operand(x)) for x in arrs]
    widths = [b.shape[1] for b in blocks]
    total, rows, before = sum(widths), [], 0
    for block, width in zip(blocks, widths):
        after = total - before - width
        rows.append(pad(block, widths=((0, 0), (before, after))))
        before += width
    return concatenate(*rows, axis=0)


def _vector(c: Any) -> Any:
    c = operand(c)
    if c.ndim != 1:
        raise ShapeError(f"expected a vector, got shape {c.shape}")
    return c


@_implements(scipy.linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Return the matrix with constant diagonals: first column c, first row r.

    Without r it is conj(c); r[0] is not used.
    """
    c = _vector(c)
    r = conj(c) if r is None else _vector(r)
    values = np.concatenate([np.flip(c), r[1:]])
    i, j = np.ogrid[: c.size, : r.size]
    return values[j - i + c.size - 1]


@_implements(scipy.linalg.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """Return the matrix with constant anti-diagonals: first column c, last row r.

    Without r it is zeros; r[0] is not used.
    """
    c = _vector(c)
    r = np.zeros(c.shape, c.dtype) if r is None else _vector(r)
    i, j = np.ogrid[: c.size, : r.size]
    return np.concatenate([c, r[1:]])[i + j]


@_implements(scipy.linalg.circulant)
def circulant(c: Any) -> Any:
    """Return the matrix whose columns are c, rolled by one more place each."""
    c = _vector(c)
    i, j = np.ogrid[: c.size, : c.size]
    return c[(i - j) % c.size]


@_implements(scipy.linalg.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """Return the Kronecker products of columns: a: (m, n), b: (k, n) -> (m k, n)."""
    a, b = operand(a), operand(b)
    return reshape(a[:, None] * b, shape=(a.shape[0] * b.shape[0], a.shape[1]))


@_implements(scipy.linalg.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any) -> Any:
    """Return the x with toeplitz(c, r) @ x = b, given c or the tuple (c, r)."""
    return solve(_toeplitz(c_or_cr), b)


@_implements(scipy.linalg.matmul_toeplitz)
def matmul_toeplitz(c_or_cr: Any, x: Any) -> Any:
    """Return toeplitz(c, r) @ x, given c or the tuple (c, r)."""
    return np.matmul(_toeplitz(c_or_cr), x)


def _toeplitz(c_or_cr: Any) -> Any:
    return toeplitz(*c_or_cr) if isinstance(c_or_cr, tuple) else toeplitz(c_or_cr)
