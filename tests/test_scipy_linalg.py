"""Linear algebra of SciPy: values, derivatives, triangles, stacks, keywords."""

from functools import partial

import numpy as np
import pytest
import scipy.linalg

from autograd_lite import grad, vjp
from autograd_lite.errors import ArgumentError, ShapeError, UnsupportedError
from autograd_lite.scipy import linalg
from autograd_lite.testing import check_grads


def matrix(*shape, seed=0, dtype=float):
    """Matrices with eigenvalues in the right half plane."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if dtype is complex:
        x = x + 1j * rng.standard_normal(shape)
    return (x / (2 * shape[-1]) + 1.5 * np.eye(shape[-2], shape[-1])).astype(dtype)


def positive(n, dtype=float):
    a = matrix(n, n, dtype=dtype)
    return a @ a.conj().T


A, B, V = matrix(3, 3), matrix(3, 2, seed=1), matrix(1, 3, seed=2)[0]
WIDE, TALL = matrix(2, 3), matrix(3, 2)
STACK = matrix(2, 3, 3, seed=3)

CALLS = [
    *[(name, (A,), {}) for name in ["sqrtm", "sinm", "tanm", "sinhm", "coshm"]],
    ("tanhm", (A,), {}),
    ("expm", (STACK,), {}),
    ("expm_frechet", (A, matrix(3, 3, seed=4)), {}),
    ("expm_frechet", (A, matrix(3, 3, seed=4)), {"compute_expm": False}),
    ("fractional_matrix_power", (A, 0.3), {}),
    ("solve", (A, B), {}),
    ("solve", (A, V), {"check_finite": False}),
    ("solve", (A, B), {"transposed": True}),
    ("solve", (positive(3), V), {"assume_a": "pos"}),
    ("solve", (positive(3), B), {"assume_a": "sym", "lower": True}),
    ("solve", (STACK, B), {}),
    ("solve_triangular", (A, B), {}),
    ("solve_triangular", (A, V), {"lower": True, "trans": 1}),
    ("solve_triangular", (A, V), {"unit_diagonal": True, "check_finite": False}),
    ("solve_triangular", (STACK, B), {"trans": "T"}),
    ("cholesky", (positive(3),), {}),
    ("cholesky", (positive(3),), {"lower": True}),
    ("solve_sylvester", (A, matrix(2, 2), B), {}),
    ("solve_continuous_lyapunov", (A, matrix(3, 3, seed=5)), {}),
    ("solve_discrete_lyapunov", (A / 3, matrix(3, 3, seed=5)), {}),
    ("inv", (A,), {}),
    ("det", (STACK,), {}),
    ("norm", (A,), {}),
    ("norm", (A,), {"ord": 2}),
    ("norm", (A,), {"axis": 0, "keepdims": True}),
    ("pinv", (TALL,), {}),
    ("eigvalsh", (positive(3),), {}),
    ("eigvalsh", (positive(3),), {"lower": False}),
    ("eigh", (positive(3),), {"eigvals_only": True}),
    ("svdvals", (WIDE,), {}),
    ("svd", (WIDE,), {"compute_uv": False}),
    ("qr", (TALL,), {"mode": "economic"}),
    ("qr", (TALL,), {"mode": "r"}),
    ("qr", (WIDE,), {}),
    ("qr", (TALL,), {}),
    ("qr", (A,), {}),
    ("toeplitz", (V,), {}),
    ("toeplitz", (V, B[:, 1]), {}),
    ("toeplitz", (V, np.arange(4.0)), {}),
    ("hankel", (V,), {}),
    ("hankel", (V, np.arange(4.0)), {}),
    ("circulant", (V,), {}),
    ("khatri_rao", (A, matrix(2, 3)), {}),
    ("block_diag", (A, WIDE, V), {}),
    ("solve_toeplitz", (V, B), {}),
    ("matmul_toeplitz", (V, B), {}),
]


def leaves(y):
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.parametrize("name, args, kwargs", CALLS)
def test_values_and_derivatives(name, args, kwargs):
    ours, theirs = getattr(linalg, name), getattr(scipy.linalg, name)
    expected = leaves(theirs(*args, **kwargs))
    for y, e in zip(leaves(ours(*args, **kwargs)), expected, strict=True):
        np.testing.assert_array_equal(y, e)
    traced, _ = vjp(lambda *xs: ours(*xs, **kwargs), *args)
    for y, e in zip(leaves(traced), expected, strict=True):
        np.testing.assert_allclose(y, e, 1e-10, 1e-12)
    check_grads(lambda *xs: ours(*xs, **kwargs), args)


@pytest.mark.parametrize("x", [A, TALL, WIDE])
def test_raw_qr(x):
    def flat(x):
        (h, tau), r = linalg.qr(x, mode="raw")
        return h, tau, r

    for y, e in zip(vjp(flat, x)[0], flat(x), strict=True):
        np.testing.assert_allclose(y, e, 1e-12, 1e-14)
    check_grads(flat, (x,))


def test_every_name_is_one_of_scipys():
    assert [n for n in linalg.__all__ if not hasattr(scipy.linalg, n)] == []
    assert [n for n in linalg.__all__ if not callable(getattr(linalg, n))] == []


# -- functions of matrices ------------------------------------------------------------


def test_logarithm():
    np.testing.assert_array_equal(linalg.logm(A), scipy.linalg.logm(A))
    check_grads(linalg.logm, (A,), order=1)


def test_logarithm_undoes_exponential():
    g = matrix(3, 3, seed=7)
    _, pullback = vjp(lambda x: linalg.logm(linalg.expm(x)), A)
    np.testing.assert_allclose(pullback(g)[0], g, 1e-9, 1e-11)


@pytest.mark.parametrize("name", ["expm", "sqrtm", "cosm"])
def test_complex_matrices(name):
    check_grads(getattr(linalg, name), (matrix(3, 3, dtype=complex),), order=1)


def test_root_of_a_matrix_with_negative_eigenvalues_is_complex():
    a = A - 3 * np.eye(3)
    root, pullback = vjp(linalg.sqrtm, a)
    assert root.dtype == complex and pullback(root)[0].dtype == float
    check_grads(lambda a: linalg.sqrtm(a).imag, (a,), order=1)


def test_exponential_of_many_scales():
    """d expm(t a) / dt = a expm(t a), also where squaring is needed."""
    for t in [1e-6, 1.0, 30.0]:
        y, pullback = vjp(lambda t: linalg.expm(t * -A), t)
        np.testing.assert_allclose(pullback(np.ones((3, 3)))[0], -(A @ y).sum(), 1e-10)


@pytest.mark.parametrize("name", ["expm", "sqrtm", "solve_triangular"])
def test_float32(name):
    args = [A.astype(np.float32)] * (2 if name == "solve_triangular" else 1)
    y, pullback = vjp(getattr(linalg, name), *args)
    assert {x.dtype for x in (y, *pullback(y))} == {np.dtype(np.float32)}


# -- triangles ------------------------------------------------------------------------


@pytest.mark.parametrize("lower", [True, False])
def test_the_other_triangle_has_no_gradient(lower):
    other = np.triu(np.ones((3, 3)), 1) if lower else np.tril(np.ones((3, 3)), -1)
    loss = lambda a: linalg.solve_triangular(a, B, lower=lower).sum()  # noqa: E731
    assert not (grad(loss)(A) * other).any()
    a = positive(3)
    for fun in [linalg.cholesky, partial(linalg.solve, b=B, assume_a="pos")]:
        assert not (grad(lambda a, f=fun: f(a, lower=lower).sum())(a) * other).any()


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("dtype", [float, complex])
def test_cholesky_solves(lower, dtype):
    a, b = positive(3, dtype), matrix(3, 2, dtype=dtype)
    expected = np.linalg.solve(a, b)

    def solution(a, b):
        return linalg.cho_solve(linalg.cho_factor(a, lower=lower), b)

    np.testing.assert_allclose(vjp(solution, a, b)[0], expected, 1e-12)
    np.testing.assert_allclose(solution(a, b), expected, 1e-12)
    check_grads(solution, (a, b))
    factor = scipy.linalg.cho_factor(a, lower)  # with rubbish in the other triangle
    np.testing.assert_allclose(
        vjp(lambda b: linalg.cho_solve(factor, b), b)[0], expected, 1e-12
    )


@pytest.mark.parametrize("trans", [0, 1, 2, "N", "T", "C"])
def test_transposed_triangular_systems(trans):
    a, b = matrix(3, 3, dtype=complex), matrix(3, 2, dtype=complex)
    fun = partial(linalg.solve_triangular, trans=trans)
    expected = scipy.linalg.solve_triangular(a, b, trans)
    np.testing.assert_allclose(vjp(fun, a, b)[0], expected, 1e-12)
    check_grads(fun, (a, b), order=1)


# -- errors ---------------------------------------------------------------------------


def test_what_is_not_supported_says_so():
    for call, word in [
        (lambda a: linalg.qr(a, pivoting=True), "pivoting"),
        (lambda a: linalg.eigh(a, B), "b="),
        (lambda a: linalg.solve(a, B, assume_a="banded"), "banded"),
    ]:
        with pytest.raises(UnsupportedError, match=word):
            vjp(call, A)


def test_shapes_are_checked():
    with pytest.raises(ShapeError, match=r"\(2, 3\)"):
        vjp(linalg.expm, WIDE)
    with pytest.raises(ShapeError, match=r"\(3, 3\).*\(2, 3\)"):
        vjp(linalg.solve_triangular, A, WIDE)
    with pytest.raises(ShapeError, match="vector"):
        vjp(linalg.toeplitz, A)
    with pytest.raises(ArgumentError, match="trans='X'"):
        vjp(lambda a: linalg.solve_triangular(a, B, trans="X"), A)
