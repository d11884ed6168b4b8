"""Rows for convolution and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import specifications as spec
from cases import Case, normal

from autograd_lite.ops import conv

N, H, W, C, R, S, K = 2, 5, 6, 4, 3, 2, 6
PLAIN = {
    "stride": (1, 1),
    "padding": ((0, 0), (0, 0)),
    "dilation": (1, 1),
    "groups": 1,
}
WIDE = {
    "stride": (2, 1),
    "padding": ((1, 0), (1, 2)),
    "dilation": (1, 2),
    "groups": 2,
}


def conv_twin(x: Any, w: Any, b: Any = None, **window: Any) -> Any:
    """Return the convolution, with a bias or without."""
    return spec.conv_forward(x, w, b, **window)


def weight_grads(x: Any, y: Any, **params: Any) -> Any:
    """Return the gradient of the weights for each part of the batch."""
    return np.stack([spec.conv_weight_grad(*part, **params) for part in zip(x, y)])


def convolutions(note: str, window: dict[str, Any]) -> list[Case]:
    """The rows of the three contractions for one geometry."""
    images, kernels = (N, H, W, C), (R, S, C // window["groups"], K)
    x, w = normal(images, kernels)(np.random.default_rng(0))
    result = conv_twin(x, w, **window).shape
    kinds: dict[str, Any] = {"note": note, "axes0": False}
    return [
        Case(conv.conv, normal(images, kernels), conv_twin, window, **kinds),
        Case(conv.conv_bias, normal(images, kernels, (K,)), conv_twin, window, **kinds),
        Case(
            conv.conv_input_grad,
            normal(result, kernels),
            spec.conv_input_grad,
            {"input_shape": images, **window},
            **kinds,
        ),
        Case(
            conv.conv_weight_grad,
            normal(images, result),
            spec.conv_weight_grad,
            {"kernel_shape": kernels, **window},
            **kinds,
        ),
        Case(
            conv.conv_weight_grads,
            normal((3, *images), (3, *result)),
            weight_grads,
            {"kernel_shape": kernels, **window},
            **kinds,
        ),
    ]


COLUMNS = {
    "kernel": (R, S),
    "stride": (2, 1),
    "padding": ((1, 0), (1, 2)),
    "dilation": (1, 2),
}

CASES = [
    *convolutions("plain", PLAIN),
    *convolutions("wide", WIDE),
    Case(conv.channel_sum, normal((N, H, W, K)), lambda x: x.sum((0, 1, 2))),
    Case(
        conv.channel_sum,
        normal((N, H, W, K)),
        lambda x, parts: x.sum((1, 2)),
        {"parts": True},
        note="parts",
    ),
    Case(conv.im2col, normal((N, H, W, C)), spec.im2col, COLUMNS, axes0=False),
    Case(
        conv.col2im,
        normal((N, 2, 7, R * S * C)),
        spec.col2im,
        {"input_shape": (N, H, W, C), **COLUMNS},
        axes0=False,
    ),
]
