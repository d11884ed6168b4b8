"""Convolution of signals, images and volumes, and its transpose.

The number of axes of the kernel says which: `(s, c / groups, k)`, `(r, s, c / groups,
k)` or `(t, r, s, c / groups, k)`. Arrays are `(n, *size, c)`, the batch may be missing,
and `layout="NCHW"` stands for channels first, `kernel_layout="OIHW"` for weights as
PyTorch has them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..fusing import convolve
from ..ops import conv as ops
from ..ops.basic import reshape
from ..ops.windows import (
    Padding,
    Sizes,
    check_fit,
    per_axis,
    reaches,
    resolve_padding,
)
from .arrays import as_array, check_choice, check_kernel_dtypes
from .layouts import entered, entered_kernel, key, left, window_names


def conv(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    groups: int = 1,
    input_dilation: Any = 1,
    layout: str = "NHWC",
    kernel_layout: str = "HWIO",
    method: str = "direct",
) -> Any:
    """Return the convolution (cross-correlation) of images with kernels, plus a bias.

    Args:
        stride, dilation: an int, or one per axis (vertical, horizontal).
        padding: "VALID" (none), "SAME" (size / stride, rounded up), "SAME_LOWER" (the
            odd one at the beginning), "FULL", an int, one per axis, or ((top, bottom),
            (left, right)). Negative numbers leave out pixels.
        groups: channels are split into so many groups that don't mix; as many as there
            are channels for a depthwise convolution.
        input_dilation: the distance of the input's pixels, with zeros between them.
        layout: "NHWC", or "NCHW" for x and the result.
        kernel_layout: "HWIO", or "OIHW" for w: (k, c / groups, r, s), as in PyTorch.
        method: "direct", or "im2col", which copies the windows to a matrix and
            multiplies: the textbook's way, here to compare with.

    x: (n, h, w, c) or (h, w, c), w: (r, s, c / groups, k), b: (k) -> (n, h', w', k),
    and likewise with one spatial axis or three. Raises `ShapeError` with the arithmetic
    when the kernel doesn't fit.

    >>> import numpy as np
    >>> conv(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), padding="SAME").shape
    (1, 5, 5, 2)
    >>> conv(np.ones((1, 9, 4)), np.ones((3, 4, 8)), stride=2).shape
    (1, 4, 8)
    """
    check_choice(method, "method", ("direct", "im2col"))
    w = entered_kernel(w, kernel_layout)
    shape = w.shape
    x, form = entered(x, len(shape) - 2, layout)
    window = _geometry(
        *(x.shape[1:], shape, groups, key(stride), key(padding), key(dilation)),
        key(input_dilation),
    )
    b = _checked_bias(x, w, b, shape[-1])
    y = (_direct if method == "direct" else _im2col)(x, w, b, groups, window)
    return left(y, form)


def _checked_bias(x: Any, w: Any, b: Any, channels: int) -> Any:
    """Return the bias as an array, or None, and check the dtypes."""
    if b is None:
        check_kernel_dtypes(x=x, w=w)
        return None
    b = as_array(b)
    check_kernel_dtypes(x=x, w=w, b=b)
    if b.shape != (channels,):
        raise ShapeError(f"b has shape {b.shape}, expected {(channels,)}.")
    return b


def _direct(x: Any, w: Any, b: Any, groups: int, window: dict[str, Any]) -> Any:
    return convolve(x, w, b, groups=groups, **window)


def _im2col(x: Any, w: Any, b: Any, groups: int, window: dict[str, Any]) -> Any:
    if groups != 1 or "input_dilation" in window:
        raise ArgumentError('groups and input_dilation need method="direct".')
    *kernel, c, k = w.shape
    cols = ops.im2col(x, kernel=tuple(kernel), **window)
    *places, terms = cols.shape
    rows = 1
    for n in places:
        rows *= n
    y = reshape(cols, shape=(rows, terms)) @ reshape(w, shape=(terms, k))
    return reshape(y if b is None else y + b, shape=(*places, k))


# Long, as nothing of it is done twice for arrays of one shape.
@lru_cache(maxsize=1024)
def _geometry(
    image: tuple[int, ...],
    weights: tuple[int, ...],
    groups: int,
    stride: Any,
    padding: Any,
    dilation: Any,
    spread: Any,
) -> dict[str, Any]:
    """Return the window of a convolution, checked. image: (h, w, c)"""
    _check_channels(image[-1], weights, groups)
    size, kernel = image[:-1], weights[:-2]
    rank = len(kernel)
    stride = per_axis(stride, "stride", rank)
    dilation = per_axis(dilation, "dilation", rank)
    spread = per_axis(spread, "input_dilation", rank)
    _check_taps(kernel)
    size = tuple([max(0, (n - 1) * e + 1) for n, e in zip(size, spread)])
    padding = resolve_padding(padding, size, kernel, stride, dilation)
    check_fit("conv", size, kernel, stride, padding, dilation)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    return window if max(spread) == 1 else {**window, "input_dilation": spread}


def _check_taps(kernel: Sizes) -> None:
    if min(kernel) < 1:
        raise ShapeError(f"w spans {' x '.join(map(str, kernel))} pixels: none.")


def _check_channels(c: int, weights: tuple[int, ...], groups: int) -> None:
    *window, per_group, k = weights
    if groups < 1 or c != per_group * groups or k % groups:
        taps = ", ".join(map(str, window))
        raise ShapeError(
            f"x has {c} channels, w has shape {weights} and groups={groups}: expected "
            f"w of shape ({taps}, c / groups, k) with k a multiple of groups, that is "
            f"{taps}, {c} / {groups}, k."
        )


def conv_transpose(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: Any = 1,
    padding: Any = "VALID",
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: str = "NHWC",
    kernel_layout: str = "HWIO",
) -> Any:
    """Return the transpose of `conv` with the same weights and window, plus a bias.

    It maps what `conv` returns to what `conv` takes: <conv(u, w), x> = <u,
    conv_transpose(x, w)>. Arguments are those of `conv`; `padding` is what that one
    adds, so it makes the result smaller, and "SAME" means stride times the size of x.

    Args:
        output_padding: elements that the result has more at the end of each axis, as
            `conv` with a stride maps arrays of several sizes to one.

    x: (n, h, w, k) or (h, w, k), w: (r, s, c / groups, k), b: (c) -> (n, h', w', c),
    h' = (h - 1) * stride + dilation * (r - 1) + 1 - padding + output_padding.

    >>> import numpy as np
    >>> conv_transpose(np.ones((1, 4, 4, 3)), np.ones((2, 2, 8, 3)), stride=2).shape
    (1, 8, 8, 8)
    """
    w = entered_kernel(w, kernel_layout)
    x, form = entered(x, w.ndim - 2, layout)
    k, channels = w.shape[-1], w.shape[-2] * groups
    if groups < 1 or x.shape[-1] != k or k % groups:
        raise ShapeError(
            f"x has {x.shape[-1]} channels, w has shape {w.shape} and groups={groups}: "
            f"expected w of shape ({window_names(w.ndim - 2)}, c / groups, k), where x "
            "has the k channels and the result c. k must be a multiple of groups."
        )
    size, window = _transposed_geometry(
        *(x.shape[1:-1], w.shape[:-2], key(stride), key(padding), key(dilation)),
        key(output_padding),
    )
    b = _checked_bias(x, w, b, channels)
    shape = (x.shape[0], *size, channels)
    y = ops.conv_input_grad(x, w, input_shape=shape, groups=groups, **window)
    return left(y if b is None else y + b, form)


@lru_cache(maxsize=1024)
def _transposed_geometry(
    size: Sizes, kernel: Sizes, stride: Any, padding: Any, dilation: Any, more: Any
) -> tuple[Sizes, dict[str, Any]]:
    """Return the size of the result, and the window of the convolution from there."""
    rank = len(kernel)
    stride = per_axis(stride, "stride", rank)
    dilation = per_axis(dilation, "dilation", rank)
    more = per_axis(more, "output_padding", rank, least=0)
    _check_taps(kernel)
    sides = _transposed_padding(padding, size, kernel, stride, dilation)
    # What is padded at the end more is padding of the convolution less.
    sides = tuple([(before, after - m) for (before, after), m in zip(sides, more)])
    reach = reaches(kernel, dilation)
    found = tuple(
        [
            (n - 1) * s + r - before - after
            for n, s, r, (before, after) in zip(size, stride, reach, sides)
        ]
    )
    if min(found) < 1:
        raise ShapeError(
            f"conv_transpose: x of size {size}, stride {stride}, a window that spans "
            f"{reach}, padding {sides} less output_padding: (size - 1) * stride + span "
            f"- padding = {found}. Expected at least one; padding less, for example "
            "padding=0, fits."
        )
    return found, {"stride": stride, "padding": sides, "dilation": dilation}


def _transposed_padding(
    padding: Any, size: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes
) -> Padding:
    name = padding.upper() if isinstance(padding, str) else ""
    if name not in ("SAME", "SAME_LOWER"):
        return resolve_padding(padding, size, kernel, stride, dilation)
    result = []
    for n, s, reach in zip(size, stride, reaches(kernel, dilation)):
        total = (n - 1) * s + reach - n * s  # negative where the result has gaps
        smaller = max(0, total) // 2
        before = max(0, total) - smaller if name == "SAME_LOWER" else smaller
        result.append((before, total - before))
    return tuple(result)


def separable_conv(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    b: Any = None,
    *,
    stride: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    layout: str = "NHWC",
) -> Any:
    """Return a convolution of each channel alone, then one of 1x1 pixels over all.

    L. Sifre, 2014, "Rigid-motion scattering for image classification"; F. Chollet,
    2017, "Xception". Keywords are those of `conv`.
    x: (n, h, w, c), depthwise: (r, s, 1, c * m), pointwise: (1, 1, c * m, k) or
    (c * m, k), b: (k) -> (n, h', w', k)

    >>> import numpy as np
    >>> x, depthwise = np.ones((1, 8, 8, 4)), np.ones((3, 3, 1, 4))
    >>> separable_conv(x, depthwise, np.ones((4, 16)), padding="SAME").shape
    (1, 8, 8, 16)
    """
    depthwise, pointwise = entered_kernel(depthwise), as_array(pointwise)
    rank = depthwise.ndim - 2
    x, form = entered(x, rank, layout)
    if pointwise.ndim == 2:
        pointwise = reshape(pointwise, shape=(1,) * rank + pointwise.shape)
    y = conv(
        *(x, depthwise),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=x.shape[-1],
    )
    return left(conv(y, pointwise, b), form)
