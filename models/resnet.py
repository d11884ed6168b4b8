"""A small residual network: each block adds to what it is given.

K. He and others, 2016, "Deep residual learning for image recognition". `state` is the
running averages of batch normalisation. With a run's folder and all else that the other
models have: `python -m models.train --model resnet`; alone: `python -m models.resnet`.
"""

import numpy as np

from autograd_lite import nn, optim, value_and_grad

from . import mlp, small
from .small import Array, Generator, Params

BLOCKS = {"block1": (16, 16), "block2": (16, 32), "block3": (32, 64)}  # channels
Pair = tuple[Array, Params]


def init(rng: Generator, shape: Array = (28, 28, 1), classes: int = 10) -> Params:
    """Return parameters, for images of any size (h, w, c)."""

    def conv(side: int, inputs: int, outputs: int) -> Params:
        w = nn.he_normal(rng, (side, side, inputs, outputs))
        return {"w": w, "norm": nn.init_batch_norm(outputs)}

    params = {"conv1": conv(3, shape[2], 16)}
    for name, (c, k) in BLOCKS.items():
        params[name] = {"first": conv(3, c, k), "second": conv(3, k, k)}
        if c != k:  # x must become like what is added to it
            params[name]["skip"] = conv(1, c, k)
    return params | {"dense": mlp.init(rng, (64, classes))[0]}


def init_state(params: Params) -> Params:
    """Return the averages to begin with, in a tree like that of the convolutions."""
    if "norm" in params:
        return nn.init_batch_norm_state(params["w"].shape[3])
    return {name: init_state(params[name]) for name in params if name != "dense"}


def block(layer: Params, x: Array, state: Params, train: bool) -> Pair:
    """Return x plus what two convolutions make of it, and the new averages."""
    new, stride = {}, 2 if "skip" in layer else 1

    def conv(name: str, x: Array, stride: int = 1) -> Array:
        x = nn.conv(x, layer[name]["w"], stride=stride, padding="SAME")
        x, new[name] = nn.batch_norm(x, layer[name]["norm"], state[name], train)
        return x

    y = conv("second", nn.relu(conv("first", x, stride)))
    return nn.relu(y + (conv("skip", x, stride) if "skip" in layer else x)), new


def maps(params: Params, x: Array, state: Params, train: bool = False) -> Pair:
    """Return what comes out of each layer (n, h, w, c), and the new averages."""
    x = nn.max_pool(nn.conv(x, params["conv1"]["w"], padding="SAME"), 2)
    x, average = nn.batch_norm(x, params["conv1"]["norm"], state["conv1"], train)
    found, new = {"conv1": nn.relu(x)}, {"conv1": average}
    for before, name in zip(["conv1", *BLOCKS], BLOCKS):
        found[name], new[name] = block(params[name], found[before], state[name], train)
    return found, new


def forward(params: Params, x: Array, state: Params, rng: Generator = None) -> Pair:
    """Return logits of images x (n, h, w, c), and the new state: with rng, to train."""
    found, state = maps(params, x, state, train=rng is not None)
    return nn.dense(nn.global_avg_pool(found["block3"]), **params["dense"]), state


def loss(params: Params, state: Params, batch: Pair, rng: Generator) -> Pair:
    """Return the mean cross entropy of images and labels, and the new state."""
    logits, state = forward(params, batch[0], state, rng)
    return nn.cross_entropy(logits, batch[1]), state


def train(x: Array, labels: Array, steps: int = 900, seed: int = 0) -> Pair:
    """Return parameters and state after so many steps on 128 random images each."""
    rng = np.random.default_rng(seed)
    params = init(rng, x.shape[1:], labels.max() + 1)
    optimizer = optim.nesterov(optim.one_cycle(0.1, steps), 0.9)
    state, moments = init_state(params), optimizer.init(params)
    gradient = value_and_grad(loss, has_aux=True)
    for _ in small.progress(steps):
        rows = rng.integers(len(x), size=128)
        (_, state), grads = gradient(params, state, (x[rows], labels[rows]), rng)
        updates, moments = optimizer.update(grads, moments, params)
        params = optim.apply_updates(params, updates)
    return params, state


def main(steps: int, seed: int) -> None:
    """Train on MNIST and print how many test images are classed right."""
    digits, test = small.mnist()
    params, state = train(*digits, steps, seed)
    small.report(lambda x: forward(params, x, state)[0], *test)


if __name__ == "__main__":
    small.command(main, __doc__, steps=900)
