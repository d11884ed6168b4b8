"""Jacobians, Hessians and products with them: closed forms, trees, both modes."""

from typing import NamedTuple

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite.numpy as np
from autograd_lite import (
    elementwise_grad,
    grad,
    hessian,
    holomorphic_grad,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    value_and_jacobian,
)
from autograd_lite.errors import DifferentiationTypeError

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


def test_value_and_jacobian():
    y, j = value_and_jacobian(lambda x: A @ x)(X)
    numpy.testing.assert_allclose(y, A @ X)
    numpy.testing.assert_allclose(j, A)


def test_jacobians_differentiate():
    """The sum of the squared entries of the Jacobian of tanh, differentiated."""
    total = lambda x: np.sum(jacobian(np.tanh)(x) ** 2)  # noqa: E731
    s = 1 - numpy.tanh(X) ** 2
    numpy.testing.assert_allclose(grad(total)(X), -4 * s**2 * numpy.tanh(X))
