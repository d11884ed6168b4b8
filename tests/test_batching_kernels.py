"""Kernels that serve per-sample gradients, against NumPy."""

import numpy as np
import pytest

from autograd_lite.kernels import conv
from autograd_lite.kernels.outer import outer_products
from autograd_lite.ops.linalg import product

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-13}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1), (3, 5, 7), (16, 130, 33), (64, 70, 128), (40, 1000, 128)]
)
def test_outer_products(sizes, dtype):
    n, m, k = sizes
    x, y = [RNG.standard_normal((n, i)).astype(dtype) for i in (m, k)]
    z = outer_products(x, y)
    assert z.dtype == dtype
    np.testing.assert_array_equal(z, np.einsum("nm,nk->nmk", x, y))
    np.testing.assert_array_equal(
        outer_products(x[::-1], y), z[::-1] * 0 + x[::-1, :, None] * y[:, None]
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_columns_times_rows_keep_what_is_not_finite(value):
    x, y = np.ones((8, 300, 1)), np.ones((8, 1, 200))
    x[0, 3], y[1, 0, 5] = value, value
    z = product(x, y)
    np.testing.assert_array_equal(z, x * y)
    assert np.isfinite(z[2:]).all() and not np.isfinite(z[0, 3]).any()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "shape", [(3, 5, 2), (8, 30, 29, 8), (64, 1, 700, 3), (2, 999, 64)]
)
def test_channel_sums(shape, dtype):
    g = RNG.standard_normal(shape).astype(dtype)
    found = conv.channel_sums(g)
    assert found.dtype == dtype
    expected = g.astype(float).sum(tuple(range(1, g.ndim - 1)))
    np.testing.assert_allclose(found, expected, 1e-4, 30 * TOLERANCE[dtype])


GEOMETRIES = [
    ((3, 3), {}),
    ((3, 2), {"stride": (2, 1), "padding": ((1, 0), (1, 2))}),
    ((1, 1), {}),
    ((3, 3), {"dilation": (1, 2)}),
    ((3, 3), {"groups": 2, "padding": ((1, 1), (1, 1))}),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("parts", [(1, 4), (6, 1), (5, 3)])
@pytest.mark.parametrize("kernel, options", GEOMETRIES)
def test_weight_gradients_of_parts(kernel, options, parts, dtype):
    m, n = parts
    window = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), **options}
    groups = window.get("groups", 1)
    shape = (*kernel, 4 // groups, 6)
    x = RNG.standard_normal((m, n, 9, 10, 4)).astype(dtype)
    y = conv.conv_forward(x[0], np.ones(shape, dtype), None, **window)
    g = RNG.standard_normal((m, *y.shape)).astype(dtype)
    found = conv.conv_weight_grads(x, g, shape, **window)
    expected = [conv.conv_weight_grad(*part, shape, **window) for part in zip(x, g)]
    assert found.dtype == dtype and found.shape == (m, *shape)
    np.testing.assert_allclose(found, expected, 1e-4, 100 * TOLERANCE[dtype])


def operand(shape, kind, dtype):
    """Matrices stored by rows, by columns, or as neither."""
    x = RNG.standard_normal(shape).astype(dtype)
    if kind == "columns":
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    return x if kind == "rows" else np.repeat(x, 2, -1)[..., ::2]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kinds", [("rows", "rows"), ("columns", "columns"), ("", "")])
@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 65, 70), (3, 70, 67)),
        ((5, 300, 9), (5, 9, 200)),
        ((65, 70), (4, 70, 90)),
        ((4, 66, 64), (64, 129)),
        ((1, 128, 128), (1, 128, 128)),
        ((9, 7, 4000), (9, 4000, 33)),
    ],
)
def test_stacks_of_products(shapes, kinds, dtype):
    x, y = [operand(s, kind, dtype) for s, kind in zip(shapes, kinds)]
    z = product(x, y)
    assert z.dtype == dtype
    expected = np.matmul(x.astype(float), y.astype(float))
    np.testing.assert_allclose(z, expected, 1e-4, 40 * TOLERANCE[dtype])
    for item, one in zip(z, expected):
        np.testing.assert_allclose(item, one, 1e-4, 40 * TOLERANCE[dtype])
