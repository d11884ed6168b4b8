"""scan: a Python loop with JAX's meaning, and memory that grows as a square root."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite.numpy as anp
from autograd_lite import grad, hessian, jvp, scan, tree, vjp, vmap
from autograd_lite.errors import ArgumentError, ShapeError, TreeError
from autograd_lite.testing import check_grads

RNG = np.random.default_rng(0)


def step(carry, x):
    h = anp.tanh(carry["h"] * 0.9 + x["a"] @ x["b"])
    return {"h": h, "n": carry["n"] + 1}, (h, h.sum())


def looped(init, xs, n, reverse):
    ys = [None] * n
    for i in range(n)[::-1] if reverse else range(n):
        init, ys[i] = step(init, tree.map(lambda leaf, i=i: leaf[i], xs))
    return init, tree.map(lambda *parts: anp.stack(parts), *ys)


def inputs(n):
    xs = {"a": RNG.normal(size=(n, 2)), "b": RNG.normal(size=(n, 2, 3))}
    return {"h": np.full(3, 0.1), "n": np.int64(0)}, xs


def total(fun, init, xs, *rest):
    def scalar(h, xs):
        carry, (hs, sums) = fun({**init, "h": h}, xs, *rest)
        return anp.sum(carry["h"] ** 2) + anp.sum(hs * hs[::-1]) + anp.sum(sums)

    return grad(scalar, (0, 1))(init["h"], xs)


@given(
    n=st.integers(1, 9),
    reverse=st.booleans(),
    every=st.one_of(st.none(), st.integers(1, 11), st.just("sqrt")),
)
def test_it_is_the_loop(n, reverse, every):
    init, xs = inputs(n)

    def scanned(init, xs):
        return scan(step, init, xs, reverse=reverse, checkpoint_every=every)

    found, expected = scanned(init, xs), looped(init, xs, n, reverse)
    assert found[0]["n"] == n
    tree.map(np.testing.assert_array_equal, found, expected)
    tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14),
        total(scanned, init, xs),
        total(looped, init, xs, n, reverse),
    )


@pytest.mark.parametrize("every", [None, 2, "sqrt"])
def test_every_transformation(every):
    def last(x, xs):
        return scan(lambda c, x: (anp.sin(c) * x, c), x, xs, checkpoint_every=every)[0]

    xs = np.linspace(0.5, 1.5, 5)
    check_grads(last, (0.7, xs))
    plain = jvp(lambda x: last(x, xs), (0.7,), (1.0,))
    assert plain[1] == pytest.approx(grad(last)(0.7, xs))
    assert np.all(np.isfinite(hessian(last, 1)(0.7, xs)))
    many = np.array([0.1, 0.7])
    np.testing.assert_allclose(
        vmap(grad(last), (0, None))(many, xs), [grad(last)(x, xs) for x in many]
    )


def test_no_xs_and_no_outputs():
    carry, ys = scan(lambda c, _: (2 * c, None), 1.0, length=5)
    assert carry == 32 and ys is None
    carry, ys = scan(lambda c, x: (c, {"y": x}), 1.0, np.zeros((0, 3), np.float32))
    assert carry == 1.0 and ys["y"].shape == (0, 3) and ys["y"].dtype == np.float32


def test_memory_grows_as_the_square_root():
    x = np.ones(1 << 14)

    def peak(n, every):
        def last(x):
            c, _ = scan(
                lambda c, _: (anp.sin(c), None), x, length=n, checkpoint_every=every
            )
            return c.sum()

        grad(last)(x)
        gc.collect()
        tracemalloc.start()
        grad(last)(x)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found / x.nbytes

    assert peak(100, None) > 100
    assert peak(100, "sqrt") < 2 * 10 + 6
    assert peak(400, "sqrt") < 2 * 20 + 6


def test_what_changes_in_the_carry_is_named():
    def wrong(new):
        return lambda carry, x: (new, None)

    init = {"h": np.zeros(3), "n": 0}
    for new, kind, message in [
        ({"h": np.zeros(3)}, TreeError, "changed its structure: trees differ at the"),
        ({"h": np.zeros(2), "n": 0}, ShapeError, r"at 'h' had shape \(3,\).*\(2,\)"),
        ({"h": np.zeros(3), "n": 0.5}, ShapeError, "at 'n' .*int64.*float64"),
    ]:
        with pytest.raises(kind, match=message):
            scan(wrong(new), init, length=2)
    with pytest.raises(ArgumentError, match=r"pair \(carry, y\), got float"):
        scan(lambda c, x: c, 1.0, length=1)


def test_lengths_and_options_are_checked():
    def f(c, x):
        return c, x

    with pytest.raises(ArgumentError, match="'xs.0': 2, 'xs.1': 3"):
        scan(f, 1.0, (np.ones(2), np.ones(3)))
    with pytest.raises(ArgumentError, match="'length': 4, 'xs': 2"):
        scan(f, 1.0, np.ones(2), length=4)
    with pytest.raises(ArgumentError, match="give length="):
        scan(f, 1.0)
    with pytest.raises(ArgumentError, match="xs is a scalar"):
        scan(f, 1.0, 2.0)
    with pytest.raises(ArgumentError, match="checkpoint_every=0"):
        scan(f, 1.0, np.ones(2), checkpoint_every=0)


def test_vjp_of_the_stacked_outputs():
    _, pull = vjp(lambda xs: scan(lambda c, x: (c + x, c), 0.0, xs)[1], np.ones(4))
    np.testing.assert_array_equal(pull(np.ones(4))[0], [3, 2, 1, 0])


def test_captured_weights_of_a_checkpointed_loop():
    def loss(w, every):
        def step(h, x):
            h = anp.tanh(w @ h + x)
            return h, h.sum()

        h, ys = scan(step, np.zeros(2), np.ones((7, 2)), checkpoint_every=every)
        return (h**2).sum() + ys.sum()

    w = np.array([[0.5, -0.2], [0.3, 0.1]])
    expected = grad(loss)(w, None)
    np.testing.assert_allclose(grad(loss)(w, "sqrt"), expected, rtol=1e-12)
    np.testing.assert_allclose(grad(loss)(w, 2), expected, rtol=1e-12)
