"""numpy.linalg, differentiable, every function for stacks of matrices.

Gradients of functions that read one triangle of a matrix (`cholesky`, `eigh`,
`eigvalsh`, and others with `hermitian=True`) are zero in the other triangle, as finite
differences have it. With `(x + x.T) / 2` as the argument they are symmetric.

Where a result depends on an arbitrary choice, it has no gradient, and
`AmbiguousGradientError` is raised: vectors of equal eigenvalues or singular values, and
phases of complex vectors.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ..core import concrete
from ..errors import ArgumentError, ShapeError
from ..ops import decompositions, eigen, inverses, null_space, singular
from ..ops import elementwise as ew
from ..ops import reduce as red
from ..ops import shape as moving
from ..ops.basic import reshape, stop_gradient, transpose
from ..ops.matrices import adjoint, diagonal_matrix, real_part
from . import products, reflectors, shapes
from .dispatch import axis_of, constant, implements, operand
from .norms import cond, matrix_norm, norm, vector_norm
from .sorting import argsort, take_along_axis

# NumPy does not export the classes of its results.
_EXAMPLE = np.eye(1)
SlogdetResult: Any = type(np.linalg.slogdet(_EXAMPLE))
QRResult: Any = type(np.linalg.qr(_EXAMPLE))
SVDResult: Any = type(np.linalg.svd(_EXAMPLE))
EighResult: Any = type(np.linalg.eigh(_EXAMPLE))
EigResult: Any = type(np.linalg.eig(_EXAMPLE))
_NO_VALUE = inspect.signature(np.linalg.pinv).parameters["rtol"].default

matrix_rank = constant(np.linalg.matrix_rank)

# -- inverses and linear systems ------------------------------------------------------


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Return the inverses of matrices a: (..., n, n)."""
    return inverses.inv(operand(a))


@implements(np.linalg.pinv)
def pinv(
    a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _NO_VALUE
) -> Any:
    """Return the pseudoinverses (..., n, m) of matrices a: (..., m, n).

    The gradient is that for a constant rank: a matrix near which the rank changes has
    none. `rcond` or `rtol` times the largest singular value is the limit below which
    others count as zero. Where it leaves out more than rounding errors the gradient is
    that of the singular vectors, which equal values don't have.
    """
    a = operand(a)
    if rcond is not None and rtol is not _NO_VALUE:
        raise ArgumentError("np.linalg.pinv: `rtol` and `rcond` can't be both set")
    if rcond is None:
        rcond = 1e-15 if rtol is _NO_VALUE else rtol
    if rcond is None:
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    matrix, cutoff = _whole(a) if hermitian else a, operand(rcond)
    if _leaves_out(matrix, cutoff):
        return _truncated_pinv(matrix, cutoff)
    return inverses.pinv(matrix, cutoff, hermitian=hermitian)


def _leaves_out(a: Any, cutoff: Any) -> bool:
    """Return whether a cutoff leaves out singular values above rounding errors."""
    plain, largest = np.asarray(concrete(a)), np.max(concrete(cutoff), initial=0.0)
    negligible = 1e3 * max(plain.shape[-2:]) * np.finfo(plain.dtype).eps
    if not plain.size or largest <= negligible:
        return False
    values = np.linalg.svdvals(plain)
    low, high = negligible * values[..., :1], largest * values[..., :1]
    return bool(((values > low) & (values <= high)).any())


def _truncated_pinv(a: Any, cutoff: Any) -> Any:
    """Return pseudoinverses by singular vectors: right whatever is left out."""
    u, s, vh = singular.svd(a)
    kept = s > reshape(cutoff, shape=(*cutoff.shape, 1)) * s[..., :1]
    inverse = ew.where(kept, 1 / ew.where(kept, s, 1.0), 0.0)
    return (adjoint(vh) * inverse[..., None, :]) @ adjoint(u)


def _whole(a: Any) -> Any:
    """Return the Hermitian matrices whose lower triangles are given."""
    below = moving.tril(a, k=-1)
    middle = diagonal_matrix(real_part(moving.diagonal(a)))
    return below + adjoint(below) + middle


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Return x with a @ x = b for a: (..., n, n), b: (n,) or (..., n, k).

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> a = np.array([[2.0, 0.0], [1.0, 4.0]])
    >>> print(grad(lambda b: np.sum(np.linalg.solve(a, b)))(np.array([1.0, 2.0])))
    [0.375 0.25 ]
    """
    a, b = operand(a), operand(b)
    if b.ndim == 1:
        return inverses.solve(a, products.expand_last(b))[..., 0]
    return inverses.solve(a, b)


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """Return x with tensordot(a, x, x.ndim) = b; `axes` of `a` are moved to its end."""
    a, b = operand(a), operand(b)
    if axes is not None:
        last = [axis_of(k, a.ndim) for k in axes]
        first = [i for i in range(a.ndim) if i not in last]
        a = transpose(a, axes=(*first, *last))
    shape = a.shape[b.ndim :] if b.ndim else a.shape[a.ndim :]
    n = math.prod(shape)
    if a.size != n * n:
        raise ShapeError(
            f"tensorsolve of shapes {a.shape} and {b.shape}: the axes of `a` beyond "
            f"those of `b`, {shape}, must have as many elements as `b`"
        )
    matrix, column = reshape(a, shape=(n, n)), reshape(b, shape=(n, 1))
    return reshape(inverses.solve(matrix, column), shape=shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Return the inverse of `a` as a map from its last axes to its first `ind` axes."""
    a = operand(a)
    if ind <= 0:
        raise ArgumentError(f"tensorinv: ind={ind}; expected a positive number")
    rows, columns = a.shape[:ind], a.shape[ind:]
    matrix = reshape(a, shape=(math.prod(rows), math.prod(columns)))
    return reshape(inverses.inv(matrix), shape=(*columns, *rows))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """Return the least-squares solution, sums of squared residuals, rank, and values.

    a: (m, n), b: (m,) or (m, k). As in NumPy the sums are empty unless m > n and the
    rank is n (in `vmap`, all ranks). The gradient is that for a constant rank.
    """
    a, b = operand(a), operand(b)
    rhs = products.expand_last(b) if b.ndim == 1 else b
    m, n = a.shape
    cutoff = max(m, n) * np.finfo(float).eps if rcond is None else float(rcond)
    if _leaves_out(a, cutoff):
        x = _truncated_pinv(a, np.asarray(cutoff)) @ rhs
    else:
        x = inverses.lstsq(a, rhs, cutoff=cutoff)
    values = singular.svdvals(a)
    rank = np.sum(values > cutoff * values[:1], dtype=np.intc)
    if m > n and np.all(concrete(rank) == n):
        difference = rhs - a @ x
        squares = real_part(difference * ew.conj(difference))
        residuals = red.sum(squares, axis=(0,))
    else:
        residuals = np.empty(0, values.dtype)
    return x[:, 0] if b.ndim == 1 else x, residuals, rank, values


# -- determinants ---------------------------------------------------------------------


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Return the determinants of matrices a: (..., n, n), singular ones too.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> print(grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])))
    [[ 4. -2.]
     [-2.  1.]]
    """
    return inverses.det(operand(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Return sign and logabsdet: the phase of the determinant, and log |det|.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> x_bar = grad(lambda x: np.linalg.slogdet(x).logabsdet)(np.diag([2.0, -4.0]))
    >>> print(np.diag(x_bar))
    [ 0.5  -0.25]
    """
    return SlogdetResult(*inverses.slogdet(operand(a)))


# -- decompositions -------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Return lower triangular L, a = L @ L^H, or upper triangular U, a = U^H @ U."""
    return decompositions.cholesky(operand(a), upper=bool(upper))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Return Q and R with a = Q @ R, or with mode="r" R alone.

    The first min(m, n) columns of a: (..., m, n) must be independent. With mode="raw"
    the result is h and tau, Householder's reflectors as LAPACK has them; these and the
    further columns of Q with mode="complete" are differentiated as what they are in
    LAPACK, where any others would do as well.
    """
    a = operand(a)
    if mode not in ("reduced", "complete", "r", "raw"):
        raise ArgumentError(
            f"np.linalg.qr: mode={mode!r}; expected 'reduced', 'complete', 'r' or 'raw'"
        )
    m, n = a.shape[-2:]
    if m and n and (mode == "raw" or (mode == "complete" and m > n)):
        reflectors.require_reflections(a)
        steps, r = reflectors.factored(a)
        if mode == "raw":
            return reflectors.packed(steps, r, a)
        below = np.zeros((*a.shape[:-2], m - n, n), a.dtype)
        return QRResult(
            reflectors.complete(steps, a),
            moving.concatenate(r, below, axis=a.ndim - 2),
        )
    q, r = decompositions.qr(a)
    return r if mode == "r" else QRResult(q, r)


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Return U, S and Vh with a = (U * S) @ Vh, or with compute_uv=False S alone.

    The gradient raises `AmbiguousGradientError` where vectors are used, and singular
    values are equal; and with full_matrices=True where the result depends on the basis
    that the additional columns of U or rows of Vh are, not just on what they span.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> nuclear = lambda x: np.sum(np.linalg.svd(x, full_matrices=False).S)
    >>> print(np.abs(grad(nuclear)(np.array([[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]]))))
    [[0. 1.]
     [1. 0.]
     [0. 0.]]
    """
    a = operand(a)
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    if not compute_uv:
        return singular.svdvals(a)
    u, s, vh = singular.svd(a)
    m, n = a.shape[-2:]
    if full_matrices and m > n:
        rest = null_space.complement(stop_gradient(a), u, left=True)
        u = moving.concatenate(u, rest, axis=a.ndim - 1)
    if full_matrices and m < n:
        rest = null_space.complement(stop_gradient(a), adjoint(vh), left=False)
        vh = moving.concatenate(vh, adjoint(rest), axis=a.ndim - 2)
    return SVDResult(u, s, vh)


def _hermitian_svd(a: Any, compute_uv: bool) -> Any:
    """Return U, S and Vh of the Hermitian matrix whose lower triangle is given."""
    if not compute_uv:
        return _descending(ew.absolute(eigen.eigvalsh(a)))
    w, v = eigen.eigh(a)
    size = ew.absolute(w)
    order = np.flip(argsort(size), -1)
    signs = take_along_axis(ew.sign(w), order, -1)
    u = take_along_axis(v, order[..., None, :], -1)
    vh = adjoint(u * signs[..., None, :])
    return SVDResult(u, take_along_axis(size, order, -1), vh)


def _descending(values: Any) -> Any:
    """Return values in descending order along the last axis."""
    return np.flip(np.sort(values, axis=-1), -1)


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Return the singular values (..., k) of matrices, in descending order."""
    return singular.svdvals(operand(x))


def _reads_lower(UPLO: str) -> bool:
    if UPLO.upper() not in ("L", "U"):
        raise ArgumentError(f"UPLO={UPLO!r}: expected 'L' or 'U'")
    return UPLO.upper() == "L"


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Return eigenvalues, ascending, and eigenvectors of Hermitian matrices.

    Raises `AmbiguousGradientError` where eigenvalues are equal and the gradient of
    their vectors is asked for; that of the eigenvalues alone is always there.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> largest = lambda x: np.linalg.eigh(x).eigenvalues[-1]
    >>> print(grad(largest)(np.array([[1.0, 2.0], [2.0, 1.0]])))  # reads one triangle
    [[0.5 0. ]
     [1.  0.5]]
    """
    return EighResult(*eigen.eigh(operand(a), lower=_reads_lower(UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of Hermitian matrices, ascending."""
    return eigen.eigvalsh(operand(a), lower=_reads_lower(UPLO))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Return eigenvalues and eigenvectors of matrices; real if all values are."""
    return EigResult(*eigen.eig(operand(a)))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Return the eigenvalues of square matrices."""
    return eigen.eig(operand(a))[0]  # a rule needs the vectors, in the same order


# -- products -------------------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Return the n-th power of square matrices; negative powers are of the inverse."""
    a, n = operand(a), operator.index(n)
    if n < 0:
        a, n = inverses.inv(a), -n
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape).copy()
    result, power = None, a
    while n:
        n, bit = divmod(n, 2)
        if bit:
            result = power if result is None else result @ power
        if n:
            power = power @ power
    return result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any]) -> Any:
    """Return the product of matrices, in the order that multiplies the least.

    The first and the last may be vectors.
    """
    xs = [operand(x) for x in arrays]
    if len(xs) < 2:
        raise ShapeError(f"multi_dot: {len(xs)} arrays; expected two or more")
    if len(xs) == 2:
        return products.dot(*xs)
    lead, trail = xs[0].shape[:-1], xs[-1].shape[1:]
    xs[0] = reshape(xs[0], shape=(math.prod(lead), xs[0].shape[-1]))
    xs[-1] = reshape(xs[-1], shape=(xs[-1].shape[0], math.prod(trail)))
    lengths = [x.shape[0] for x in xs] + [xs[-1].shape[1]]
    return reshape(_chain(xs, _best_splits(lengths), 0, len(xs)), shape=(*lead, *trail))


def _best_splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Return where to split each product of the matrices i to j - 1.

    T. H. Cormen et al., "Introduction to Algorithms", section 15.2.
    """
    n = len(lengths) - 1
    cost = {(i, i + 1): 0 for i in range(n)}
    split: dict[tuple[int, int], int] = {}
    for width in range(2, n + 1):
        for i in range(n - width + 1):
            j = i + width
            outer = lengths[i] * lengths[j]
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k, j] + outer * lengths[k], k)
                for k in range(i + 1, j)
            )
    return split


def _chain(xs: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if j == i + 1:
        return xs[i]
    k = split[i, j]
    return products.matmul(_chain(xs, split, i, k), _chain(xs, split, k, j))


@implements(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """Return x1 @ x2 for x1: (..., m, k), x2: (..., k, n), or vectors."""
    return products.matmul(x1, x2)


@implements(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """Return the products of each element of one vector with each of another."""
    x1, x2 = operand(x1), operand(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError(
            f"np.linalg.outer of shapes {x1.shape} and {x2.shape}: expected vectors; "
            "np.outer flattens"
        )
    return products.outer(x1, x2)


@implements(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Return the cross product of vectors of length 3 along an axis."""
    x1, x2 = operand(x1), operand(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ShapeError(
            f"np.linalg.cross of shapes {x1.shape} and {x2.shape}: expected length 3 "
            f"along axis {axis}"
        )
    return products.cross(x1, x2, axis=axis)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Return the sum product over one axis, x1 conjugated."""
    return products.vecdot(x1, x2, axis=axis)


@implements(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Return the sum product over pairs of axes, those of x1 left first."""
    return products.tensordot(x1, x2, axes)


@implements(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Return x with its last two axes exchanged."""
    return moving.swap_last(operand(x))


@implements(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Return a diagonal of the last two axes, as a new last axis."""
    return moving.diagonal(operand(x), offset=offset)


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Return the sum of a diagonal of the last two axes."""
    return shapes.trace(x, offset, -2, -1, dtype)


# fmt: off
__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr",
    "slogdet", "solve", "svd", "svdvals", "tensordot", "tensorinv", "tensorsolve",
    "trace", "vecdot", "vector_norm",
]
