"""Images made larger or smaller: interpolation, and pixels exchanged for channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..errors import ArgumentError, ShapeError
from ..ops import mixing
from ..ops.basic import reshape, transpose
from ..ops.taps import Cubic, Linear, Nearest, Taps
from ..ops.windows import Sizes, per_axis
from .arrays import check_choice, check_kernel_dtypes
from .layouts import entered, key, left, rank_of

_SMOOTH: Final[dict[str, Callable[[int, int, bool], Taps]]] = {
    **{"linear": Linear, "bilinear": Linear, "trilinear": Linear},
    **{"cubic": Cubic, "bicubic": Cubic},
}
_RANKS: Final = {"bilinear": 2, "trilinear": 3, "bicubic": 2}


def upsample(
    x: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool = False,
    *,
    layout: str = "NHWC",
) -> Any:
    """Return images of another size, larger or smaller, by interpolation.

    Args:
        size: the new one, an int or one per axis; or else
        scale_factor: by how much to multiply the old one, rounded down.
        mode: "nearest", "linear" (also "bilinear" for images, "trilinear" for volumes)
            or "cubic" ("bicubic"), all as in PyTorch's `interpolate`.
        align_corners: whether the centres of the outermost pixels stay where they are,
            or their outer edges do.

    x: (n, h, w, c) -> (n, h', w', c)

    >>> import numpy as np
    >>> x = np.array([0.0, 1.0]).reshape(1, 1, 2, 1)
    >>> upsample(x, (1, 3), mode="bilinear", align_corners=True)[0, 0, :, 0]
    array([0. , 0.5, 1. ])
    """
    check_choice(mode, "mode", ("nearest", *_SMOOTH))
    rank = _RANKS.get(mode) or rank_of(
        x, layout, "upsample", key(size), key(scale_factor)
    )
    x, form = entered(x, rank, layout)
    check_kernel_dtypes(x=x)
    if 0 in x.shape[1:-1]:
        raise ShapeError(f"x has shape {x.shape}, no pixels to interpolate.")
    wanted = _new_size(x.shape[1:-1], key(size), key(scale_factor))
    smooth = _SMOOTH.get(mode)
    taps = tuple(
        [
            smooth(n, m, bool(align_corners)) if smooth else Nearest(n, m)
            for n, m in zip(x.shape[1:-1], wanted)
        ]
    )
    return left(mixing.along_each(x, 1, taps), form)


def _new_size(size: Sizes, wanted: Any, factor: Any) -> Sizes:
    if (wanted is None) == (factor is None):
        raise ArgumentError(
            f"size={wanted}, scale_factor={factor}: expected one of them."
        )
    rank = len(size)
    if wanted is not None:
        return per_axis(wanted, "size", rank)
    factors = factor if isinstance(factor, tuple) else (factor,) * rank
    if len(factors) != rank or not all(int(n * f) > 0 for n, f in zip(size, factors)):
        raise ArgumentError(
            f"scale_factor={factor!r}: expected a number or one for each axis of "
            f"{size}, such that at least one pixel remains."
        )
    return tuple([int(n * f) for n, f in zip(size, factors)])


def pixel_shuffle(x: Any, upscale_factor: int, *, layout: str = "NHWC") -> Any:
    """Return images r times as large, made of channels: r * r of them each pixel.

    W. Shi and others, 2016, "Real-Time Single Image and Video Super-Resolution". The
    order of the channels is PyTorch's: channel c * r * r + i * r + j becomes pixel
    (i, j) of channel c. x: (n, h, w, c * r * r) -> (n, h * r, w * r, c)

    >>> import numpy as np
    >>> pixel_shuffle(np.arange(4.0).reshape(1, 1, 1, 4), 2)[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    x, form = entered(x, 2, layout)
    (r,) = per_axis(upscale_factor, "upscale_factor", 1)
    n, h, w, c = x.shape
    if c % (r * r):
        raise ShapeError(
            f"x has {c} channels; upscale_factor={r} needs a multiple of {r * r}."
        )
    x = reshape(x, shape=(n, h, w, c // (r * r), r, r))
    x = transpose(x, axes=(0, 1, 4, 2, 5, 3))
    return left(reshape(x, shape=(n, h * r, w * r, c // (r * r))), form)


def pixel_unshuffle(x: Any, downscale_factor: int, *, layout: str = "NHWC") -> Any:
    """Return images with r by r pixels as channels: the inverse of `pixel_shuffle`.

    x: (n, h * r, w * r, c) -> (n, h, w, c * r * r)

    >>> import numpy as np
    >>> pixel_unshuffle(np.ones((1, 4, 6, 3)), 2).shape
    (1, 2, 3, 12)
    """
    x, form = entered(x, 2, layout)
    (r,) = per_axis(downscale_factor, "downscale_factor", 1)
    n, h, w, c = x.shape
    if h % r or w % r:
        raise ShapeError(
            f"x has {h} x {w} pixels; downscale_factor={r} must divide both."
        )
    x = reshape(x, shape=(n, h // r, r, w // r, r, c))
    x = transpose(x, axes=(0, 1, 3, 5, 2, 4))
    return left(reshape(x, shape=(n, h // r, w // r, c * r * r)), form)
