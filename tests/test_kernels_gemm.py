"""The matrix product on Numba's threads against NumPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thread_counts import on_each_thread_count

from autograd_lite.kernels import gemm
from autograd_lite.kernels.micro import machine

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-15}


def whenever_there_are_tiles(m, k, n):
    """Stand in for `worthwhile`: without tiles, all products are NumPy's."""
    return machine() is not None


@pytest.fixture
def always_ours(monkeypatch):
    """Send small products through our kernel, too."""
    monkeypatch.setattr(gemm, "worthwhile", whenever_there_are_tiles)


def operands(m, k, n, form, dtype=np.float64, seed=0):
    """Return a and b; a "t" in form makes one a transposed view."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    a, b = a.astype(dtype), b.astype(dtype)
    if form[0] == "t":
        a = np.ascontiguousarray(a.T).T
    if form[1] == "t":
        b = np.ascontiguousarray(b.T).T
    return a, b


def check(a, b, bias=None):
    """Compare with a product in twice the precision, or nearly."""
    actual = gemm.matmul(a, b, bias)
    wide = [np.asarray(v, np.longdouble) for v in (a, b, 0 if bias is None else bias)]
    expected = wide[0] @ wide[1] + wide[2]
    scale = np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(wide[2])
    assert actual.shape == expected.shape
    assert actual.dtype == a.dtype
    assert actual.flags.c_contiguous
    # Rounding grows with the length of the sums, at worst in proportion.
    bound = TOLERANCE[a.dtype.type] * (2 + a.shape[1]) * scale
    assert np.all(np.abs(actual - expected) <= bound)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from((1, 2, 5, 13, 14, 15, 30)),
    st.integers(1, 70),
    st.sampled_from((1, 2, 3, 8, 10, 16, 20, 47, 64)),
    st.sampled_from(("nn", "nt", "tn", "tt")),
    st.sampled_from((np.float32, np.float64)),
    st.booleans(),
)
def test_any_shape_and_form_matches_numpy(m, k, n, form, dtype, with_bias):
    a, b = operands(m, k, n, form, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemm, "worthwhile", whenever_there_are_tiles)
        check(a, b, np.arange(n, dtype=dtype) if with_bias else None)


LARGE = [
    (64, 2704, 128, "nn"),
    (2704, 64, 128, "tn"),
    (64, 128, 2704, "nt"),
    (512, 300, 47, "nn"),
    (130, 700, 70, "tn"),  # sums in three parts, rows and columns left over
    (70, 600, 130, "tt"),
    (50, 530, 40, "nt"),
    (48, 3137, 70, "tn"),  # few sums of many terms, one of them left over
]


@pytest.mark.parametrize("m, k, n, form", LARGE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_bias", [False, True])
def test_layers_of_the_models(m, k, n, form, dtype, with_bias):
    a, b = operands(m, k, n, form, dtype)
    check(a, b, np.arange(n, dtype=dtype) if with_bias else None)


@pytest.mark.parametrize("m, k, n, form", LARGE)
def test_bits_do_not_depend_on_the_number_of_threads(m, k, n, form):
    a, b = operands(m, k, n, form, np.float32)
    results = on_each_thread_count(lambda: gemm.matmul(a, b).tobytes())
    assert len(set(results)) == 1


def test_strided_operands_are_copied(always_ours):
    a, b = operands(40, 60, 20, "nn")
    check(a[::2, ::3], b[::3, 1::2])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("form", ["nn", "nt", "tn", "tt"])
def test_nan_and_infinity_stay_in_their_row_and_column(always_ours, form):
    a, b = operands(30, 40, 21, form, np.float32)
    a[7, 3], b[5, 20] = np.nan, np.inf
    expected = a @ b
    actual = gemm.matmul(a, b)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(actual), np.isinf(expected))


@pytest.mark.parametrize("m, k, n", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_empty_products(m, k, n):
    product = gemm.matmul(np.ones((m, k)), np.ones((k, n)), np.ones(n))
    np.testing.assert_array_equal(product, np.ones((m, n)))


def test_products_that_the_blas_does_on_one_thread_are_left_to_it():
    assert not gemm.worthwhile(64, 64, 64)
    assert gemm.worthwhile(64, 2704, 128) == (machine() is not None)
