"""Jacobians, Hessians and products with them: closed forms, trees, both modes."""

from typing import NamedTuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite.numpy as np
from autograd_lite import (
    defvjp,
    elementwise_grad,
    ggnvp,
    grad,
    hessian,
    holomorphic_grad,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    nn,
    primitive,
    tree,
    value_and_jacobian,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, DifferentiationTypeError

RNG = numpy.random.default_rng(0)
A = RNG.standard_normal((3, 4))
X = RNG.standard_normal(4)
BOTH = pytest.mark.parametrize("jac", [jacrev, jacfwd, jacobian])


@BOTH
def test_linear_map(jac):
    numpy.testing.assert_allclose(jac(lambda x: A @ x)(X), A)


@BOTH
def test_of_an_inverse(jac):
    """d inv(X)[i, j] / d X[k, l] = -inv(X)[i, k] inv(X)[l, j]"""
    x = RNG.standard_normal((3, 3)) + 3 * numpy.eye(3)
    y = numpy.linalg.inv(x)
    expected = -numpy.einsum("ik,lj->ijkl", y, y)
    numpy.testing.assert_allclose(jac(np.linalg.inv)(x), expected, rtol=1e-10)


@BOTH
@settings(max_examples=20, deadline=None)
@given(m=st.integers(0, 3), n=st.integers(0, 3), k=st.integers(0, 2))
def test_shapes(jac, m, n, k):
    a, x = numpy.ones((m, n)), numpy.ones((n, k))
    j = jac(lambda x: a @ np.sin(x))(x)
    assert j.shape == (m, k, n, k)
    expected = numpy.einsum("mn,kl,nl->mknl", a, numpy.eye(k), numpy.cos(x))
    numpy.testing.assert_allclose(j, expected)


class Pair(NamedTuple):
    a: object
    b: object


@BOTH
def test_trees(jac):
    def fun(p):
        return {"sum": p.a + p.b.sum(), "product": p.a * p.b}

    j = jac(fun)(Pair(2.0, numpy.array([3.0, 4.0])))
    assert isinstance(j["sum"], Pair)
    numpy.testing.assert_allclose(j["sum"].a, 1)
    numpy.testing.assert_allclose(j["sum"].b, [1, 1])
    numpy.testing.assert_allclose(j["product"].a, [3, 4])
    numpy.testing.assert_allclose(j["product"].b, [[2, 0], [0, 2]])


@BOTH
def test_arguments(jac):
    fun = lambda x, y: x * y  # noqa: E731
    first, second = jac(fun, argnums=(0, 1))(2.0, numpy.array([3.0, 4.0]))
    numpy.testing.assert_allclose(first, [3, 4])
    numpy.testing.assert_allclose(second, [[2, 0], [0, 2]])
    numpy.testing.assert_allclose(jac(fun, wrt="x")(x=2.0, y=3.0), 3.0)


@BOTH
def test_float32_stays(jac):
    j = jac(lambda x: np.float32(2) * x)(numpy.ones(2, numpy.float32))
    assert j.dtype == numpy.float32


@BOTH
@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("sizes", [(1, 3), (3, 1)])
def test_the_dtype_is_that_of_the_argument(jac, chunk_size, sizes):
    """With fewer inputs than outputs and with more, for either way to be cheaper."""
    m, n = sizes
    a = numpy.ones((m, n))

    def fun(p):
        wide = a @ p["wide"] + a @ p["narrow"].astype(float)
        return wide, wide.astype(numpy.float32), numpy.arange(3), p["narrow"]

    p = {"wide": numpy.ones(n), "narrow": numpy.ones(n, numpy.float32)}
    rows = jac(fun, chunk_size=chunk_size)(p)
    expected = [numpy.ones((m, n))] * 2 + [numpy.zeros((3, n))]
    for row, value in zip(rows, expected):
        assert row["wide"].dtype == numpy.float64
        assert row["narrow"].dtype == numpy.float32
        numpy.testing.assert_array_equal(row["wide"], value)
        numpy.testing.assert_array_equal(row["narrow"], value)
    assert rows[3]["wide"].dtype == numpy.float64


@pytest.mark.parametrize("jac", [jacfwd, jacobian])
def test_derivatives_of_complex_outputs_have_the_precision_of_the_argument(jac):
    x = numpy.ones(2, numpy.float32)
    assert jac(lambda x: x * numpy.ones(2, complex))(x).dtype == numpy.complex64
    assert jac(lambda x: x * numpy.complex64(1j))(x + 0.0).dtype == numpy.complex64
    assert jac(lambda x: x.astype(numpy.complex64))(X).dtype == numpy.complex128


@BOTH
def test_complex_is_refused(jac):
    with pytest.raises(DifferentiationTypeError, match="holomorphic_grad"):
        jac(lambda z: z * z)(numpy.ones(2) * 1j)


def test_independent_output():
    numpy.testing.assert_array_equal(jacrev(lambda x: A[0])(X), numpy.zeros((4, 4)))
    numpy.testing.assert_array_equal(jacfwd(lambda x: A[0])(X), numpy.zeros((4, 4)))


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_hessian_of_rosenbrock():
    x, y = 1.5, -0.5
    expected = [[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200]]
    numpy.testing.assert_allclose(hessian(rosenbrock)(numpy.array([x, y])), expected)


def test_hessian_of_logsumexp():
    p = numpy.exp(X) / numpy.exp(X).sum()
    found = hessian(lambda x: np.log(np.sum(np.exp(x))))(X)
    numpy.testing.assert_allclose(found, numpy.diag(p) - numpy.outer(p, p), atol=1e-12)


def test_hessian_of_a_tree():
    found = hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})
    assert found == {"a": {"a": 6.0, "b": 4.0}, "b": {"a": 4.0, "b": 0.0}}


def test_hvp_is_the_hessian_times_the_direction():
    v = RNG.standard_normal(4)
    expected = hessian(rosenbrock)(X) @ v
    numpy.testing.assert_allclose(hvp(rosenbrock)(X, v), expected)


def test_hvp_with_more_arguments():
    found = hvp(lambda a, x: a * (x**3).sum(), argnums=1)(2.0, X, numpy.ones(4))
    numpy.testing.assert_allclose(found, 12 * X)


def test_elementwise_grad():
    numpy.testing.assert_allclose(elementwise_grad(np.tanh)(X), 1 - numpy.tanh(X) ** 2)
    twice = elementwise_grad(elementwise_grad(np.sin))
    numpy.testing.assert_allclose(twice(X), -numpy.sin(X))


def test_holomorphic_grad():
    z = 0.3 + 0.8j
    numpy.testing.assert_allclose(holomorphic_grad(np.sin)(z), numpy.cos(z))


def test_holomorphic_grad_of_a_named_argument():
    assert holomorphic_grad(lambda a, z: a * z**2, wrt="z")(3.0, z=1j) == 6j


def test_holomorphic_grad_is_of_complex_numbers():
    with pytest.raises(DifferentiationTypeError, match=r"float64: pass x\.astype\(co"):
        holomorphic_grad(np.sin)(0.3)
    with pytest.raises(DifferentiationTypeError, match="complex outputs, got float64"):
        holomorphic_grad(np.abs)(0.3 + 1j)


def test_value_and_jacobian():
    y, j = value_and_jacobian(lambda x: A @ x)(X)
    numpy.testing.assert_allclose(y, A @ X)
    numpy.testing.assert_allclose(j, A)


def test_jacobians_differentiate():
    """The sum of the squared entries of the Jacobian of tanh, differentiated."""
    total = lambda x: np.sum(jacobian(np.tanh)(x) ** 2)  # noqa: E731
    s = 1 - numpy.tanh(X) ** 2
    numpy.testing.assert_allclose(grad(total)(X), -4 * s**2 * numpy.tanh(X))


# -- chunks ---------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 5, 7, 100])
def test_chunks_do_not_matter(jac, chunk_size):
    def fun(p):
        y = np.tanh(A @ p["x"])
        return y * p["s"], np.outer(y[:2], p["x"])

    p = {"s": 2.0, "x": X}
    whole, parts = jac(fun)(p), jac(fun, chunk_size=chunk_size)(p)
    tree.map(numpy.testing.assert_allclose, parts, whole)
    numpy.testing.assert_allclose(
        hessian(rosenbrock, chunk_size=chunk_size)(X), hessian(rosenbrock)(X)
    )


@BOTH
def test_a_chunk_bounds_what_is_worked_on(jac):
    """A primitive of the derivative sees no more than chunk_size rows at a time."""
    widths = []

    @primitive
    def seen(x):
        widths.append(x.shape)
        return x.copy()

    defvjp(seen, lambda ans, x: lambda g: seen(g))
    seen.jvps = {0: lambda x_dot, ans, x: seen(x_dot)}
    seen.batch = lambda size, args, batched: seen(args[0])
    numpy.testing.assert_array_equal(jac(seen, chunk_size=3)(X), numpy.eye(4))
    assert (3, 4) in widths and (4, 4) not in widths


@BOTH
@pytest.mark.parametrize("chunk_size", [0, -1, 2.5, "all"])
def test_a_chunk_has_rows(jac, chunk_size):
    with pytest.raises(ArgumentError, match="chunk_size=.*1 or more"):
        jac(np.sin, chunk_size=chunk_size)


def test_large_arrays_are_worked_on_piece_by_piece(monkeypatch):
    monkeypatch.setattr("autograd_lite.jacobians.CHUNK_BYTES", 64)
    fun = lambda x: np.tanh(x) * x[::-1]  # noqa: E731
    expected = jacrev(fun, chunk_size=4)(X)
    for jac in (jacrev, jacfwd, jacobian):
        numpy.testing.assert_allclose(jac(fun)(X), expected, atol=1e-15)


@BOTH
def test_what_has_no_batching_rule_is_looped_over(jac):
    @primitive
    def scaled(x, y):
        return x * y

    defvjp(
        scaled,
        lambda ans, x, y: lambda g: scaled(g, y),
        lambda ans, x, y: lambda g: scaled(g, x),
    )
    found = jac(lambda x: scaled(np.sin(x), x))(X)
    slope = numpy.sin(X) + X * numpy.cos(X)
    numpy.testing.assert_allclose(found, numpy.diag(slope), rtol=1e-12)


# -- evaluation, aux, complex numbers -------------------------------------------------


def test_the_function_is_evaluated_once():
    calls = []

    def counted(x):
        calls.append(None)
        return np.sin(x)

    for derivative in (jacrev, jacfwd, jacobian, value_and_jacobian):
        calls.clear()
        derivative(counted)(X)
        assert len(calls) == 1, derivative


def test_the_cheaper_side_is_taken():
    """Three outputs: rows; three inputs of many outputs: columns."""
    widths = []

    @primitive
    def seen(x):
        widths.append(x.shape)
        return x.copy()

    defvjp(seen, lambda ans, x: lambda g: seen(g))
    seen.batch = lambda size, args, batched: seen(args[0])
    jacobian(lambda x: A @ seen(x))(X)
    assert widths[-1] == (3, 4)
    widths.clear()
    jacobian(lambda x: seen(x)[np.arange(9) % 3])(X[:3])
    assert (3, 3) in widths and (9, 3) not in widths


@BOTH
def test_aux(jac):
    fun = lambda x: (x**2, {"x": x, "name": "aux"})  # noqa: E731
    j, aux = jac(fun, has_aux=True)(X)
    numpy.testing.assert_allclose(j, numpy.diag(2 * X))
    assert aux["name"] == "aux" and type(aux["x"]) is numpy.ndarray
    with pytest.raises(DifferentiationTypeError, match=r"\(output, aux\)"):
        jac(np.sin, has_aux=True)(X)


def test_aux_of_the_others():
    fun = lambda x: (np.sum(x**2), "aux")  # noqa: E731
    h, aux = hessian(fun, has_aux=True)(X)
    numpy.testing.assert_allclose(h, 2 * numpy.eye(4))
    assert aux == "aux"
    (y, aux), j = value_and_jacobian(fun, has_aux=True)(X)
    numpy.testing.assert_allclose(j, 2 * X)
    assert aux == "aux" and y == numpy.sum(X**2)
    x_bar, aux = elementwise_grad(lambda x: (x**2, "aux"), has_aux=True)(X)
    numpy.testing.assert_allclose(x_bar, 2 * X)
    z_bar, aux = holomorphic_grad(lambda z: (z**2, "aux"), has_aux=True)(1j)
    assert z_bar == 2j and aux == "aux"


def test_elementwise_grad_of_several_arguments_and_trees():
    fun = lambda p, y: {"out": p["x"] * y}  # noqa: E731
    p_bar, y_bar = elementwise_grad(fun, (0, 1))({"x": X}, X + 1)
    numpy.testing.assert_allclose(p_bar["x"], X + 1)
    numpy.testing.assert_allclose(y_bar, X)


Z = X[:3] + 1j * X[1:]


@BOTH
def test_holomorphic(jac):
    c = A[:, :3] + 1j * A[:, 1:]
    found = jac(lambda z: np.sin(c @ z), holomorphic=True)(Z)
    numpy.testing.assert_allclose(found, numpy.cos(c @ Z)[:, None] * c, rtol=1e-12)
    with pytest.raises(DifferentiationTypeError, match="complex arguments"):
        jac(np.sin, holomorphic=True)(X)
    with pytest.raises(DifferentiationTypeError, match="complex outputs"):
        jac(np.abs, holomorphic=True)(Z)


def test_complex_outputs_of_real_arguments():
    for jac in (jacfwd, jacobian):
        found = jac(lambda x: np.exp(1j * x))(X)
        numpy.testing.assert_allclose(found, numpy.diag(1j * numpy.exp(1j * X)))
    with pytest.raises(DifferentiationTypeError, match="use jacfwd"):
        jacrev(lambda x: np.exp(1j * x))(X)


@BOTH
def test_results_can_be_written_to(jac):
    j = jac(lambda x: (x + x, numpy.ones(2), x[:2], x[:2]))(X)
    for part in j:
        part[...] = 7.0
    numpy.testing.assert_array_equal(j[0], numpy.full((4, 4), 7.0))
    y, _ = value_and_jacobian(np.sin)(X)
    y[...] = 7.0


def test_inside_vmap_and_of_vmap():
    xs = numpy.stack([X, 2 * X])
    fun = lambda x: np.tanh(A @ x)  # noqa: E731
    for jac in (jacrev, jacfwd, jacobian):
        expected = [jac(fun)(x) for x in xs]
        numpy.testing.assert_allclose(vmap(jac(fun))(xs), expected)
        whole = jac(vmap(fun))(xs)
        assert whole.shape == (2, 3, 2, 4)
        numpy.testing.assert_allclose(whole[[0, 1], :, [0, 1]], expected)
        assert not whole[0, :, 1].any()


# -- closed forms of linear algebra ---------------------------------------------------

SQUARE = RNG.standard_normal((3, 3)) + 3 * numpy.eye(3)
POSITIVE = SQUARE @ SQUARE.T


@BOTH
def test_of_a_determinant(jac):
    """d det(X) / d X = det(X) inv(X)^T"""
    expected = numpy.linalg.det(SQUARE) * numpy.linalg.inv(SQUARE).T
    numpy.testing.assert_allclose(jac(np.linalg.det)(SQUARE), expected, rtol=1e-10)


@BOTH
def test_of_a_solution(jac):
    """x = inv(A) b: dx / db = inv(A), dx[i] / dA[k, l] = -inv(A)[i, k] x[l]"""
    back, x = numpy.linalg.inv(SQUARE), numpy.linalg.solve(SQUARE, X[:3])
    of_a, of_b = jac(np.linalg.solve, argnums=(0, 1))(SQUARE, X[:3])
    numpy.testing.assert_allclose(of_b, back, rtol=1e-10)
    expected = -numpy.einsum("ik,l->ikl", back, x)
    numpy.testing.assert_allclose(of_a, expected, rtol=1e-10, atol=1e-14)


@BOTH
def test_of_a_cholesky_factor(jac):
    """dL = L phi(inv(L) dX inv(L)^T), phi the lower half with the diagonal halved."""
    factor = numpy.linalg.cholesky(POSITIVE)
    back = numpy.linalg.inv(factor)
    found = jac(lambda x: np.linalg.cholesky((x + x.T) / 2))(POSITIVE)
    for k, m in numpy.ndindex(3, 3):
        d = numpy.zeros((3, 3))
        d[k, m] += 0.5
        d[m, k] += 0.5
        phi = numpy.tril(back @ d @ back.T)
        phi -= numpy.diag(numpy.diag(phi)) / 2
        numpy.testing.assert_allclose(found[..., k, m], factor @ phi, atol=1e-12)


@BOTH
def test_of_eigenvalues(jac):
    """d w[i] / d X[k, l] = v[k, i] v[l, i] for symmetric changes"""
    v = numpy.linalg.eigh(POSITIVE)[1]
    found = jac(lambda x: np.linalg.eigvalsh((x + x.T) / 2))(POSITIVE)
    numpy.testing.assert_allclose(found, numpy.einsum("ki,li->ikl", v, v), atol=1e-12)


# -- second derivatives ---------------------------------------------------------------


def cnn_loss(params, x, labels):
    """A convolution, a pool, and a dense layer: the mean cross entropy."""
    h = np.tanh(nn.conv(x, params["conv"], padding=1))
    h = nn.flatten(nn.avg_pool(h, 2))
    return nn.cross_entropy(nn.dense(h, params["w"], params["b"]), labels)


def small_cnn():
    shapes = {"conv": (3, 3, 1, 2), "w": (8, 3), "b": (3,)}
    rng = numpy.random.default_rng(0)
    params = {name: rng.standard_normal(s) / 3 for name, s in shapes.items()}
    return params, rng.standard_normal((5, 4, 4, 1)), numpy.arange(5) % 3


def test_hessian_of_a_cnn():
    """Against central differences of the gradient, and symmetric."""
    params, x, labels = small_cnn()
    flat, unravel = tree.ravel(params)
    fun = lambda p: cnn_loss(unravel(p), x, labels)  # noqa: E731
    found = hessian(fun)(flat)
    h = 1e-5
    expected = [
        (grad(fun)(flat + h * e) - grad(fun)(flat - h * e)) / (2 * h)
        for e in numpy.eye(flat.size)
    ]
    numpy.testing.assert_allclose(found, expected, atol=1e-9)
    numpy.testing.assert_allclose(found, found.T, atol=1e-14)
    in_tree = hessian(cnn_loss)(params, x, labels)
    assert in_tree["conv"]["w"].shape == (3, 3, 1, 2, 8, 3)
    v = numpy.sin(numpy.arange(flat.size))
    product = hvp(cnn_loss)(params, x, labels, unravel(v))
    numpy.testing.assert_allclose(tree.ravel(product)[0], found @ v, atol=1e-12)


def test_gauss_newton_products():
    """J^T H J v, by the Jacobian of the scores and the Hessian of the loss."""
    params, x, labels = small_cnn()

    def scores(p, x):
        h = nn.flatten(nn.avg_pool(np.tanh(nn.conv(x, p["conv"], padding=1)), 2))
        return nn.dense(h, p["w"], p["b"])

    loss = lambda y: nn.cross_entropy(y, labels)  # noqa: E731
    flat, unravel = tree.ravel(params)
    v = numpy.sin(numpy.arange(flat.size))
    found = tree.ravel(ggnvp(scores, loss)(params, x, unravel(v)))[0]
    j = jacobian(lambda p: scores(unravel(p), x).reshape(-1))(flat)
    y = scores(params, x)
    h = hessian(lambda y: loss(y.reshape(5, 3)))(y.reshape(-1))
    numpy.testing.assert_allclose(found, j.T @ (h @ (j @ v)), atol=1e-13)
    assert v @ found >= 0


def test_gauss_newton_of_a_linear_model_is_the_hessian():
    fun = lambda w: {"y": A @ w}  # noqa: E731
    loss = lambda out: np.sum(np.exp(out["y"]))  # noqa: E731
    whole = lambda w: loss(fun(w))  # noqa: E731
    v = RNG.standard_normal(4)
    expected = hvp(whole)(X, v)
    numpy.testing.assert_allclose(ggnvp(fun, loss)(X, v), expected, rtol=1e-12)
    named = ggnvp(lambda c, w: fun(c * w), loss, wrt="w")(2.0, X / 2, v / 2)
    numpy.testing.assert_allclose(named, 2 * expected, rtol=1e-12)


def test_gauss_newton_differentiates():
    fun = lambda w: np.tanh(A @ w)  # noqa: E731
    product = ggnvp(fun, lambda y: np.sum(y**2) / 2)
    v = RNG.standard_normal(4)
    length = lambda w: product(w, v) @ v  # noqa: E731
    expected = lambda w: np.sum((jacobian(fun)(w) @ v) ** 2)  # noqa: E731
    numpy.testing.assert_allclose(grad(length)(X), grad(expected)(X), rtol=1e-10)
    assert vjp(length, X)[0] == pytest.approx(expected(X), rel=1e-12)
