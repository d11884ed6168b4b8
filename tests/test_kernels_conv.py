"""Convolution kernels against their NumPy twins, and against each other."""

import os
import subprocess
import sys

import numpy as np
import pytest
import specifications
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thread_counts import on_each_thread_count

from autograd_lite.kernels import conv, micro, winograd
from autograd_lite.kernels.geometry import geometry

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}

# stride, padding, dilation, groups
PLAIN = ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
SAME = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)


def assert_close(actual, expected, scale=None):
    """Compare with an error relative to the largest number that may occur."""
    assert actual.shape == expected.shape
    assert actual.flags.c_contiguous
    if actual.size:
        largest = np.abs(expected).max() if scale is None else scale
        error = np.abs(actual - expected).max()
        assert error <= TOLERANCE[actual.dtype.type] * max(largest, 1e-3)


def random_case(x_shape, w_shape, window, dtype=np.float64, seed=0):
    """Return x, w, b and a cotangent g of the output's shape."""
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal(x_shape), rng.standard_normal(w_shape)
    b = rng.standard_normal(w_shape[3])
    g = rng.standard_normal(specifications.conv_forward(x, w, b, *window).shape)
    return tuple(a.astype(dtype) for a in (x, w, b, g))


def check_against_twins(x, w, b, g, window):
    """Compare the three contractions with their twins in float64."""
    exact = [a.astype(np.float64) for a in (x, w, b, g)]
    sized = [np.abs(a) for a in exact]
    for kernel, twin, pick in (
        (conv.conv_forward, specifications.conv_forward, lambda x, w, b, g: (x, w, b)),
        (
            conv.conv_input_grad,
            specifications.conv_input_grad,
            lambda x, w, b, g: (g, w, x.shape),
        ),
        (
            conv.conv_weight_grad,
            specifications.conv_weight_grad,
            lambda x, w, b, g: (x, g, w.shape),
        ),
    ):
        actual = kernel(*pick(x, w, b, g), *window)
        assert actual.dtype == x.dtype
        scale = twin(*pick(*sized), *window).max(initial=0)
        assert_close(actual, twin(*pick(*exact), *window), scale)


@st.composite
def geometries(draw):
    """Draw shapes of x and w and a window that fit each other."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    border = st.tuples(st.integers(0, 2), st.integers(0, 2))
    r, s = draw(pair)
    stride, dilation, groups = draw(pair), draw(pair), draw(st.integers(1, 2))
    padding = (draw(border), draw(border))
    h = max(1, dilation[0] * (r - 1) + 1 - sum(padding[0])) + draw(st.integers(0, 6))
    w = max(1, dilation[1] * (s - 1) + 1 - sum(padding[1])) + draw(st.integers(0, 6))
    c, k = draw(st.sampled_from((1, 2, 3, 5))), draw(st.sampled_from((1, 3, 8, 20)))
    n = draw(st.integers(0, 3))
    window = (stride, padding, dilation, groups)
    return (n, h, w, c * groups), (r, s, c, k * groups), window


@settings(max_examples=150, deadline=None)
@given(geometries(), st.sampled_from((np.float32, np.float64)))
def test_any_geometry_matches_the_twins(shapes, dtype):
    x_shape, w_shape, window = shapes
    check_against_twins(*random_case(x_shape, w_shape, window, dtype), window)


# Shapes of the models, and the tails that tiles leave.
SHAPES = [
    ((9, 28, 28, 1), (3, 3, 1, 16), PLAIN),
    ((9, 28, 28, 1), (3, 3, 1, 8), PLAIN),
    ((2, 28, 28, 1), (3, 3, 1, 32), SAME),
    ((2, 28, 28, 32), (3, 3, 32, 32), SAME),
    ((9, 14, 14, 64), (3, 3, 64, 64), SAME),
    ((3, 26, 26, 32), (3, 3, 32, 32), PLAIN),
    ((2, 6, 17, 3), (5, 5, 3, 47), SAME),
    ((2, 33, 20, 6), (3, 3, 6, 10), ((2, 2), ((1, 1), (1, 1)), (1, 1), 1)),
    ((2, 40, 41, 3), (7, 7, 3, 64), ((2, 2), ((3, 3), (3, 3)), (1, 1), 1)),
    ((2, 7, 7, 40), (1, 1, 40, 72), PLAIN),
    ((3, 8, 8, 40), (1, 1, 40, 72), ((2, 2), ((0, 0), (0, 0)), (1, 1), 1)),
    ((2, 9, 9, 12), (3, 3, 1, 12), ((1, 1), ((1, 1), (1, 1)), (1, 1), 12)),
    ((1, 300, 200, 3), (3, 3, 3, 4), SAME),
    ((2, 9, 10, 24), (3, 3, 6, 40), ((1, 1), ((1, 0), (0, 2)), (1, 1), 4)),
    ((9, 12, 11, 64), (3, 5, 8, 64), ((2, 3), ((1, 1), (1, 1)), (1, 1), 8)),
    ((1, 7, 7, 80), (3, 3, 40, 72), ((1, 1), ((0, 0), (0, 0)), (1, 1), 2)),
    ((2, 6, 5, 8), (2, 2, 1, 24), ((3, 3), ((0, 0), (0, 0)), (1, 1), 8)),
    ((9, 16, 19, 20), (5, 5, 20, 13), ((1, 1), ((2, 2), (2, 2)), (1, 1), 1)),
    ((3, 15, 40, 16), (3, 7, 16, 16), ((2, 2), ((1, 1), (3, 3)), (1, 1), 1)),
    ((3, 15, 18, 20), (4, 9, 1, 20), ((1, 1), ((2, 1), (4, 4)), (1, 1), 20)),
    ((2, 19, 13, 128), (3, 3, 128, 96), SAME),
    ((9, 13, 15, 28), (3, 3, 28, 100), SAME),
    ((3, 30, 19, 8), (1, 3, 4, 16), ((3, 1), ((0, 0), (1, 1)), (1, 1), 2)),
    ((9, 28, 28, 64), (3, 3, 32, 64), ((1, 1), ((1, 1), (1, 1)), (1, 1), 2)),
    ((2, 11, 50, 20), (3, 5, 1, 20), ((1, 1), ((2, 1), (3, 4)), (1, 1), 20)),
    ((2, 12, 47, 16), (3, 3, 1, 16), ((2, 2), ((0, 1), (1, 0)), (1, 1), 16)),
    ((1, 21, 52, 64), (3, 3, 1, 64), ((1, 1), ((1, 1), (1, 1)), (1, 1), 64)),
    ((9, 15, 18, 32), (5, 5, 1, 32), ((3, 2), ((2, 2), (2, 2)), (1, 1), 32)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", SHAPES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_named_shapes_match_the_twins(case, dtype):
    x_shape, w_shape, window = case
    check_against_twins(*random_case(x_shape, w_shape, window, dtype), window)


@settings(max_examples=60, deadline=None)
@given(geometries())
@example(((2, 28, 28, 1), (3, 3, 1, 16), PLAIN))
def test_gradients_are_adjoints_of_the_forward_map(shapes):
    x_shape, w_shape, window = shapes
    x, w, _, g = random_case(x_shape, w_shape, window)
    scale = np.sqrt(x.size * w.size * g.size) + 1
    product = np.vdot(conv.conv_forward(x, w, None, *window), g)
    by_input = np.vdot(x, conv.conv_input_grad(g, w, x.shape, *window))
    by_weight = np.vdot(w, conv.conv_weight_grad(x, g, w.shape, *window))
    assert abs(by_input - product) <= 1e-13 * scale
    assert abs(by_weight - product) <= 1e-13 * scale


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_bits_do_not_depend_on_the_number_of_threads(case):
    x_shape, w_shape, window = case
    x, w, b, g = random_case(x_shape, w_shape, window, np.float32)

    def results():
        return (
            conv.conv_forward(x, w, b, *window).tobytes(),
            conv.conv_input_grad(g, w, x.shape, *window).tobytes(),
            conv.conv_weight_grad(x, g, w.shape, *window).tobytes(),
            conv.channel_sum(g).tobytes(),
        )

    assert len(set(on_each_thread_count(results))) == 1


def test_strided_inputs_are_taken_as_they_are():
    x, w, b, g = random_case((2, 8, 8, 4), (3, 3, 4, 6), SAME)
    x, w, b, g = (np.repeat(a, 2, axis=-1)[..., ::2] for a in (x, w, b, g))
    assert not x.flags.c_contiguous
    check_against_twins(x, w, b, g, SAME)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("window", [SAME, ((1, 1), ((1, 1), (1, 1)), (1, 1), 2)])
def test_nan_and_infinity_propagate(window, value, dtype):
    c, k = 4, 20
    x, w, b, g = random_case((2, 9, 9, c), (3, 3, c // window[3], k), window, dtype)
    x[1, 4, 5, 2] = value
    g[0, 2, 3, 17] = value
    for actual, expected in (
        (
            conv.conv_forward(x, w, b, *window),
            specifications.conv_forward(x, w, b, *window),
        ),
        (
            conv.conv_input_grad(g, w, x.shape, *window),
            specifications.conv_input_grad(g, w, x.shape, *window),
        ),
        (
            conv.conv_weight_grad(x, g, w.shape, *window),
            specifications.conv_weight_grad(x, g, w.shape, *window),
        ),
    ):
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
        np.testing.assert_array_equal(np.isposinf(actual), np.isposinf(expected))
        np.testing.assert_array_equal(np.isneginf(actual), np.isneginf(expected))


@pytest.mark.parametrize("kernel", [(3, 3), (1, 1)])
def test_an_empty_batch_gives_empty_results_and_zero_gradients(kernel):
    x, w, g = np.ones((0, 5, 5, 2)), np.ones((*kernel, 2, 3)), np.ones((0, 5, 5, 3))
    border = (kernel[0] // 2,) * 2
    window = ((1, 1), (border, border))
    assert conv.conv_forward(x, w, np.ones(3), *window).shape == (0, 5, 5, 3)
    assert conv.conv_input_grad(g, w, x.shape, *window).shape == x.shape
    gw = conv.conv_weight_grad(x, g, w.shape, *window)
    np.testing.assert_array_equal(gw, np.zeros(w.shape))
    np.testing.assert_array_equal(conv.channel_sum(g), np.zeros(3))


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_im2col_matches_its_twin_and_col2im_is_its_adjoint(shapes):
    x_shape, w_shape, (stride, padding, dilation, _) = shapes
    window = (w_shape[:2], stride, padding, dilation)
    x = np.random.default_rng(0).standard_normal(x_shape)
    cols = conv.im2col(x, *window)
    np.testing.assert_array_equal(cols, specifications.im2col(x, *window))
    g = np.random.default_rng(1).standard_normal(cols.shape)
    product = np.vdot(x, conv.col2im(g, x.shape, *window))
    assert abs(np.vdot(cols, g) - product) <= 1e-12 * (1 + cols.size)


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 30, 40, 16), (4, 27, 29, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_channel_sum_adds_all_axes_but_the_last(shape, dtype):
    g = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    exact = g.astype(np.float64).sum(tuple(range(len(shape) - 1)))
    actual = conv.channel_sum(g)
    assert actual.dtype == dtype
    assert_close(actual, exact, scale=np.abs(g).sum() / shape[-1])


WINOGRAD = ((9, 14, 14, 32), (3, 3, 32, 64), SAME)


def all_three(kernels, x, w, b, g, window):
    """Return output and gradients by a module of kernels or twins."""
    return (
        kernels.conv_forward(x, w, b, *window),
        kernels.conv_input_grad(g, w, x.shape, *window),
        kernels.conv_weight_grad(x, g, w.shape, *window),
    )


@pytest.mark.skipif(micro.machine() is None, reason="needs register tiles")
def test_winograd_is_accurate_to_a_millionth():
    x_shape, w_shape, window = WINOGRAD
    assert winograd.fits(geometry(x_shape, w_shape, *window), np.dtype(np.float32))
    case = random_case(x_shape, w_shape, window, np.float32)
    exact = all_three(specifications, *(a.astype(np.float64) for a in case), window)
    for actual, expected in zip(all_three(conv, *case, window), exact):
        assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("place", ["x", "w", "g"])
def test_winograd_leaves_what_is_not_finite_to_the_direct_method(value, place):
    x_shape, w_shape, window = WINOGRAD
    x, w, b, g = random_case(x_shape, w_shape, window, np.float32)
    spoiled = {"x": x, "w": w, "g": g}[place]
    spoiled[tuple(size // 2 for size in spoiled.shape)] = value
    expected = all_three(specifications, x, w, b, g, window)
    for actual, wanted in zip(all_three(conv, x, w, b, g, window), expected):
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(wanted))
        np.testing.assert_array_equal(np.isinf(actual), np.isinf(wanted))


VARIANT = """
import numpy as np, sys
sys.path.insert(0, "tests")
from test_kernels_conv import SHAPES, check_against_twins, random_case
from autograd_lite.kernels import micro
assert (micro.machine() and micro.machine().name) == {expected!r}
for x_shape, w_shape, window in SHAPES[:11:2]:
    check_against_twins(*random_case(x_shape, w_shape, window, np.float32), window)
"""


@pytest.mark.parametrize(
    "name, expected", [("avx2", "avx2"), ("neon", "neon"), ("generic", None)]
)
def test_a_forced_variant_gives_the_same_numbers(name, expected):
    environment = {**os.environ, "AUTOGRAD_LITE_KERNELS": name}
    code = VARIANT.format(expected=expected)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
