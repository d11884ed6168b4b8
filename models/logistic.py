"""Logistic regression: which of ten digits, from a weighted sum of the pixels.

The loss is convex: it has one lowest point, and no learning rate is needed to find it.
L-BFGS, SciPy's, goes there on all images at once with the gradient that
autograd_lite takes.

    python -m models.logistic
"""

import numpy as np

from autograd_lite import nn
from autograd_lite.scipy.optimize import minimize

from . import small
from .small import Array, Params

L2 = 1e-4  # holds back weights of pixels that are seldom used


def init(inputs: int, classes: int) -> Params:
    """Return where to start: every class as likely as any other.

    >>> init(784, 10)["w"].shape
    (784, 10)
    """
    zeros = np.zeros((inputs, classes), np.float32)
    return {"w": zeros, "b": np.zeros(classes, np.float32)}


def apply(params: Params, x: Array) -> Array:
    """Return logits (n, classes) of rows x (n, inputs)."""
    return nn.dense(x, params["w"], params["b"])


def loss(params: Params, x: Array, labels: Array) -> Array:
    """Return the mean cross entropy, plus a little for large weights."""
    misfit = nn.cross_entropy(apply(params, x), labels)
    return misfit + L2 * nn.l2_penalty(params["w"])


def train(x: Array, labels: Array, classes: int = 10, steps: int = 100) -> Params:
    """Return the parameters after at most so many steps of L-BFGS."""
    bar = iter(small.progress(steps))
    found = minimize(
        loss,
        init(x.shape[1], classes),
        (x, labels),
        method="L-BFGS-B",
        callback=lambda params: next(bar, None),
        options={"maxiter": steps},
    )
    return found.x


def main(steps: int, seed: int) -> None:
    """Train on MNIST and print how many test images are classed right."""
    (images, labels), test = small.mnist()
    params = train(nn.flatten(images), labels, steps=steps)
    small.report(lambda x: apply(params, nn.flatten(x)), *test)


if __name__ == "__main__":
    small.command(main, __doc__, steps=100)
