"""`vmap` is a Python loop, whatever it is made of and whatever it is nested in."""

import numpy
import pytest

import autograd_lite.numpy as np
from autograd_lite import (
    defbatch,
    defvjp,
    grad,
    jvp,
    primitive,
    value_and_grad,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError, TracerConversionError
from autograd_lite.testing import check_grads

RNG = numpy.random.default_rng(0)
X = RNG.standard_normal((4, 3, 2))


def looped(fun, *args):
    """The results of `fun` on each element along axis 0, stacked."""
    results = [fun(*[a[i] for a in args]) for i in range(len(args[0]))]
    return numpy.stack(results)


FUNCTIONS = {
    "elementwise": lambda x: np.sin(x) * 2 + x,
    "reduction": lambda x: x.sum(axis=0) * x.max(),
    "matmul": lambda x: x @ x.T,
    "matmul constant": lambda x: x @ numpy.ones((2, 5)),
    "transpose": lambda x: x.T.reshape(-1),
    "index": lambda x: x[0] + x[[0, 1, 0], 1][0] + x[..., -1].sum(),
    "broadcast": lambda x: x + x[:, :1] + x[0, 0],
    "concatenate": lambda x: np.concatenate([x, x[::-1] * 2], axis=1),
    "where": lambda x: np.where(x > 0, x, -x),
    "mean and var": lambda x: (x - x.mean()) / np.sqrt(x.var() + 1),
    "argmax": lambda x: np.argmax(x, axis=1) * 1.0,
    "constant": lambda x: numpy.ones(3),
    "scalar": lambda x: x[0, 0],
    "comparison": lambda x: x > 0,
    "sorted": lambda x: np.sort(x, axis=0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap_is_a_loop(name):
    fun = FUNCTIONS[name]
    mapped = vmap(fun)(X)
    expected = looped(fun, X)
    assert mapped.shape == expected.shape and mapped.dtype == expected.dtype
    numpy.testing.assert_allclose(mapped, expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_derivative_of_a_map_is_that_of_a_loop(name):
    fun = FUNCTIONS[name]
    if name in ("comparison", "argmax"):
        pytest.skip("constant")
    check_grads(vmap(fun), (X,), order=1)
    weights = numpy.arange(4.0)

    def total(f):
        return lambda x: sum([(f(x)[i] * weights[i]).sum() for i in range(4)])

    mapped = grad(total(vmap(fun)))(X)
    rows = grad(total(lambda x: [fun(x[i]) for i in range(4)]))(X)
    numpy.testing.assert_allclose(mapped, rows)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_map_of_derivatives(name):
    def scalar(x):
        return (FUNCTIONS[name](x) * 1.5).sum()

    if name == "comparison":
        pytest.skip("constant")
    numpy.testing.assert_allclose(vmap(grad(scalar))(X), looped(grad(scalar), X))
    slope = lambda x: jvp(scalar, (x,), (x,))[1]  # noqa: E731
    numpy.testing.assert_allclose(vmap(slope)(X), looped(slope, X))


def test_nested_maps():
    inner = vmap(lambda a, b: a * np.sin(b), in_axes=(None, 0))
    outer = vmap(lambda a, b: inner(a, b) + a, in_axes=(0, None))
    a, b = RNG.standard_normal(3), RNG.standard_normal(5)
    numpy.testing.assert_allclose(outer(a, b), a[:, None] * numpy.sin(b) + a[:, None])
    twice = vmap(vmap(lambda x: (x * x).sum()))(X)
    numpy.testing.assert_allclose(twice, (X * X).sum(-1))
    check_grads(outer, (a, b))


def test_per_example_gradients():
    def loss(w, x):
        return (np.tanh(x @ w) ** 2).sum()

    w, x = RNG.standard_normal((2, 2)), X.reshape(-1, 2)
    each = vmap(grad(loss), in_axes=(None, 0))(w, x)
    assert each.shape == (12, 2, 2)
    whole = grad(lambda w: sum([loss(w, row) for row in x]))(w)
    numpy.testing.assert_allclose(each.sum(0), whole)
    values, slopes = vmap(value_and_grad(loss), in_axes=(None, 0))(w, x)
    numpy.testing.assert_allclose(slopes, each)
    assert values.shape == (12,)


def test_axes():
    fun = lambda x: x * numpy.arange(2.0)  # noqa: E731
    numpy.testing.assert_allclose(vmap(fun, 1)(X), fun(X).swapaxes(0, 1))
    numpy.testing.assert_allclose(vmap(fun, 1, 1)(X), fun(X))
    numpy.testing.assert_allclose(vmap(fun, -2, -2)(X), fun(X))
    total = vmap(lambda x, y: x.sum() + y, in_axes=(2, 0))(X, numpy.ones(2))
    numpy.testing.assert_allclose(total, X.sum((0, 1)) + 1)


def test_trees():
    params = {"w": X, "b": numpy.ones((4, 2))}
    out = vmap(lambda p, s: {"y": p["w"] @ p["b"] * s, "n": (s, None)}, (0, None))(
        params, 2.0
    )
    numpy.testing.assert_allclose(out["y"], X.sum(-1) * 2)
    assert out["n"][0].tolist() == [2.0] * 4 and out["n"][1] is None


def test_a_batching_rule_is_used():
    sizes = []

    @primitive
    def double(x):
        return 2 * x

    defvjp(double, lambda ans, x: lambda g: double(g))

    @primitive
    def unused(x, y):
        raise AssertionError("the loop ran in place of the rule")

    def rule(size, args, batched, *, k):
        sizes.append((size, batched))
        return args[0] * k + (args[1] if batched[1] else args[1][None])

    defbatch(unused, rule)
    y = vmap(lambda x: unused(x, numpy.ones((3, 2)), k=3))(X)
    assert y.tolist() == (3 * X + 1).tolist() and sizes == [(4, [True, False])]
    assert vmap(double)(X).tolist() == (2 * X).tolist()
    check_grads(vmap(double), (X,))


def test_mapping_a_pullback():
    y, pullback = vjp(lambda x: np.sin(x) * x[::-1], X[0])
    rows = RNG.standard_normal((5, 3, 2))
    mapped = vmap(lambda g: pullback(g)[0])(rows)
    numpy.testing.assert_allclose(mapped, looped(lambda g: pullback(g)[0], rows))


def test_a_branch_cannot_depend_on_an_element():
    with pytest.raises(TracerConversionError, match="np.where"):
        vmap(lambda x: x if x.sum() > 0 else -x)(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: vmap(np.add)(X, X[:2]),
            r"(?s)one length.*\(2, 3, 2\), axis 0 of length 2",
        ),
        (lambda: vmap(np.sin, in_axes=None)(X), "give axis_size"),
        (lambda: vmap(np.add, in_axes=(0,))(X, X), "for 2 arguments"),
        (lambda: vmap(np.sin)(2.0), r"axis 0.*shape \(\)"),
        (lambda: vmap(np.sin, in_axes=3)(X), r"axis 3.*shape \(4, 3, 2\)"),
        (lambda: vmap(np.sin, out_axes=5)(X), "axis"),
    ],
)
def test_wrong_use(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_the_shape_inside_is_that_of_an_element():
    shapes = []

    def fun(x):
        shapes.append((x.shape, x.ndim, x.size, len(x), "of array" in repr(x)))
        return x

    vmap(fun)(X)
    assert shapes == [((3, 2), 2, 6, 3, True)]
