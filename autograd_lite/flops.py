"""The arithmetic of primitives, counted from the shapes of what they read and make.

One multiplication or addition counts as one. Of convolutions and products this is the
textbook's count, whatever algorithm the kernel has. Functions such as `exp` have no
count that would mean anything, so theirs is None; what only moves data has none to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final

Shape = tuple[int, ...]
Rule = Callable[[Sequence[Shape], Sequence[Shape], Mapping[str, Any]], int]


def flops(
    primitive: str,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
    params: Mapping[str, Any],
) -> int | None:
    """Return how many operations a call does, or None where that is not known.

    >>> flops("matmul", [(64, 128), (128, 10)], [(64, 10)], {})
    163840
    >>> flops("exp", [(64,)], [(64,)], {}) is None
    True
    """
    if primitive in ONE_EACH:
        return prod(outputs[0])
    if primitive in ONE_EACH_READ:
        return prod(inputs[0])
    if primitive in NONE:
        return 0
    rule = RULES.get(primitive)
    return rule(inputs, outputs, params) if rule else None


# One operation for each element of the result.
ONE_EACH: Final = {
    *("add", "subtract", "multiply", "divide", "negative", "square", "reciprocal"),
    *("absolute", "maximum", "minimum", "relu", "relu_mask"),
}
# One for each element of the argument.
ONE_EACH_READ: Final = {"sum", "mean", "max", "min", "cumsum", "cumprod", "channel_sum"}
NONE: Final = {
    *("reshape", "transpose", "broadcast_to", "astype", "stack", "concatenate", "take"),
    *("where", "flip", "roll", "pad", "crop", "diagonal", "real", "stop_gradient"),
}


def _matmul(inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any) -> int:
    return 2 * prod(outputs[0]) * inputs[0][-1]


def _affine(inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any) -> int:
    return 2 * prod(outputs[0]) * inputs[0][-1] + prod(outputs[0])


def _einsum(inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any) -> int:
    """Each product of the operands, and its addition."""
    labels = params["subscripts"].partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for names, shape in zip(labels, inputs):
        sizes.update(zip(names, shape))
    return len(inputs) * prod(sizes.values())


def _conv(inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any) -> int:
    """Each output is a product with a kernel, w: (*window, c / groups, k)."""
    return 2 * prod(outputs[0]) * prod(inputs[1][:-1])


def _conv_input_grad(
    inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any
) -> int:
    return 2 * prod(inputs[0]) * prod(inputs[1][:-1])


def _conv_weight_grad(
    inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any
) -> int:
    return 2 * prod(inputs[1]) * prod(params["kernel_shape"][:-1])


def _picked(inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any) -> int:
    """Nothing where the result, the fifth argument, is known already."""
    known = len(inputs) > 4 and inputs[4] != ()
    return 0 if known else _conv_relu_pool(inputs, outputs, params)


def _conv_relu_pool(
    inputs: Sequence[Shape], outputs: Sequence[Shape], params: Any
) -> int:
    """That of the convolution, whose result nobody sees."""
    (n, *size, _), (*window, _, k) = inputs[:2]
    sides = zip(size, params["padding"], window)
    out = [s + before + after - r + 1 for s, (before, after), r in sides]
    return 2 * n * prod(out) * k * prod(inputs[1][:-1])


RULES: Final[dict[str, Rule]] = {
    "matmul": _matmul,
    "affine": _affine,
    "einsum": _einsum,
    "conv": _conv,
    "conv_bias": _conv,
    "conv_input_grad": _conv_input_grad,
    "conv_weight_grad": _conv_weight_grad,
    "conv_weight_grads": _conv_weight_grad,
    "conv_relu_pool": _picked,
    "conv_relu_pool_winners": _conv_relu_pool,
}
