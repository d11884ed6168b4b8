"""A multilayer perceptron: dense layers with ReLU between them.

Its parameters are a list of layers, each a dict. Nothing else is needed to make a
network of any depth: lists and dicts, however nested, have gradients.

    python -m models.mlp
"""

from collections.abc import Sequence

import numpy as np

from autograd_lite import nn, optim, value_and_grad

from . import small
from .small import Array, Params


def init(rng: np.random.Generator, widths: Sequence[int]) -> Params:
    """Return layers from each width to the next.

    >>> layers = init(np.random.default_rng(0), [784, 256, 10])
    >>> [layer["w"].shape for layer in layers]
    [(784, 256), (256, 10)]
    """
    return [
        {"w": nn.he_normal(rng, shape), "b": np.zeros(shape[1], np.float32)}
        for shape in zip(widths, widths[1:])
    ]


def apply(params: Params, x: Array) -> Array:
    """Return logits (n, classes) of rows x (n, inputs)."""
    *hidden, last = params
    for layer in hidden:
        x = nn.relu(nn.dense(x, layer["w"], layer["b"]))
    return nn.dense(x, last["w"], last["b"])


def loss(params: Params, x: Array, labels: Array) -> Array:
    """Return the mean cross entropy."""
    return nn.cross_entropy(apply(params, x), labels)


def train(
    x: Array,
    labels: Array,
    hidden: Sequence[int] = (256, 128),
    classes: int = 10,
    steps: int = 4000,
    seed: int = 0,
) -> Params:
    """Return the parameters after so many steps of Adam on 128 random rows each."""
    rng = np.random.default_rng(seed)
    params = init(rng, [x.shape[1], *hidden, classes])
    adam = optim.adam(optim.cosine(0.002, steps))
    state = adam.init(params)
    gradient = value_and_grad(loss)
    for _ in small.progress(steps):
        rows = rng.integers(len(x), size=128)
        _, grads = gradient(params, x[rows], labels[rows])
        updates, state = adam.update(grads, state, params)
        params = optim.apply_updates(params, updates)
    return params


def main(steps: int, seed: int) -> None:
    """Train on MNIST and print how many test images are classed right."""
    (images, labels), test = small.mnist()
    params = train(nn.flatten(images), labels, steps=steps, seed=seed)
    small.report(lambda x: apply(params, nn.flatten(x)), *test)


if __name__ == "__main__":
    small.command(main, __doc__, steps=4000)
