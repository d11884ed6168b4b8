"""checkpoint: the same values and derivatives, less memory, clear limits."""

import gc
import weakref

import numpy as np
import pytest

import autograd_lite.numpy as anp
from autograd_lite import (
    checkpoint,
    defvjp,
    grad,
    hessian,
    jvp,
    primitive,
    tree,
    vjp,
    vmap,
)
from autograd_lite.errors import ArgumentError
from autograd_lite.testing import check_grads

X = np.array([[0.3, -0.7], [1.1, 0.2]])
PARAMS = {"w": X, "b": np.array([0.1, -0.2])}


def layer(params, x, *, scale=1.0):
    return {"y": anp.tanh(x @ params["w"] + params["b"]) * scale, "n": np.arange(3)}


def loss(f, params, x):
    hidden = f(params, x)["y"]
    return anp.sum(f(params, hidden, scale=2.0)["y"] ** 2)


def test_value_and_derivatives_are_those_of_the_function():
    plain = grad(lambda p, x: loss(layer, p, x), (0, 1))(PARAMS, X)
    spared = grad(lambda p, x: loss(checkpoint(layer), p, x), (0, 1))(PARAMS, X)
    for a, b in zip(tree.leaves(plain), tree.leaves(spared), strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_orders_and_modes():
    check_grads(lambda p, x: loss(checkpoint(layer), p, x), (PARAMS, X))
    np.testing.assert_allclose(
        hessian(checkpoint(lambda x: anp.sum(anp.sin(x))))(X[0]),
        np.diag(-np.sin(X[0])),
    )


def test_vmap_in_both_orders():
    inner = checkpoint(lambda w, x: anp.tanh(w * x))
    expected = 1 - np.tanh(2 * X) ** 2
    xs = X.reshape(-1)
    found = vmap(grad(inner, 1), (None, 0))(2.0, xs)
    np.testing.assert_allclose(found, 2 * expected.reshape(-1))
    found = grad(lambda w: vmap(inner, (None, 0))(w, xs).sum())(2.0)
    np.testing.assert_allclose(found, (X * expected).sum())
    assert vmap(inner, (None, 0))(2.0, xs).shape == (4,)


def test_a_batch_is_evaluated_at_once():
    calls = []

    def counted(x):
        calls.append(x.shape)
        return x**2

    vmap(checkpoint(counted))(np.ones((50, 3)))
    assert calls == [(3,)]


def test_intermediate_results_are_dropped_and_computed_again():
    alive = []

    @primitive
    def noted(x):
        y = x + 1
        alive.append(weakref.ref(y))
        return y

    defvjp(noted, lambda ans, x: lambda g: g * ans / ans)

    def count(f):
        alive.clear()
        y, pullback = vjp(lambda x: f(f(x)), X)
        del y
        gc.collect()
        kept = sum(ref() is not None for ref in alive)
        runs = len(alive)
        pullback(X)
        return kept, runs, len(alive)

    def square(x):
        return noted(x) ** 2

    assert count(square) == (2, 2, 2)
    assert count(checkpoint(square)) == (0, 2, 4)


def test_integers_come_out_as_constants():
    y, pullback = vjp(checkpoint(lambda x: (x.sum(), anp.argmax(x))), X)
    assert y[1] == 2 and type(y[1]) is np.int64
    out = grad(lambda x: checkpoint(lambda x: (x, anp.argmax(x)))(x[0])[0].sum())(X)
    np.testing.assert_array_equal(out, [[1, 1], [0, 0]])


def test_without_tracers_it_is_the_function():
    spared = checkpoint(layer)
    assert spared.__name__ == "layer" and spared(PARAMS, X)["y"].shape == (2, 2)
    assert jvp(spared, (PARAMS, X), (PARAMS, X))[1]["n"].shape == (3,)


def test_captured_tracers_are_refused():
    def outer(w):
        return checkpoint(lambda x: anp.sum(w * x))(2 * w)

    with pytest.raises(ArgumentError, match="captured from outside.*as an argument"):
        grad(outer)(X)


def test_a_failure_inside_says_its_own():
    with pytest.raises(ZeroDivisionError):
        grad(checkpoint(lambda x: x.sum() * (1 / 0)))(X)
