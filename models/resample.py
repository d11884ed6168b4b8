"""The kernels of augmentation: random numbers, smooth fields, warped images.

They take and return plain arrays and release the interpreter's lock, so that a worker
thread computes while the main thread trains. Nothing in them depends on a state: a
random number is a function of a key, a row and a column.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

kernel = numba.njit(nogil=True, cache=True, error_model="numpy")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@kernel
def _mix(x: np.uint64) -> np.uint64:
    """Return 64 bits that look like no others: the finaliser of SplitMix64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def uniform(key: np.uint64, rows: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Return (n, count) numbers in [0, 1): row i's are a function of key and rows[i].

    The generator is SplitMix64 (Steele, Lea and Flood 2014), one stream per row.

    >>> together = uniform(np.uint64(1), np.array([5, 7]), 3)
    >>> alone = uniform(np.uint64(1), np.array([7]), 3)
    >>> bool((together[1] == alone[0]).all())
    True
    """
    out = np.empty((len(rows), count), np.float32)
    for i in range(len(rows)):
        stream = _mix(key + _mix(np.uint64(rows[i]) + _GOLDEN))
        for j in range(count):
            bits = _mix(stream + np.uint64(j + 1) * _GOLDEN)
            out[i, j] = np.float32(bits >> np.uint64(40)) * np.float32(2.0**-24)
    return out


def basis(size: int, sigma: float) -> NDArray[np.float32]:
    """Return Gaussians `sigma` apart along an axis, scaled to smooth as a filter would.

    White noise on a grid as coarse as `sigma`, times these, has the covariance of white
    noise on every pixel after `scipy.ndimage.gaussian_filter`, to one part in 5,000: at
    that spacing the sum of the squared Gaussians is flat. (k, size): a row for each.

    >>> basis(28, 4.0).shape
    (14, 28)
    """
    pixel = np.arange(size)
    grid = np.arange(-3, np.floor(pixel[-1] / sigma) + 5) * sigma
    away = (pixel - grid[:, None]) / sigma
    weights = np.exp(-(away**2) / 2) / np.sqrt(2 * np.pi * sigma)
    return np.where(np.abs(away) <= 4, weights, 0).astype(np.float32)


def smooth(
    noise: NDArray[np.float32],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return noise (..., k, l), smoothed into fields (..., h, w) by two `basis`.

    These are two products of small matrices, which BLAS is faster at than a filter.
    """
    return rows.T @ (noise @ columns)


@kernel
def warp(
    images: NDArray[np.uint8],
    transforms: NDArray[np.float32],
    fields: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Resample each image once, interpolating linearly; outside the image all is 0.

    The output pixel (y, x) shows the input at `transform @ (y, x, 1) + field[:, y, x]`.
    images: (n, h, w, c) uint8; transforms: (n, 2, 3); fields: (n, 2, h, w) in pixels,
    or (0, 2, h, w) for none.
    """
    n, height, width, channels = images.shape
    out = np.empty_like(images)
    # An image is worked on as one row of pixels, step by step: such loops become vector
    # instructions, all but the one in `_gather`. What they share fits the first cache.
    size = height * width
    rows, columns = np.empty(size, np.float32), np.empty(size, np.float32)
    for i in range(size):
        rows[i], columns[i] = i // width, i % width
    still = np.zeros((2, size), np.float32)
    top, left = np.empty(size, np.int32), np.empty(size, np.int32)
    down, right = np.empty(size, np.float32), np.empty(size, np.float32)
    framed = np.zeros((height + 3) * (width + 3) + 1, np.uint8)
    packed = np.empty((height + 2) * (width + 3), np.uint32)
    quads, plane = np.empty(size, np.uint32), np.empty(size, np.uint8)
    for i in range(n):
        m, field = transforms[i], still
        if len(fields):
            field = fields[i].reshape(2, size)
        _locate(m[0], rows, columns, field[0], height, top, down)
        _locate(m[1], rows, columns, field[1], width, left, right)
        for c in range(channels):
            _pack(images[i], c, framed, packed)
            _gather(packed, width + 3, top, left, quads)
            _interpolate(quads, down, right, plane)
            pixels = out[i].reshape(size, channels)
            for j in range(size):
                pixels[j, c] = plane[j]
    return out


@kernel
def _locate(
    m: NDArray[np.float32],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    field: NDArray[np.float32],
    limit: int,
    whole: NDArray[np.int32],
    part: NDArray[np.float32],
) -> None:
    """Split each pixel's source along an axis into a framed pixel, and how far beyond.

    The frame is one pixel wide: what lies further outside moves into it.
    """
    a, b, start, end = m[0], m[1], m[2] + np.float32(1), np.float32(limit + 1)
    for i in range(len(whole)):
        at = a * rows[i] + b * columns[i] + start + field[i]
        at = min(max(at, np.float32(0)), end)
        whole[i] = np.int32(at)
        part[i] = at - np.float32(whole[i])


@kernel
def _pack(
    image: NDArray[np.uint8],
    channel: int,
    framed: NDArray[np.uint8],
    packed: NDArray[np.uint32],
) -> None:
    """Put each pixel of a framed channel together with its neighbours, in four bytes.

    These are right of it, below it, and right of that.
    """
    height, width, _ = image.shape
    wide = width + 3
    for y in range(height):
        line = framed[(y + 1) * wide + 1 :]
        for x in range(width):
            line[x] = image[y, x, channel]
    below = framed[wide:]
    for i in range(len(packed)):
        upper = np.uint32(framed[i]) | np.uint32(framed[i + 1]) << np.uint32(8)
        lower = np.uint32(below[i]) | np.uint32(below[i + 1]) << np.uint32(8)
        packed[i] = upper | lower << np.uint32(16)


@kernel
def _gather(
    packed: NDArray[np.uint32],
    wide: int,
    top: NDArray[np.int32],
    left: NDArray[np.int32],
    quads: NDArray[np.uint32],
) -> None:
    for i in range(len(quads)):
        quads[i] = packed[np.uint64(top[i] * wide + left[i])]


@kernel
def _interpolate(
    quads: NDArray[np.uint32],
    down: NDArray[np.float32],
    right: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Write grey values, each between four bytes, rounded to nearest."""
    byte = np.uint32(255)
    for i in range(len(out)):
        quad = quads[i]
        a = np.float32(np.int32(quad & byte))
        b = np.float32(np.int32(quad >> np.uint32(8) & byte))
        c = np.float32(np.int32(quad >> np.uint32(16) & byte))
        d = np.float32(np.int32(quad >> np.uint32(24)))
        upper, lower = a + right[i] * (b - a), c + right[i] * (d - c)
        value = upper + down[i] * (lower - upper)
        out[i] = np.uint8(np.int32(value + np.float32(0.5)))


@kernel
def cut(images: NDArray[np.uint8], centres: NDArray[np.int64], side: int) -> None:
    """Set a square of each image to 0, in place; it may stick out of the image.

    images: (n, h, w, c); centres: (n, 2), row and column; side in pixels.
    """
    n, height, width, channels = images.shape
    for i in range(n):
        top, left = centres[i, 0] - side // 2, centres[i, 1] - side // 2
        for y in range(max(top, 0), min(top + side, height)):
            for x in range(max(left, 0), min(left + side, width)):
                for c in range(channels):
                    images[i, y, x, c] = 0


@kernel
def blend(
    images: NDArray[np.uint8],
    others: NDArray[np.uint8],
    shares: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Return shares (n,) of images (n, h, w, c) and the rest of others, rounded."""
    out = np.empty_like(images)
    for i in range(len(images)):
        share, a, b, mixed = (
            shares[i],
            images[i].ravel(),
            others[i].ravel(),
            out[i].ravel(),
        )
        for j in range(len(a)):
            value = share * np.float32(a[j]) + (1 - share) * np.float32(b[j])
            mixed[j] = np.uint8(np.int32(value + np.float32(0.5)))
    return out
