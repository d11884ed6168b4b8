"""numpy.linalg: closed forms, equal and zero values, singular and empty matrices."""

import numpy as np
import pytest
from test_cases import assert_same, each
from test_linalg import INF, MATRIX_ORDERS, ORDERS, close, hermitian, normal, positive

import autograd_lite.numpy as anp
from autograd_lite import grad, jvp, vjp
from autograd_lite.errors import AmbiguousGradientError
from autograd_lite.numpy import linalg
from autograd_lite.testing import check_grads

pytestmark = pytest.mark.filterwarnings("error")

# -- closed forms --------------------------------------------------------------------

X = normal(4, 4, seed=1)
SYMMETRIC = hermitian(X)


def test_closed_forms_of_functions_of_matrices():
    inverse = np.linalg.inv(X)
    close(grad(linalg.det)(X), np.linalg.det(X) * inverse.T)
    close(grad(lambda x: linalg.slogdet(x).logabsdet)(X), inverse.T)
    close(grad(lambda x: linalg.trace(linalg.inv(x)))(X), -(inverse @ inverse).T)
    close(grad(lambda x: linalg.trace(linalg.matrix_power(x, 3)))(X), 3 * (X @ X).T)
    close(grad(lambda x: anp.sum(anp.real(linalg.eigvals(x))))(X), np.eye(4))
    close(grad(lambda x: anp.real(anp.prod(linalg.eigvals(x))))(X), grad(linalg.det)(X))
    close(grad(lambda x: anp.sum(linalg.eigvalsh(x) ** 2))(SYMMETRIC), _folded(X + X.T))


def _folded(symmetric):
    """The gradient of the lower triangle, given that of the symmetric matrix."""
    return 2 * np.tril(symmetric, -1) + np.diag(np.diag(symmetric))


def test_closed_forms_of_norms():
    x = normal(3, 4)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    close(grad(lambda x: linalg.norm(x, "nuc"))(x), u @ vh)
    close(grad(lambda x: linalg.norm(x, 2))(x), np.outer(u[:, 0], vh[0]))
    close(grad(lambda x: linalg.norm(x, -2))(x), np.outer(u[:, -1], vh[-1]))
    close(grad(linalg.norm)(x), x / np.linalg.norm(x))
    v = np.array([3.0, -4, 0, 1])
    close(grad(lambda v: linalg.norm(v, INF))(v), [0, -1, 0, 0])
    close(grad(lambda v: linalg.norm(v, -INF))(v), [0, 0, 0, 0])
    close(grad(lambda v: linalg.norm(v, 1))(v), [1, -1, 0, 1])
    close(grad(lambda v: linalg.norm(v, 0))(v), [0, 0, 0, 0])
    close(grad(lambda v: linalg.norm(v, 3))(v), v * abs(v) / 92 ** (2 / 3))


def test_cholesky_factor_of_one_number():
    close(grad(lambda x: linalg.cholesky(x)[0, 0])(np.array([[4.0]])), [[0.25]])


def test_least_squares_is_the_solution_of_the_normal_equations():
    a, b = normal(5, 2), normal(5)
    ours = vjp(lambda a, b: linalg.lstsq(a, b)[0], a, b)[1](np.ones(2))
    theirs = vjp(lambda a, b: linalg.solve(a.T @ a, a.T @ b), a, b)[1](np.ones(2))
    close(ours[0], theirs[0])
    close(ours[1], theirs[1])


# -- triangles that are not read -----------------------------------------------------


@pytest.mark.parametrize(
    "fun, lower",
    [
        (lambda x: linalg.cholesky(x), True),
        (lambda x: linalg.cholesky(x, upper=True), False),
        (lambda x: linalg.eigvalsh(x), True),
        (lambda x: linalg.eigvalsh(x, "U"), False),
        (lambda x: linalg.eigh(x)[1], True),
        (lambda x: linalg.pinv(x, hermitian=True), True),
        (lambda x: linalg.svd(x, hermitian=True)[0], True),
    ],
)
def test_gradient_is_zero_where_a_matrix_is_not_read(fun, lower):
    x = np.asarray(positive(X))
    weights = normal(*fun(x).shape, seed=9)
    x_bar = grad(lambda x: anp.sum(fun(x) * weights))(x)
    other = np.triu(x_bar, 1) if lower else np.tril(x_bar, -1)
    assert not other.any() and np.abs(x_bar).max() > 1e-3
    doubled = grad(lambda x: anp.sum(fun((x + x.T) / 2) * weights))(x)
    close(doubled, doubled.T)


# -- equal values, zeros, singular matrices ------------------------------------------

EQUAL = np.diag([2.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: linalg.eigh(x)[1],
        lambda x: linalg.eig(x)[1],
        lambda x: linalg.svd(x)[0],
        lambda x: linalg.svd(x).Vh,
    ],
)
def test_vectors_of_equal_values_have_no_gradient(fun):
    with pytest.raises(AmbiguousGradientError, match="values are equal"):
        grad(lambda x: anp.sum(fun(x)))(EQUAL)
    with pytest.raises(ValueError, match="random perturbation"):
        grad(lambda x: anp.sum(fun(x)))(np.stack([np.diag([1.0, 2, 3]), EQUAL]))


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: linalg.eigh(x)[0],
        lambda x: linalg.eig(x).eigenvalues,
        lambda x: linalg.svd(x).S,
        linalg.eigvals,
        linalg.eigvalsh,
        linalg.svdvals,
    ],
)
def test_values_have_a_gradient_when_equal(fun):
    close(grad(lambda x: anp.sum(fun(x)))(EQUAL), np.eye(3))


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", [(3, 3), (3, 2), (2, 3), (2, 3, 3)])
def test_values_beside_vectors_have_the_gradient_of_values_alone(shape, dtype):
    x = normal(*shape, dtype=dtype, seed=4)
    weights = normal(*np.linalg.svdvals(x).shape, seed=5)

    def weighed(fun):
        return grad(lambda x: anp.sum(fun(x) * weights))(x)

    beside = weighed(lambda x: linalg.svd(x, full_matrices=False)[1])
    close(beside, weighed(linalg.svdvals))
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    close(beside, ((u * weights[..., None, :]) @ vh).conj())
    if shape[-1] == shape[-2]:
        close(weighed(lambda x: linalg.eigh(x)[0]), weighed(linalg.eigvalsh))


def test_vectors_of_a_zero_singular_value_have_no_gradient():
    x = np.outer([1.0, 2, 3], [1.0, -1])
    with pytest.raises(AmbiguousGradientError, match="is zero"):
        grad(lambda x: anp.sum(linalg.svd(x, full_matrices=False)[0]))(x)


@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_norm_of_a_zero_matrix_has_zero_gradient(order):
    close(grad(lambda x: linalg.norm(x, order))(np.zeros((3, 2))), np.zeros((3, 2)))


@pytest.mark.parametrize("order", [o for o in ORDERS if o not in (-1, -3, -2)])
def test_norm_of_a_zero_vector_has_zero_gradient(order):
    def fun(x):
        return linalg.norm(x, order)

    close(grad(fun)(np.zeros(3)), np.zeros(3))
    close(grad(lambda x: anp.sum(grad(fun)(x)))(np.zeros(3)), np.zeros(3))
    close(jvp(fun, (np.zeros(3),), (np.ones(3),))[1], 0)


@pytest.mark.parametrize("order", [0.5, 1, 2, 3, 1.5])
def test_norm_of_a_vector_with_zeros_has_a_finite_gradient(order):
    x = np.array([1.0, 0.0, -2.0])
    x_bar = grad(lambda x: linalg.norm(x, order))(x)
    assert x_bar[1] == 0 and x_bar[0] > 0 > x_bar[2]


def test_determinant_of_singular_matrices():
    x = np.array([[1.0, 2.0], [2.0, 4.0]])
    close(grad(linalg.det)(x), [[4, -2], [-2, 1]])
    close(
        grad(lambda x: anp.sum(grad(linalg.det)(x) * X[:2, :2]))(x), _swapped(X[:2, :2])
    )
    zero = np.zeros((3, 3))
    close(grad(linalg.det)(zero), zero)
    rank_two = np.diag([1.0, 1.0, 0.0])  # with equal singular values
    close(grad(linalg.det)(rank_two), np.diag([0.0, 0, 1]))


def test_second_derivative_of_complex_singular_determinants():
    a, b = normal(3, 2, dtype=complex), normal(2, 3, dtype=complex, seed=1)
    for x in (a @ b, np.stack([a @ b, normal(3, 3, dtype=complex)])):
        check_grads(lambda x: linalg.det(x), (x,))


def test_second_derivative_of_large_ill_conditioned_determinants():
    """The size of a matrix says nothing of its condition."""
    u, v = np.linalg.qr(X)[0], np.linalg.qr(X.T)[0]
    x = u * [1.0, 0.5, 0.25, 1e-13] @ v
    weights = normal(4, 4, seed=7)

    def change(x):
        return grad(lambda x: anp.sum(grad(linalg.det)(x) * weights))(x)

    expected = change(u * [1.0, 0.5, 0.25, 0.0] @ v)
    for scale in (1e-6, 1.0, 1e6):
        np.testing.assert_allclose(
            change(scale * x), scale**2 * expected, atol=1e-9 * scale**2
        )


def _swapped(w):
    """The gradient of the sum of the cofactors of a 2 by 2 matrix, weighted by w."""
    return np.array([[w[1, 1], -w[1, 0]], [-w[0, 1], w[0, 0]]])


def test_singular_matrices_are_refused_as_in_numpy():
    x = np.ones((2, 2))
    for fun in [linalg.inv, lambda x: linalg.solve(x, x), lambda x: linalg.cond(x, 1)]:
        with pytest.raises(np.linalg.LinAlgError):
            vjp(fun, x)
    assert vjp(linalg.cond, np.zeros((2, 2)))[0] == INF


# -- no elements ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["inv", "pinv", "det", "slogdet", "cholesky", "qr", "svd", "svdvals", "eigh"]
    + ["eigvalsh", "eig", "eigvals", "norm", "matrix_norm", "vector_norm", "trace"],
)
@pytest.mark.parametrize("shape", [(0, 3, 3), (0, 0), (2, 0, 0)])
def test_no_elements(name, shape):
    fun, numpys = getattr(linalg, name), getattr(np.linalg, name)
    x = np.zeros(shape)
    ys, pullback = vjp(lambda x: tuple(each(fun(x))), x)
    assert_same(ys, each(numpys(x)))
    assert pullback(ys)[0].shape == shape


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_rectangles_without_elements(shape):
    x = np.zeros(shape)
    for fun in [
        lambda x: linalg.svd(x, full_matrices=False)[1],
        lambda x: linalg.qr(x)[1],
        linalg.pinv,
        linalg.svdvals,
        lambda x: linalg.norm(x, 1),
        lambda x: linalg.norm(x, "nuc"),
        lambda x: linalg.lstsq(x, np.zeros(shape[0]))[0],
    ]:
        y, pullback = vjp(fun, x)
        assert_same(y, fun(x))
        assert pullback(y)[0].shape == shape


# -- parts of a decomposition, and complex matrices ------------------------------------


def matrix(kind, shape=(3, 3), seed=0):
    """A normal matrix, real or complex."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if kind == "complex" else x


WEIGHTS = np.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_eigenvalues_alone(kind):
    def weighted(x):
        w, _ = linalg.eigh((x + anp.conj(x).T) / 2)
        return (w * WEIGHTS).sum()

    check_grads(weighted, (matrix(kind),), order=1)


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 5)])
def test_singular_values_alone(kind, shape):
    def weighted(x):
        return (linalg.svd(x, full_matrices=False)[1] * WEIGHTS).sum()

    check_grads(weighted, (matrix(kind, shape),), order=1)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_second_derivative_of_the_determinant_of_a_singular_matrix(kind):
    x = matrix(kind)
    x[2] = x[0] - 2 * x[1]
    check_grads(lambda x: anp.real(linalg.det(x) * (1 - 2j)), (x,), order=2)
