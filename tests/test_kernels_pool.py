"""Pooling kernels against their NumPy twins."""

import numpy as np
import pytest
import specifications_nn as spec
from hypothesis import example, given
from hypothesis import strategies as st
from thread_counts import on_each_thread_count

import autograd_lite as ad
from autograd_lite import nn
from autograd_lite.kernels import pool

NONE = ((0, 0), (0, 0))
DTYPES = [np.float32, np.float64]


@st.composite
def geometries(draw):
    """(shape of x, window, stride, padding) in which every window meets the image."""
    sides = st.integers(1, 4)
    window, stride = draw(st.tuples(sides, sides)), draw(st.tuples(sides, sides))
    padding = tuple(
        draw(st.tuples(st.integers(0, w - 1), st.integers(0, w - 1))) for w in window
    )
    size = tuple(
        draw(st.integers(max(1, w - sum(p)), 9)) for w, p in zip(window, padding)
    )
    n, c = draw(st.integers(0, 3)), draw(st.integers(1, 18))
    return (n, *size, c), window, stride, padding


def integers(shape, dtype, seed=0):
    """Small integers as floats: many ties, and sums without rounding."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def matrix_per_channel(code, size, geometry):
    """Stack the gather's matrices: (n, c, outputs, inputs)."""
    n, _, _, c = code.shape
    return np.array(
        [
            [spec.max_pool_matrix(code[i, :, :, k], size, *geometry) for k in range(c)]
            for i in range(n)
        ]
    )


@given(geometries(), st.sampled_from(DTYPES), st.booleans())
@example(((2, 6, 8, 16), (2, 2), (2, 2), NONE), np.float32, False)
@example(((2, 7, 5, 3), (2, 2), (2, 2), NONE), np.float32, True)
def test_max_pool_is_its_twin(case, dtype, with_nan):
    shape, *geometry = case
    x = integers(shape, dtype)
    if with_nan and x.size:
        x.flat[:: max(1, x.size // 5)] = np.nan
    y, code = pool.max_pool(x, *geometry)
    expected, expected_code = spec.max_pool(x, *geometry)
    assert y.dtype == dtype and code.dtype == np.uint8
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(code, expected_code)


@given(geometries(), st.sampled_from(DTYPES))
@example(((2, 6, 8, 16), (2, 2), (2, 2), NONE), np.float32)
@example(((2, 7, 5, 3), (2, 2), (2, 2), NONE), np.float32)
def test_gather_and_scatter_are_matrices(case, dtype):
    shape, *geometry = case
    x = integers(shape, dtype)
    n, h, w, c = shape
    y, code = pool.max_pool(x, *geometry)
    if n == 0:
        assert pool.max_pool_scatter(y, code, (h, w), *geometry).shape == shape
        return
    matrix = matrix_per_channel(code.astype(int), (h, w), geometry)
    v = integers(shape, dtype, seed=1)
    flat = v.reshape(n, h * w, c)
    expected = np.einsum("ncoi,nic->noc", matrix, flat).reshape(y.shape)
    np.testing.assert_array_equal(pool.max_pool_gather(v, code, *geometry), expected)
    g = integers(y.shape, dtype, seed=2)
    x_bar = np.einsum("ncoi,noc->nic", matrix, g.reshape(n, -1, c)).reshape(shape)
    actual = pool.max_pool_scatter(g, code, (h, w), *geometry)
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual, x_bar)


@given(geometries(), st.sampled_from(DTYPES), st.booleans())
def test_avg_pool_and_its_adjoint_are_matrices(case, dtype, count_include_pad):
    shape, *geometry = case
    n, h, w, c = shape
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    matrix = spec.avg_pool_matrix((h, w), *geometry, count_include_pad)
    tolerance = {"rtol": 0, "atol": 20 * np.finfo(dtype).eps}
    y = pool.avg_pool(x, *geometry, count_include_pad)
    expected = np.einsum("oi,nic->noc", matrix, x.reshape(n, h * w, c))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected.reshape(y.shape), **tolerance)
    g = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    x_bar = pool.avg_pool_adjoint(g, (h, w), *geometry, count_include_pad)
    expected = np.einsum("oi,noc->nic", matrix, g.reshape(n, len(matrix), c))
    np.testing.assert_allclose(x_bar, expected.reshape(shape), **tolerance)


def test_window_of_many_elements_has_a_wider_code():
    x = np.zeros((1, 20, 20, 1), np.float32)
    x[0, 19, 18] = 1
    y, code = pool.max_pool(x, (20, 20), (1, 1), NONE)
    assert code.dtype == np.int32 and code.item() == 19 * 20 + 18 and y.item() == 1


def test_infinities_are_ordinary_numbers():
    x = np.full((1, 4, 4, 2), -np.inf, np.float32)
    y, code = pool.max_pool(x, (3, 3), (1, 1), NONE)
    assert (y == -np.inf).all() and (code == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_strides_of_the_input_do_not_matter(dtype):
    base = integers((3, 2, 9, 8), dtype)
    view = base.transpose(0, 2, 3, 1)[:, ::-1]
    for geometry in [((2, 2), (2, 2), NONE), ((3, 3), (2, 2), ((1, 1), (1, 1)))]:
        y, code = pool.max_pool(view, *geometry)
        expected, expected_code = pool.max_pool(view.copy(), *geometry)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(code, expected_code)
        assert y.flags.c_contiguous
    read_only = np.broadcast_to(dtype(1), y.shape)
    pool.max_pool_scatter(read_only, code, (9, 8), *geometry)


def everything(x, geometry):
    """Run all kernels on x; used to compare thread counts."""
    size = x.shape[1:3]
    y, code = pool.max_pool(x, *geometry)
    return [
        y,
        code,
        pool.max_pool_gather(x, code, *geometry),
        pool.max_pool_scatter(y, code, size, *geometry),
        pool.avg_pool(x, *geometry),
        pool.avg_pool_adjoint(y, size, *geometry),
    ]


@pytest.mark.parametrize("shape", [(5, 31, 29, 17), (5, 31, 29, 20), (40, 31, 29, 32)])
@pytest.mark.parametrize(
    "geometry", [((2, 2), (2, 2), NONE), ((3, 3), (2, 2), ((1, 1), (1, 1)))]
)
def test_results_do_not_depend_on_the_number_of_threads(geometry, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    results = on_each_thread_count(lambda: everything(x, geometry))
    for one, two in zip(results[0], results[-1]):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "resampled, shape",
    [
        (lambda x: nn.upsample(x, (41, 50), mode="bilinear"), (3, 20, 31, 18)),
        (lambda x: nn.upsample(x, (900,), mode="linear"), (3, 400, 34)),
        (lambda x: nn.max_pool(x, (2, 3), 1, dilation=(3, 2)), (3, 30, 31, 18)),
        (lambda x: nn.max_pool(x, 2, 1), (2, 9, 14, 15, 10)),
    ],
    ids=["images", "signals", "dilated windows", "volumes"],
)
def test_interpolation_does_not_depend_on_the_number_of_threads(resampled, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def results():
        y, pullback = ad.vjp(resampled, x)
        g = np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape)
        return y.tobytes(), pullback(g)[0].tobytes()

    assert len(set(on_each_thread_count(results))) == 1


def test_large_and_small_arrays_agree():
    x = np.random.default_rng(0).standard_normal((64, 12, 12, 16)).astype(np.float32)
    for geometry in [((2, 2), (2, 2), NONE), ((3, 3), (2, 2), ((1, 1), (1, 1)))]:
        for whole, part in zip(everything(x, geometry), everything(x[:2], geometry)):
            np.testing.assert_array_equal(whole[:2], part)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1, 3, 2, 4), (2, 9, 9, 8), (3, 8, 6, 48), (1, 67, 515, 32)]
)
def test_vectors_of_channels_do_as_the_plain_kernels(shape, dtype):
    n, h, w, c = shape
    x = integers(shape, dtype)
    x.flat[::7] = np.nan
    geometry = ((2, 2), (2, 2), NONE)
    y, code = pool.max_pool(x, *geometry)
    plain_y, plain_code = np.empty_like(y), np.empty_like(code)
    pool._max_pool_2x2(x, plain_y, plain_code)
    np.testing.assert_array_equal(y, plain_y)
    np.testing.assert_array_equal(code, plain_code)
    x_bar = np.full(shape, np.nan, dtype)
    pool._scatter_2x2(y, code, x_bar)
    actual = pool.max_pool_scatter(y, code, (h, w), *geometry)
    np.testing.assert_array_equal(actual, x_bar)
