"""Random programs: what holds for single operations holds for any mixture of them."""

import hypothesis.strategies as st
import numpy
import pytest
from hypothesis import given, settings

import autograd_lite.numpy as np
from autograd_lite import grad, jvp, stop_gradient, value_and_grad, vjp, vmap
from autograd_lite.testing import check_grads

# Smooth and tame, so that programs of any length stay of size 1. All values are
# vectors of 3 elements.
UNARY = {
    "tanh": np.tanh,
    "sin": np.sin,
    "half": lambda x: x / 2 + 0.1,
    "reversed": lambda x: x[::-1],
    "repeated": lambda x: x[[2, 0, 2]],
    "first": lambda x: x[0] + x * 0.5,
    "row": lambda x: (x.reshape(1, 3) * ROWS).sum(axis=0) / 4,
    "column": lambda x: np.tanh(x[:, None] @ x[None, :])[1],
    "mean": lambda x: np.broadcast_to(x.mean(), (3,)) - x,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(),
    "rotated": lambda x: np.concatenate([x[1:], x[:1]]),
    "stacked": lambda x: np.stack([x, x * 2]).sum(axis=0) / 3,
    "inner gradient": lambda x: grad(lambda y: (np.sin(y) * x).sum())(x) * 0.5,
    "inner tangent": lambda x: jvp(np.sin, (x,), (x * 0.5,))[1],
    "inner map": lambda x: vmap(lambda e: e * np.sin(e))(x),
    "weighted": lambda x: 0.5 * x + 0.5 * HALF * np.sin(x),
}
BINARY = {
    "add": lambda x, y: (x + y) / 2,
    "multiply": lambda x, y: x * y,
    "subtract": lambda x, y: x - y,
    "divide": lambda x, y: x / (2 + np.cos(y)),
    "dot": lambda x, y: np.tanh(x @ y) * y,
    "mix": lambda x, y: np.where(MASK, x, y),
}
ROWS = numpy.array([[0.5, -1.0, 0.3], [1.0, 0.2, -0.7]])
HALF = numpy.array([0.5, 0.25, 1.0])
MASK = numpy.array([True, False, True])

STEPS = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=12,
)
VECTORS = st.integers(0, 2**32 - 1).map(
    lambda seed: numpy.random.default_rng(seed).uniform(-1, 1, (2, 3))
)


def program(steps):
    """The function that runs the steps, each on two of the six values before it."""

    def run(x, y):
        values = [x, y]
        for name, i, j in steps:
            a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]
            values.append(UNARY[name](a) if name in UNARY else BINARY[name](a, b))
        return values[-1] + 0.25 * values[len(values) // 2]

    return run


@settings(max_examples=40)
@given(STEPS, VECTORS)
def test_derivatives(steps, xy):
    check_grads(program(steps), tuple(xy), order=2)


@settings(max_examples=40)
@given(STEPS, VECTORS)
def test_a_map_is_a_loop_of_gradients(steps, xy):
    run = program(steps)
    loss = lambda x, y: (run(x, y) ** 2).sum()  # noqa: E731
    rows = numpy.stack([xy, xy[::-1], xy * 0.5])
    mapped = vmap(value_and_grad(loss, (0, 1)))(rows[:, 0], rows[:, 1])
    for k, (x, y) in enumerate(rows):
        value, (x_bar, y_bar) = value_and_grad(loss, (0, 1))(x, y)
        numpy.testing.assert_allclose(mapped[0][k], value, rtol=1e-10, atol=1e-12)
        numpy.testing.assert_allclose(mapped[1][0][k], x_bar, rtol=1e-9, atol=1e-12)
        numpy.testing.assert_allclose(mapped[1][1][k], y_bar, rtol=1e-9, atol=1e-12)


@settings(max_examples=40)
@given(STEPS, VECTORS)
def test_types_shapes_and_purity(steps, xy):
    x, y = xy.astype(numpy.float32)
    before = x.copy(), y.copy()
    out, pullback = vjp(program(steps), x, y)
    bars = pullback(numpy.ones(3, numpy.float32))
    assert [b.dtype for b in bars] == [numpy.float32] * 2
    assert [b.shape for b in bars] == [(3,)] * 2
    assert not numpy.shares_memory(*bars)
    for b in bars:
        b += 1
    again = pullback(numpy.ones(3, numpy.float32))
    for b, a in zip(bars, again):
        numpy.testing.assert_array_equal(b, a + numpy.float32(1))
    numpy.testing.assert_array_equal((x, y), before)
    numpy.testing.assert_array_equal(program(steps)(x, y), out)


@settings(max_examples=30)
@given(STEPS, STEPS, VECTORS)
def test_the_chain_rule(first, second, xy):
    """The pullback of a composition is the composition of pullbacks."""
    f, g = program(first), program(second)
    x, y = xy
    w = numpy.array([0.3, -1.0, 0.7])
    _, whole = vjp(lambda x, y: g(f(x, y), y), x, y)
    middle, inner = vjp(f, x, y)
    _, outer = vjp(g, middle, y)
    z_bar, y_bar = outer(w)
    x_bar, more = inner(z_bar)
    numpy.testing.assert_allclose(whole(w)[0], x_bar, rtol=1e-10, atol=1e-13)
    numpy.testing.assert_allclose(whole(w)[1], y_bar + more, rtol=1e-10, atol=1e-13)


@settings(max_examples=30)
@given(STEPS, VECTORS)
def test_a_stopped_program_is_a_constant(steps, xy):
    run = program(steps)
    x, y = xy
    frozen = run(x, y)
    with_stop = grad(lambda x: (stop_gradient(run(x, y)) * x).sum())(x)
    numpy.testing.assert_allclose(with_stop, frozen)


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_every_step_by_itself(name):
    xy = numpy.random.default_rng(3).uniform(-1, 1, (2, 3))
    check_grads(program([(name, 0, 1)]), tuple(xy), order=3)
