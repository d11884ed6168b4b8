"""Where the channels are: layers work on `(n, *size, c)` and take other layouts too.

`layout` is "NHWC", channels last, or "NCHW", channels first, for any number of spatial
axes; the names for one and three, such as "NCL" and "NDHWC", may be used for these. The
batch may be missing. `kernel_layout` is "HWIO", that is `(r, s, c / groups, k)`, or
PyTorch's "OIHW".
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops.basic import reshape, transpose
from .arrays import as_array, check_choice

# The number of spatial axes that a name is for; 0 for any.
_LAYOUTS: Final = {
    **{"NHWC": 0, "NCHW": 0, "NLC": 1, "NCL": 1, "NWC": 1, "NCW": 1},
    **{"NDHWC": 3, "NCDHW": 3},
}
_KERNEL_LAYOUTS: Final = {
    **{"HWIO": 0, "OIHW": 0, "LIO": 1, "OIL": 1, "WIO": 1, "OIW": 1},
    **{"DHWIO": 3, "OIDHW": 3},
}
_LAYOUT_NAMES: Final = tuple(_LAYOUTS)
_KERNEL_LAYOUT_NAMES: Final = tuple(_KERNEL_LAYOUTS)
_SIZES: Final = {1: "l", 2: "h, w", 3: "d, h, w"}
_WINDOWS: Final = {1: "s", 2: "r, s", 3: "t, r, s"}
_KINDS: Final = {1: "signals", 2: "images", 3: "volumes"}


class Form(NamedTuple):
    """How the caller's array differs from `(n, *size, c)`."""

    channels_first: bool
    batched: bool


_AS_IT_IS: Final = Form(channels_first=False, batched=True)


def entered(x: Any, rank: int, layout: str, what: str = "x") -> tuple[Any, Form]:
    """Return an array with `rank` spatial axes as `(n, *size, c)`, and its form."""
    x = as_array(x)
    if layout == "NHWC" and len(x.shape) == rank + 2:
        return x, _AS_IT_IS
    first = _channels_first(layout, rank)
    if x.ndim not in (rank + 1, rank + 2):
        size = _SIZES[rank]
        one = f"(c, {size})" if first else f"({size}, c)"
        raise ShapeError(
            f"{what} has shape {x.shape}, expected {_KINDS[rank]} "
            f"(n, {one[1:]}, or {one} without a batch."
        )
    form = Form(first, x.ndim == rank + 2)
    if first:
        at = int(form.batched)
        x = transpose(x, axes=(*range(at), *range(at + 1, x.ndim), at))
    return (x if form.batched else reshape(x, shape=(1, *x.shape))), form


def left(y: Any, form: Form) -> Any:
    """Return `(n, *size, c)` in the form of the caller's array."""
    if form is _AS_IT_IS:
        return y
    if not form.batched:
        y = reshape(y, shape=y.shape[1:])
    if form.channels_first:
        at, last = int(form.batched), y.ndim - 1
        y = transpose(y, axes=(*range(at), last, *range(at, last)))
    return y


def _channels_first(layout: str, rank: int) -> bool:
    check_choice(layout, "layout", _LAYOUT_NAMES)
    if _LAYOUTS[layout] not in (0, rank):
        raise ArgumentError(
            f"layout={layout!r} is for {_KINDS[_LAYOUTS[layout]]}, but these are "
            f"{_KINDS[rank]}."
        )
    return layout[1] == "C"


def entered_kernel(w: Any, kernel_layout: str = "HWIO") -> Any:
    """Return the weights of a convolution as `(*window, c / groups, k)`."""
    w = as_array(w)
    rank = len(w.shape) - 2
    if kernel_layout == "HWIO" and rank in _KINDS:
        return w
    check_choice(kernel_layout, "kernel_layout", _KERNEL_LAYOUT_NAMES)
    if rank not in _KINDS:
        raise ShapeError(
            f"w has shape {w.shape}, expected (r, s, c / groups, k) for images, with "
            "one axis less for signals and one more for volumes."
        )
    if _KERNEL_LAYOUTS[kernel_layout] not in (0, rank):
        raise ArgumentError(f"kernel_layout={kernel_layout!r}: w has shape {w.shape}.")
    if kernel_layout[0] == "O":
        w = transpose(w, axes=(*range(2, w.ndim), 1, 0))
    return w


def window_names(rank: int) -> str:
    """Return what the axes of a window are called.

    >>> window_names(2)
    'r, s'
    """
    return _WINDOWS[rank]


def rank_of(x: Any, layout: str, what: str, *values: Any) -> int:
    """Return the number of spatial axes: that of the first tuple among `values`.

    If all are single ints, `layout` may say so, or else the axes of x: four or five can
    only be a batch of images or volumes.
    """
    for value in values:
        if isinstance(value, tuple):
            rank = len(value)
            break
    else:
        rank = _LAYOUTS.get(layout, 0)
    if not rank:
        ndim = as_array(x).ndim
        if ndim == 3:
            raise ShapeError(
                f"{what}: x of shape {as_array(x).shape} may be one image or a batch "
                "of signals. Write one int per spatial axis: window=(2, 2) for an "
                "image, window=(2,) for signals."
            )
        rank = {2: 1, 4: 2, 5: 3}.get(ndim, 0)
    if rank not in _KINDS:
        raise ShapeError(
            f"{what}: x has shape {as_array(x).shape}, expected signals (n, l, c), "
            "images (n, h, w, c) or volumes (n, d, h, w, c)."
        )
    return rank


def key(value: Any) -> Any:
    """Return lists and arrays as tuples, so that a cache can look the value up."""
    if type(value) in (int, str):
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple([key(v) for v in value])
    return value
