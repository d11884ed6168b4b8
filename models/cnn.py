"""Convolutional networks as pure functions.

A model's parameters are a plain dict tree of arrays, `params["conv1"]["w"]`. Nothing is
hidden: whatever a function needs it is given, whatever it changes it returns.

    params = lenet8.init(rng)                                 # initial parameters
    logits = lenet8.apply(params, images)                     # to predict
    logits, state = lenet8.train(params, images, state, rng)  # to train

`state` is what a model learns without gradients, here the running averages of batch
normalisation, and `rng` is where dropout draws from. A model that has neither passes
`state` through, which is `{}`, and leaves `rng` alone.

Images: float32 (n, h, w, c) in [0, 1]; logits: (n, classes).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from autograd_lite import nn

from . import resnet as residual
from .errors import OptionError

Array = Any  # of NumPy, or a tracer that stands for one
Generator = Any  # of numpy.random
Params = dict[str, Any]
State = dict[str, Any]

DROPOUT = 0.3  # of `deep`, before its last layer, if nobody says otherwise


class Model(NamedTuple):
    """A network: what makes its parameters, and what it makes of images."""

    init: Callable[..., Params]  # (rng, image_shape, classes) -> params
    forward: Callable[..., tuple[Array, State]]  # (params, x, state, rng or None)
    feature_maps: Callable[..., dict[str, Array]]  # (params, x, state), for looking
    init_state: Callable[[Params], State] = lambda params: {}
    units: Callable[..., dict[str, Array]] | None = None  # all ReLUs; None: the maps
    dropout: float | None = None  # what `forward` takes as `dropout`; None: nothing

    def apply(self, params: Params, x: Array, state: State | None = None) -> Array:
        """Return the logits of images to predict: nothing random, nothing updated.

        Without a `state` it is that of an untrained model.
        """
        if state is None:
            state = self.init_state(params)
        return self.forward(params, x, state, None)[0]

    def train(
        self, params: Params, x: Array, state: State, rng: Generator
    ) -> tuple[Array, State]:
        """Return the logits of a batch to train on, and the new state."""
        return self.forward(params, x, state, rng)

    def activations(self, params: Params, x: Array, state: State) -> dict[str, Array]:
        """Return what comes out of each layer's ReLU, its units along the last axis."""
        return (self.units or self.feature_maps)(params, x, state)

    def with_dropout(self, rate: float) -> Model:
        """Return the model that drops this share of what it drops a share of.

        >>> deep.with_dropout(0.5).dropout
        0.5
        """
        forward = partial(self.forward, dropout=rate)
        return self._replace(forward=forward, dropout=rate)


# -- lenet8: about 99 % of MNIST in five epochs --------------------------------------


def lenet8_init(
    rng: Generator, image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10
) -> Params:
    """Return parameters of `lenet8`, drawn from `rng`.

    >>> params = lenet8_init(np.random.default_rng(0))
    >>> params["conv1"]["w"].shape, params["dense1"]["w"].shape
    ((3, 3, 1, 8), (1352, 128))
    """
    channels, pooled = image_shape[2], places(image_shape, border=2, pool=2)
    return {
        "conv1": init_conv(rng, channels, 8),
        "dense1": init_dense(rng, pooled * 8, 128),
        "dense2": init_dense(rng, 128, classes),
    }


def lenet8_forward(
    params: Params, x: Array, state: State, rng: Generator | None
) -> tuple[Array, State]:
    """Convolution 8 3x3, pool, dense 128, dense: the first seed's network."""
    x = nn.max_pool(nn.relu(conv(params["conv1"], x)), 2)
    x = nn.relu(dense(params["dense1"], nn.flatten(x)))
    return dense(params["dense2"], x), state


def lenet8_units(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of each ReLU of `lenet8`."""
    conv1 = nn.relu(conv(params["conv1"], x))
    dense1 = nn.relu(dense(params["dense1"], nn.flatten(nn.max_pool(conv1, 2))))
    return {"conv1": conv1, "dense1": dense1}


# -- emnist16: letters, too ----------------------------------------------------------


def emnist16_init(
    rng: Generator, image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10
) -> Params:
    """Return parameters of `emnist16`, drawn from `rng`."""
    channels, pooled = image_shape[2], places(image_shape, border=2, pool=2)
    return {
        "conv1": init_conv(rng, channels, 16),
        "dense1": init_dense(rng, pooled * 16, 128),
        "dense2": init_dense(rng, 128, 64),
        "dense3": init_dense(rng, 64, classes),
    }


def emnist16_forward(
    params: Params, x: Array, state: State, rng: Generator | None
) -> tuple[Array, State]:
    """Convolution 16 3x3, pool, dense 128, 64, dense: the second seed's network."""
    x = nn.max_pool(nn.relu(conv(params["conv1"], x)), 2)
    x = nn.relu(dense(params["dense1"], nn.flatten(x)))
    x = nn.relu(dense(params["dense2"], x))
    return dense(params["dense3"], x), state


def emnist16_units(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of each ReLU of `emnist16`."""
    conv1 = nn.relu(conv(params["conv1"], x))
    dense1 = nn.relu(dense(params["dense1"], nn.flatten(nn.max_pool(conv1, 2))))
    dense2 = nn.relu(dense(params["dense2"], dense1))
    return {"conv1": conv1, "dense1": dense1, "dense2": dense2}


# -- deep: the accuracy model --------------------------------------------------------


def deep_init(
    rng: Generator,
    image_shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 10,
    widths: tuple[int, int] = (32, 64),
) -> Params:
    """Return parameters of `deep`, drawn from `rng`; `widths`: filters by block."""
    channels, pooled = image_shape[2], places(image_shape, border=0, pool=4)
    first, second = widths
    return {
        "conv1": init_conv(rng, channels, first, norm=True),
        "conv2": init_conv(rng, first, first, norm=True),
        "conv3": init_conv(rng, first, second, norm=True),
        "conv4": init_conv(rng, second, second, norm=True),
        "dense1": init_dense(rng, pooled * second, 128),
        "dense2": init_dense(rng, 128, classes),
    }


def deep_init_state(params: Params) -> State:
    """Return the running averages that each convolution of `deep` begins with."""
    return {
        name: nn.init_batch_norm_state(layer["w"].shape[3])
        for name, layer in params.items()
        if "norm" in layer
    }


def deep_forward(
    params: Params,
    x: Array,
    state: State,
    rng: Generator | None,
    dropout: float = DROPOUT,
) -> tuple[Array, State]:
    """Two blocks of two normalised convolutions and a pool, dense 128, dense."""
    maps, state = _deep_maps(params, x, state, training=rng is not None)
    x = nn.relu(dense(params["dense1"], nn.flatten(maps["conv4"])))
    if rng is not None:
        x = nn.dropout(x, dropout, rng)
    return dense(params["dense2"], x), state


def deep_units(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of each ReLU of `deep`."""
    maps, _ = _deep_maps(params, x, state)
    dense1 = nn.relu(dense(params["dense1"], nn.flatten(maps["conv4"])))
    return maps | {"dense1": dense1}


def _deep_maps(
    params: Params,
    x: Array,
    state: State,
    training: bool = False,
    pooled: tuple[str, ...] = ("conv2", "conv4"),
) -> tuple[dict[str, Array], State]:
    """Return what comes out of each layer of convolution, and the new averages."""
    maps, new_state = {}, {}
    for name in sorted(state):
        layer = params[name]
        x = nn.conv(x, layer["w"], padding="SAME")
        if name in pooled:  # before the rest, which has less to do then
            x = nn.max_pool(x, 2)
        x, new_state[name] = nn.batch_norm(x, layer["norm"], state[name], training)
        maps[name] = x = nn.relu(x)
    return maps, new_state


# -- deeper: three blocks, the first of them short ------------------------------------

_DEEPER_POOLED = ("conv1", "conv3", "conv5")


def deeper_init(
    rng: Generator, image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10
) -> Params:
    """Return parameters of `deeper`, drawn from `rng`."""
    channels, pooled = image_shape[2], places(image_shape, border=0, pool=8)
    return {
        "conv1": init_conv(rng, channels, 32, norm=True),
        "conv2": init_conv(rng, 32, 64, norm=True),
        "conv3": init_conv(rng, 64, 64, norm=True),
        "conv4": init_conv(rng, 64, 128, norm=True),
        "conv5": init_conv(rng, 128, 128, norm=True),
        "dense1": init_dense(rng, pooled * 128, classes),
    }


def deeper_forward(
    params: Params,
    x: Array,
    state: State,
    rng: Generator | None,
    dropout: float = DROPOUT,
) -> tuple[Array, State]:
    """Five normalised convolutions, three of them pooled, dense."""
    maps, state = _deep_maps(params, x, state, rng is not None, _DEEPER_POOLED)
    x = nn.flatten(maps["conv5"])
    if rng is not None:
        x = nn.dropout(x, dropout, rng)
    return dense(params["dense1"], x), state


def deeper_maps(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of each convolution of `deeper`, of all its layers."""
    return _deep_maps(params, x, state, pooled=_DEEPER_POOLED)[0]


# -- resnet: in a file of its own ----------------------------------------------------


def resnet_init(
    rng: Generator, image_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10
) -> Params:
    """Return parameters of `resnet`, drawn from `rng`."""
    places(image_shape, border=0, pool=4)  # smaller images would only see padding
    return residual.init(rng, image_shape, classes)


def resnet_maps(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of the first convolution and of each block of `resnet`."""
    return residual.maps(params, x, state)[0]


# -- layers with their parameters ----------------------------------------------------


def places(image_shape: tuple[int, int, int], border: int, pool: int) -> int:
    """Return how many places are left of images that lose a border and are pooled.

    Raises `OptionError` when none is left.

    >>> places((28, 28, 1), border=2, pool=2)
    169
    """
    height, width = ((n - border) // pool for n in image_shape[:2])
    if height < 1 or width < 1:
        least = border + pool
        raise OptionError(
            f"images of {image_shape[0]} x {image_shape[1]} are too small for this "
            f"model: it takes {least} x {least} or more"
        )
    return height * width


def init_conv(
    rng: Generator, channels: int, filters: int, norm: bool = False
) -> Params:
    """Return parameters of a 3x3 convolution, or of one that is normalised."""
    w = nn.he_normal(rng, (3, 3, channels, filters))
    if norm:  # which has a bias of its own
        return {"w": w, "norm": nn.init_batch_norm(filters)}
    return {"w": w, "b": np.zeros(filters, np.float32)}


def init_dense(rng: Generator, inputs: int, outputs: int) -> Params:
    """Return parameters of a dense layer."""
    w = nn.he_normal(rng, (inputs, outputs))
    return {"w": w, "b": np.zeros(outputs, np.float32)}


def conv(layer: Params, x: Array) -> Array:
    """Convolve images with a layer's kernels, and add its bias."""
    return nn.conv(x, layer["w"], layer["b"])


def dense(layer: Params, x: Array) -> Array:
    """Multiply rows with a layer's matrix, and add its bias."""
    return nn.dense(x, layer["w"], layer["b"])


def first_maps(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of the first convolution of `lenet8` or `emnist16`."""
    return {"conv1": nn.relu(conv(params["conv1"], x))}


def deep_maps(params: Params, x: Array, state: State) -> dict[str, Array]:
    """Return what comes out of each convolution of `deep`, of all its layers."""
    return _deep_maps(params, x, state)[0]


# -- the models ----------------------------------------------------------------------

lenet8 = Model(lenet8_init, lenet8_forward, first_maps, units=lenet8_units)
emnist16 = Model(emnist16_init, emnist16_forward, first_maps, units=emnist16_units)
deep = Model(
    deep_init, deep_forward, deep_maps, deep_init_state, deep_units, dropout=DROPOUT
)
slim = deep._replace(init=partial(deep_init, widths=(16, 32)))
deeper = Model(
    deeper_init, deeper_forward, deeper_maps, deep_init_state, dropout=DROPOUT
)
resnet = Model(resnet_init, residual.forward, resnet_maps, residual.init_state)

MODELS = {
    "slim": slim,
    "deep": deep,
    "deeper": deeper,
    "resnet": resnet,
    "lenet8": lenet8,
    "emnist16": emnist16,
}
