"""The networks whose training steps are measured, written once for every library.

A net is a tuple of layers, plain descriptions. `forward` walks it and asks a library's
own functions, a `Layers`, for each: so all the libraries compute the same, and each
computes it as its users would write it.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

import numpy as np

Params = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Convolve:
    """A convolution of square windows, padded by `pad` on each side.

    Depthwise: each channel has a filter of its own, and `filters` means nothing.
    """

    filters: int = 0
    size: int = 3
    stride: int = 1
    pad: int = 1
    bias: bool = True
    depthwise: bool = False

    kind = "conv"


@dataclass(frozen=True)
class Dense:
    """A matrix and a bias."""

    width: int

    kind = "dense"


@dataclass(frozen=True)
class Simple:
    """A layer that its name describes: norm, relu, max_pool, mean_pool or flatten."""

    kind: str


@dataclass(frozen=True)
class Residual:
    """relu(body(x) + shortcut(x)); the shortcut may be empty."""

    body: tuple["Layer", ...]
    shortcut: tuple["Layer", ...] = ()

    kind = "residual"


Layer = Convolve | Dense | Simple | Residual

NORM, RELU = Simple("norm"), Simple("relu")
MAX_POOL, MEAN_POOL, FLATTEN = (
    Simple(kind) for kind in ("max_pool", "mean_pool", "flatten")
)


@dataclass(frozen=True)
class Net:
    """A classifier of images (h, w, c), and how it is trained.

    The loss is the mean cross entropy; `optimizer` is "sgd", "momentum" or "adam".
    """

    name: str
    image: tuple[int, int, int]
    layers: tuple[Layer, ...]
    optimizer: str
    learning_rate: float
    weight_decay: float = 0.0

    @property
    def classes(self) -> int:
        """The width of the last layer."""
        last = self.layers[-1]
        assert isinstance(last, Dense)
        return last.width

    def sizes(self) -> "Sizes":
        """The parameters' shapes, and the arithmetic of one image."""
        sizes = Sizes()
        forward(self, sizes, self.image)
        return sizes

    def init(self, seed: int = 0) -> Params:
        """He-initialised float32 parameters, conv weights (r, s, c / groups, k)."""
        rng = np.random.default_rng(seed)
        return {name: _leaves(rng, s) for name, s in self.sizes().shapes.items()}

    def init_state(self) -> Params:
        """The running statistics of the normalisations, before the first batch."""
        return {
            name: {"mean": np.zeros(shape["bias"], np.float32)}
            | {"var": np.ones(shape["bias"], np.float32)}
            for name, shape in self.sizes().shapes.items()
            if "scale" in shape
        }


def _leaves(
    rng: np.random.Generator, shapes: dict[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    found = {}
    for name, shape in shapes.items():
        if name == "w":
            scale = np.float32(np.sqrt(2 / prod(shape[:-1])))
            found[name] = rng.standard_normal(shape, dtype=np.float32) * scale
        else:
            found[name] = np.full(shape, name == "scale", np.float32)
    return found


class Layers(Protocol):
    """A library's functions; each finds its parameters by the layer's name."""

    def conv(self, name: str, layer: Convolve, x: Any) -> Any:
        """Convolve, and add the bias."""

    def dense(self, name: str, layer: Dense, x: Any) -> Any:
        """Multiply rows with a matrix, and add the bias."""

    def norm(self, name: str, x: Any) -> Any:
        """Normalise over the batch as in training, and keep the new statistics."""

    def relu(self, x: Any) -> Any:
        """The positive part."""

    def max_pool(self, x: Any) -> Any:
        """The maximum of each 2 x 2 window."""

    def mean_pool(self, x: Any) -> Any:
        """The mean of each channel: (n, h, w, c) -> (n, c)."""

    def flatten(self, x: Any) -> Any:
        """(n, h, w, c) -> (n, h * w * c), in this order."""

    def add(self, x: Any, y: Any) -> Any:
        """The sum of two images."""


def forward(net: Net, library: Layers, x: Any) -> Any:
    """The logits of a batch x, in training; layers are named conv1, norm1, conv2."""
    return _walk(net.layers, library, x, _names())


def _names() -> dict[str, Iterator[int]]:
    return {kind: itertools.count(1) for kind in ("conv", "dense", "norm")}


def _walk(layers: Sequence[Layer], library: Layers, x: Any, names: Any) -> Any:
    for layer in layers:
        if isinstance(layer, Residual):
            y = _walk(layer.body, library, x, names)
            x = library.relu(library.add(y, _walk(layer.shortcut, library, x, names)))
            continue
        numbered = layer.kind in names
        name = [f"{layer.kind}{next(names[layer.kind])}"] if numbered else []
        described = [] if isinstance(layer, Simple) else [layer]
        x = getattr(library, layer.kind)(*name, *described, x)
    return x


@dataclass
class Sizes:
    """A library that computes with shapes alone, of one image.

    `flops` counts multiplications and additions of the forward pass, `first` those of
    the first layer, whose input needs no gradient; `values` the numbers between layers.
    """

    shapes: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    flops: int = 0
    first: int = 0
    values: int = 0

    def conv(self, name: str, layer: Convolve, x: Any) -> Any:
        """(h, w, c) -> (h', w', k)"""
        *sides, c = x
        k = c if layer.depthwise else layer.filters
        window = (layer.size, layer.size, 1 if layer.depthwise else c)
        self.shapes[name] = {"w": (*window, k)}
        if layer.bias:
            self.shapes[name]["b"] = (k,)
        out = [(s + 2 * layer.pad - layer.size) // layer.stride + 1 for s in sides]
        return self._made((*out, k), 2 * prod(out) * k * prod(window))

    def dense(self, name: str, layer: Dense, x: Any) -> Any:
        """(inputs) -> (width)"""
        self.shapes[name] = {"w": (*x, layer.width), "b": (layer.width,)}
        return self._made((layer.width,), 2 * prod(x) * layer.width)

    def norm(self, name: str, x: Any) -> Any:
        """(h, w, c) -> (h, w, c)"""
        self.shapes[name] = {"scale": x[-1:], "bias": x[-1:]}
        return self._made(x)

    def relu(self, x: Any) -> Any:
        """Any shape."""
        return self._made(x)

    def max_pool(self, x: Any) -> Any:
        """(h, w, c) -> (h // 2, w // 2, c)"""
        return self._made((x[0] // 2, x[1] // 2, x[2]))

    def mean_pool(self, x: Any) -> Any:
        """(h, w, c) -> (c)"""
        return x[2:]

    def flatten(self, x: Any) -> Any:
        """(h, w, c) -> (h * w * c)"""
        return (prod(x),)

    def add(self, x: Any, y: Any) -> Any:
        """Equal shapes."""
        return self._made(x)

    def _made(self, shape: tuple[int, ...], flops: int = 0) -> tuple[int, ...]:
        self.first = self.first or flops
        self.flops += flops
        self.values += prod(shape)
        return shape


# -- the nets --------------------------------------------------------------------------


def head(*widths: int) -> tuple[Layer, ...]:
    """Dense layers of these widths, a ReLU between them."""
    layers: list[Layer] = [FLATTEN]
    for width in widths:
        layers += [Dense(width), RELU]
    return tuple(layers[:-1])


def normed(filters: int, **options: Any) -> tuple[Layer, ...]:
    """A convolution without bias, normalised, and a ReLU."""
    return Convolve(filters, bias=False, **options), NORM, RELU


def resnet_block(filters: int, stride: int = 1) -> Residual:
    """Two convolutions with a shortcut, which is one itself where the shape changes."""
    body = (*normed(filters, stride=stride), *normed(filters)[:2])
    if stride == 1:
        return Residual(body)
    shortcut = Convolve(filters, size=1, stride=stride, pad=0, bias=False)
    return Residual(body, (shortcut, NORM))


def separable(filters: int, stride: int = 1) -> tuple[Layer, ...]:
    """A depthwise convolution and a pointwise one, as in MobileNet."""
    deep = normed(0, stride=stride, depthwise=True)
    return (*deep, *normed(filters, size=1, pad=0))


DIGITS, PHOTOS = (28, 28, 1), (32, 32, 3)


def _deep(first: int, second: int) -> tuple[Layer, ...]:
    """Two blocks of two convolutions and a pool."""
    a, b = (Convolve(first), RELU), (Convolve(second), RELU)
    return (*a, *a, MAX_POOL, *b, *b, MAX_POOL)


def _deep_normed(first: int, second: int) -> tuple[Layer, ...]:
    """The same with batch norm, pools before it: the order of the model `deep`."""
    blocks = []
    for filters in (first, second):
        conv, *rest = normed(filters)
        blocks += [conv, *rest, conv, MAX_POOL, *rest]
    return tuple(blocks)


_SMALL = {n: (Convolve(n, pad=0), RELU, MAX_POOL) for n in (8, 16)}

NETS = {
    net.name: net
    for net in [
        Net("lenet8", DIGITS, (*_SMALL[8], *head(128, 10)), "adam", 1e-3),
        Net("emnist16", DIGITS, (*_SMALL[16], *head(128, 64, 47)), "sgd", 1e-2, 1e-4),
        Net("deep", DIGITS, (*_deep(32, 64), *head(256, 10)), "adam", 1e-3),
        Net("deep-norm", DIGITS, (*_deep_normed(32, 64), *head(128, 10)), "adam", 1e-3),
        Net(
            "resnet",
            PHOTOS,
            (
                *normed(16),
                *(resnet_block(16), resnet_block(32, 2), resnet_block(64, 2)),
                *(MEAN_POOL, Dense(10)),
            ),
            *("momentum", 1e-2, 1e-4),
        ),
        Net(
            "separable",
            PHOTOS,
            (
                *normed(32),
                *(*separable(64), *separable(128, 2)),
                *(*separable(128), *separable(256, 2)),
                *(MEAN_POOL, Dense(10)),
            ),
            *("momentum", 1e-2, 1e-4),
        ),
    ]
}
