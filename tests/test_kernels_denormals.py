"""Denormals: kernels take them for zeros, which are fast; NumPy never notices."""

import platform

import numpy as np
import pytest

from autograd_lite import nn, optim, vjp
from autograd_lite.kernels import optim as steps
from autograd_lite.kernels.micro import machine

TINY = np.finfo(np.float32).tiny

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64", "aarch64", "arm64"),
    reason="kernels know no way to treat denormals as zeros here",
)


def denormal(*shape):
    """Numbers all but the smallest part of which are denormals."""
    return np.random.default_rng(0).normal(0, 1e-39, shape).astype(np.float32)


def weights(*shape):
    """Ordinary numbers."""
    return np.random.default_rng(1).normal(0, 0.1, shape).astype(np.float32)


def statistics(c):
    """Parameters and running statistics of a normalisation."""
    ones, zeros = np.ones(c, np.float32), np.zeros(c, np.float32)
    return {"scale": ones, "bias": zeros}, {"mean": zeros, "var": ones}


P, S = statistics(32)
IMAGES = (4, 16, 16)
LAYERS = {
    "convolution, Winograd": (
        lambda x, w: nn.conv(x, w, padding=1),
        (*IMAGES, 32),
        weights(3, 3, 32, 32),
    ),
    "convolution, tiles": (nn.conv, (*IMAGES, 24), weights(3, 3, 24, 24)),
    "convolution, 1x1": (nn.conv, (*IMAGES, 32), weights(1, 1, 32, 32)),
    "in groups": (
        lambda x, w: nn.conv(x, w, groups=4),
        (*IMAGES, 32),
        weights(3, 3, 8, 32),
    ),
    "depthwise": (
        lambda x, w: nn.conv(x, w, groups=32),
        (*IMAGES, 32),
        weights(3, 3, 1, 32),
    ),
    "fused": (
        lambda x, w: nn.max_pool(nn.relu(nn.conv(x, w)), 2),
        (*IMAGES, 1),
        weights(3, 3, 1, 16),
    ),
    "dense": (nn.dense, (128, 256), weights(256, 128)),
    "average": (lambda x: nn.avg_pool(x, 2), (*IMAGES, 32)),
    "interpolation": (
        lambda x: nn.upsample(x, scale_factor=2, mode="bilinear"),
        (*IMAGES, 32),
    ),
    "batch norm": (lambda x: nn.batch_norm(x, P, S, train=True)[0], (*IMAGES, 32)),
    "group norm": (lambda x: nn.group_norm(x, 4, P), (*IMAGES, 32)),
}


if machine() is None:  # then matrices are multiplied by NumPy
    LAYERS = {
        name: LAYERS[name] for name in LAYERS.keys() - {"dense", "convolution, 1x1"}
    }


def denormals(x):
    """Count the denormals in x."""
    return np.count_nonzero((x != 0) & (np.abs(x) < TINY))


@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_makes_denormals_from_denormals(name):
    layer, shape, *more = LAYERS[name]
    y, pull = vjp(layer, denormal(*shape), *more)
    cotangents = pull(denormal(*y.shape))
    for found in (y, *(cotangents if isinstance(cotangents, tuple) else (cotangents,))):
        assert np.isfinite(found).all() and denormals(found) == 0


@pytest.mark.parametrize("size", [1000, 100_000])
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw", "rmsprop"])
def test_no_optimiser_makes_denormals_from_denormals(name, size):
    algorithm, p = getattr(optim, name)(0.01), [denormal(size)]
    state = algorithm.init(p)
    for _ in range(3):
        updates, state = algorithm.update([denormal(size)], state, p)
    assert np.isfinite(updates[0]).all() and denormals(updates[0]) == 0


def test_numpy_computes_with_denormals_afterwards():
    x = denormal(*IMAGES, 32)
    nn.conv(x, weights(3, 3, 32, 32))
    nn.avg_pool(x, 2)
    steps.scale(x.reshape(-1).copy(), 0.5)
    double = x * np.float32(2)
    assert denormals(double) > 0.9 * double.size
    np.testing.assert_array_equal(double.astype(np.float64), 2 * x.astype(np.float64))


def test_a_denormal_maximum_is_found_and_copied():
    x = denormal(2, 6, 6, 16)
    expected = x.reshape(2, 3, 2, 3, 2, 16).max((2, 4))
    np.testing.assert_array_equal(nn.max_pool(x, 2), expected)
    assert denormals(expected) > 0.9 * expected.size


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_passes_as_it_did(value):
    x = denormal(1, 8, 8, 16)
    x[0, 3, 3, 2] = value
    w = weights(3, 3, 16, 16)
    y = nn.conv(x, w)
    touched = np.zeros((1, 6, 6, 16), bool)
    touched[0, 1:4, 1:4] = True
    np.testing.assert_array_equal(~np.isfinite(y), touched)
