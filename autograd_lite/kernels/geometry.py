"""The sizes of one convolution, worked out once per combination of shapes."""

from functools import lru_cache
from typing import NamedTuple

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


class Geometry(NamedTuple):
    """Every size of a convolution `x: (n, h, w, c)`, `kernel: (r, s, c/groups, k)`.

    Example:
        >>> geometry((2, 8, 8, 3), (3, 3, 3, 5), (2, 2), ((1, 0), (0, 1))).output_shape
        (2, 4, 4, 5)
    """

    n: int
    h: int
    w: int
    c: int
    r: int
    s: int
    k: int
    ho: int
    wo: int
    sh: int
    sw: int
    top: int
    bottom: int
    left: int
    right: int
    dh: int
    dw: int
    groups: int

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """The shape of x, `(n, h, w, c)`."""
        return (self.n, self.h, self.w, self.c)

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """The shape of the weights, `(r, s, c // groups, k)`."""
        return (self.r, self.s, self.c // self.groups, self.k)

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """The shape of the result, `(n, ho, wo, k)`."""
        return (self.n, self.ho, self.wo, self.k)

    @property
    def padded(self) -> Pair:
        """Height and width of an image with its border."""
        return (self.h + self.top + self.bottom, self.w + self.left + self.right)

    @property
    def flops(self) -> int:
        """Multiplications and additions of one of the three contractions."""
        taps = self.r * self.s * (self.c // self.groups)
        return 2 * self.n * self.ho * self.wo * self.k * taps

    @property
    def window(self) -> tuple[int, int, int, int, int, int, int]:
        """What a kernel must know besides the shapes: strides, offsets, groups."""
        return (
            self.sh,
            self.sw,
            self.top,
            self.left,
            self.dh,
            self.dw,
            self.groups,
        )


@lru_cache(maxsize=1024)
def geometry(
    input_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Geometry:
    """Return the `Geometry` of a convolution; the caller has checked that it fits."""
    n, h, w, c = input_shape
    r, s, _, k = kernel_shape
    (sh, sw), (dh, dw) = stride, dilation
    (top, bottom), (left, right) = padding
    ho = (h + top + bottom - dh * (r - 1) - 1) // sh + 1
    wo = (w + left + right - dw * (s - 1) - 1) // sw + 1
    return Geometry(
        *(n, h, w, c, r, s, k, ho, wo, sh, sw),
        *(top, bottom, left, right, dh, dw, groups),
    )
