"""Rows for convolution and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import specifications as spec
import specifications_conv as general
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


def in_any_rank(
    note: str, arrays: Any, kernels: Any, window: dict[str, Any]
) -> list[Case]:
    """The rows of the three contractions, of arrays (n, *size, c) of any rank."""
    x, w = normal(arrays, kernels)(np.random.default_rng(0))
    result = general.conv(x, w, **window).shape
    kinds: dict[str, Any] = {"note": note, "axes0": False}
    shapes = {"input_shape": arrays, **window}, {"kernel_shape": kernels, **window}
    make = normal(arrays, kernels), normal(result, kernels), normal(arrays, result)
    return [
        Case(conv.conv, make[0], general.conv, window, **kinds),
        Case(
            conv.conv_input_grad, make[1], general.conv_input_grad, shapes[0], **kinds
        ),
        Case(
            conv.conv_weight_grad, make[2], general.conv_weight_grad, shapes[1], **kinds
        ),
    ]


SIGNALS = {
    "stride": (2,),
    "padding": ((3, -1),),
    "dilation": (2,),
    "groups": 1,
}
VOLUMES = {
    "stride": (1, 2, 1),
    "padding": ((1, 0), (0, 1), (1, 1)),
    "dilation": (2, 1, 1),
    "groups": 1,
}
SPREAD = {
    "stride": (1, 1),
    "padding": ((1, 2), (-1, 1)),
    "dilation": (1, 1),
    "groups": 2,
    "input_dilation": (2, 3),
}
SPREAD_STRIDED = {**SPREAD, "stride": (2, 1)}
CUBES = {name: VOLUMES[name] for name in ("stride", "padding", "dilation")}


COLUMNS = {
    "kernel": (R, S),
    "stride": (2, 1),
    "padding": ((1, 0), (1, 2)),
    "dilation": (1, 2),
}

CASES = [
    *convolutions("plain", PLAIN),
    *convolutions("wide", WIDE),
    *in_any_rank("signals", (2, 9, 3), (3, 3, 4), SIGNALS),
    *in_any_rank("volumes", (2, 4, 5, 3, 2), (2, 2, 3, 2, 4), VOLUMES),
    *in_any_rank(
        "grouped-volumes", (2, 4, 5, 3, 2), (2, 2, 3, 1, 4), {**VOLUMES, "groups": 2}
    ),
    *in_any_rank("spread", (2, 4, 3, 4), (3, 2, 2, 6), SPREAD),
    *in_any_rank("spread-strided", (2, 4, 3, 4), (3, 2, 2, 6), SPREAD_STRIDED),
    Case(
        conv.im2col,
        normal((2, 4, 5, 3, 2)),
        general.im2col,
        {"kernel": (2, 2, 3), **CUBES},
        axes0=False,
        note="volumes",
    ),
    Case(
        conv.col2im,
        normal((2, 3, 3, 3, 24)),
        general.col2im,
        {"input_shape": (2, 4, 5, 3, 2), "kernel": (2, 2, 3), **CUBES},
        axes0=False,
        note="volumes",
    ),
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
