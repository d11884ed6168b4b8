"""Random changes of images, each a function of seed, epoch and the image alone.

An image may be rotated, shifted, stretched, sheared, mirrored, cropped and deformed,
all in one resampling; then a square of it be blackened; then another image mixed in.
What is drawn for it depends on no other image: the order of batches, the number of
workers and where a run was resumed make no difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from . import resample

S = TypeVar("S")
T = TypeVar("T")

_PIXELS = 100_000  # at a time, so that what lies between steps stays in the cache
# Which of the numbers drawn for an image is whose: an option more changes no other.
_AFFINE, _FLIP, _CROP, _CUT = slice(0, 6), 6, slice(7, 9), slice(9, 11)
_DRAWS = 11


class Affine(NamedTuple):
    """The ranges of a random affine transform: each is drawn from -range to +range."""

    rotation: float = 10.0  # degrees
    shift: float = 2.0  # pixels
    scale: float = 0.1  # 0.1: from 90 % to 110 %, each axis its own
    shear: float = 0.1  # columns per row


STILL = Affine(0, 0, 0, 0)


class Elastic(NamedTuple):
    """A random deformation: noise from -1 to 1, smoothed, times alpha.

    The Gaussian that smooths has the standard deviation sigma. Simard, Steinkraus and
    Platt (2003) found sigma = 4 and alpha = 34 best for MNIST: most pixels move by less
    than three.
    """

    alpha: float = 34.0  # pixels
    sigma: float = 4.0  # pixels


class Augmentation(NamedTuple):
    """What may happen to an image; as it stands, nothing does."""

    affine: Affine | None = None
    elastic: Elastic | None = None
    cutout: int = 0  # side of a square that is set to 0 (DeVries and Taylor 2017)
    mixup: float = 0.0  # of Beta(mixup, mixup), see `mixing` (Zhang et al. 2018)
    flip: bool = False  # left and right, of every other image
    crop: int = 0  # shift by up to so many whole pixels: padding and a random crop

    @property
    def moves(self) -> bool:
        """Whether images are resampled."""
        return bool(self.affine or self.elastic or self.flip or self.crop)

    @property
    def changes(self) -> bool:
        """Whether anything happens to an image."""
        return bool(self.moves or self.cutout or self.mixup)

    def __str__(self) -> str:
        """Name what happens, with its strength.

        >>> print(Augmentation(Affine(), mixup=0.2, flip=True))
        affine, mix-up 0.2, flip
        """
        strength = {
            "affine": "",
            "elastic": "{0.alpha:g},{0.sigma:g}",
            "cut-out": "{:g}",
            "mix-up": "{:g}",
            "flip": "",
            "crop": "{:g}",
        }
        parts = zip(strength.items(), self)
        named = (f"{n} {text.format(v)}".strip() for (n, text), v in parts if v)
        return ", ".join(named)


def key(*numbers: int) -> np.uint64:
    """Return the key of random numbers that belong to these: seed, epoch, purpose."""
    return np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]


def distort(
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    key: np.uint64,
    how: Augmentation,
) -> NDArray[np.uint8]:
    """Return images, all but mixed: what happens to one is a function of key and row.

    images: (n, h, w, c) uint8; rows: (n,), the number of each in its data set.

    >>> images = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    >>> moved = distort(images, np.array([3]), key(0), Augmentation(flip=True))
    >>> moved[0, ..., 0]
    array([[2, 1, 0],
           [5, 4, 3]], dtype=uint8)
    """
    if not (how.moves or how.cutout):
        return images
    step = max(1, _PIXELS // (images.shape[1] * images.shape[2]))
    parts = [
        _distort(images[at : at + step], rows[at : at + step], key, how)
        for at in range(0, len(images), step)
    ]
    return np.concatenate(parts) if parts else images


def _distort(
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    key: np.uint64,
    how: Augmentation,
) -> NDArray[np.uint8]:
    size = images.shape[1:3]
    drawn = resample.uniform(key, rows, _DRAWS)
    if how.moves:
        matrices = transforms(how, drawn, size)
        fields = np.empty((0, 2, *size), np.float32)
        if how.elastic:
            fields = displacements(how.elastic, key, rows, size)
        images = resample.warp(np.ascontiguousarray(images), matrices, fields)
    if how.cutout:
        images = images if how.moves else images.copy()
        centres = (drawn[:, _CUT] * np.array(size)).astype(np.int64)
        resample.cut(images, centres, how.cutout)
    return images


def transforms(
    how: Augmentation, drawn: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Make transforms about the centre of images of `size` (height, width).

    drawn: (n, >= 9) numbers in [0, 1). Returns (n, 2, 3): an output pixel shows the
    input at `matrix @ (row, column, 1)`.

    >>> transforms(Augmentation(crop=2), np.zeros((1, 9)), (28, 28))[0, :, 2]
    array([-2., -2.], dtype=float32)
    """
    matrices = affine_matrices(how.affine or STILL, 2 * drawn[:, _AFFINE] - 1.0, size)
    if how.crop:
        matrices[..., 2] += np.floor(drawn[:, _CROP] * (2 * how.crop + 1)) - how.crop
    if how.flip:
        mirrored = drawn[:, _FLIP] < 0.5
        matrices[mirrored, 1] *= -1
        matrices[mirrored, 1, 2] += size[1] - 1
    return matrices.astype(np.float32)


def affine_matrices(
    affine: Affine, drawn: NDArray[np.floating], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Make transforms (n, 2, 3) from numbers (n, 6) in [-1, 1].

    The numbers are of the rotation, the shear, two scales and two shifts.
    """
    angle, shear = drawn[:, 0] * np.deg2rad(affine.rotation), drawn[:, 1] * affine.shear
    scale, shift = 1 + affine.scale * drawn[:, 2:4], affine.shift * drawn[:, 4:6]
    cos, sin = np.cos(angle), np.sin(angle)
    # A rotation times a stretch, which is [[scale, 0], [shear, scale]].
    matrix = np.empty((len(drawn), 2, 2))
    matrix[:, 0, 0] = cos * scale[:, 0] - sin * shear
    matrix[:, 0, 1] = -sin * scale[:, 1]
    matrix[:, 1, 0] = sin * scale[:, 0] + cos * shear
    matrix[:, 1, 1] = cos * scale[:, 1]
    centre = (np.array(size) - 1) / 2
    offset = centre + shift - matrix @ centre
    return np.concatenate([matrix, offset[..., None]], -1)


def displacements(
    elastic: Elastic, key: np.uint64, rows: NDArray[np.int64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return smooth random fields (n, 2, h, w) in pixels, down and right."""
    down, right = (resample.basis(side, elastic.sigma) for side in size)
    shape = (len(rows), 2, len(down), len(right))
    other = key ^ np.uint64(1)  # than the key of the numbers of `distort`
    drawn = resample.uniform(other, rows, 2 * len(down) * len(right))
    noise = (2 * drawn - 1).reshape(shape)
    return resample.smooth(noise, np.float32(elastic.alpha) * down, right)


def mixing(
    mixup: float, rows: NDArray[np.int64], key: np.uint64, n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Draw for each image another of n, and its own share in their mixture.

    The shares (len(rows),) are of Beta(mixup, mixup), the larger part going to the
    image itself: as both are drawn alike, that changes no more than which is named
    first.

    >>> others, shares = mixing(0.2, np.arange(1000), key(0), 50)
    >>> print(others.max(), shares.min().round(1), shares.max())
    49 0.5 1.0
    """
    drawn = resample.uniform(key, rows, 2).astype(np.float64)
    share = betaincinv(mixup, mixup, drawn[:, 1])
    others = (drawn[:, 0] * n).astype(np.int64)
    return others, np.maximum(share, 1 - share).astype(np.float32)


def ahead(
    make: Callable[[S], T], items: Iterable[S], depth: int = 2, workers: int = 1
) -> Generator[T, None, None]:
    """Give `make(item)` of each item in order, computed ahead of time by threads.

    At most `depth` results wait. What `make` raises is raised here.

    >>> list(ahead(lambda n: n * n, range(4)))
    [0, 1, 4, 9]
    """
    todo = iter(items)
    with ThreadPoolExecutor(workers, "ahead") as pool:
        waiting = deque(pool.submit(make, item) for item in islice(todo, depth))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(make, item) for item in islice(todo, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
