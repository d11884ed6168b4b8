"""The batches of an epoch: shuffled, augmented, and the same each time they are made.

Everything random is a function of (seed, epoch), so no generator's state needs saving:
a resumed run makes the same batches again and skips those it has seen.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import augment
from .dataset import Dataset, Rows
from .errors import OptionError
from .recipes import Recipe

_BLOCK = 16  # batches that the worker prepares at a time
_SPLIT, _SHUFFLE, _WARP, _STEP, _INIT = range(5)  # purposes of random numbers


class Split(NamedTuple):
    """A part of a data set: images uint8 (n, h, w, c) and labels int64 (n,)."""

    images: Any  # an array, or `Rows` of one that may be larger than memory
    labels: NDArray[np.int64]


class Batch(NamedTuple):
    """Images as the models take them, float32 (n, h, w, c) in [0, 1], and labels."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


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
    train: Split, recipe: Recipe, seed: int, epoch: int, start: int = 0
) -> Generator[Batch, None, None]:
    """Give an epoch's batches from number `start` on, prepared in the background.

    >>> from .recipes import RECIPES
    >>> train = Split(np.zeros((300, 8, 8, 1), np.uint8), np.arange(300))
    >>> [len(batch.labels) for batch in epoch_batches(train, RECIPES["deep"], 0, 0)]
    [128, 128]
    """
    size = recipe.batch_size
    for block in augment.ahead(_blocks(train, recipe, seed, epoch, start)):
        for at in range(0, len(block.labels), size):
            images = as_float(block.images[at : at + size])
            yield Batch(images, block.labels[at : at + size])


def _blocks(
    train: Split, recipe: Recipe, seed: int, epoch: int, start: int
) -> Iterator[Split]:
    """Give the images of several batches at a time, transformed as the recipe says."""
    rng = np.random.default_rng((seed, _SHUFFLE, epoch))
    n = len(train.labels)
    source = np.concatenate([np.arange(n), rng.integers(n, size=recipe.expand)])
    order = rng.permutation(len(source))
    chosen = (order >= n) | (recipe.expand == 0)  # those to be transformed
    if recipe.affine:
        size = train.images.shape[1:3]
        transforms = augment.random_transforms(recipe.affine, rng, len(order), size)
    steps = steps_per_epoch(recipe, n)
    for step in range(start, steps, _BLOCK):
        stop = min(step + _BLOCK, steps)
        rows = slice(step * recipe.batch_size, stop * recipe.batch_size)
        index = source[order[rows]]
        images = train.images[index]
        if recipe.affine:
            mask = chosen[rows]
            images[mask] = augment.warp(images[mask], transforms[rows][mask])
        yield Split(images, train.labels[index])
