"""Forward mode: the rules given, and those derived from the pullbacks."""

import numpy
import pytest
from test_cases import each, function_of_floats, rows, sample

import autograd_lite.numpy as np
from autograd_lite import (
    defjvp,
    defvjp,
    defvjp_argnums,
    elementwise,
    jvp,
    primitive,
    vjp,
)
from autograd_lite.errors import RuleError
from autograd_lite.ops import elementwise as elementwise_ops
from autograd_lite.testing import check_grads

UNARY = ["sin", "cos", "tan", "exp", "tanh", "sqrt", "log", "arcsin", "absolute"]
X = numpy.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.2]])


def without_rules(fun):
    """The same primitive without forward rules, so that they are derived."""
    derived = elementwise(fun.impl)
    for i, maker in fun.vjps.items():
        defvjp(derived, maker, argnums=(i,))
    return derived


@pytest.mark.parametrize(
    "name", [*UNARY, "add", "subtract", "multiply", "divide", "power", "maximum"]
)
def test_the_derived_rule_equals_the_rule(name):
    fun = getattr(elementwise_ops, name)
    derived = without_rules(fun)
    assert derived.jvps is None
    x = numpy.abs(X) / 3
    args, dots = ((x,), (X + 1,)) if name in UNARY else ((x, X[:1]), (X + 1, X[1:]))
    with numpy.errstate(all="ignore"):
        for one, other in zip(jvp(derived, args, dots), jvp(fun, args, dots)):
            numpy.testing.assert_allclose(one, other, rtol=1e-12)
    for z in args if name in UNARY else ():
        _, one = jvp(derived, (z + 0.2j,), (z * 1j,))
        _, other = jvp(fun, (z + 0.2j,), (z * 1j,))
        numpy.testing.assert_allclose(one, other, rtol=1e-12)


def test_derived_rules_of_several_arguments():
    @elementwise
    def product(x, y):
        return x * y

    rules = (
        lambda ans, x, y: lambda g: g * y,
        lambda ans, x, y: lambda g: g * x,
    )
    defvjp(product, *rules)
    row = X[:1]
    y, y_dot = jvp(product, (X, row), (X, row))
    numpy.testing.assert_allclose(y_dot, 2 * X * row)
    _, y_dot = jvp(lambda x: product(x, row), (X,), (X,))
    numpy.testing.assert_allclose(y_dot, X * row)
    check_grads(product, (X, row), order=3)
    defjvp(
        product, lambda x_dot, ans, x, y: x_dot * y, lambda y_dot, ans, x, y: y_dot * x
    )
    check_grads(product, (X, row), order=3)


def test_a_rule_for_one_of_two_arguments_is_completed():
    @elementwise
    def product(x, y):
        return x * y

    defvjp(
        product, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x
    )
    defjvp(product, lambda x_dot, ans, x, y: x_dot * y)
    check_grads(product, (X, X + 1))


def test_derived_rules_of_joint_pullbacks_and_linear_functions():
    @primitive
    def matmul(x, y):
        return numpy.matmul(x, y)

    def rule(argnums, ans, args, params):
        x, y = args
        every = (lambda g: matmul(g, y.T), lambda g: matmul(x.T, g))
        return lambda g: tuple([every[i](g) for i in argnums])

    defvjp_argnums(matmul, rule)
    check_grads(matmul, (X, X.T))
    _, y_dot = jvp(matmul, (X, X.T), (X, X.T))
    numpy.testing.assert_allclose(y_dot, 2 * X @ X.T)


def test_a_linear_rule_whose_pullback_ignores_the_values():
    @primitive
    def reverse(x):
        return x[::-1].copy()

    defvjp(reverse, lambda ans, x: lambda g: reverse(g))
    check_grads(reverse, (X,), order=3)


def test_two_forward_rules_with_several_outputs():
    @primitive(multiple=True)
    def both(x, y):
        return x + y, x * y

    defvjp(
        both,
        lambda ans, x, y: lambda g: g[0] + g[1] * y,
        lambda ans, x, y: lambda g: g[0] + g[1] * x,
    )
    check_grads(both, (X, X + 1))
    defjvp(
        both,
        lambda x_dot, ans, x, y: (x_dot, x_dot * y),
        lambda y_dot, ans, x, y: (y_dot, x * y_dot),
    )
    check_grads(both, (X, X + 1))
    _, (total, product) = jvp(both, (X, X), (X, 2 * X))
    numpy.testing.assert_allclose(total, 3 * X)
    numpy.testing.assert_allclose(product, 3 * X * X)


def test_a_forward_rule_of_a_wrong_shape_is_named():
    @primitive
    def total(x):
        return numpy.sum(x)

    defvjp(total, lambda ans, x: lambda g: g * numpy.ones(x.shape))
    defjvp(total, lambda x_dot, ans, x: x_dot)
    with pytest.raises(RuleError, match=r"total.*shape \(2, 3\).*shape \(\)"):
        jvp(total, (X,), (X,))
    defjvp(total, lambda x_dot, ans, x: np.sum(x_dot).astype(numpy.float32))
    with pytest.raises(RuleError, match="total.*dtype float32.*dtype float64"):
        jvp(total, (X,), (X,))


def test_elementwise_forward_rules_may_leave_broadcasting_out():
    @elementwise
    def add_one(x, y):
        return x + y

    defvjp(add_one, lambda ans, x, y: lambda g: g, lambda ans, x, y: lambda g: g)
    defjvp(add_one, lambda d, ans, x, y: d, lambda d, ans, x, y: d)
    y, y_dot = jvp(lambda x: add_one(x, X), (2.0,), (3.0,))
    assert y_dot.tolist() == [[3.0] * 3] * 2


def test_outputs_that_do_not_depend_on_the_input():
    y, y_dot = jvp(lambda x: (3.0, X, x > 0, np.floor(x)), (X,), (X,))
    assert y_dot[0] == 0.0 and not y_dot[1].any() and not y_dot[3].any()
    assert y[2].dtype == bool


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_tangents_have_the_dtype_of_the_output(dtype):
    x = X.astype(dtype)
    y, y_dot = jvp(lambda x: np.exp(x) * 2.0, (x,), (numpy.ones(x.shape),))
    assert y.dtype == y_dot.dtype == x.dtype


def test_a_real_part_of_a_complex_tangent():
    z = X + 0.5j
    check_grads(lambda z: np.abs(z), (z,))
    check_grads(lambda x: np.exp(1j * x), (X,))
    check_grads(lambda x: np.real(x * (1 + 2j)) * np.imag(x * 1j), (X,))


def test_forward_and_reverse_are_adjoint():
    def fun(x):
        return np.tanh(x @ X.T) * x[:, :1]

    rng = numpy.random.default_rng(0)
    u, w = rng.standard_normal(X.shape), rng.standard_normal((2, 2))
    y_dot = jvp(fun, (X,), (u,))[1]
    x_bar = vjp(fun, X)[1](w)[0]
    assert (w * y_dot).sum() == pytest.approx((x_bar * u).sum(), rel=1e-12)


@rows(lambda case: case.order > 0)
@pytest.mark.parametrize("dtype", ["f", "c"])
def test_forward_agrees_with_reverse(case, dtype):
    """<g, J x_dot> equals <pullback(g), x_dot>."""
    if dtype == "c" and "c" not in case.dtypes:
        pytest.skip("real arguments only")
    fun, xs = function_of_floats(case, sample(case))
    if dtype == "c":
        xs = [x * numpy.exp(0.4j) for x in xs]
    rng = numpy.random.default_rng(0)
    x_dots = [like(rng, x) for x in xs]
    y, y_dot = jvp(fun, xs, x_dots)
    out, pullback = vjp(fun, *xs)
    gs = [like(rng, part) for part in each(out)]
    x_bars = pullback(tuple(gs) if isinstance(out, tuple) else gs[0])
    forward = [pairing(g, dot) for g, dot in zip(gs, each(y_dot), strict=True)]
    reverse = [pairing(x_bar, x_dot) for x_bar, x_dot in zip(x_bars, x_dots)]
    size = sum(map(abs, forward)) + sum(map(abs, reverse))
    assert abs(sum(forward) - sum(reverse)) <= 1e-9 * size


def like(rng, x):
    """Normal numbers of the same shape and dtype; zeros for what is no float."""
    x = numpy.asarray(x)
    if x.dtype.kind not in "fc":
        return numpy.zeros(x.shape, x.dtype)
    part = rng.standard_normal(x.shape)
    turned = part + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else part
    return turned.astype(x.dtype)


def pairing(g, y):
    """The real part of the sum of products, not conjugated."""
    return numpy.real(numpy.sum(g * y))


def test_indexing():
    rows = numpy.array([0, 1, 0, 0])
    check_grads(lambda x: x[rows] * x[0, -1], (X,))
    check_grads(lambda x: x[rows, rows] ** 2, (X,))
    check_grads(lambda x: x[X > 0][:, None] * x[None, 0], (X,))
