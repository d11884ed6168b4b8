"""The batches of an epoch: shuffled, augmented, and the same each time they are made.

Everything random is a function of (seed, epoch), and what happens to an image of that
and its row, so no generator's state needs saving: a resumed run begins where it was.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_lite import nn

from . import augment, resample
from .augment import Augmentation
from .dataset import Dataset, Rows
from .errors import OptionError
from .recipes import Recipe

# All runs hold out the same images, so that an ensemble of them can be chosen by those.
SPLIT_SEED = 0
# A worker prepares several batches at a time, so that it seldom asks for the
# interpreter's lock, which the main thread holds most of the time.
_BLOCK, _BLOCK_BYTES = 16, 1 << 24
_SPLIT, _SHUFFLE, _WARP, _STEP, _INIT, _COPY, _MIX, _PARTNER = range(8)  # purposes


class Split(NamedTuple):
    """A part of a data set: images uint8 (n, h, w, c) and labels int64 (n,)."""

    images: Any  # an array, or `Rows` of one that may be larger than memory
    labels: NDArray[np.int64]


class Batch(NamedTuple):
    """Images as the models take them, float32 (n, h, w, c) in [0, 1], and labels.

    Where other images are mixed in, `others` has their labels, (n,), and `shares` how
    much of each mixture the image itself is.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    others: NDArray[np.int64] | None = None
    shares: NDArray[np.float32] | None = None

    def targets(self, classes: int) -> Any:
        """Return what the loss compares with: labels, or (n, classes) of mixtures.

        >>> Batch(np.zeros((1, 8, 8, 1)), np.array([0])).targets(3)
        array([0])
        """
        if self.others is None or self.shares is None:
            return self.labels
        share = self.shares[:, None]
        own, other = (nn.one_hot(x, classes) for x in (self.labels, self.others))
        return share * own + (1 - share) * other


class Prepared(NamedTuple):
    """What `Batch` has, of any number of images, still in uint8."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    others: NDArray[np.int64] | None = None
    shares: NDArray[np.float32] | None = None

    def batch(self, rows: slice) -> Batch:
        """Return some of the images as a batch."""
        images, labels = as_float(self.images[rows]), self.labels[rows]
        if self.others is None or self.shares is None:
            return Batch(images, labels)
        return Batch(images, labels, self.others[rows], self.shares[rows])


def as_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return grey values 0 to 255 as float32 from 0 to 1."""
    return images * np.float32(1 / 255)


def init_rng(seed: int) -> np.random.Generator:
    """Return the generator of the initial parameters."""
    return np.random.default_rng((seed, _INIT))


def step_rng(seed: int, epoch: int, step: int) -> np.random.Generator:
    """Return the generator of one training step (dropout)."""
    return np.random.default_rng((seed, _STEP, epoch, step))


def hold_out(data: Dataset, n: int, seed: int) -> tuple[Split, Split]:
    """Split the training set at random: images to train on, and n to validate on.

    Raises `OptionError` when that leaves nothing to train on.
    """
    total = len(data.train_images)
    if n >= total:
        raise OptionError(f"validation: cannot hold out {n} of {total} training images")
    order = np.random.default_rng((seed, _SPLIT)).permutation(total)
    held, kept = np.sort(order[:n]), np.sort(order[n:])
    return (
        Split(Rows(data.train_images, kept), data.train_labels[kept]),
        Split(Rows(data.train_images, held), data.train_labels[held]),
    )


def steps_per_epoch(recipe: Recipe, n: int) -> int:
    """Return the number of batches in an epoch over n images.

    All are full: the few images left over are others in each epoch.
    """
    return max(1, (n + recipe.expand) // recipe.batch_size)


def epoch_batches(
    train: Split,
    recipe: Recipe,
    seed: int,
    epoch: int,
    start: int = 0,
    workers: int = 1,
) -> Generator[Batch, None, None]:
    """Give an epoch's batches from number `start` on, prepared in the background.

    The number of threads that prepare them makes no difference to what they are.

    >>> from .recipes import RECIPES
    >>> train = Split(np.zeros((300, 8, 8, 1), np.uint8), np.arange(300))
    >>> [len(batch.labels) for batch in epoch_batches(train, RECIPES["deep"], 0, 0)]
    [128, 128]
    """
    n, size = len(train.labels), recipe.batch_size
    order = np.random.default_rng((seed, _SHUFFLE, epoch)).permutation(
        n + recipe.expand
    )
    last = steps_per_epoch(recipe, n) * size
    block = size * _batches_in_block(size * math.prod(train.images.shape[1:]))
    starts = range(start * size, last, block)
    blocks = (order[at : min(at + block, last)] for at in starts)

    def make(rows: NDArray[np.int64]) -> Prepared:
        return prepare(train, recipe, seed, epoch, rows)

    with closing(augment.ahead(make, blocks, workers + 1, workers)) as stream:
        for prepared in stream:
            for at in range(0, len(prepared.labels), size):
                yield prepared.batch(slice(at, at + size))


def _batches_in_block(batch_bytes: int) -> int:
    return max(1, min(_BLOCK, _BLOCK_BYTES // batch_bytes))


def prepare(
    train: Split, recipe: Recipe, seed: int, epoch: int, rows: NDArray[np.int64]
) -> Prepared:
    """Return images to train on as an epoch sees them: each is a function of its row.

    Rows from 0 on are the images of `train`; beyond those are the `expand` copies that
    the recipe adds, each of an image drawn anew in each epoch. Where there are copies,
    it is they that are changed.
    """
    n, how = len(train.labels), recipe.augmentation
    index = rows
    if recipe.expand:
        index = _sources(rows, n, augment.key(seed, epoch, _COPY))
    images, labels = train.images[index], train.labels[index]
    if not how.changes:
        return Prepared(images, labels)
    changed = np.flatnonzero((rows >= n) | (recipe.expand == 0))
    images[changed] = augment.distort(
        images[changed], rows[changed], augment.key(seed, epoch, _WARP), how
    )
    prepared = Prepared(images, labels)
    if how.mixup:
        return _mixed(prepared, changed, train, how, (seed, epoch), rows[changed])
    return prepared


def _mixed(
    prepared: Prepared,
    changed: NDArray[np.int64],
    train: Split,
    how: Augmentation,
    moment: tuple[int, int],
    rows: NDArray[np.int64],
) -> Prepared:
    """Mix other images of the training set into those that are to be changed.

    The others are changed at random, too, each for the image that it is mixed into.
    """
    images, labels = prepared.images, prepared.labels
    others, shares = labels.copy(), np.ones(len(labels), np.float32)
    drawn = augment.mixing(
        how.mixup, rows, augment.key(*moment, _MIX), len(train.labels)
    )
    partners, shares[changed] = drawn
    others[changed] = train.labels[partners]
    seen = augment.distort(
        train.images[partners], rows, augment.key(*moment, _PARTNER), how
    )
    images[changed] = resample.blend(images[changed], seen, shares[changed])
    return Prepared(images, labels, others, shares)


def _sources(rows: NDArray[np.int64], n: int, key: np.uint64) -> NDArray[np.int64]:
    """Return the image that each row shows: itself, or for copies any of the n."""
    drawn = resample.uniform(key, rows, 1)[:, 0].astype(np.float64)
    return np.where(rows < n, rows, (drawn * n).astype(np.int64))
