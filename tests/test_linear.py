"""linearize and linear_transpose: values, trees, nesting, and what is refused."""

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    grad,
    hessian,
    jvp,
    linear_transpose,
    linearize,
    stop_gradient,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, DifferentiationTypeError

RNG = numpy.random.default_rng(0)
A = RNG.standard_normal((3, 4))
X, V, W = RNG.standard_normal((3, 4))


def curve(x):
    """A function with every kind of operation that a rule can be made of."""
    y = np.tanh(A @ x) * x[0]
    return np.concatenate([y, np.cumsum(x)[::2], np.sort(x)[:1] ** 2])


def test_equals_jvp_for_many_tangents():
    y, f_jvp = linearize(curve, X)
    numpy.testing.assert_array_equal(y, curve(X))
    for v in (V, W, numpy.zeros(4)):
        numpy.testing.assert_allclose(f_jvp(v), jvp(curve, (X,), (v,))[1], 1e-13, 1e-15)


def test_the_function_is_evaluated_once():
    calls = []

    def counted(x):
        calls.append(None)
        return np.sin(x)

    _, f_jvp = linearize(counted, X)
    for _ in range(3):
        f_jvp(V)
    assert len(calls) == 1


def test_trees_aux_and_several_arguments():
    def fun(p, x):
        return {"y": p["w"] * x, "z": p["b"].sum()}, {"x": x, "name": "aux"}

    p = {"w": 2.0, "b": numpy.ones(2)}
    y, f_jvp, aux = linearize(fun, p, X, has_aux=True)
    numpy.testing.assert_allclose(y["y"], 2 * X)
    assert aux["name"] == "aux" and type(aux["x"]) is numpy.ndarray
    y_dot = f_jvp({"w": 1.0, "b": numpy.array([1.0, 2.0])}, V)
    numpy.testing.assert_allclose(y_dot["y"], X + 2 * V)
    assert y_dot["z"] == 3.0


def test_results_are_the_callers_own():
    _, f_jvp = linearize(lambda x: (x, x, numpy.ones(4)), X)
    v = V.copy()
    first, second, third = f_jvp(v)
    for part in (first, second, third):
        part += 1
    numpy.testing.assert_array_equal(v, V)
    numpy.testing.assert_array_equal(f_jvp(v), [V, V, numpy.zeros(4)])


def test_outputs_that_do_not_depend_on_the_input():
    y, f_jvp = linearize(lambda x: (3.0, x > 0, np.floor(x)), X)
    one, two, three = f_jvp(V)
    assert one == 0.0 and not two.any() and not three.any() and y[1].dtype == bool


def test_tangents_are_checked():
    _, f_jvp = linearize(curve, X)
    with pytest.raises(ArgumentError, match=r"tangent.*\(3,\).*\(4,\)"):
        f_jvp(numpy.ones(3))
    with pytest.raises(DifferentiationTypeError, match="float"):
        linearize(curve, numpy.arange(4))


def test_complex():
    z = X + 1j * V
    fun = lambda z: np.abs(z) * np.conj(z) + np.real(z)  # noqa: E731
    y_dot = linearize(fun, z)[1](W + 1j * X)
    numpy.testing.assert_allclose(y_dot, jvp(fun, (z,), (W + 1j * X,))[1])


def test_the_derivative_is_linear_under_vmap_and_transposed():
    _, f_jvp = linearize(curve, X)
    vs = numpy.stack([V, W])
    numpy.testing.assert_allclose(vmap(f_jvp)(vs), [f_jvp(V), f_jvp(W)])
    g = numpy.arange(6.0)
    (x_bar,) = linear_transpose(f_jvp, X)(g)
    numpy.testing.assert_allclose(x_bar, vjp(curve, X)[1](g)[0], 1e-12, 1e-15)


def test_within_other_transformations():
    along = lambda x: linearize(np.sin, x)[1](V).sum()  # noqa: E731
    numpy.testing.assert_allclose(grad(along)(X), -numpy.sin(X) * V)
    numpy.testing.assert_allclose(jvp(along, (X,), (W,))[1], -numpy.sin(X) * V @ W)
    xs = numpy.stack([X, W])
    numpy.testing.assert_allclose(vmap(along)(xs), numpy.cos(xs) @ V)
    numpy.testing.assert_allclose(
        hessian(along)(X), numpy.diag(-numpy.cos(X) * V), atol=1e-15
    )


def test_of_gradients():
    """Hessian products: many for one gradient."""
    fun = lambda x: np.sum(curve(x) ** 2)  # noqa: E731
    gradient, product = linearize(grad(fun), X)
    numpy.testing.assert_allclose(gradient, grad(fun)(X))
    numpy.testing.assert_allclose(product(V), hessian(fun)(X) @ V, rtol=1e-10)
    twice = linearize(product, V)[1]  # linear already: its own derivative
    numpy.testing.assert_allclose(twice(W), product(W), rtol=1e-12)


def test_of_a_vmapped_function():
    xs = numpy.stack([X, V])
    y_dot = linearize(vmap(curve), xs)[1](xs)
    numpy.testing.assert_allclose(y_dot, jvp(vmap(curve), (xs,), (xs,))[1])


# -- transposes -----------------------------------------------------------------------


class Like:
    """Says what an array would be."""

    shape = (4,)
    dtype = numpy.dtype("float64")


def test_transpose_of_a_matrix():
    transposed = linear_transpose(lambda x: A @ x, X)
    g = numpy.arange(3.0)
    numpy.testing.assert_allclose(transposed(g), (A.T @ g,))
    numpy.testing.assert_allclose(
        linear_transpose(lambda x: A @ x, Like())(g)[0], A.T @ g
    )


def test_transpose_of_trees():
    fun = lambda p, z: {"out": 2 * p["x"][::-1] - z.sum(), "z": z.reshape(2, 2)}  # noqa: E731
    transposed = linear_transpose(fun, {"x": numpy.zeros(3)}, numpy.zeros(4))
    p_bar, z_bar = transposed({"out": numpy.array([1.0, 2, 3]), "z": numpy.eye(2)})
    numpy.testing.assert_allclose(p_bar["x"], [6, 4, 2])
    numpy.testing.assert_allclose(z_bar, numpy.eye(2).ravel() - 6)


def test_transpose_keeps_dtypes_and_complex_numbers():
    transposed = linear_transpose(lambda x: np.float32(3) * x, numpy.ones(2, "f"))
    assert transposed(numpy.ones(2, "f"))[0].dtype == numpy.float32
    c = X + 1j * V
    (z_bar,) = linear_transpose(lambda z: (c * z).sum(), c)(numpy.complex128(2))
    numpy.testing.assert_allclose(z_bar, 2 * c)
    linear_transpose(lambda z: np.real(z) + np.conj(z), c)


def test_the_transpose_of_a_transpose_is_the_function():
    fun = lambda x: np.concatenate([np.cumsum(x)[1:], x[:2] + x[2:]])  # noqa: E731
    transposed = linear_transpose(fun, X)
    back = linear_transpose(lambda g: transposed(g)[0], fun(X))
    numpy.testing.assert_allclose(back(X)[0], fun(X), rtol=1e-12)


def test_transpose_within_other_transformations():
    def fun(a):
        return linear_transpose(lambda x: np.sin(a) * x, X)(V)[0].sum()

    numpy.testing.assert_allclose(grad(fun)(0.3), numpy.cos(0.3) * V.sum())
    angles = numpy.array([0.3, 0.4])
    numpy.testing.assert_allclose(vmap(fun)(angles), numpy.sin(angles) * V.sum())


@pytest.mark.parametrize(
    "fun, why",
    [
        (np.sin, "varies"),
        (lambda x: x * x[0], "varies"),
        (lambda x: np.maximum(x, 0.0), "varies"),
        (lambda x: (A @ x) / (1 + x.sum()), "varies"),
        (lambda x: x + 1, "constant"),
        (lambda x: (x, numpy.ones(2)), "constant"),
        (lambda x: x + np.floor(x), "step function"),
        (lambda x: x + stop_gradient(x), "stop_gradient"),
        (lambda x: x.shape[0], "returns int"),
        (lambda x: x > 0, "returns bool"),
    ],
)
def test_what_is_not_linear_is_refused(fun, why):
    with pytest.raises(DifferentiationTypeError, match=why):
        linear_transpose(fun, X)


def test_constants_that_are_zero_do_not_matter():
    transposed = linear_transpose(lambda x: (2 * x + 0.0, numpy.zeros(2)), X)
    numpy.testing.assert_allclose(transposed((V, W[:2])), (2 * V,))


def test_a_derivative_is_not_changed_by_writing_to_small_arrays():
    x, scale = numpy.ones(3), numpy.ones(3)
    y, push = linearize(lambda x: np.exp(x * scale), x)
    x[:], scale[:], y[:] = 5, 5, 5
    numpy.testing.assert_allclose(push(numpy.ones(3)), numpy.e)
    assert x.flags.writeable


def test_large_arrays_of_a_derivative_are_read_only_as_long_as_it_exists():
    x, scale = numpy.ones(20_000), numpy.ones(20_000)
    tail = scale[10:]
    y, push = linearize(lambda x: np.exp(x[10:] * tail), x)
    for array in (scale, tail, y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    numpy.testing.assert_allclose(push(numpy.ones(20_000)), numpy.e)
    del push
    assert all(array.flags.writeable for array in (x, scale, tail, y))


def test_arrays_of_a_derivative_are_left_alone_where_recording_fails():
    scale = numpy.ones(20_000)
    with pytest.raises(KeyError):
        linearize(lambda x: {}[(x * scale).size], scale)
    assert scale.flags.writeable
