"""How good predictions are: accuracy, precision and recall, calibration, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_lite import nn

from . import cnn, resample
from .augment import Affine, affine_matrices
from .batches import Split, as_float

_MOVES = Affine(rotation=6, shift=1)  # the ranges of test-time augmentation
_SHIFTS_AND_ROTATION = (4, 5, 0)  # columns of `affine_matrices`


class Classes(NamedTuple):
    """Scores of each class, arrays (classes,); NaN where there is nothing to divide.

    precision: of the images taken for the class, the fraction that are of it; recall:
    of its images, the fraction taken for it; f1: their harmonic mean; support: the
    number of its images.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


class Calibration(NamedTuple):
    """What became of predictions, by how sure they were: arrays (bins,), NaN if empty.

    confidence: the mean probability of the predicted class; accuracy: the fraction
    right; images: how many.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    images: NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of the two (Guo 2017)."""
        gaps = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((gaps * self.images).sum() / self.images.sum())


class Evaluation(NamedTuple):
    """Labels (n,) int64 and the probabilities (n, classes) that a model gave."""

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The most probable class of each image: (n,)."""
        return self.probabilities.argmax(1)

    @property
    def accuracy(self) -> float:
        """The fraction of images classed right."""
        return float((self.predictions == self.labels).mean())

    @property
    def loss(self) -> float:
        """The mean cross entropy."""
        chosen = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.maximum(chosen, 1e-30), dtype=np.float64).mean())

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the accuracy by Wilson's score (1927).

        >>> low, high = Evaluation(np.zeros(100, int), np.eye(2)[[0] * 100]).interval()
        >>> print(f"{low:.3f} {high:.3f}")
        0.963 1.000
        """
        from scipy.stats import binomtest

        right = int((self.predictions == self.labels).sum())
        found = binomtest(right, len(self.labels)).proportion_ci(level, "wilson")
        return float(found.low), float(found.high)

    def confusion(self) -> NDArray[np.int64]:
        """Return how often each label (row) was taken for each class (column).

        >>> Evaluation(np.array([0, 1, 1]), np.eye(2)[[0, 0, 1]]).confusion()
        array([[1, 0],
               [1, 1]])
        """
        classes = self.probabilities.shape[1]
        pairs = self.labels * classes + self.predictions
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def by_class(self) -> Classes:
        """Return precision, recall, F1 and support of each class.

        >>> Evaluation(np.array([0, 1, 1]), np.eye(2)[[0, 0, 1]]).by_class().recall
        array([1. , 0.5])
        """
        counts = self.confusion()
        right, support, taken = counts.diagonal(), counts.sum(1), counts.sum(0)
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, which is what it says
            f1 = 2 * right / (support + taken)
            return Classes(right / taken, right / support, f1, support)

    def calibration(self, bins: int = 15) -> Calibration:
        """Return how often predictions were right, by bins of equal width.

        >>> sure = np.array([[0.9, 0.1]] * 10, np.float32)
        >>> found = Evaluation(np.array([0] * 8 + [1] * 2), sure).calibration()
        >>> print(f"{found.error:.2f}")
        0.10
        """
        confidence = self.probabilities.max(1).astype(np.float64)
        right = self.predictions == self.labels
        which = np.minimum((confidence * bins).astype(int), bins - 1)
        count = np.bincount(which, minlength=bins)
        with np.errstate(invalid="ignore"):
            mean, hits = (
                np.bincount(which, values, minlength=bins) / count
                for values in (confidence, right)
            )
        return Calibration(mean, hits, count)

    def worst(self, n: int) -> NDArray[np.int64]:
        """Return the indices of the most confident mistakes, the worst first."""
        wrong = np.flatnonzero(self.predictions != self.labels)
        confidence = self.probabilities.max(1)[wrong]
        return wrong[np.argsort(-confidence, kind="stable")[:n]]


def probabilities(
    model: cnn.Model,
    params: cnn.Params,
    state: cnn.State,
    images: NDArray[np.uint8],
    batch_size: int = 500,
    view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda images: images,
    done: Callable[[int], Any] = lambda images: None,
) -> NDArray[np.float32]:
    """Return the probability of each class, (n, classes), for images (n, h, w, c).

    The model is shown what `view` makes of a batch; `done` is told how many images were
    dealt with after each.
    """
    parts = []
    for at in range(0, len(images), batch_size):
        batch = view(images[at : at + batch_size])
        parts.append(nn.softmax(model.apply(params, as_float(batch), state)))
        done(len(batch))
    return np.concatenate(parts)


def evaluate(
    model: cnn.Model, params: cnn.Params, state: cnn.State, split: Split
) -> Evaluation:
    """Return what the model makes of a part of a data set."""
    return Evaluation(split.labels, probabilities(model, params, state, split.images))


def views(
    n: int, size: tuple[int, int], flip: bool = False
) -> list[Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]:
    """Return n ways to look at images: as they are, then shifted and turned a little.

    These are the same in each call: points of Halton's sequence (1960), which fills the
    ranges evenly, each followed by its opposite. With `flip`, every other is mirrored.

    >>> images = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1)
    >>> first, second = views(2, (2, 2))
    >>> (first(images) == images).all(), (second(images) == images).all()
    (np.True_, np.False_)
    """
    from scipy.stats.qmc import Halton

    points = 2 * Halton(3, scramble=False).random(n // 2 + 1)[1:] - 1
    drawn = np.zeros((n, 6))
    drawn[1::2, _SHIFTS_AND_ROTATION] = points[: n // 2]
    drawn[2::2, _SHIFTS_AND_ROTATION] = -points[: (n - 1) // 2]
    matrices = affine_matrices(_MOVES, drawn, size)
    if flip:
        matrices[1::2, 1] *= -1
        matrices[1::2, 1, 2] += size[1] - 1
    return [partial(_seen, matrix.astype(np.float32)) for matrix in matrices]


def _seen(matrix: NDArray[np.float32], images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    matrices = np.repeat(matrix[None], len(images), 0)
    still = np.empty((0, 2, *images.shape[1:3]), np.float32)
    return resample.warp(np.ascontiguousarray(images), matrices, still)
