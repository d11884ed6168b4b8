"""What a trained model makes of images: predictions, accuracy, confusions, mistakes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_lite import nn

from . import cnn
from .batches import Split, as_float


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

    def confusion(self) -> NDArray[np.int64]:
        """Return how often each label (row) was taken for each class (column).

        >>> Evaluation(np.array([0, 1, 1]), np.eye(2)[[0, 0, 1]]).confusion()
        array([[1, 0],
               [1, 1]])
        """
        classes = self.probabilities.shape[1]
        pairs = self.labels * classes + self.predictions
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

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
) -> NDArray[np.float32]:
    """Return the probability of each class, (n, classes), for images (n, h, w, c)."""
    parts = [
        nn.softmax(model.apply(params, as_float(images[at : at + batch_size]), state))
        for at in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)


def evaluate(
    model: cnn.Model, params: cnn.Params, state: cnn.State, split: Split
) -> Evaluation:
    """Return what the model makes of a part of a data set."""
    return Evaluation(split.labels, probabilities(model, params, state, split.images))
