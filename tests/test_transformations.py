"""Compositions of transformations: known nested results, and all of depth three.

A composition is judged by its outermost transformation: `outer(inner)` must be what
finite differences, or a loop, make of `inner` as a black box. As `inner` is a
composition that is itself judged so, this holds them to the plain function.
"""

import functools
from itertools import product

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite.numpy as np
from autograd_lite import (
    checkpoint,
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)

# -- perturbation confusion -----------------------------------------------------------


def reverse(f):
    """The derivative of a function of one number, by reverse mode."""
    return grad(f)


def forward(f):
    """The same by forward mode."""
    return lambda x: jvp(f, (x,), (1.0,))[1]


def recorded(f):
    """The same by a recorded linear map."""
    return lambda x: linearize(f, x)[1](1.0)


MODES = [reverse, forward, recorded]
PAIRS = pytest.mark.parametrize("outer, inner", list(product(MODES, MODES)))


@PAIRS
def test_siskind_and_pearlmutters_example(outer, inner):
    """d/dx (x * d/dy (x + y)) is 1; confused perturbations make it 2.

    J. M. Siskind and B. A. Pearlmutter, 2005, "Perturbation confusion and referential
    transparency".
    """
    fun = lambda x: x * inner(lambda y: x + y)(1.0)  # noqa: E731
    assert outer(fun)(1.0) == 1.0


@PAIRS
def test_inner_functions_of_outer_variables(outer, inner):
    """d/dx (x * d/dy (x * y)^2 at y = 2) = d/dx 4 x^3 = 12 x^2"""
    fun = lambda x: x * inner(lambda y: (x * y) ** 2)(2.0)  # noqa: E731
    assert outer(fun)(3.0) == pytest.approx(108.0)


@PAIRS
def test_a_function_whose_derivative_is_a_function(outer, inner):
    """Differentiating s(u) f x = f(x + u) at u = 0 twice gives the second derivative.

    O. Manzyuk and others, 2019, "Perturbation confusion in forward automatic
    differentiation of higher-order functions", where tagged perturbations give 0.
    """

    def shift(u):
        return lambda f: lambda x: f(x + u)

    def derived(mode):
        return lambda f: lambda x: mode(lambda u: shift(u)(f)(x))(0.0)

    twice = derived(outer)(derived(inner)(np.exp))
    assert twice(1.0) == pytest.approx(numpy.e)
    cubed = derived(outer)(derived(inner)(lambda x: x**3))
    assert cubed(2.0) == pytest.approx(12.0)


@PAIRS
def test_a_minimum_found_by_descent_is_differentiated(outer, inner):
    """min over y of (y - x)^2 + y^2 is x^2 / 2, at y = x / 2: the derivative is x."""

    def lowest(x):
        y = 0.0
        for _ in range(60):
            y = y - 0.2 * inner(lambda y: (y - x) ** 2 + y**2)(y)
        return (y - x) ** 2 + y**2

    assert outer(lowest)(3.0) == pytest.approx(3.0)


@pytest.mark.parametrize("modes", list(product([reverse, forward], repeat=5)))
def test_fifth_derivative_of_tanh(modes):
    t = numpy.tanh(0.4)
    expected = 16 - 136 * t**2 + 240 * t**4 - 120 * t**6
    fun = functools.reduce(lambda f, mode: mode(f), modes, np.tanh)
    assert fun(0.4) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("outer, inner", [*product([grad, jacrev, jacfwd], repeat=2)])
def test_large_captured_arrays_are_writable_again(outer, inner):
    """Two tapes lock one array, and the view that one of them works with."""
    w = numpy.full((100, 100), 0.01)
    fun = lambda x: np.sum(np.tanh(w @ np.tanh(w @ x)) ** 2)  # noqa: E731
    total = lambda x: np.sum(inner(fun)(x))  # noqa: E731
    for _ in range(2):
        outer(total)(numpy.ones(100))
        assert w.flags.writeable


# -- transformations, and what they must do to a black box ----------------------------
# Each takes a function of x: (3,) and returns another one, of any output shape.

V = numpy.array([0.5, -1.0, 0.3])
FACTORS = numpy.array([[1.0], [0.5], [-0.7], [1.2]])
STEP = 1e-3


def weighted(f):
    """A scalar function: the sum of the outputs of f, no two with the same weight."""

    def total(x):
        y = f(x)
        return np.sum(y * numpy.cos(numpy.arange(y.size)).reshape(y.shape))

    return total


def given_vjp(f):
    """f with its own pullback as a custom rule."""
    fun = custom_vjp(f)
    fun.defvjp(lambda x: (f(x), x), lambda x, g: vjp(f, x)[1](g))
    return fun


def given_jvp(f):
    """f with its own pushforward as a custom rule."""
    fun = custom_jvp(f)
    fun.defjvp(lambda primals, tangents: jvp(f, primals, tangents))
    return fun


def difference(f, v, step=STEP):
    """The derivative of f along v: central differences, right to the fourth order."""

    def derivative(x):
        near = f(x + step * v) - f(x - step * v)
        far = f(x + 2 * step * v) - f(x - 2 * step * v)
        return (8 * near - far) / (12 * step)

    return derivative


def differences(f, step=STEP):
    """The Jacobian of f."""
    return lambda x: numpy.stack([difference(f, e, step)(x) for e in numpy.eye(3)], -1)


# name -> (the transformation, what it does to a function of arrays)
TRANSFORMATIONS = {
    "grad": (lambda f: grad(weighted(f)), lambda f: differences(weighted(f))),
    "jvp": (lambda f: lambda x: jvp(f, (x,), (V,))[1], lambda f: difference(f, V)),
    "linearize": (
        lambda f: lambda x: linearize(f, x)[1](V),
        lambda f: difference(f, V),
    ),
    "vmap": (
        lambda f: lambda x: vmap(f)(FACTORS * x),
        lambda f: lambda x: numpy.stack([f(row) for row in FACTORS * x]),
    ),
    "vmap of axis 1": (
        lambda f: lambda x: vmap(f, in_axes=1, out_axes=-1)((FACTORS * x).T),
        lambda f: lambda x: numpy.stack([f(row) for row in FACTORS * x], -1),
    ),
    "jacfwd": (jacfwd, differences),
    "jacrev": (jacrev, differences),
    "hessian": (
        lambda f: hessian(weighted(f)),
        lambda f: differences(differences(weighted(f), 1e-2), 1e-2),
    ),
    "checkpoint": (checkpoint, lambda f: f),
    "custom_vjp": (given_vjp, lambda f: f),
    "custom_jvp": (given_jvp, lambda f: f),
}

A = numpy.array([[0.3, -0.5, 0.2], [0.1, 0.4, -0.6]])
FUNCTIONS = {
    "products": lambda x: np.sin(x) * x[::-1],
    "layer": lambda x: np.tanh(A @ x),
    "quotient": lambda x: x / (2 + np.sum(x**2)),
    "log-sum-exp": lambda x: np.log(np.sum(np.exp(x))),
    "matrices": lambda x: np.linalg.inv(3 * numpy.eye(3) + np.outer(x, x)),
    "indexing": lambda x: np.concatenate([x[[0, 0, 2]] ** 2, np.cumsum(x)[1:]]) * x[1],
    "where": lambda x: np.where(numpy.array([True, False, True]), np.exp(x / 2), x**3),
    "another transformation": lambda x: grad(lambda y: np.sum(np.cos(y) * y))(x) * x[0],
}


def check(names, function, x):
    """The outermost of nested transformations does what it must to what is inside."""
    *inner, outer = names
    fun = FUNCTIONS[function]
    for name in inner:
        fun = TRANSFORMATIONS[name][0](fun)
    transform, specification = TRANSFORMATIONS[outer]
    expected = specification(fun)(x)
    found = transform(fun)(x)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    size = 1 + numpy.abs(expected).max() + numpy.abs(fun(x)).max()
    exact = outer.startswith(("vmap", "checkpoint", "custom"))
    tolerance = 1e-10 if exact else 2e-5 if outer == "hessian" else 1e-7
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * size)


X = numpy.array([0.6, -0.4, 0.9])


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_one(name, function):
    check([name], function, X)


@pytest.mark.parametrize(
    "names", list(product(TRANSFORMATIONS, repeat=2)), ids=" ".join
)
@pytest.mark.parametrize("function", ["products", "indexing"])
def test_two(names, function):
    check(names, function, X)


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.sampled_from(list(TRANSFORMATIONS)), min_size=3, max_size=3),
    function=st.sampled_from(list(FUNCTIONS)),
    x=st.lists(st.sampled_from([-0.8, -0.3, 0.1, 0.5, 0.7]), min_size=3, max_size=3),
)
def test_three(names, function, x):
    check(names, function, numpy.array(x))
