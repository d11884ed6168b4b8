"""Passes of a window over images, which all three contractions of a convolution are.

The input gradient is a forward pass over the cotangent with the weights turned by 180
degrees. With a stride, it is one such pass for each phase: the input pixels whose
position leaves the same remainder meet the same taps, and no others.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from .columns import even
from .geometry import Geometry
from .micro import REAL, Machine, machine

# Bytes of an image that a weight gradient sums over at a time: a level-1 cache.
SUM_BYTES: Final = 1 << 15

# Pieces to cut a forward pass into at least; a batch has more.
TASKS: Final = 8

# The batch is cut in this many pieces, each with its own sum of weight gradients.
# Fixed: were it the number of threads, the bits would depend on it.
CHUNKS: Final = 8


def tiles_fit(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether register tiles can do it: a known machine, an ordinary window."""
    usual = size.dh == size.dw == size.groups == 1 and dtype in REAL
    return usual and min(*size.output_shape, size.c) > 0 and machine() is not None


def lanes_of(itemsize: int) -> int:
    """Return the lanes of a full vector."""
    return known_machine().vector_bytes // itemsize


def known_machine() -> Machine:
    """Return this machine's vectors and registers; there must be some."""
    found = machine()
    assert found is not None, "no kernel chosen by tiles_fit runs without a machine"
    return found


def widest() -> int:
    """Return the most vectors of a tile: more of them need fewer loads for a product.

    With fewer than five rows, four vectors have too few sums at a time.
    """
    return 4 if known_machine().rows(4) >= 5 else 2


class Frame(NamedTuple):
    """The part of the infinite zero-bordered image that a pass reads.

    top, left: rows and columns of border before the image; negative: of the image
    that are left out.
    """

    h: int
    w: int
    c: int
    top: int
    left: int
    height: int
    width: int

    @property
    def copied(self) -> bool:
        """Whether there is a border, so that rows can't be read in place."""
        inside = self.height <= self.h and self.width <= self.w
        return not (self.top == self.left == 0 and inside)

    def params(self, copied: bool) -> tuple[int, ...]:
        """Return the parameters of the frame, in elements."""
        skipped = max(0, -self.left)
        kept = min(self.w - skipped, self.width - max(0, self.left))
        columns = (max(0, self.left), self.top, skipped, max(0, kept))
        left, top, skipped, kept = columns
        framed_row = self.width * self.c if copied else 0
        return (
            *(self.h, self.w * self.c, framed_row, left * self.c, top),
            *(skipped * self.c, kept * self.c, self.h * self.w * self.c),
        )


class Pass(NamedTuple):
    """One forward pass: a frame, the window that slides over it, where results go.

    first_w: where the pass's weights begin; first_y, y_row, y_pixel: position of the
    first result and steps between results. All in elements.
    """

    frame: Frame
    r: int
    s: int
    k: int
    ho: int
    wo: int
    sh: int
    sw: int
    first_w: int
    first_y: int
    y_image: int
    y_row: int
    y_pixel: int

    @property
    def window(self) -> tuple[int, ...]:
        """The parameters that all tasks share after those of the frame."""
        c = self.frame.c
        sizes = (self.r, self.s * c, self.k, self.ho, self.wo)
        return (*sizes, self.sh, self.sw * c)

    def block_height(self, limit: int, blocks: int = 1) -> int:
        """Cut the results into `blocks` or more, each from `limit` elements or less."""
        row = self.frame.width * self.frame.c
        most = max(1, (limit // row - self.r) // self.sh + 1)
        return even(self.ho, min(most, -(-self.ho // blocks)))

    def scratch(self, height: int) -> int:
        """Return the elements of the framed rows behind `height` rows of results."""
        return ((height - 1) * self.sh + self.r) * self.frame.width * self.frame.c


def forward_pass(size: Geometry) -> Pass:
    """Return the pass over the images that computes a convolution."""
    height, width = (size.ho - 1) * size.sh + size.r, (size.wo - 1) * size.sw + size.s
    frame = Frame(size.h, size.w, size.c, size.top, size.left, height, width)
    window = (size.r, size.s, size.k, size.ho, size.wo, size.sh, size.sw)
    y_row = size.wo * size.k
    return Pass(frame, *window, 0, 0, size.ho * y_row, y_row, size.k)


class Phase(NamedTuple):
    """Along one axis, the input positions `first, first + stride, ...`.

    They meet the taps `tap, tap + stride, ...`, turned round: `taps` of them, slid over
    the cotangent with a border of `before`.
    """

    first: int
    positions: int
    tap: int
    taps: int
    before: int


def phases(size: int, taps: int, stride: int, border: int) -> list[Phase]:
    """Sort the positions of an axis by the taps that they meet.

    Position i is tap t of output o where `i + border = o * stride + t`.

    Example:
        >>> phases(5, 3, 2, 1)[0]
        Phase(first=1, positions=2, tap=0, taps=2, before=0)
    """
    result = []
    for tap in range(min(stride, taps)):
        first = (tap - border) % stride
        positions = len(range(first, size, stride))
        met = len(range(tap, taps, stride))
        last_output = (first + border - tap) // stride
        if positions:
            result.append(Phase(first, positions, tap, met, met - 1 - last_output))
    return result


@lru_cache(maxsize=1024)
def input_grad_passes(size: Geometry) -> list[Pass]:
    """Return the passes over the cotangent that make up the input gradient."""
    rows = phases(size.h, size.r, size.sh, size.top)
    across = phases(size.w, size.s, size.sw, size.left)
    result, first_w, row = [], 0, size.w * size.c
    for i, j in ((i, j) for i in rows for j in across):
        height, width = i.positions - 1 + i.taps, j.positions - 1 + j.taps
        frame = Frame(size.ho, size.wo, size.k, i.before, j.before, height, width)
        window = (i.taps, j.taps, size.c, i.positions, j.positions, 1, 1)
        strides = (size.h * row, size.sh * row, size.sw * size.c)
        first_y = i.first * row + j.first * size.c
        result.append(Pass(frame, *window, first_w, first_y, *strides))
        first_w += i.taps * j.taps * size.k * size.c
    return result
