"""Kernels of activations, losses, normalisation and optimisers against NumPy twins."""

import numpy as np
import pytest
import specifications_nn as spec
from hypothesis import given
from hypothesis import strategies as st
from thread_counts import on_each_thread_count

import autograd_lite as ad
from autograd_lite.kernels import activation, addition, norm, optim
from autograd_lite.ops.basic import LARGE_SUM

DTYPES = [np.float32, np.float64]
# The sizes around which a kernel goes parallel or starts another chunk.
SIZES = st.one_of(st.integers(0, 300), st.sampled_from([8192, 8193, 32768, 40000]))


def normal(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def close(actual, expected, ulps=8, scale=1e-30):
    """Compare with an error relative to the largest element, or to `scale`."""
    assert actual.shape == expected.shape
    if expected.size:
        error = np.abs(actual - expected).max() / max(np.abs(expected).max(), scale)
        assert error <= ulps * np.finfo(actual.dtype).eps


# -- relu --------------------------------------------------------------------------


@given(SIZES, st.sampled_from(DTYPES))
def test_relu_and_its_mask(size, dtype):
    x = normal(size, dtype)
    x[::7] = np.nan
    x[1::7] = 0
    x[2::7] = -np.inf
    y = activation.relu(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, spec.relu(x))
    g = normal(size, dtype, seed=1)
    np.testing.assert_array_equal(
        activation.relu_mask(g, y), np.where(x <= 0, 0, g).astype(dtype)
    )


def test_relu_of_a_view():
    x = normal((6, 5, 4), np.float32).T[::2]
    np.testing.assert_array_equal(activation.relu(x), spec.relu(x))


# -- softmax cross-entropy ---------------------------------------------------------


@given(
    st.integers(0, 40),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from(DTYPES),
    st.sampled_from([1e-3, 1.0, 300.0]),
)
def test_cross_entropy_is_its_twin(n, k, smoothing, dtype, scale):
    logits = normal((n, k), dtype) * dtype(scale)
    labels = np.random.default_rng(1).integers(0, k, n)
    loss, bad = activation.cross_entropy(logits, labels, smoothing)
    expected, slope = spec.cross_entropy(logits, labels, smoothing)
    assert bad == -1 and loss.dtype == dtype
    tolerance = 8 * np.finfo(dtype).eps * max(1, scale)
    np.testing.assert_allclose(loss, expected, rtol=tolerance, atol=tolerance)
    g = normal(n, dtype, seed=2)
    z_bar = activation.cross_entropy_backward(g, logits, labels, smoothing)
    assert z_bar.dtype == dtype
    np.testing.assert_allclose(z_bar, g[:, None] * slope, rtol=0, atol=3 * tolerance)


@pytest.mark.parametrize(("label", "row"), [(-1, 3), (10, 3)])
def test_cross_entropy_reports_a_bad_label(label, row):
    labels = np.zeros(5, np.int64)
    labels[row] = label
    assert activation.cross_entropy(normal((5, 10), np.float32), labels, 0.0)[1] == row


def test_cross_entropy_of_excluded_classes_and_of_nan():
    logits = np.array([[0.0, -np.inf, 0.0], [np.nan, 0.0, 1.0], [2.0, 1.0, np.nan]])
    loss, _ = activation.cross_entropy(logits, np.array([0, 1, 0]), 0.0)
    assert np.isclose(loss[0], np.log(2)) and np.isnan(loss[1:]).all()


def test_cross_entropy_on_one_thread_and_two():
    logits, labels = normal((1000, 47), np.float32), np.arange(1000) % 47
    one, two = on_each_thread_count(
        lambda: activation.cross_entropy_backward(
            activation.cross_entropy(logits, labels, 0.1)[0], logits, labels, 0.1
        )
    )
    np.testing.assert_array_equal(one, two)


# -- batch normalisation -----------------------------------------------------------

ROWS = st.one_of(st.integers(1, 300), st.sampled_from([1024, 1025, 5000]))


@given(ROWS, st.integers(1, 20), st.sampled_from(DTYPES), st.sampled_from([0.0, 100.0]))
def test_moments_are_numpys(m, c, dtype, shift):
    x = normal((m, c), dtype) + dtype(shift)
    mean, variance = norm.moments(x)
    assert mean.dtype == variance.dtype == dtype
    exact = x.astype(np.longdouble)
    close(mean, exact.mean(0), scale=1)
    close(variance, exact.var(0), ulps=100)


def test_variance_survives_a_large_mean():
    # The textbook's E[x^2] - E[x]^2 gives 0, or something negative, in float32.
    x = normal((100_000, 3), np.float64) + 1e4
    x = x.astype(np.float32)
    _, variance = norm.moments(x)
    np.testing.assert_allclose(variance, x.astype(np.float64).var(0), rtol=1e-4)


@given(ROWS, st.integers(1, 20), st.sampled_from(DTYPES))
def test_batch_norm_is_its_twin(m, c, dtype):
    eps = 1e-2  # the variance of one row is 0
    x, g = normal((m, c), dtype) + dtype(1), normal((m, c), dtype, seed=1)
    gamma, beta = normal(c, dtype, seed=2), normal(c, dtype, seed=3)
    mean, variance = norm.moments(x)
    inverse = (variance + eps) ** -0.5
    y = norm.normalise(x, mean, gamma * inverse, beta)
    close(y, spec.batch_norm(x, gamma, beta, eps), ulps=100)
    x_bars = norm.backward(g, x, mean, inverse, gamma, beta)
    for actual, expected in zip(x_bars, spec.batch_norm_backward(g, x, gamma, eps)):
        assert actual.dtype == dtype
        close(actual, expected, ulps=300, scale=10)
    # With ReLU: the same on what it leaves.
    rectified = norm.normalise(x, mean, gamma * inverse, beta, True)
    np.testing.assert_array_equal(rectified, np.maximum(y, 0))
    passed = np.where(rectified > 0, g, dtype(0))
    pair = [
        norm.backward(*start, mean, inverse, gamma, beta, relu)
        for start, relu in (((g, x), True), ((passed, x), False))
    ]
    for actual, expected in zip(*pair):
        np.testing.assert_array_equal(actual, expected)


def test_batch_norm_on_one_thread_and_two():
    x, g = normal((5003, 17), np.float32), normal((5003, 17), np.float32, seed=1)
    gamma = normal(17, np.float32, seed=2)

    def compute():
        mean, variance = norm.moments(x)
        rest = (x, mean, variance**-0.5, gamma, gamma)
        return [mean, variance, *norm.backward(g, *rest)]

    for one, two in zip(*on_each_thread_count(compute)):
        np.testing.assert_array_equal(one, two)


# -- optimisers --------------------------------------------------------------------


def vectors(size, dtype):
    """A gradient, two moments and a parameter."""
    g, m, v, p = (normal(size, dtype, seed) for seed in range(4))
    return g, m, np.abs(v), p


@given(SIZES, st.sampled_from(DTYPES), st.booleans())
def test_momentum_is_its_twin(size, dtype, nesterov):
    g, m, _, _ = vectors(size, dtype)
    update, trace = spec.momentum(g, m, 0.1, 0.9, nesterov)
    optim.momentum(g[:0], g, m, 0.1, 0.9, nesterov)
    close(g, update)
    close(m, trace)


@given(SIZES, st.sampled_from(DTYPES), st.integers(1, 10_000))
def test_adam_is_its_twin(size, dtype, step):
    g, m, v, p = vectors(size, dtype)
    settings = (0.1, 0.9, 0.999, 1e-8, step)
    expected = spec.adam(*(a.astype(np.float64) for a in (g, m, v)), *settings)
    with_decay = expected[0] - 0.1 * 0.01 * p
    u, mw, vw = g.copy(), m.copy(), v.copy()
    optim.adamw(u[:0], u, mw, vw, p, 0.1, 0.9, 0.999, 1e-8, 0.01, step)
    optim.adam(g[:0], g, m, v, *settings)
    # 1 - b2**step cancels three digits in the kernel and in the twin.
    for actual, twin, ulps in zip(
        (g, m, v, u), (*expected, with_decay), (2e3, 8, 8, 2e3)
    ):
        assert actual.dtype == dtype
        close(actual, twin, ulps if dtype is np.float64 else 8)
    np.testing.assert_array_equal(mw, m)
    np.testing.assert_array_equal(vw, v)


@given(SIZES, st.sampled_from(DTYPES))
def test_rmsprop_is_its_twin(size, dtype):
    g, _, v, _ = vectors(size, dtype)
    expected = spec.rmsprop(g.astype(np.float64), v.astype(np.float64), 0.1, 0.9, 1e-8)
    optim.rmsprop(g[:0], g, v, 0.1, 0.9, 1e-8)
    close(g, expected[0])
    close(v, expected[1])


@given(SIZES, st.sampled_from(DTYPES))
def test_scale_add_and_norm(size, dtype):
    g, m, _, p = vectors(size, dtype)
    expected = p + dtype(0.3) * g
    norm_of_m = (m.astype(np.float64) ** 2).sum()
    optim.add_scaled(p, g, 0.3)
    close(p, expected)
    optim.scale(g, -2.0)
    np.testing.assert_array_equal(g, normal(size, dtype) * -2)
    assert np.isclose(optim.square_norm(m), norm_of_m, rtol=1e-13)


def test_optimisers_pass_infinities_and_nan():
    for nesterov in (False, True):
        g, m = np.array([np.inf, np.nan, 1.0]), np.zeros(3)
        optim.momentum(g[:0], g, m, 0.1, 0.9, nesterov)
        assert g[0] == -np.inf and np.isnan(g[1]) and np.isfinite(g[2])
    g, m, v = np.array([np.inf, np.nan, 1.0]), np.zeros(3), np.zeros(3)
    optim.adam(g[:0], g, m, v, 0.1, 0.9, 0.999, 1e-8, 1)
    assert v[0] == np.inf and np.isnan(v[1]) and np.isfinite(g[2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_never_become_denormal(dtype):
    tiny = np.finfo(dtype).tiny
    g = np.zeros(50, dtype)
    for kernel, moments in (
        (lambda u, m, v: optim.adam(u[:0], u, m, v, 0.1, 0.5, 0.5, 1e-8, 3), 2),
        (lambda u, m: optim.momentum(u[:0], u, m, 0.1, 0.5, False), 1),
        (lambda u, v: optim.rmsprop(u[:0], u, v, 0.1, 0.5, 1e-8), 1),
    ):
        held = [np.full(50, tiny * dtype(1.5)) for _ in range(moments)]
        kernel(g.copy(), *held)
        assert all((m == 0).all() for m in held)


def test_optimisers_on_one_thread_and_two():
    def compute():
        g, m, v, p = vectors(100_003, np.float32)
        total = optim.square_norm(g)
        optim.adamw(g[:0], g, m, v, p, 1e-3, 0.9, 0.999, 1e-8, 0.01, 3)
        return [np.array(total), g, m, v]

    for one, two in zip(*on_each_thread_count(compute)):
        np.testing.assert_array_equal(one, two)


# -- large sums --------------------------------------------------------------------


@given(SIZES, st.sampled_from(DTYPES))
def test_a_sum_is_numpys_bit_for_bit(size, dtype):
    x, y = normal(size, dtype), normal(size, dtype, seed=1)
    tiny, largest = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    for start, value in enumerate((np.nan, np.inf, -0.0, tiny, largest)):
        x[start::11] = value
        y[start::13] = value
    y[1::22] = -np.inf
    with np.errstate(all="ignore"):
        expected = x + y
        assert addition.add(x, y).tobytes() == expected.tobytes()
        one, two = on_each_thread_count(lambda: addition.add(x, y).tobytes())
    assert one == two


def test_a_large_sum_warns_as_numpy_does_and_has_its_gradient():
    x = np.full(LARGE_SUM // 4, 3e38, np.float32)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="add"):
        ad.vjp(lambda x: x + x, x)

    def total(x):
        return ad.numpy.sum(ad.numpy.sin(x) + (x + 2 * x) + x)

    x = normal(x.size, np.float32)
    close(ad.grad(total)(x), np.cos(x) + 4)
