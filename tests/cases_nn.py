"""Rows for the primitives behind layers and pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import specifications_nn as spec
from cases import APART, MATRIX, Case, apart, between, normal, with_constants
from scipy.special import expit
from specifications import conv_forward

from autograd_lite.ops import batch_norm, dense, fused, layers, normalise, pool

LABELS = np.array([1, 3, 0])
PLAIN = {"window": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}
WIDE = {"window": (3, 2), "stride": (2, 1), "padding": ((1, 0), (1, 1))}
IMAGES, ODD = (2, 4, 6, 3), (2, 5, 5, 3)


FUSED = {"padding": ((1, 0), (0, 1)), "window": (2, 2), "stride": (2, 2)}


def softmax(x: Any, axis: Any) -> Any:
    """Return the softmax by definition."""
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def gather(x: Any, code: Any, window: Any, stride: Any, padding: Any) -> Any:
    """Apply the gather's matrix to each image and channel."""
    n, h, w, c = x.shape
    y = np.empty(code.shape, x.dtype)
    for i, k in np.ndindex(n, c):
        matrix = spec.max_pool_matrix(code[i, :, :, k], (h, w), window, stride, padding)
        y[i, :, :, k] = (matrix @ x[i, :, :, k].ravel()).reshape(y.shape[1:3])
    return y


def scatter(g: Any, code: Any, size: Any, **geometry: Any) -> Any:
    """Apply the transpose of the gather's matrix to each image and channel."""
    x_bar = np.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    for i, k in np.ndindex(g.shape[0], g.shape[3]):
        matrix = spec.max_pool_matrix(code[i, :, :, k], size, **geometry)
        x_bar[i, :, :, k] = (matrix.T @ g[i, :, :, k].ravel()).reshape(size)
    return x_bar


def avg_pool(x: Any, count_include_pad: bool, **geometry: Any) -> Any:
    """Apply the matrix of average pooling to each image and channel."""
    n, h, w, c = x.shape
    _, size = spec.windows((h, w), **geometry)
    matrix = spec.avg_pool_matrix(
        (h, w), **geometry, count_include_pad=count_include_pad
    )
    y = np.einsum("oi,nic->noc", matrix, x.reshape(n, h * w, c))
    return y.reshape(n, *size, c).astype(x.dtype)


def avg_pool_adjoint(
    g: Any, size: Any, count_include_pad: bool, **geometry: Any
) -> Any:
    """Apply the transpose of that matrix."""
    n, h, w, c = g.shape
    matrix = spec.avg_pool_matrix(size, **geometry, count_include_pad=count_include_pad)
    x_bar = np.einsum("oi,noc->nic", matrix, g.reshape(n, h * w, c))
    return x_bar.reshape(n, *size, c).astype(g.dtype)


def batch_moments(x: Any) -> tuple[Any, Any]:
    """Return mean and variance over all axes but the last."""
    axis = tuple(range(x.ndim - 1))
    return x.mean(axis), x.var(axis)


def batch_normalise(
    x: Any, gamma: Any, beta: Any, eps: float, rectified: bool = False
) -> Any:
    """Return the normalised array, or its positive part."""
    mean, var = batch_moments(x)
    y = gamma * (x - mean) / np.sqrt(var + eps).astype(x.dtype) + beta
    return np.maximum(y, 0) if rectified else y


def group_statistics(
    x: Any, gamma: Any, beta: Any, groups: int, eps: float
) -> tuple[Any, Any, Any]:
    """Return the normalised array, the means and the inverse deviations."""
    n, m, c = x.shape
    split = x.reshape(n, m, groups, c // groups)
    mean = split.mean((1, 3), keepdims=True)
    inverse = 1 / np.sqrt(split.var((1, 3), keepdims=True) + x.dtype.type(eps))
    z = ((split - mean) * inverse).reshape(x.shape)
    return gamma * z + beta, mean[:, 0, :, 0], inverse[:, 0, :, 0]


def cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    """Return the losses of the rows."""
    return spec.cross_entropy(logits, labels, smoothing)[0].astype(logits.dtype)


def cross_entropy_grad(g: Any, logits: Any, labels: Any, smoothing: float) -> Any:
    """Return the scaled difference of softmax and target."""
    slope = spec.cross_entropy(logits, labels, smoothing)[1]
    return (g[:, None] * slope).astype(logits.dtype)


def max_codes(shape: Any, geometry: Any) -> Any:
    """Return codes that a max pool of that geometry could have returned."""
    x = np.random.default_rng(0).standard_normal(shape)
    return spec.max_pool(x, **geometry)[1].astype(np.uint8)


def winners(x: Any, **geometry: Any) -> Any:
    """Return maxima and codes."""
    y, code = spec.max_pool(x, **geometry)
    return y, code.astype(np.uint8)


def layer_winners(x: Any, w: Any, b: Any, padding: Any, **pool: Any) -> Any:
    """Return what a layer of convolution, ReLU and max-pool makes, and codes."""
    y = conv_forward(x, w, b, (1, 1), padding).astype(x.dtype)
    y, code = winners(y, **pool, padding=((0, 0), (0, 0)))
    positions = pool["window"][0] * pool["window"][1]
    return np.maximum(y, 0), np.where(y <= 0, positions, code).astype(np.uint8)


def layer_at(
    x: Any, w: Any, b: Any, code: Any, padding: Any, window: Any, stride: Any
) -> Any:
    """Return the convolution at the positions of a code, 0 where there is no such."""
    y = conv_forward(x, w, b, (1, 1), padding).astype(x.dtype)
    dead = code == window[0] * window[1]
    named = np.where(dead, 0, code)
    geometry = {"window": window, "stride": stride, "padding": ((0, 0), (0, 0))}
    return np.where(dead, y.dtype.type(0), gather(y, named, **geometry))


def layers_fused() -> list[Case]:
    """The rows of a layer of convolution, ReLU and max-pool."""
    shapes = (2, 6, 5, 1), (3, 3, 1, 3), (3,)
    make = normal(*shapes)
    code = layer_winners(*make(np.random.default_rng(0)), **FUSED)[1]
    kinds: dict[str, Any] = {"params": FUSED, "axes0": False}
    return [
        Case(
            fused.conv_relu_pool_winners,
            apart(*shapes),
            layer_winners,
            order=0,
            constant=False,
            **kinds,
        ),
        Case(fused.conv_relu_pool, with_constants(make, code), layer_at, **kinds),
    ]


def pools(shape: Any, note: str, geometry: dict[str, Any]) -> list[Case]:
    """The rows of all pooling primitives for one geometry."""
    code = max_codes(shape, geometry)
    size = shape[1:3]
    counting = {**geometry, "count_include_pad": False}
    images, pooled = normal(shape), normal(code.shape)
    kinds: dict[str, Any] = {"note": note, "axes0": False}
    back = {"params": {**geometry, "size": size}, **kinds}
    return [
        Case(pool.max_pool_winners, apart(shape), winners, geometry, order=0, **kinds),
        Case(
            pool.max_pool_gather,
            with_constants(images, code),
            gather,
            geometry,
            **kinds,
        ),
        Case(pool.max_pool_scatter, with_constants(pooled, code), scatter, **back),
        Case(pool.avg_pool, images, avg_pool, counting, note=note),
        Case(
            pool.avg_pool_adjoint,
            pooled,
            avg_pool_adjoint,
            {**counting, "size": size},
            note=note,
        ),
    ]


CASES = [
    Case(layers.relu, APART, spec.relu),
    Case(layers.relu_mask, apart((3, 4), (3, 4)), lambda g, y: np.where(y > 0, g, 0)),
    Case(
        layers.leaky_slope,
        APART,
        lambda x, slope: np.where(x > 0, 1, slope).astype(x.dtype),
        {"slope": 0.1},
        order=0,
    ),
    Case(layers.sigmoid, MATRIX, expit),
    Case(layers.softplus, MATRIX, lambda x: np.log1p(np.exp(x))),
    Case(layers.sum_of_squares, MATRIX, lambda x: (x * x).sum()),
    Case(layers.softmax, MATRIX, softmax, {"axis": (1,)}),
    Case(layers.softmax, MATRIX, softmax, {"axis": (0,)}, axes0=False, note="axis-0"),
    Case(
        layers.log_softmax,
        MATRIX,
        lambda x, axis: np.log(softmax(x, axis)),
        {"axis": (1,)},
    ),
    Case(
        layers.softmax_cross_entropy,
        with_constants(normal((3, 4)), LABELS),
        cross_entropy,
        {"smoothing": 0.1},
        axes0=False,
    ),
    Case(
        layers.total_cross_entropy,
        with_constants(normal((3, 4)), LABELS),
        lambda logits, labels, smoothing, scale: (
            scale * cross_entropy(logits, labels, smoothing).sum()
        ),
        {"smoothing": 0.1, "scale": 0.5},
        axes0=False,
    ),
    Case(
        layers.softmax_cross_entropy_grad,
        with_constants(normal((3,), (3, 4)), LABELS),
        cross_entropy_grad,
        {"smoothing": 0.1},
        axes0=False,
    ),
    Case(batch_norm.batch_moments, normal((2, 3, 4)), batch_moments, order=0),
    *[
        Case(
            batch_norm.batch_normalise,
            lambda rng: (*normal((2, 3, 4), (4,))(rng), *between(1, 2, (4,))(rng)),
            batch_normalise,
            {"eps": 0.1, **params},
            axes0=False,
            note=note,
        )
        for params, note in (({}, ""), ({"rectified": True}, "rectified"))
    ],
    Case(
        normalise.group_statistics,
        normal((2, 5, 6), (6,), (6,)),
        group_statistics,
        {"groups": 3, "eps": 0.1},
        order=0,
    ),
    *[
        Case(
            normalise.group_normalised,
            normal((2, 5, 6), (6,), (6,)),
            lambda *args, **params: group_statistics(*args, **params)[0],
            {"groups": groups, "eps": 0.1},
            axes0=False,
            note=f"{groups}-groups",
        )
        for groups in (1, 3, 6)
    ],
    Case(
        dense.affine,
        normal((3, 4), (4, 5), (5,)),
        lambda x, w, b: x @ w + b,
        axes0=False,
    ),
    *layers_fused(),
    *pools(IMAGES, "2x2", PLAIN),
    *pools(ODD, "overlapping", WIDE),
]
